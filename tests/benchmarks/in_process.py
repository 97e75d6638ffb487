"""Rows about what happens inside a loop, without a socket and without a load: timers and callbacks.

One process on the server's core does the work and tells what it measured; see `in_process_program` for what that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.benchmarks.processes import LinePeer, killed_after
from tests.benchmarks.row import Bench, Figure, LeftOutError, Round

__all__ = ["CALL_SOON", "THREADSAFE", "TIMERS", "InProcess"]

SECONDS_PER_ROUND = 120


def microseconds(key: str, heading: str, digits: int = 3, *, headline: bool = True) -> Figure:
    """A time for one of many."""
    return Figure(key, heading, scale=1e6, digits=digits, best="least", headline=headline)


@dataclass(frozen=True)
class InProcess:
    """`measurement` is that of `in_process_program`, `amount` how much of it makes a round."""

    name: str
    title: str
    measurement: str
    amount: int
    figures: Sequence[Figure]

    contestants = ("reactor", "asyncio", "uvloop")

    def measure(self, contestant: str, bench: Bench) -> Round:
        program = [bench.python, "-m", "tests.benchmarks.in_process_program"]
        command = [*program, contestant, self.measurement, str(bench.amount(self.amount))]
        with LinePeer(command, bench.cores.server) as peer, killed_after(bench.seconds(SECONDS_PER_ROUND), peer):
            answer = peer.read_json()
        if "missing" in answer:
            raise LeftOutError(answer["missing"])
        return Round(answer["figures"], answer["versions"])


TIMERS = InProcess(
    "timers",
    "timers, with 100,000 others alive",
    "timers",
    100_000,
    (
        microseconds("set", "µs CPU/set"),
        microseconds("cancel", "µs CPU/cancelled"),
        microseconds("fire", "µs CPU/fired"),
    ),
)

CALL_SOON = InProcess(
    "call_soon",
    "callbacks, each called by another: 100 in a tick; and one in a tick",
    "call_soon",
    1_000_000,
    (microseconds("callback", "µs CPU/callback"), microseconds("tick", "µs CPU/tick", headline=False)),
)

THREADSAFE = InProcess(
    "threadsafe",
    "callbacks from another thread: in a burst; and one at a time",
    "threadsafe",
    200_000,
    (
        microseconds("callback", "µs CPU/callback"),
        microseconds("latency", "p50 µs until it runs", digits=1),
        microseconds("p99", "p99 µs", digits=1, headline=False),
    ),
)
