"""Where chance comes from, so that it can be repeated and taken away.

A simulation asks at each opportunity (each read, each wait, each segment) whether a fault strikes. A coin for each of
them would work, but a run has a hundred thousand opportunities and a handful of faults that matter. So what is drawn
is the *distance* to the next strike, once for each strike. The whole of a run's misfortune is then a short list: "the
third read is short, by so much". Such a list can be read, and written down; each line can be taken out to see whether
the run still fails; and Hypothesis, which makes failing inputs shorter, has something short to work on.

There are three sources: a seed, Hypothesis' `data`, and a list from an earlier run.
"""

from __future__ import annotations

import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import fields
from math import ceil, log, log1p
from random import Random
from typing import Any, NamedTuple

from reactor.errors import OptionError
from reactor.simulation.faults import Faults

__all__ = ["Choices", "DrawnChoices", "ScheduledChoices", "SeededChoices", "Strike"]

_NEVER = 0

_KINDS = {one.name for one in fields(Faults)}


class Strike(NamedTuple):
    """One fault that struck."""

    kind: str
    """Which sort: a field of `Faults`, or `loss` and the way, as in `"loss client>server"`."""
    opportunity: int
    """At which of its opportunities; the first is 1."""
    value: int
    """How hard: bytes of a short read or write, milliseconds of a stall."""


class Choices(ABC):
    """Decides which opportunities become faults, and keeps a list of them."""

    def __init__(self, seed: int) -> None:
        """The same seed makes the same choices."""
        self._chance = Random(seed)
        self.random = Random(self._chance.getrandbits(64))
        """For what is no fault, such as jitter: a generator of its own, so that removing a fault changes no jitter."""
        self.program = Random(self._chance.getrandbits(64))
        """For the programs."""
        self.struck: list[Strike] = []
        """The faults so far."""
        self._seen: dict[str, int] = {}
        self._next: dict[str, int] = {}

    def strike(self, kind: str, weight: float, low: int = 0, high: int = 0) -> int | None:
        """Whether this opportunity is used: `None` if not, otherwise a number from `low` to `high`.

        `weight` is the probability; the mildest fault has the lowest number. Opportunities count whether or not
        anything can happen, so "the third read" is the same read under all conditions.
        """
        seen = self._seen[kind] = self._seen.get(kind, 0) + 1
        due = self._next.get(kind)
        if due is None:
            due = self._plan(kind, weight, seen - 1)
        if seen != due:
            return None
        value = self._value(kind, seen, low, high)
        self.struck.append(Strike(kind, seen, value))
        self._plan(kind, weight, seen)
        return value

    def plan_anew(self) -> None:
        """The weights have changed: what is planned already was planned for the old ones."""
        self._next.clear()

    def _plan(self, kind: str, weight: float, seen: int) -> int:
        distance = self._distance(kind, weight, seen)
        due = self._next[kind] = _NEVER if distance == _NEVER else seen + distance
        return due

    @abstractmethod
    def _distance(self, kind: str, weight: float, seen: int) -> int:
        """How many opportunities until the next strike, at least 1; `_NEVER`: there is none."""

    @abstractmethod
    def _value(self, kind: str, opportunity: int, low: int, high: int) -> int:
        """How hard a strike is."""


class SeededChoices(Choices):
    """All from one seed."""

    def _distance(self, kind: str, weight: float, seen: int) -> int:
        if weight >= 1:
            return 1
        if weight <= 0:
            return _NEVER
        return 1 + int(log(1.0 - self._chance.random()) / log1p(-weight))

    def _value(self, kind: str, opportunity: int, low: int, high: int) -> int:
        return self._chance.randint(low, max(low, high))


class DrawnChoices(Choices):
    """From Hypothesis, which makes a failing run's list shorter and its strikes milder.

    What is no fault comes from a seed.
    """

    def __init__(self, data: Any, seed: int) -> None:
        """`data` is what `hypothesis.strategies.data()` gave the test."""
        super().__init__(seed)
        self._draw = data.draw
        self._integers = sys.modules["hypothesis.strategies"].integers  # whoever has `data` has loaded it

    def _distance(self, kind: str, weight: float, seen: int) -> int:
        if weight <= 0:
            return _NEVER
        # Evenly up to the mean distance: twice as often as with a seed, because there are few examples. Zero, the
        # simplest value, means that there are no more of this kind.
        return int(self._draw(self._integers(_NEVER, ceil(1 / weight)), label=f"{kind}, next in"))

    def _value(self, kind: str, opportunity: int, low: int, high: int) -> int:
        if high <= low:
            return low
        return int(self._draw(self._integers(low, high), label=kind))


class ScheduledChoices(Choices):
    """Exactly the given strikes, whatever the conditions say.

    They repeat a run only together with its seed, which decides the rest.
    """

    def __init__(self, schedule: Iterable[tuple[str, int, int]], seed: int) -> None:
        """`schedule` lists `(kind, opportunity, value)`, as `Simulation.struck` does."""
        super().__init__(seed)
        self._values = {(kind, opportunity): value for kind, opportunity, value in schedule}
        self._due: dict[str, list[int]] = {}
        for kind, opportunity in sorted(self._values):
            if not (kind in _KINDS or re.fullmatch("loss .+>.+", kind)):
                known = ", ".join(sorted(_KINDS))
                raise OptionError(f"there is no fault {kind!r}: there are {known}, and 'loss HOST>HOST'")
            if opportunity < 1:
                raise OptionError(f"the first opportunity of a {kind} is number 1, not {opportunity}")
            self._due.setdefault(kind, []).append(opportunity)

    def _distance(self, kind: str, weight: float, seen: int) -> int:
        return next((due - seen for due in self._due.get(kind, ()) if due > seen), _NEVER)

    def _value(self, kind: str, opportunity: int, low: int, high: int) -> int:
        return max(low, min(high, self._values[kind, opportunity]))
