"""Users of bare descriptors: `add_reader` and `add_writer` on raw sockets, and the meanest thing to do with them.

Several descriptors become ready in one batch, and the callback of the first closes the others and opens new sockets,
which get the numbers of those that were closed. An event of the old one must not reach the new one, and nothing must
reach what is closed. So each watch says of every callback whether there can be one, and whether there is something to
read.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reactor.kernel import Socket
    from tests.siege.machine import Machine

__all__ = ["Watch", "raw_pair"]

_NUMBERS = bytes(range(251)) * 3


class Watch:
    """One raw socket, and what is to be called for it; its partner is written by hand."""

    __slots__ = ("alive", "machine", "partner", "reading", "received", "sent", "sock", "writing")

    def __init__(self, machine: Machine, sock: Socket, partner: Socket) -> None:
        self.machine = machine
        self.sock = sock
        self.partner: Socket | None = partner
        self.alive = True
        self.sent = self.received = 0
        self.reading = self.writing = False
        machine.raws.append(self)
        self.read(True)

    def __repr__(self) -> str:
        return f"raw socket {self.sock.fileno()} on {self.machine.name}"

    def read(self, wanted: bool) -> None:
        """Watch for input, or not."""
        reactor, was = self.machine.reactor, self.reading
        self.reading = wanted
        if wanted:
            reactor.add_reader(self.sock, self._readable)
        else:
            self.machine.world.must(reactor.remove_reader(self.sock) == was, f"{self}: remove_reader was wrong")

    def write(self, wanted: bool) -> None:
        """Watch for room, or not."""
        reactor, was = self.machine.reactor, self.writing
        self.writing = wanted
        if wanted:
            reactor.add_writer(self.sock, self._writable)
        else:
            self.machine.world.must(reactor.remove_writer(self.sock) == was, f"{self}: remove_writer was wrong")

    def poke(self) -> None:
        """Let the partner send something, or end."""
        if self.partner is not None and self.alive and self.sent - self.received < 100:
            size = self.machine.world.random.randint(1, 50)
            begin = self.sent % 251
            try:
                self.sent += self.partner.send(_NUMBERS[begin : begin + size])
            except (BlockingIOError, ConnectionError):
                pass

    def hang_up(self) -> None:
        """Let the partner close."""
        if self.partner is not None:
            self.partner.close()
            self.partner = None

    def close(self) -> None:
        """Watch no longer, and close both ends."""
        if self.alive:
            self.read(False)
            self.write(False)
            self.alive = False
            self.machine.raws.remove(self)
            self.sock.close()
            self.hang_up()

    def _called(self, what: str, wanted: bool) -> None:
        machine, world = self.machine, self.machine.world
        machine.calls += 1
        world.tell(f"  {self} {what}")
        world.must(machine.up and self in machine.raws, f"{self} is gone, and was reported {what}")
        world.must(self.alive and wanted, f"{self} was reported {what}, and nobody wants to know")

    def _readable(self) -> None:
        world = self.machine.world
        self._called("readable", self.reading)
        try:
            data = self.sock.recv(world.random.choice((1, 10, 1000)))
        except BlockingIOError:
            world.must(world.profile.faults.spurious_readiness, f"{self} was reported readable, and is not")
            self.machine.calls -= 1
            return
        except ConnectionError:
            world.must(world.profile.faults.reset, f"{self} was reset")
            self.close()
            return
        begin = self.received % 251
        world.must(data == _NUMBERS[begin : begin + len(data)], f"{self} received {data!r} at {self.received}")
        self.received += len(data)
        if not data:
            world.must(self.received == self.sent, f"{self}: the end after {self.received} of {self.sent}")
            self.close()
        world.users.provoke_machine(self.machine)

    def _writable(self) -> None:
        self._called("writable", self.writing)
        if self.machine.world.random.random() < 0.6:
            self.write(False)
        self.machine.world.users.provoke_machine(self.machine)


def raw_pair(machine: Machine) -> Watch | None:
    """Two connected raw sockets, one of them watched; `None` if that cannot be had now."""
    kernel: Any = machine.reactor.kernel
    opened: list[Socket] = []
    try:
        opened.append(listener := kernel.socket(socket.AF_INET, socket.SOCK_STREAM))
        opened.append(partner := kernel.socket(socket.AF_INET, socket.SOCK_STREAM))
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        partner.connect_ex(listener.getsockname())
        accepted, _ = listener.accept()
        accepted.setblocking(False)
    except OSError:  # no descriptors, or the connection was aborted
        for sock in opened:
            sock.close()
        return None
    listener.close()
    return Watch(machine, accepted, partner)
