"""Again and again: timers that beat on a grid.

"Every second" said with one-shot timers, each set when the last one fired, drifts: every beat adds the little that the
loop was late. So a beat's time is computed from the first one's, and only what happens after a long delay is a matter
of choice, which the caller declares.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum
from typing import Any

from reactor.errors import OptionError
from reactor.loop.handles import bind, called_off
from reactor.loop.timers import TimerHandle

__all__ = ["Missed", "RepeatingTimer"]


class Missed(Enum):
    """What a repeating timer does about beats that passed while the loop was busy."""

    SKIP = "skip"
    """Call once, late, and go on with the next beat of the grid. For displays, heartbeats, sampling."""
    BURST = "burst"
    """Call once for every beat, one a tick, until it has caught up. For things that count beats."""
    DELAY = "delay"
    """Call once, late, and start a new grid from there. For what needs a pause between two calls."""

    @classmethod
    def _missing_(cls, value: object) -> None:
        raise OptionError(f"missed must be one of {', '.join(member.value for member in cls)}, not {value!r}")

    def after(self, start: float, beat: int, interval: float, now: float) -> tuple[float, int]:
        """The grid's start and the number of the next beat, when `beat` is being called at `now`."""
        if self is Missed.DELAY:
            return now, 1
        if self is Missed.BURST:
            return start, beat + 1
        beat = max(beat, math.floor((now - start) / interval)) + 1
        return start, beat


class RepeatingTimer:
    """A callback that is called every so many seconds until it is cancelled.

    The beats lie on a grid: beat *n* is due at start + *n* × interval, computed by multiplication, so neither late
    ticks nor rounding add up to a drift. What happens when a beat is missed is declared: see `Missed`.
    """

    __slots__ = ("_beat", "_call", "_call_at", "_interval", "_missed", "_start", "_time", "_timer")

    def __init__(
        self,
        time: Callable[[], float],
        call_at: Callable[[float, Callable[[], object]], TimerHandle],
        interval: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        missed: Missed,
    ) -> None:
        """Made by `call_every`, on the reactor's `time` and `call_at`."""
        self._time = time
        self._call_at = call_at
        self._interval = interval
        self._call = bind(callback, args)
        self._missed = missed
        self._start = time()
        self._beat = 1
        self._timer: TimerHandle | None = call_at(self.when(), self._fire)

    def when(self) -> float:
        """The time the next beat is due, in seconds of the reactor's clock."""
        return self._start + self._beat * self._interval

    def cancel(self) -> None:
        """Stop beating. Does nothing if it was cancelled already."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._call = called_off

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self._timer is None

    def _fire(self) -> None:
        # The next beat is set before the callback runs: an exception in it must not end the beating, and it may
        # call cancel().
        self._start, self._beat = self._missed.after(self._start, self._beat, self._interval, self._time())
        self._timer = self._call_at(self.when(), self._fire)
        self._call()
