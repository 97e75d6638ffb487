from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor import DeadlockError
from reactor.simulation import clock as clock_module
from reactor.simulation.clock import Clock


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans())))
def test_events_happen_by_time_and_then_in_the_order_in_which_they_were_planned(plan: list[tuple[int, bool]]) -> None:
    clock, happened = Clock(), list[int]()
    for number, (when, cancelled) in enumerate(plan):
        event = clock.at(when, partial(happened.append, number))
        if cancelled:
            event.cancel()
    moments = []
    while (when_next := clock.next_event()) is not None:
        moments.append(when_next)
        clock.advance(when_next)
        assert clock.run_due()
    expected = [(when, number) for number, (when, cancelled) in enumerate(plan) if not cancelled]
    assert happened == [number for _, number in sorted(expected)]
    assert moments == sorted({when for when, _ in expected})
    assert clock.happened == len(expected)


@given(st.lists(st.floats(allow_nan=False)))
def test_time_never_goes_back(moments: list[float]) -> None:
    clock = Clock()
    for moment in moments:
        before = clock.now
        clock.advance(moment)
        assert clock.now == max(before, moment)


def test_what_an_event_plans_for_now_happens_in_the_same_round() -> None:
    clock, happened = Clock(), list[str]()

    def first() -> None:
        happened.append("first")
        clock.at(clock.now, lambda: happened.append("second"))

    clock.at(0.0, first)
    assert clock.run_due()
    assert happened == ["first", "second"]
    assert not clock.run_due()


def test_an_event_that_is_cancelled_by_an_earlier_one_of_its_moment_does_not_happen() -> None:
    clock, happened = Clock(), list[str]()
    clock.at(0.0, lambda: late.cancel())
    late = clock.at(0.0, lambda: happened.append("late"))
    clock.run_due()
    assert happened == []
    assert clock.happened == 1


def test_nothing_is_due_before_its_time() -> None:
    clock, happened = Clock(), list[str]()
    clock.at(2.0, lambda: happened.append("event"))
    clock.advance(1.5)
    assert not clock.run_due()
    assert clock.next_event() == 2.0
    assert happened == []


def test_events_that_plan_themselves_for_ever_at_one_moment_are_a_deadlock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock_module, "_MOST_AT_ONCE", 50)
    clock = Clock()
    clock.advance(2.5)

    def again(after: float, left: int) -> None:
        if left:
            clock.at(clock.now + after, partial(again, after, left - 1))

    again(0.0, 50)
    assert clock.run_due()
    again(1.0, 100)  # in which time passes
    while (when := clock.next_event()) is not None:
        clock.advance(when)
        clock.run_due()
    again(0.0, 51)
    with pytest.raises(DeadlockError, match=r"50 events at 102\.5"):
        clock.run_due()
