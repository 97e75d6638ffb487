"""The load in Python, for where there is no C compiler or no epoll: the same arguments, output and checks as `load.c`.

It is slower than the servers it measures, so their messages per second mean little under it. Their CPU time per message
still means something: it is theirs.
"""

from __future__ import annotations

import random
import selectors
import socket
import sys
import time

SPARE_FRAMES = 61
READ_SIZE = 1 << 16


class Connection:
    """One connection and its current request."""

    def __init__(self, number: int, port: int) -> None:
        self.number = number
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.request = memoryview(b"")
        self.sent = self.received = 0


class Load:
    """All connections, and how far they have come."""

    def __init__(
        self, port: int, connections: int, frame: int, pipeline: int, delimited: bool, deadline: float
    ) -> None:
        self.frame = frame
        self.request_size = frame * pipeline
        self.pool = memoryview(make_pool(frame, pipeline + SPARE_FRAMES, delimited))
        self.deadline = deadline
        self.selector = selectors.DefaultSelector()
        self.connections = [Connection(number, port) for number in range(connections)]
        for connection in self.connections:
            self.selector.register(connection.socket, selectors.EVENT_READ, connection)
        self.issued = self.finished = self.wanted = 0

    def exchange(self, requests: int) -> None:
        """Send `requests` requests, a connection the next one when it has the echo of the last."""
        self.issued = self.finished = 0
        self.wanted = requests
        for connection in self.connections:
            self.next_request(connection)
        while self.finished < requests:
            left = self.deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the load did not come to an end")
            for key, events in self.selector.select(left):
                if events & selectors.EVENT_WRITE:
                    self.send_rest(key.data)
                if events & selectors.EVENT_READ:
                    self.receive(key.data)

    def next_request(self, connection: Connection) -> None:
        if self.issued == self.wanted:
            return
        start = (connection.number * 7 + self.issued * 13) % (SPARE_FRAMES + 1) * self.frame
        self.issued += 1
        connection.request = self.pool[start : start + self.request_size]
        connection.sent = connection.received = 0
        self.send_rest(connection)

    def send_rest(self, connection: Connection) -> None:
        try:
            connection.sent += connection.socket.send(connection.request[connection.sent :])
        except BlockingIOError:
            pass
        events = selectors.EVENT_READ
        if connection.sent < self.request_size:
            events |= selectors.EVENT_WRITE
        if self.selector.get_key(connection.socket).events != events:
            self.selector.modify(connection.socket, events, connection)

    def receive(self, connection: Connection) -> None:
        data = connection.socket.recv(READ_SIZE)
        if not data:
            raise ConnectionError("the server closed a connection")
        end = connection.received + len(data)
        if end > connection.sent or data != connection.request[connection.received : end]:
            raise ValueError("the server sent something else than it was given")
        connection.received = end
        if end == self.request_size:
            self.finished += 1
            self.next_request(connection)


def make_pool(frame: int, frames: int, delimited: bool) -> bytes:
    """Random frames, the same in every run; printable and ending in a newline if `delimited`."""
    dice = random.Random(2463534242)
    if not delimited:
        return dice.randbytes(frame * frames)
    letters = b"abcdefghijklmnopqrstuvwxyz"
    return b"".join(bytes(dice.choices(letters, k=frame - 1)) + b"\n" for _ in range(frames))


def main() -> None:
    port, connections, frame, pipeline, warmup, requests, delimited, seconds = map(int, sys.argv[1:])
    load = Load(port, connections, frame, pipeline, bool(delimited), time.monotonic() + seconds)
    load.exchange(warmup)
    print("warm", flush=True)
    if not sys.stdin.readline():
        return
    wall, cpu = time.perf_counter(), time.process_time()
    load.exchange(requests)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{wall:.9f} {cpu:.9f}", flush=True)


if __name__ == "__main__":
    main()
