"""Virtual time: a number, and a heap of what happens when it changes.

Nothing in a simulation takes time by itself. The clock stands still while code runs, and when nobody has anything left
to do at this moment it jumps to the next event: an hour of heartbeats costs what the heartbeats cost.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

from reactor.errors import DeadlockError

__all__ = ["Clock", "Event"]

_MOST_AT_ONCE = 1_000_000
"""So many events without any time passing are a loop that will not end."""


class Event:
    """Something that will happen, unless it is cancelled."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[[], object]) -> None:
        """`call` makes it happen."""
        self.call: Callable[[], object] | None = call

    def cancel(self) -> None:
        """Let it not happen."""
        self.call = None


class Clock:
    """The time, in seconds since the simulation began, and what is to come."""

    __slots__ = ("_count", "_heap", "happened", "now")

    def __init__(self) -> None:
        """It is 0 o'clock, and nothing is planned."""
        self.now = 0.0
        self.happened = 0
        """How many events there were so far."""
        self._count = 0
        self._heap: list[tuple[float, int, Event]] = []

    def at(self, when: float, call: Callable[[], object]) -> Event:
        """Let `call` happen at `when`; events of one moment happen in the order in which they were planned."""
        event = Event(call)
        self._count += 1
        heappush(self._heap, (when, self._count, event))
        return event

    def next_event(self) -> float | None:
        """When something will happen next; `None`: never."""
        heap = self._heap
        while heap and heap[0][2].call is None:
            heappop(heap)
        return heap[0][0] if heap else None

    def run_due(self) -> bool:
        """Let everything happen whose time has come; whether there was anything."""
        heap, before = self._heap, self.happened
        most = before + _MOST_AT_ONCE
        while heap and heap[0][0] <= self.now:
            call = heappop(heap)[2].call
            if call is not None:
                self.happened += 1
                if self.happened > most:
                    raise DeadlockError(f"{_MOST_AT_ONCE} events at {self.now:.6f} s, and no time passes: {call!r}")
                call()
        return self.happened > before

    def advance(self, to: float) -> None:
        """Let time pass. It never goes back."""
        self.now = max(self.now, to)
