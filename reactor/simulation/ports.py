"""Which socket has which local port: the rules of bind(2), as far as a server meets them."""

from __future__ import annotations

import errno
from typing import Protocol

from reactor.network.oserrors import os_error
from reactor.simulation.addresses import Address, wildcard
from reactor.simulation.streams import Streams

__all__ = ["Bound", "Ports"]

_FIRST, _LAST = 32_768, 60_999  # ip(7): ip_local_port_range


class Bound(Protocol):
    """A socket with a local address."""

    def is_listening(self) -> bool:
        """Whether it accepts connections."""


class Ports:
    """The ports of one host."""

    def __init__(self, streams: Streams) -> None:
        """All are free."""
        self._streams = streams
        self._bound: dict[Bound, tuple[Address, bool]] = {}
        self._last = _FIRST - 1

    def free(self) -> int:
        """A port that nobody has, of those that are for clients."""
        used = {address[1] for address, _ in self._bound.values()}
        for _ in range(_FIRST, _LAST + 1):
            self._last = self._last + 1 if self._last < _LAST else _FIRST
            if self._last not in used and not self._streams.is_used(self._last):
                return self._last
        raise os_error(errno.EADDRNOTAVAIL)

    def take(self, sock: Bound, address: Address, *, reuse: bool) -> bool:
        """Bind `sock` to `address`, if that can be."""
        for other, (taken, reusable) in self._bound.items():
            if _overlap(taken, address) and not (reuse and reusable and not other.is_listening()):
                return False
        if not reuse and self._streams.is_used(address[1]):
            return False
        self._bound[sock] = (address, reuse)
        return True

    def listen(self, sock: Bound, address: Address) -> bool:
        """Whether `sock` may listen where it is bound."""
        return not any(
            other is not sock and _overlap(taken, address) and other.is_listening()
            for other, (taken, _) in self._bound.items()
        )

    def give_back(self, sock: Bound) -> None:
        """`sock` is closed."""
        self._bound.pop(sock, None)


def _overlap(one: Address, other: Address) -> bool:
    same_family = (":" in one[0]) == (":" in other[0])
    anywhere = wildcard(one[0])
    return one[1] == other[1] and same_family and (one[0] == other[0] or anywhere in (one[0], other[0]))
