from __future__ import annotations

import gc
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor import Missed, Reactor
from reactor.errors import OptionError
from tests.loop.kit import Errors, Log, ScriptedKernel


def beat(reactor: Reactor, kernel: ScriptedKernel, until: float) -> None:
    while kernel.now < until:
        reactor.run_once(until - kernel.now)


def test_beats_lie_on_a_grid_that_does_not_drift() -> None:
    kernel = ScriptedKernel()
    kernel.now = 0.0
    with Reactor(kernel=kernel) as reactor:
        times: list[float] = []
        reactor.call_every(0.1, lambda: times.append(kernel.now))
        for _ in range(10_000):
            reactor.run_once()
        assert times == [n * 0.1 for n in range(1, 10_001)]


def test_a_late_tick_does_not_shift_the_grid(scripted: Reactor, kernel: ScriptedKernel) -> None:
    times: list[float] = []
    scripted.call_every(1.0, lambda: times.append(kernel.now - 1000))
    kernel.report(after=1.25)
    beat(scripted, kernel, 1004)
    assert times == [1.25, 2.0, 3.0, 4.0]


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        (Missed.SKIP, [4.5, 5.0, 6.0, 7.0, 8.0]),
        (Missed.BURST, [4.5, 4.5, 4.5, 4.5, 5.0, 6.0, 7.0, 8.0]),
        (Missed.DELAY, [4.5, 5.5, 6.5, 7.5]),
        ("skip", [4.5, 5.0, 6.0, 7.0, 8.0]),
        ("burst", [4.5, 4.5, 4.5, 4.5, 5.0, 6.0, 7.0, 8.0]),
        ("delay", [4.5, 5.5, 6.5, 7.5]),
    ],
)
def test_missed_beats_are_treated_as_declared(
    scripted: Reactor, kernel: ScriptedKernel, missed: Missed | str, expected: list[float]
) -> None:
    times: list[float] = []
    scripted.call_every(1.0, lambda: times.append(kernel.now - 1000), missed=missed)
    kernel.report(after=4.5)  # three beats pass in a wait that was too long
    beat(scripted, kernel, 1008)
    assert times == expected


def test_a_burst_catches_up_one_beat_a_tick(scripted: Reactor, kernel: ScriptedKernel) -> None:
    log = Log()
    scripted.call_every(1.0, log("beat"), missed=Missed.BURST)
    kernel.now += 3
    for count in range(1, 4):
        scripted.run_once()
        assert log == ["beat"] * count


@given(
    start=st.floats(0, 1e9),
    interval=st.floats(1e-3, 1e5),
    beat=st.integers(1, 10**6),
    late=st.floats(0, 1e5),
    missed=st.sampled_from(Missed),
)
def test_the_next_beat_is_never_the_one_that_was_just_called(
    start: float, interval: float, beat: int, late: float, missed: Missed
) -> None:
    now = start + beat * interval + late
    new_start, new_beat = missed.after(start, beat, interval, now)
    if missed is Missed.DELAY:
        assert (new_start, new_beat) == (now, 1)
    else:
        assert new_start == start
        assert new_beat > beat
    if missed is Missed.BURST:
        assert new_beat == beat + 1


@given(interval=st.integers(1, 1000), beat=st.integers(1, 1000), late=st.integers(0, 10**6))
def test_skipping_goes_on_with_the_first_beat_that_has_not_passed(interval: int, beat: int, late: int) -> None:
    now = beat * interval + late
    _, following = Missed.SKIP.after(0.0, beat, float(interval), float(now))
    assert (following - 1) * interval <= now < following * interval


def test_a_repeating_timer_can_be_cancelled_inside_its_callback(scripted: Reactor, kernel: ScriptedKernel) -> None:
    times: list[float] = []

    def once() -> None:
        times.append(kernel.now)
        timer.cancel()

    timer = scripted.call_every(1.0, once)
    assert timer.when() == 1001.0
    assert not timer.cancelled()
    scripted.run()
    assert times == [1001.0]
    assert timer.cancelled()
    timer.cancel()


def test_a_repeating_timer_cancelled_before_its_first_beat_never_fires(reactor: Reactor) -> None:
    log = Log()
    reactor.call_every(0.001, log("beat")).cancel()
    reactor.run()
    assert log == []


def test_an_exception_in_the_callback_keeps_it_beating(reactor: Reactor) -> None:
    errors = Errors(reactor)

    def fail() -> None:
        if len(errors) == 2:
            timer.cancel()
        raise ValueError

    timer = reactor.call_every(0.001, fail)
    reactor.run()
    assert [type(error) for error in errors] == [ValueError] * 3


def test_a_repeating_timer_passes_its_arguments(reactor: Reactor) -> None:
    log: list[str] = []

    def note(*args: str) -> None:
        log.extend(args)
        reactor.stop()

    reactor.call_every(0.001, note, "a", "b")
    reactor.run()
    assert log == ["a", "b"]


@pytest.mark.parametrize("interval", [0, -1, float("nan"), float("inf")])
def test_an_interval_that_cannot_be_is_refused(reactor: Reactor, interval: float) -> None:
    with pytest.raises(OptionError, match="positive interval"):
        reactor.call_every(interval, list)
    assert not reactor.alive()


def test_a_policy_that_does_not_exist_is_refused(reactor: Reactor) -> None:
    with pytest.raises(OptionError, match="skip"):
        reactor.call_every(1, list, missed="never")


def test_a_cancelled_repeating_timer_holds_nothing(reactor: Reactor) -> None:
    class Load:
        def work(self, other: Load) -> None: ...

    load = Load()
    reference = weakref.ref(load)
    timer = reactor.call_every(0.001, load.work, load)
    gc.disable()
    try:
        del load
        timer.cancel()
        assert reference() is None
    finally:
        gc.enable()
