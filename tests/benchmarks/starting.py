"""The row about the beginning: what it costs to have a loop at all, before anybody is served.

Each round starts the program several times and keeps the medians. It is started once more before that, unmeasured, so
that the compiled modules (`__pycache__`) are there and the files are in the kernel's memory: the second start of a
program is the usual one. `python` is the interpreter alone: what is resident without any loop. It imports nothing and
listens nowhere, so it answers only half of the question, and is there as the floor under the others.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.processes import ROOT, LinePeer, killed_after
from tests.benchmarks.row import Bench, Figure, LeftOutError, Round

__all__ = ["START", "Start"]

STARTS = 5
SECONDS_PER_START = 60
PROGRAM = Path(__file__).with_name("starting_program.py")
STATM = Path("/proc/self/statm")


class Start:
    """`import` in seconds of CPU time, and the resident memory of a process with one idle listening server."""

    name = "start"
    title = "import, and a process with a listening server that nobody has connected to"
    figures = (
        Figure("import", "ms CPU/import", scale=1e3, digits=1, best="least", headline=True),
        Figure("resident", "MB resident", scale=1e-6, digits=1, best="least", headline=True),
    )
    contestants = ("reactor", "asyncio", "uvloop", "python")

    def measure(self, contestant: str, bench: Bench) -> Round:
        if not STATM.exists():
            raise LeftOutError(f"there is no {STATM} to read the resident memory from")
        start(contestant, bench)
        answers = [start(contestant, bench) for _ in range(bench.amount(STARTS))]
        figures = {key: median(answer["figures"][key] for answer in answers) for key in answers[0]["figures"]}
        return Round(figures, answers[0]["versions"])


def start(contestant: str, bench: Bench) -> dict[str, Any]:
    """One start of the program: what it says."""
    command = [bench.python, "-I", str(PROGRAM), str(ROOT), contestant]
    with LinePeer(command, bench.cores.server) as peer, killed_after(SECONDS_PER_START, peer):
        answer: dict[str, Any] = peer.read_json()
    if "missing" in answer:
        raise LeftOutError(answer["missing"])
    return answer


START = Start()
