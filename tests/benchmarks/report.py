"""What was measured, for people: a heading, and a table or more for each row.

A table shows the median of a figure and, beside it, the least and the most of all rounds: two contestants whose ranges
overlap should not be told apart by their medians. Then come ratios: how many times better this contestant is than a
reference, above 1 being better whether the figure is one to be small (a cost) or one to be large (a rate).

A row with one headline figure is one table; the figures that explain it follow on its right. A row with several (set,
cancel and fire a timer) has a table for each, because each has an order of its own.
"""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks.processes import ROOT, Cores, ProcessError
from tests.benchmarks.results import FEWEST_ROUNDS, Measured, Run
from tests.benchmarks.row import LOAD_SHARE, SERVER_SHARE, Figure

__all__ = ["describe_run", "format_heading", "format_row", "format_run", "lay_out"]

BUSY = 0.9
"""A process that uses more than this share of its core did not have to wait for anybody."""
REFERENCES = ("uvloop", "uvloop-protocol", "asyncio", "redis-server")
"""Who gets a column of ratios, where they took part; frames have streams and a hand-written protocol to beat."""
WIDEST = 144
"""Characters; a table that would be wider is continued below, with the names again."""
ABSENT = "-"
ASK_VERSIONS = """
import platform
from importlib import metadata
print(platform.python_implementation(), platform.python_version(), sep="\\n")
try:
    print("uvloop", metadata.version("uvloop"))
except metadata.PackageNotFoundError:
    print("no uvloop")
"""
SECONDS_TO_ANSWER = 60


def describe_run(
    *, python: str, language: str, cores: Cores, rounds: int, scale: float, command: Sequence[str]
) -> dict[str, str]:
    """Where, when and how: what someone needs who wants to compare with other figures.

    `python` is the interpreter that the servers run on; it is asked for its version. `language` is that of the load,
    `scale` the share of each row's own amount of work, `command` what was typed. Raises `ProcessError` if `python`
    cannot be asked.
    """
    interpreter, libraries = ask_versions(python)
    pinned = "no" if cores.server is None else f"server on core {cores.server}, load on core {cores.load}"
    return {
        "machine": f"{processor()}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}{congestion_control()}",
        "Python": interpreter,
        "libraries": libraries,
        "pinned": pinned,
        "load": f"closed loop in {language}, every byte compared",
        "work": "the full amount of each row" if scale == 1 else f"{scale:g} of each row's full amount",
        "rounds": f"{rounds}, interleaved; medians" + (" (too few to trust)" if rounds < FEWEST_ROUNDS else ""),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": shlex.join(command),
    }


def ask_versions(python: str) -> tuple[str, str]:
    """The version of the interpreter `python`, and those of the libraries that it can import."""
    try:
        answer = subprocess.run(
            [python, "-c", ASK_VERSIONS], capture_output=True, text=True, timeout=SECONDS_TO_ANSWER, check=True
        ).stdout.splitlines()
    except (OSError, subprocess.SubprocessError) as error:
        raise ProcessError(f"cannot be run as Python: {python}: {error}") from error
    implementation, version, uvloop = answer
    own = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return f"{implementation} {version}", f"reactor {own}, {uvloop}"


def congestion_control() -> str:
    """How the kernel paces what a server sends, also on the loopback interface: it costs, and differs (tcp(7))."""
    setting = Path("/proc/sys/net/ipv4/tcp_congestion_control")
    return f", TCP by {setting.read_text(encoding='utf-8').strip()}" if setting.exists() else ""


def processor() -> str:
    """The name of the processor; `platform` does not know it on Linux."""
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):  # not on every architecture
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def format_run(run: Run) -> str:
    """All of it."""
    return "\n\n".join([format_heading(run.heading), *map(format_row, run.rows)])


def format_heading(heading: Mapping[str, str]) -> str:
    width = max(map(len, heading), default=0) + 1
    return "\n".join(f"{name + ':':{width}} {value}" for name, value in heading.items())


def format_row(measured: Measured) -> str:
    """The tables of one row, best contestant first, and what is to be known about them."""
    versions = ", ".join(f"{name} {version}" for name, version in measured.versions.items())
    lines = [measured.title + (f"  ({versions})" if versions else "")]
    headlines, plain = measured.headlines, measured.plain
    if any(measured.rounds.values()):
        if len(headlines) == 1:
            (figure,) = headlines
            lines += table(measured.ranking(figure), [*ranked(measured, figure), *explained(measured, plain)])
        else:
            for figure in headlines:
                lines += table(measured.ranking(figure), ranked(measured, figure))
            if plain:
                everybody = [name for name, rounds in measured.rounds.items() if rounds]
                lines += table(everybody, explained(measured, plain))
    lines += [f"{name}: left out, {why}" for name, why in measured.missing.items()]
    return "\n".join([*lines, *warnings(measured)])


Column = tuple[str, Mapping[str, str]]
"""Its heading, and its cells by contestant."""


def ranked(measured: Measured, figure: Figure) -> Iterator[Column]:
    """The columns of a headline figure."""
    spreads = {name: measured.spread(name, figure.key) for name in measured.rounds}
    found = {name: spread for name, spread in spreads.items() if spread}
    yield figure.heading, {name: figure.format(spread.median) for name, spread in found.items()}
    yield (
        "min-max",
        {name: f"{figure.format(spread.least)}-{figure.format(spread.most)}" for name, spread in found.items()},
    )
    for reference in REFERENCES:
        ratios = {name: measured.ratio(figure, name, reference) for name in found}
        if reference in found:
            yield f"vs {reference}", {name: f"{ratio:.2f}" for name, ratio in ratios.items() if ratio is not None}


def explained(measured: Measured, figures: Sequence[Figure]) -> Iterator[Column]:
    """A column for each plain figure that somebody has."""
    for figure in figures:
        spreads = {name: measured.spread(name, figure.key) for name in measured.rounds}
        cells = {name: figure.format(spread.median) for name, spread in spreads.items() if spread}
        if cells:
            yield figure.heading, cells


def table(names: Sequence[str], columns: Iterable[Column]) -> list[str]:
    """The lines of a table, in pieces no wider than `WIDEST`."""
    pieces: list[list[tuple[str, ...]]] = []
    room = 0
    for heading, cells in columns:
        column = [heading, *(cells.get(name, ABSENT) for name in names)]
        width = max(map(len, column)) + 2
        if width > room or not pieces:
            pieces.append([("", *names)])
            room = WIDEST - max(map(len, names), default=0)
        pieces[-1].append(tuple(column))
        room -= width
    return [line for piece in pieces for line in lay_out(list(zip(*piece, strict=True)))]


def lay_out(rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table: the first column to the left, the others to the right."""
    first, *others = (max(map(len, column)) for column in zip(*rows, strict=True))
    return [
        "  ".join([name.ljust(first), *(cell.rjust(width) for cell, width in zip(rest, others, strict=True))]).rstrip()
        for name, *rest in rows
    ]


def warnings(measured: Measured) -> Iterator[str]:
    """What makes these figures worth less than they look.

    The load has to wait for the server, not the server for anything; say so where it was not like that.
    """
    few = [name for name, rounds in measured.rounds.items() if 0 < len(rounds) < FEWEST_ROUNDS]
    if few:
        yield f"{listed(few, measured)}: fewer than {FEWEST_ROUNDS} rounds, too few to trust"
    limited: list[str] = []
    waiting: list[str] = []
    for name in measured.rounds:
        server, load = measured.spread(name, SERVER_SHARE.key), measured.spread(name, LOAD_SHARE.key)
        if server and load and server.median <= BUSY:
            (limited if load.median > BUSY else waiting).append(name)
    if limited:
        yield f"{listed(limited, measured)}: the load was the bottleneck; what they did per second is a lower bound"
    if waiting:
        yield f"{listed(waiting, measured)}: neither side was busy; they waited for each other or for something else"


def listed(names: Sequence[str], measured: Measured) -> str:
    """The names, or one word for all of several."""
    return "everybody" if len(names) == len(measured.rounds) > 1 else ", ".join(names)
