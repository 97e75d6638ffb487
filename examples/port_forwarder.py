"""A port forwarder: whoever connects here talks to the target, and neither of the two notices.

The lesson: three things make one stream out of two connections, and each is a pair of callbacks.

- *Back-pressure.* A fast sender and a slow reader must not meet in our memory. When one side cannot take more
  (`pause_writing`), the other is not read any more; its kernel's buffer fills, TCP's window closes, and the sender
  waits, as it would without us. `resume_writing` is the way back.
- *Half-close.* "I have sent everything" is said for each direction by itself. It is passed on (`eof_received`,
  `write_eof`), and the other direction goes on.
- *A cut is no end.* A connection that broke is broken on the other side as well, by `abort`: what was cut off must not
  look complete.

So there is no timeout here either: how long somebody may take is for the two of them to say. But if one of them asks
the other's kernel for a sign of life, it is ours that answers; so we ask as well (SO_KEEPALIVE), on both sides.

    python3 -m examples.port_forwarder LISTEN TARGET            as in: port_forwarder 127.0.0.1:9001 example.org:80

Each connection's bytes are printed when it is over, and the sum of them when Ctrl-C, or SIGTERM, ends it all.
"""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Callable

from examples.log import log
from reactor import ConnectionOptions, OptionError, Protocol, Reactor, Transport, connect, listen
from reactor.network.address import parse_address

OPTIONS = ConnectionOptions(write_timeout=None, drain_timeout=None)


class Side(Protocol):
    """One of the two connections. What it receives is for the other one to send."""

    transport: Transport
    other: Side

    def __init__(self) -> None:
        self.received = 0  # bytes
        self.ended = False  # will receive no more

    def connection_made(self, transport: Transport) -> None:
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        self.other.transport.write(data)

    def pause_writing(self) -> None:
        self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        self.other.transport.resume_reading()

    def eof_received(self) -> bool:
        self.ended = True
        self.other.transport.write_eof()
        return True  # and go on sending

    def cut(self) -> bool:
        """Whether something is missing. Otherwise the other side has all it needs to end by itself."""
        return not (self.ended and self.other.ended)


class Client(Side):
    """The side that came to us, and makes us connect the other."""

    def __init__(self, forwarder: Forwarder) -> None:
        super().__init__()
        self.forwarder = forwarder
        self.other = Target(self)

    def connection_made(self, transport: Transport) -> None:
        super().connection_made(transport)
        transport.pause_reading()  # until there is somebody to pass it on to
        reactor, target = self.forwarder.reactor, self.forwarder.target
        self.connector = connect(reactor, lambda: self.other, target, options=OPTIONS, on_failure=transport.abort)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.connector.cancel()  # if it has not come so far
        if self.connector.connection is not None and self.cut():
            self.connector.connection.abort(exc)
        self.forwarder.account(self, exc)


class Target(Side):
    """The side that we connected."""

    def __init__(self, client: Client) -> None:
        super().__init__()
        self.other = client

    def connection_made(self, transport: Transport) -> None:
        super().connection_made(transport)
        self.other.transport.resume_reading()

    def connection_lost(self, exc: BaseException | None) -> None:
        if self.cut():
            self.other.transport.abort(exc)


class Forwarder:
    """The server, and the sum of everything."""

    def __init__(self, reactor: Reactor, address: str, target: str, log: Callable[[str], object]) -> None:
        parse_address(target)  # now, and not when the first client comes
        self.reactor = reactor
        self.target = target
        self.log = log
        self.connections = self.there = self.back = 0
        room = max(1, (reactor.kernel.descriptor_limit() - 64) // 2)  # each client takes two descriptors
        self.server = listen(reactor, lambda: Client(self), address, options=OPTIONS, max_connections=room)

    def account(self, client: Client, exc: BaseException | None) -> None:
        """A client is gone. Neither side of it receives anything any more, so these numbers are final."""
        self.connections += 1
        self.there += client.received
        self.back += client.other.received
        host, port, *_ = client.transport.get_extra_info("peername")
        why = "" if exc is None else f" ({exc})"
        self.log(f"{host} port {port}: {client.received:,} bytes there, {client.other.received:,} back{why}")

    def total(self) -> str:
        return f"{self.connections:,} connections: {self.there:,} bytes there, {self.back:,} back"


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("usage: python3 -m examples.port_forwarder LISTEN TARGET")
    try:
        with Reactor() as reactor:
            forwarder = Forwarder(reactor, sys.argv[1], sys.argv[2], log)
            for signum in (signal.SIGINT, signal.SIGTERM):
                reactor.add_signal_handler(signum, reactor.stop)
            log(f"port_forwarder listens at {forwarder.server.addresses[0]}; Ctrl-C ends it")
            reactor.run()
    except (OSError, OptionError) as error:
        sys.exit(f"port_forwarder: {error}")
    log(forwarder.total())  # after the reactor's end, which has cut off and accounted for those that were left


if __name__ == "__main__":
    main()
