"""A connection is two streams, one each way, and each can end for itself."""

from tests.conformance.case import for_each
from tests.conformance.recorder import Recorder
from tests.conformance.world import World, expect, raised_by


def _keep_open(me: Recorder) -> bool:
    return True


def reading_goes_on_after_write_eof(world: World) -> None:
    """Who has said all it has to say can go on listening."""
    near, far = world.pair(far=Recorder(eof_received=_keep_open))
    assert near.transport.can_write_eof()
    near.transport.write(b"that is all")
    near.transport.write_eof()
    world.run_until(lambda: far.saw("eof_received"))
    assert far.received == b"that is all"
    far.transport.write(b"then listen")
    world.run_until(lambda: near.received == b"then listen")
    assert near.transport.is_reading()
    assert not near.transport.is_closing()


def writing_goes_on_after_the_peers_end(world: World) -> None:
    """A true answer to eof_received keeps the write side open, until close()."""
    near, far = world.pair(near=Recorder(eof_received=_keep_open))
    far.transport.write_eof()
    world.run_until(lambda: near.saw("eof_received"))
    near.transport.write(bytes(1_000_000))
    near.transport.close()
    world.run_until(lambda: near.over and far.over)
    assert len(far.received) == 1_000_000
    assert (near.ending, far.ending) == ("clean", "clean")


def a_false_answer_sends_what_waits_and_closes(world: World) -> None:
    """Any other answer to eof_received closes the connection, after what was written has left."""
    near, far = world.pair()
    world.clog(near, far)
    far.transport.write_eof()
    world.run_until(lambda: near.saw("eof_received"))
    far.transport.resume_reading()
    world.run_until(lambda: near.over and far.over)
    assert len(far.received) == 1 << 20
    assert (near.ending, far.ending) == ("clean", "clean")


def write_eof_sends_what_waits_first(world: World) -> None:
    """The end of the stream comes after everything that was written before it, to a slow reader too."""
    near, far = world.pair()
    world.clog(near, far)
    near.transport.write_eof()
    world.settle()
    assert not far.saw("eof_received")
    far.transport.resume_reading()
    world.run_until(lambda: far.saw("eof_received"))
    assert len(far.received) == 1 << 20


@for_each("write", "writelines")
def a_write_after_write_eof_is_an_error(world: World, method: str) -> None:
    """Writing after write_eof raises RuntimeError: nobody could ever receive it. Reading is not affected."""
    near, far = world.pair(far=Recorder(eof_received=_keep_open))
    near.transport.write_eof()
    argument = b"more" if method == "write" else [b"more"]
    assert raised_by(lambda: getattr(near.transport, method)(argument)) == "RuntimeError"
    far.transport.write(b"still")
    world.run_until(lambda: near.received == b"still")


@for_each("write", "writelines")
def a_write_after_write_eof_is_an_error_in_a_callback_too(world: World, method: str) -> None:
    """The same holds inside data_received, where the error is the callback's own to catch."""
    raised: list[str | None] = []

    def answer(me: Recorder, data: bytes) -> None:
        argument = b"more" if method == "write" else [b"more"]
        raised.append(raised_by(lambda: getattr(me.transport, method)(argument)))

    near, far = world.pair(near=Recorder(data_received=answer), far=Recorder(eof_received=_keep_open))
    near.transport.write_eof()
    far.transport.write(b"go")
    world.run_until(lambda: raised)
    assert raised == ["RuntimeError"]
    assert not near.transport.is_closing()


def write_eof_may_be_repeated(world: World) -> None:
    """A second write_eof is harmless, before and after the first one took effect."""
    near, far = world.pair(far=Recorder(eof_received=_keep_open))
    near.transport.write_eof()
    near.transport.write_eof()
    world.run_until(lambda: far.saw("eof_received"))
    near.transport.write_eof()
    world.settle()
    assert not near.over


@for_each("close", "abort")
def a_half_closed_connection_can_be_ended(world: World, how: str) -> None:
    """close() and abort() after write_eof() end the connection."""
    near, _far = world.pair(far=Recorder(eof_received=_keep_open))
    near.transport.write_eof()
    getattr(near.transport, how)()
    _far.transport.close()
    world.run_until(lambda: near.over)
    assert near.ending == "clean"


def write_eof_after_close_is_ignored(world: World) -> None:
    """A closing connection ends its stream anyway, after what was written before the close."""
    near, far = world.pair()
    world.clog(near, far)
    near.transport.close()
    near.transport.write_eof()
    far.transport.resume_reading()
    world.run_until(lambda: near.over and far.over)
    assert len(far.received) == 1 << 20


@for_each("the peer first", "the near end first")
def two_ended_streams_are_an_ended_connection(world: World, order: str) -> None:
    """When both directions have ended nothing can happen any more: connection_lost(None) comes by itself."""
    near, far = world.pair(near=Recorder(eof_received=_keep_open), far=Recorder(eof_received=_keep_open))
    first, second = (far, near) if order == "the peer first" else (near, far)
    first.transport.write_eof()
    world.run_until(lambda: second.saw("eof_received"))
    second.transport.write(b"the rest")
    second.transport.write_eof()
    world.run_until(lambda: first.saw("eof_received"))
    assert first.received == b"the rest"
    world.run_until(lambda: near.over)
    assert near.ending == "clean"


def two_ended_streams_end_after_what_waits(world: World) -> None:
    """Both directions have ended, but the last bytes still wait: they arrive first."""
    near, far = world.pair(near=Recorder(eof_received=_keep_open))
    world.clog(near, far)
    near.transport.write_eof()
    far.transport.write_eof()
    world.run_until(lambda: near.saw("eof_received"))
    world.settle()
    assert not near.over
    far.transport.resume_reading()
    world.run_until(lambda: far.over)
    assert len(far.received) == 1 << 20
    assert far.ending == "clean"


def the_answer_may_be_the_end_of_ones_own_stream(world: World) -> None:
    """write_eof inside eof_received, with false as the answer, is a clean end for both."""
    near, far = world.pair(near=Recorder(eof_received=lambda me: me.transport.write_eof()))
    far.transport.write_eof()
    world.run_until(lambda: near.over and far.over)
    assert (near.ending, far.ending) == ("clean", "clean")


def write_eof_to_a_peer_that_has_reset_does_not_raise(world: World) -> None:
    """An end of the stream that the kernel cannot send any more is no mistake of the caller's."""
    near, far = world.pair()
    near.transport.pause_reading()
    world.reset(far.transport)
    world.run_until(lambda: far.over)
    expect(raised_by(near.transport.write_eof), None)
    near.transport.resume_reading()
    world.run_until(lambda: near.over)
