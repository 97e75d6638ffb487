from __future__ import annotations

import pytest

from reactor.errors import FrameTooLongError, FramingError
from reactor.framing import NetstringCodec


def test_a_netstring_is_written_and_read_as_its_author_showed() -> None:
    codec = NetstringCodec()
    assert codec.encode(b"hello world!") == b"12:hello world!,"
    assert codec.encode(b"") == b"0:,"
    assert codec.decode_all(b"12:hello world!,0:,1:,,") == [b"hello world!", b"", b","]


@pytest.mark.parametrize(
    "wire",
    [b":,", b",", b"x", b"1x", b" 1:a,", b"1 :a,", b"-1:", b"+1:a,", b"01:a,", b"00:,", "１:a,".encode(), b"1:ab"],
)
def test_anything_but_a_strict_netstring_is_corrupt(wire: bytes) -> None:
    with pytest.raises(FramingError) as caught:
        NetstringCodec().decode_all(wire)
    assert type(caught.value) is FramingError


def test_a_missing_comma_is_named() -> None:
    with pytest.raises(FramingError, match=r"b'c' follows a frame of 2 bytes, not b','"):
        NetstringCodec().decode_all(b"2:abc")


def test_an_oversize_frame_is_refused_before_a_byte_of_it_has_come() -> None:
    decoder = NetstringCodec(max_length=99).decoder()
    decoder.feed(b"100")
    with pytest.raises(FrameTooLongError, match="max_length is 99"):
        decoder.decode()


def test_a_frame_to_be_discarded_may_announce_no_more_than_eighteen_digits() -> None:
    decoder = NetstringCodec(oversize="discard").decoder()
    decoder.feed(b"9" * 18)
    assert decoder.decode() == []
    decoder.feed(b"9")
    with pytest.raises(FrameTooLongError):
        decoder.decode()


def test_an_oversize_frame_is_discarded_with_its_comma() -> None:
    assert NetstringCodec(max_length=3, oversize="discard").decode_all(b"1:a,4:abcd,1:b,") == [b"a", b"b"]


def test_the_largest_frame_has_all_around_it_with_it() -> None:
    assert NetstringCodec(max_length=9).max_size == len(b"9:123456789,")
    assert NetstringCodec(max_length=0, oversize="discard").max_size == 19  # what an oversize frame's length may have
