from __future__ import annotations

import pytest

from reactor.errors import EncodeError, IncompleteFrameError, OptionError
from reactor.framing import FixedLengthCodec


def test_a_stream_is_cut_into_frames_of_the_length() -> None:
    codec = FixedLengthCodec(3)
    assert codec.decode_all(b"abcdef") == [b"abc", b"def"]
    assert codec.max_size == 3


def test_a_rest_is_an_incomplete_frame() -> None:
    with pytest.raises(IncompleteFrameError, match="1 bytes"):
        FixedLengthCodec(3).decode_all(b"abcd")


@pytest.mark.parametrize("frame", [b"", b"ab", b"abcd"])
def test_a_frame_of_another_length_cannot_be_encoded(frame: bytes) -> None:
    with pytest.raises(EncodeError, match=f"{len(frame)} bytes"):
        FixedLengthCodec(3).encode(frame)


@pytest.mark.parametrize("length", [0, -1])
def test_frames_of_no_length_are_refused(length: int) -> None:
    with pytest.raises(OptionError, match=str(length)):
        FixedLengthCodec(length)
