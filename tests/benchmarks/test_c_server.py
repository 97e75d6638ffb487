"""The server in C does the same as the contestants in Python: it echoes, counts and forwards, and answers on stdin."""

from __future__ import annotations

import json
import random
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from tests.benchmarks.compiling import compiled_programs
from tests.benchmarks.processes import LinePeer, ProcessError, killed_after

SECONDS = 60
MIB = 1 << 20
MORE_THAN_SOCKETS_HOLD = 24 * MIB
MODEST = 4 * MIB
"""More than the server needs for itself and one read, less than it would need to hold what does not leave."""


@pytest.fixture(scope="module")
def program() -> Iterator[Sequence[str]]:
    with compiled_programs() as programs:
        if programs.epoll is None:
            pytest.skip("the server in C needs Linux and a C compiler")
        yield programs.epoll


class Server:
    def __init__(self, peer: LinePeer, port: int) -> None:
        self.peer = peer
        self.port = port

    def usage(self) -> dict[str, float]:
        usage: dict[str, float] = json.loads(self.peer.ask())
        return usage


@contextmanager
def running(program: Sequence[str], *arguments: str) -> Iterator[Server]:
    with LinePeer([*program, *arguments], None) as peer, killed_after(SECONDS, peer):
        hello = json.loads(peer.read())
        assert list(hello["versions"]) == ["C compiler"]
        yield Server(peer, hello["port"])


@contextmanager
def forwarding(program: Sequence[str]) -> Iterator[tuple[Server, socket.socket, socket.socket]]:
    """A forwarder, and a connection through it: its client's end and its target's end."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(SECONDS)
        host, port = listening.getsockname()
        with running(program, "forward", f"{host}:{port}") as server, connect(server.port) as client:
            target = listening.accept()[0]
            target.settimeout(SECONDS)
            with target:
                yield server, client, target


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=SECONDS)


def receive_all(connection: socket.socket) -> bytes:
    data = bytearray()
    while more := connection.recv(MIB):
        data += more
    return bytes(data)


def send_until_it_waits(connection: socket.socket, stream: bytes) -> int:
    """Send as long as there is room on the way, without waiting for any; how much that was."""
    sent = 0
    connection.setblocking(False)
    try:
        while sent < len(stream):
            sent += connection.send(stream[sent : sent + MIB])
    except BlockingIOError:
        pass
    connection.settimeout(SECONDS)
    return sent


def send_and_end(connection: socket.socket, stream: bytes) -> threading.Thread:
    """Do it in a thread, which is to be joined."""

    def send() -> None:
        connection.sendall(stream)
        connection.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


def reset(connection: socket.socket) -> None:
    """Close without an orderly end (socket(7), SO_LINGER of 0 seconds)."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def some_bytes(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def test_it_answers_with_what_it_has_used_and_ends_with_its_stdin(program: Sequence[str]) -> None:
    with running(program, "echo") as server:
        first = server.usage()
        with connect(server.port) as client:
            for _ in range(2000):
                client.sendall(b"x")
                assert client.recv(1) == b"x"
        last = server.usage()
        assert set(first) == {"cpu", "resident", "peak"}
        assert 0 < first["cpu"] < last["cpu"]
        assert 0 < last["resident"] <= last["peak"]


def test_it_echoes_to_many_until_they_end(program: Sequence[str]) -> None:
    with running(program, "echo") as server:
        clients = [connect(server.port) for _ in range(100)]
        for number, client in enumerate(clients):
            client.sendall(b"%d" % number)
            client.shutdown(socket.SHUT_WR)
        for number, client in enumerate(clients):
            with client:
                assert receive_all(client) == b"%d" % number


def test_who_does_not_read_is_not_read_from_and_loses_nothing(program: Sequence[str]) -> None:
    stream = some_bytes(MORE_THAN_SOCKETS_HOLD)
    with running(program, "echo") as server, connect(server.port) as client:
        sent = send_until_it_waits(client, stream)
        assert sent < len(stream)
        with connect(server.port) as other:
            other.sendall(b"not in the way")
            assert other.recv(100) == b"not in the way"
        rest = send_and_end(client, stream[sent:])
        assert receive_all(client) == stream
        rest.join(SECONDS)
        assert server.usage()["peak"] < MODEST


def test_it_counts_and_says_how_many(program: Sequence[str]) -> None:
    with running(program, "sink") as server:
        for size in (0, 1, 3_000_001):
            with connect(server.port) as client:
                send_and_end(client, some_bytes(size)).join(SECONDS)
                assert receive_all(client) == b"%d\n" % size


@pytest.mark.parametrize("client_first", [True, False])
def test_it_forwards_each_direction_and_its_end(program: Sequence[str], client_first: bool) -> None:
    request, answer = some_bytes(3_000_000), some_bytes(3_000_001)
    with forwarding(program) as (_, client, target):
        first, second = (client, target) if client_first else (target, client)
        sending = send_and_end(first, request)
        assert receive_all(second) == request
        sending.join(SECONDS)
        sending = send_and_end(second, answer)
        assert receive_all(first) == answer
        sending.join(SECONDS)


def test_it_forwards_at_the_pace_of_the_reader_and_what_was_on_the_way_arrives(program: Sequence[str]) -> None:
    forth, back = some_bytes(MORE_THAN_SOCKETS_HOLD), some_bytes(MORE_THAN_SOCKETS_HOLD + 1)
    with forwarding(program) as (server, client, target):
        sent_forth = send_until_it_waits(client, forth)
        sent_back = send_until_it_waits(target, back)
        assert sent_forth < len(forth) and sent_back < len(back)
        threads = [send_and_end(client, forth[sent_forth:]), send_and_end(target, back[sent_back:])]
        assert receive_all(target) == forth  # while the other direction stands still
        assert receive_all(client) == back
        for thread in threads:
            thread.join(SECONDS)
        assert server.usage()["peak"] < MODEST


@pytest.mark.parametrize("client_first", [True, False])
def test_a_reset_on_one_side_ends_the_other(program: Sequence[str], client_first: bool) -> None:
    with forwarding(program) as (server, client, target):
        first, second = (client, target) if client_first else (target, client)
        send_until_it_waits(second, some_bytes(MORE_THAN_SOCKETS_HOLD))
        reset(first)
        with pytest.raises(ConnectionError):
            second.sendall(some_bytes(MORE_THAN_SOCKETS_HOLD))
        assert server.usage()["peak"] < MODEST


def test_a_target_that_refuses_ends_the_client(program: Sequence[str]) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and never listens
        host, port = nobody.getsockname()
        with running(program, "forward", f"{host}:{port}") as server:
            for _ in range(3):
                with connect(server.port) as client:
                    assert receive_all(client) == b""


@pytest.mark.parametrize("arguments", [(), ("shout",), ("echo", "more"), ("forward",), ("forward", "nowhere")])
def test_wrong_arguments_end_it_with_a_line(
    program: Sequence[str], arguments: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    with LinePeer([*program, *arguments], None) as peer, pytest.raises(ProcessError):
        peer.read()
    assert len(capfd.readouterr().err.splitlines()) == 1
