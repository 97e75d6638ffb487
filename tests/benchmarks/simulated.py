"""The row of the simulation: nobody to compare with, no load, no network; a process of its own on the server's core.

Virtual time costs nothing, the events in it do, so what is counted is events per second of CPU time. What matters to
whoever waits for a test is the real time of a virtual hour; it stands beside that. What runs is a tenth of one, and
its time is taken ten times: only the connecting, at the beginning, is counted too often, which adds about 5 %.
"""

from __future__ import annotations

from tests.benchmarks.processes import LinePeer, killed_after
from tests.benchmarks.row import Bench, Figure, Round
from tests.benchmarks.virtual_hour import CLIENTS, HEARTBEATS

__all__ = ["SIMULATION", "Simulated"]

SHARE_OF_AN_HOUR = 0.1
HOUR = 3_600.0
SECONDS_PER_ROUND = 600


class Simulated:
    """The program `virtual_hour`, or a part of its hour."""

    name = "simulation"
    title = f"simulation: {CLIENTS:,} clients with a heartbeat every 10 s"
    figures = (
        Figure("rate", "events/CPU s", digits=0, best="most", headline=True),
        Figure("hour", "real s/virtual hour", digits=1, best="least"),
        Figure("virtual", "virtual s", digits=0),
        Figure("events", "events", digits=0),
    )
    contestants = ("reactor",)

    def measure(self, contestant: str, bench: Bench) -> Round:
        """`contestant` is the only one."""
        heartbeats = bench.amount(round(HEARTBEATS * SHARE_OF_AN_HOUR))
        command = [bench.python, "-m", "tests.benchmarks.virtual_hour", str(heartbeats)]
        with LinePeer(command, bench.cores.server) as peer, killed_after(bench.seconds(SECONDS_PER_ROUND), peer):
            answer = peer.read_json()
        measured = answer["measured"]
        figures = {
            "rate": measured["events"] / measured["cpu"],
            "hour": measured["wall"] * HOUR / measured["virtual"],
            "virtual": measured["virtual"],
            "events": measured["events"],
        }
        return Round(figures, {"Python": answer["python"]})


SIMULATION = Simulated()
