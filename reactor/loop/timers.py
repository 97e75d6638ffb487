"""Deadlines in order: a heap that forgets what was cancelled.

A loop asks its timers two questions, all the time: *how long may I sleep?* and *who is due?* A binary heap answers
both at its root, and takes a new timer in O(log n). The entries are plain tuples `(when, number, handle)`, which the
interpreter compares in C; the number settles ties in the order the timers were set, so that handles themselves are
never compared.

What a heap cannot do is remove something from its middle, and most timers are cancelled: a timeout that does its duty
never fires. So a cancelled entry stays where it is, empty, and is counted. When more than half of the heap is empty
it is rebuilt without them. Each rebuild is paid for by the cancellations that made it necessary, so cancelling costs
O(1) on average and a million timers set and cancelled leave nothing behind.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from typing import Any

from reactor.loop.handles import Call, Handle, bind, unbound

__all__ = ["TimerHandle", "TimerQueue"]

_SMALL = 64
"""Below this many entries a heap is not worth rebuilding."""


class TimerHandle(Handle):
    """A callback that will be called at a time, unless it is cancelled."""

    __slots__ = ("_queue", "_when")

    def __init__(
        self, when: float, callback: Callable[..., object], args: tuple[Any, ...], queue: TimerQueue
    ) -> None:
        """Made by `call_at` and `call_later`."""
        self._call = bind(callback, args)
        self._when = when
        self._queue: TimerQueue | None = queue  # None: in its heap no more

    def when(self) -> float:
        """The time it is due, in seconds of the reactor's clock."""
        return self._when

    def cancel(self) -> None:
        """Do not call it. Does nothing if it was called or cancelled already. For the reactor's thread only."""
        queue, self._queue = self._queue, None
        super().cancel()
        if queue is not None:
            queue.note_cancelled()

    def describe(self) -> dict[str, Any]:
        """What is due, and when."""
        return {"kind": "timer", "when": self._when, "callback": unbound(self._call)}


class TimerQueue:
    """Timers, by deadline."""

    __slots__ = ("_cancelled", "_due", "_heap", "_number")

    def __init__(self) -> None:
        """Begin with no timers."""
        self._heap: list[tuple[float, int, TimerHandle]] = []
        self._due: deque[TimerHandle] = deque()  # taken out of the heap, not called yet
        self._cancelled = 0  # entries of the heap that are empty
        self._number = 0

    def __len__(self) -> int:
        """How many timers are waiting."""
        return len(self._heap) - self._cancelled + sum(not timer.cancelled() for timer in self._due)

    def __bool__(self) -> bool:
        """Whether any timer is waiting."""
        return len(self._heap) > self._cancelled or any(not timer.cancelled() for timer in self._due)

    def push(self, when: float, callback: Callable[..., object], args: tuple[Any, ...]) -> TimerHandle:
        """Call `callback(*args)` at `when`."""
        handle = TimerHandle(when, callback, args, self)
        self._number += 1
        heapq.heappush(self._heap, (when, self._number, handle))
        return handle

    def next_deadline(self) -> float | None:
        """When the earliest timer is due; `None` if there is none."""
        for timer in self._due:
            if not timer.cancelled():
                return timer.when()
        heap = self._heap
        while heap:
            when, _, handle = heap[0]
            if handle._queue is not None:
                return when
            heapq.heappop(heap)
            self._cancelled -= 1
        return None

    def collect(self, now: float) -> None:
        """Take out what is due at `now`. Only these are `pop`ped, so a timer set meanwhile waits for the next tick."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            handle = heapq.heappop(heap)[2]
            if handle._queue is not None:
                handle._queue = None
                self._due.append(handle)
            else:
                self._cancelled -= 1

    def pop(self) -> Call | None:
        """The next callback that is due; `None` when all that were collected are done."""
        while self._due:
            call = self._due.popleft().take()
            if call is not None:
                return call
        return None

    def clear(self) -> None:
        """Cancel all, so that nothing they hold is kept alive by a handle that somebody keeps."""
        for handle in [*self._due, *(entry[2] for entry in self._heap)]:
            handle.cancel()
        self._due.clear()
        self._heap.clear()
        self._cancelled = 0

    def note_cancelled(self) -> None:
        """One more of the entries is empty: `TimerHandle.cancel` says so."""
        self._cancelled += 1
        if self._cancelled * 2 > len(self._heap) and self._cancelled >= _SMALL:
            self._heap = [entry for entry in self._heap if entry[2]._queue is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0
