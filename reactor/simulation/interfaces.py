"""What the network knows of the machines that it connects.

A machine has a network stack, and the stack's connections lead through the network to other machines: knowledge that
goes round. So that no import does, the half of it that leads back is written down here.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

from reactor.simulation.addresses import Address

__all__ = ["Node", "Segment", "Stack"]

Segment: TypeAlias = tuple[str, Any]
"""What it is (`"SYN"`, `"data"`, …), and what it carries."""


class Stack(Protocol):
    """The network stack of a machine."""

    def receive(self, local: Address, remote: Address, segment: Segment) -> bool:
        """A segment has arrived; whether it was taken: one that was dropped will be sent again."""

    def settle(self) -> None:
        """Some path is about to be opened or closed: what has arrived by now has arrived."""

    def path_changed(self) -> None:
        """Some path is open again, or is not any more."""


class Node(Protocol):
    """A machine, seen from the network."""

    name: str
    send_buffer: int
    receive_buffer: int
    plugged: bool
    up: bool

    @property
    def streams(self) -> Stack:
        """Its TCP."""
