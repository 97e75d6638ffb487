"""What a host is told about when a tick is due."""

from __future__ import annotations

import pytest

from reactor import Reactor
from reactor.errors import OptionError
from reactor.kernel import SystemKernel
from tests.loop.kit import READ, SELECTORS, Log, ScriptedKernel


def test_nothing_is_due_when_there_is_nothing(scripted: Reactor) -> None:
    assert scripted.next_deadline() is None


def test_the_next_deadline_is_the_earliest_timers(scripted: Reactor) -> None:
    scripted.call_later(5, list)
    sooner = scripted.call_later(2, list)
    assert scripted.next_deadline() == 1002.0
    sooner.cancel()
    assert scripted.next_deadline() == 1005.0


def test_the_deadline_is_now_when_something_is_ready_to_be_called(scripted: Reactor, kernel: ScriptedKernel) -> None:
    scripted.call_later(5, list)
    scripted.call_soon(list)
    kernel.now += 1
    assert scripted.next_deadline() == 1001.0


def test_a_newcomer_of_this_tick_makes_the_next_one_due_now(scripted: Reactor, kernel: ScriptedKernel) -> None:
    scripted.call_soon(lambda: scripted.call_soon(list))
    scripted.run_once(0)
    assert scripted.next_deadline() == kernel.now
    scripted.run_once(0)
    assert scripted.next_deadline() is None


def test_the_hook_is_told_of_what_is_due_earlier_and_of_nothing_else(scripted: Reactor) -> None:
    told = Log()
    scripted.set_deadline_hook(told.append)
    assert scripted.next_deadline() is None
    scripted.call_later(5, list)
    scripted.call_later(7, list)
    scripted.call_later(3, list)
    scripted.call_later(4, list)
    assert told == [1005.0, 1003.0]
    assert scripted.next_deadline() == 1003.0
    scripted.call_later(3.5, list)
    scripted.call_at(1002, list)
    assert told == [1005.0, 1003.0, 1002]


def test_the_hook_is_told_now_for_a_callback(scripted: Reactor, kernel: ScriptedKernel) -> None:
    told = Log()
    scripted.call_later(5, list)
    scripted.set_deadline_hook(told.append)
    scripted.next_deadline()
    kernel.now += 1
    scripted.call_soon(list)
    kernel.now += 1
    scripted.call_soon(list)  # it knows already
    assert told == [1001.0]


def test_the_hook_is_not_called_inside_a_tick(scripted: Reactor) -> None:
    told = Log()
    scripted.call_soon(lambda: (scripted.call_soon(list), scripted.call_later(1, list)))
    scripted.set_deadline_hook(told.append)
    scripted.next_deadline()
    scripted.run_once(0)
    assert told == []


def test_a_hook_can_be_taken_away(scripted: Reactor) -> None:
    told = Log()
    scripted.set_deadline_hook(told.append)
    scripted.set_deadline_hook(None)
    scripted.call_soon(list)
    assert told == []


def test_a_tick_can_be_taken_in_two_halves(scripted: Reactor, kernel: ScriptedKernel) -> None:
    log = Log()
    scripted.add_reader(7, log("readable"))
    scripted.call_later(1, log("timer"))
    kernel.report((7, READ), after=1)
    events = scripted.wait(5)
    assert log == []
    scripted.dispatch(events)
    assert log == ["readable", "timer"]
    scripted.call_soon(log("callback"))
    scripted.dispatch()
    assert log == ["readable", "timer", "callback"]


@pytest.mark.parametrize("name", SELECTORS)
def test_a_reactor_has_a_descriptor_where_its_selector_has_one(name: str) -> None:
    with Reactor(kernel=SystemKernel(SELECTORS[name])) as reactor:
        if name in ("poll", "select"):
            with pytest.raises(OptionError, match=r"wait\(\) in a thread"):
                reactor.fileno()
        else:
            assert reactor.fileno() >= 0
