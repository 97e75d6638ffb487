"""When run() goes on, and when it returns."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from reactor import ClosedError, Reactor
from reactor.loop import Phase
from tests.loop.kit import Log
from tests.loop.worlds import World, system_only


class Something:
    """A resource."""

    def __init__(self, reactor: Reactor) -> None:
        self.reactor = reactor
        self.ended = ""
        reactor.attach(self)

    def shut(self) -> None:
        self.ended = "shut"
        self.reactor.detach(self)

    def forked(self) -> None:
        self.ended = "forked"

    def disown(self) -> None:
        self.ended = "disowned"

    def describe(self) -> dict[str, Any]:
        return {"kind": "something"}


def test_run_returns_at_once_when_there_is_nothing(reactor: Reactor) -> None:
    assert not reactor.alive()
    reactor.run()


def test_run_returns_when_nothing_ready_remains(reactor: Reactor) -> None:
    log = Log()
    reactor.call_soon(log("called"))
    assert reactor.alive()
    reactor.run()
    assert log == ["called"]
    assert not reactor.alive()


def test_a_timer_keeps_it_running_until_it_has_fired(reactor: Reactor) -> None:
    log = Log()
    reactor.call_later(0.001, log("fired"))
    assert reactor.alive()
    reactor.run()
    assert log == ["fired"]
    assert not reactor.alive()


@pytest.mark.parametrize("way", ["reader", "writer"])
def test_a_watched_descriptor_keeps_it_running_until_it_is_withdrawn(
    world: World, reactor: Reactor, way: str
) -> None:
    with world.pipe() as (reading, writing):
        if way == "reader":
            reactor.add_reader(reading, lambda: reactor.remove_reader(reading))
            reactor.call_later(0.001, writing.send, b"x")
        else:
            reactor.add_writer(writing, lambda: reactor.remove_writer(writing))
        assert reactor.alive()
        reactor.run()
        assert not reactor.alive()


def test_a_job_keeps_it_running_until_its_outcome_has_been_called_back(world: World, reactor: Reactor) -> None:
    gate = world.gate()
    log = Log()
    reactor.run_in_executor(log("done"), gate.wait)
    assert reactor.alive()
    reactor.call_later(0.001, gate.open)
    reactor.run()
    assert log == ["done"]
    assert not reactor.alive()


def test_a_resource_keeps_it_running_until_it_is_detached(reactor: Reactor) -> None:
    resource = Something(reactor)
    assert reactor.alive()
    reactor.call_later(0.001, reactor.detach, resource)
    reactor.run()
    assert not reactor.alive()


def test_detaching_what_is_not_attached_is_harmless(reactor: Reactor) -> None:
    resource = Something(reactor)
    reactor.detach(resource)
    reactor.detach(resource)
    assert not reactor.alive()


def test_stop_in_a_callback_ends_run_after_this_tick(reactor: Reactor) -> None:
    log = Log()
    reactor.call_soon(reactor.stop)
    reactor.call_soon(log("same tick"))
    reactor.call_soon(lambda: reactor.call_soon(log("next tick")))
    reactor.run()
    assert log == ["same tick"]
    reactor.run()
    assert log == ["same tick", "next tick"]


def test_stop_before_run_makes_it_return_at_once_and_only_once(reactor: Reactor) -> None:
    log = Log()
    reactor.call_soon(log("called"))
    reactor.stop()
    reactor.run()
    assert log == []
    reactor.run()
    assert log == ["called"]


def test_a_stop_that_nobody_has_heeded_does_not_make_run_once_spin(reactor: Reactor) -> None:
    reactor.stop()
    log = Log()
    reactor.call_later(0.05, log("fired"))
    ticks = 0
    while not log:
        reactor.run_once()
        ticks += 1
    assert ticks < 20


def test_a_stop_inside_run_once_has_nothing_to_do_with_a_later_run(reactor: Reactor) -> None:
    log = Log()
    reactor.call_soon(reactor.stop)
    reactor.run_once()
    reactor.call_soon(reactor.call_soon, log("ran"))
    reactor.run()
    assert log == ["ran"]


def test_stop_from_another_thread_wakes_a_sleeping_loop(world: World, reactor: Reactor) -> None:
    def stop() -> None:
        while reactor.phase is not Phase.WAITING:
            pass
        reactor.stop()

    timer = reactor.call_later(10_000, list)
    thread = world.thread()
    thread.start(stop)
    reactor.run()
    thread.join()
    assert not timer.cancelled()
    assert reactor.alive()


def test_stop_after_the_end_is_harmless(reactor: Reactor) -> None:
    reactor.close()
    reactor.stop()
    with pytest.raises(ClosedError):
        reactor.run()


def test_run_once_is_one_tick(reactor: Reactor) -> None:
    log = Log()
    reactor.call_soon(lambda: reactor.call_soon(log("second tick")))
    reactor.run_once()
    assert log == []
    reactor.run_once(0)
    assert log == ["second tick"]


def test_run_once_with_nothing_ready_returns_at_its_limit(reactor: Reactor) -> None:
    reactor.call_later(10_000, list)
    reactor.run_once(0)
    reactor.run_once(0.001)


def test_run_can_be_called_again(reactor: Reactor) -> None:
    log = Log()
    for n in range(3):
        reactor.call_soon(log(n))
        reactor.run()
    assert log == [0, 1, 2]


def test_a_reactor_describes_how_it_stands(world: World, reactor: Reactor) -> None:
    Something(reactor)
    reactor.call_later(10_000, list)
    reactor.call_soon(list)
    gate = world.gate()
    reactor.run_in_executor(Log()("done"), gate.wait)
    assert reactor.describe() == {
        "kind": "reactor",
        "phase": "new",
        "descriptors": 1,
        "timers": 1,
        "ready": 1,
        "jobs": 1,
        "resources": [{"kind": "something"}],
    }
    gate.open()


# --- From other threads -------------------------------------------------------------------------------------------


def test_callbacks_from_eight_threads_all_arrive_each_threads_in_order(world: World, reactor: Reactor) -> None:
    each = 500
    arrived: dict[int, list[int]] = {n: [] for n in range(8)}
    where: set[int] = set()

    def arrive(thread: int, number: int) -> None:
        where.add(world.kernel.thread_id())
        arrived[thread].append(number)
        if all(len(numbers) == each for numbers in arrived.values()):
            reactor.stop()

    def call(thread: int) -> None:
        while reactor.phase is not Phase.WAITING and not any(arrived.values()):
            pass  # they begin together
        for number in range(each):
            reactor.call_soon_threadsafe(arrive, thread, number)

    threads = [world.thread() for _ in range(8)]
    for n, thread in enumerate(threads):
        thread.start(call, n)
    reactor.call_later(10_000, list)
    reactor.run()
    for thread in threads:
        thread.join()
    assert arrived == {n: list(range(each)) for n in range(8)}
    assert where == {world.kernel.thread_id()}


@system_only("threads that wait for the loop")
def test_no_wakeup_is_lost_over_many_rounds(reactor: Reactor) -> None:
    """Each thread goes on only after its callback was called, so one lost wakeup is the end of it."""
    rounds, left = 200, 8

    def play() -> None:
        nonlocal left
        for _ in range(rounds):
            called = threading.Event()
            reactor.call_soon_threadsafe(called.set)
            assert called.wait(30)
        reactor.call_soon_threadsafe(leave)

    def leave() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            timer.cancel()

    timer = reactor.call_later(10_000, list)
    threads = [threading.Thread(target=play) for _ in range(left)]
    for thread in threads:
        thread.start()
    reactor.run()
    for thread in threads:
        thread.join()
    assert left == 0


def test_a_callback_from_another_thread_can_be_cancelled(world: World, reactor: Reactor) -> None:
    log = Log()
    handle = world.thread().call(reactor.call_soon_threadsafe, log("called"))
    handle.cancel()
    reactor.run()
    assert log == []
    assert handle.cancelled()
