"""What every codec promises, as properties, for every row of the kit."""

from __future__ import annotations

from itertools import cycle

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reactor.buffering import Budget
from reactor.errors import BudgetExceededError, FrameTooLongError, FramingError, IncompleteFrameError, MisuseError
from tests.framing.kit import ROWS, Row, cut, cuts, drain, limits, outcome, window, windows

each_codec = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
each_codec_that_can_find_corruption = pytest.mark.parametrize(
    "row", [row for row in ROWS if row.corrupt is not None], ids=lambda row: row.name
)
oversize_is_an_error = pytest.mark.parametrize(
    "row", [row for row in ROWS if row.oversize and "discards" not in row.name], ids=lambda row: row.name
)
oversize_is_discarded = pytest.mark.parametrize(
    "row", [row for row in ROWS if "discards" in row.name], ids=lambda row: row.name
)
a_few = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])


@each_codec
@a_few
@given(draw=st.data())
def test_decoding_is_the_inverse_of_encoding(row: Row, draw: st.DataObject) -> None:
    frames = draw.draw(row.frames())
    decoded = row.codec.decode_all(row.stream(frames))
    assert decoded == frames
    assert list(map(type, decoded)) == list(map(type, frames))
    assert all(len(row.codec.encode(frame)) <= row.codec.max_size for frame in frames)


@each_codec
@a_few
@given(draw=st.data())
def test_the_cut_does_not_matter_whatever_the_stream(row: Row, draw: st.DataObject) -> None:
    stream = draw.draw(row.streams())
    expected = outcome(row.codec.decoder(), [stream])
    with window(draw.draw(windows)):
        assert outcome(row.codec.decoder(), cut(stream, draw.draw(cuts)), draw.draw(limits)) == expected


@each_codec
@a_few
@given(draw=st.data())
def test_the_cut_does_not_matter_for_good_frames(row: Row, draw: st.DataObject) -> None:
    frames = draw.draw(row.frames())
    with window(draw.draw(windows)):
        pieces = cut(row.stream(frames), draw.draw(cuts))
        assert outcome(row.codec.decoder(), pieces, draw.draw(limits)) == (frames, None)


@each_codec
@a_few
@given(draw=st.data())
def test_every_prefix_of_a_stream_is_complete_frames_and_need_more(row: Row, draw: st.DataObject) -> None:
    frames = draw.draw(row.frames())
    stream = row.stream(frames)
    ends = [len(row.stream(frames[:count])) for count in range(len(frames) + 1)]
    for length in range(len(stream) + 1):
        decoder = row.codec.decoder()
        decoder.feed(stream[:length])
        complete = max(count for count, end in enumerate(ends) if end <= length)
        assert drain(decoder) == frames[:complete]
        assert decoder.buffered == length - ends[complete]
        if decoder.buffered:
            with pytest.raises(IncompleteFrameError):
                decoder.finish()
        else:
            decoder.finish()


@each_codec
@a_few
@given(draw=st.data())
def test_no_byte_is_lost_or_duplicated_when_another_decoder_takes_over_anywhere(
    row: Row, draw: st.DataObject
) -> None:
    frames = draw.draw(row.frames())
    # What is done with each batch, over and over: how many frames of it are delivered, and whether the rest goes to
    # another decoder. The last one makes sure that it comes to an end.
    plan = cycle([*draw.draw(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=6)), (1, False)])
    limit = draw.draw(limits)
    delivered: list[bytes] = []
    with window(draw.draw(windows)):
        decoder = row.codec.decoder()
        for piece in cut(row.stream(frames), draw.draw(cuts)):
            decoder.feed(piece)
            while batch := decoder.decode(limit):
                count, hand_over = next(plan)
                count = min(count, len(batch))
                delivered += batch[:count]
                decoder.consume(count)
                if hand_over:
                    rest = decoder.release()
                    assert decoder.buffered == 0
                    decoder = row.codec.decoder()
                    decoder.feed(rest)
        assert delivered == frames
        decoder.finish()


@each_codec
@a_few
@given(draw=st.data())
def test_the_frames_of_a_batch_cover_exactly_their_raw_bytes(row: Row, draw: st.DataObject) -> None:
    frames = draw.draw(row.frames())
    stream = row.stream(frames)
    decoder = row.codec.decoder()
    decoder.feed(stream)
    batch = decoder.decode()
    assert batch == frames[: len(batch)] and bool(batch) == bool(frames)
    for count in range(len(batch) + 1):
        assert decoder.covered(count) == len(row.stream(frames[:count]))
    count = draw.draw(st.integers(0, len(batch)))
    decoder.consume(count)
    assert decoder.release() == stream[len(row.stream(frames[:count])) :]


@each_codec
@a_few
@given(draw=st.data())
def test_no_more_is_held_than_the_largest_frame_or_the_last_piece(row: Row, draw: st.DataObject) -> None:
    stream = draw.draw(row.streams())
    decoder = row.codec.decoder()
    with window(draw.draw(windows)):
        for piece in cut(stream, draw.draw(cuts)):
            held = decoder.buffered
            decoder.feed(piece)
            assert decoder.buffered == held + len(piece)
            try:
                drain(decoder)
            except FramingError:
                return  # the end of the connection
            assert decoder.buffered <= max(row.codec.max_size, len(piece))


@each_codec
@a_few
@given(draw=st.data())
def test_a_budget_is_charged_for_what_is_held_and_gets_all_of_it_back(row: Row, draw: st.DataObject) -> None:
    budget = Budget(10_000)
    decoder = row.codec.decoder(budget)
    for piece in cut(draw.draw(row.streams()), draw.draw(cuts)):
        decoder.feed(piece)
        try:
            drain(decoder)
        except FramingError:
            break
        finally:
            assert budget.used == decoder.buffered
    if draw.draw(st.booleans()):
        decoder.clear()
    else:
        decoder.release()
    assert budget.used == decoder.buffered == 0


@each_codec_that_can_find_corruption
@a_few
@given(draw=st.data())
def test_frames_before_a_corrupt_one_are_delivered_first(row: Row, draw: st.DataObject) -> None:
    assert row.corrupt is not None
    frames = draw.draw(row.frames())
    with window(draw.draw(windows)):
        decoder = row.codec.decoder()
        decoder.feed(row.stream(frames) + row.corrupt)
        delivered: list[bytes] = []
        limit = draw.draw(limits)
        while len(delivered) < len(frames):
            batch = decoder.decode(limit)
            delivered += batch
            decoder.consume(len(batch))
        assert delivered == frames
        for _ in range(2):
            with pytest.raises(FramingError):
                decoder.decode()
        assert decoder.release() == row.corrupt


@oversize_is_an_error
@a_few
@given(draw=st.data())
def test_an_oversize_frame_is_an_error_that_names_the_limit_after_the_frames_before_it(
    row: Row, draw: st.DataObject
) -> None:
    assert row.oversize is not None
    frames = draw.draw(row.frames())
    decoder = row.codec.decoder()
    decoder.feed(row.stream(frames) + row.oversize + row.stream(frames))
    delivered: list[bytes] = []
    with pytest.raises(FrameTooLongError, match=str(row.codec.max_length)):  # type: ignore[attr-defined]
        while batch := decoder.decode(draw.draw(limits)):
            delivered += batch
            decoder.consume(len(batch))
    assert delivered == frames
    assert decoder.release() == row.oversize + row.stream(frames)


@oversize_is_discarded
@a_few
@given(draw=st.data())
def test_a_discarded_frame_leaves_no_trace_among_the_others(row: Row, draw: st.DataObject) -> None:
    assert row.oversize is not None
    before, behind = draw.draw(row.frames()), draw.draw(row.frames())
    stream = row.stream(before) + row.oversize + row.oversize + row.stream(behind)
    with window(draw.draw(windows)):
        pieces = cut(stream, draw.draw(cuts))
        decoder = row.codec.decoder()
        assert outcome(decoder, pieces, draw.draw(limits)) == (before + behind, None)
        assert decoder.discarded == 2


@oversize_is_discarded
def test_of_a_frame_that_is_being_discarded_nothing_is_held(row: Row) -> None:
    assert row.oversize is not None
    decoder = row.codec.decoder()
    recognised = False
    for index in range(len(row.oversize) - 1):
        decoder.feed(row.oversize[index : index + 1])
        assert decoder.decode() == []
        recognised = recognised or decoder.buffered <= 3 < index  # the tail may be the beginning of a delimiter
        assert not recognised or decoder.buffered <= 3
    assert recognised


@oversize_is_discarded
def test_a_stream_that_ends_while_a_frame_is_being_discarded_is_incomplete(row: Row) -> None:
    assert row.oversize is not None
    decoder = row.codec.decoder()
    decoder.feed(row.oversize[:-1])
    assert decoder.decode() == []
    with pytest.raises(IncompleteFrameError):
        decoder.finish()


@oversize_is_discarded
def test_after_clear_nothing_is_being_discarded_any_more(row: Row) -> None:
    assert row.oversize is not None
    frame = b"b" * max(1, row.lengths[0])
    decoder = row.codec.decoder()
    decoder.feed(row.oversize[:-1])
    assert decoder.decode() == []
    decoder.clear()
    decoder.feed(row.codec.encode(frame))
    assert decoder.decode() == [frame]


@each_codec
@pytest.mark.parametrize("forget", ["clear", "release"])
def test_after_half_a_frame_was_forgotten_the_next_one_is_found_at_once(row: Row, forget: str) -> None:
    short, long = b"b" * max(1, row.lengths[0]), b"b" * row.lengths[1]
    decoder = row.codec.decoder()
    decoder.feed(row.codec.encode(long)[:-1])
    assert decoder.decode() == []
    getattr(decoder, forget)()
    decoder.feed(row.codec.encode(short))
    assert decoder.decode() == [short]


@each_codec
def test_a_batch_that_was_consumed_cannot_be_consumed_again(row: Row) -> None:
    decoder = row.codec.decoder()
    frame = b"b" * max(1, row.lengths[0])
    decoder.feed(row.codec.encode(frame) * 2)
    assert decoder.decode(1) == [frame]
    for count in (-1, 2):
        with pytest.raises(MisuseError):
            decoder.covered(count)
    decoder.consume(1)
    with pytest.raises(MisuseError):
        decoder.consume(1)
    assert decoder.decode() == [frame]


@each_codec
def test_bytes_that_the_budget_refuses_are_not_held(row: Row) -> None:
    decoder = row.codec.decoder(Budget(1))
    with pytest.raises(BudgetExceededError):
        decoder.feed(b"xx")
    assert decoder.buffered == 0


@each_codec
def test_a_frame_of_another_type_cannot_be_encoded(row: Row) -> None:
    for frame in row.no_frames:
        with pytest.raises(TypeError, match="str" if frame == ["text"] else type(frame).__name__):
            row.codec.encode(frame)
