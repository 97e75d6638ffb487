from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from reactor.errors import FramingError, IncompleteFrameError, OptionError
from reactor.framing import (
    Codec,
    FixedLengthCodec,
    LengthPrefixedCodec,
    LineCodec,
    NetstringCodec,
    Oversize,
    VarintCodec,
)

CODECS: list[Codec[bytes]] = [FixedLengthCodec(5), LineCodec(), LengthPrefixedCodec(), VarintCodec(), NetstringCodec()]


@pytest.mark.parametrize("codec", [LineCodec, LengthPrefixedCodec, VarintCodec, NetstringCodec])
def test_the_oversize_policy_may_be_given_by_its_name(codec: Any) -> None:
    assert codec(oversize="discard") == codec(oversize=Oversize.DISCARD) != codec(oversize="error") == codec()
    with pytest.raises(OptionError, match="'ignore'"):
        codec(oversize="ignore")


@pytest.mark.parametrize("codec", [LineCodec, LengthPrefixedCodec, VarintCodec, NetstringCodec])
def test_a_negative_maximum_is_refused(codec: Any) -> None:
    assert codec(max_length=0).max_length == 0
    with pytest.raises(OptionError, match="-1"):
        codec(max_length=-1)


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: type(codec).__name__)
def test_a_codec_is_immutable_and_a_value(codec: Any) -> None:
    for field in fields(codec):
        with pytest.raises(FrozenInstanceError):
            setattr(codec, field.name, 5)
    assert copy.copy(codec) == codec
    assert hash(copy.copy(codec)) == hash(codec)


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: type(codec).__name__)
def test_a_codec_can_be_handed_to_another_process(codec: Codec[bytes]) -> None:
    received = pickle.loads(pickle.dumps(codec))
    assert received == codec
    assert received.decode_all(codec.encode(b"hello")) == [b"hello"]


def test_a_whole_stream_can_be_decoded_at_once() -> None:
    assert LineCodec().decode_all(b"a\nb\r\n") == [b"a", b"b"]
    assert LineCodec().decode_all(b"") == []


def test_a_whole_stream_that_ends_inside_a_frame_is_an_error() -> None:
    with pytest.raises(IncompleteFrameError):
        LineCodec().decode_all(b"a\nb")


def test_a_whole_stream_with_a_corrupt_frame_is_an_error() -> None:
    with pytest.raises(FramingError):
        NetstringCodec().decode_all(b"1:a,x")
