"""Rows about connections themselves: how many a server accepts in a second, and what one costs that does nothing."""

from __future__ import annotations

from dataclasses import dataclass

from tests.benchmarks.exchanges import LATENCY, WARMUP_SHARE
from tests.benchmarks.row import LOAD_SHARE, SERVER_SHARE, Bench, Figure, Round
from tests.benchmarks.servers import ServerRow, load_running, measure, require_c_load, require_descriptors, serving

__all__ = ["Accept", "Memory"]


@dataclass(frozen=True)
class Accept(ServerRow):
    """`concurrent` connections at a time: connect, an echo of 64 bytes, close; then the next."""

    concurrent: int
    connections: int

    figures = (
        Figure("cpu", "µs CPU/connection", scale=1e6, digits=1, best="least", headline=True),
        Figure("rate", "connections/s", digits=0),
        *LATENCY,
        SERVER_SHARE,
        LOAD_SHARE,
    )

    def measure(self, contestant: str, bench: Bench) -> Round:
        require_c_load(bench)
        connections = bench.amount(self.connections, least=self.concurrent)
        warmup = max(self.concurrent, connections // WARMUP_SHARE)
        with (
            serving(bench, self.servers[contestant]) as server,
            load_running(bench, "connect", server.port, self.concurrent, warmup, connections) as load,
        ):
            return Round(measure(server, load, connections), server.versions)


@dataclass(frozen=True)
class Memory(ServerRow):
    """`connections` are opened, each is served once, and stays: what the server's resident memory has grown by.

    Before that, the server has served one connection, so that what everybody needs once is not counted.
    """

    connections: int

    figures = (Figure("bytes", "bytes/connection", digits=0, best="least", headline=True),)

    def measure(self, contestant: str, bench: Bench) -> Round:
        connections = bench.amount(self.connections)
        require_c_load(bench)
        require_descriptors(connections)
        with serving(bench, self.servers[contestant]) as server:
            with load_running(bench, "hold", server.port, 1) as load:
                load.read()
                before = server.usage().resident
            with load_running(bench, "hold", server.port, connections) as load:
                load.read()
                grown = server.usage().resident - before
        return Round({"bytes": grown / connections}, server.versions)
