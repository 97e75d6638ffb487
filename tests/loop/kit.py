"""What the tests of the loop share: this platform's selectors, and a kernel whose clock and events are scripted."""

from __future__ import annotations

import os
import selectors
import signal
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from reactor import Reactor
from reactor.kernel import SystemKernel

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE

SelectorFactory = Callable[[], selectors.BaseSelector]


def _selectors_here() -> dict[str, SelectorFactory]:
    here: dict[str, SelectorFactory] = {}
    try:
        from reactor.kernel.epoll import LeanEpollSelector  # noqa: PLC0415 - Linux only

        here["lean"] = LeanEpollSelector
    except (ImportError, AttributeError):
        pass
    for name in ("Epoll", "Kqueue", "Devpoll", "Poll", "Select"):
        if hasattr(selectors, f"{name}Selector"):
            here[name.lower()] = getattr(selectors, f"{name}Selector")
    return here


SELECTORS = _selectors_here()


class ScriptedSelector(selectors.BaseSelector):
    """Reports what it is told to, and lets the clock run on by what it would have slept."""

    def __init__(self, kernel: ScriptedKernel) -> None:
        self._kernel = kernel
        self._keys: dict[int, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        assert fileobj not in self._keys
        key = self._keys[fileobj] = selectors.SelectorKey(fileobj, fileobj, events, data)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        self.unregister(fileobj)
        return self.register(fileobj, events, data)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._kernel.timeouts.append(timeout)
        if not self._kernel.script:
            assert timeout is not None, "the reactor would sleep for ever"
            self._kernel.now += timeout
            return []
        slept, ready = self._kernel.script.popleft()
        self._kernel.now += slept
        return [(self._keys[fd], mask) for fd, mask in ready]

    def close(self) -> None:
        self._keys.clear()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


class ScriptedKernel(SystemKernel):
    """Time stands still unless a test, or a wait, moves it."""

    def __init__(self) -> None:
        super().__init__(lambda: ScriptedSelector(self))
        self.now = 1000.0
        self.timeouts: list[float | None] = []
        """What `select` was asked for."""
        self.script: deque[tuple[float, list[tuple[int, int]]]] = deque()
        """For each `select`: the seconds it takes, and the descriptors it reports with their events."""
        self._after_fork: list[Callable[[], None]] = []

    def time(self) -> float:
        return self.now

    def after_fork(self, callback: Callable[[], None]) -> None:
        self._after_fork.append(callback)

    def fork(self) -> None:
        """From here on, this is the child."""
        for callback in self._after_fork:
            callback()

    def report(self, *ready: tuple[int, int], after: float = 0.0) -> None:
        """The next `select` that is not scripted yet returns `ready` when `after` seconds have passed."""
        self.script.append((after, list(ready)))


class Log(list[Any]):
    """A list with a short way to get a callback that appends to it."""

    def __call__(self, item: Any) -> Callable[..., None]:
        return lambda *_: self.append(item)


def in_turn(*callbacks: Callable[[], object]) -> Callable[..., None]:
    """A callback that calls these."""

    def call(*_: object) -> None:
        for callback in callbacks:
            callback()

    return call


class Errors(list[BaseException]):
    """An exception handler that keeps what it is told."""

    def __init__(self, reactor: Reactor) -> None:
        super().__init__()
        self.contexts: list[dict[str, Any]] = []
        reactor.set_exception_handler(self)

    def __call__(self, reactor: Reactor, context: dict[str, Any]) -> None:
        self.contexts.append(context)
        self.append(context["exception"])


@contextmanager
def a_pipe() -> Iterator[tuple[int, int]]:
    """A non-blocking pipe: reading end, writing end."""
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    try:
        yield ends
    finally:
        for end in ends:
            try:
                os.close(end)
            except OSError:
                pass  # the test has done it


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail instead of hanging: nothing in these tests should take more than a fraction of this."""

    def late(signum: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"not finished within {seconds} seconds")

    if not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
