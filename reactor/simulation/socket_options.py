"""The socket options that the simulated kernel knows. What it does not know it refuses, by name."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any, TypeAlias

from reactor.errors import UnmodelledError
from reactor.kernel import SystemKernel

__all__ = ["KEEPALIVE", "RCVBUF", "REUSEADDR", "SNDBUF", "V6ONLY", "SocketOptions"]

Option: TypeAlias = tuple[int, int]

V6ONLY: Option = (socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
REUSEADDR: Option = (socket.SOL_SOCKET, socket.SO_REUSEADDR)
SNDBUF: Option = (socket.SOL_SOCKET, socket.SO_SNDBUF)
KEEPALIVE: Option = (socket.SOL_SOCKET, socket.SO_KEEPALIVE)
RCVBUF: Option = (socket.SOL_SOCKET, socket.SO_RCVBUF)

_LINGER: Option = (socket.SOL_SOCKET, socket.SO_LINGER)
_NODELAY: Option = (socket.IPPROTO_TCP, socket.TCP_NODELAY)  # without effect: nothing here delays small segments
_FLAGS = (V6ONLY, REUSEADDR, KEEPALIVE, _NODELAY)

_SMALLEST_BUFFER = {SNDBUF: 4608, RCVBUF: 2304}
"""Bytes, as Linux has them."""


class SocketOptions:
    """The options of one socket."""

    __slots__ = ("values",)

    def __init__(self, values: Mapping[Option, Any] | None = None) -> None:
        """Begin with `values`."""
        self.values = dict(values or {})
        """What was set."""

    def copy(self) -> SocketOptions:
        """The same for an accepted connection, which inherits them."""
        return SocketOptions(self.values)

    def is_on(self, option: Option) -> bool:
        """Whether a flag was set."""
        return bool(self.values.get(option))

    @property
    def reset_on_close(self) -> bool:
        """Whether `close` sends a reset: to linger for no time at all (socket(7), SO_LINGER)."""
        return self.values.get(_LINGER) == SystemKernel.RESET_ON_CLOSE

    def get(self, option: Option, defaults: Mapping[Option, int]) -> int:
        """The value. Raises `UnmodelledError`."""
        if option not in _FLAGS and option not in defaults:
            raise UnmodelledError(f"the simulated kernel does not model the socket option {option}")
        return int(self.values.get(option, defaults.get(option, 0)))

    def set(self, option: Option, value: Any) -> None:
        """Set it. Raises `UnmodelledError`."""
        if option in _FLAGS:
            self.values[option] = int(bool(value))
        elif option in (SNDBUF, RCVBUF):
            self.values[option] = max(_SMALLEST_BUFFER[option], 2 * value)  # doubled, as Linux does
        elif option == _LINGER:
            if value[:4] != bytes(4) and value != SystemKernel.RESET_ON_CLOSE:
                raise UnmodelledError("the simulated kernel does not model a close() that blocks (SO_LINGER)")
            self.values[option] = bytes(value)
        else:
            raise UnmodelledError(f"the simulated kernel does not model the socket option {option}")
