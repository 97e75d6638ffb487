"""The implementations that the kit runs against: asyncio's selector loop and the reactor, with each selector.

asyncio is the measure: its vocabulary is the one that is promised, so its transports have to pass the same cases,
and where they do not, `differences.py` says so.
"""

from __future__ import annotations

import asyncio
import selectors
import socket
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from reactor import ConnectionOptions, Reactor, connect, listen
from reactor.buffering import Budget
from reactor.kernel import SystemKernel
from reactor.network.interface import Transport
from tests.conformance.world import End, Limits, World

__all__ = ["WORLDS", "AsyncioWorld", "ReactorWorld"]

SelectorFactory = Callable[[], selectors.BaseSelector]


class SocketWorld(World):
    """What worlds of real sockets have in common."""

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


class AsyncioWorld(SocketWorld):
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


class ReactorWorld(SocketWorld):
    """The reactor's transports; without a selector, with the one it takes by itself."""

    def __init__(self, selector: SelectorFactory | None = None, near_connects: bool = False) -> None:
        super().__init__(near_connects)
        self._reactor = Reactor(kernel=SystemKernel(selector=selector)) if selector else Reactor()
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


def _options(limits: Limits) -> ConnectionOptions:
    given = {name: value for name, value in asdict(limits).items() if value is not None}
    if limits.budget is not None:
        given["budget"] = Budget(limits.budget)
    return ConnectionOptions(**given)


def _selectors() -> dict[str, type[selectors.BaseSelector]]:
    """The stdlib's selectors that this platform has, by short name."""
    names = ("Select", "Poll", "Epoll", "Devpoll", "Kqueue")
    found = {name.lower(): getattr(selectors, f"{name}Selector", None) for name in names}
    return {name: selector for name, selector in found.items() if selector is not None}


def _worlds() -> dict[str, Callable[[], World]]:
    worlds: dict[str, Callable[[], World]] = {
        "reactor": ReactorWorld,
        "reactor-connecting": lambda: ReactorWorld(near_connects=True),
    }
    for name, selector in _selectors().items():
        worlds[f"reactor-{name}"] = lambda selector=selector: ReactorWorld(selector)  # type: ignore[misc]
        worlds[f"asyncio-{name}"] = lambda selector=selector: AsyncioWorld(selector)  # type: ignore[misc]
    return worlds


WORLDS = _worlds()
"""Every world by name, as a function that makes a new one; the near end accepts, or (once) connects."""
