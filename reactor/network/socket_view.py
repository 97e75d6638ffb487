"""A connection's socket, to look at and to set options of.

The socket itself is the connection's. Whoever closed or detached it would take the descriptor out of the loop's hands
while the loop watches its number, which soon is somebody else's. So `get_extra_info("socket")` shows this, as asyncio
does.
"""

from __future__ import annotations

from typing import Any

from reactor.kernel import Socket

__all__ = ["TransportSocket"]


class TransportSocket:
    """The part of a socket that can be used without taking it from its connection."""

    __slots__ = ("_socket",)

    def __init__(self, sock: Socket) -> None:
        """Show `sock`."""
        self._socket = sock

    @property
    def family(self) -> int:
        """The address family, AF_INET or AF_INET6."""
        return self._socket.family

    def fileno(self) -> int:
        """The descriptor's number; -1 once the connection is closed."""
        return self._socket.fileno()

    def getsockopt(self, level: int, option: int) -> int:
        """Read a socket option: socket(7), tcp(7). Raises `OSError`."""
        return self._socket.getsockopt(level, option)

    def setsockopt(self, level: int, option: int, value: Any) -> None:
        """Set a socket option. Raises `OSError`."""
        self._socket.setsockopt(level, option, value)

    def getsockname(self) -> Any:
        """The local address. Raises `OSError` once the connection is closed."""
        return self._socket.getsockname()

    def getpeername(self) -> Any:
        """The peer's address. Raises `OSError` once the peer or the connection is gone."""
        return self._socket.getpeername()

    def __repr__(self) -> str:
        """Whose socket it is."""
        return f"<socket of a connection, descriptor {self._socket.fileno()}>"
