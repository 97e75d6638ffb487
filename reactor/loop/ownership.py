"""Who may use a reactor, and when.

A reactor has no locks, so everything depends on one thread using it, one thing at a time. Nothing would fail at once if
two did; a callback would get lost, a day later. So the rules are checked where they can be broken, which costs one
comparison, and the error says what to do instead:

- A reactor belongs to the first thread that runs it. Until then it belongs to whoever prepares it.
- It does one thing at a time: a callback cannot run the loop that is calling it.
- A forked child gets a copy of everything, the kernel's selector included, but shares that one with its parent. There
  only `close()` works.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from reactor.errors import ClosedError, ForkedError, ReentryError, WrongThreadError

__all__ = ["Ownership", "Phase"]

_NOBODY = 0


class Phase(Enum):
    """What a reactor is doing."""

    NEW = "new"  # being prepared: the first thread that runs it will own it
    IDLE = "idle"  # between two ticks
    WAITING = "waiting"  # in the selector
    DISPATCHING = "dispatching"  # calling callbacks
    CLOSING = "closing"  # telling everybody that it ends
    CLOSED = "closed"
    FORKED = "forked"  # a copy in a child process


class Ownership:
    """The owner of one reactor, and its phase."""

    __slots__ = ("__weakref__", "_owner", "_thread_id", "phase")

    def __init__(self, thread_id: Callable[[], int]) -> None:
        """`thread_id` tells the running thread."""
        self._thread_id = thread_id
        self._owner = thread_id()
        self.phase = Phase.NEW

    def check(self) -> None:
        """Go on only in the owning thread. Raises a `MisuseError` otherwise."""
        if self._thread_id() != self._owner:
            if self.phase is not Phase.NEW:
                self.refuse()
            self._owner = self._thread_id()

    def enter(self) -> None:
        """Go on only in the owning thread, and if nothing is under way. Raises a `MisuseError` otherwise."""
        if self.phase is Phase.NEW:
            self._owner = self._thread_id()
            self.phase = Phase.IDLE
        if self.phase is not Phase.IDLE or self._thread_id() != self._owner:
            self.refuse()

    def check_usable(self) -> None:
        """Go on in any thread, unless the reactor is closed or forked."""
        if self.phase is Phase.CLOSED or self.phase is Phase.FORKED:
            self.refuse_anybody()

    def close(self) -> None:
        """Nobody may use it any more."""
        self.phase = Phase.CLOSED
        self._owner = _NOBODY

    def forked(self) -> None:
        """Note that we are a copy, in a child process."""
        if self.phase is not Phase.CLOSED:
            self.phase = Phase.FORKED
            self._owner = _NOBODY

    def refuse(self) -> None:
        """Raise the error that says what is wrong."""
        if self._owner not in (_NOBODY, self._thread_id()):
            raise WrongThreadError("this reactor belongs to another thread: reach it with call_soon_threadsafe()")
        self.refuse_anybody()

    def refuse_anybody(self) -> None:
        """Raise the error that says what is wrong, whichever thread asks."""
        if self.phase is Phase.CLOSED:
            raise ClosedError("this reactor is closed: make a new one")
        if self.phase is Phase.FORKED:
            raise ForkedError("this reactor belongs to the parent process: close() it here and make a new one")
        raise ReentryError(
            f"this reactor is {self.phase.value} already: from a callback, return to its run() instead, or stop() it"
        )
