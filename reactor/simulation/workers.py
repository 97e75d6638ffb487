"""Threads that are none.

A function that is given to a worker is called between two ticks, when its virtual time has come, and while it runs the
kernel says that another thread is running: who touches the reactor from there is refused as in production.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from reactor.simulation.names import Pending
from reactor.simulation.process import Process

__all__ = ["SimulatedWorkers"]

_Work: TypeAlias = tuple[Callable[..., Any], tuple[Any, ...], Callable[..., None]]

_MOST_THREADS = 32


class SimulatedWorkers:
    """At most `limit` threads, which take virtual time."""

    def __init__(self, process: Process, limit: int | None, *, resolving: bool) -> None:
        """Do nothing yet. How long `resolving` takes, each name says for itself; others take `Host.blocking_time`."""
        self._process = process
        self._limit = limit or _MOST_THREADS
        self._queue: deque[_Work] = deque()
        self._threads = 0
        self._idle: list[int] = []  # the numbers of threads that have nothing to do
        self._resolving = resolving
        self._closed = False

    def submit(self, function: Callable[..., Any], args: tuple[Any, ...], done: Callable[..., None]) -> None:
        """Call `function(*args)` when a thread is free and its time has come, then `done(result, error)`."""
        if not self._closed:
            self._queue.append((function, args, done))
            self._begin_next()

    def close(self) -> None:
        """Begin nothing any more; what runs is left to end."""
        self._closed = True
        self._queue.clear()

    def _begin_next(self) -> None:
        if not self._queue:
            return
        if self._idle:
            thread = self._idle.pop()
        elif self._threads < self._limit:
            self._threads += 1
            thread = self._process.new_thread()
        else:
            return
        seconds = 0.0 if self._resolving else self._process.machine.blocking_time
        self._work_in(seconds, thread, self._queue.popleft())

    def _work_in(self, seconds: float, thread: int, work: _Work) -> None:
        if seconds < float("inf"):
            clock = self._process.clock
            clock.at(clock.now + seconds, partial(self._work, thread, work, seconds if self._resolving else None))

    def _work(self, thread: int, work: _Work, waited: float | None) -> None:
        """In the worker's thread, so to say."""
        if not self._process.up:
            return
        function, args, done = work
        result, error = None, None
        with self._process.as_thread(thread, waited):
            try:
                result = function(*args)
            except Pending as pending:
                self._work_in(pending.seconds, thread, work)
                return
            except BaseException as exc:
                error = exc
            done(result, error)
        self._idle.append(thread)
        self._begin_next()
