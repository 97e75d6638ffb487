"""The bounds of connections: what can be wrong is said at once, by name."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from reactor import Budget, ConnectionOptions, Overflow
from reactor.errors import OptionError

TIMEOUTS = ("connect_timeout", "write_timeout", "drain_timeout", "idle_timeout")


def test_the_defaults_are_the_documented_ones() -> None:
    options = ConnectionOptions()
    assert (options.high_water, options.low_water, options.hard_limit) == (64 << 10, 16 << 10, 16 << 20)
    assert [getattr(options, name) for name in TIMEOUTS] == [30.0, 60.0, 10.0, None]
    assert options.read_size == 256 << 10
    assert options.overflow is Overflow.ABORT
    assert options.no_delay
    assert options.budget is None


@pytest.mark.parametrize("name", TIMEOUTS)
@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_timeout_that_is_not_positive_is_refused_by_name(name: str, seconds: float) -> None:
    with pytest.raises(OptionError, match=rf"^{name} .*{seconds}"):
        ConnectionOptions(**{name: seconds})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", TIMEOUTS)
@pytest.mark.parametrize("seconds", [None, 0.001, float("inf")])
def test_a_timeout_may_be_none_small_or_infinite(name: str, seconds: float | None) -> None:
    assert getattr(ConnectionOptions(**{name: seconds}), name) == seconds  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "values, named",
    [
        ({"high_water": 10, "low_water": 11}, "low=11, high=10"),
        ({"low_water": -1}, "low_water .* not -1"),
        ({"high_water": 100, "low_water": 10, "hard_limit": 99}, r"hard_limit \(99\) is below high_water \(100\)"),
        ({"read_size": 0}, "read_size .* not 0"),
        ({"read_size": 256 * 1024 + 1}, "read_size .* not 262145"),
    ],
)
def test_sizes_that_cannot_be_are_refused_by_name(values: dict[str, int], named: str) -> None:
    with pytest.raises(OptionError, match=named):
        ConnectionOptions(**values)  # type: ignore[arg-type]


def test_the_overflow_policy_may_be_given_by_name() -> None:
    assert ConnectionOptions(overflow="close").overflow is Overflow.CLOSE


def test_an_unknown_overflow_policy_is_refused_by_name() -> None:
    with pytest.raises(OptionError, match="overflow"):
        ConnectionOptions(overflow="explode")


def test_options_never_change() -> None:
    options: Any = ConnectionOptions()
    with pytest.raises(FrozenInstanceError):
        options.hard_limit = 5


def test_each_options_object_is_one_of_its_own() -> None:
    assert ConnectionOptions() != ConnectionOptions()
    assert len({ConnectionOptions(), ConnectionOptions(budget=Budget(5))}) == 2


def test_a_budget_is_no_number() -> None:
    with pytest.raises(OptionError, match="budget is a Budget, not 1000"):
        ConnectionOptions(budget=1000)  # type: ignore[arg-type]
