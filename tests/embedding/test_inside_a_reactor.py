"""Hosted by another reactor: the same contract as for any other host, where no other host can be had."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from reactor import Protocol, Reactor, connect, listen
from tests.loop.kit import Log, in_turn
from tests.loop.worlds import World


class Host:
    """The reactor that sleeps for both."""

    def __init__(self, outer: Reactor, inner: Reactor) -> None:
        self.reactor = outer
        self.ticks = 0
        self._inner = inner
        self._timer = outer.call_soon(list)
        outer.add_reader(inner.fileno(), self._tick)
        inner.set_deadline_hook(self._due)
        self._due(inner.next_deadline())

    def run(self) -> None:
        """Until the inner one has nothing to wait for any more."""
        while self._inner.alive():
            self.reactor.run_once()

    def _tick(self) -> None:
        self.ticks += 1
        self._inner.run_once(0)
        self._due(self._inner.next_deadline())

    def _due(self, when: float | None) -> None:
        self._timer.cancel()
        if when is not None:
            self._timer = self.reactor.call_at(when, self._tick)


@pytest.fixture
def host(world: World, hostable: Reactor) -> Iterator[Host]:
    with Reactor(kernel=world.kernel) as outer:
        yield Host(outer, hostable)


def test_timers_fire_in_order_and_never_early(host: Host, hostable: Reactor) -> None:
    fired: list[tuple[str, bool]] = []
    now = hostable.time()

    def note(name: str, due: float) -> None:
        fired.append((name, hostable.time() >= due))

    for name, delay in (("late", 0.02), ("early", 0.002), ("now", 0.0)):
        hostable.call_at(now + delay, note, name, now + delay)
    host.run()
    assert fired == [("now", True), ("early", True), ("late", True)]


def test_what_becomes_readable_wakes_it_through_its_descriptor(world: World, host: Host, hostable: Reactor) -> None:
    log = Log()
    with world.pair() as (ours, theirs):
        hostable.add_reader(ours, in_turn(lambda: log.append(ours.recv(1)), lambda: hostable.remove_reader(ours)))
        host.reactor.call_later(0.001, theirs.send, b"x")
        host.run()
    assert log == [b"x"]


def test_callbacks_of_the_host_and_of_the_hosted_alternate(host: Host, hostable: Reactor) -> None:
    log = Log()

    def play(here: Reactor, there: Reactor, rounds: int) -> None:
        log.append(rounds)
        if rounds:
            there.call_soon(play, there, here, rounds - 1)

    hostable.call_soon(play, hostable, host.reactor, 10)
    while log[-1:] != [0]:
        host.reactor.run_once()
    assert log == list(range(10, -1, -1))


def test_other_threads_wake_it_through_its_descriptor(world: World, host: Host, hostable: Reactor) -> None:
    log = Log()
    timer = hostable.call_later(10_000, list)
    world.thread().start(hostable.call_soon_threadsafe, in_turn(log("called"), timer.cancel))
    host.run()
    hostable.run_in_executor(in_turn(log("done")), int)
    host.run()
    assert log == ["called", "done"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_signal_wakes_it(world: World, host: Host, hostable: Reactor) -> None:
    log = Log()
    timer = hostable.call_later(10_000, list)
    hostable.add_signal_handler(signal.SIGUSR1, in_turn(log("USR1"), timer.cancel))
    host.reactor.call_later(0.001, world.kill, signal.SIGUSR1)
    host.run()
    assert log == ["USR1"]


def test_a_server_inside_serves_a_client_outside(host: Host, hostable: Reactor) -> None:
    class Echo(Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.transport.write(data)

    class Client(Protocol):
        def connection_made(self, transport: Any) -> None:
            self.got = b""
            self.transport = transport
            transport.write(message)

        def data_received(self, data: bytes) -> None:
            self.got += data
            if len(self.got) == len(message):
                assert self.got == message
                self.transport.close()

        def connection_lost(self, exc: BaseException | None) -> None:
            ended.append(exc)
            server.close()

    message = bytes(range(256)) * 2_000
    ended = Log()
    server = listen(hostable, Echo, "127.0.0.1:0")
    connect(host.reactor, Client, server.addresses[0])
    host.run()
    assert ended == [None]


def test_when_it_is_idle_it_costs_its_host_nothing(host: Host, hostable: Reactor) -> None:
    hostable.call_later(10_000, list)
    ticks = host.ticks
    for _ in range(50):
        host.reactor.call_soon(list)
        host.reactor.run_once()
    assert host.ticks <= ticks + 1  # the wakeup's byte may not have been read yet
