from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule

from reactor.loop.timers import TimerHandle, TimerQueue


class ATimerQueueIsASortedList(RuleBasedStateMachine):
    """The model: a list of (when, number) that is sorted each time, and a list of what is due."""

    timers = Bundle("timers")

    def __init__(self) -> None:
        super().__init__()
        self.queue = TimerQueue()
        self.now = 0.0
        self.number = 0
        self.waiting: list[tuple[float, int]] = []
        self.due: list[tuple[float, int]] = []
        self.fired: list[int] = []

    @rule(target=timers, when=st.integers(-3, 12).map(float))
    def set(self, when: float) -> tuple[TimerHandle, tuple[float, int]]:
        return self.set_one(when)

    def set_one(self, when: float) -> tuple[TimerHandle, tuple[float, int]]:
        self.number += 1
        handle = self.queue.push(when, self.fired.append, (self.number,))
        assert handle.when() == when
        assert not handle.cancelled()
        self.waiting.append((when, self.number))
        return handle, (when, self.number)

    @rule(target=timers, count=st.integers(64, 140), when=st.integers(0, 20).map(float))
    def set_many_and_cancel_most(self, count: int, when: float) -> tuple[TimerHandle, tuple[float, int]]:
        crowd = [self.set_one(when) for _ in range(count)]
        for timer in crowd[1:]:
            self.cancel(timer)
        return crowd[0]

    @rule(timer=timers)
    def cancel(self, timer: tuple[TimerHandle, tuple[float, int]]) -> None:
        handle, entry = timer
        pending = entry in self.waiting or entry in self.due
        was_cancelled = handle.cancelled()
        handle.cancel()
        assert handle.cancelled() == (pending or was_cancelled)
        for entries in (self.waiting, self.due):
            if entry in entries:
                entries.remove(entry)

    @rule(seconds=st.integers(0, 4))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @precondition(lambda self: not self.due)
    @rule()
    def collect(self) -> None:
        self.queue.collect(self.now)
        self.due = sorted(entry for entry in self.waiting if entry[0] <= self.now)
        self.waiting = [entry for entry in self.waiting if entry not in self.due]

    @rule()
    def pop(self) -> None:
        call = self.queue.pop()
        if not self.due:
            assert call is None
            return
        when, number = self.due.pop(0)
        assert when <= self.now, "early"
        assert call is not None
        call()
        assert self.fired[-1] == number

    @rule()
    def clear(self) -> None:
        self.queue.clear()
        self.waiting, self.due = [], []

    @invariant()
    def the_questions_are_answered_as_the_model_answers_them(self) -> None:
        assert len(self.queue) == len(self.waiting) + len(self.due)
        assert bool(self.queue) == bool(self.waiting or self.due)
        expected = self.due[0][0] if self.due else min((when for when, _ in self.waiting), default=None)
        assert self.queue.next_deadline() == expected

    @invariant()
    def cancelled_timers_do_not_pile_up(self) -> None:
        assert len(self.queue._heap) <= max(2 * len(self.waiting), len(self.waiting) + 64)


TestATimerQueueIsASortedList = ATimerQueueIsASortedList.TestCase
TestATimerQueueIsASortedList.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@contextmanager
def without_the_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class Load:
    def work(self) -> None:
        raise AssertionError("a cancelled timer fired")


def test_a_hundred_thousand_timers_set_and_cancelled_leave_nothing_behind() -> None:
    queue = TimerQueue()
    with without_the_collector():
        before = sum(type(thing) is TimerHandle for thing in gc.get_objects())
        loads: weakref.WeakSet[Load] = weakref.WeakSet()
        for n in range(100_000):
            load = Load()
            loads.add(load)
            queue.push(float(n % 1000), load.work, ()).cancel()
            del load
            assert len(queue._heap) <= 64
        assert len(loads) == 0
        assert queue.next_deadline() is None
        assert queue._heap == []
        assert sum(type(thing) is TimerHandle for thing in gc.get_objects()) <= before  # other tests' may have gone


def test_a_hundred_thousand_timers_cancelled_at_the_end_leave_nothing_behind() -> None:
    queue = TimerQueue()
    with without_the_collector():
        load = Load()
        reference = weakref.ref(load)
        timers = [queue.push(float(-n), load.work, ()) for n in range(100_000)]
        del load
        for timer in timers:
            timer.cancel()
        del timer, timers
        assert reference() is None
        assert len(queue) == 0
        assert not queue
        queue.collect(1.0)
        assert queue._heap == []
        assert queue.pop() is None


def test_a_cancelled_timer_beneath_a_living_one_holds_no_callback() -> None:
    queue = TimerQueue()
    load = Load()
    reference = weakref.ref(load)
    queue.push(1.0, list, ())
    kept = queue.push(2.0, load.work, (load,))
    with without_the_collector():
        del load
        kept.cancel()
        assert reference() is None
    assert len(queue) == 1


def test_a_timer_that_has_fired_cannot_be_cancelled() -> None:
    queue = TimerQueue()
    timer = queue.push(1.0, list, ())
    queue.collect(1.0)
    assert queue.pop() is list
    timer.cancel()
    assert not timer.cancelled()
    assert len(queue) == 0


def test_a_timer_that_has_fired_holds_no_callback() -> None:
    queue = TimerQueue()
    load = Load()
    reference = weakref.ref(load)
    kept = queue.push(1.0, load.work, (load,))
    queue.collect(1.0)
    with without_the_collector():
        del load
        queue.pop()
        assert reference() is None
    assert kept.describe()["when"] == 1.0


def test_a_timer_set_after_the_collection_waits_for_the_next() -> None:
    queue = TimerQueue()
    queue.collect(5.0)
    queue.push(1.0, list, ())
    assert queue.pop() is None
    queue.collect(5.0)
    assert queue.pop() is list


def test_a_timer_describes_what_is_due_and_when() -> None:
    timer = TimerQueue().push(1.5, list, ())
    assert timer.describe() == {"kind": "timer", "when": 1.5, "callback": list}
