"""What the tests of the load share: running a load, and small servers that are right or wrong on purpose.

The servers are threads of the test's process; each connection is handed to a function, which is the whole behaviour of
the server.
"""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

__all__ = [
    "SECONDS",
    "WRONG",
    "Echo",
    "Handler",
    "Outcome",
    "close_at_once",
    "echo_what_came_before",
    "listening",
    "pieces",
    "run",
    "says_that_it_closed",
    "started",
]

SECONDS = "60"

Handler = Callable[[socket.socket, int], None]
"""Serves one connection; the number is its place in the order of accepts."""


# --- running the load ---


@dataclass(frozen=True)
class Outcome:
    """What a load has said. `errors` are the lines on stderr."""

    status: int
    said: list[dict[str, Any]]
    errors: list[str]

    @property
    def figures(self) -> dict[str, float]:
        """Of a load that has done its work."""
        assert (self.status, self.errors) == (0, [])
        warm, figures = self.said
        assert warm == {"warm": True}
        return figures

    @property
    def complaint(self) -> str:
        """The one line of a load that has failed."""
        assert self.status == 1
        [line] = self.errors
        return line


def run(command: Sequence[str], *arguments: object, seconds: str = SECONDS) -> Outcome:
    """Run a load to its end. It may measure as soon as it is warm."""
    done = subprocess.run(
        [*command, *map(str, arguments), seconds], input="go\n", text=True, capture_output=True, check=False, timeout=90
    )
    return Outcome(done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr.splitlines())


def started(command: Sequence[str]) -> subprocess.Popen[str]:
    """A load that is spoken to line by line."""
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


# --- the servers ---


@contextmanager
def listening(handler: Handler, welcome: Callable[[socket.socket], None] = lambda _: None) -> Iterator[int]:
    """A server with a thread for each connection; the value is its port. `welcome` is called in the order of accepts.

    Afterwards all of it has ended.
    """
    connections: list[socket.socket] = []
    threads: list[threading.Thread] = []
    ending = threading.Event()

    def serve(connection: socket.socket, number: int) -> None:
        with suppress(OSError), connection:  # the load is gone, at the latest when this is ended
            handler(connection, number)

    def accept(server: socket.socket) -> None:
        while True:
            connection = server.accept()[0]
            if ending.is_set():
                connection.close()
                return
            welcome(connection)
            connections.append(connection)
            threads.append(threading.Thread(target=serve, args=(connection, len(connections) - 1)))
            threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        accepting = threading.Thread(target=accept, args=(server,))
        accepting.start()
        try:
            yield server.getsockname()[1]
        finally:
            ending.set()
            socket.create_connection(server.getsockname()).close()
            accepting.join(60)
            for connection in connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join(60)


def pieces(connection: socket.socket) -> Iterator[bytes]:
    """All that arrives, until the peer's end."""
    while data := connection.recv(1 << 16):
        yield data


class Echo:
    """Echoes, and remembers what it was sent on each connection."""

    def __init__(self) -> None:
        self.received: dict[int, bytes] = {}

    def __call__(self, connection: socket.socket, number: int) -> None:
        self.received[number] = b""
        for data in pieces(connection):
            self.received[number] += data
            connection.sendall(data)

    @property
    def total(self) -> int:
        return sum(map(len, self.received.values()))


def echo_wrongly(connection: socket.socket, _: int) -> None:
    for data in pieces(connection):
        connection.sendall(data[:-1] + bytes([data[-1] ^ 1]))


def echo_too_much(connection: socket.socket, _: int) -> None:
    for data in pieces(connection):
        connection.sendall(data + b"!")


def echo_what_came_before(connection: socket.socket, _: int) -> None:
    last = b""
    for data in pieces(connection):
        connection.sendall(last or data)
        last = data


def close_at_once(connection: socket.socket, _: int) -> None:
    connection.recv(1)


WRONG = [
    (echo_wrongly, "the server sent something else than it was given"),
    (echo_too_much, "the server sent more than it was given"),
]


CLOSED = ("closed a connection", "Connection reset by peer", "Broken pipe", "not connected")


def says_that_it_closed(complaint: str) -> bool:
    """What the load says of a server that closes early depends on what it was about to do then."""
    return any(words in complaint for words in CLOSED)
