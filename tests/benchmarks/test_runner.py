"""Rounds are interleaved, and who is left out is not asked again."""

from __future__ import annotations

import sys

import pytest

from tests.benchmarks.compiling import PYTHON_LOAD
from tests.benchmarks.processes import Cores, ProcessError
from tests.benchmarks.row import Bench, Figure, LeftOutError, Round
from tests.benchmarks.runner import run_row

BENCH = Bench(sys.executable, PYTHON_LOAD, Cores(None, None))


class Counting:
    """A row in which every round has a number; those named in `broken` do not take part."""

    name = title = "counting"
    figures = (Figure("number", "number", best="most", headline=True),)
    contestants = ("a", "b", "c")

    def __init__(self, **broken: Exception) -> None:
        self.broken = broken
        self.asked: list[str] = []

    def measure(self, contestant: str, bench: Bench) -> Round:
        self.asked.append(contestant)
        if contestant in self.broken:
            raise self.broken[contestant]
        return Round({"number": float(len(self.asked))})


def test_the_rounds_of_all_contestants_are_interleaved() -> None:
    row = Counting()
    said: list[str] = []
    measured = run_row(row, BENCH, rounds=2, progress=said.append)
    assert row.asked == ["a", "b", "c", "a", "b", "c"]
    assert {name: [each.figures["number"] for each in rounds] for name, rounds in measured.rounds.items()} == {
        "a": [1, 4],
        "b": [2, 5],
        "c": [3, 6],
    }
    assert said[3] == "counting: round 2 of 2, a"


def test_only_those_who_are_wanted_take_part() -> None:
    row = Counting()
    assert list(run_row(row, BENCH, rounds=1, contestants=["c", "x"]).rounds) == row.asked == ["c"]


def test_who_is_left_out_is_asked_once_and_has_a_reason() -> None:
    row = Counting(b=LeftOutError("no luck"))
    measured = run_row(row, BENCH, rounds=2)
    assert row.asked == ["a", "b", "c", "a", "c"]
    assert measured.missing == {"b": "no luck"} and list(measured.rounds) == ["a", "c"]


def test_a_failure_is_not_hidden() -> None:
    with pytest.raises(ProcessError, match="fell over"):
        run_row(Counting(b=ProcessError("fell over")), BENCH, rounds=2)
