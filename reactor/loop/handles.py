"""What you get back when you ask for something later: a handle, to change your mind with.

A cancelled handle forgets its callback and arguments at once. Whatever they hold (a connection, a big buffer) is free
even if the handle itself stays in some queue for a while.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

__all__ = ["Call", "Handle", "Job", "bind", "unbound"]

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


class Job:
    """A function that runs in a thread; its outcome is called back in the loop, unless the job is cancelled."""

    __slots__ = ("_callback", "_cancelled", "_forget", "_hand_over")

    def __init__(
        self,
        callback: Callable[[Any, BaseException | None], object],
        hand_over: Callable[..., object],
        forget: Callable[[Job], object],
    ) -> None:
        """Made by `run_in_executor` and `resolve`.

        `hand_over` calls back in the loop's thread; `forget` is told when there is nothing to wait for any more.
        """
        self._callback: Callable[[Any, BaseException | None], object] | None = callback
        self._cancelled = False
        self._hand_over = hand_over
        self._forget = forget

    def cancel(self) -> None:
        """Do not call back. A function that has begun runs on, unheard: no thread can be stopped from outside."""
        if self._callback is not None:
            self._cancelled = True
            self._callback = None
            self._forget(self)

    def cancelled(self) -> bool:
        """Whether it was cancelled before its outcome was called back."""
        return self._cancelled

    def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """In the worker's thread: call `function`, if anybody still wants to know."""
        return function(*args) if self._callback is not None else None

    def done(self, result: Any, error: BaseException | None) -> None:
        """In the worker's thread: carry the outcome over to the loop's, if anybody still wants to know."""
        if self._callback is not None:
            self._hand_over(self._deliver, result, error)

    def _deliver(self, result: Any, error: BaseException | None) -> None:
        callback, self._callback = self._callback, None
        if callback is not None:
            self._forget(self)
            callback(result, error)
