"""The seam: what the rest of the library may ask of an operating system.

The interface stands at the level of system calls, because that is where networks misbehave: a send that takes half of
the bytes, a receive that has nothing after all, an accept without a free descriptor. A kernel that can produce all of
these can test everything above it.

It costs nothing where it matters. A kernel *makes* sockets; the connection then calls the bound `recv` and `send` of
what it got, so there is no layer between a message and its system call.
"""

from __future__ import annotations

import selectors
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

__all__ = ["AddressInfo", "Kernel", "Signals", "Socket", "Wakeup", "Workers"]

AddressInfo: TypeAlias = tuple[int, int, int, str, Any]
"""One row of `getaddrinfo`: family, type, protocol, canonical name, socket address."""


class Socket(Protocol):
    """The part of `socket.socket` that the network layer uses. Always non-blocking."""

    @property
    def family(self) -> int: ...
    def fileno(self) -> int: ...
    def setblocking(self, flag: bool, /) -> None: ...
    def bind(self, address: Any, /) -> None: ...
    def listen(self, backlog: int, /) -> None: ...
    def accept(self) -> tuple[Socket, Any]: ...
    def connect_ex(self, address: Any, /) -> int: ...
    def recv(self, size: int, /) -> bytes: ...
    def recv_into(self, buffer: Any, size: int = 0, /) -> int: ...
    def send(self, data: Any, /) -> int: ...
    def shutdown(self, how: int, /) -> None: ...
    def close(self) -> None: ...
    def getsockopt(self, level: int, option: int, /) -> int: ...
    def setsockopt(self, level: int, option: int, value: Any, /) -> None: ...
    def getsockname(self) -> Any: ...
    def getpeername(self) -> Any: ...


class Wakeup(Protocol):
    """A descriptor that becomes readable when somebody outside the loop calls `wake`."""

    def fileno(self) -> int:
        """The readable end, for the selector."""

    def wake(self) -> None:
        """Make the descriptor readable. Safe from any thread and from a signal handler."""

    def drain(self) -> bytes:
        """Make the descriptor unreadable again; what was queued before a `wake` is visible after this.

        Returns what came: zeros, and the number of each signal.
        """

    def close(self) -> None:
        """Give up the descriptors."""


class Signals(Protocol):
    """The process's signals, noted in the main thread and announced through the wakeup."""

    def add(self, signum: int) -> None:
        """Note `signum` from now on. Raises `MisuseError` outside the main thread, `OptionError` if it cannot be."""

    def remove(self, signum: int) -> None:
        """Put back what handled `signum` before."""

    def take(self, received: bytes) -> list[int]:
        """The signals noted since the last call, in order. Raises `KeyboardInterrupt` for a guarded Ctrl-C.

        `received` is what the wakeup's `drain` returned; it is passed on to the descriptor that was woken before.
        """

    def guard_interrupt(self) -> bool:
        """From now on hold a Ctrl-C back until `take`; a second one raises at once. False where that cannot be."""

    def release_interrupt(self) -> None:
        """Undo `guard_interrupt`. Raises `KeyboardInterrupt` if one was held back and not taken."""

    def close(self) -> None:
        """Put back every handler and the process's previous wakeup descriptor."""


class Workers(Protocol):
    """Threads for calls that block."""

    def submit(self, function: Callable[..., Any], args: tuple[Any, ...], done: Callable[..., None]) -> None:
        """Call `function(*args)` in a thread, then, in that thread, `done(result, error)`; one of both is `None`."""

    def close(self) -> None:
        """Start nothing any more. What runs is left to end; what waits is dropped."""


class Kernel(ABC):
    """What a reactor runs on."""

    RESET_ON_CLOSE: bytes
    """The value for SO_LINGER that makes `close` send a reset: linger for no time at all (socket(7))."""

    selector_is_live: bool
    """Whether interest changed while another thread waits in the selector reaches that wait (epoll, kqueue)."""

    @abstractmethod
    def time(self) -> float:
        """The monotonic clock, in seconds."""

    @abstractmethod
    def selector(self) -> selectors.BaseSelector:
        """Make a selector."""

    @abstractmethod
    def socket(self, family: int, kind: int) -> Socket:
        """Make a non-blocking socket that is not inherited by child programs. Raises `OSError`."""

    @abstractmethod
    def getaddrinfo(self, host: str, port: int, flags: int = 0) -> Sequence[AddressInfo]:
        """Resolve a host name for TCP; may block. Raises `socket.gaierror`."""

    @abstractmethod
    def wakeup(self) -> Wakeup:
        """Make a wakeup."""

    @abstractmethod
    def signals(self, wakeup: Wakeup) -> Signals:
        """Make the access to signals that announces them through `wakeup`."""

    @abstractmethod
    def workers(self, purpose: str, limit: int | None = None) -> Workers:
        """Make a pool of at most `limit` threads. `purpose` is `"executor"` or `"resolver"`, for users' or look-ups."""

    @abstractmethod
    def thread_id(self) -> int:
        """A number for the running thread."""

    @abstractmethod
    def random(self) -> float:
        """A number from 0 up to, but not including, 1: for what must not be the same everywhere."""

    @abstractmethod
    def after_fork(self, callback: Callable[[], None]) -> None:
        """Call `callback` in every child process forked from now on, as long as its owner lives."""

    @abstractmethod
    def descriptor_limit(self) -> int:
        """How many descriptors this process may have open."""
