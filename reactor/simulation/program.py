"""A program: the reactor of a host, and the simulation's hand that runs it.

For the reactor the simulation is a host loop like any other (README, "inside another loop"): it asks for the next
deadline, waits for nothing, and dispatches when it is time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from reactor.loop import Phase, Reactor
from reactor.simulation.clock import Event
from reactor.simulation.guard import inside
from reactor.simulation.kernel import SimulatedKernel
from reactor.simulation.process import Process

__all__ = ["Program"]


class Program:
    """One run of a host's program, on the reactor that the simulation runs."""

    __slots__ = ("_deadline", "_ended", "_not_before", "_process", "_stalled", "reactor", "selector")

    def __init__(
        self,
        kernel: SimulatedKernel,
        report: Callable[[Reactor, dict[str, Any]], object],
        ended: Callable[[str], object],
    ) -> None:
        """Make the reactor, which gives its errors to `report`; `ended(how)` is told of its end."""
        self._process: Process = kernel.process
        self._ended = ended
        self.reactor = Reactor(kernel=kernel)
        """The reactor."""
        self.reactor.set_exception_handler(report)
        self.reactor.dispatch([])  # it has begun: from now on it belongs to this thread
        self.selector = kernel.last_selector()
        """The reactor's."""
        self.selector.wanted = partial(self._process.scheduler.activate, self)
        self._deadline: tuple[float, Event] | None = None
        self._not_before = 0.0
        self._stalled = False

    def begin(self, boot: Callable[[Reactor], object]) -> None:
        """Call `boot`, which sets everything up."""
        scheduler = self._process.scheduler
        with inside(self._process.machine.name), scheduler.turn_of(self):
            boot(self.reactor)
        scheduler.activate(self)

    def tick(self) -> bool:
        """Let the reactor do what there is to do now; whether it had a chance to."""
        process, reactor, clock = self._process, self.reactor, self._process.clock
        if not process.up:
            return False
        if reactor.phase is Phase.CLOSED:
            self._ended("has closed its reactor")
            return False
        if reactor.phase is not Phase.IDLE:
            return False  # it is being run by hand just now
        if not self._stalled and (stall := process.strikes("stall", 1, 100)) is not None:
            self._stalled = True  # once before each tick
            self._not_before = max(self._not_before, clock.now + stall / 1000)
        if clock.now < self._not_before:
            clock.at(self._not_before, partial(process.scheduler.activate, self))
            return False
        self._stalled = False
        with inside(process.machine.name):
            reactor.dispatch(reactor.wait(0))
        self._not_before = clock.now + process.machine.pace
        if reactor.stopping:
            self.close()
            self._ended("has stopped")
        elif process.up:
            self._plan_next_tick()
        return True

    def close(self) -> None:
        """The program ends in order: close the reactor, as its `with` block would."""
        if self._process.up and self.reactor.phase is not Phase.CLOSED:
            with inside(self._process.machine.name):
                self.reactor.close()

    def _plan_next_tick(self) -> None:
        """See to it that the reactor is called when it is due."""
        clock, planned = self._process.clock, self._deadline
        due = self.reactor.next_deadline()
        if self.selector.has_ready() or (due is not None and due <= clock.now):
            self._process.scheduler.activate(self)
        elif planned is None or planned[0] != due:
            if planned is not None:
                planned[1].cancel()
            self._deadline = None if due is None else (due, clock.at(due, self._due))

    def _due(self) -> None:
        self._deadline = None
        self._process.scheduler.activate(self)

    def waits_for(self) -> list[str]:
        """What it is waiting for, a line each."""
        described = self.reactor.describe()
        lines = [line for resource in described["resources"] for line in _lines(resource)]
        counts = (("timers", "timer"), ("ready", "callback"), ("jobs", "job"))
        return lines + [f"{described[key]} {one}{'s' * (described[key] > 1)}" for key, one in counts if described[key]]

    def __repr__(self) -> str:
        """Whose it is."""
        return f"the program of host {self._process.machine.name!r}"


def _lines(resource: dict[str, Any], indent: str = "") -> list[str]:
    plain = {key: value for key, value in resource.items() if not isinstance(value, dict | list) and value is not None}
    kind = plain.pop("kind", "something")
    lines = [f"{indent}{kind}: " + ", ".join(f"{key} {value}" for key, value in plain.items())]
    for value in resource.values():
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict) and "kind" in inner:
                lines.extend(_lines(inner, indent + "  "))
    return lines
