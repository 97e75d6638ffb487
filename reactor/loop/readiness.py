"""Who wants to know about which descriptor: the selector, with one callback for each direction.

Two rules of the kernel shape this file.

**A batch of events grows stale while it is worked on.** The selector reports fifty descriptors; the callback of the
first closes the second, and opens a new connection that gets the second one's number. An event must therefore be
looked at again just before it is dispatched. Here that costs one attribute: the event carries the *registration*, an
object and not a number, and a registration that is withdrawn has forgotten its callbacks.

**Interest in nothing is still interest.** epoll reports errors and hang-ups for everything it knows, asked or not
(epoll_ctl(2), EPOLLHUP). A connection that wants neither to read nor to write would make a loop spin as soon as the
peer hangs up. So a descriptor without a callback is unregistered.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from selectors import BaseSelector, SelectorKey
from typing import Any, TypeAlias

from reactor.errors import OptionError

__all__ = ["READ", "WRITE", "Callback", "Events", "Readiness", "Registration"]

READ, WRITE = 1, 2
"""The bits of an event mask, as in `selectors`."""

_NOT_WATCHABLE = (errno.EPERM, errno.EBADF)

Callback: TypeAlias = Callable[[], object]
Events: TypeAlias = list[tuple[SelectorKey, int]]
"""What a selector returns: who is ready, and for what."""


class Registration:
    """The callbacks of one descriptor. Each event's key carries its registration as `data`."""

    __slots__ = ("reader", "writer")

    def __init__(self) -> None:
        """Want nothing yet."""
        self.reader: Callback | None = None
        self.writer: Callback | None = None


class Readiness:
    """The callbacks of all descriptors. The selector itself is the one table of them."""

    __slots__ = ("_keys", "_selector")

    def __init__(self, selector: BaseSelector) -> None:
        """Watch nothing yet."""
        self._selector = selector
        self._keys: Mapping[Any, SelectorKey] = selector.get_map()

    def __len__(self) -> int:
        """How many descriptors are watched."""
        return len(self._keys)

    def set_reader(self, fd: int, callback: Callback | None) -> bool:
        """Call `callback` whenever `fd` is readable, or stop; returns whether there was a callback before."""
        registration = self._registration(fd)
        before, registration.reader = registration.reader, callback
        if (before is None) != (callback is None):
            self._update(fd, registration)
        return before is not None

    def set_writer(self, fd: int, callback: Callback | None) -> bool:
        """Call `callback` whenever `fd` is writable, or stop; returns whether there was a callback before."""
        registration = self._registration(fd)
        before, registration.writer = registration.writer, callback
        if (before is None) != (callback is None):
            self._update(fd, registration)
        return before is not None

    def forget(self, fd: int) -> None:
        """Watch `fd` no longer, before it is closed."""
        if fd in self._keys:
            registration = self._registration(fd)
            registration.reader = registration.writer = None
            self._selector.unregister(fd)

    def clear(self) -> None:
        """Forget all callbacks, without a word to the selector, which is about to be closed."""
        for key in self._keys.values():
            key.data.reader = key.data.writer = None

    def _registration(self, fd: int) -> Registration:
        if fd < 0:
            raise OptionError(f"{fd} is no descriptor: is the file or socket closed?")
        key = self._keys.get(fd)
        return Registration() if key is None else key.data

    def _update(self, fd: int, registration: Registration) -> None:
        """Tell the selector after one direction was switched on or off."""
        events = (READ if registration.reader is not None else 0) | (WRITE if registration.writer is not None else 0)
        if events == 0:
            self.forget(fd)
        elif fd in self._keys:
            self._selector.modify(fd, events, registration)
        else:
            try:
                self._selector.register(fd, events, registration)
            except (OSError, ValueError) as exc:
                if isinstance(exc, OSError) and exc.errno not in _NOT_WATCHABLE:
                    raise  # no memory, too many watches: not the caller's mistake
                raise OptionError(_refusal(fd, exc)) from exc


def _refusal(fd: int, exc: Exception) -> str:
    if getattr(exc, "errno", None) == errno.EPERM:
        return (
            f"descriptor {fd} is a regular file or directory, which is always ready, so the selector refuses it "
            "(epoll_ctl(2), EPERM): read it in bounded pieces, or with run_in_executor()"
        )
    return f"descriptor {fd} cannot be watched: {exc}"
