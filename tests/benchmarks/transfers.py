"""Rows in which many bytes go one way: into a server that counts them, and through a forwarder to the other side.

A forwarder is the hardest of the simple programs: it reads at the pace of whoever is slower, and passes on the end of
each direction by itself. `reactor` runs its own example here.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.benchmarks.row import LOAD_SHARE, SERVER_SHARE, Bench, Figure, Round
from tests.benchmarks.servers import ServerRow, load_running, measure, require_c_load, serving

__all__ = ["Forward", "Send"]

GIB = 1 << 30
WARMUP = 16 << 20
"""Bytes that are transferred before the measurement."""

COLUMNS = (
    Figure("cpu", "CPU s/GiB", scale=GIB, digits=3, best="least", headline=True),
    Figure("rate", "MB/s", scale=1e-6, digits=0),
    Figure("peak", "peak MB", scale=1e-6, digits=1),
    SERVER_SHARE,
    LOAD_SHARE,
)


@dataclass(frozen=True)
class Send(ServerRow):
    """One connection sends `size` bytes and ends; the server answers with their number."""

    size: int

    figures = COLUMNS

    def measure(self, contestant: str, bench: Bench) -> Round:
        require_c_load(bench)
        size = bench.amount(self.size)
        with (
            serving(bench, self.servers[contestant]) as server,
            load_running(bench, "send", server.port, bench.amount(WARMUP), size) as load,
        ):
            return Round(measure(server, load, size), server.versions)


@dataclass(frozen=True)
class Forward(ServerRow):
    """The same through a forwarder, back to the load, which compares every byte."""

    size: int

    figures = COLUMNS

    def measure(self, contestant: str, bench: Bench) -> Round:
        require_c_load(bench)
        size = bench.amount(self.size)
        with load_running(bench, "forward", bench.amount(WARMUP), size) as load:
            target = load.read_json()["listening"]
            with serving(bench, self.servers[contestant], f"127.0.0.1:{target}") as server:
                load.write(str(server.port))
                return Round(measure(server, load, size), server.versions)
