"""What a non-blocking program says to the kernel, and what the kernel answers: one line per system call.

    selector  select() -> listener readable
    listener  accept() -> server 1 for 127.0.0.1:53414
    listener  accept() -> EAGAIN
    server 1  send(38 bytes) -> 38

`EAGAIN` is the answer that makes the difference. A blocking socket would put the thread to sleep there, until somebody
comes; a non-blocking one says "nothing now", and the thread goes on to the next socket. `EINPROGRESS` is its sister for
`connect`. When it is worth asking again is the selector's business: `select` is the one call that sleeps.

Nothing of this is known to the code that is being watched. Every socket comes from the reactor's kernel, and this one
makes sockets that speak. `client 1`, `client 2`, … are called so in the order of their `connect`, `server 1` is the
server's end of `client 1`.
"""

from __future__ import annotations

import errno
import selectors
import socket
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from reactor.kernel import Socket, SystemKernel
from reactor.network.address import format_address

__all__ = ["TracingKernel"]


class TracingKernel(SystemKernel):
    """The operating system, with a line for each system call on a socket; `show` is called with every line."""

    def __init__(self, show: Callable[[str], object]) -> None:
        super().__init__()
        self.show = show
        self.names: dict[int, str] = {}  # by descriptor
        self.clients: dict[Any, str] = {}  # a client's number, by the address that the server will see

    def socket(self, family: int, kind: int) -> Socket:
        sock = super().socket(family, kind)
        self.names[sock.fileno()] = "a socket"  # until we see what it is used for
        self.show(f"a socket  socket() -> descriptor {sock.fileno()}")
        return cast(Socket, _TracedSocket(self, sock))

    def selector(self) -> selectors.BaseSelector:
        selector = super().selector()
        select = selector.select

        def traced_select(timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            ready = select(timeout)
            names = [f"{self.names.get(key.fd, 'wakeup')} {_EVENTS[mask]}" for key, mask in ready]
            self.show(f"selector  select() -> {', '.join(names) or 'nothing, the time is up'}")
            return ready

        selector.select = traced_select  # type: ignore[method-assign]
        return selector


class _TracedSocket:
    def __init__(self, kernel: TracingKernel, sock: Any) -> None:
        self._kernel = kernel
        self._socket = sock

    def __getattr__(self, call: str) -> Any:
        method = getattr(self._socket, call)
        return method if call in _NO_SYSTEM_CALL else partial(self._traced, call, method)

    def _traced(self, call: str, method: Callable[..., Any], *args: Any) -> Any:
        kernel, descriptor = self._kernel, self._socket.fileno()
        if call == "listen":
            kernel.names[descriptor] = "listener"
        elif call == "connect_ex":
            kernel.names[descriptor] = f"client {len(kernel.clients) + 1}"
        asked = f"{kernel.names[descriptor]:<9} {call.removesuffix('_ex')}({_arguments(call, args)})"
        try:
            answer = method(*args)
        except OSError as exc:
            kernel.show(f"{asked} -> {_error(exc.errno)}")
            raise
        if call == "connect_ex":  # the handshake has begun, so the client has its address
            shown = _error(answer)
            kernel.clients[self._socket.getsockname()] = str(len(kernel.clients) + 1)
        elif call == "accept":
            sock, address = answer
            kernel.names[sock.fileno()] = f"server {kernel.clients.get(address, '?')}"
            shown = f"{kernel.names[sock.fileno()]} for {format_address(address)}"
            answer = _TracedSocket(kernel, sock), address
        else:
            shown = _in_words(answer)
        kernel.show(f"{asked} -> {shown}")
        return answer


_NO_SYSTEM_CALL = ("fileno", "family")  # Python knows them without asking
_EVENTS = {1: "readable", 2: "writable", 3: "readable and writable"}
_CONSTANTS = {
    ("setsockopt", socket.SOL_SOCKET, socket.SO_REUSEADDR): "SO_REUSEADDR",
    ("setsockopt", socket.SOL_SOCKET, socket.SO_LINGER): "SO_LINGER",
    ("setsockopt", socket.IPPROTO_TCP, socket.TCP_NODELAY): "TCP_NODELAY",
    ("getsockopt", socket.SOL_SOCKET, socket.SO_ERROR): "SO_ERROR",
    ("shutdown", socket.SHUT_WR): "SHUT_WR",
}


def _error(code: int | None) -> str:
    return errno.errorcode.get(code, str(code)) if code else "0"


def _arguments(call: str, args: tuple[Any, ...]) -> str:
    named = _CONSTANTS.get((call, *args[:2]))
    return ", ".join(map(_in_words, args) if named is None else [named, *map(_in_words, args[2:])])


def _in_words(value: Any) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value)} bytes" if len(value) else "0 bytes, the end of the stream"
    if isinstance(value, tuple):
        return format_address(value)
    return "done" if value is None else str(value)
