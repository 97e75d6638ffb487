"""What was measured, for people: a heading, and a table or more for each row.

A table shows the median of a figure and, beside it, the least and the most of all rounds: two contestants whose ranges
overlap should not be told apart by their medians. A single round has no range. Then come ratios: how many times better
this contestant is than a reference, above 1 being better whether the figure is one to be small (a cost) or one to be
large (a rate).

A row with one headline figure is one table; the figures that explain it follow on its right. A row with several (set,
cancel and fire a timer) has a table for each, because each has an order of its own.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks.processes import ROOT, Cores, ProcessError
from tests.benchmarks.results import FEWEST_ROUNDS, Measured, Run, printable
from tests.benchmarks.row import LOAD_SHARE, SERVER_SHARE, Figure

__all__ = ["describe_run", "format_heading", "format_row", "format_run", "lay_out"]

BUSY = 0.9
"""A process that uses more than this share of its core did not have to wait for anybody."""
AS_BUSY = 0.05
"""The load is as busy as the server if its share is no more than this below the server's."""
REFERENCES = ("uvloop", "uvloop-protocol", "uvloop-joined", "asyncio", "redis-server")
"""Who gets a column of ratios, where they took part; frames have streams and two hand-written protocols to beat."""
MESSAGES = "messages/s"
"""What our own load counts. One that is not in C is slower than most servers, so this and its latencies are its own."""
SHARES = (SERVER_SHARE.key, LOAD_SHARE.key)
WIDEST = 120
"""Characters; a table that would be wider is continued below, with the names again."""
ABSENT = "-"
ASK_VERSIONS = """
import platform
print(platform.python_implementation(), platform.python_version(), sep="\\n")
try:
    from importlib import metadata
    print("uvloop", metadata.version("uvloop"))
except ImportError:
    print("no uvloop")
"""
SECONDS_TO_ANSWER = 60
SPOILT = f"the load is in Python, slower than most servers: {MESSAGES} and latencies would be its own and are left out"


def describe_run(
    *, python: str, language: str, cores: Cores, rounds: int, scale: float, command: Sequence[str]
) -> dict[str, str]:
    """Where, when and how: what someone needs who wants to compare with other figures.

    `python` is the interpreter that the servers run on; it is asked for its version. `language` is that of the load,
    `scale` the share of each row's own amount of work, `command` what was typed. Raises `ProcessError` if `python`
    cannot be asked.
    """
    interpreter, libraries = ask_versions(python)
    measured_revision = revision()
    pinned = "no" if cores.server is None else f"server on core {cores.server}, load on core {cores.load}"
    heading = {
        "machine": f"{processor()}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}{congestion_control()}",
        "Python": interpreter,
        "libraries": libraries,
        **({"revision": measured_revision} if measured_revision else {}),
        "pinned": pinned,
        "load": f"closed loop in {language}, every byte compared",
        "work": "the full amount of each row" if scale == 1 else f"{scale:g} of each row's full amount",
        "rounds": f"{rounds}, interleaved; medians" + (" (too few to trust)" if rounds < FEWEST_ROUNDS else ""),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": shlex.join(command),
    }
    return {name: printable(value) for name, value in heading.items()}  # what was typed need not be text


def ask_versions(python: str) -> tuple[str, str]:
    """The version of the interpreter `python`, and those of the libraries that it can import.

    Raises `ProcessError` if it is not Python, or not new enough for this project.
    """
    try:
        answer = output_of(python, "-c", ASK_VERSIONS)
    except (OSError, subprocess.SubprocessError) as error:
        reason = error if isinstance(error, OSError) else "it failed, or did not end"
        raise ProcessError(f"cannot be run as Python: {python}: {reason}") from error
    found = re.fullmatch(r"(\w+)\n((\d+)\.(\d+)\S*)\n(.*uvloop.*)\n", answer)
    if not found:
        raise ProcessError(f"cannot be run as Python: {python}: it answers like something else")
    implementation, version, major, minor, uvloop = found.groups()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = project["requires-python"].removeprefix(">=")
    if (int(major), int(minor)) < tuple(map(int, needed.split("."))):
        raise ProcessError(f"{python} is {implementation} {version}; reactor needs {needed}")
    return f"{implementation} {version}", f"reactor {project['version']}, {uvloop}"


def revision() -> str | None:
    """What is checked out, and whether it has been changed since; None if this is not a checkout or git is missing.

    The version of the library is the same for months: only this tells two files of figures apart.
    """
    if not (ROOT / ".git").exists():  # git would look for one above
        return None
    git = ("git", "-C", str(ROOT), "--no-optional-locks")  # nothing is written where somebody may be working
    try:
        commit = output_of(*git, "rev-parse", "--short", "HEAD").strip()
        changes = output_of(*git, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):  # also a repository without a commit, or somebody else's
        return None
    return f"{commit} with changes" if changes else commit


def output_of(*command: str) -> str:
    """What it prints. Raises `OSError` or `SubprocessError` if it cannot be run, fails or does not end."""
    return subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", timeout=SECONDS_TO_ANSWER, check=True
    ).stdout


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
    return "\n\n".join([format_heading(run.heading), *(format_row(row, run.heading) for row in run.rows)])


def format_heading(heading: Mapping[str, str]) -> str:
    width = max(map(len, heading), default=0) + 1
    return "\n".join(f"{name + ':':{width}} {value}" for name, value in heading.items())


def format_row(measured: Measured, heading: Mapping[str, str] | None = None) -> str:
    """The tables of one row, best contestant first, and what is to be known about them.

    The `heading` is that of its run. If it says that the load was not the one in C, the columns that this spoils are
    left out; without a heading it is taken to be the one in C.
    """
    versions = ", ".join(f"{name} {version}" for name, version in measured.versions.items())
    lines = [measured.title + (f"  ({versions})" if versions else "")]
    headlines, plain = measured.headlines, measured.plain
    spoilt = load_in_python(measured, heading or {})
    if spoilt:
        plain = [figure for figure in plain if figure.key in SHARES]
    if any(measured.rounds.values()):
        if len(headlines) == 1:
            (figure,) = headlines
            lines += table(measured.ranking(figure), ranked(measured, figure), explained(measured, plain))
        else:
            for figure in headlines:
                lines += table(measured.ranking(figure), ranked(measured, figure))
            if plain:
                everybody = [name for name, rounds in measured.rounds.items() if rounds]
                lines += table(everybody, explained(measured, plain))
    lines += [f"{name}: left out, {why}" for name, why in measured.missing.items()]
    lines += few_rounds(measured)
    lines += [SPOILT] if spoilt else waits(measured)
    return "\n".join(lines)


def load_in_python(measured: Measured, heading: Mapping[str, str]) -> bool:
    """Whether our load, which alone counts messages, was the slow one."""
    described = heading.get("load", "")
    return described.startswith("closed loop in Python") and any(each.heading == MESSAGES for each in measured.plain)


Column = tuple[str, Mapping[str, str]]
"""Its heading, and its cells by contestant."""


def ranked(measured: Measured, figure: Figure) -> Iterator[Column]:
    """The columns of a headline figure."""
    spreads = {name: measured.spread(name, figure.key) for name in measured.rounds}
    found = {name: spread for name, spread in spreads.items() if spread}
    yield figure.heading, {name: figure.format(spread.median) for name, spread in found.items()}
    ranges = {
        name: f"{figure.format(spread.least)}-{figure.format(spread.most)}"
        for name, spread in found.items()
        if spread.rounds > 1
    }
    if ranges:
        yield "min-max", ranges
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


def table(names: Sequence[str], *groups: Iterable[Column]) -> list[str]:
    """The lines of a table, in pieces no wider than `WIDEST`; what is too wide as a whole is broken between groups."""
    first = ("", *names)
    columns = [
        [(heading, *(cells.get(name, ABSENT) for name in names)) for heading, cells in group] for group in groups
    ]
    room = WIDEST - max(map(len, first))
    together = [column for group in columns for column in group]
    pieces: list[list[tuple[str, ...]]] = []
    for group in [together] if sum(map(width_of, together)) <= room else columns:
        left = 0
        for column in group:
            if width_of(column) > left:
                pieces.append([first])
                left = room
            pieces[-1].append(column)
            left -= width_of(column)
    return [line for piece in pieces for line in lay_out(list(zip(*piece, strict=True)))]


def width_of(column: Sequence[str]) -> int:
    """Of its widest cell, and the gap before it."""
    return max(map(len, column)) + 2


def lay_out(rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table: the first column to the left, the others to the right."""
    first, *others = (max(map(len, column)) for column in zip(*rows, strict=True))
    return [
        "  ".join([name.ljust(first), *(cell.rjust(width) for cell, width in zip(rest, others, strict=True))]).rstrip()
        for name, *rest in rows
    ]


def few_rounds(measured: Measured) -> Iterator[str]:
    """Who was not measured often enough."""
    few = [name for name, rounds in measured.rounds.items() if 0 < len(rounds) < FEWEST_ROUNDS]
    if few:
        yield f"{listed(few, measured)}: fewer than {FEWEST_ROUNDS} rounds, too few to trust"


def waits(measured: Measured) -> Iterator[str]:
    """Who was not measured as meant: the load has to wait for the server, and the server for nothing.

    Where everybody waited, that is what the row asks for: with one request under way the two sides take turns.
    """
    limited: list[str] = []
    waiting: list[str] = []
    shares = {name: [measured.spread(name, key) for key in SHARES] for name in measured.rounds}
    known = {name: (server.median, load.median) for name, (server, load) in shares.items() if server and load}
    for name, (server, load) in known.items():
        if load > BUSY and load >= server - AS_BUSY:
            limited.append(name)
        elif server <= BUSY:
            waiting.append(name)
    if limited:
        yield f"{listed(limited, measured)}: the load was as busy as the server; figures per second are lower bounds"
    if waiting and len(waiting) < len(known):
        yield f"{listed(waiting, measured)}: neither side was busy; they waited for each other or for something else"


def listed(names: Sequence[str], measured: Measured) -> str:
    """The names, or one word for all of several."""
    return "everybody" if len(names) == len(measured.rounds) > 1 else ", ".join(names)
