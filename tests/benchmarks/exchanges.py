"""Rows in which bytes go to a server and come back: echo, lines, frames, and one line that goes to a thousand.

A message is a frame; a request is `pipeline` of them in one send. Every byte that comes back is compared.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.benchmarks.row import LOAD_SHARE, SERVER_SHARE, Bench, Figure, Round
from tests.benchmarks.servers import ServerRow, load_running, measure, require_c_load, require_descriptors, serving

__all__ = ["LATENCY", "Exchange", "Fanout"]

WARMUP_SHARE = 10
"""One request is exchanged before the measurement for so many within it."""

LATENCY = (Figure("p50", "p50 µs", scale=1e6, digits=0), Figure("p99", "p99 µs", scale=1e6, digits=0))
COLUMNS = (
    Figure("cpu", "µs CPU/message", scale=1e6, digits=3, best="least", headline=True),
    Figure("rate", "messages/s", digits=0),
    *LATENCY,
    SERVER_SHARE,
    LOAD_SHARE,
)


@dataclass(frozen=True)
class Exchange(ServerRow):
    """Each of `connections` sends a request, waits for its echo, and sends the next; `idle` others do nothing."""

    connections: int
    frame: int
    messages: int
    pipeline: int = 1
    kind: str = "bytes"
    idle: int = 0

    figures = COLUMNS

    def measure(self, contestant: str, bench: Bench) -> Round:
        idle = bench.amount(self.idle) if self.idle else 0
        if idle:
            require_c_load(bench)
        require_descriptors(self.connections + idle)
        requests = bench.amount(self.messages // self.pipeline, least=self.connections)
        warmup = max(self.connections, requests // WARMUP_SHARE)
        sizes = self.connections, idle, self.frame, self.pipeline
        with (
            serving(bench, self.servers[contestant]) as server,
            load_running(bench, "exchange", server.port, *sizes, warmup, requests, self.kind) as load,
        ):
            return Round(measure(server, load, requests * self.pipeline), server.versions)


@dataclass(frozen=True)
class Fanout(ServerRow):
    """One of `receivers` sends `burst` lines at once, all of them get each; the next go out when all have these.

    A message is a line that has arrived at one of the receivers.
    """

    receivers: int
    frame: int
    burst: int
    messages: int

    figures = COLUMNS

    def measure(self, contestant: str, bench: Bench) -> Round:
        receivers = bench.amount(self.receivers, least=2)
        require_c_load(bench)
        require_descriptors(receivers)
        bursts = bench.amount(self.messages // (self.receivers * self.burst), least=3)
        warmup = max(1, bursts // WARMUP_SHARE)
        with (
            serving(bench, self.servers[contestant]) as server,
            load_running(bench, "fanout", server.port, receivers, self.frame, self.burst, warmup, bursts) as load,
        ):
            return Round(measure(server, load, bursts * self.burst * receivers), server.versions)
