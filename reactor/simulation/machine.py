"""A machine: addresses, a network stack, and the limits of what its kernel gives to a program."""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial

from reactor.simulation.addresses import Address, is_loopback, loopback
from reactor.simulation.end import End
from reactor.simulation.ports import Ports
from reactor.simulation.streams import Streams
from reactor.simulation.wire import Network
from reactor.simulation.world import World

__all__ = ["Machine"]


class Machine:
    """What a host consists of beside its program; `Host` documents the limits."""

    def __init__(self, world: World, network: Network, name: str, addresses: tuple[str, ...]) -> None:
        """Switch it on."""
        self.world = world
        self.network = network
        self.name = name
        self.addresses = addresses
        self.descriptor_limit = 1024
        self.file_limit = 100_000
        self.send_buffer = 256 * 1024
        self.receive_buffer = 128 * 1024
        self.blocking_time = 0.0
        self.pace = 0.0
        self.up = True
        self.plugged = True
        self.streams = Streams(network, self)
        self.ports = Ports(self.streams)

    def lose_power(self) -> None:
        """Forget everything, and answer nothing any more."""
        self.network.settle()
        self.up = False
        self.streams.lose_all()
        self.ports = Ports(self.streams)
        self.network.changed()

    def start(self) -> None:
        """Answer again."""
        self.up = True
        self.network.changed()

    def plug(self, *, plugged: bool) -> None:
        """Put the cable in, or pull it."""
        self.network.settle()
        self.plugged = plugged
        self.network.changed()

    def has(self, address: str) -> bool:
        """Whether `address` is one of its own, or loopback."""
        return address in self.addresses or is_loopback(address)

    def source_for(self, address: str) -> str:
        """The own address from which `address` is reached; nothing if there is none of its family."""
        if address in self.addresses:
            return address
        if is_loopback(address):
            return loopback(address)
        return next((mine for mine in self.addresses if (":" in mine) == (":" in address)), "")

    def route(self, address: str) -> int:
        """The errno of a kernel that knows no way to `address`; 0 if it knows one."""
        if self.has(address):
            return 0
        return 0 if self.plugged and self.source_for(address) else errno.ENETUNREACH

    def begin(self, local: Address, remote: Address, prepare: Callable[[End], object]) -> End:
        """Begin a connection; `prepare` sets its end up first.

        What no host has is unreachable, which takes as long to learn as an answer would.
        """
        destination = self if self.has(remote[0]) else self.network.hosts.get(remote[0])
        if destination is not None:
            end = self.streams.open(local, remote, destination)
            prepare(end)
            end.connect()
        else:
            end = self.streams.open(local, remote, self)
            clock = self.world.clock
            clock.at(clock.now + 2 * self.world.profile.link.latency, partial(end.fail, errno.EHOSTUNREACH))
        return end
