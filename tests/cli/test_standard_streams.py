"""Each direction by itself, between descriptors of the test's and a transport that only takes notes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest

from reactor import Reactor, Transport
from reactor.cli.standard_streams import MOST_WAITING, PIECE, StandardInput, StandardOutput


class Notes:
    """What a transport is told, as far as the standard streams tell it anything."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.received = b""
        self.writes = 0
        self.closing = False

    def write(self, data: bytes) -> None:
        self.received += data
        self.writes += 1

    def write_eof(self) -> None:
        self.calls.append("write_eof")

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        self.calls.append("pause_reading")

    def resume_reading(self) -> None:
        self.calls.append("resume_reading")

    @property
    def transport(self) -> Transport:
        return cast(Transport, self)


class Pipe:
    """A pipe, whose ends can be closed by hand."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()

    def fill(self) -> int:
        """Put in what fits, and return how much that is."""
        os.set_blocking(self.writer, False)
        size = 0
        with suppress(BlockingIOError):
            while True:
                size += os.write(self.writer, bytes(4096))
        os.set_blocking(self.writer, True)
        return size

    def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += os.read(self.reader, size - len(data))
        return data

    def close(self, *ends: int) -> None:
        for end in ends or (self.reader, self.writer):
            with suppress(OSError):
                os.close(end)


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    with Reactor() as reactor:
        yield reactor


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


@pytest.fixture
def notes() -> Notes:
    return Notes()


def run_until(reactor: Reactor, done: Any) -> None:
    """Tick until `done()`; if nothing comes, fail instead of hanging."""
    while not done():
        alarm = reactor.call_later(30, lambda: None)
        before = reactor.time()
        reactor.run_once()
        alarm.cancel()
        assert reactor.time() - before < 30, "nothing happens any more"


def never(error: BaseException) -> None:
    raise AssertionError(error)


# --- Input ------------------------------------------------------------------------------------------------------------


def test_input_goes_to_the_transport_and_its_end_ends_the_writing_half(
    reactor: Reactor, pipe: Pipe, notes: Notes
) -> None:
    stream = StandardInput(reactor, notes.transport, never, pipe.reader)
    os.write(pipe.writer, b"hello")
    reactor.run_once(0)
    assert notes.received == b""  # it begins paused
    stream.resume_reading()
    reactor.run_once()
    assert (notes.received, notes.calls, stream.taken) == (b"hello", [], 5)
    pipe.close(pipe.writer)
    reactor.run()  # returns: nothing is watched any more
    assert notes.calls == ["write_eof"]
    assert stream.has_ended()


def test_paused_input_stays_where_it_is(reactor: Reactor, pipe: Pipe, notes: Notes) -> None:
    stream = StandardInput(reactor, notes.transport, never, pipe.reader)
    stream.resume_reading()
    stream.pause_reading()
    os.write(pipe.writer, b"hello")
    reactor.run()
    assert notes.received == b""
    stream.resume_reading()
    reactor.run_once()
    assert notes.received == b"hello"


def test_an_end_is_an_end_for_this_peer_even_if_the_next_read_would_give_more(
    reactor: Reactor, tmp_path: Path, notes: Notes
) -> None:
    (tmp_path / "growing").write_bytes(b"one")
    with (tmp_path / "growing").open("rb", buffering=0) as file:
        stream = StandardInput(reactor, notes.transport, never, file.fileno())
        stream.resume_reading()
        reactor.run()
        with (tmp_path / "growing").open("ab") as more:
            more.write(b" two")
        stream.resume_reading()
        reactor.run()
        assert (notes.received, notes.calls) == (b"one", ["write_eof"])
        later = Notes()
        StandardInput(reactor, later.transport, never, file.fileno()).resume_reading()
        reactor.run()
        assert (later.received, later.calls) == (b" two", ["write_eof"])


@pytest.fixture
def three_pieces(tmp_path: Path) -> Iterator[int]:
    """The descriptor of a file."""
    (tmp_path / "file").write_bytes(bytes(3 * PIECE))
    with (tmp_path / "file").open("rb", buffering=0) as file:
        yield file.fileno()


def test_a_file_is_read_one_piece_in_each_tick_so_that_everybody_gets_a_turn(
    reactor: Reactor, three_pieces: int, notes: Notes
) -> None:
    StandardInput(reactor, notes.transport, never, three_pieces).resume_reading()
    for pieces in (1, 2, 3):
        reactor.run_once()
        assert (notes.writes, len(notes.received)) == (pieces, pieces * PIECE)
    reactor.run()
    assert notes.calls == ["write_eof"]


def test_a_file_can_be_paused_between_two_pieces(reactor: Reactor, three_pieces: int, notes: Notes) -> None:
    stream = StandardInput(reactor, notes.transport, never, three_pieces)
    stream.resume_reading()
    stream.resume_reading()  # which is one reading, not two
    reactor.run_once()
    stream.pause_reading()
    reactor.run()
    assert notes.writes == 1
    stream.resume_reading()
    reactor.run()
    assert (notes.writes, notes.calls) == (3, ["write_eof"])


def test_finish_takes_what_is_there_and_waits_for_nothing(reactor: Reactor, pipe: Pipe, notes: Notes) -> None:
    stream = StandardInput(reactor, notes.transport, never, pipe.reader)
    stream.resume_reading()
    os.write(pipe.writer, b"hello")
    stream.finish()
    reactor.run()
    assert (notes.received, notes.calls) == (b"hello", ["write_eof"])


def test_finish_leaves_a_paused_input_paused(reactor: Reactor, pipe: Pipe, notes: Notes) -> None:
    stream = StandardInput(reactor, notes.transport, never, pipe.reader)
    os.write(pipe.writer, b"hello")
    stream.finish()
    reactor.run()
    assert (notes.received, notes.calls) == (b"", [])
    stream.resume_reading()
    reactor.run()
    assert (notes.received, notes.calls) == (b"hello", ["write_eof"])


def test_what_a_closing_transport_would_ignore_is_not_taken(reactor: Reactor, pipe: Pipe, notes: Notes) -> None:
    StandardInput(reactor, notes.transport, never, pipe.reader).resume_reading()
    os.write(pipe.writer, b"for the next one")
    notes.closing = True
    reactor.run()
    later = Notes()
    StandardInput(reactor, later.transport, never, pipe.reader).resume_reading()
    reactor.run_once()
    assert (notes.received, later.received) == (b"", b"for the next one")


def test_input_that_somebody_else_has_read_is_waited_for(reactor: Reactor, pipe: Pipe, notes: Notes) -> None:
    os.set_blocking(pipe.reader, False)
    stream = StandardInput(reactor, notes.transport, never, pipe.reader)
    stream.resume_reading()
    os.write(pipe.writer, b"gone")
    events = reactor.wait()
    os.read(pipe.reader, 4)
    reactor.dispatch(events)
    assert (notes.received, notes.calls, stream.has_ended()) == (b"", [], False)
    os.write(pipe.writer, b"here")
    reactor.run_once()
    assert notes.received == b"here"


def test_a_read_that_fails_is_told_and_is_the_last(reactor: Reactor, tmp_path: Path, notes: Notes) -> None:
    errors: list[BaseException] = []
    with (tmp_path / "file").open("wb") as write_only:
        stream = StandardInput(reactor, notes.transport, errors.append, write_only.fileno())
        stream.resume_reading()
        reactor.run()
    assert [type(error) for error in errors] == [OSError]
    assert notes.calls == [] and stream.has_ended()


# --- Output -----------------------------------------------------------------------------------------------------------


def test_output_is_written_in_order_and_its_end_told_when_all_has_left(reactor: Reactor, pipe: Pipe) -> None:
    stream = StandardOutput(reactor, never, pipe.writer)
    ended: list[int] = []
    for number in range(100):
        stream.write(b"%04d" % number)
    stream.finish(lambda: ended.append(stream.written))
    reactor.run()  # returns: nothing is watched any more
    assert pipe.read(400) == b"".join(b"%04d" % number for number in range(100))
    assert ended == [400]


def test_an_end_without_output_is_told_at_once(reactor: Reactor, pipe: Pipe) -> None:
    ended: list[bool] = []
    StandardOutput(reactor, never, pipe.writer).finish(lambda: ended.append(True))
    assert ended == [True]
    reactor.run()


def test_too_much_output_pauses_its_source_until_it_has_left(reactor: Reactor, pipe: Pipe, notes: Notes) -> None:
    stream = StandardOutput(reactor, never, pipe.writer)
    stream.serve(notes.transport)
    filled = pipe.fill()
    stream.write(bytes(MOST_WAITING))
    assert notes.calls == []
    stream.write(b"x")
    assert notes.calls == ["pause_reading"]
    later = Notes()
    stream.serve(later.transport)
    assert later.calls == ["pause_reading"]  # it has to wait for what came from the one before
    pipe.read(filled + MOST_WAITING)
    run_until(reactor, lambda: stream.written)
    assert later.calls == ["pause_reading", "resume_reading"]
    assert notes.calls == ["pause_reading"]


def test_output_whose_reader_leaves_fails_before_anything_is_written(reactor: Reactor, pipe: Pipe) -> None:
    errors: list[BaseException] = []
    StandardOutput(reactor, errors.append, pipe.writer)
    pipe.close(pipe.reader)
    reactor.run()
    assert [type(error) for error in errors] == [BrokenPipeError]


def test_a_write_that_fails_is_told(reactor: Reactor, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    errors: list[BaseException] = []
    with (tmp_path / "file").open("rb") as read_only:
        stream = StandardOutput(reactor, errors.append, read_only.fileno())
        stream.write(b"hello")
        reactor.run()
    assert [type(error) for error in errors] == [OSError]
    assert stream.written == 0
