"""The order of a tick; where it depends on the clock or on events, on a kernel that is told what they are."""

from __future__ import annotations

import gc
import math
import weakref
from collections.abc import Callable

import pytest

from reactor import Reactor
from reactor.errors import OptionError
from tests.loop.kit import READ, WRITE, Errors, Log, ScriptedKernel

A, B, C = 1001, 1002, 1003
"""Descriptors that exist only in the script."""


def test_a_tick_dispatches_readiness_then_timers_then_callbacks_then_output(
    scripted: Reactor, kernel: ScriptedKernel
) -> None:
    log = Log()
    scripted.call_soon(log("callback"))
    scripted.call_at(kernel.now, log("timer"))
    scripted.add_reader(A, lambda: scripted.call_at_tick_end(log("output")))
    scripted.add_writer(A, log("writable"))
    scripted.add_reader(B, log("readable"))
    kernel.report((A, READ | WRITE), (B, READ))
    scripted.run_once()
    assert log == ["writable", "readable", "timer", "callback", "output"]


def test_a_descriptor_that_is_ready_both_ways_is_read_first(scripted: Reactor, kernel: ScriptedKernel) -> None:
    log = Log()
    scripted.add_writer(A, log("write"))
    scripted.add_reader(A, log("read"))
    kernel.report((A, READ | WRITE))
    scripted.run_once()
    assert log == ["read", "write"]


def test_what_is_gathered_in_any_step_leaves_at_the_end_of_that_tick(
    scripted: Reactor, kernel: ScriptedKernel
) -> None:
    log = Log()
    scripted.add_reader(A, lambda: scripted.call_at_tick_end(log("from readiness")))
    scripted.call_at(kernel.now, lambda: scripted.call_at_tick_end(log("from a timer")))
    scripted.call_soon(lambda: scripted.call_at_tick_end(log("from a callback")))
    scripted.call_soon(log("callback"))
    kernel.report((A, READ))
    scripted.run_once()
    assert log == ["callback", "from readiness", "from a timer", "from a callback"]


def test_output_gathered_in_the_last_step_leaves_in_the_next_tick_without_a_wait(
    scripted: Reactor, kernel: ScriptedKernel
) -> None:
    log = Log()
    scripted.call_soon(lambda: scripted.call_at_tick_end(lambda: scripted.call_at_tick_end(log("late"))))
    scripted.run_once()
    assert log == []
    assert scripted.alive()
    scripted.run_once()
    assert log == ["late"]
    assert kernel.timeouts[-1] == 0


# --- Step 1: how long to wait --------------------------------------------------------------------------------------


def test_the_wait_is_without_end_when_nothing_is_due(scripted: Reactor, kernel: ScriptedKernel) -> None:
    kernel.report()
    scripted.run_once()
    assert kernel.timeouts == [None]


def test_the_wait_ends_at_once_when_something_is_ready_to_be_called(
    scripted: Reactor, kernel: ScriptedKernel
) -> None:
    scripted.call_later(5, list)
    scripted.call_soon(list)
    scripted.run_once()
    assert kernel.timeouts == [0]


def test_the_wait_lasts_until_the_next_deadline(scripted: Reactor, kernel: ScriptedKernel) -> None:
    scripted.call_later(7.5, list)
    scripted.call_later(2.5, list)
    scripted.run_once()
    scripted.run_once()
    assert kernel.timeouts == [2.5, 5.0]


def test_a_cancelled_timer_ends_no_wait(scripted: Reactor, kernel: ScriptedKernel) -> None:
    scripted.call_later(2.5, list).cancel()
    scripted.call_later(7.5, list)
    scripted.run_once()
    assert kernel.timeouts == [7.5]


def test_the_wait_is_never_negative(scripted: Reactor, kernel: ScriptedKernel) -> None:
    scripted.call_at(kernel.now - 3, list)
    scripted.run_once()
    assert kernel.timeouts == [0]


@pytest.mark.parametrize(("delay", "limit", "expected"), [(5, 2, 2), (2, 5, 2), (None, 2, 2), (2, None, 2)])
def test_run_once_waits_for_the_deadline_or_its_own_limit(
    scripted: Reactor, kernel: ScriptedKernel, delay: float | None, limit: float | None, expected: float
) -> None:
    if delay is not None:
        scripted.call_later(delay, list)
    scripted.run_once(limit)
    assert kernel.timeouts == [expected]


def test_a_wait_beyond_what_selectors_can_express_is_cut_into_days(
    scripted: Reactor, kernel: ScriptedKernel
) -> None:
    log = Log()
    scripted.call_later(200_000.0, log("fired"))
    scripted.run()
    assert kernel.timeouts == [86_400.0, 86_400.0, 27_200.0]
    assert log == ["fired"]
    assert scripted.wait(math.inf) == []
    assert kernel.timeouts[-1] == 86_400.0


# --- Step 3: the clock --------------------------------------------------------------------------------------------


def test_now_is_the_time_after_the_wait_for_the_whole_tick(scripted: Reactor, kernel: ScriptedKernel) -> None:
    seen: list[float] = []

    def slow() -> None:
        kernel.now += 10
        seen.append(scripted.now)

    scripted.call_soon(slow)
    scripted.call_soon(slow)
    kernel.report(after=1)
    scripted.run_once()
    assert seen == [1001.0, 1001.0]
    assert scripted.time() == 1021.0


def test_a_timer_never_fires_early_although_the_selector_returns_early(
    scripted: Reactor, kernel: ScriptedKernel
) -> None:
    log = Log()
    scripted.call_later(1.0, log("fired"))
    for _ in range(3):
        kernel.report(after=0.333)
        scripted.run_once()
        assert log == []
    scripted.run_once()
    assert log == ["fired"]
    assert kernel.now >= 1001.0


def test_a_timer_set_late_in_a_slow_tick_is_not_early(scripted: Reactor, kernel: ScriptedKernel) -> None:
    fired: list[float] = []

    def slow() -> None:
        kernel.now += 10
        scripted.call_later(1.0, lambda: fired.append(kernel.now))

    scripted.call_soon(slow)
    scripted.run()
    assert fired == [1011.0]


def test_a_timer_that_falls_due_in_a_slow_callback_fires_in_the_next_tick(
    scripted: Reactor, kernel: ScriptedKernel
) -> None:
    log = Log()

    def slow() -> None:
        kernel.now += 10

    scripted.call_at(kernel.now, slow)
    scripted.call_later(5, log("fired"))
    scripted.run_once()
    assert log == []
    scripted.run_once()
    assert log == ["fired"]
    assert kernel.timeouts == [0, 0]


def test_a_timer_that_falls_due_while_a_reader_is_slow_waits_for_the_next_tick(
    scripted: Reactor, kernel: ScriptedKernel
) -> None:
    log = Log()

    def slow() -> None:
        kernel.now += 10

    scripted.add_reader(A, slow)
    scripted.call_later(5, log("fired"))
    kernel.report((A, READ))
    scripted.run_once()
    assert log == []
    scripted.run_once()
    assert log == ["fired"]


def test_a_timer_that_is_due_at_no_number_is_refused(reactor: Reactor) -> None:
    with pytest.raises(OptionError, match="nan"):
        reactor.call_at(math.nan, list)
    with pytest.raises(OptionError, match="nan"):
        reactor.call_later(math.nan, list)
    assert not reactor.alive()


def test_a_cancelled_callback_holds_nothing(reactor: Reactor) -> None:
    class Load:
        def work(self, other: Load) -> None: ...

    load = Load()
    reference = weakref.ref(load)
    handle = reactor.call_soon(load.work, load)
    gc.disable()
    try:
        del load
        handle.cancel()
        assert reference() is None
    finally:
        gc.enable()


# --- Step 4: each event is looked at again ------------------------------------------------------------------------


@pytest.mark.parametrize("withdraw", ["forget", "remove_reader"])
def test_a_descriptor_withdrawn_in_this_batch_gets_nothing(
    scripted: Reactor, kernel: ScriptedKernel, withdraw: str
) -> None:
    log = Log()
    scripted.add_reader(A, lambda: getattr(scripted, withdraw)(B))
    scripted.add_reader(B, log("stale"))
    kernel.report((A, READ), (B, READ))
    scripted.run_once()
    assert log == []


def test_a_number_reused_in_this_batch_gets_no_event_of_its_predecessor(
    scripted: Reactor, kernel: ScriptedKernel
) -> None:
    log = Log()

    def replace() -> None:
        scripted.forget(B)
        scripted.add_reader(B, log("newcomer read"))
        scripted.add_writer(B, log("newcomer wrote"))

    scripted.add_reader(A, replace)
    scripted.add_reader(B, log("stale"))
    kernel.report((A, READ), (B, READ | WRITE))
    scripted.run_once()
    assert log == []
    kernel.report((B, READ))
    scripted.run_once()
    assert log == ["newcomer read"]


def test_a_direction_paused_in_this_batch_gets_nothing_and_the_other_one_does(
    scripted: Reactor, kernel: ScriptedKernel
) -> None:
    log = Log()
    scripted.add_reader(A, lambda: scripted.remove_reader(B))
    scripted.add_reader(B, log("read"))
    scripted.add_writer(B, log("write"))
    kernel.report((A, READ), (B, READ | WRITE))
    scripted.run_once()
    assert log == ["write"]


def test_a_writer_withdrawn_by_its_own_reader_is_not_called(scripted: Reactor, kernel: ScriptedKernel) -> None:
    log = Log()
    scripted.add_reader(A, lambda: scripted.remove_writer(A))
    scripted.add_writer(A, log("write"))
    kernel.report((A, READ | WRITE))
    scripted.run_once()
    assert log == []


def test_a_callback_replaced_in_this_batch_is_the_one_that_is_called(
    scripted: Reactor, kernel: ScriptedKernel
) -> None:
    log = Log()
    scripted.add_reader(A, lambda: scripted.add_reader(B, log("new")))
    scripted.add_reader(B, log("old"))
    kernel.report((A, READ), (B, READ))
    scripted.run_once()
    assert log == ["new"]


def test_events_that_went_stale_between_wait_and_dispatch_are_dropped(
    scripted: Reactor, kernel: ScriptedKernel
) -> None:
    log = Log()
    scripted.add_reader(A, log("stale"))
    kernel.report((A, READ))
    events = scripted.wait()
    scripted.remove_reader(A)
    scripted.dispatch(events)
    assert log == []


# --- Step 5: timers -----------------------------------------------------------------------------------------------


def test_timers_fire_by_deadline_and_ties_in_the_order_they_were_set(
    scripted: Reactor, kernel: ScriptedKernel
) -> None:
    log = Log()
    for when, name in [(3, "d"), (1, "a"), (2, "b"), (1, "a2"), (2, "b2")]:
        scripted.call_later(when, log(name))
    kernel.report(after=3)
    scripted.run_once()
    assert log == ["a", "a2", "b", "b2", "d"]


def test_a_timer_set_in_a_timer_waits_for_the_next_tick(scripted: Reactor, kernel: ScriptedKernel) -> None:
    log = Log()
    scripted.call_at(kernel.now, lambda: scripted.call_at(kernel.now - 1, log("newcomer")))
    scripted.run_once()
    assert log == []
    scripted.run_once()
    assert log == ["newcomer"]


def test_a_timer_set_by_a_reader_for_now_fires_in_the_same_tick(scripted: Reactor, kernel: ScriptedKernel) -> None:
    log = Log()
    scripted.add_reader(A, lambda: scripted.call_at(scripted.now, log("timer")))
    kernel.report((A, READ))
    scripted.run_once()
    assert log == ["timer"]


def test_a_timer_cancelled_by_another_one_of_the_same_tick_never_fires(
    scripted: Reactor, kernel: ScriptedKernel
) -> None:
    log = Log()
    cancel = Log()
    scripted.call_later(1, lambda: cancel[0]())
    second = scripted.call_later(1, log("cancelled"))
    cancel.append(second.cancel)
    scripted.run()
    assert log == []
    assert second.cancelled()


# --- Step 6: callbacks --------------------------------------------------------------------------------------------


def test_callbacks_are_called_in_order_with_their_arguments(reactor: Reactor) -> None:
    log = Log()
    reactor.call_soon(log.append, 1)
    reactor.call_soon(log.append, 2)
    reactor.call_soon(log.extend, (3, 4))
    reactor.run()
    assert log == [1, 2, 3, 4]


def test_a_callback_made_ready_by_a_callback_waits_for_the_next_tick(reactor: Reactor) -> None:
    log = Log()
    reactor.call_soon(lambda: reactor.call_soon(log("newcomer")))
    reactor.run_once()
    assert log == []
    reactor.run_once()
    assert log == ["newcomer"]


@pytest.mark.parametrize("step", ["readiness", "timer"])
def test_a_callback_made_ready_before_step_six_is_called_in_the_same_tick(
    scripted: Reactor, kernel: ScriptedKernel, step: str
) -> None:
    log = Log()
    soon: Callable[[], object] = lambda: scripted.call_soon(log("called"))  # noqa: E731
    if step == "readiness":
        scripted.add_reader(A, soon)
        kernel.report((A, READ))
    else:
        scripted.call_at(kernel.now, soon)
    scripted.run_once()
    assert log == ["called"]


def test_a_callback_that_was_called_is_not_cancelled_any_more_and_its_handle_holds_nothing(reactor: Reactor) -> None:
    class Load:
        def __call__(self) -> None:
            pass

    load = Load()
    gone = weakref.ref(load)
    handle = reactor.call_soon(load)
    del load
    reactor.run()
    assert gone() is None
    handle.cancel()
    assert not handle.cancelled()


def test_a_callback_cancelled_by_an_earlier_one_is_not_called(reactor: Reactor) -> None:
    log = Log()
    cancel = Log()
    reactor.call_soon(lambda: cancel[0]())
    second = reactor.call_soon(log("cancelled"))
    cancel.append(second.cancel)
    third = reactor.call_soon(log("third"))
    assert not second.cancelled()
    reactor.run()
    assert log == ["third"]
    assert second.cancelled()
    assert not third.cancelled()


def test_a_tick_calls_what_it_is_given_even_if_every_callback_fails(
    scripted: Reactor, kernel: ScriptedKernel
) -> None:
    errors = Errors(scripted)

    def fail(step: str) -> None:
        raise ValueError(step)

    scripted.add_reader(A, fail, "read")
    scripted.add_writer(A, fail, "write")
    scripted.add_reader(B, fail, "read B")
    scripted.call_at(kernel.now, fail, "timer")
    scripted.call_soon(fail, "callback")
    scripted.call_at_tick_end(lambda: fail("output"))
    kernel.report((A, READ | WRITE), (B, READ))
    scripted.run_once()
    assert [str(error) for error in errors] == ["read", "write", "read B", "timer", "callback", "output"]
