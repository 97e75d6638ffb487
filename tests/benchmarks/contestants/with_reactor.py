"""`reactor`, by its public interface, as its README says it is used.

With the options that it has by default, its limits and deadlines included; all but `forward`. The forwarder is not
written for the benchmark: it is the example that people are told to start from, and that switches two deadlines off,
`write_timeout` and `drain_timeout`: how long a side may take nothing is for the two who talk to decide. It
also says itself how many connections it has room for.

Where frames are read, each is answered by a `send` or a `write` of its own. Nothing here joins them: what is written
while a handler runs, the transport gathers and sends when the handler returns.
"""

from __future__ import annotations

from collections.abc import Callable

from examples.port_forwarder import Forwarder
from reactor import (
    BufferedProtocol,
    FramedProtocol,
    LengthPrefixedCodec,
    LineCodec,
    Protocol,
    Reactor,
    Transport,
    listen,
)
from tests.benchmarks.contestants.announcing import BACKLOG, HOST, Announce

__all__ = ["echo", "fanout", "forward", "lines", "prefixed", "sink"]

READ_SIZE = 256 * 1024


class Echo(Protocol):
    def connection_made(self, transport: Transport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class Lines(FramedProtocol[bytes]):
    codec = LineCodec(max_length=4096)

    def frame_received(self, frame: bytes) -> None:
        self.send(frame)


class Prefixed(FramedProtocol[bytes]):
    codec = LengthPrefixedCodec(4)

    def frame_received(self, frame: bytes) -> None:
        self.send(frame)


class FanOut(FramedProtocol[bytes]):
    """Each line goes to all by itself: what is handled in one tick is gathered by the transports."""

    codec = LineCodec(max_length=4096)

    def __init__(self, everybody: set[Transport]) -> None:
        self.everybody = everybody

    def connection_made(self, transport: Transport) -> None:
        super().connection_made(transport)
        self.everybody.add(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self.transport is not None:
            self.everybody.discard(self.transport)
        super().connection_lost(exc)

    def frame_received(self, frame: bytes) -> None:
        line = frame + b"\n"
        for transport in self.everybody:
            transport.write(line)


class Sink(BufferedProtocol):
    """Buffered: what is only counted is read to the same place again and again."""

    def __init__(self) -> None:
        self.count = 0
        self.buffer = bytearray(READ_SIZE)

    def connection_made(self, transport: Transport) -> None:
        self.transport = transport

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.count += nbytes

    def eof_received(self) -> None:
        self.transport.write(b"%d\n" % self.count)


def serve(factory: Callable[[], Protocol | BufferedProtocol], announce: Announce) -> None:
    reactor = Reactor()
    announce(listen(reactor, factory, f"{HOST}:0", backlog=BACKLOG).port)
    reactor.run()


def echo(announce: Announce) -> None:
    serve(Echo, announce)


def lines(announce: Announce) -> None:
    serve(Lines, announce)


def prefixed(announce: Announce) -> None:
    serve(Prefixed, announce)


def fanout(announce: Announce) -> None:
    everybody: set[Transport] = set()
    serve(lambda: FanOut(everybody), announce)


def sink(announce: Announce) -> None:
    serve(Sink, announce)


def forward(announce: Announce, target: str) -> None:
    reactor = Reactor()
    announce(Forwarder(reactor, f"{HOST}:0", target, log=lambda text: None).server.port)
    reactor.run()
