from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reactor.errors import EncodeError, FrameTooLongError, FramingError, IncompleteFrameError, OptionError
from reactor.framing import RespCodec, RespError, RespStatus, RespValue
from reactor.framing.words import split_words
from tests.framing.kit import cut, cuts, limits, outcome, window

BOTH_WAYS: dict[bytes, Any] = {
    b"+OK\r\n": RespStatus(b"OK"),
    b"+\r\n": RespStatus(b""),
    b"-ERR unknown command 'foo'\r\n": RespError(b"ERR unknown command 'foo'"),
    b":1000\r\n": 1000,
    b":-1\r\n": -1,
    b":9223372036854775807\r\n": 2**63 - 1,
    b":-9223372036854775808\r\n": -(2**63),
    b"$5\r\nhello\r\n": b"hello",
    b"$0\r\n\r\n": b"",
    b"$4\r\n\r\n\r\n\r\n": b"\r\n\r\n",
    b"$-1\r\n": None,
    b"*0\r\n": [],
    b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n": [b"SET", b"k", b"v"],
    b"*3\r\n*1\r\n:1\r\n$-1\r\n*2\r\n+a\r\n-b\r\n": [[1], None, [RespStatus(b"a"), RespError(b"b")]],
}


@pytest.mark.parametrize(("wire", "value"), BOTH_WAYS.items())
def test_a_value_is_written_and_read_as_the_specification_shows(wire: bytes, value: RespValue) -> None:
    codec = RespCodec()
    assert codec.encode(value) == wire
    assert codec.decode_all(wire * 3) == [value] * 3


def test_an_array_that_is_nothing_is_read_and_a_number_may_have_a_plus() -> None:
    assert RespCodec().decode_all(b"*-1\r\n*1\r\n*-1\r\n:+5\r\n:-0\r\n:007\r\n") == [None, [None], 5, 0, 7]


@pytest.mark.parametrize(
    "wire",
    [
        *(b"PING\r\n", b"\r\n", b"_\r\n", b"%0\r\n", b"$\r\n", b"$x\r\n", b"$-2\r\n", b"$+1\r\na\r\n", b"$01\r\na\r\n"),
        *(b"$1\r\nab\r\n", b"$1\r\na\n\r", b"$0\r\n\r\r", b"*\r\n", b"*-2\r\n", b"* 1\r\n", b"*1\r\nPING\r\n"),
        *(b"*1_0\r\n", b":\r\n", b":1.5\r\n", b":1_0\r\n", b": 1\r\n", b":--1\r\n", b":9223372036854775808\r\n"),
        *(b":1\n", b":1\r", b":" + b"1" * 30, b"+a\rb\r\n", b"+a\nb\r\n", b"-\r\r\n", b"+a\n"),
    ],
)
def test_anything_but_a_strict_value_is_corrupt(wire: bytes) -> None:
    for before in (b"", b"*1\r\n$1\r\na\r\n", b"*2\r\n:1\r\n"):
        decoder = RespCodec().decoder()
        decoder.feed(before + wire + b"\r\n" * 20)
        delivered = []
        with pytest.raises(FramingError) as caught:
            while frames := decoder.decode():
                delivered += frames
                decoder.consume(len(frames))
        assert type(caught.value) is FramingError
        assert delivered == ([[b"a"]] if b"$" in before else [])


def test_what_is_wrong_is_said_in_the_words_of_redis() -> None:
    for wire, words in [
        (b"*3\r\n$x\r\n", "invalid bulk length"),
        (b"*x\r\n", "invalid multibulk length"),
        (b'SET "a\r\n', "unbalanced quotes in request"),
        (b"x" * 65_536, "too big inline request"),
        (b"*65537\r\n", "invalid multibulk length: "),
        (b"*" + b"1" * 30, "invalid multibulk length: "),
        (b"*1\r\n$1048577\r\n", "invalid bulk length: "),
        (b"$" + b"1" * 30, "invalid bulk length: "),
    ]:
        with pytest.raises(FramingError, match=f"^{words}"):
            RespCodec(inline=True).decode_all(wire)


# --- Limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "head",
    [
        *(b"$1048576\r\n", b"$999999999999999999\r\n", b"*2\r\n$1048561\r\n", b"*65537\r\n"),
        *(b"*999999999999999999\r\n", b"*2\r\n*65534\r\n*1\r\n", b"*1\r\n" * 9, b"*1\r\n" * 8 + b"*0\r\n"),
    ],
)
def test_a_frame_beyond_a_limit_is_refused_at_its_head(head: bytes) -> None:
    decoder = RespCodec().decoder()
    for index in range(len(head) - 1):
        decoder.feed(head[index : index + 1])
        assert decoder.decode() == []
    decoder.feed(head[-1:])
    for _ in range(2):
        with pytest.raises(FrameTooLongError, match="max_"):
            decoder.decode()


def test_frames_at_their_limits_are_accepted() -> None:
    codec = RespCodec(20, max_depth=3, max_elements=3)
    frames: list[RespValue] = [[[[]]], [1, [2]], [b"a", b"b"], b"x" * 13, RespStatus(b"x" * 17), None, [None] * 3]
    assert codec.decode_all(b"".join(map(codec.encode, frames))) == frames
    for too_long in (b"$14\r\n", b"+" + b"x" * 19, b"*2\r\n$8\r\nxxxxxxxx\r\n"):
        with pytest.raises(FrameTooLongError, match="max_length, 20 bytes"):
            codec.decode_all(too_long)


def test_a_frame_beyond_a_limit_cannot_be_encoded() -> None:
    codec = RespCodec(20, max_depth=3, max_elements=3)
    beyond: list[RespValue] = [[[[[]]]], [1, [2, 3]], b"x" * 14, [b"x" * 9, b"y"], RespStatus(b"x" * 18)]
    for frame in beyond:
        with pytest.raises(EncodeError, match="max_"):
            codec.encode(frame)
    impossible: list[RespValue] = [2**63, -(2**63) - 1, RespStatus(b"a\rb"), RespError(b"a\n")]
    for frame in impossible:
        for nested in (frame, [frame]):
            with pytest.raises(EncodeError):
                RespCodec().encode(nested)


def test_an_array_too_long_to_be_encoded_is_not_copied_first() -> None:
    shared = b"x" * 1_000_000
    with pytest.raises(EncodeError, match="the frame has 650"):
        RespCodec().encode([shared] * 65_000)  # 65 GB, which no test has room for


@pytest.mark.parametrize(
    "options",
    [
        *({"max_length": 2}, {"max_length": "1"}, {"max_depth": 0}, {"max_depth": 101}, {"max_depth": True}),
        *({"max_elements": -1}, {"max_elements": 1.5}),
    ],
)
def test_a_limit_that_cannot_be_is_an_option_error_that_names_it(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=next(iter(options))):
        RespCodec(**options)


def test_arrays_of_strings_have_no_more_elements_than_they_may() -> None:
    for array in (b"*3\r\n" + b"$1\r\na\r\n" * 3, b"*2\r\n*1\r\n$0\r\n\r\n$0\r\n\r\n"):
        with pytest.raises(FrameTooLongError, match="max_elements, 2"):
            RespCodec(max_elements=2).decode_all(array)


@pytest.mark.parametrize("kind", [b"$", b"*", b":"])
def test_a_number_that_does_not_end_is_not_waited_for(kind: bytes) -> None:
    decoder = RespCodec().decoder()
    decoder.feed(kind + b"1" * 21)
    assert decoder.decode() == []
    decoder.feed(b"1")
    with pytest.raises(FramingError, match="has no end"):
        decoder.decode()


def test_a_string_that_is_cut_short_is_incomplete() -> None:
    for wire in (b"$5\r\nhell", b"*2\r\n:1\r\n", b"+OK", b"*"):
        with pytest.raises(IncompleteFrameError):
            RespCodec().decode_all(wire)


# --- Inline commands --------------------------------------------------------------------------------------------------


def test_with_inline_a_typed_line_is_a_list_of_words_among_other_values() -> None:
    codec = RespCodec(inline=True)
    stream = b"PING\r\nset  k \t v\n\r\n\n*1\r\n$4\r\nQUIT\r\n:1\r\nGET k\r\n"
    expected: list[RespValue] = [[b"PING"], [b"set", b"k", b"v"], [], [], [b"QUIT"], 1, [b"GET", b"k"]]
    assert codec.decode_all(stream) == expected


def test_an_inline_command_has_no_more_words_than_an_array_has_elements() -> None:
    codec = RespCodec(inline=True, max_elements=3)
    assert codec.decode_all(b"a b c\n") == [[b"a", b"b", b"c"]]
    with pytest.raises(FrameTooLongError, match="max_elements, 3"):
        codec.decode_all(b"a b c d\n")


def test_an_inline_command_stands_alone() -> None:
    with pytest.raises(FramingError, match="begin with b'P'"):
        RespCodec(inline=True).decode_all(b"*1\r\nPING\r\n")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"", []),
        (b" a  b ", [b"a", b"b"]),
        (b'a "b c" d', [b"a", b"b c", b"d"]),
        (b"a 'b \"c' ", [b"a", b'b "c']),
        (rb'"\n\r\t\b\a\x00\xfF\"\\\q"', [b'\n\r\t\b\a\x00\xff"\\q']),
        (rb"'\n\'\x41'", [rb"\n'\x41"]),
        (b'a"b c"', [b"ab c"]),
        (b"\"\" ''", [b"", b""]),
        (rb"\n\x41 \\", [rb"\n\x41", rb"\\"]),
        (rb'"\x4" x', [b"x4", b"x"]),
    ],
)
def test_words_are_parted_as_redis_parts_them(line: bytes, words: list[bytes]) -> None:
    assert split_words(line) == words


@pytest.mark.parametrize("line", [b'"', b"'", b'a "b', b'"a"b', b"'a'b", b'"a""b"', b'a "b\\"', b"it's", b'a"b"c'])
def test_a_quote_that_is_not_closed_at_the_end_of_a_word_is_corrupt(line: bytes) -> None:
    with pytest.raises(FramingError, match="unbalanced quotes"):
        split_words(line)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.binary(max_size=8), max_size=5))
def test_quoted_words_come_out_as_they_were(words: list[bytes]) -> None:
    line = b" ".join(b'"%b"' % b"".join(b"\\x%02x" % byte for byte in word) for word in words)
    assert split_words(line) == words


def test_with_inline_a_negative_number_of_elements_is_nothing_but_not_within_an_array() -> None:
    codec = RespCodec(inline=True)
    assert codec.decode_all(b"*-5\r\n*-9223372036854775808\r\nPING\r\n*-1\r\n") == [None, None, [b"PING"], None]
    for wrong in (b"*-9223372036854775809", b"*-0", b"*-05", b"*--5", b"*- 5", b"*-", b"*1\r\n*-5", b"$-5"):
        with pytest.raises(FramingError, match=r"invalid (multi)?bulk length"):
            codec.decode_all(wrong + b"\r\n")


# --- Two ways to the same frames --------------------------------------------------------------------------------------

TOKENS = b"*1|*2|*3|*0|*-1|*9|*01|$0||$1|a|$3|abc|a:c|$-1|$4|$3x|:1|:x|+OK|+|-ERR|PING|'a b'|$2|\r|\n|*1\n".split(b"|")


@pytest.mark.parametrize("codec", [RespCodec(24, max_depth=2, max_elements=4), RespCodec(40, inline=True)])
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@example(tokens=[b"*2", b"$1", b"a", b"$4", b"", b""], positions=b"\x07", limit=1)
@example(tokens=[b"*1", b"$4", b"", b"", b"+OK", b"$4", b"", b""], positions=b"", limit=2)
@given(tokens=st.lists(st.sampled_from(TOKENS), max_size=12), positions=cuts, limit=limits)
def test_what_is_cut_by_lines_is_what_is_measured_and_built(
    codec: RespCodec, tokens: list[bytes], positions: bytes, limit: int
) -> None:
    stream = b"\r\n".join([*tokens, b""])
    expected = outcome(codec.decoder(), [stream])
    assert outcome(codec.decoder(), cut(stream, positions), limit) == expected
    with window(0):  # nothing is cut by lines
        assert outcome(codec.decoder(), [stream]) == expected
        assert outcome(codec.decoder(), cut(stream, positions), limit) == expected


@given(st.lists(st.lists(st.binary(max_size=3), min_size=1, max_size=4), min_size=1, max_size=6))
def test_arrays_of_strings_are_cut_by_lines_up_to_an_end_of_a_line_in_one_of_them(arrays: list[list[bytes]]) -> None:
    codec = RespCodec()
    stream = b"".join(codec.encode(list[RespValue](array)) for array in arrays)
    simple = next((index for index, array in enumerate(arrays) if b"\r\n" in b"".join(array)), len(arrays))
    frames, end = codec.cut(stream, 1000)
    assert frames[:simple] == arrays[:simple]
    assert codec.decode_all(stream[:end]) == frames == arrays[: len(frames)]
