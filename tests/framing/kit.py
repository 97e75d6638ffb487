"""What the property tests share: one row a codec, ways to cut a stream, and ways to drive a decoder.

A new codec joins all properties by a row in `ROWS`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

from hypothesis import strategies as st

from reactor.errors import FramingError
from reactor.framing import (
    Codec,
    Decoder,
    FixedLengthCodec,
    LengthPrefixedCodec,
    LineCodec,
    NetstringCodec,
    RespCodec,
    RespError,
    RespStatus,
    VarintCodec,
    announced,
    lines,
    resp,
)

MAX = 6
"""The maximum length in most rows: small, so that random frames and random bytes often pass it."""

OVERSIZE = b"o" * (MAX + 3)
PREFIX_NOISE = b"\x00\x01\x02\x03\x06\x07\x80\xff"


def made_of(alphabet: bytes, min_size: int, max_size: int) -> st.SearchStrategy[bytes]:
    """Random bytes out of `alphabet`. (One draw for all of them: a draw a byte takes twenty times as long.)"""
    table = bytes(alphabet[index % len(alphabet)] for index in range(256))
    return st.binary(min_size=min_size, max_size=max_size).map(lambda data: data.translate(table))


@dataclass(frozen=True)
class Row:
    """A codec, and what is worth feeding to it."""

    name: str
    codec: Codec[Any]
    frame_bytes: bytes = b"ab,:;0\r\xff"  # what random frames are made of
    lengths: tuple[int, int] = (0, MAX)  # of random frames
    noise: bytes = b"ab\r\n;"  # what random streams are made of
    corrupt: bytes | None = None  # what cannot be the beginning of a frame; None: everything can
    oversize: bytes | None = None  # a frame that is too long, on the wire; None: no frame can be
    not_bytes: st.SearchStrategy[Any] | None = None  # the frames that are no bytes
    no_frames: tuple[object, ...] = ("text", None, 5, [1])  # what cannot be one, because of its type

    def frames(self) -> st.SearchStrategy[list[Any]]:
        """Lists of frames that the codec can encode."""
        low, high = self.lengths
        frame: st.SearchStrategy[Any] = made_of(self.frame_bytes, low, high)
        if self.not_bytes is not None:
            frame |= self.not_bytes
        return st.lists(frame, max_size=8).map(lambda frames: list(filter(self.can_encode, frames)))

    def can_encode(self, frame: Any) -> bool:
        try:
            self.codec.encode(frame)
        except ValueError:
            return False
        return True

    def stream(self, frames: list[Any]) -> bytes:
        return b"".join(map(self.codec.encode, frames))

    def streams(self) -> st.SearchStrategy[bytes]:
        """Arbitrary bytes, with good and oversize frames among them."""
        noise = made_of(self.noise, 0, 12) | st.binary(max_size=12)
        frames = self.frames().map(self.stream) | st.just(self.oversize or b"")
        return st.lists(noise | frames, max_size=5).map(b"".join)


def rows() -> Iterator[Row]:
    line = Row("", LineCodec(MAX), oversize=OVERSIZE + b"\n")
    yield replace(line, name="lines, either newline")
    network = LineCodec(MAX, delimiter=(b"\r\n", b"\n"))
    yield replace(line, name="lines, either newline, writes \\r\\n", codec=network, oversize=OVERSIZE + b"\r\n")
    yield replace(line, name="lines, \\n", codec=LineCodec(MAX, delimiter=b"\n"))
    yield replace(line, name="lines, \\r\\n", codec=LineCodec(MAX, delimiter=b"\r\n"), oversize=OVERSIZE + b"\r\n")
    yield replace(line, name="lines, any byte", codec=LineCodec(MAX, delimiter=(b";", b"\n", b"\r")))
    yield replace(
        line,
        name="lines, overlapping",
        codec=LineCodec(MAX, delimiter=(b"abab", b"\r\n", b"\n", b"aa")),
        oversize=OVERSIZE + b"abab",
    )

    yield Row("fixed", FixedLengthCodec(5), lengths=(5, 5))

    big = Row("", LengthPrefixedCodec(), noise=PREFIX_NOISE)
    for size in (1, 2, 3, 4, 8):
        wire = len(OVERSIZE).to_bytes(size, "big") + OVERSIZE
        codec = LengthPrefixedCodec(size, max_length=MAX)
        yield replace(big, name=f"prefix of {size}", codec=codec, oversize=wire)
    yield replace(
        big,
        name="prefix counts itself, little",
        codec=LengthPrefixedCodec(2, byteorder="little", prefix_includes_itself=True, max_length=MAX),
        corrupt=b"\x01\x00",
        oversize=(2 + len(OVERSIZE)).to_bytes(2, "little") + OVERSIZE,
    )

    yield Row(
        "varint", VarintCodec(MAX), noise=PREFIX_NOISE, corrupt=b"\x80\x80", oversize=bytes([9]) + OVERSIZE
    )
    yield Row(
        "varint of two bytes",
        VarintCodec(200),
        lengths=(120, 135),
        noise=PREFIX_NOISE,
        corrupt=b"\x81\x00",
        oversize=b"\xac\x02" + b"o" * 300,
    )

    yield Row(
        "netstring", NetstringCodec(MAX), noise=b"0123456789:,", corrupt=b"01:", oversize=b"9:" + OVERSIZE + b","
    )

    text = made_of(b"ab *$", 0, 4)
    leaves = made_of(b"a\r\n", 0, 4) | st.integers(-12, 12) | st.none() | st.builds(RespStatus, text)
    values = st.recursive(leaves | st.builds(RespError, text), lambda inner: st.lists(inner, max_size=4), max_leaves=6)
    a_resp = Row(
        "resp",
        RespCodec(40, max_depth=2, max_elements=4),
        noise=b"+-:$*\r\n012a",
        corrupt=b"a",
        oversize=b"$40\r\n" + b"o" * 40 + b"\r\n",
        not_bytes=values,
        no_frames=("text", True, 0.5, ["text"], (b"a",)),
    )
    yield a_resp
    with_inline = RespCodec(40, max_depth=2, max_elements=4, inline=True)
    yield replace(a_resp, name="resp, inline", codec=with_inline, noise=b"*$:\r\n\n12a '\"\\", corrupt=b"*a\r\n")


def discarding(row: Row) -> Row:
    codec: Any = row.codec
    # \xff as the eighth byte of a varint would still be legal: only a codec that gives up early finds it corrupt.
    corrupt = b"\x80\x00" if isinstance(codec, VarintCodec) else row.corrupt
    return replace(row, name=row.name + ", discards", codec=replace(codec, oversize="discard"), corrupt=corrupt)


ROWS = [
    row
    for strict in rows()
    for row in ((strict, discarding(strict)) if hasattr(strict.codec, "oversize") else (strict,))
]


@contextmanager
def window(size: int) -> Iterator[None]:
    """Let decoders look at `size` bytes at once, so that short streams reach the edges of the window as well."""
    with (
        mock.patch.object(lines, "WINDOW", size),
        mock.patch.object(announced, "WINDOW", size),
        mock.patch.object(resp, "WINDOW", size),
    ):
        yield


windows = st.sampled_from([1, 3, 8, 16 * 1024])
limits = st.sampled_from([1, 2, 3, 1000])


def cut(data: bytes, positions: bytes) -> list[bytes]:
    """Cut `data` at `positions`, random numbers; without any, into single bytes. Some pieces are empty."""
    if not positions:
        return [data[index : index + 1] for index in range(len(data))]
    places = sorted(position % (len(data) + 1) for position in positions)
    return [data[begin:end] for begin, end in zip([0, *places], [*places, len(data)], strict=True)]


cuts = st.binary(max_size=10)
"""Positions for `cut`."""


Outcome = tuple[list[Any], type[FramingError] | None]
"""The frames that came out, and what ended them: the decoder's error, or what `finish` said."""


def drain(decoder: Decoder[Any], limit: int = 1000) -> list[Any]:
    """Take all frames that are there."""
    frames: list[Any] = []
    while batch := decoder.decode(limit):
        assert len(batch) <= limit
        frames += batch
        decoder.consume(len(batch))
    return frames


def outcome(decoder: Decoder[Any], pieces: list[bytes], limit: int = 1000) -> Outcome:
    """Feed `pieces`, then the end of the stream."""
    frames: list[Any] = []
    try:
        for piece in pieces:
            decoder.feed(piece)
            while batch := decoder.decode(limit):
                frames += batch
                decoder.consume(len(batch))
        decoder.finish()
    except FramingError as error:
        return frames, type(error)
    return frames, None
