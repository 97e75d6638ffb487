"""What all rows of the benchmark have in common: a question, those who answer it, and the figures that come out.

A `Row` is measured one round and one contestant at a time, so that the rounds of all contestants can be interleaved
(A B C A B C ...): whatever slows the machine down for a while does so for all of them. Each round has processes of its
own: what a process inherits by chance (the layout of its memory, the seed of its hashes) is then part of the spread
that is shown, instead of a hidden advantage.

Figures are kept in SI units (seconds, bytes, counts, shares of one); only `Figure.format` scales them, for people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from tests.benchmarks.compiling import Programs
from tests.benchmarks.processes import Cores

__all__ = ["LOAD_SHARE", "SERVER_SHARE", "Bench", "Figure", "LeftOutError", "Round", "Row"]


class LeftOutError(Exception):
    """A contestant cannot take part here; the message says what it lacks."""


@dataclass(frozen=True)
class Figure:
    """One number of a round: its `key` there and in JSON, and how it is shown.

    `headline` figures rank the contestants, are compared with the references and are drawn; `best` says which end of
    the scale is the good one, and is None for a figure that only explains another.
    """

    key: str
    heading: str
    scale: float = 1.0
    digits: int = 2
    best: Literal["least", "most"] | None = None
    headline: bool = False

    def format(self, value: float) -> str:
        return f"{value * self.scale:,.{self.digits}f}"


SERVER_SHARE = Figure("server_share", "server core %", scale=100, digits=0)
"""How much of its core the server used; near 1 unless it had to wait for the load."""
LOAD_SHARE = Figure("load_share", "load core %", scale=100, digits=0)
"""How much of its core the load used; below the server's, or the load was the bottleneck."""


@dataclass(frozen=True)
class Bench:
    """What every row is run with. `scale` is the share of its own amount of work that a row has to do."""

    python: str
    programs: Programs
    cores: Cores
    scale: float = 1.0

    def seconds(self, enough: float) -> float:
        """When to give up on what has `enough` seconds of time at full scale or less."""
        return enough * max(1.0, self.scale)

    def amount(self, full: int, least: int = 1) -> int:
        """That share of `full`, but `least`."""
        return max(least, round(full * self.scale))


@dataclass
class Round:
    """What one contestant gave in one round, and the versions of what it stands on."""

    figures: dict[str, float]
    versions: dict[str, str] = field(default_factory=dict)


class Row(Protocol):
    """One question."""

    @property
    def name(self) -> str:
        """What it is called on the command line."""

    @property
    def title(self) -> str:
        """What it is called in a heading."""

    @property
    def figures(self) -> Sequence[Figure]:
        """The columns of its table; the first ranks."""

    @property
    def contestants(self) -> Sequence[str]:
        """Who takes part."""

    def measure(self, contestant: str, bench: Bench) -> Round:
        """One round. Raises `LeftOutError` for who cannot take part, `ProcessError` where something failed."""
