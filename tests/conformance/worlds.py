"""The implementations that the kit runs against: asyncio's selector loop and the reactor, with each selector.

asyncio is the measure: its vocabulary is the one that is promised, so its transports have to pass the same cases,
and where they do not, `differences.py` says so.

The reactor also runs over a simulated kernel: over a host's own loopback, driven by hand as the real one is, and
between two hosts, in each of the ready-made fault profiles. There the same texts meet reads and writes cut anywhere,
late and lost segments, and readiness that is none. Each case has its own seed, made from its name.
"""

from __future__ import annotations

import asyncio
import selectors
import socket
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import asdict
from functools import partial
from typing import Any
from zlib import crc32

from reactor import ConnectionOptions, DeadlockError, Reactor, connect, listen
from reactor.buffering import Budget
from reactor.errors import SimulationTimeoutError
from reactor.kernel import Kernel, SystemKernel
from reactor.loop import Phase
from reactor.network.interface import Transport
from reactor.network.options import DEFAULT_OPTIONS
from reactor.simulation import CALM, HOSTILE, LOSSY_WIFI, Host, Profile, Simulation
from tests.conformance.premises import as_far_as_promised
from tests.conformance.world import End, Limits, World

__all__ = ["PROFILES", "WORLDS", "AsyncioWorld", "LoopbackWorld", "NetworkWorld", "ReactorWorld"]

SelectorFactory = Callable[[], selectors.BaseSelector]
WorldFactory = Callable[[str], AbstractContextManager[World]]

SETTLING_TURNS = 10  # more turns than any chain of callbacks in the kit is long

SECOND = 64.0
"""Seconds of virtual time that are one second of the kit between two hosts.

The kit's deadlines are short, because a real loopback answers at once and real time is dear. Where an answer takes a
tenth of a second, and half a minute in bad luck, they are as short only in proportion. A power of two, so that it
rounds nothing.
"""

LONGEST_PAUSE = 2.0
"""Seconds of virtual time: a segment that was lost four times in a row is sent again after 1.6."""


class SocketWorld(World):
    """What worlds with sockets, real or simulated, have in common."""

    def reset(self, transport: Transport) -> None:
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, SystemKernel.RESET_ON_CLOSE)
        transport.abort()

    def shrink_kernel_buffers(self, transport: Transport) -> None:
        # Not smaller: a receive window far below the loopback's segment size (64 KiB) makes the sender wait for
        # its persist timer, 200 ms a segment.
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 * 1024)


class OneLoopWorld(SocketWorld):
    """One loop with both ends, on a loopback interface: what was sent has arrived, and only waits for its turn."""

    def settle(self) -> None:
        for _ in range(SETTLING_TURNS):
            self._turn(0.0)

    def _comes_true(self, condition: Callable[[], object]) -> bool:
        """Patience begins anew with each event, up to ten times."""
        before, quiet = self._progress(), 0
        begun = last_event = self.time()
        while not condition():
            self._turn(0.0 if quiet < SETTLING_TURNS else 0.005)
            now = self._progress()
            quiet += 1
            if now != before:
                before, quiet = now, 0
                last_event = self.time()
            if self.time() > min(last_event + self.patience, begun + 10 * self.patience):
                return False
        return True

    @abstractmethod
    def _turn(self, timeout: float) -> None:
        """Run the loop once, waiting at most `timeout` seconds for something to happen."""


class AsyncioWorld(OneLoopWorld):
    """asyncio's own transports."""

    def __init__(self, selector: SelectorFactory, near_connects: bool = False) -> None:
        super().__init__(near_connects)
        self._selector = selector()
        self._loop = asyncio.SelectorEventLoop(self._selector)
        self._loop.set_exception_handler(lambda loop, context: self.errors.append(context["exception"]))
        self._servers: list[asyncio.Server] = []
        self._connecting: list[asyncio.Task[Any]] = []

    def call_soon(self, callback: Callable[..., object], *args: object) -> None:
        self._loop.call_soon(callback, *args)

    def call_later(self, delay: float, callback: Callable[..., object], *args: object) -> None:
        self._loop.call_later(delay, callback, *args)

    def time(self) -> float:
        return self._loop.time()

    def _listen(self, factory: Callable[[], Any], limits: Limits) -> str:
        assert limits == Limits(), "asyncio has no such limits"
        server = self._loop.run_until_complete(self._loop.create_server(factory, "127.0.0.1", 0))
        self._servers.append(server)
        host, port = server.sockets[0].getsockname()
        return f"{host}:{port}"

    def _connect(self, factory: Callable[[], Any], address: str, limits: Limits) -> None:
        assert limits == Limits(), "asyncio has no such limits"
        host, port = address.rsplit(":", 1)
        self._connecting.append(self._loop.create_task(self._attempt(factory, host, int(port))))

    async def _attempt(self, factory: Callable[[], Any], host: str, port: int) -> None:
        try:
            await self._loop.create_connection(factory, host, port)
        except OSError as error:
            self.refused.append(error)

    def _turn(self, timeout: float) -> None:
        if timeout:
            self._selector.select(timeout)  # level-triggered: what is ready now is still ready below
        self._loop.call_soon(self._loop.stop)
        self._loop.run_forever()

    def _close(self) -> None:
        for server in self._servers:
            server.close()
        self._loop.run_until_complete(asyncio.gather(*self._connecting))
        self.settle()
        self._loop.close()


class ReactorWorld(OneLoopWorld):
    """The reactor's transports; without a kernel, on the one it takes by itself."""

    def __init__(self, kernel: Kernel | None = None, near_connects: bool = False) -> None:
        super().__init__(near_connects)
        self._reactor = Reactor(kernel=kernel)
        self._reactor.set_exception_handler(lambda reactor, context: self.errors.append(context["exception"]))
        self._servers: list[Any] = []

    def call_soon(self, callback: Callable[..., object], *args: object) -> None:
        self._reactor.call_soon(callback, *args)

    def call_later(self, delay: float, callback: Callable[..., object], *args: object) -> None:
        self._reactor.call_later(delay, callback, *args)

    def time(self) -> float:
        return self._reactor.time()

    def _listen(self, factory: Callable[[], End], limits: Limits) -> str:
        server = listen(self._reactor, factory, "127.0.0.1:0", options=_options(limits))
        self._servers.append(server)
        return server.addresses[0]

    def _connect(self, factory: Callable[[], End], address: str, limits: Limits) -> None:
        connect(self._reactor, factory, address, options=_options(limits), on_failure=self.refused.append)

    def _turn(self, timeout: float) -> None:
        self._reactor.run_once(timeout)

    def _close(self) -> None:
        for server in self._servers:
            server.close()
        self._reactor.close()


class LoopbackWorld(ReactorWorld):
    """The same over the loopback interface of a simulated host, by a reactor that is run by hand."""

    def __init__(self, simulation: Simulation, near_connects: bool = False) -> None:
        self._host = simulation.host("here")
        super().__init__(self._host.kernel, near_connects)

    def _descriptors(self) -> frozenset[int]:
        return super()._descriptors() | set(self._host.kernel.process.files)


class NetworkWorld(SocketWorld):
    """Two hosts of a simulation with a reactor each, and a network between them: every answer takes its time."""

    patience = 100.0  # under virtual time it costs nothing

    def __init__(self, simulation: Simulation, near_connects: bool = False) -> None:
        self._simulation = simulation
        self._server, self._client = simulation.host("server"), simulation.host("client")
        super().__init__(near_connects)
        self._reactors = [host.reactor for host in self._near_and_far()]
        for reactor in self._reactors:
            reactor.set_exception_handler(lambda reactor, context: self.errors.append(context["exception"]))
        self._servers: list[Any] = []

    def settle(self) -> None:
        """Until nothing is under way: what comes after a pause longer than any segment's is a deadline."""
        self._simulation.run_for(0.0)
        for pause in self._pauses():
            if pause >= LONGEST_PAUSE:
                break
            self._simulation.run_for(pause)

    def call_soon(self, callback: Callable[..., object], *args: object) -> None:
        self._running().call_soon(callback, *args)

    def call_later(self, delay: float, callback: Callable[..., object], *args: object) -> None:
        self._running().call_later(delay * SECOND, callback, *args)

    def time(self) -> float:
        return self._simulation.time() / SECOND

    def _near_and_far(self) -> tuple[Host, Host]:
        return (self._client, self._server) if self._near_connects else (self._server, self._client)

    def _running(self) -> Reactor:
        """The reactor whose callback this is, or the near end's."""
        near, _ = self._reactors
        return next((reactor for reactor in self._reactors if reactor.phase not in (Phase.NEW, Phase.IDLE)), near)

    def _pauses(self) -> Iterator[float]:
        """The seconds from now to the next event, again and again."""
        while (when := self._simulation.world.clock.next_event()) is not None:
            yield max(0.0, when - self._simulation.time())

    def _comes_true(self, condition: Callable[[], object]) -> bool:
        try:
            self._simulation.run(until=condition, within=self.patience * SECOND)
        except (DeadlockError, SimulationTimeoutError):
            return False
        return True

    def _descriptors(self) -> frozenset[int]:
        tables = [host.kernel.process.files for host in (self._server, self._client)]
        return super()._descriptors().union(*tables)

    def _listen(self, factory: Callable[[], End], limits: Limits) -> str:
        address = f"{self._server.addresses[0]}:0"
        server = listen(self._server.reactor, factory, address, options=_options(limits, SECOND))
        self._servers.append(server)
        return server.addresses[0]

    def _connect(self, factory: Callable[[], End], address: str, limits: Limits) -> None:
        options = _options(limits, SECOND)
        connect(self._client.reactor, factory, address, options=options, on_failure=self.refused.append)

    def _close(self) -> None:
        for server in self._servers:
            server.close()
        for reactor in self._reactors:
            reactor.close()


def _options(limits: Limits, second: float = 1.0) -> ConnectionOptions:
    """The options of a connection, in a world whose seconds last so many."""
    given = {name: value for name, value in asdict(limits).items() if value is not None}
    for name in ("connect_timeout", "idle_timeout", "write_timeout", "drain_timeout"):
        seconds = given.get(name, getattr(DEFAULT_OPTIONS, name))
        given[name] = None if seconds is None else seconds * second
    if limits.budget is not None:
        given["budget"] = Budget(limits.budget)
    return ConnectionOptions(**given)


def _selectors() -> dict[str, type[selectors.BaseSelector]]:
    """The stdlib's selectors that this platform has, by short name."""
    names = ("Select", "Poll", "Epoll", "Devpoll", "Kqueue")
    found = {name.lower(): getattr(selectors, f"{name}Selector", None) for name in names}
    return {name: selector for name, selector in found.items() if selector is not None}


PROFILES = {"calm": CALM, "lossy_wifi": LOSSY_WIFI, "hostile": HOSTILE}


def _worlds() -> dict[str, WorldFactory]:
    worlds: dict[str, WorldFactory] = {
        "reactor": partial(_real, ReactorWorld),
        "reactor-connecting": partial(_real, partial(ReactorWorld, near_connects=True)),
    }
    for name, selector in _selectors().items():
        worlds[f"reactor-{name}"] = partial(_real, partial(_reactor_with, selector))
        worlds[f"asyncio-{name}"] = partial(_real, partial(AsyncioWorld, selector))
    for name, profile in PROFILES.items():
        worlds[f"simulation-{name}"] = partial(_simulated, NetworkWorld, profile, False)
        worlds[f"simulation-{name}-connecting"] = partial(_simulated, NetworkWorld, profile, True)
        worlds[f"simulation-{name}-loopback"] = partial(_simulated, LoopbackWorld, profile, False)
    return worlds


def _reactor_with(selector: SelectorFactory) -> World:
    return ReactorWorld(SystemKernel(selector))


def _real(make: Callable[[], World], case: str) -> AbstractContextManager[World]:
    return closing(make())


@contextmanager
def _simulated(
    make: Callable[[Simulation, bool], World], profile: Profile, near_connects: bool, case: str
) -> Iterator[World]:
    """A world in a simulation of its own, which tells an error on its way out how to repeat the run."""
    seed = crc32(f"{case} {make.__name__} {near_connects}".encode())
    with (
        Simulation(seed, profile=as_far_as_promised(case, profile)) as simulation,
        closing(make(simulation, near_connects)) as world,
    ):
        yield world


WORLDS = _worlds()
"""Every world by name, as a function that makes a new one for a case; the near end accepts, or connects.

It is closed at the end of the `with` block.
"""
