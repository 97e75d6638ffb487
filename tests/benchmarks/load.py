"""The load in Python, for where there is no C compiler or no epoll: `exchange`, with the same arguments, output and
checks as the one in C (load/main.c says what they are, and what the latencies of a closed loop mean).

It is slower than the servers it measures, so their messages per second and their latencies mean little under it. Their
CPU time per message still means something: it is theirs. The other modes have no counterpart here, because nothing
about a server could be learnt from a load that is slower than it.
"""

from __future__ import annotations

import contextlib
import json
import random
import selectors
import socket
import sys
import time
from importlib import import_module

SPARE_FRAMES = 61
READ_SIZE = 1 << 18
PREFIX_SIZE = 4
OPENED_AT_ONCE = 256
USAGE = "usage: load.py exchange PORT CONNECTIONS IDLE FRAME PIPELINE WARMUP REQUESTS KIND SECONDS"


class Connection:
    """One connection and its current request."""

    def __init__(self, number: int, port: int) -> None:
        self.number = number
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.request = memoryview(b"")
        self.requests = self.sent = self.received = 0
        self.started = 0.0


class Load:
    """All connections, and how far they have come. `deadline` is in seconds of `time.monotonic`."""

    def __init__(self, port: int, frame: int, pipeline: int, kind: str, deadline: float) -> None:
        self.port = port
        self.frame = frame
        self.request_size = frame * pipeline
        self.pool = memoryview(make_frames(frame, pipeline + SPARE_FRAMES, kind))
        self.deadline = deadline
        self.selector = selectors.DefaultSelector()
        self.connections: list[Connection] = []
        self.issued = self.wanted = 0
        self.latencies: list[float] = []

    def open(self, total: int) -> None:
        """Open `total` connections, not more at once than any server's backlog holds, with one request on each."""
        while (first := len(self.connections)) < total:
            group = [Connection(number, self.port) for number in range(first, min(first + OPENED_AT_ONCE, total))]
            for connection in group:
                self.selector.register(connection.socket, selectors.EVENT_READ, connection)
            self.connections += group
            self.exchange(group, len(group))

    def exchange(self, connections: list[Connection], requests: int) -> None:
        """Send `requests` requests, a connection the next one when it has the echo of the last."""
        self.latencies.clear()
        self.issued, self.wanted = 0, requests
        for connection in connections:
            self.next_request(connection, time.perf_counter())
        while len(self.latencies) < requests:
            left = self.deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the load did not come to an end in time")
            for key, events in self.selector.select(left):
                if events & selectors.EVENT_WRITE:
                    self.send_rest(key.data)
                if events & selectors.EVENT_READ:
                    self.receive(key.data)

    def next_request(self, connection: Connection, moment: float) -> None:
        if self.issued == self.wanted:
            return
        start = (connection.number * 7 + connection.requests) % (SPARE_FRAMES + 1) * self.frame
        self.issued += 1
        connection.requests += 1
        connection.request = self.pool[start : start + self.request_size]
        connection.sent = connection.received = 0
        connection.started = moment
        self.send_rest(connection)

    def send_rest(self, connection: Connection) -> None:
        with contextlib.suppress(BlockingIOError):
            connection.sent += connection.socket.send(connection.request[connection.sent :])
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
        if end > connection.sent:
            raise ValueError("the server sent more than it was given")
        if data != connection.request[connection.received : end]:
            raise ValueError("the server sent something else than it was given")
        connection.received = end
        if end == self.request_size:
            moment = time.perf_counter()
            self.latencies.append(moment - connection.started)
            connection.request = memoryview(b"")
            connection.sent = connection.received = 0
            self.next_request(connection, moment)


def make_frames(size: int, count: int, kind: str) -> bytes:
    """`count` random frames of `size` bytes, the same in every run."""
    dice = random.Random(2463534242)
    if kind == "bytes":
        return dice.randbytes(size * count)
    if kind == "prefixed":
        body = size - PREFIX_SIZE
        return b"".join(body.to_bytes(PREFIX_SIZE, "big") + dice.randbytes(body) for _ in range(count))
    if kind == "lines":
        letters = b"abcdefghijklmnopqrstuvwxyz"
        return b"".join(bytes(dice.choices(letters, k=size - 1)) + b"\n" for _ in range(count))
    raise ValueError(f"not bytes, lines or prefixed: {kind!r}")


def percentile(ordered: list[float], share: float) -> float:
    """The value that `share` of the `ordered` ones do not exceed."""
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def raise_descriptor_limit() -> None:
    """The soft limit is often 1,024, for the sake of programs that use select; a connection is a descriptor."""
    try:
        resource = import_module("resource")
    except ImportError:  # Windows
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS refuses "unlimited"
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def run(load: Load, connections: int, idle: int, warmup: int, requests: int) -> None:
    load.open(connections + idle)
    load.exchange(load.connections[:connections], warmup)
    print(json.dumps({"warm": True}), flush=True)
    if not sys.stdin.readline():
        raise EOFError("stdin ended before the measurement")
    wall, cpu = time.perf_counter(), time.process_time()
    load.exchange(load.connections[:connections], requests)
    figures = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    ordered = sorted(load.latencies)
    if ordered:
        figures |= {"p50": percentile(ordered, 0.50), "p99": percentile(ordered, 0.99)}
    print(json.dumps(figures), flush=True)
    sys.stdin.read()


def main() -> None:
    if len(sys.argv) != 11 or sys.argv[1] != "exchange":
        sys.exit(USAGE)
    try:
        port, connections, idle, frame, pipeline, warmup, requests = map(int, sys.argv[2:9])
        deadline = time.monotonic() + int(sys.argv[10])
        raise_descriptor_limit()
        load = Load(port, frame, pipeline, sys.argv[9], deadline)
        run(load, connections, idle, warmup, requests)
    except (OSError, ValueError, EOFError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
