"""What all parts of one simulation have in common: time, chance, names, conditions, and the story of what happened."""

from __future__ import annotations

from reactor.simulation.choices import Choices
from reactor.simulation.clock import Clock
from reactor.simulation.faults import Profile
from reactor.simulation.names import Names
from reactor.simulation.trace import Trace

__all__ = ["World"]


class World:
    """The surroundings of every host."""

    def __init__(self, choices: Choices, profile: Profile, *, tracing: bool) -> None:
        """Begin at 0 seconds. The story is only written down with `tracing`."""
        self.clock = Clock()
        self.choices = choices
        self.names = Names()
        self.trace = Trace(self.clock)
        self.tracing = tracing
        self.profile = profile

    def strike(self, kind: str, weight: float, host: str, low: int = 0, high: int = 0) -> int | None:
        """Whether a fault of this sort strikes at `host`, and how hard; see `Choices.strike`."""
        value = self.choices.strike(kind, weight, low, high)
        if value is not None and self.tracing:
            self.trace.add(host, kind, strike=value)
        return value

    def note(self, host: str, what: str) -> None:
        """Write down what happened at `host`."""
        if self.tracing:
            self.trace.add(host, what)
