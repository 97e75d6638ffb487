"""One round: a server, a load, and the server's clock read before and after. Then the next contestant's round.

Rounds are interleaved (A B C A B C ...), so that whatever slows the machine down for a while does so for all of them.
Each round has a server process of its own: what a process inherits by chance (the layout of its memory, the seed of its
hashes) is then part of the spread that is shown, instead of a hidden advantage.

What counts is the server's CPU time per message, user and system together, and without the interpreter's start and the
warm-up: it does not depend on how fast the load is, nor, much, on what else the machine does.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.processes import Cores, LinePeer, killed_after
from tests.benchmarks.rows import Row

__all__ = ["LoadProgram", "Measurement", "Results", "available_load", "run_row"]

HERE = Path(__file__).parent
SECONDS_PER_ROUND = 120
WARMUP_SHARE = 10
"""One request is exchanged before the measurement for so many within it."""


@dataclass(frozen=True)
class LoadProgram:
    """The load generator that this machine can run."""

    language: str
    command: Sequence[str]


@contextmanager
def available_load() -> Iterator[LoadProgram]:
    """The C load, compiled into a directory that is gone afterwards; the Python one if that does not work."""
    compiler = shutil.which("cc")
    if sys.platform == "linux" and compiler:
        with TemporaryDirectory() as directory:
            program = f"{directory}/load"
            if not subprocess.run([compiler, "-O2", "-o", program, HERE / "load.c"], check=False).returncode:
                yield LoadProgram("C", [program])
                return
    yield LoadProgram("Python", [sys.executable, str(HERE / "load.py")])


@dataclass(frozen=True)
class Measurement:
    """What one round gave. Times are in seconds."""

    messages: int
    wall: float
    server_cpu: float
    load_cpu: float

    @property
    def cpu_per_message(self) -> float:
        return self.server_cpu / self.messages

    @property
    def messages_per_second(self) -> float:
        return self.messages / self.wall

    @property
    def server_share(self) -> float:
        """How much of its core the server used; near 1 unless it had to wait for the load."""
        return self.server_cpu / self.wall

    @property
    def load_share(self) -> float:
        """How much of its core the load used; below the server's, or the load was the bottleneck."""
        return self.load_cpu / self.wall


@dataclass
class Results:
    """The rounds of one row, by contestant, and what is to be known about those who could not take part."""

    row: Row
    rounds: dict[str, list[Measurement]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)


def run_row(
    row: Row,
    *,
    rounds: int,
    messages: int | None,
    python: str,
    load: LoadProgram,
    cores: Cores,
    contestants: Sequence[str] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> Results:
    """Measure `row`: `rounds` interleaved rounds with `messages` messages each (default: the row's own number).

    `contestants` restricts who takes part. Raises `ProcessError` if a server or the load fails.
    """
    results = Results(row)
    for number in range(1, rounds + 1):
        for name in row.taking_part(contestants):
            if name not in results.missing:
                progress(f"{row.name}: round {number} of {rounds}, {name}")
                run_round(results, name, row.requests(messages), python, load, cores)
    return results


def run_round(results: Results, contestant: str, requests: int, python: str, load: LoadProgram, cores: Cores) -> None:
    """Measure one contestant once, or note what it lacks."""
    row = results.row
    command = [python, "-m", "tests.benchmarks.contestants", row.server(contestant)]
    with LinePeer(command, cores.server) as server, killed_after(SECONDS_PER_ROUND, server):
        hello = json.loads(server.read())
        if "missing" in hello:
            results.missing[contestant] = hello["missing"]
            return
        results.versions.update(hello["versions"])
        warmup = max(row.connections, requests // WARMUP_SHARE)
        numbers = hello["port"], row.connections, row.frame, row.pipeline, warmup, requests, row.delimited
        arguments = [str(int(number)) for number in (*numbers, SECONDS_PER_ROUND)]
        with LinePeer([*load.command, *arguments], cores.load) as generator, killed_after(SECONDS_PER_ROUND, generator):
            generator.read()  # "warm": nothing is in flight now
            before = int(server.ask())
            wall, load_cpu = map(float, generator.ask("go").split())
            server_cpu = (int(server.ask()) - before) / 1e9
    measurement = Measurement(requests * row.pipeline, wall, server_cpu, load_cpu)
    results.rounds.setdefault(contestant, []).append(measurement)
