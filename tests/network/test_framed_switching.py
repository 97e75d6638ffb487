"""A handler may stop the delivery anywhere: no byte is lost, none comes twice, and no more is held than allowed.

A script is a stream in parts. Each part is written with one codec, and its last frame is where something changes: the
codec, the protocol, or the connection ends. On the way reading is paused after any frame. The stream is cut anywhere.
Whoever reads must have received every frame of the parts that were his, in order, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor import (
    Budget,
    Codec,
    ConnectionOptions,
    FixedLengthCodec,
    FramedProtocol,
    LengthPrefixedCodec,
    LineCodec,
    NetstringCodec,
    Protocol,
    VarintCodec,
)
from tests.network.kit import Network, World

LONGEST = 40  # bytes of a frame
CODECS: tuple[Codec[bytes], ...] = (
    LineCodec(max_length=LONGEST),
    LineCodec(max_length=LONGEST, delimiter=(b"\r\n", b"|")),
    FixedLengthCodec(3),
    LengthPrefixedCodec(2, max_length=LONGEST),
    LengthPrefixedCodec(1, max_length=LONGEST, prefix_includes_itself=True),
    VarintCodec(max_length=LONGEST),
    NetstringCodec(max_length=LONGEST),
)

SAFE = st.binary(max_size=LONGEST).map(lambda data: data.translate(bytes(b if b >= 48 else 48 + b for b in range(256))))
"""Frames without any codec's delimiter."""


@dataclass(frozen=True)
class Part:
    """Frames of one codec, the indexes after which reading is paused, and what happens at the last one."""

    codec: Codec[bytes]
    frames: list[bytes]
    pauses: frozenset[int]
    change: str  # "codec", "protocol"

    @property
    def raw(self) -> bytes:
        return b"".join(map(self.codec.encode, self.frames))


@st.composite
def parts(draw: st.DrawFn) -> Part:
    codec = draw(st.sampled_from(CODECS))
    frames = draw(st.lists(SAFE.filter(lambda frame: b"|" not in frame), min_size=1, max_size=25))
    if isinstance(codec, FixedLengthCodec):
        frames = [(frame + b"...")[:3] for frame in frames]
    pauses = draw(st.frozensets(st.integers(0, len(frames) - 1), max_size=4))
    return Part(codec, frames, pauses, draw(st.sampled_from(["codec", "protocol"])))


@dataclass(frozen=True)
class Script:
    """The stream: its parts, what comes behind the last one, and what happens there."""

    parts: list[Part]
    ending: str  # "raw": a protocol without frames takes over; "close", "abort": and the rest is for nobody
    rest: bytes
    cuts: list[int]
    cap: int
    read_size: int

    @property
    def raw(self) -> bytes:
        return b"".join(part.raw for part in self.parts) + self.rest

    def pieces(self) -> list[bytes]:
        """The stream, cut into pieces of the sizes in `cuts`, again and again."""
        raw, pieces, turn = self.raw, [], 0
        while raw:
            size = self.cuts[turn % len(self.cuts)]
            pieces.append(raw[:size])
            raw = raw[size:]
            turn += 1
        return pieces


scripts = st.builds(
    Script,
    parts=st.lists(parts(), min_size=1, max_size=4),
    ending=st.sampled_from(["raw", "close", "abort"]),
    rest=st.binary(max_size=60),
    cuts=st.lists(st.integers(1, 200), min_size=1, max_size=5),
    cap=st.sampled_from([1, 2, 5, 1024]),
    read_size=st.sampled_from([1, 16, 100, 1 << 18]),
)


class PeakBudget(Budget):
    """A budget that remembers the most that was ever used."""

    peak = 0

    def change(self, delta: int) -> None:
        super().change(delta)
        self.peak = max(self.peak, self.used)


@dataclass
class Story:
    """What the protocols of one connection received, and how they go through the script."""

    script: Script
    options: ConnectionOptions
    paused: Callable[[Any], object]  # called with the transport when reading was paused
    frames: list[bytes] = field(default_factory=list)
    raw: bytearray = field(default_factory=bytearray)
    part: int = 0
    position: int = 0
    ended: bool = False
    over: list[BaseException | None] = field(default_factory=list)

    def protocol(self) -> Reader:
        reader = Reader(self)
        reader.codec = self.script.parts[self.part].codec
        return reader

    def received(self, reader: Reader, frame: bytes) -> None:
        """A frame has come: go on in the script."""
        assert not self.ended, "a frame after the end"
        transport = reader.transport
        assert transport is not None, "a frame for a protocol that was replaced"
        self.frames.append(frame)
        part = self.script.parts[self.part]
        index, self.position = self.position, self.position + 1
        if self.position == len(part.frames):
            self._change(reader, transport, part.change)
        if index in part.pauses and not self.ended:
            transport.pause_reading()
            self.paused(transport)

    def _change(self, reader: Reader, transport: Any, change: str) -> None:
        self.part, self.position = self.part + 1, 0
        if self.part == len(self.script.parts):
            self.ended = True
            if self.script.ending == "raw":
                reader.transport = None
                transport.set_protocol(Raw(self))
            else:
                getattr(transport, self.script.ending)()
        elif change == "codec":
            reader.codec = self.script.parts[self.part].codec
        else:
            successor = self.protocol()
            reader.transport, successor.transport = None, transport
            transport.set_protocol(successor)

    def check(self) -> None:
        """Everything has come: it must be what was sent."""
        assert self.ended
        assert self.frames == [frame for part in self.script.parts for frame in part.frames]
        assert self.raw == (self.script.rest if self.script.ending == "raw" else b"")
        assert isinstance(self.options.budget, PeakBudget)
        assert self.options.budget.used == 0
        largest_frame = max(part.codec.max_size for part in self.script.parts)
        assert self.options.budget.peak <= max(largest_frame, self.script.read_size)


class Reader(FramedProtocol[bytes]):
    def __init__(self, story: Story) -> None:
        self.story = story
        self.frames_per_tick = story.script.cap  # type: ignore[misc]

    def frame_received(self, frame: bytes) -> None:
        self.story.received(self, frame)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self.story.over.append(exc)


class Raw(Protocol):
    def __init__(self, story: Story) -> None:
        self.story = story

    def data_received(self, data: bytes) -> None:
        self.story.raw += data

    def connection_lost(self, exc: BaseException | None) -> None:
        self.story.over.append(exc)


class Wire:
    """A transport without a socket: the part of its contract that a framed protocol leans on, and nothing else."""

    def __init__(self, options: ConnectionOptions) -> None:
        self.options = options
        self.recipient: Any = None
        self.protocol: Any = None
        self.given_back: bytes | None = None
        self.limit = options.read_size
        self.paused = False
        self.closed = False

    def step(self, pieces: list[bytes]) -> None:
        """One tick: what was given back, otherwise one read of what has come."""
        if self.recipient is None:
            return
        if self.given_back is not None:
            data, self.given_back = self.given_back, None
            self.protocol.data_received(data)
        elif pieces:
            piece = pieces.pop(0)
            if len(piece) > self.limit:
                pieces.insert(0, piece[self.limit :])
            self.protocol.data_received(piece[: self.limit])

    def _update(self) -> None:
        self.recipient = None if self.paused or self.closed else self.protocol

    def start(self, protocol: Any) -> None:
        self.protocol = protocol
        self._update()
        protocol.connection_made(self)

    def pause_reading(self) -> None:
        self.paused = True
        self._update()

    def resume_reading(self) -> None:
        self.paused = False
        self._update()

    def unread(self, data: bytes) -> None:
        self.given_back = data + (self.given_back or b"")

    def set_read_limit(self, size: int | None) -> None:
        assert size is None or size > 0
        self.limit = self.options.read_size if size is None else min(size, self.options.read_size)

    def set_protocol(self, protocol: Any) -> None:
        rest = self.protocol.release_input()
        self.protocol = protocol
        self.limit = self.options.read_size
        self._update()
        if rest or self.given_back is not None:
            self.unread(rest)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self.options if name == "options" else default

    def close(self, reason: BaseException | None = None) -> None:
        assert reason is None, f"closed because of {reason!r}"
        self.closed = True
        self._update()

    abort = close

    def end(self) -> None:
        """The loop calls this, never `close` itself."""
        self.protocol.connection_lost(None)


def options_for(script: Script) -> ConnectionOptions:
    return ConnectionOptions(budget=PeakBudget(1 << 30), read_size=script.read_size)


@given(script=scripts)
def test_a_handler_that_stops_the_delivery_stops_it_exactly_there(script: Script) -> None:
    story = Story(script, options_for(script), paused=lambda transport: None)
    wire = Wire(story.options)
    wire.start(story.protocol())
    pieces = script.pieces()
    for _ in range(4 * len(script.raw) + 200):
        before = len(story.frames)
        wire.step(pieces)
        assert len(story.frames) - before <= script.cap
        wire.resume_reading()
        if wire.closed or (not pieces and wire.given_back is None):
            break
    wire.end()
    assert story.over == [None]
    story.check()


@given(script=scripts)
@settings(max_examples=25)
def test_the_same_holds_on_sockets(new_world: Callable[[], World], script: Script) -> None:
    net = Network(new_world())
    try:
        story = Story(script, options_for(script), lambda transport: net.reactor.call_soon(transport.resume_reading))
        server = net.listen(story.protocol, options=story.options)
        peer = net.dial(server)
        try:
            for piece in script.pieces():
                net.send_all(peer, piece)
                net.reactor.run_once(0)
        except ConnectionError:
            assert script.ending == "abort"
        net.until(lambda: story.ended and (script.ending != "raw" or len(story.raw) == len(script.rest)))
        peer.close()
        net.until(lambda: story.over)
        assert story.over == [None]
        story.check()
    finally:
        net.close()
        net.world.close()


@pytest.mark.parametrize("size", [1, 7, 100, 4096])
@given(frames=st.lists(SAFE, min_size=1, max_size=50), read_size=st.sampled_from([1, 50, 4096]))
def test_input_held_is_never_more_than_the_largest_frame_or_one_read(
    size: int, frames: list[bytes], read_size: int
) -> None:
    """Also while reading is paused after every single frame."""
    codec = NetstringCodec(max_length=LONGEST)
    budget = PeakBudget(1 << 30)
    wire = Wire(ConnectionOptions(budget=budget, read_size=read_size))

    class Pausing(FramedProtocol[bytes]):
        def frame_received(self, frame: bytes) -> None:
            received.append(frame)
            wire.pause_reading()

    received: list[bytes] = []
    near = Pausing()
    near.codec = codec
    wire.start(near)
    stream = b"".join(map(codec.encode, frames))
    pieces = [stream[begin : begin + size] for begin in range(0, len(stream), size)]
    while pieces or wire.given_back is not None:
        wire.step(pieces)
        wire.resume_reading()
    assert received == frames
    assert budget.peak <= max(codec.max_size, read_size)
