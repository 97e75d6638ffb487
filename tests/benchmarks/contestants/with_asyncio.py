"""asyncio, on whatever loop it is given: by protocols and, for lines and frames, by streams as most programs would.

The streams are given every advantage: no `drain()`, which would cost a call a line, as nobody here leaves untaken what
was answered. asyncio and uvloop both set TCP_NODELAY themselves. Where bytes only pass through (echo, sink, forward)
there is nothing that streams would make easier, so those are protocols.

Where the streams of `X` are too slow, one writes a protocol by hand, which cuts the bytes where they lie, without a
coroutine. Here are two of them, which differ in one thing. `X_protocol` calls `write` for each frame, and both loops
make a system call of nearly every one. `X_joined` keeps the answers to one `data_received` in a list and writes them
as one: a few lines more, for whoever knows what a `send` costs. Where a read brings one frame there is nothing to join.
`with_reactor` is written like the first and sends like the second, since its transports join by themselves what is
written in a handler.

`forward` must not hold what the other side does not take: `pause_writing` there pauses reading here, with the
water marks that asyncio has by default.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

from tests.benchmarks.contestants.announcing import BACKLOG, HOST, Announce

__all__ = [
    "LoopFactory",
    "echo",
    "fanout",
    "fanout_joined",
    "fanout_protocol",
    "forward",
    "lines",
    "lines_joined",
    "lines_protocol",
    "prefixed",
    "prefixed_joined",
    "prefixed_protocol",
    "sink",
]

LoopFactory = Callable[[], asyncio.AbstractEventLoop]
Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Start = Callable[[], Awaitable[asyncio.Server]]

PREFIX_SIZE = 4
READ_SIZE = 256 * 1024


# --- Protocols --------------------------------------------------------------------------------------------------------


class Echo(asyncio.Protocol):
    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are not instances of it

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class Lines(Echo):
    """A write for each line."""

    def __init__(self) -> None:
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        *lines, self.buffer = (self.buffer + data).split(b"\n")
        for line in lines:
            self.line_received(line + b"\n")

    def line_received(self, line: bytes) -> None:
        self.transport.write(line)


class LinesJoined(Lines):
    """A write for all lines that were completed by one read."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.answers:
            self.transport.write(b"".join(self.answers))
            self.answers.clear()

    def line_received(self, line: bytes) -> None:
        self.answers.append(line)


class Prefixed(Echo):
    """A write for each frame, which is echoed as the bytes that it came in."""

    answer: Callable[[bytes], None]

    def __init__(self) -> None:
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.answer = self.transport.write

    def data_received(self, data: bytes) -> None:
        if self.buffer:
            data = self.buffer + data
        position, available = 0, len(data)
        while (begin := position + PREFIX_SIZE) <= available:
            end = begin + int.from_bytes(data[position:begin], "big")
            if end > available:
                break
            self.answer(data[position:end])
            position = end
        self.buffer = data[position:]


class PrefixedJoined(Prefixed):
    """A write for all frames that were completed by one read."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.answer = self.answers.append

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.answers:
            self.transport.write(b"".join(self.answers))
            self.answers.clear()


class FanOut(Lines):
    """Each line goes to all by itself; what the transport gathers, it gathers."""

    def __init__(self, everybody: set[asyncio.Transport]) -> None:
        super().__init__()
        self.everybody = everybody

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.everybody.add(self.transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.everybody.discard(self.transport)

    def line_received(self, line: bytes) -> None:
        self.share(line)

    def share(self, data: bytes) -> None:
        for transport in self.everybody:
            transport.write(data)


class FanOutJoined(FanOut):
    """The lines of one read go to all together."""

    def __init__(self, everybody: set[asyncio.Transport]) -> None:
        super().__init__(everybody)
        self.answers: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.answers:
            self.share(b"".join(self.answers))
            self.answers.clear()

    def line_received(self, line: bytes) -> None:
        self.answers.append(line)


class Sink(asyncio.BufferedProtocol):
    """Buffered: what is only counted is read to the same place again and again."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.count = 0
        self.buffer = bytearray(READ_SIZE)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.count += nbytes

    def eof_received(self) -> None:
        self.transport.write(b"%d\n" % self.count)


class Side(Echo):
    """One of the two connections of a forwarder. What it receives is for the other one to send."""

    other: Side
    ended = False  # will receive no more

    def data_received(self, data: bytes) -> None:
        self.other.transport.write(data)

    def pause_writing(self) -> None:
        self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        self.other.transport.resume_reading()  # asyncio may tell its end again, which changes nothing

    def eof_received(self) -> bool:
        self.ended = True
        self.other.transport.write_eof()
        if self.other.ended:  # it will not end by itself: what is still to be sent is sent before
            self.other.transport.close()
        return not self.other.ended

    def connection_lost(self, exc: Exception | None) -> None:
        if not (self.ended and self.other.ended):
            self.other.transport.abort()


class Client(Echo):
    """Who came to us, until there is somebody to pass it on to."""

    def __init__(self, host: str, port: int) -> None:
        self.target = host, port
        self.early: list[bytes] = []
        self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.pause_reading()
        self.connecting = asyncio.get_running_loop().create_task(self.connect())

    def data_received(self, data: bytes) -> None:
        self.early.append(data)  # uvloop begins to read after connection_made, whatever was said there
        self.transport.pause_reading()

    def eof_received(self) -> bool:
        self.ended = True
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.connecting.cancel()

    async def connect(self) -> None:
        side, other = Side(), Side()
        side.transport, side.other, other.other = self.transport, other, side
        try:
            await asyncio.get_running_loop().create_connection(lambda: other, *self.target)
        except OSError:
            self.transport.abort()
            return
        self.transport.set_protocol(side)
        for data in self.early:
            side.data_received(data)
        if self.ended:
            side.eof_received()
        else:
            self.transport.resume_reading()


# --- Streams ----------------------------------------------------------------------------------------------------------


async def echo_lines(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        async for line in reader:
            writer.write(line)
    except ConnectionError:
        pass
    writer.close()


async def echo_prefixed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            prefix = await reader.readexactly(PREFIX_SIZE)
            writer.write(prefix + await reader.readexactly(int.from_bytes(prefix, "big")))
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()


def sharing() -> Conversation:
    """A conversation that takes place among all who have it."""
    writers: set[asyncio.StreamWriter] = set()

    async def share_lines(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        try:
            async for line in reader:
                for receiver in writers:
                    try:
                        receiver.write(line)
                    except RuntimeError:  # uvloop: it is closed, and its own conversation has yet to notice
                        pass
        except ConnectionError:
            pass
        writers.discard(writer)
        writer.close()

    return share_lines


# --- Servers ----------------------------------------------------------------------------------------------------------


def run(start: Start, announce: Announce, loop_factory: LoopFactory | None) -> None:
    async def serve() -> None:
        server = await start()
        announce(server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()  # until the process is told to end

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(serve())


def run_protocol(
    factory: Callable[[], asyncio.BaseProtocol], announce: Announce, loop_factory: LoopFactory | None
) -> None:
    async def start() -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(factory, HOST, 0, backlog=BACKLOG)

    run(start, announce, loop_factory)


def run_streams(conversation: Conversation, announce: Announce, loop_factory: LoopFactory | None) -> None:
    async def start() -> asyncio.Server:
        return await asyncio.start_server(conversation, HOST, 0, backlog=BACKLOG)

    run(start, announce, loop_factory)


def echo(announce: Announce, *, loop_factory: LoopFactory | None = None) -> None:
    run_protocol(Echo, announce, loop_factory)


def lines(announce: Announce, *, loop_factory: LoopFactory | None = None) -> None:
    run_streams(echo_lines, announce, loop_factory)


def lines_protocol(announce: Announce, *, loop_factory: LoopFactory | None = None) -> None:
    run_protocol(Lines, announce, loop_factory)


def lines_joined(announce: Announce, *, loop_factory: LoopFactory | None = None) -> None:
    run_protocol(LinesJoined, announce, loop_factory)


def prefixed(announce: Announce, *, loop_factory: LoopFactory | None = None) -> None:
    run_streams(echo_prefixed, announce, loop_factory)


def prefixed_protocol(announce: Announce, *, loop_factory: LoopFactory | None = None) -> None:
    run_protocol(Prefixed, announce, loop_factory)


def prefixed_joined(announce: Announce, *, loop_factory: LoopFactory | None = None) -> None:
    run_protocol(PrefixedJoined, announce, loop_factory)


def fanout(announce: Announce, *, loop_factory: LoopFactory | None = None) -> None:
    run_streams(sharing(), announce, loop_factory)


def fanout_protocol(announce: Announce, *, loop_factory: LoopFactory | None = None) -> None:
    everybody: set[asyncio.Transport] = set()
    run_protocol(lambda: FanOut(everybody), announce, loop_factory)


def fanout_joined(announce: Announce, *, loop_factory: LoopFactory | None = None) -> None:
    everybody: set[asyncio.Transport] = set()
    run_protocol(lambda: FanOutJoined(everybody), announce, loop_factory)


def sink(announce: Announce, *, loop_factory: LoopFactory | None = None) -> None:
    run_protocol(Sink, announce, loop_factory)


def forward(announce: Announce, target: str, *, loop_factory: LoopFactory | None = None) -> None:
    host, _, port = target.rpartition(":")
    run_protocol(lambda: Client(host, int(port)), announce, loop_factory)
