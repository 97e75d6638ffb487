"""What happened in a simulation, as lines that can be printed and compared.

A line has the time, the host, the call with its descriptor, and its answer (bytes taken, a new descriptor, an errno); a
star marks a fault, which strikes the call behind it. Two runs with the same seed have the same lines, byte for byte;
where two runs differ, the first line that differs is where they parted.
"""

from __future__ import annotations

from reactor.simulation.clock import Clock

__all__ = ["Trace"]


class Trace(list[str]):
    """The lines, in order."""

    def __init__(self, clock: Clock) -> None:
        """Begin empty."""
        super().__init__()
        self._clock = clock

    def add(self, host: str, what: str) -> None:
        """Write one line."""
        self.append(f"{self._clock.now:.9f} {host} {what}")

    def __str__(self) -> str:
        """All lines, to be printed."""
        return "\n".join(self)
