"""Limits and deadlines: everything that bounds a connection, in one place.

A server that works on a good day has no bounds: it keeps what a slow reader does not take, and waits for a peer that
has lost its power. Here every wait has a deadline and every buffer a limit, and a program that says nothing gets these
values. What is reached ends that one connection, with an error that names the limit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from reactor.buffering import Budget, WaterMarks
from reactor.buffering.sizes import check_size
from reactor.errors import OptionError

__all__ = ["DEFAULT_OPTIONS", "LARGEST_READ", "ConnectionOptions", "Overflow"]

LARGEST_READ = 256 * 1024
"""Bytes. More in one go gains nothing measurable, and one peer would have the loop for longer."""


class Overflow(Enum):
    """What happens to a connection whose unsent bytes pass the hard limit."""

    ABORT = "abort"
    """End it now; what is waiting is lost, and the peer sees a reset."""
    CLOSE = "close"
    """Take nothing more, and close it: a peer that reads on gets all up to here, and then the end."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ConnectionOptions:
    """The bounds of connections. Sizes are bytes, times are seconds, and a timeout of `None` is none.

    Connections that share one of these objects share the work for their deadlines: make one, not one for each.

    Raises `OptionError`, naming the option, for values that cannot be.
    """

    high_water: int = 64 * 1024
    """More unsent bytes than this: the protocol is asked to pause writing."""
    low_water: int = 16 * 1024
    """Fallen to this: it is asked to resume."""
    hard_limit: int = 16 * 1024 * 1024
    """More than this: `overflow` decides."""
    overflow: Overflow | str = Overflow.ABORT
    """What happens at the hard limit."""
    budget: Budget | None = None
    """A bound that many connections share, beside their own."""
    read_size: int = LARGEST_READ
    """The most that one read takes from the kernel, at most 256 KiB."""
    connect_timeout: float | None = 30.0
    """From the request to the established connection, over all addresses."""
    write_timeout: float | None = 60.0
    """How long a peer may take none of what is waiting for it."""
    drain_timeout: float | None = 10.0
    """How long a closing connection may take to send the rest and see the peer's end."""
    idle_timeout: float | None = None
    """How long an open connection may be silent in both directions while it is being read."""
    no_delay: bool = True
    """Send small segments at once (TCP_NODELAY): writes are gathered here already."""
    marks: WaterMarks = field(init=False, repr=False)
    """`high_water` and `low_water`, checked."""

    def __post_init__(self) -> None:
        """Check what can be wrong now, not when the first peer is slow."""
        try:
            object.__setattr__(self, "overflow", Overflow(self.overflow))
        except ValueError:
            raise OptionError(f"overflow must be 'abort' or 'close', not {self.overflow!r}") from None
        for name in ("high_water", "low_water", "hard_limit", "read_size"):
            check_size(name, getattr(self, name))
        if self.budget is not None and not isinstance(self.budget, Budget):
            raise OptionError(f"budget is a Budget, not {self.budget!r}")
        object.__setattr__(self, "marks", WaterMarks(self.high_water, self.low_water))
        if self.hard_limit < self.high_water:
            raise OptionError(f"hard_limit ({self.hard_limit}) is below high_water ({self.high_water})")
        if not 1 <= self.read_size <= LARGEST_READ:
            raise OptionError(f"read_size must be from 1 to {LARGEST_READ} bytes, not {self.read_size}")
        for name in ("connect_timeout", "write_timeout", "drain_timeout", "idle_timeout"):
            seconds = getattr(self, name)
            if seconds is not None and not (isinstance(seconds, int | float) and seconds > 0):
                raise OptionError(f"{name} must be positive, or None for no deadline, not {seconds!r}")


DEFAULT_OPTIONS = ConnectionOptions()
