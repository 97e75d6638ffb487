from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from reactor import Reactor
from reactor.loop import Phase
from tests.loop.kit import Errors, Log, in_turn
from tests.loop.test_running import Something
from tests.loop.worlds import World


def test_close_can_be_called_twice(reactor: Reactor) -> None:
    reactor.run_once(0)
    reactor.close()
    reactor.close()
    assert reactor.phase is Phase.CLOSED


def test_a_reactor_is_a_context_manager(reactor: Reactor) -> None:
    with reactor as same:
        assert same is reactor
    assert reactor.phase is Phase.CLOSED


def test_leaving_the_context_by_an_exception_closes(reactor: Reactor) -> None:
    with pytest.raises(LookupError), reactor:
        raise LookupError
    assert reactor.phase is Phase.CLOSED


def test_close_shuts_every_resource(reactor: Reactor) -> None:
    resources = [Something(reactor) for _ in range(3)]
    reactor.close()
    assert [resource.ended for resource in resources] == ["shut"] * 3


def test_a_resource_that_fails_to_end_is_reported_and_the_others_end(reactor: Reactor) -> None:
    class Stubborn(Something):
        def shut(self) -> None:
            raise ValueError("no")

    errors = Errors(reactor)
    stubborn, other = Stubborn(reactor), Something(reactor)
    reactor.close()
    assert [str(error) for error in errors] == ["no"]
    assert errors.contexts[0]["source"] is stubborn
    assert other.ended == "shut"
    assert reactor.phase is Phase.CLOSED


def test_an_interrupt_in_a_last_callback_goes_through_and_close_can_be_called_again(reactor: Reactor) -> None:
    class Interrupted(Something):
        def shut(self) -> None:
            super().shut()
            raise KeyboardInterrupt

    interrupted, other = Interrupted(reactor), Something(reactor)
    with pytest.raises(KeyboardInterrupt):
        reactor.close()
    assert interrupted.ended == "shut"
    assert other.ended == ""
    reactor.close()
    assert other.ended == "shut"
    assert reactor.phase is Phase.CLOSED


def test_nothing_is_called_after_close(world: World, reactor: Reactor) -> None:
    log = Log()
    with world.pipe() as (reading, writing):
        writing.send(b"x")
        reactor.add_reader(reading, log("reader"))
        reactor.call_soon(log("callback"))
        reactor.call_later(0, log("timer"))
        reactor.call_at_tick_end(log("output"))
        reactor.close()
    assert log == []
    assert not reactor.alive()


@pytest.mark.parametrize("ran", [False, True])
def test_close_with_everything_left_leaves_no_descriptor_and_without_the_collector_no_object(
    world: World, ran: bool
) -> None:
    class Load:
        def work(self, *_: Any) -> None: ...

    def use() -> list[weakref.ref[Any]]:
        reactor = Reactor(kernel=world.kernel)
        loads = [Load() for _ in range(9)]
        log = Log()
        gate = world.gate()
        with world.pipe() as (reading, writing), world.pair() as (sock, _):
            reactor.add_reader(reading, loads[0].work)
            reactor.add_writer(writing, loads[1].work, loads[1])
            if ran:
                reactor.run_once(0)
            reactor.call_later(100, loads[2].work)
            kept = reactor.call_later(100, loads[3].work)
            every = reactor.call_every(100, loads[4].work, loads[4])
            reactor.call_soon(loads[5].work)
            reactor.call_at_tick_end(loads[6].work)
            job = reactor.run_in_executor(loads[7].work, in_turn(log("started"), gate.wait))
            world.until(lambda: log == ["started"])
            reactor.set_deadline_hook(loads[8].work)
            reactor.set_exception_handler(lambda _, context: reactor.stop())
            reactor.shared["something"] = sock
            reactor.close()
            gate.open()
            world.let_workers_end()
        assert kept.cancelled()
        assert job.cancelled()
        del every
        return [weakref.ref(reactor), *map(weakref.ref, loads)]

    gc.collect()
    gc.disable()
    try:
        descriptors = world.open_descriptors()
        references = use()
        assert [reference() for reference in references] == [None] * len(references)
        assert world.open_descriptors() == descriptors
    finally:
        gc.enable()


def test_a_reactor_that_could_not_be_made_leaves_no_descriptor(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_selector() -> Any:
        raise OSError("no descriptors left")

    descriptors = world.open_descriptors()
    monkeypatch.setattr(world.kernel, "selector", no_selector)
    with pytest.raises(OSError, match="no descriptors left"):
        Reactor(kernel=world.kernel)
    assert world.open_descriptors() == descriptors
