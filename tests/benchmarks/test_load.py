"""`load exchange`, in C and in Python, counts what it says it counts, and finds out a server that is wrong."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence

import pytest

from tests.benchmarks.compiling import PYTHON_LOAD, compiled_programs
from tests.benchmarks.load_kit import (
    SECONDS,
    WRONG,
    Echo,
    Handler,
    close_at_once,
    echo_what_came_before,
    listening,
    pieces,
    run,
    says_that_it_closed,
)
from tests.benchmarks.processes import LinePeer


@pytest.fixture(scope="module")
def c_load() -> Iterator[Sequence[str]]:
    with compiled_programs() as programs:
        if programs.language != "C":
            pytest.skip("the load in C needs Linux and a C compiler")
        yield programs.load


@pytest.fixture(params=["C", "Python"])
def either_load(request: pytest.FixtureRequest) -> Sequence[str]:
    """Both of the programs that know `exchange`."""
    if request.param == "Python":
        return PYTHON_LOAD.load
    command: Sequence[str] = request.getfixturevalue("c_load")
    return command


def close_later(connection: socket.socket, _: int) -> None:
    """Echo once, and close at the second request."""
    connection.sendall(connection.recv(1 << 16))
    connection.recv(1)


def say_nothing(connection: socket.socket, _: int) -> None:
    for _data in pieces(connection):
        pass


def test_the_connections_stay_until_whoever_asked_has_read_the_servers_clock(either_load: Sequence[str]) -> None:
    connections: list[socket.socket] = []
    arguments = ["exchange", "{port}", "1", "0", "64", "1", "1", "1", "bytes", SECONDS]
    with listening(Echo(), connections.append) as port:
        command = [*either_load, *(argument.format(port=port) for argument in arguments)]
        with LinePeer(command, None) as load:
            load.read()
            load.ask("go")
            (connection,) = connections
            assert connection.getpeername()  # ENOTCONN once the other end has gone
            with pytest.raises(BlockingIOError):
                connection.recv(1, socket.MSG_DONTWAIT)


@pytest.mark.parametrize("kind", ["bytes", "lines", "prefixed"])
def test_exchange_sends_as_many_requests_as_it_was_told(either_load: Sequence[str], kind: str) -> None:
    echo = Echo()
    with listening(echo) as port:
        figures = run(either_load, "exchange", port, 3, 2, 50, 4, 10, 20, kind).figures
    assert set(figures) == {"wall", "cpu", "p50", "p99"}
    assert len(echo.received) == 3 + 2
    assert echo.total == (3 + 2 + 10 + 20) * 50 * 4  # one request a connection while they are opened
    assert sorted(map(len, echo.received.values()))[:2] == [50 * 4] * 2  # the idle ones


def test_lines_are_printable_and_end_in_a_newline(either_load: Sequence[str]) -> None:
    echo = Echo()
    with listening(echo) as port:
        run(either_load, "exchange", port, 1, 0, 50, 4, 0, 20, "lines")
    lines = echo.received[0].split(b"\n")
    assert lines.pop() == b""
    assert {len(line) for line in lines} == {49}
    assert all(line.isalpha() and line.islower() for line in lines)
    assert len(set(lines)) > 20


def test_prefixed_frames_begin_with_the_number_of_bytes_that_follow(either_load: Sequence[str]) -> None:
    echo = Echo()
    with listening(echo) as port:
        run(either_load, "exchange", port, 1, 0, 300, 4, 0, 20, "prefixed")
    stream = echo.received[0]
    assert len(stream) == 300 * 4 * 21
    assert {stream[place : place + 4] for place in range(0, len(stream), 300)} == {(296).to_bytes(4, "big")}


def test_a_request_larger_than_the_sockets_take_at_once_arrives_whole(either_load: Sequence[str]) -> None:
    echo = Echo()
    with listening(echo) as port:
        run(either_load, "exchange", port, 2, 0, 1 << 18, 16, 0, 2, "bytes").figures
    assert echo.total == (2 + 2) << 22


def test_the_latencies_of_one_connection_add_up_to_no_more_than_the_time_that_passed(
    either_load: Sequence[str],
) -> None:
    with listening(Echo()) as port:
        figures = run(either_load, "exchange", port, 1, 0, 64, 1, 10, 500, "bytes").figures
    assert 0 < figures["p50"] <= figures["p99"] <= figures["wall"] * 1.04  # each is known to 3 %
    assert 250 * figures["p50"] <= figures["wall"] * 1.04


@pytest.mark.parametrize(("server", "complaint"), WRONG)
def test_exchange_finds_out_a_wrong_answer(either_load: Sequence[str], server: Handler, complaint: str) -> None:
    with listening(server) as port:
        assert run(either_load, "exchange", port, 1, 0, 64, 1, 1, 1, "bytes").complaint == complaint


def test_exchange_finds_out_a_server_that_answers_what_it_was_sent_before(either_load: Sequence[str]) -> None:
    with listening(echo_what_came_before) as port:
        outcome = run(either_load, "exchange", port, 1, 0, 64, 1, 1, 10, "bytes")
    assert outcome.complaint == "the server sent something else than it was given"


def test_exchange_finds_out_a_server_that_mixes_up_its_connections(either_load: Sequence[str]) -> None:
    both = threading.Barrier(2, timeout=60)
    requests = [b"", b""]

    def swap(connection: socket.socket, number: int) -> None:
        requests[number] = connection.recv(64, socket.MSG_WAITALL)
        both.wait()
        connection.sendall(requests[1 - number])
        connection.recv(1)

    with listening(swap) as port:
        outcome = run(either_load, "exchange", port, 2, 0, 64, 1, 1, 1, "bytes")
    assert outcome.complaint == "the server sent something else than it was given"


@pytest.mark.parametrize("server", [close_at_once, close_later])
def test_exchange_says_in_one_line_that_a_server_closed(either_load: Sequence[str], server: Handler) -> None:
    with listening(server) as port:
        assert says_that_it_closed(run(either_load, "exchange", port, 1, 0, 64, 1, 1, 1, "bytes").complaint)


def test_exchange_ends_when_its_time_is_up(either_load: Sequence[str]) -> None:
    with listening(say_nothing) as port:
        outcome = run(either_load, "exchange", port, 1, 0, 64, 1, 1, 1, "bytes", seconds="1")
    assert outcome.complaint == "the load did not come to an end in time"


@pytest.mark.parametrize(
    "arguments",
    [
        ("exchange", 1),
        ("exchange", 9000, 1, 0, 64, 1, 1, 1, "words"),
        ("exchange", 9000, "one", 0, 64, 1, 1, 1, "bytes"),
        ("nothing",),
        (),
    ],
)
def test_wrong_arguments_are_one_line(either_load: Sequence[str], arguments: tuple[object, ...]) -> None:
    assert run(either_load, *arguments).complaint


def test_a_load_that_is_not_asked_to_measure_says_so(either_load: Sequence[str]) -> None:
    with listening(Echo()) as port:
        command = [*either_load, "exchange", str(port), "1", "0", "64", "1", "1", "1", "bytes", SECONDS]
        done = subprocess.run(command, input=b"", capture_output=True, check=False, timeout=90)
    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == ["stdin ended before the measurement"]


def test_the_load_in_python_knows_nothing_but_exchange() -> None:
    assert run([sys.executable, *PYTHON_LOAD.load[1:]], "send", 1, 1, 1).complaint.startswith("usage:")
