"""The real kernel: the operating system of this machine, through the standard library."""

from __future__ import annotations

import os
import select
import selectors
import socket
import struct
import sys
import threading
import time
import weakref
from collections.abc import Callable, Sequence

from reactor.kernel.interface import AddressInfo, Kernel, Signals, Socket, Wakeup, Workers
from reactor.kernel.signals import SystemSignals
from reactor.kernel.threads import ThreadWorkers
from reactor.kernel.wakeup import SystemWakeup

__all__ = ["SystemKernel"]


def _default_selector() -> selectors.BaseSelector:
    if hasattr(select, "epoll"):
        from reactor.kernel.epoll import LeanEpollSelector  # noqa: PLC0415 - there is no select.epoll elsewhere

        return LeanEpollSelector()
    return selectors.DefaultSelector()


class SystemKernel(Kernel):
    """The operating system as it is.

    `selector` makes the selector: any `selectors.BaseSelector`. The default is a lean one of our own where there is
    epoll, and `selectors.DefaultSelector` elsewhere.
    """

    def __init__(self, selector: Callable[[], selectors.BaseSelector] | None = None) -> None:
        """Open nothing yet."""
        self._make_selector = selector or _default_selector
        self.selector_is_live = True
        self._selector_limit = sys.maxsize  # descriptors that the selector can watch

    RESET_ON_CLOSE = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)  # struct linger: onoff, seconds
    time = staticmethod(time.monotonic)
    thread_id = staticmethod(threading.get_ident)

    def selector(self) -> selectors.BaseSelector:
        """Make a selector."""
        selector = self._make_selector()
        # epoll and kqueue have a descriptor of their own, and keep their set in the kernel; poll and select are handed
        # theirs with each call, and a call under way does not see what has changed since.
        self.selector_is_live = hasattr(selector, "fileno")
        if isinstance(selector, selectors.SelectSelector):
            self._selector_limit = 512 if sys.platform == "win32" else 1024  # FD_SETSIZE: select(2)
        return selector

    def socket(self, family: int, kind: int) -> Socket:
        """Make a non-blocking socket that is not inherited by child programs."""
        sock = socket.socket(family, kind)
        sock.setblocking(False)
        return sock

    def getaddrinfo(self, host: str, port: int, flags: int = 0) -> Sequence[AddressInfo]:
        """Resolve a host name for TCP; may block for as long as the resolver likes."""
        try:
            return socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=flags)
        except UnicodeError as exc:  # what the idna codec says of a label that is empty or too long
            raise socket.gaierror(socket.EAI_NONAME, f"not a host name: {host!r}") from exc

    def wakeup(self) -> Wakeup:
        """Make a wakeup."""
        return SystemWakeup()

    def signals(self, wakeup: Wakeup) -> Signals:
        """Make the access to this process's signals."""
        assert isinstance(wakeup, SystemWakeup)
        return SystemSignals(wakeup)

    def workers(self, purpose: str, limit: int | None = None) -> Workers:
        """Make a pool of threads."""
        return ThreadWorkers(f"reactor-{purpose}", limit)

    def random(self) -> float:
        """A number from 0 up to, but not including, 1: from os.urandom, as importing `random` takes a millisecond."""
        return int.from_bytes(os.urandom(6), "big") / (1 << 48)

    def after_fork(self, callback: Callable[[], None]) -> None:
        """Call the bound method `callback` in every child forked from now on, as long as its object lives."""
        _watch_forks()
        _after_fork[callback.__self__] = callback.__func__  # type: ignore[attr-defined]

    def descriptor_limit(self) -> int:
        """The soft limit of RLIMIT_NOFILE (getrlimit(2)); 512, the C library's, where there is no such thing.

        No more than the selector can watch, once there is one.
        """
        try:
            import resource  # noqa: PLC0415 - not on Windows
        except ImportError:
            return min(512, self._selector_limit)
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return min(soft if soft != resource.RLIM_INFINITY else 1 << 20, self._selector_limit)


# `os.register_at_fork` cannot be undone, so there is one hook for the process, which knows the reactors weakly.
_after_fork: weakref.WeakKeyDictionary[object, Callable[[object], None]] = weakref.WeakKeyDictionary()
_watching_forks = False


def _watch_forks() -> None:
    global _watching_forks
    if not _watching_forks and hasattr(os, "register_at_fork"):
        _watching_forks = True
        os.register_at_fork(after_in_child=_tell_child)


def _tell_child() -> None:
    for owner, method in list(_after_fork.items()):
        method(owner)
