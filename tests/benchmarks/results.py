"""What a run of the benchmark has found: a heading, then rows, in each row contestants, and of each contestant rounds.

Nothing is thrown away: a median without its rounds cannot be doubted. What is worth printing, comparing or drawing is
worked out from the rounds by whoever shows it, so that a file of last year can still be shown in a new way.

A file is JSON and says what it is and in which version of this format. Reading one trusts nothing in it: what is
missing, or not of its kind, is refused with the name of the file and the place in it, instead of coming up later as a
`KeyError` in the middle of a table. Nor does a file get to write to a terminal what is not text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, TypeVar

from tests.benchmarks.row import Figure, Round

__all__ = ["FEWEST_ROUNDS", "OURS", "Measured", "Run", "Spread", "load", "printable", "save", "times_better"]

FORMAT = "figures of python3 -m tests.benchmarks"
VERSION = 1

OURS = "reactor"
"""The contestant that this is about."""

FEWEST_ROUNDS = 5
"""With fewer, a range says little about where the next round would fall."""

T = TypeVar("T")


class Spread(NamedTuple):
    """What the rounds of one contestant say about one figure, in SI units."""

    median: float
    least: float
    most: float
    rounds: int


@dataclass
class Measured:
    """One row: its figures, the rounds of each contestant, and what those lacked who could not take part."""

    name: str
    title: str
    figures: Sequence[Figure]
    rounds: dict[str, list[Round]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def headlines(self) -> list[Figure]:
        """The figures that rank, in order."""
        return [figure for figure in self.figures if figure.headline]

    @property
    def plain(self) -> list[Figure]:
        """The figures that only explain the others."""
        return [figure for figure in self.figures if not figure.headline]

    def spread(self, contestant: str, key: str) -> Spread | None:
        """Of the figure called `key`; None if no round of this contestant has it."""
        values = [each.figures[key] for each in self.rounds.get(contestant, ()) if key in each.figures]
        return Spread(median(values), min(values), max(values), len(values)) if values else None

    def ranking(self, figure: Figure) -> list[str]:
        """Who was measured, best median first; those who lack the figure last, then as they took part."""

        def place(contestant: str) -> float:
            spread = self.spread(contestant, figure.key)
            if spread is None or figure.best is None:
                return math.inf
            return spread.median if figure.best == "least" else -spread.median

        return sorted((name for name, rounds in self.rounds.items() if rounds), key=place)

    def ratio(self, figure: Figure, contestant: str, reference: str) -> float | None:
        """How many times better the median of `contestant` is than that of `reference`, where there are both."""
        own, other = self.spread(contestant, figure.key), self.spread(reference, figure.key)
        return times_better(figure, own.median, other.median) if own and other else None

    @property
    def versions(self) -> dict[str, str]:
        """Those that the rounds were measured with, by name."""
        return merged_versions([self])


@dataclass
class Run:
    """Everything: `heading` says where, when and how (see `report.describe_run`)."""

    heading: dict[str, str]
    rows: list[Measured] = field(default_factory=list)

    @property
    def versions(self) -> dict[str, str]:
        """Those that the rounds were measured with, by name."""
        return merged_versions(self.rows)


def merged_versions(rows: Sequence[Measured]) -> dict[str, str]:
    """Name to version, by name; more than one version of a name are joined by "and"."""
    found: dict[str, set[str]] = {}
    for row in rows:
        for rounds in row.rounds.values():
            for each in rounds:
                for name, version in each.versions.items():
                    found.setdefault(name, set()).add(version)
    return {name: " and ".join(sorted(found[name])) for name in sorted(found)}


def times_better(figure: Figure, value: float, reference: float) -> float | None:
    """`value` against `reference`, above 1 where it is better; None where that has no meaning.

    It has none for a figure without a good end, nor for one that is not above zero: too little work to be measured. And
    none if the two are so far apart that a float cannot say how far.
    """
    if figure.best is None or value <= 0 or reference <= 0:
        return None
    ratio = reference / value if figure.best == "least" else value / reference
    return ratio if 0 < ratio < math.inf else None


def printable(text: str) -> str:
    """`text`, with what would move a terminal's cursor, or has no encoding, replaced."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def save(run: Run, path: Path) -> None:
    """Write `run` to `path`. Raises `OSError`, and `ValueError` if a figure is not a finite number."""
    rows = [
        {
            "name": row.name,
            "title": row.title,
            "figures": [asdict(figure) for figure in row.figures],
            "contestants": {name: [asdict(each) for each in rounds] for name, rounds in row.rounds.items()},
            "missing": {name: printable(why) for name, why in row.missing.items()},  # errors of others, as they came
        }
        for row in run.rows
    ]
    content = {"format": FORMAT, "version": VERSION, "heading": run.heading, "rows": rows}
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def load(path: Path) -> Run:
    """What `save` wrote to `path`.

    Raises `OSError` if it cannot be read, and `ValueError` naming the file and what is wrong if it is something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # also what is not UTF-8
        raise ValueError(f"{path}: not JSON: {error}") from error
    try:
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ValueError("not a file of figures that this benchmark wrote")
        version = content.get("version")
        if type(version) is not int or version != VERSION:  # true and 1.0 are equal to 1
            raise ValueError(f"version {version!r} of the format; this benchmark reads {VERSION}")
        heading = texts(content, "heading", "the file")
        rows = [read_row(each, f"row {number}") for number, each in enumerate(items(content, "rows", "the file"), 1)]
        if len({row.name for row in rows}) < len(rows):
            raise ValueError("two rows have the same name")
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return Run(heading, rows)


def read_row(content: Any, where: str) -> Measured:
    name = text(content, "name", where)
    where = f"row {name}"
    figures = [read_figure(each, where) for each in items(content, "figures", where)]
    rounds = {
        contestant: [read_round(each, f"{where}, {contestant}") for each in kept(many, list, f"{where}, {contestant}")]
        for contestant, many in named(content, "contestants", where)
    }
    return Measured(name, text(content, "title", where), figures, rounds, texts(content, "missing", where))


def read_figure(content: Any, where: str) -> Figure:
    key = text(content, "key", where)
    where = f"{where}, figure {key}"
    best = content.get("best")
    digits = part(content, "digits", int, where)
    if best not in ("least", "most", None):
        raise ValueError(f"{where}: best is {best!r}")
    if not 0 <= digits <= 20:
        raise ValueError(f"{where}: {digits} digits")
    return Figure(
        key,
        text(content, "heading", where),
        finite(part(content, "scale", (int, float), where), f"{where}: scale"),
        digits,
        best,
        part(content, "headline", bool, where),
    )


def read_round(content: Any, where: str) -> Round:
    values = {
        key: finite(kept(value, (int, float), f"{where}: {key}"), f"{where}: {key}")
        for key, value in named(content, "figures", where)
    }
    return Round(values, texts(content, "versions", where))


def part(content: Any, name: str, kind: type[T] | tuple[type[T], ...], where: str) -> T:
    """What `content` holds under `name`, which has to be a `kind`."""
    mapping: Mapping[str, Any] = kept(content, dict, where)
    if name not in mapping:
        raise ValueError(f"{where} has no {name!r}")
    return kept(mapping[name], kind, f"{where}: {name}")


def kept(value: Any, kind: type[T] | tuple[type[T], ...], where: str) -> T:
    """`value`, if it is of that `kind`. A truth value is not a number here, though Python says that it is."""
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{where} is {type(value).__name__}")
    return value


def finite(value: float, where: str) -> float:
    """`value`, unless it is what JSON does not know and Python's reader takes all the same: NaN, Infinity.

    Nor may it be an integer that no float can hold; those have no end in Python, and in JSON neither.
    """
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{where} is {number}")
    return number


def items(content: Any, name: str, where: str) -> list[Any]:
    return part(content, name, list, where)


def texts(content: Any, name: str, where: str) -> dict[str, str]:
    """The object called `name`, all of whose values are strings."""
    return {key: shown(value, f"{where}: {name}: {key}") for key, value in named(content, name, where)}


def named(content: Any, name: str, where: str) -> Iterator[tuple[str, Any]]:
    """What the object called `name` holds."""
    for key, value in part(content, name, dict, where).items():
        yield shown(key, f"{where}: a name in {name}"), value


def text(content: Any, name: str, where: str) -> str:
    """The string called `name`."""
    return shown(part(content, name, str, where), f"{where}: {name}")


def shown(value: Any, where: str) -> str:
    """`value`, if it is a string that can be printed as it is."""
    if printable(kept(value, str, where)) != value:
        raise ValueError(f"{where} holds what is not text: {value!a}")
    return str(value)
