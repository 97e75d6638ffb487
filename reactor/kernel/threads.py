"""Threads for the calls that cannot be made non-blocking: file systems, databases, `getaddrinfo`.

A pool starts threads as work comes and none is idle, up to its limit, and keeps them. They are daemon threads: a name
server that does not answer for half a minute must not keep a finished program from ending, which is what happens
where the interpreter joins its pools at exit.

The result goes back through a callback that is called in the worker's thread; carrying it over to the loop's thread is
the loop's business (`call_soon_threadsafe`).
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias

__all__ = ["ThreadWorkers"]

_Work: TypeAlias = tuple[Callable[..., Any], tuple[Any, ...], Callable[..., None]]


class ThreadWorkers:
    """At most `limit` threads that call what they are given; by default as many as the processors and four more."""

    def __init__(self, name: str, limit: int | None = None) -> None:
        """Start no thread yet. `name` appears in the threads' names."""
        self._name = name
        self._limit = limit or min(32, (os.cpu_count() or 1) + 4)
        self._queue: deque[_Work] = deque()
        self._changed = threading.Condition()
        self._threads = 0
        self._idle = 0
        self._closed = False

    def submit(self, function: Callable[..., Any], args: tuple[Any, ...], done: Callable[..., None]) -> None:
        """Call `function(*args)` in a thread, then, there, `done(result, error)`; one of both is `None`."""
        with self._changed:
            if self._closed:
                return
            self._queue.append((function, args, done))
            if self._idle >= len(self._queue):
                self._changed.notify()
            elif self._threads < self._limit:
                self._start_thread()

    def close(self) -> None:
        """Start nothing any more, drop what waits, and let the threads end after what they are doing."""
        with self._changed:
            self._closed = True
            self._queue.clear()
            self._changed.notify_all()

    def _start_thread(self) -> None:
        name = f"{self._name}-{self._threads + 1}"
        try:
            threading.Thread(target=self._work, name=name, daemon=True).start()
        except RuntimeError as exc:  # no more threads to be had
            if self._threads == 0:
                _, _, done = self._queue.pop()
                done(None, exc)
        else:
            self._threads += 1  # and if not, the others will come to it

    def _work(self) -> None:
        while (work := self._next()) is not None:
            function, args, done = work
            result, error = None, None
            try:
                result = function(*args)
            except BaseException as exc:  # also SystemExit: it belongs to the one who asked, not to this thread
                error = exc
            done(result, error)
            del work, function, args, done, result, error  # an idle thread must keep nothing alive

    def _next(self) -> _Work | None:
        with self._changed:
            self._idle += 1
            while not self._queue and not self._closed:
                self._changed.wait()
            self._idle -= 1
            return self._queue.popleft() if self._queue else None
