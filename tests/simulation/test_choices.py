from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor import OptionError
from reactor.simulation.choices import Choices, DrawnChoices, ScheduledChoices, SeededChoices, Strike

LOSS = "loss client>server"
KINDS = ("short_read", LOSS)


def struck_at(choices: Choices, kind: str, weight: float, opportunities: int) -> list[int]:
    """At which opportunities, counted from 1, it strikes."""
    return [number for number in range(1, opportunities + 1) if choices.strike(kind, weight) is not None]


def test_a_weight_of_one_strikes_always_and_a_weight_of_zero_never() -> None:
    assert struck_at(SeededChoices(0), LOSS, 1.0, 50) == list(range(1, 51))
    assert struck_at(SeededChoices(0), LOSS, 0.0, 50) == []


@pytest.mark.parametrize("weight", [0.01, 0.1, 0.5, 0.9])
def test_the_weight_is_how_many_of_the_opportunities_are_used(weight: float) -> None:
    strikes = struck_at(SeededChoices(0), LOSS, weight, 20_000)
    assert len(strikes) == pytest.approx(20_000 * weight, rel=0.1)


@given(st.integers(), st.lists(st.sampled_from(KINDS), max_size=60))
def test_the_same_seed_makes_the_same_choices(seed: int, asked: list[str]) -> None:
    one, other = SeededChoices(seed), SeededChoices(seed)
    assert [one.strike(kind, 0.3, 1, 9) for kind in asked] == [other.strike(kind, 0.3, 1, 9) for kind in asked]
    assert one.random.random() == other.random.random()


def test_another_seed_makes_other_choices() -> None:
    assert len({tuple(struck_at(SeededChoices(seed), LOSS, 0.5, 50)) for seed in range(20)}) == 20


@given(st.integers(), st.integers(-5, 5), st.integers(-5, 5))
def test_how_hard_it_strikes_lies_between_the_bounds(seed: int, low: int, high: int) -> None:
    value = SeededChoices(seed).strike("short_read", 1.0, low, high)
    assert value is not None
    assert low <= value <= max(low, high)


@given(st.integers(), st.lists(st.tuples(st.sampled_from(KINDS), st.integers(1, 9)), max_size=80))
def test_a_schedule_of_what_has_struck_strikes_again(seed: int, asked: list[tuple[str, int]]) -> None:
    first = SeededChoices(seed)
    answers = [first.strike(kind, 0.4, 1, high) for kind, high in asked]
    again = ScheduledChoices(first.struck, seed)
    assert [again.strike(kind, 0.4, 1, high) for kind, high in asked] == answers
    assert again.struck == first.struck


def test_a_strike_names_its_kind_its_opportunity_and_how_hard_it_was() -> None:
    choices = ScheduledChoices([(LOSS, 3, 0), ("short_read", 1, 7)], 0)
    choices.strike("short_read", 1.0, 0, 9)
    assert struck_at(choices, LOSS, 1.0, 5) == [3]
    assert choices.struck == [Strike("short_read", 1, 7), Strike(LOSS, 3, 0)]
    assert str(choices.struck[1]) == "Strike(kind='loss client>server', opportunity=3, value=0)"


@pytest.mark.parametrize(("planned", "expected"), [(0, 2), (3, 3), (9, 5)])
def test_a_scheduled_strike_is_as_hard_as_the_opportunity_allows(planned: int, expected: int) -> None:
    assert ScheduledChoices([("short_read", 1, planned)], 0).strike("short_read", 1.0, 2, 5) == expected


def test_a_weight_that_is_raised_after_many_opportunities_counts_from_then_on() -> None:
    choices = SeededChoices(0)
    assert struck_at(choices, LOSS, 1e-12, 100) == []
    choices.plan_anew()
    assert struck_at(choices, LOSS, 1.0, 5) == [1, 2, 3, 4, 5]


def test_a_schedule_goes_on_where_it_was_when_the_weights_change() -> None:
    choices = ScheduledChoices([(LOSS, 3, 0), (LOSS, 105, 0)], 0)
    assert struck_at(choices, LOSS, 0.1, 100) == [3]
    choices.plan_anew()
    assert struck_at(choices, LOSS, 0.2, 10) == [5]


def test_chance_that_is_no_fault_is_the_same_whatever_strikes() -> None:
    quiet, noisy, scheduled = SeededChoices(3), SeededChoices(3), ScheduledChoices([(LOSS, 1, 0)], 3)
    for choices, weight in ((noisy, 0.5), (scheduled, 0.5)):
        struck_at(choices, LOSS, weight, 100)
    assert quiet.random.random() == noisy.random.random() == scheduled.random.random()


def test_chance_for_programs_is_the_same_whatever_strikes_and_apart_from_that_of_the_links() -> None:
    quiet, noisy = SeededChoices(3), SeededChoices(3)
    struck_at(noisy, LOSS, 0.5, 100)
    noisy.random.random()
    drawn = [quiet.program.random() for _ in range(3)]
    assert [noisy.program.random() for _ in range(3)] == drawn
    assert quiet.random.random() not in drawn


@pytest.mark.parametrize("weight", [1e-17, 1e-300])
def test_a_weight_that_is_hardly_any_hardly_ever_strikes(weight: float) -> None:
    assert struck_at(SeededChoices(0), LOSS, weight, 100) == []


@pytest.mark.parametrize("kind", ["los", "loss", "loss ", "loss client", "short_read 1", "latency", ""])
def test_a_schedule_names_faults_that_there_are(kind: str) -> None:
    with pytest.raises(OptionError, match=f"no fault '{kind}': there are .*short_read.*'loss HOST>HOST'"):
        ScheduledChoices([(kind, 1, 1)], 0)


@pytest.mark.parametrize("opportunity", [0, -3])
def test_the_first_opportunity_of_a_schedule_is_number_1(opportunity: int) -> None:
    with pytest.raises(OptionError, match=f"the first opportunity of a stall is number 1, not {opportunity}"):
        ScheduledChoices([("stall", opportunity, 1)], 0)


class Dictated:
    """Stands for Hypothesis' `data`: draws what it is told, and writes down from what."""

    def __init__(self, *values: int) -> None:
        self.values = list(values)
        self.drawn_from: list[tuple[str, str]] = []

    def draw(self, strategy: Any, label: str) -> int:
        self.drawn_from.append((label, repr(strategy)))
        return self.values.pop(0)


def test_drawn_choices_draw_the_distance_to_each_strike_and_how_hard_it_is() -> None:
    data = Dictated(3, 5, 2, 1, 0)
    choices = DrawnChoices(data, 0)
    assert [choices.strike("short_read", 0.25, 1, 9) for _ in range(8)] == [None, None, 5, None, 1, None, None, None]
    assert data.drawn_from == [
        ("short_read, next in", "integers(min_value=0, max_value=4)"),
        ("short_read", "integers(min_value=1, max_value=9)"),
    ] * 2 + [("short_read, next in", "integers(min_value=0, max_value=4)")]


def test_drawn_choices_ask_for_nothing_that_cannot_be_otherwise() -> None:
    data = Dictated(1, 0)
    choices = DrawnChoices(data, 0)
    assert choices.strike(LOSS, 0.0) is None
    assert data.drawn_from == []
    assert choices.strike("reset", 0.5) == 0
    assert [label for label, _ in data.drawn_from] == ["reset, next in"] * 2
