"""Hosted by asyncio: one thread, asyncio's loop sleeps for both."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from reactor import Protocol, Reactor, connect, listen
from reactor.loop import Phase
from tests.loop.kit import Errors, Log, a_pipe, in_turn
from tests.loop.worlds import system_only

pytestmark = system_only("asyncio sleeps in a selector of its own")

Scenario = Callable[[Reactor, "Host"], Awaitable[None]]


class Host:
    """All that it takes: a descriptor to watch, a timer for the deadline, a hook for an earlier one."""

    def __init__(self, reactor: Reactor, halves: bool) -> None:
        self.reactor = reactor
        self.ticks = 0
        self._halves = halves
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._loop.add_reader(reactor.fileno(), self._tick)
        reactor.set_deadline_hook(self._due)
        self._due(reactor.next_deadline())

    def _tick(self) -> None:
        self.ticks += 1
        if self._halves:
            self.reactor.dispatch(self.reactor.wait(0))
        else:
            self.reactor.run_once(0)
        self._due(self.reactor.next_deadline())

    def _due(self, when: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if when is None else self._loop.call_at(when, self._tick)

    def leave(self) -> None:
        self.reactor.set_deadline_hook(None)
        self._due(None)
        self._loop.remove_reader(self.reactor.fileno())


@pytest.fixture(params=["run_once", "wait and dispatch"])
def hosted(request: pytest.FixtureRequest, hostable: Reactor) -> Callable[[Scenario], None]:
    """Runs a scenario in asyncio with the reactor inside."""

    async def live(scenario: Scenario) -> None:
        host = Host(hostable, halves=request.param != "run_once")
        try:
            async with asyncio.timeout(30):
                await scenario(hostable, host)
        finally:
            host.leave()

    def play(scenario: Scenario) -> None:
        asyncio.run(live(scenario))

    return play


Hosted = Callable[[Scenario], None]


class Echo(Protocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


def test_a_server_of_the_reactor_serves_clients_of_asyncio(hosted: Hosted) -> None:
    async def scenario(reactor: Reactor, host: Host) -> None:
        async def talk(number: int) -> None:
            reader, writer = await asyncio.open_connection(address, int(port))
            message = b"%d" % number * 50_000
            writer.write(message)
            assert await reader.readexactly(len(message)) == message
            writer.close()
            await writer.wait_closed()

        server = listen(reactor, Echo, "127.0.0.1:0")
        address, port = server.addresses[0].rsplit(":", 1)
        await asyncio.gather(*(talk(n) for n in range(10)))
        server.close()

    hosted(scenario)


def test_a_client_of_the_reactor_talks_to_a_server_of_asyncio(hosted: Hosted) -> None:
    async def scenario(reactor: Reactor, host: Host) -> None:
        ended: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        class Client(Protocol):
            def connection_made(self, transport: Any) -> None:
                self.got = b""
                transport.write(b"hello")
                transport.write_eof()

            def data_received(self, data: bytes) -> None:
                self.got += data

            def connection_lost(self, exc: BaseException | None) -> None:
                ended.set_result(self.got)

        async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write((await reader.read()).upper())
            writer.close()
            await writer.wait_closed()

        server = await asyncio.start_server(shout, "127.0.0.1", 0)
        async with server:
            host_name, port = server.sockets[0].getsockname()
            connect(reactor, Client, f"{host_name}:{port}")
            assert await ended == b"HELLO"

    hosted(scenario)


def test_a_callback_from_an_asyncio_callback_wakes_it(hosted: Hosted) -> None:
    async def scenario(reactor: Reactor, host: Host) -> None:
        for n in range(10):
            called = asyncio.Event()
            asyncio.get_running_loop().call_soon(reactor.call_soon, called.set)
            await called.wait()
            assert host.ticks <= 2 * (n + 1)

    hosted(scenario)


def test_a_timer_from_an_asyncio_callback_fires_and_never_early(hosted: Hosted) -> None:
    async def scenario(reactor: Reactor, host: Host) -> None:
        fired: asyncio.Queue[tuple[str, float]] = asyncio.Queue()
        due = {name: reactor.time() + delay for name, delay in [("late", 0.02), ("early", 0.002), ("now", 0.0)]}

        def note(name: str) -> None:
            fired.put_nowait((name, reactor.time()))

        reactor.call_later(10_000, list)
        for name, when in due.items():
            reactor.call_at(when, note, name)
        for expected in ("now", "early", "late"):
            name, when = await fired.get()
            assert name == expected
            assert when >= due[name]

    hosted(scenario)


def test_a_timer_set_in_a_tick_wakes_the_host(hosted: Hosted) -> None:
    async def scenario(reactor: Reactor, host: Host) -> None:
        fired = asyncio.Event()
        reactor.call_soon(lambda: reactor.call_later(0.002, lambda: reactor.call_soon(fired.set)))
        await fired.wait()

    hosted(scenario)


def test_other_threads_wake_it_through_its_descriptor(hosted: Hosted) -> None:
    async def scenario(reactor: Reactor, host: Host) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(20):
            called = asyncio.Event()
            await loop.run_in_executor(None, reactor.call_soon_threadsafe, called.set)
            await called.wait()
        done: asyncio.Future[Any] = loop.create_future()
        reactor.run_in_executor(lambda *outcome: done.set_result(outcome), threading.get_ident)
        result, error = await done
        assert error is None
        assert result != threading.get_ident()

    hosted(scenario)


def test_interest_changed_from_outside_is_seen(hosted: Hosted) -> None:
    async def scenario(reactor: Reactor, host: Host) -> None:
        with a_pipe() as (reading, writing):
            os.write(writing, b"x")
            read = asyncio.Event()
            reactor.add_reader(reading, in_turn(lambda: os.read(reading, 1), read.set))
            await read.wait()
            reactor.remove_reader(reading)
            os.write(writing, b"x")
            ticks = host.ticks
            for _ in range(10):
                await asyncio.sleep(0)
            assert host.ticks <= ticks + 1

    hosted(scenario)


def test_an_idle_reactor_costs_its_host_no_ticks(hosted: Hosted) -> None:
    async def scenario(reactor: Reactor, host: Host) -> None:
        reactor.call_later(10_000, list)
        for _ in range(50):
            await asyncio.sleep(0)
        assert host.ticks <= 1

    hosted(scenario)


def test_an_error_in_a_callback_does_not_reach_the_host(hosted: Hosted) -> None:
    async def scenario(reactor: Reactor, host: Host) -> None:
        errors = Errors(reactor)
        called = asyncio.Event()

        def fail() -> None:
            raise ValueError

        reactor.call_soon(fail)
        reactor.call_soon(called.set)
        await called.wait()
        assert [type(error) for error in errors] == [ValueError]
        assert reactor.phase is Phase.IDLE

    hosted(scenario)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_each_gets_its_own_signals(hosted: Hosted) -> None:
    async def scenario(reactor: Reactor, host: Host) -> None:
        loop = asyncio.get_running_loop()
        log = Log()
        for number in range(5):
            theirs, ours = asyncio.Event(), asyncio.Event()
            loop.add_signal_handler(signal.SIGUSR1, theirs.set)
            reactor.add_signal_handler(signal.SIGUSR2, ours.set)
            os.kill(os.getpid(), signal.SIGUSR1)
            os.kill(os.getpid(), signal.SIGUSR2)
            await theirs.wait()
            await ours.wait()
            log.append(number)
        reactor.remove_signal_handler(signal.SIGUSR2)
        after = asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR1, after.set)
        os.kill(os.getpid(), signal.SIGUSR1)
        await after.wait()
        loop.remove_signal_handler(signal.SIGUSR1)
        assert log == [0, 1, 2, 3, 4]

    hosted(scenario)
