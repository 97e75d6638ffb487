"""A host that cannot watch descriptors lets a helper thread wait, and dispatches in its own."""

from __future__ import annotations

import errno
import queue
import select
import selectors
import socket
import threading

import pytest

from reactor import Reactor
from reactor.kernel import SystemKernel
from reactor.loop import Phase
from reactor.loop.readiness import Events
from tests.loop.kit import Log, in_turn
from tests.loop.worlds import World, system_only

pytestmark = system_only("a thread that waits in the selector while another one works")


class Helper:
    """Waits on request. What the reactor's owner does meanwhile is the test."""

    def __init__(self, reactor: Reactor) -> None:
        self.reactor = reactor
        self._waits: queue.Queue[tuple[float | None] | None] = queue.Queue()
        self._events: queue.Queue[Events] = queue.Queue()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        while (wait := self._waits.get()) is not None:
            self._events.put(self.reactor.wait(wait[0]))

    def start(self, timeout: float | None = 10_000) -> None:
        """Return when it is as good as in the selector."""
        self._waits.put((timeout,))
        while self.reactor.phase is not Phase.WAITING:
            pass

    def finish(self) -> None:
        """Dispatch what the wait brought, which ends by itself, or the test hangs and fails."""
        self.reactor.dispatch(self._events.get(timeout=30))

    def tick(self, timeout: float | None) -> None:
        self._waits.put((timeout,))
        self.finish()

    def __enter__(self) -> Helper:
        return self

    def __exit__(self, *_: object) -> None:
        if self.reactor.phase is Phase.WAITING:
            self.reactor.stop()
        self._waits.put(None)
        self._thread.join(30)


def test_what_becomes_ready_ends_the_wait(world: World, reactor: Reactor) -> None:
    log = Log()
    with world.pipe() as (reading, writing), Helper(reactor) as helper:
        reactor.add_reader(reading, lambda: log.append(reading.recv(1)))
        helper.start()
        writing.send(b"x")
        helper.finish()
        reactor.remove_reader(reading)
    assert log == [b"x"]


def test_a_callback_ends_the_wait(reactor: Reactor) -> None:
    log = Log()
    with Helper(reactor) as helper:
        for n in range(50):
            helper.start()
            reactor.call_soon(log.append, n)
            helper.finish()
    assert log == list(range(50))


def test_a_callback_set_after_the_deadline_was_asked_and_before_the_wait_began_is_not_overslept(
    reactor: Reactor,
) -> None:
    """The host asks, hands the answer to its helper, and before that one is in the selector the answer is outdated."""
    log = Log()
    with Helper(reactor) as helper:
        for n in range(50):
            deadline = reactor.next_deadline()
            assert deadline is None
            reactor.call_soon(log.append, n)
            helper.tick(deadline)
            deadline = reactor.next_deadline()
            reactor.call_later(0, log.append, n)
            helper.tick(deadline)
    assert log == [n for n in range(50) for _ in range(2)]


def test_a_timer_ends_a_wait_that_would_oversleep_it(reactor: Reactor) -> None:
    log = Log()
    with Helper(reactor) as helper:
        helper.start()
        reactor.call_later(0, log("fired"))
        helper.finish()
    assert log == ["fired"]


def test_a_reader_added_meanwhile_is_heard(world: World, reactor: Reactor) -> None:
    log = Log()
    with world.pipe() as (reading, writing), Helper(reactor) as helper:
        writing.send(b"x")
        helper.start()
        reactor.add_reader(reading, lambda: log.append(reading.recv(1)))
        helper.finish()
        while not log:  # a selector that is not live was only woken, and sees it in the next wait
            helper.tick(10_000)
        reactor.remove_reader(reading)
    assert log == [b"x"]


def test_a_writer_added_meanwhile_is_heard(reactor: Reactor) -> None:
    log = Log()
    ours, theirs = socket.socketpair()
    with ours, theirs, Helper(reactor) as helper:
        reactor.add_reader(ours, log("read"))
        helper.start()
        reactor.add_writer(ours, log("write"))
        helper.finish()
        while not log:
            helper.tick(10_000)
        reactor.forget(ours.fileno())
    assert log == ["write"]


def test_a_reader_withdrawn_meanwhile_gets_nothing(world: World, reactor: Reactor) -> None:
    log = Log()
    with world.pipe() as (reading, writing), Helper(reactor) as helper:
        reactor.add_reader(reading, log("stale"))
        helper.start()
        assert reactor.remove_reader(reading)
        writing.send(b"x")
        reactor.call_soon(log("called"))
        helper.finish()
        while "called" not in log:
            helper.tick(10_000)
    assert log == ["called"]


def test_a_descriptor_forgotten_and_closed_meanwhile_gets_nothing(reactor: Reactor) -> None:
    log = Log()
    ours, theirs = socket.socketpair()
    with theirs, Helper(reactor) as helper:
        reactor.add_reader(ours, log("stale"))
        reactor.add_writer(theirs, in_turn(log("other"), lambda: reactor.remove_writer(theirs)))
        helper.tick(10_000)
        assert log == ["other"]
        helper.start()
        reactor.forget(ours.fileno())
        ours.close()
        reactor.call_soon(log("called"))
        helper.finish()
        while "called" not in log:
            helper.tick(10_000)
    assert log == ["other", "called"]


class Deaf(selectors.SelectSelector):
    """Enters select(2) only when it is allowed to, with the descriptors it was called for."""

    def __init__(self) -> None:
        super().__init__()
        self.may_enter = threading.Event()

    def select(self, timeout: float | None = None) -> Events:
        readers = set(self._readers)  # type: ignore[attr-defined]
        self.may_enter.wait()
        select.select(readers, [], [], 0)
        return super().select(timeout)


def test_a_descriptor_closed_just_before_select_is_entered_does_no_harm() -> None:
    """select(2) is handed a list, and answers EBADF when one of them was closed on the way."""
    log = Log()
    selector = Deaf()
    ours, theirs = socket.socketpair()
    with Reactor(kernel=SystemKernel(lambda: selector)) as reactor, theirs, Helper(reactor) as helper:
        reactor.add_reader(ours, log("stale"))
        helper.start()
        reactor.forget(ours.fileno())
        ours.close()
        selector.may_enter.set()
        helper.finish()
        reactor.call_soon(log("called"))
        helper.tick(0)
    assert log == ["called"]


def test_a_descriptor_closed_without_a_word_is_not_hidden() -> None:
    ours, theirs = socket.socketpair()
    with Reactor(kernel=SystemKernel(selectors.SelectSelector)) as reactor, theirs:
        reactor.add_reader(ours, list)
        number = ours.fileno()
        ours.close()
        with pytest.raises(OSError, match="descriptor") as caught:
            reactor.wait(0)
        assert caught.value.errno == errno.EBADF
        assert reactor.phase is Phase.NEW
        reactor.forget(number)


def test_other_threads_and_stop_end_the_wait(reactor: Reactor) -> None:
    log = Log()
    with Helper(reactor) as helper:
        helper.start()
        thread = threading.Thread(target=reactor.call_soon_threadsafe, args=(log("called"),))
        thread.start()
        helper.finish()
        thread.join()
        assert log == ["called"]
        helper.start()
        reactor.stop()
        helper.finish()
        reactor.run()


def test_a_wait_before_the_first_tick_does_not_make_the_helper_the_owner(reactor: Reactor) -> None:
    log = Log()
    with Helper(reactor) as helper:
        helper.tick(0)
        assert reactor.phase is Phase.IDLE
        reactor.call_soon(log("called"))
        helper.tick(10_000)
    assert log == ["called"]


def test_a_whole_program_runs_with_a_helper(world: World, reactor: Reactor) -> None:
    log = Log()
    with world.pipe() as (reading, writing), Helper(reactor) as helper:

        def read() -> None:
            log.append(reading.recv(1))
            if len(log) == 5:
                reactor.remove_reader(reading)

        reactor.add_reader(reading, read)
        for n in range(5):
            reactor.call_later(n / 1000, writing.send, b"%d" % n)
        while reactor.alive():
            deadline = reactor.next_deadline()
            helper.tick(None if deadline is None else max(0, deadline - reactor.time()))
    assert log == [b"0", b"1", b"2", b"3", b"4"]
