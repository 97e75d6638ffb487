"""Twice the bytes, twice the work: counted in bytes that are copied or searched, and in Python calls. No clock."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, SupportsIndex

import pytest

from reactor.buffering import ReceiveBuffer, receive_buffer
from reactor.framing import (
    Codec,
    FixedLengthCodec,
    LengthPrefixedCodec,
    LineCodec,
    NetstringCodec,
    RespCodec,
    VarintCodec,
)

MEBIBYTE = 1024 * 1024
SEGMENT = 1460
"""The payload of a TCP segment on Ethernet."""


class Ledger:
    """Counts the bytes that a receive buffer copies and searches, and all Python calls."""

    def __init__(self) -> None:
        self.bytes = 0
        self.calls = 0

    def profile(self, _frame: FrameType, event: str, _argument: object) -> None:
        self.calls += event == "call"


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    """A ledger into which every `ReceiveBuffer` writes."""
    ledger = Ledger()

    class CountingBytearray(bytearray):
        def __iadd__(self, data: Any) -> CountingBytearray:  # type: ignore[misc]
            ledger.bytes += len(data)
            super().__iadd__(data)
            return self

        def __getitem__(self, key: SupportsIndex | slice) -> Any:
            return CountingBytearray(CountingView(self)[key]) if isinstance(key, slice) else super().__getitem__(key)

        def find(self, sub: Any, start: Any = None, end: Any = None) -> int:
            found = super().find(sub, start, end)
            ledger.bytes += (len(self) if found < 0 else found) - (start or 0)
            return found

    class CountingView:
        """A memoryview whose slices are going to be copied: nothing else is done with them."""

        def __init__(self, data: bytes | bytearray) -> None:
            self.view = memoryview(data)

        def __getitem__(self, key: slice) -> memoryview:
            part = self.view[key]
            ledger.bytes += len(part)
            return part

    original = ReceiveBuffer.peek

    def peek(buffer: ReceiveBuffer, n: int = -1, offset: int = 0) -> bytes:
        peeked = original(buffer, n, offset)
        ledger.bytes += len(peeked)
        return peeked

    monkeypatch.setattr(receive_buffer, "bytearray", CountingBytearray, raising=False)
    monkeypatch.setattr(receive_buffer, "memoryview", CountingView, raising=False)
    monkeypatch.setattr(ReceiveBuffer, "peek", peek)
    yield ledger


def work(ledger: Ledger, codec: Codec[Any], stream: bytes, piece: int, limit: int = sys.maxsize) -> tuple[int, int]:
    """Decode `stream` in pieces of `piece` bytes and return what that cost: bytes touched, and calls."""
    ledger.bytes = ledger.calls = 0
    decoder = codec.decoder()
    frames = 0
    sys.setprofile(ledger.profile)
    try:
        for position in range(0, len(stream), piece):
            decoder.feed(stream[position : position + piece])
            while batch := decoder.decode(limit):
                frames += len(batch)
                decoder.consume(len(batch))
    finally:
        sys.setprofile(None)
    assert decoder.buffered == 0
    assert frames
    return ledger.bytes, ledger.calls


CODECS_FOR_ONE_FRAME_OF: dict[str, Callable[[int], Codec[Any]]] = {
    "lines, either newline": lambda size: LineCodec(size),
    "lines, \\r\\n": lambda size: LineCodec(size, delimiter=b"\r\n"),
    "lines, several": lambda size: LineCodec(size, delimiter=(b";", b"\r\n")),
    "fixed": lambda size: FixedLengthCodec(size),
    "length-prefixed": lambda size: LengthPrefixedCodec(max_length=size),
    "varint": lambda size: VarintCodec(size),
    "netstring": lambda size: NetstringCodec(size),
    "resp": lambda size: RespCodec(size + 12),
}

for_each_codec = pytest.mark.parametrize("name", CODECS_FOR_ONE_FRAME_OF)


def one_frame(name: str, size: int) -> tuple[Codec[Any], bytes]:
    codec = CODECS_FOR_ONE_FRAME_OF[name](size)
    return codec, codec.encode(b"x" * size)


@for_each_codec
def test_a_frame_of_8_mb_in_segments_is_linear_work(ledger: Ledger, name: str) -> None:
    half_bytes, half_calls = work(ledger, *one_frame(name, 4 * MEBIBYTE), piece=SEGMENT)
    whole_bytes, whole_calls = work(ledger, *one_frame(name, 8 * MEBIBYTE), piece=SEGMENT)
    assert whole_bytes < 2.2 * half_bytes
    assert whole_calls < 2.2 * half_calls
    assert whole_bytes < 5 * 8 * MEBIBYTE  # in, searched, out (counted twice), and one to spare


@for_each_codec
def test_a_frame_of_100_kb_byte_by_byte_is_linear_work(ledger: Ledger, name: str) -> None:
    half_bytes, half_calls = work(ledger, *one_frame(name, 50_000), piece=1)
    whole_bytes, whole_calls = work(ledger, *one_frame(name, 100_000), piece=1)
    assert whole_bytes < 2.2 * half_bytes
    assert whole_calls < 2.2 * half_calls
    assert whole_bytes < 6 * 100_000


@for_each_codec
def test_a_read_full_of_short_frames_that_is_fetched_in_small_batches_is_linear_work(
    ledger: Ledger, name: str
) -> None:
    codec, frame = one_frame(name, 1)
    half_bytes, half_calls = work(ledger, codec, frame * 50_000, piece=sys.maxsize, limit=64)
    whole_bytes, whole_calls = work(ledger, codec, frame * 100_000, piece=sys.maxsize, limit=64)
    assert whole_bytes < 2.2 * half_bytes
    assert whole_calls < 2.2 * half_calls


def test_discarding_an_endless_line_is_linear_work(ledger: Ledger) -> None:
    codec = LineCodec(1000, oversize="discard")
    half_bytes, half_calls = work(ledger, codec, b"x" * 500_000 + b"\n\n", piece=100)
    whole_bytes, whole_calls = work(ledger, codec, b"x" * 1_000_000 + b"\n\n", piece=100)
    assert whole_bytes <= 2.2 * half_bytes
    assert whole_calls < 2.2 * half_calls


@pytest.mark.parametrize("shape", [b"*%d\r\n", b"*2\r\n:1\r\n*%d\r\n"])
@pytest.mark.parametrize("element", [b":1\r\n", b"$2\r\n\r\n\r\n", b"*1\r\n+\r\n"])
@pytest.mark.parametrize("piece", [1, 7, SEGMENT])
def test_an_array_of_many_elements_is_linear_work(ledger: Ledger, shape: bytes, element: bytes, piece: int) -> None:
    codec = RespCodec()
    half_bytes, half_calls = work(ledger, codec, shape % 3_000 + element * 3_000, piece)
    whole_bytes, whole_calls = work(ledger, codec, shape % 6_000 + element * 6_000, piece)
    assert whole_bytes < 2.2 * half_bytes
    assert whole_calls < 2.2 * half_calls


@pytest.mark.parametrize("begin", [b"+", b"say "])
def test_a_long_line_of_resp_byte_by_byte_is_linear_work(ledger: Ledger, begin: bytes) -> None:
    codec = RespCodec(inline=True)
    half_bytes, half_calls = work(ledger, codec, begin + b"x" * 25_000 + b"\r\n", piece=1)
    whole_bytes, whole_calls = work(ledger, codec, begin + b"x" * 50_000 + b"\r\n", piece=1)
    assert whole_bytes < 2.2 * half_bytes
    assert whole_calls < 2.2 * half_calls


def test_the_ledger_would_notice_a_rest_that_is_copied_for_every_piece(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def feed(buffer: ReceiveBuffer, data: bytes) -> None:
        rest = buffer.peek()
        buffer.clear()
        original(buffer, rest + data)

    original = ReceiveBuffer.feed
    monkeypatch.setattr(ReceiveBuffer, "feed", feed)
    half_bytes, _ = work(ledger, *one_frame("fixed", 50_000), piece=SEGMENT)
    whole_bytes, _ = work(ledger, *one_frame("fixed", 100_000), piece=SEGMENT)
    assert whole_bytes > 3 * half_bytes
