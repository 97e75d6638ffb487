from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from reactor.buffering import WaterMarks
from reactor.errors import OptionError


@pytest.mark.parametrize(("high", "low"), [(0, 0), (1, 0), (5, 5), (65536, 16384)])
def test_any_marks_with_low_not_above_high_are_accepted(high: int, low: int) -> None:
    marks = WaterMarks(high, low)
    assert (marks.high, marks.low) == (high, low)


@pytest.mark.parametrize(("high", "low"), [(1, 2), (0, -1), (-1, -1)])
def test_marks_that_contradict_each_other_are_refused(high: int, low: int) -> None:
    with pytest.raises(OptionError, match=r"low|high"):
        WaterMarks(high, low)


def test_marks_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        WaterMarks(2, 1).high = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("high", "low", "expected"),
    [
        (None, None, WaterMarks(65536, 16384)),
        (100, None, WaterMarks(100, 25)),
        (None, 100, WaterMarks(400, 100)),
        (0, None, WaterMarks(0, 0)),
        (None, 0, WaterMarks(0, 0)),
        (7, 3, WaterMarks(7, 3)),
    ],
)
def test_a_missing_mark_is_derived_from_the_other_one(
    high: int | None, low: int | None, expected: WaterMarks
) -> None:
    assert WaterMarks.from_either(high, low) == expected


def test_the_default_of_the_high_mark_can_be_given() -> None:
    assert WaterMarks.from_either(default_high=1000) == WaterMarks(1000, 250)
