"""What you get back when you ask for something later: a handle, to change your mind with.

A cancelled handle forgets its callback and arguments at once. Whatever they hold (a connection, a big buffer) is free
even if the handle itself stays in some queue for a while.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

__all__ = ["Call", "Handle", "bind", "called_off", "unbound"]

Call: TypeAlias = Callable[[], object]
"""A callback with its arguments: all that the loop has to know of either."""


def bind(callback: Callable[..., object], args: tuple[Any, ...]) -> Call:
    """Put a callback and its arguments together. Raises `TypeError` if it cannot be called."""
    if not callable(callback):
        raise TypeError(f"a callback must be callable, and this is not: {callback!r}")
    return partial(callback, *args) if args else callback


def unbound(call: Call | None) -> Callable[..., object] | None:
    """The callback in what `bind` made of it."""
    return call.func if isinstance(call, partial) else call


def made() -> None:
    """What stands in the place of a call that was made."""


def called_off() -> None:
    """What stands in the place of a call that was cancelled."""


class Handle:
    """A callback that the next tick will call, unless it is cancelled."""

    __slots__ = ("_call",)

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        """Made by `call_soon`; there is no other use for it."""
        self._call = bind(callback, args)

    def cancel(self) -> None:
        """Do not call it. Does nothing if it was called or cancelled already."""
        if self._call is not made:
            self._call = called_off

    def cancelled(self) -> bool:
        """Whether it was cancelled before it was called."""
        return self._call is called_off

    def take(self) -> Call | None:
        """For the loop: what is to be called now, once, and then forgotten; `None` if it was cancelled."""
        call = self._call
        if call is called_off:
            return None
        self._call = made
        return call
