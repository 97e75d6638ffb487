"""The modes of the load in C beside `exchange` count what they say they count, and find out a server that is wrong."""

from __future__ import annotations

import json
import select
import socket
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from tests.benchmarks.compiling import compiled_programs
from tests.benchmarks.load_kit import (
    SECONDS,
    WRONG,
    Echo,
    Handler,
    Outcome,
    close_at_once,
    listening,
    pieces,
    run,
    says_that_it_closed,
    started,
)

GREETING = 64
"""Bytes that `connect` and `hold` send on each connection."""


@pytest.fixture(scope="module")
def c_load() -> Iterator[Sequence[str]]:
    with compiled_programs() as programs:
        if programs.language != "C":
            pytest.skip("the load in C needs Linux and a C compiler")
        yield programs.load


# --- fanout ---


class Crowd:
    """Sends every line that it is sent to everybody; `spoil` changes it for all but the first."""

    def __init__(self, spoil: Callable[[bytes], bytes] = lambda line: line) -> None:
        self.spoil = spoil
        self.everybody: list[socket.socket] = []
        self.lock = threading.Lock()
        self.lines = 0

    def join(self, connection: socket.socket) -> None:
        self.everybody.append(connection)

    def __call__(self, connection: socket.socket, _: int) -> None:
        with connection.makefile("rb") as lines:
            for line in lines:
                with self.lock:
                    self.lines += 1
                    for place, one in enumerate(self.everybody):
                        one.sendall(self.spoil(line) if place else line)


def test_fanout_sends_as_many_bursts_as_it_was_told(c_load: Sequence[str]) -> None:
    crowd = Crowd()
    with listening(crowd, crowd.join) as port:
        figures = run(c_load, "fanout", port, 20, 64, 10, 3, 5).figures
    assert crowd.lines == (1 + 3 + 5) * 10  # one burst to know that they are there
    assert set(figures) == {"wall", "cpu", "p50", "p99"}
    assert 0 < figures["p50"] <= figures["p99"] <= figures["wall"] * 1.04


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda line: line[:-2] + b"!\n", "the server sent something else than it was given"),
        (lambda line: line * 2, "the server sent more than it was given"),
    ],
)
def test_fanout_finds_out_a_wrong_line(c_load: Sequence[str], spoil: Callable[[bytes], bytes], complaint: str) -> None:
    crowd = Crowd(spoil)
    with listening(crowd, crowd.join) as port:
        assert run(c_load, "fanout", port, 3, 64, 1, 1, 1).complaint == complaint


def test_fanout_waits_for_everybody(c_load: Sequence[str]) -> None:
    crowd = Crowd(lambda _: b"")
    with listening(crowd, crowd.join) as port:
        outcome = run(c_load, "fanout", port, 3, 64, 1, 1, 1, seconds="1")
    assert outcome.complaint == "the load did not come to an end in time"


def test_fanout_says_in_one_line_that_a_server_closed(c_load: Sequence[str]) -> None:
    with listening(close_at_once) as port:
        assert says_that_it_closed(run(c_load, "fanout", port, 1, 64, 1, 1, 1).complaint)


# --- send ---


def count(connection: socket.socket, _: int) -> None:
    connection.sendall(b"%d\n" % sum(map(len, pieces(connection))))


def miscount(connection: socket.socket, _: int) -> None:
    connection.sendall(b"%d\n" % (1 + sum(map(len, pieces(connection)))))


def test_send_sends_as_many_bytes_as_it_was_told(c_load: Sequence[str]) -> None:
    totals: list[int] = []

    def count_and_note(connection: socket.socket, _: int) -> None:
        totals.append(sum(map(len, pieces(connection))))
        connection.sendall(b"%d\n" % totals[-1])

    with listening(count_and_note) as port:
        assert set(run(c_load, "send", port, 1, 3_000_001).figures) == {"wall", "cpu"}
    assert totals == [1, 3_000_001]


def test_send_finds_out_a_wrong_count(c_load: Sequence[str]) -> None:
    with listening(miscount) as port:
        assert run(c_load, "send", port, 1000, 1).complaint == "the server answered '1001' to 1000 bytes"


def test_send_says_in_one_line_that_a_server_closed(c_load: Sequence[str]) -> None:
    with listening(close_at_once) as port:
        assert says_that_it_closed(run(c_load, "send", port, 1 << 24, 1).complaint)


# --- forward ---


def run_forward(command: Sequence[str], forwarder: Handler, *arguments: object, seconds: str = SECONDS) -> Outcome:
    """Run `forward` to its end, through a server whose `forwarder` is given the target's port as its number."""
    with started([*command, "forward", *map(str, arguments), seconds]) as load:
        assert load.stdout is not None
        target = json.loads(load.stdout.readline())["listening"]
        with listening(lambda client, _: forwarder(client, target)) as port:
            output, errors = load.communicate(f"{port}\ngo\n", timeout=90)
    return Outcome(load.returncode, [json.loads(line) for line in output.splitlines()], errors.splitlines())


def pass_on(source: socket.socket, target: socket.socket, spoil: Callable[[bytes], bytes]) -> None:
    """One direction of a forwarder, with its end."""
    for data in pieces(source):
        target.sendall(spoil(data))
    target.shutdown(socket.SHUT_WR)


def forward(client: socket.socket, target: int, spoil: Callable[[bytes], bytes] = lambda data: data) -> None:
    with socket.create_connection(("127.0.0.1", target)) as server:
        pass_on(client, server, spoil)
        pass_on(server, client, lambda data: data)


def forward_without_the_end(client: socket.socket, target: int) -> None:
    with socket.create_connection(("127.0.0.1", target)) as server:
        for data in pieces(client):
            server.sendall(data)
        server.recv(1)  # until the load has given up


def forward_one_way(client: socket.socket, target: int) -> None:
    """As many forwarders do: the end of one direction ends both."""
    with socket.create_connection(("127.0.0.1", target)) as server:
        pass_on(client, server, lambda data: data)


def forward_without_the_last_end(client: socket.socket, target: int) -> None:
    with socket.create_connection(("127.0.0.1", target)) as server:
        pass_on(client, server, lambda data: data)
        for data in pieces(server):
            client.sendall(data)
        watched = select.poll()
        watched.register(client, 0)  # nothing but its end in both directions, which comes after the load's
        watched.poll()


def forward_only_half(client: socket.socket, target: int) -> None:
    with socket.create_connection(("127.0.0.1", target)) as server:
        server.sendall(client.recv(1000))
        server.shutdown(socket.SHUT_WR)
        server.recv(1)


def test_forward_sends_as_many_bytes_as_it_was_told(c_load: Sequence[str]) -> None:
    totals: list[int] = []

    def forward_and_count(client: socket.socket, target: int) -> None:
        totals.append(0)

        def note(data: bytes) -> bytes:
            totals[-1] += len(data)
            return data

        forward(client, target, note)

    assert set(run_forward(c_load, forward_and_count, 1, 3_000_001).figures) == {"wall", "cpu"}
    assert totals == [1, 3_000_001]


@pytest.mark.parametrize(
    ("forwarder", "complaint"),
    [
        (forward_without_the_end, "the load did not come to an end in time"),
        (forward_without_the_last_end, "the load did not come to an end in time"),
        (forward_only_half, "the forwarder ended after 1000 of 2000 bytes"),
    ],
)
def test_forward_finds_out_an_end_that_is_missing_or_early(
    c_load: Sequence[str], forwarder: Handler, complaint: str
) -> None:
    seconds = "1" if "time" in complaint else SECONDS
    assert run_forward(c_load, forwarder, 2000, 1, seconds=seconds).complaint == complaint


def test_forward_finds_out_that_the_end_of_one_direction_was_taken_for_the_end_of_both(
    c_load: Sequence[str],
) -> None:
    complaint = run_forward(c_load, forward_one_way, 2000, 1).complaint
    assert says_that_it_closed(complaint) or complaint.startswith("the forwarder ended after")


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "the forwarder sent something else than it was given"),
        (lambda data: data[1:], "the forwarder sent something else than it was given"),
        (lambda data: data * 2, "the forwarder sent more than it was given"),
    ],
)
def test_forward_finds_out_wrong_bytes(c_load: Sequence[str], spoil: Callable[[bytes], bytes], complaint: str) -> None:
    outcome = run_forward(c_load, lambda client, target: forward(client, target, spoil), 1000, 1)
    assert outcome.complaint == complaint


def test_forward_says_in_one_line_that_a_forwarder_closed(c_load: Sequence[str]) -> None:
    def close_both(client: socket.socket, target: int) -> None:
        with socket.create_connection(("127.0.0.1", target)):
            client.recv(1)

    complaint = run_forward(c_load, close_both, 1 << 24, 1).complaint
    assert says_that_it_closed(complaint) or complaint.startswith("the forwarder ended after 0 of")


# --- connect and hold ---


def test_connect_opens_as_many_connections_as_it_was_told(c_load: Sequence[str]) -> None:
    with listening(echo := Echo()) as port:
        figures = run(c_load, "connect", port, 5, 12, 31).figures
    assert set(figures) == {"wall", "cpu", "p50", "p99"}
    assert 0 < figures["p50"] <= figures["p99"] <= figures["wall"] * 1.04
    assert [len(echo.received[number]) for number in range(12 + 31)] == [GREETING] * (12 + 31)
    assert len(set(echo.received.values())) == 31  # those of the warm-up come again


def test_hold_keeps_its_connections_until_it_is_told(c_load: Sequence[str]) -> None:
    with listening(echo := Echo()) as port:
        figures = run(c_load, "hold", port, 25).figures
    assert set(figures) == {"wall", "cpu"}
    assert [len(echo.received[number]) for number in range(25)] == [GREETING] * 25


@pytest.mark.parametrize("arguments", [("connect", 1, 1, 1), ("hold", 2)])
@pytest.mark.parametrize(("server", "complaint"), WRONG[:1])
def test_connect_and_hold_find_out_a_wrong_answer(
    c_load: Sequence[str], arguments: tuple[str, int], server: Handler, complaint: str
) -> None:
    mode, *rest = arguments
    with listening(server) as port:
        assert run(c_load, mode, port, *rest).complaint == complaint


@pytest.mark.parametrize("arguments", [("connect", 1, 1, 1), ("hold", 2)])
def test_connect_and_hold_say_in_one_line_that_a_server_closed(
    c_load: Sequence[str], arguments: tuple[str, int]
) -> None:
    mode, *rest = arguments
    with listening(close_at_once) as port:
        assert says_that_it_closed(run(c_load, mode, port, *rest).complaint)


def test_hold_finds_out_a_server_that_does_not_keep_what_is_idle(c_load: Sequence[str]) -> None:
    closed = threading.Event()

    def echo_and_close(connection: socket.socket, _: int) -> None:
        connection.sendall(connection.recv(GREETING, socket.MSG_WAITALL))
        connection.close()
        closed.set()

    with listening(echo_and_close) as port, started([*c_load, "hold", str(port), "1", SECONDS]) as load:
        assert load.stdout is not None
        assert json.loads(load.stdout.readline()) == {"warm": True}
        assert closed.wait(60)
        errors = load.communicate("go\n", timeout=90)[1]
    assert load.returncode == 1
    assert errors == "the server closed a connection\n"


@pytest.mark.parametrize("mode", [("exchange", 1, 0, 64, 1, 1, 1, "bytes"), ("fanout", 1, 64, 1, 1, 1), ("send", 1, 1)])
def test_a_refused_connection_is_one_line(c_load: Sequence[str], mode: tuple[object, ...]) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and never listens
        outcome = run(c_load, mode[0], nobody.getsockname()[1], *mode[1:])
    assert outcome.complaint == "connect: Connection refused"
