"""Frames on sockets: the ordinary, the corrupt, the too many, and the caller's own mistakes."""

from __future__ import annotations

from typing import Any

import pytest

from reactor import (
    ConnectionOptions,
    EncodeError,
    FixedLengthCodec,
    FramedProtocol,
    FrameTooLongError,
    FramingError,
    IncompleteFrameError,
    LengthPrefixedCodec,
    LineCodec,
    MisuseError,
    NetstringCodec,
    OptionError,
)
from reactor.errors import BudgetExceededError
from tests.network.kit import Network, Recorder


class Lines(FramedProtocol[bytes]):
    """Lines, written down; `hooks` may do something with each."""

    codec: Any = LineCodec(max_length=100)

    def __init__(self, hook: Any = None) -> None:
        self.frames: list[bytes] = []
        self.ended: list[BaseException | None] = []
        self.hook = hook

    @property
    def made(self) -> bool:
        return self.transport is not None

    def frame_received(self, frame: bytes) -> None:
        self.frames.append(frame)
        if self.hook is not None:
            self.hook(self, frame)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self.ended.append(exc)


def test_lines_are_received_and_sent(net: Network) -> None:
    near, peer = net.pair(Lines(lambda me, line: me.send(line.upper())))
    net.send_all(peer, b"one\ntwo\r\nthr")
    assert net.read(peer, 8) == b"ONE\nTWO\n"
    net.send_all(peer, b"ee\n")
    assert net.read(peer, 6) == b"THREE\n"
    peer.close()
    net.until(lambda: near.ended)
    assert near.ended == [None]
    assert near.transport is None
    near.send(b"ignored")


def test_it_says_how_many_bytes_wait_for_the_rest_of_a_frame(net: Network) -> None:
    near, peer = net.pair(Lines())
    assert near.buffered == 0
    net.send_all(peer, b"one\ntw")
    net.until(lambda: near.frames)
    assert near.buffered == 2
    peer.close()
    net.until(lambda: near.ended)
    assert near.buffered == 0


def test_what_the_codec_cannot_express_is_refused(net: Network) -> None:
    near, _peer = net.pair(Lines())
    with pytest.raises(EncodeError):
        near.send(b"two\nlines")


def test_frames_before_a_corrupt_one_are_delivered_and_the_error_is_the_reason(net: Network) -> None:
    near, peer = net.pair(Lines(lambda me, line: me.send(b"got it")))
    net.send_all(peer, b"good\nfine\n" + bytes(101) + b"\nlost\n")
    assert net.read_to_the_end(peer) == b"got it\ngot it\n"
    peer.close()
    net.until(lambda: near.ended)
    assert near.frames == [b"good", b"fine"]
    assert isinstance(near.ended[0], FrameTooLongError)


def test_a_corrupt_frame_may_be_answered_first(net: Network) -> None:
    class Polite(Lines):
        def framing_failed(self, error: FramingError) -> None:
            self.send(b"sorry")
            super().framing_failed(error)

    near, peer = net.pair(Polite())
    net.send_all(peer, bytes(200))
    assert net.read_to_the_end(peer) == b"sorry\n"
    peer.close()
    net.until(lambda: near.ended)
    assert isinstance(near.ended[0], FramingError)


def test_the_end_in_the_middle_of_a_frame_is_an_error(net: Network) -> None:
    near, peer = net.pair(Lines())
    net.send_all(peer, b"whole\nhal")
    peer.close()
    net.until(lambda: near.ended)
    assert near.frames == [b"whole"]
    assert isinstance(near.ended[0], IncompleteFrameError)


def test_the_end_before_anything_was_received_is_none(net: Network) -> None:
    near, peer = net.pair(Lines())
    peer.close()
    net.until(lambda: near.ended)
    assert near.ended == [None]


def test_an_error_after_the_end_does_no_harm() -> None:
    Lines().framing_failed(FramingError("nobody is there"))
    assert Lines().release_input() == b""


@pytest.mark.parametrize("mistake", [ValueError("mine"), FramingError("mine"), BudgetExceededError("mine")], ids=repr)
def test_a_mistake_of_the_handler_is_reported_whatever_its_class(net: Network, mistake: Exception) -> None:
    def fail(me: Lines, line: bytes) -> None:
        if line == b"two":
            raise mistake

    near, peer = net.pair(Lines(fail))
    net.send_all(peer, b"one\ntwo\nthree\n")
    net.until(lambda: near.ended)
    assert near.frames == [b"one", b"two"]
    assert near.ended == [mistake]
    assert net.take_errors() == [mistake]


def test_an_interrupted_handler_has_had_its_frame_and_the_others_are_not_lost(net: Network) -> None:
    def interrupt(me: Lines, line: bytes) -> None:
        if line == b"two":
            raise KeyboardInterrupt

    near, peer = net.pair(Lines(interrupt))
    net.send_all(peer, b"one\ntwo\nthree\nfour\n")
    with pytest.raises(KeyboardInterrupt):
        net.until(lambda: False)
    net.send_all(peer, b"five\n")
    net.until(lambda: near.frames[-1] == b"five")
    assert near.frames == [b"one", b"two", b"three", b"four", b"five"]


def test_who_forgets_to_call_the_base_class_is_told(net: Network) -> None:
    class Forgetful(FramedProtocol[bytes]):
        codec = LineCodec()
        told: BaseException | None = None
        made = False

        def connection_made(self, transport: Any) -> None:
            self.made = True

        def connection_lost(self, exc: BaseException | None) -> None:
            super().connection_lost(exc)
            self.told = exc

    near, peer = net.pair(Forgetful())
    net.send_all(peer, b"x\n")
    net.until(lambda: near.told)
    assert isinstance(near.told, MisuseError)
    assert "super().connection_made()" in str(near.told)
    assert net.take_errors() == [near.told]


# --- Too many -----------------------------------------------------------------------------------------------------

EMPTY_LINES = 260_000


def test_a_read_full_of_empty_lines_is_delivered_in_slices_and_others_get_their_turn(net: Network) -> None:
    near, peer = net.pair(Lines())
    _other, other_peer = net.pair(Recorder(data_received=lambda me, data: me.transport.write(data)))
    net.send_all(peer, b"\n" * EMPTY_LINES)
    echoes = 0
    other_peer.send(b"ping")
    while len(near.frames) < EMPTY_LINES:
        before = len(near.frames)
        net.reactor.run_once(5)
        assert len(near.frames) - before <= Lines.frames_per_tick
        try:
            echoes += other_peer.recv(4) == b"ping"
            other_peer.send(b"ping")
        except BlockingIOError:
            pass
    assert near.frames == [b""] * EMPTY_LINES
    assert echoes >= EMPTY_LINES // Lines.frames_per_tick // 3


@pytest.mark.parametrize("cap", [1, 7, 100])
def test_the_number_of_frames_in_a_tick_can_be_set(net: Network, cap: int) -> None:
    class Few(Lines):
        frames_per_tick = cap

    near, peer = net.pair(Few())
    net.send_all(peer, b"".join(b"%d\n" % number for number in range(300)))
    peer.close()
    while not near.ended:
        before = len(near.frames)
        net.reactor.run_once(5)
        assert len(near.frames) - before <= cap
    assert near.frames == [b"%d" % number for number in range(300)]


# --- Who is interrupted ---------------------------------------------------------------------------------------------


def test_a_handler_that_pauses_gets_the_next_frame_when_it_resumes(net: Network) -> None:
    near, peer = net.pair(Lines(lambda me, line: me.transport.pause_reading()))
    net.send_all(peer, b"one\ntwo\nthree\n")
    for count in range(1, 4):
        net.until(lambda count=count: len(near.frames) == count)  # type: ignore[misc]
        net.settle()
        assert len(near.frames) == count
        near.transport.resume_reading()
    peer.close()
    net.until(lambda: near.ended)
    assert near.frames == [b"one", b"two", b"three"]


@pytest.mark.parametrize("how", ["close", "abort"])
def test_a_handler_that_ends_the_connection_gets_nothing_more(net: Network, how: str) -> None:
    near, peer = net.pair(Lines(lambda me, line: getattr(me.transport, how)()))
    net.send_all(peer, b"one\ntwo\n")
    net.settle()
    peer.close()
    net.until(lambda: near.ended)
    assert near.frames == [b"one"]
    assert near.ended == [None]


def test_a_codec_that_is_replaced_by_somebody_else_decodes_what_was_held(net: Network) -> None:
    near, peer = net.pair(Lines())
    net.send_all(peer, b"abcd")
    net.settle()
    near.codec = FixedLengthCodec(2)
    net.send_all(peer, b"ef")
    net.until(lambda: len(near.frames) == 3)
    assert near.frames == [b"ab", b"cd", b"ef"]


def test_a_codec_that_is_replaced_before_the_end_decodes_what_was_held(net: Network) -> None:
    near, peer = net.pair(Lines())
    net.send_all(peer, b"abcd")
    net.settle()
    near.codec = FixedLengthCodec(2)
    peer.close()
    net.until(lambda: near.ended)
    assert near.frames == [b"ab", b"cd"]
    assert near.ended == [None]


def test_a_protocol_that_comes_back_at_once_gets_no_frame_twice(net: Network) -> None:
    def leave_and_return(me: Lines, line: bytes) -> None:
        transport = me.transport
        transport.set_protocol(Recorder())  # type: ignore[union-attr]
        transport.set_protocol(me)  # type: ignore[union-attr]

    near, peer = net.pair(Lines(leave_and_return))
    net.send_all(peer, b"one\ntwo\nthree\n")
    net.until(lambda: len(near.frames) >= 3)
    net.settle()
    assert near.frames == [b"one", b"two", b"three"]


def test_a_successor_is_read_without_the_limits_of_a_half_received_frame(net: Network) -> None:
    class Large(Lines):
        codec = LengthPrefixedCodec(4, max_length=100_000)

    sizes: list[int] = []
    near, peer = net.pair(Large(), ConnectionOptions(read_size=1000))
    net.send_all(peer, (100_000).to_bytes(4, "big") + bytes(99_990))
    net.settle(200)
    successor = Recorder(data_received=lambda me, data: sizes.append(len(data)))
    successor.transport = near.transport
    near.transport.set_protocol(successor)
    net.until(lambda: len(successor.received) == 99_994)
    net.send_all(peer, bytes(5000))
    net.until(lambda: len(successor.received) == 104_994)
    assert max(sizes[1:]) == 1000


def test_an_interrupted_handler_has_had_its_frame_and_the_others_come_before_the_end(net: Network) -> None:
    def interrupt(me: Lines, line: bytes) -> None:
        if line == b"two":
            raise KeyboardInterrupt

    near, peer = net.pair(Lines(interrupt))
    peer.send(b"one\ntwo\nthree\nfour\n")
    with pytest.raises(KeyboardInterrupt):
        net.until(lambda: False)
    peer.close()
    net.until(lambda: near.ended)
    assert near.frames == [b"one", b"two", b"three", b"four"]
    assert near.ended == [None]


def test_what_is_sent_before_there_is_a_connection_is_refused_and_not_lost(net: Network) -> None:
    class Hasty(Lines):
        def connection_made(self, transport: Any) -> None:
            with pytest.raises(MisuseError, match=r"super\(\).connection_made\(\) first"):
                self.send(b"hello")
            super().connection_made(transport)
            self.send(b"hello")

    _near, peer = net.pair(Hasty())
    assert net.read(peer, 6) == b"hello\n"


def test_a_framed_protocol_can_be_closed_with_a_reason_and_after_its_end(net: Network) -> None:
    near, peer = net.pair(Lines())
    reason = ValueError("enough")
    near.send(b"bye")
    near.close(reason)
    assert net.read_to_the_end(peer) == b"bye\n"
    peer.close()
    net.until(lambda: near.ended)
    assert near.ended == [reason]
    near.close()


@pytest.mark.parametrize("number", [0, -1])
def test_a_number_of_frames_that_cannot_be_ends_the_connection_and_does_not_spin(net: Network, number: int) -> None:
    class Never(Lines):
        frames_per_tick = number

    near, peer = net.pair(Never())
    peer.send(b"one\n")
    net.until(lambda: near.ended)
    assert net.take_errors() == near.ended
    assert isinstance(near.ended[0], OptionError)
    assert "frames_per_tick" in str(near.ended[0])


def test_a_codec_that_is_replaced_from_outside_finds_what_waited_before_the_end_and_may_pause(net: Network) -> None:
    near, peer = net.pair(Lines(lambda me, frame: me.transport.pause_reading() if frame == b"ab" else None))
    peer.send(b"abcdef")
    net.settle()
    near.use_codec(FixedLengthCodec(2))
    peer.close()
    net.until(lambda: near.frames)
    net.settle()
    assert near.frames == [b"ab"]
    near.transport.resume_reading()
    net.until(lambda: near.ended)
    assert near.frames == [b"ab", b"cd", b"ef"]
    assert near.ended == [None]


def test_a_codec_can_be_replaced_before_anything_came_and_after_the_end(net: Network) -> None:
    near, peer = net.pair(Lines())
    near.use_codec(FixedLengthCodec(2))
    peer.send(b"abcd")
    net.until(lambda: near.frames == [b"ab", b"cd"])
    peer.close()
    net.until(lambda: near.ended)
    near.use_codec(LineCodec())
    assert near.ended == [None]


class Forgiving(Lines):
    """Goes on behind lines that are too long, and writes down where they stood."""

    codec: Any = LineCodec(max_length=4, oversize="discard")

    def frames_discarded(self, count: int) -> None:
        self.frames.append(b"%d discarded" % count)
        if self.hook is not None:
            self.hook(self, self.frames[-1])


def test_frames_that_were_thrown_away_are_told_of_where_they_stood(net: Network) -> None:
    near, peer = net.pair(Forgiving())
    net.send_all(peer, b"one\ntoo long\nas this\ntwo\n\nstill too lo")
    net.until(lambda: len(near.frames) == 5)
    net.send_all(peer, b"ng\nend\n")
    net.until(lambda: len(near.frames) == 6)
    assert near.frames == [b"one", b"2 discarded", b"two", b"", b"1 discarded", b"end"]
    assert near.transport is not None


def test_what_stands_behind_a_discarded_frame_waits_for_a_handler_that_paused_there(net: Network) -> None:
    near, peer = net.pair(Forgiving(lambda me, line: me.transport.pause_reading() if b"discarded" in line else None))
    net.send_all(peer, b"too long\none\n")
    net.until(lambda: near.frames)
    net.settle()
    assert near.frames == [b"1 discarded"]
    assert near.transport is not None
    near.transport.resume_reading()
    net.until(lambda: len(near.frames) == 2)
    assert near.frames == [b"1 discarded", b"one"]


def test_a_codec_that_is_replaced_at_a_discarded_frame_gets_what_stands_behind_it(net: Network) -> None:
    def replace(me: Lines, line: bytes) -> None:
        me.codec = FixedLengthCodec(2)

    near, peer = net.pair(Forgiving(replace))
    net.send_all(peer, b"too long\nabcd")
    net.until(lambda: len(near.frames) == 3)
    assert near.frames == [b"1 discarded", b"ab", b"cd"]


def test_a_discarded_frame_is_told_before_the_error_behind_it(net: Network) -> None:
    class Numbered(Forgiving):
        codec = NetstringCodec(max_length=4, oversize="discard")

        def framing_failed(self, error: FramingError) -> None:
            self.frames.append(b"corrupt")
            super().framing_failed(error)

    near, peer = net.pair(Numbered())
    net.send_all(peer, b"5:fives,nonsense")
    net.until(lambda: len(near.frames) == 2)
    assert near.frames == [b"1 discarded", b"corrupt"]


def test_an_interrupted_handler_of_discarded_frames_was_told_once(net: Network) -> None:
    def interrupt(me: Lines, line: bytes) -> None:
        if b"discarded" in line:
            raise KeyboardInterrupt

    near, peer = net.pair(Forgiving(interrupt))
    net.send_all(peer, b"too long\none\n")
    with pytest.raises(KeyboardInterrupt):
        net.until(lambda: len(near.frames) == 2)
    net.until(lambda: len(near.frames) == 2)
    assert near.frames == [b"1 discarded", b"one"]
