from __future__ import annotations

from collections.abc import Sequence

import pytest

from reactor.errors import EncodeError, FrameTooLongError, OptionError
from reactor.framing import LineCodec
from reactor.framing.buffered import WINDOW
from tests.framing.kit import drain


def test_by_default_both_newlines_end_a_line() -> None:
    assert LineCodec().decode_all(b"unix\nnetwork\r\n\n\r\nlast\n") == [b"unix", b"network", b"", b"", b"last"]


def test_only_one_carriage_return_belongs_to_the_newline() -> None:
    assert LineCodec().decode_all(b"a\r\r\n\rb\nc\r\rd\n") == [b"a\r", b"\rb", b"c\r\rd"]


def test_a_carriage_return_is_content_if_only_the_line_feed_is_a_delimiter() -> None:
    assert LineCodec(delimiter=b"\n").decode_all(b"a\r\n") == [b"a\r"]


def test_a_line_feed_is_content_if_only_both_together_are_a_delimiter() -> None:
    assert LineCodec(delimiter=b"\r\n").decode_all(b"a\nb\rc\r\n") == [b"a\nb\rc"]


def test_a_delimiter_cut_in_the_middle_is_recognised() -> None:
    decoder = LineCodec(delimiter=b"\r\n").decoder()
    decoder.feed(b"a\r")
    assert decoder.decode() == []
    decoder.feed(b"\nb")
    assert decoder.decode() == [b"a"]


def test_of_several_delimiters_each_ends_a_line() -> None:
    codec = LineCodec(delimiter=(b"\0", b";", b"END"))
    assert codec.decode_all(b"a;bEND\0c\0") == [b"a", b"b", b"", b"c"]


def test_of_delimiters_that_end_at_the_same_byte_the_longest_counts() -> None:
    codec = LineCodec(delimiter=[b"\n", b"--\n", b"\r\n"])
    assert codec.decode_all(b"a--\nb\r\nc-\n") == [b"a", b"b", b"c-"]


def test_a_line_is_over_when_the_last_byte_of_a_delimiter_is_there() -> None:
    decoder = LineCodec(delimiter=(b"\r", b"\n")).decoder()
    decoder.feed(b"request\r")
    assert decoder.decode() == [b"request"]


def test_the_first_delimiter_is_the_one_that_is_written() -> None:
    assert LineCodec().encode(b"a") == b"a\n"
    assert LineCodec(delimiter=(b"\r\n", b"\n")).encode(b"a") == b"a\r\n"


@pytest.mark.parametrize(
    ("delimiter", "line"),
    [
        ((b"\n", b"\r\n"), b"a\nb"),
        ((b"\n", b"\r\n"), b"a\r"),
        (b"\r\n", b"a\r\nb"),
        (b"aa", b"ba"),
        ((b";", b"\n"), b"a\nb"),
    ],
)
def test_a_line_that_would_not_come_out_as_it_went_in_cannot_be_encoded(
    delimiter: bytes | Sequence[bytes], line: bytes
) -> None:
    with pytest.raises(EncodeError, match="delimiter"):
        LineCodec(delimiter=delimiter).encode(line)


def test_a_line_may_contain_what_is_no_delimiter() -> None:
    codec = LineCodec(delimiter=b"\r\n")
    for line in (b"\n", b"\r", b"\r\r", b"\n\r", b""):
        assert codec.decode_all(codec.encode(line)) == [line]


def test_the_maximum_does_not_count_the_delimiter() -> None:
    codec = LineCodec(max_length=3)
    assert codec.max_size == 5
    assert codec.decode_all(b"abc\r\n" + codec.encode(b"abc")) == [b"abc", b"abc"]
    with pytest.raises(FrameTooLongError, match="3 bytes"):
        codec.decode_all(b"abcd\n")
    with pytest.raises(EncodeError, match="4 bytes, max_length is 3"):
        codec.encode(b"abcd")


def test_a_carriage_return_behind_a_line_of_maximum_length_is_not_held_against_it() -> None:
    decoder = LineCodec(max_length=3).decoder()
    decoder.feed(b"abc\r")
    assert decoder.decode() == []
    decoder.feed(b"\n")
    assert decoder.decode() == [b"abc"]


def test_a_line_without_an_end_is_recognised_as_soon_as_it_is_too_long() -> None:
    decoder = LineCodec(max_length=3).decoder()
    decoder.feed(b"abcd")
    assert decoder.decode() == []
    decoder.feed(b"e")
    with pytest.raises(FrameTooLongError):
        decoder.decode()
    assert decoder.release() == b"abcde"


def test_a_line_without_an_end_never_holds_more_than_the_maximum_and_one_read() -> None:
    codec = LineCodec(max_length=10_000, oversize="discard")
    decoder = codec.decoder()
    most = 0
    for _ in range(100):
        decoder.feed(b"x" * 1460)
        most = max(most, decoder.buffered)
        assert decoder.decode() == []
    assert most <= codec.max_size + 1460
    decoder.feed(b"\nnext\n")
    assert drain(decoder) == [b"next"]


def test_too_long_lines_are_discarded_wherever_they_stand_in_a_batch() -> None:
    codec = LineCodec(max_length=3, oversize="discard")
    assert codec.decode_all(b"abcd\nab\nabcde\r\nabcdef\nc\nabcd\n") == [b"ab", b"c"]


def test_a_line_longer_than_the_window_is_found() -> None:
    line = b"x" * (3 * WINDOW)
    assert LineCodec().decode_all(b"a\n" + line + b"\r\nb\n") == [b"a", line, b"b"]


def test_a_newline_across_the_end_of_the_window_is_recognised() -> None:
    line = b"x" * (WINDOW - 3)
    assert LineCodec().decode_all(b"\n" + line + b"\r\n" + line + b"\r\n") == [b"", line, line]


def test_a_batch_cut_by_the_limit_covers_the_newlines_that_its_lines_really_had() -> None:
    decoder = LineCodec().decoder()
    decoder.feed(b"a\r\nb\nc\r\nd\r\n")
    assert decoder.decode(3) == [b"a", b"b", b"c"]
    assert [decoder.covered(count) for count in range(4)] == [0, 3, 5, 8]
    decoder.consume(2)
    assert decoder.release() == b"c\r\nd\r\n"


@pytest.mark.parametrize(
    "delimiter",
    [b"", (), (b"\n", b""), "\n", ("\n",), (b"\r", b"\r\n"), (b"\r\n", b"\n", b"\r"), (b"b", b"abc"), (b"\n\n", b"\n")],
)
def test_delimiters_that_cannot_work_are_refused(delimiter: Sequence[bytes]) -> None:
    with pytest.raises(OptionError, match=r"delimiter|can never"):
        LineCodec(delimiter=delimiter)
