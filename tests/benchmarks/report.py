"""What was measured, for people (a heading and a table a row) and for programs (JSON)."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from tests.benchmarks.processes import Cores
from tests.benchmarks.runner import LoadProgram, Measurement, Results
from tests.benchmarks.simulated import CONTESTANT, NAME, TITLE, SimulationResults

__all__ = ["as_json", "describe_run", "format_heading", "format_row", "format_simulation"]

FEWEST_ROUNDS = 5
BUSY = 0.9
"""A process that uses more than this share of its core did not have to wait for anybody."""
REFERENCES = ("uvloop", "asyncio")
COLUMNS = ("", "µs CPU/message", "min-max", "messages/s", "server core", "load core", "vs uvloop", "vs asyncio")
SIMULATION_COLUMNS = ("", "real s", "min-max", "CPU s", "virtual s", "events", "events/CPU s")


def describe_run(load: LoadProgram, cores: Cores, rounds: int) -> dict[str, str]:
    """Where, when and how: what someone needs who wants to compare with other figures."""
    pinning = "none" if cores.server is None else f"server on core {cores.server}, load on core {cores.load}"
    return {
        "machine": f"{processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
        "pinning": pinning,
        "load": f"closed loop in {load.language}, every byte compared",
        "rounds": f"{rounds}, interleaved; medians" + (" (too few to trust)" if rounds < FEWEST_ROUNDS else ""),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def processor() -> str:
    """The name of the processor; `platform` does not know it on Linux."""
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def format_heading(run: Mapping[str, str]) -> str:
    return "\n".join(f"{name + ':':9} {value}" for name, value in run.items())


def format_row(results: Results) -> str:
    """The table of one row, best contestant first."""
    versions = ", ".join(f"{name} {version}" for name, version in sorted(results.versions.items()))
    ranked = sorted(results.rounds.items(), key=lambda item: median_of(item[1], lambda m: m.cpu_per_message))
    table = align([COLUMNS, *(contestant_cells(name, rounds, results) for name, rounds in ranked)])
    notes = [f"{name}: left out, {why}" for name, why in results.missing.items()]
    return "\n".join([f"{results.row.title}  ({versions})", *table, *notes, *warnings(results)])


def format_simulation(results: SimulationResults) -> str:
    """The table of the simulation's row: one line."""
    rounds = results.rounds
    walls = [measured.wall for measured in rounds]
    cells = (
        CONTESTANT,
        f"{median(walls):.2f}",
        f"{min(walls):.2f}-{max(walls):.2f}",
        f"{median(measured.cpu for measured in rounds):.2f}",
        f"{rounds[0].virtual:,.0f}",
        f"{rounds[0].events:,}",
        f"{median(measured.events_per_second for measured in rounds):,.0f}",
    )
    return "\n".join([f"{TITLE}  (Python {results.python})", *align([SIMULATION_COLUMNS, cells])])


def align(cells: Sequence[tuple[str, ...]]) -> list[str]:
    """The lines of a table: names to the left, figures to the right."""
    first, *others = (max(map(len, column)) for column in zip(*cells, strict=True))
    return [
        "  ".join([name.ljust(first), *(cell.rjust(width) for cell, width in zip(rest, others, strict=True))])
        for name, *rest in cells
    ]


def contestant_cells(name: str, rounds: Sequence[Measurement], results: Results) -> tuple[str, ...]:
    costs = [measurement.cpu_per_message * 1e6 for measurement in rounds]
    return (
        name,
        f"{median(costs):.3f}",
        f"{min(costs):.3f}-{max(costs):.3f}",
        f"{median_of(rounds, lambda m: m.messages_per_second):,.0f}",
        f"{median_of(rounds, lambda m: m.server_share):.0%}",
        f"{median_of(rounds, lambda m: m.load_share):.0%}",
        *(efficiency(rounds, results.rounds.get(reference)) for reference in REFERENCES),
    )


def efficiency(rounds: Sequence[Measurement], reference: Sequence[Measurement] | None) -> str:
    """How many messages for the CPU time that the reference needs for one."""
    if not reference:
        return "-"
    return f"{median_of(reference, lambda m: m.cpu_per_message) / median_of(rounds, lambda m: m.cpu_per_message):.2f}"


def warnings(results: Results) -> Iterator[str]:
    """The load has to wait for the server, not the server for anything; say so where it was not like that."""
    for name, rounds in results.rounds.items():
        if median_of(rounds, lambda m: m.server_share) > BUSY:
            continue
        if median_of(rounds, lambda m: m.load_share) > BUSY:
            yield f"{name}: the load was the bottleneck; its messages/s are a lower bound"
        else:
            yield f"{name}: something else used these cores; its messages/s mean nothing, its CPU time is less exact"


def median_of(rounds: Sequence[Measurement], what: Callable[[Measurement], float]) -> float:
    return median(map(what, rounds))


def as_json(
    run: Mapping[str, str], results: Sequence[Results], simulated: SimulationResults | None = None
) -> dict[str, object]:
    """Everything, every round included; times in seconds."""
    rows: list[dict[str, object]] = [
        {
            "name": result.row.name,
            "title": result.row.title,
            "versions": result.versions,
            "missing": result.missing,
            "contestants": {name: [asdict(round_) for round_ in rounds] for name, rounds in result.rounds.items()},
        }
        for result in results
    ]
    if simulated is not None:
        contestants = {CONTESTANT: [asdict(round_) for round_ in simulated.rounds]}
        versions = {"Python": simulated.python}
        rows.append({"name": NAME, "title": TITLE, "versions": versions, "missing": {}, "contestants": contestants})
    return {"run": dict(run), "rows": rows}
