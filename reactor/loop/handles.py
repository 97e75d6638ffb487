"""What you get back when you ask for something later: a handle, to change your mind with.

A cancelled handle forgets its callback and arguments at once. Whatever they hold (a connection, a big buffer) is free
even if the handle itself stays in some queue for a while.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Handle", "Job", "nothing"]


class Handle:
    """A callback that the next tick will call, unless it is cancelled."""

    __slots__ = ("_args", "_callback")

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        """Made by `call_soon`; there is no other use for it."""
        self._callback: Callable[..., object] | None = callback
        self._args = args

    def cancel(self) -> None:
        """Do not call it. Does nothing if it was called or cancelled already."""
        self._callback = None
        self._args = ()

    def cancelled(self) -> bool:
        """Whether it will not be called because of `cancel()`."""
        return self._callback is None


class Job:
    """A function that runs in a thread; its outcome is called back in the loop, unless the job is cancelled."""

    __slots__ = ("_callback", "_forget", "_hand_over")

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
        self._hand_over = hand_over
        self._forget = forget

    def cancel(self) -> None:
        """Do not call back. A function that has begun runs on, unheard: no thread can be stopped from outside."""
        if self._callback is not None:
            self._callback = None
            self._forget(self)

    def cancelled(self) -> bool:
        """Whether the outcome will not be (or has been) called back."""
        return self._callback is None

    def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """In the worker's thread: call `function`, if anybody still wants to know."""
        return function(*args) if self._callback is not None else None

    def done(self, result: Any, error: BaseException | None) -> None:
        """In the worker's thread: carry the outcome over to the loop's, if anybody still wants to know."""
        if self._callback is not None:
            self._hand_over(self._deliver, result, error)

    def _deliver(self, result: Any, error: BaseException | None) -> None:
        callback = self._callback
        if callback is not None:
            self.cancel()
            callback(result, error)


def nothing() -> None:
    """What is called in the place of a callback that has been forgotten."""
