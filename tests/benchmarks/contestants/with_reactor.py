"""`reactor`, by its public interface, as its README says it is used."""

from __future__ import annotations

from collections.abc import Callable

from reactor import FramedProtocol, LineCodec, Protocol, Reactor, Transport, listen
from tests.benchmarks.contestants.announcing import Announce

__all__ = ["echo", "lines"]


class Echo(Protocol):
    def connection_made(self, transport: Transport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class Lines(FramedProtocol[bytes]):
    codec = LineCodec(max_length=4096)

    def frame_received(self, frame: bytes) -> None:
        self.send(frame)


def serve(factory: Callable[[], Protocol], announce: Announce) -> None:
    reactor = Reactor()
    server = listen(reactor, factory, "127.0.0.1:0")
    announce(int(server.addresses[0].rpartition(":")[2]))
    reactor.run()


def echo(announce: Announce) -> None:
    serve(Echo, announce)


def lines(announce: Announce) -> None:
    serve(Lines, announce)
