"""Whose turn it is: one tick for whoever has something to do, or a jump in time if nobody has.

Programs are run in one of two ways. Most leave it to the simulation, which gives them a tick when they are due. A
program can also run its reactor by hand; then the reactor waits in its selector, and while it waits the others get
their turn. Both come to `step`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from reactor.errors import DeadlockError, SimulationError, SimulationTimeoutError
from reactor.simulation.clock import Clock

__all__ = ["DAY", "Scheduler", "Turn", "Waiting"]

DAY = 86_400.0

_MOST_TICKS = 100_000
"""So many ticks without any time passing are a loop that will not end."""


class Waiting(Protocol):
    """A selector, as far as waiting goes."""

    wanted: Callable[[], object] | None
    """Called when the program has to be asked what it waits for; `None`: the simulation does not run it."""

    def has_ready(self) -> bool:
        """Whether anything is ready."""


class Turn(Protocol):
    """A program, as far as its turn goes."""

    @property
    def selector(self) -> Waiting:
        """Where it waits."""

    def tick(self) -> bool:
        """Let it do what there is to do now; whether it had a chance to."""


class Scheduler:
    """Gives everybody their turn."""

    def __init__(self, clock: Clock, who_waits: Callable[[], str], raise_reported: Callable[[], object]) -> None:
        """`who_waits` explains a standstill; `raise_reported` raises what was reported to the programs' reactors."""
        self.clock = clock
        self.ticks = 0
        """How many ticks all programs together have had."""
        self._who_waits = who_waits
        self._raise_reported = raise_reported
        self._active: dict[Turn, None] = {}
        self._running: Turn | None = None
        self._ticks_at_once = 0

    def activate(self, program: Turn) -> None:
        """`program` has something to do."""
        self._active[program] = None

    def is_busy(self) -> bool:
        """Whether a program is having its turn."""
        return self._running is not None

    def has_active(self) -> bool:
        """Whether anybody has something to do at this moment."""
        return bool(self._active)

    @contextmanager
    def turn_of(self, program: Turn) -> Iterator[None]:
        """Within this block, `program` is having its turn."""
        before, self._running = self._running, program
        try:
            yield
        finally:
            self._running = before

    def between_ticks(self, call: Callable[[], object]) -> None:
        """Call it now, or, if a program is having its turn, as soon as that is over."""
        if self._running is None:
            call()
        else:
            self.clock.at(self.clock.now, call)

    def step(self, horizon: float) -> bool:
        """One tick, or one jump in time; whether there was anything to do until `horizon`."""
        if self.clock.run_due():
            return True
        while self._active:
            program = next(iter(self._active))
            del self._active[program]
            with self.turn_of(program):
                ticked = program.tick()
            if ticked:
                self._count(program)
                return True
        when = self.clock.next_event()
        if when is None or when > horizon:
            return False
        self._ticks_at_once = 0
        self.clock.advance(when)
        return True

    def run(self, done: Callable[[], object], within: float) -> None:
        """Steps until `done()`. Raises what was reported, `DeadlockError`, `SimulationTimeoutError`."""
        horizon = self.clock.now + within
        self._raise_reported()
        while not done():
            if not self.step(horizon) and not done():
                self._give_up(horizon, f"not within {within} s of virtual time")
            self._raise_reported()

    def run_for(self, seconds: float) -> None:
        """Steps for so long. Raises what was reported."""
        horizon = self.clock.now + seconds
        self._raise_reported()
        while self.step(horizon):
            self._raise_reported()
        self.clock.advance(horizon)

    def selecting(self, selector: Waiting) -> None:
        """Somebody looks what is ready in `selector`. By hand, the program's next deadline is not known here: ask."""
        if selector.wanted is not None and (self._running is None or self._running.selector is not selector):
            selector.wanted()

    def wait_for(self, selector: Waiting, timeout: float | None) -> None:
        """For a reactor that is run by hand: steps of the others until something is ready for it, or time is over."""
        if self._running is not None and self._running.selector is selector:
            raise SimulationError(f"{self._running} must not run its reactor: it returns, and the simulation runs it")
        try:
            if timeout is None:
                self.run(selector.has_ready, DAY)
            else:
                self._wait_until(self.clock.now + timeout, selector)
        finally:
            self.selecting(selector)

    def _wait_until(self, horizon: float, selector: Waiting) -> None:
        while not selector.has_ready():
            if not self.step(horizon):
                self.clock.advance(horizon)
                self.clock.run_due()
                return
            self._raise_reported()

    def _give_up(self, horizon: float, late: str) -> None:
        if self.clock.next_event() is None:
            raise DeadlockError(f"nothing will ever happen again at {self.clock.now:.6f} s; {self._who_waits()}")
        self.clock.advance(horizon)
        raise SimulationTimeoutError(f"{late}; {self._who_waits()}")

    def _count(self, program: Turn) -> None:
        self.ticks += 1
        self._ticks_at_once += 1
        if self._ticks_at_once > _MOST_TICKS:
            raise DeadlockError(
                f"{_MOST_TICKS} ticks at {self.clock.now:.6f} s, and no time passes: {program} has always something "
                f"ready; {self._who_waits()}"
            )
