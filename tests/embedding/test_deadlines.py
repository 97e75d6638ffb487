"""What a host is told about when a tick is due."""

from __future__ import annotations

import pytest

from reactor import Reactor
from reactor.errors import OptionError
from reactor.kernel import SystemKernel
from tests.loop.kit import READ, SELECTORS, Log, ScriptedKernel
from tests.loop.worlds import WITHOUT_DESCRIPTOR


def test_nothing_is_due_when_there_is_nothing(reactor: Reactor) -> None:
    assert reactor.next_deadline() is None


def test_the_next_deadline_is_the_earliest_timers(reactor: Reactor) -> None:
    now = reactor.time()
    reactor.call_at(now + 5, list)
    sooner = reactor.call_at(now + 2, list)
    assert reactor.next_deadline() == now + 2
    sooner.cancel()
    assert reactor.next_deadline() == now + 5


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


def test_the_hook_is_told_of_what_is_due_earlier_and_of_nothing_else(reactor: Reactor) -> None:
    told = Log()
    now = reactor.time()
    reactor.set_deadline_hook(told.append)
    assert reactor.next_deadline() is None
    for delay in (5, 7, 3, 4):
        reactor.call_at(now + delay, list)
    assert told == [now + 5, now + 3]
    assert reactor.next_deadline() == now + 3
    reactor.call_at(now + 3.5, list)
    reactor.call_at(now + 2, list)
    assert told == [now + 5, now + 3, now + 2]


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


def test_the_hook_is_not_called_inside_a_tick(reactor: Reactor) -> None:
    told = Log()
    reactor.call_soon(lambda: (reactor.call_soon(list), reactor.call_later(1, list)))
    reactor.set_deadline_hook(told.append)
    reactor.next_deadline()
    reactor.run_once(0)
    assert told == []


def test_a_hook_can_be_taken_away(reactor: Reactor) -> None:
    told = Log()
    reactor.set_deadline_hook(told.append)
    reactor.set_deadline_hook(None)
    reactor.call_soon(list)
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
        if name in WITHOUT_DESCRIPTOR:
            with pytest.raises(OptionError, match=r"wait\(\) in a thread"):
                reactor.fileno()
        else:
            assert reactor.fileno() >= 0
