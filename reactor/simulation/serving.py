"""What a simulated socket needs of the kernel and the host that it is on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from reactor.simulation.descriptors import Watching
from reactor.simulation.end import End
from reactor.simulation.interfaces import Address
from reactor.simulation.ports import Ports
from reactor.simulation.streams import Streams

__all__ = ["Hosting", "Serving"]


class Hosting(Protocol):
    """What a socket needs of its host."""

    name: str
    send_buffer: int
    receive_buffer: int
    streams: Streams
    ports: Ports

    def has(self, address: str) -> bool:
        """Whether `address` is one of its own, or loopback."""

    def source_for(self, address: str) -> str:
        """The own address from which `address` is reached."""


class Serving(Watching, Protocol):
    """What a socket needs of its kernel."""

    @property
    def host(self) -> Hosting:
        """The machine."""

    def trace(self, call: str, *details: object, answer: object) -> None:
        """Write a system call and its answer down."""

    def check_not_exhausted(self, call: str) -> None:
        """Raise `OSError` if the machine is out of something just now."""

    def route(self, host: str) -> int:
        """The errno of a kernel that knows no way to `host`; 0 if it knows one."""

    def begin(self, local: Address, remote: Address, prepare: Callable[[End], object]) -> End:
        """Begin a connection; `prepare` sets its end up first."""
