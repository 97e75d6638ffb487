"""Deadlines of ten thousand connections, without ten thousand timers.

A timer for each connection would have to be pushed back with every message, and a heap is too expensive for that. So
a message leaves nothing but a time stamp, which costs one assignment. All connections with the same options share one
timer: when it fires, it looks at the stamps of those that have a deadline at all, ends the ones that are overdue, and
sleeps until the earliest of the others can be.

A deadline is therefore never early, and late by at most a tenth of the shortest timeout: so often, and not more
often, does the sweep go round when connections fall due one after the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from reactor.network.options import ConnectionOptions

if TYPE_CHECKING:
    from reactor.loop import Reactor, TimerHandle

__all__ = ["Sweep", "Watched"]


class Watched(Protocol):
    """Something with a deadline that moves."""

    def deadline(self) -> float | None:
        """When it will be overdue as things stand, in seconds of the reactor's clock; `None`: not at all."""

    def expire(self) -> None:
        """It is overdue."""


class Sweep:
    """The deadlines of all connections of one reactor that share their options."""

    __slots__ = ("_grain", "_key", "_reactor", "_timer", "_watched")

    def __init__(self, reactor: Reactor, options: ConnectionOptions) -> None:
        """Use `Sweep.of`."""
        timeouts = (options.write_timeout, options.drain_timeout, options.idle_timeout)
        self._grain = min((seconds for seconds in timeouts if seconds is not None), default=0.0) / 10
        self._key = (Sweep, options)
        self._reactor = reactor
        self._watched: dict[Watched, None] = {}
        self._timer: TimerHandle | None = None

    @classmethod
    def of(cls, reactor: Reactor, options: ConnectionOptions) -> Sweep:
        """The one sweep for these options, as long as it has somebody to look at."""
        sweep: Sweep | None = reactor.shared.get((cls, options))
        if sweep is None:
            sweep = cls(reactor, options)
            reactor.shared[sweep._key] = sweep
        return sweep

    @classmethod
    def dismiss(cls, reactor: Reactor, options: ConnectionOptions, watched: Watched) -> None:
        """`watched` is no more."""
        sweep: Sweep | None = reactor.shared.get((cls, options))
        if sweep is not None:
            sweep.forget(watched)

    def watch(self, watched: Watched) -> None:
        """Look at `watched` from now on: it has a deadline, or an earlier one than before."""
        self._watched[watched] = None
        self._wake_by(watched.deadline())

    def forget(self, watched: Watched) -> None:
        """`watched` is no more."""
        self._watched.pop(watched, None)
        if not self._watched:
            self._reactor.shared.pop(self._key, None)
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _wake_by(self, due: float | None) -> None:
        if due is None or (self._timer is not None and self._timer.when() <= due):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._reactor.call_at(due, self._go_round)

    def _go_round(self) -> None:
        self._timer = None
        now = self._reactor.time()
        earliest: float | None = None
        for watched in list(self._watched):
            due = watched.deadline()
            if due is None:
                self._watched.pop(watched, None)  # a new deadline will bring it back
            elif due <= now:
                watched.expire()
            elif earliest is None or due < earliest:
                earliest = due
        if earliest is not None:
            self._wake_by(max(earliest, now + self._grain))
