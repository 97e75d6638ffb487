"""What the parts of a simulation know of each other.

The parts refer to each other all around: a host has sockets, a socket's other end is on another host, and all have one
clock. So that each file can be read by itself, and no import leads back, what one part needs of another is written
down here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from reactor.simulation.choices import Choices
from reactor.simulation.clock import Clock
from reactor.simulation.faults import Profile
from reactor.simulation.names import Names

__all__ = ["Address", "Machine", "Segment", "Stack", "Tracer", "World"]

Address: TypeAlias = tuple[str, int]
"""A numeric address and a port."""

Segment: TypeAlias = tuple[str, Any]
"""What it is (`"SYN"`, `"data"`, …), and what it carries."""

Tracer: TypeAlias = Callable[[str, str], object]
"""Called with the host's name, and what happened."""


class World(Protocol):
    """What the network and the kernels need of the simulation."""

    clock: Clock
    choices: Choices
    names: Names
    tracer: Tracer | None

    @property
    def profile(self) -> Profile:
        """The conditions."""

    def note_strike(self, kind: str, host: str, value: int) -> None:
        """A fault has struck."""


class Stack(Protocol):
    """What arrives at a host goes to its network stack."""

    def receive(self, local: Address, remote: Address, segment: Segment) -> bool:
        """A segment has arrived; whether it was taken: one that was dropped will be sent again."""

    def path_changed(self) -> None:
        """Some path is open again, or is not any more."""


class Machine(Protocol):
    """What the network knows of a host."""

    name: str
    send_buffer: int
    receive_buffer: int
    plugged: bool
    up: bool

    @property
    def streams(self) -> Stack:
        """Its TCP."""
