"""The row of the simulation: nobody to compare with, no load, no network; a process of its own on the server's core.

What matters to whoever waits for a test is the real time that it takes. That is its CPU time as well, unless something
else has used the core meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.benchmarks.processes import LinePeer, killed_after
from tests.benchmarks.virtual_hour import CLIENTS, HEARTBEATS

__all__ = ["CONTESTANT", "NAME", "TITLE", "SimulationResults", "VirtualHour", "run_simulation"]

NAME = "simulation"
CONTESTANT = "reactor"
TITLE = f"simulation: {CLIENTS:,} clients with a heartbeat every 10 s"
SECONDS_PER_ROUND = 600


@dataclass(frozen=True)
class VirtualHour:
    """What one round gave. Times are in seconds; `virtual` is how much of it passed in the simulation."""

    heartbeats: int
    virtual: float
    events: int
    wall: float
    cpu: float

    @property
    def events_per_second(self) -> float:
        """By CPU time: what a core does that has nothing else to do."""
        return self.events / self.cpu


@dataclass
class SimulationResults:
    """All rounds, and the Python that ran them."""

    python: str = ""
    rounds: list[VirtualHour] = field(default_factory=list)


def run_simulation(
    *,
    rounds: int,
    heartbeats: int | None,
    python: str,
    core: int | None,
    progress: Callable[[str], None] = lambda _: None,
) -> SimulationResults:
    """Run it `rounds` times with `heartbeats` heartbeats each (default: those of an hour).

    Raises `ProcessError` if the simulation fails.
    """
    results = SimulationResults()
    command = [python, "-m", "tests.benchmarks.virtual_hour", str(heartbeats or HEARTBEATS)]
    for number in range(1, rounds + 1):
        progress(f"{NAME}: round {number} of {rounds}")
        with LinePeer(command, core) as peer, killed_after(SECONDS_PER_ROUND, peer):
            answer = json.loads(peer.read())
        results.python = answer["python"]
        results.rounds.append(VirtualHour(**answer["measured"]))
    return results
