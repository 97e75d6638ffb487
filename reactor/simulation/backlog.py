"""What a listening socket keeps: connections that wait for a program to accept them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

__all__ = ["Backlog"]


class Waiting(Protocol):
    """A connection that nobody has accepted yet."""

    def abort(self) -> None:
        """Nobody ever will."""


T = TypeVar("T", bound=Waiting)


class Backlog(Generic[T]):
    """The connections that wait for a program to accept them."""

    def __init__(self, limit: int, changed: Callable[[], object], prepare: Callable[[T], object]) -> None:
        """Linux keeps one more than `limit`, which is what listen(2) was given.

        `changed` is told that there is another one, and `prepare` gives a new one what it inherits.
        """
        self.limit = limit
        self.changed = changed
        self.prepare = prepare
        self.ready: deque[T] = deque()
        self.half_open: dict[T, None] = {}

    def is_full(self) -> bool:
        """Whether the kernel drops further requests."""
        return len(self.ready) > self.limit

    def close(self) -> None:
        """Nobody will accept them any more: reset them."""
        for end in (*self.ready, *self.half_open):
            end.abort()
        self.ready.clear()
        self.half_open.clear()
