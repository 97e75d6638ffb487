from __future__ import annotations

import pytest

from reactor.errors import FrameTooLongError, FramingError
from reactor.framing import VarintCodec


@pytest.mark.parametrize(
    ("length", "prefix"),
    [(0, b"\x00"), (1, b"\x01"), (127, b"\x7f"), (128, b"\x80\x01"), (300, b"\xac\x02"), (16384, b"\x80\x80\x01")],
)
def test_the_prefix_has_seven_bits_a_byte_the_least_significant_first(length: int, prefix: bytes) -> None:
    codec = VarintCodec()
    wire = codec.encode(b"x" * length)
    assert wire == prefix + b"x" * length
    assert codec.decode_all(wire) == [b"x" * length]


@pytest.mark.parametrize("prefix", [b"\x80\x00", b"\x81\x00", b"\xff\x80\x00"])
def test_a_length_written_with_useless_bytes_is_corrupt(prefix: bytes) -> None:
    with pytest.raises(FramingError, match="useless"):
        VarintCodec().decode_all(prefix)


@pytest.mark.parametrize("oversize", ["error", "discard"])
def test_a_prefix_of_more_than_ten_bytes_is_corrupt(oversize: str) -> None:
    with pytest.raises(FramingError):
        VarintCodec(oversize=oversize).decode_all(b"\x80" * 10 + b"\x01")


def test_a_length_of_more_than_64_bits_is_corrupt() -> None:
    codec = VarintCodec(oversize="discard")
    decoder = codec.decoder()
    decoder.feed(b"\xff" * 9 + b"\x01")
    assert decoder.decode() == []  # 2**64 - 1 bytes are being discarded
    with pytest.raises(FramingError, match="64 bits"):
        codec.decode_all(b"\xff" * 9 + b"\x02")


def test_a_prefix_longer_than_that_of_the_longest_frame_is_refused_at_once() -> None:
    decoder = VarintCodec(max_length=127).decoder()
    decoder.feed(b"\x80")
    with pytest.raises(FrameTooLongError, match="max_length is 127"):
        decoder.decode()


def test_the_largest_frame_has_its_prefix_with_it() -> None:
    assert VarintCodec(max_length=127).max_size == 1 + 127
    assert VarintCodec(max_length=128).max_size == 2 + 128
    assert VarintCodec(max_length=0, oversize="discard").max_size == 10  # what an oversize frame's prefix may have
