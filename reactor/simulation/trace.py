"""What happened in a simulation, line by line, to be printed and compared.

A line has the time, the host, the call with its descriptor, and its answer (bytes taken, a new descriptor, an errno); a
star marks a fault, which strikes the call behind it. Two runs with the same seed have the same lines, byte for byte;
where two runs differ, the first line that differs is where they parted.
"""

from __future__ import annotations

from typing import NamedTuple

from reactor.simulation.clock import Clock

__all__ = ["Line", "Trace"]


class Line(NamedTuple):
    """One thing that happened."""

    time: float
    """When, in seconds of virtual time."""
    host: str
    """Where; `-` for what concerns them all."""
    what: str
    """A system call and its answer, a fault, or what became of a host."""
    strike: int | None = None
    """For a fault, how hard it struck."""

    def __str__(self) -> str:
        """As it is printed."""
        what = self.what if self.strike is None else f"* {self.what} {self.strike}"
        return f"{self.time:.9f} {self.host} {what}"


class Trace(list[Line]):
    """The lines, in order."""

    def __init__(self, clock: Clock) -> None:
        """Begin empty."""
        super().__init__()
        self._clock = clock

    def add(self, host: str, what: str, strike: int | None = None) -> None:
        """Write one line."""
        self.append(Line(self._clock.now, host, what, strike))

    def __str__(self) -> str:
        """All lines, to be printed."""
        return "\n".join(map(str, self))
