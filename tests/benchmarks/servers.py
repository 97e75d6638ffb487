"""A server under measurement, the load that it is given, and the clocks of both.

What counts is the server's CPU time for a message, user and system together, without the interpreter's start and the
warm-up: it does not depend on how fast the load is nor, much, on what else the machine does. The load says how long
each request took from its first byte out to its last byte back. That is the latency of a *closed loop*: a connection
sends its next request when it has the answer to the last, so a server that is busy all the time has as many requests
waiting as there are connections, and the latency is mostly theirs.

How do we know that the load is not the bottleneck? By its share of its core, which stands in each table beside the
server's: a server that uses all of its core did not wait. Where it did wait, the table says so.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from tests.benchmarks.processes import LinePeer, killed_after
from tests.benchmarks.row import Bench, LeftOutError

if sys.platform != "win32":
    import resource

__all__ = [
    "SECONDS_PER_ROUND",
    "Server",
    "ServerRow",
    "Usage",
    "load_running",
    "measure",
    "require_c_load",
    "require_descriptors",
    "serving",
]

SECONDS_PER_ROUND = 120
SPARE_DESCRIPTORS = 64
C_SERVER = "C"


@dataclass(frozen=True)
class ServerRow:
    """What all rows have whose contestants are servers: `servers` says where the function of each is."""

    name: str
    title: str
    servers: Mapping[str, str]

    @property
    def contestants(self) -> Sequence[str]:
        return list(self.servers)


class Usage(NamedTuple):
    """What a process has used so far: seconds of CPU time, bytes of resident memory now and at most."""

    cpu: float
    resident: int
    peak: int


class Server:
    """A server process that has announced its port."""

    def __init__(self, peer: LinePeer, port: int, versions: dict[str, str]) -> None:
        self._peer = peer
        self.port = port
        self.versions = versions

    def usage(self) -> Usage:
        """Raises `ProcessError` if it has ended."""
        self._peer.write("")
        return Usage(**self._peer.read_json())


@contextmanager
def serving(bench: Bench, where: str, *arguments: str) -> Iterator[Server]:
    """Run the server function `where` (`module:function`, or `C:function`) on the server's core.

    Raises `LeftOutError` if it lacks something, `ProcessError` if it ends by itself.
    """
    module, _, function = where.partition(":")
    if module != C_SERVER:
        command = [bench.python, "-m", "tests.benchmarks.contestants", where, *arguments]
    elif bench.programs.epoll is None:
        raise LeftOutError("it needs a C compiler and epoll")
    else:
        command = [*bench.programs.epoll, function, *arguments]
    with LinePeer(command, bench.cores.server) as peer, killed_after(bench.seconds(SECONDS_PER_ROUND), peer):
        hello = peer.read_json()
        if "missing" in hello:
            raise LeftOutError(hello["missing"])
        yield Server(peer, hello["port"], hello["versions"])


def require_c_load(bench: Bench) -> None:
    """Raises `LeftOutError` if the load is the one in Python, which knows only one kind of load."""
    if bench.programs.language != "C":
        raise LeftOutError("this load needs a C compiler and epoll")


def require_descriptors(connections: int) -> None:
    """Raises `LeftOutError` if a process may not have so many `connections`."""
    if sys.platform != "win32":
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if most != resource.RLIM_INFINITY and connections + SPARE_DESCRIPTORS > most:
            raise LeftOutError(f"it needs {connections:,} connections, and the hard limit on descriptors is {most:,}")


@contextmanager
def load_running(bench: Bench, mode: str, *arguments: object) -> Iterator[LinePeer]:
    """Run the load, which ends by itself in time and is killed if it does not."""
    command = [*bench.programs.load, mode, *map(str, arguments), str(round(bench.seconds(SECONDS_PER_ROUND)))]
    with LinePeer(command, bench.cores.load) as load, killed_after(bench.seconds(SECONDS_PER_ROUND), load):
        yield load


def measure(server: Server, load: LinePeer, count: int) -> dict[str, float]:
    """Let the `load` do its work, `count` messages, once it is warm, and read the clocks before and after.

    The figures: `cpu` (seconds of the server for a message), `rate` (messages per second), `p50` and `p99` where the
    load knows requests, the shares of the cores, and the `peak` of the server's resident memory.
    """
    load.read()  # "warm": nothing is in flight now
    before = server.usage()
    load.write("go")
    measured = load.read_json()
    after = server.usage()
    wall = measured["wall"]
    figures = {
        "cpu": (after.cpu - before.cpu) / count,
        "rate": count / wall,
        "server_share": (after.cpu - before.cpu) / wall,
        "load_share": measured["cpu"] / wall,
        "peak": float(after.peak),
    }
    return figures | {key: measured[key] for key in ("p50", "p99") if key in measured}
