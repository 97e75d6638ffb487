from __future__ import annotations

import pytest

from reactor.errors import EncodeError, FrameTooLongError, FramingError, OptionError
from reactor.framing import LengthPrefixedCodec


@pytest.mark.parametrize(
    ("codec", "wire"),
    [
        (LengthPrefixedCodec(1), b"\x03abc"),
        (LengthPrefixedCodec(2), b"\x00\x03abc"),
        (LengthPrefixedCodec(3), b"\x00\x00\x03abc"),
        (LengthPrefixedCodec(), b"\x00\x00\x00\x03abc"),
        (LengthPrefixedCodec(8), b"\x00\x00\x00\x00\x00\x00\x00\x03abc"),
        (LengthPrefixedCodec(3, byteorder="little"), b"\x03\x00\x00abc"),
        (LengthPrefixedCodec(2, prefix_includes_itself=True), b"\x00\x05abc"),
    ],
)
def test_the_prefix_counts_the_bytes_of_the_frame(codec: LengthPrefixedCodec, wire: bytes) -> None:
    assert codec.encode(b"abc") == wire
    assert codec.decode_all(wire + wire) == [b"abc", b"abc"]


@pytest.mark.parametrize(("includes_itself", "longest"), [(False, 255), (True, 254)])
def test_a_frame_that_the_prefix_cannot_count_cannot_be_encoded(includes_itself: bool, longest: int) -> None:
    codec = LengthPrefixedCodec(1, prefix_includes_itself=includes_itself)
    assert codec.decode_all(codec.encode(b"x" * longest)) == [b"x" * longest]
    assert codec.max_size == 1 + longest
    with pytest.raises(EncodeError, match=f"prefix of 1 bytes cannot count a frame of {longest + 1} bytes"):
        codec.encode(b"x" * (longest + 1))


def test_a_prefix_that_counts_itself_and_says_less_is_corrupt() -> None:
    codec = LengthPrefixedCodec(2, prefix_includes_itself=True)
    assert codec.decode_all(b"\x00\x02") == [b""]
    with pytest.raises(FramingError, match="counts its own 2 bytes is 1"):
        codec.decode_all(b"\x00\x01")


def test_an_oversize_frame_is_refused_before_a_byte_of_it_has_come() -> None:
    decoder = LengthPrefixedCodec(max_length=1000).decoder()
    decoder.feed(b"\xff\xff\xff\xff")
    with pytest.raises(FrameTooLongError, match="4294967295 bytes is announced, max_length is 1000"):
        decoder.decode()


def test_an_oversize_frame_is_discarded_by_counting() -> None:
    decoder = LengthPrefixedCodec(2, max_length=3, oversize="discard").decoder()
    decoder.feed(b"\x00\x01a" + b"\x00\x05abc")
    assert decoder.decode() == [b"a"]
    decoder.consume(1)
    assert decoder.decode() == []
    assert decoder.buffered == 0
    decoder.feed(b"de\x00\x01b")
    assert decoder.decode() == [b"b"]


def test_the_maximum_is_checked_when_encoding_too() -> None:
    with pytest.raises(EncodeError, match="4 bytes, max_length is 3"):
        LengthPrefixedCodec(max_length=3).encode(b"abcd")


def test_options_that_cannot_be_are_refused() -> None:
    for size in (0, 5, 16):
        with pytest.raises(OptionError, match="prefix_size"):
            LengthPrefixedCodec(size)
    with pytest.raises(OptionError, match="byteorder"):
        LengthPrefixedCodec(byteorder="middle")  # type: ignore[arg-type]
