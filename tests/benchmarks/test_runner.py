"""Rounds are interleaved, and who is left out is not asked again."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tests.benchmarks.compiling import PYTHON_LOAD
from tests.benchmarks.processes import Cores, ProcessError
from tests.benchmarks.results import Measured
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


def run(row: Counting, **options: Any) -> Measured:
    measured = Measured(row.name, row.title, row.figures)
    run_row(row, BENCH, measured, rounds=2, **options)
    return measured


def test_the_rounds_of_all_contestants_are_interleaved() -> None:
    row = Counting()
    said: list[str] = []
    measured = run(row, progress=said.append)
    assert row.asked == ["a", "b", "c", "a", "b", "c"]
    assert {name: [each.figures["number"] for each in rounds] for name, rounds in measured.rounds.items()} == {
        "a": [1, 4],
        "b": [2, 5],
        "c": [3, 6],
    }
    assert said[3] == "counting: round 2 of 2, a"


def test_only_those_who_are_wanted_take_part() -> None:
    row = Counting()
    assert list(run(row, contestants=["c", "x"]).rounds) == ["c"]
    assert row.asked == ["c", "c"]


def test_who_is_left_out_is_asked_once_and_has_a_reason() -> None:
    row = Counting(b=LeftOutError("no luck"))
    complaints: list[str] = []
    measured = run(row, complain=complaints.append)
    assert row.asked == ["a", "b", "c", "a", "c"]
    assert measured.missing == {"b": "no luck"} and list(measured.rounds) == ["a", "c"]
    assert complaints == []


@pytest.mark.parametrize("error", [ProcessError("fell over"), KeyError("fell over"), ZeroDivisionError("fell over")])
def test_who_fails_is_complained_about_and_the_others_go_on(error: Exception) -> None:
    row = Counting(b=error)
    complaints: list[str] = []
    measured = run(row, complain=complaints.append)
    assert row.asked == ["a", "b", "c", "a", "c"]
    assert [len(rounds) for rounds in measured.rounds.values()] == [2, 2]
    (complaint,) = complaints
    assert complaint.startswith("counting, round 1, b: ") and "fell over" in complaint
    assert measured.missing["b"].startswith("it failed in round 1: ")


def test_an_interrupt_leaves_the_rounds_that_are_complete() -> None:
    row = Counting()
    measured = Measured(row.name, row.title, row.figures)

    def interrupt(said: str) -> None:
        if said == "counting: round 2 of 2, b":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_row(row, BENCH, measured, rounds=2, progress=interrupt)
    assert [len(rounds) for rounds in measured.rounds.values()] == [2, 1, 1]
