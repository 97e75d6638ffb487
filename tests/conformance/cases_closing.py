"""Closing is a promise to the peer: what was written is sent. Aborting is the opposite."""

from tests.conformance.case import for_each
from tests.conformance.recorder import Recorder
from tests.conformance.world import World, expect, raised_by


def close_sends_everything_first(world: World) -> None:
    """A close after several megabytes to a reader that stops at every piece loses none of them."""
    near, far = world.pair()
    world.clog(near, far, amount=4_000_000)
    near.transport.write(b"the end")
    near.transport.close()
    world.settle()
    assert not near.over

    def read_a_little(me: Recorder, data: bytes) -> None:
        me.transport.pause_reading()
        world.call_soon(me.transport.resume_reading)

    far.hooks["data_received"] = read_a_little
    far.transport.resume_reading()
    world.run_until(lambda: near.over and far.over)
    assert len(far.received) == 4_000_007
    assert far.received.endswith(b"the end")
    assert (near.ending, far.ending) == ("clean", "clean")


def close_with_unread_input_loses_nothing(world: World) -> None:
    """A close with unread input in the kernel does not destroy what was sent before, and the peer sees no reset."""
    near, far = world.pair()
    near.transport.pause_reading()
    far.transport.pause_reading()
    far.transport.write(b"a question that nobody reads")
    near.transport.write(b"an answer to something else")
    near.transport.close()
    world.settle()
    far.transport.resume_reading()
    world.run_until(lambda: far.over)
    assert far.received == b"an answer to something else"
    expect(far.ending, "clean")


def a_write_after_close_is_ignored(world: World) -> None:
    """What is written after close() is not sent and raises nothing."""
    near, far = world.pair()
    near.transport.write(b"before")
    near.transport.close()
    near.transport.write(b"after")
    world.run_until(lambda: near.over and far.over)
    near.transport.write(b"long after")
    assert far.received == b"before"


def a_write_after_close_is_ignored_while_bytes_wait(world: World) -> None:
    """What is written after close() is not sent, also if what was written before it still waits."""
    near, far = world.pair()
    world.clog(near, far)
    near.transport.close()
    near.transport.write(b"after")
    far.transport.resume_reading()
    world.run_until(lambda: near.over and far.over)
    expect(len(far.received) - (1 << 20), 0)


def writelines_after_close_is_ignored(world: World) -> None:
    """writelines after close() is ignored as write is, while earlier bytes wait."""
    near, far = world.pair()
    world.clog(near, far)
    near.transport.close()
    expect(raised_by(lambda: near.transport.writelines([b"after"])), None)
    far.transport.resume_reading()
    world.run_until(lambda: near.over and far.over)
    expect(len(far.received) - (1 << 20), 0)


def a_reset_while_closing_is_told(world: World) -> None:
    """A peer that resets instead of ending after a close may have missed the last bytes, so the reset is told."""
    near, far = world.pair(far=Recorder(eof_received=lambda me: True))
    near.transport.write(b"the last bytes")
    near.transport.close()
    world.settle()
    world.reset(far.transport)
    world.run_until(lambda: near.over)
    expect(near.ending, "ConnectionResetError")


def closing_twice_is_closing_once(world: World) -> None:
    """A second close(), before or after the end, changes nothing."""
    near, far = world.pair()
    near.transport.write(b"once")
    near.transport.close()
    near.transport.close()
    world.run_until(lambda: near.over and far.over)
    near.transport.close()
    world.settle()
    assert far.received == b"once"


def abort_cuts_a_close_short(world: World) -> None:
    """abort() after close() does not wait for the bytes that close() would have sent."""
    near, far = world.pair()
    world.clog(near, far)
    near.transport.close()
    near.transport.abort()
    world.run_until(lambda: near.over)
    assert near.ending == "clean"
    far.transport.resume_reading()
    world.run_until(lambda: far.over)
    assert len(far.received) < 1 << 20


def abort_drops_what_waits(world: World) -> None:
    """abort() ends the connection without waiting: the bytes that had not left are gone."""
    near, far = world.pair()
    world.clog(near, far)
    near.transport.abort()
    assert near.transport.is_closing()
    assert near.transport.get_write_buffer_size() == 0
    world.run_until(lambda: near.over)
    far.transport.resume_reading()
    world.run_until(lambda: far.over)
    assert len(far.received) < 1 << 20


def abort_shows_the_peer_a_reset(world: World) -> None:
    """The peer of an abort sees a reset, so that it cannot take the cut stream for a complete one."""
    near, far = world.pair()
    near.transport.abort()
    world.run_until(lambda: far.over)
    expect(far.ending, "ConnectionResetError")


@for_each("close", "abort")
def nothing_is_delivered_after_the_goodbye(world: World, how: str) -> None:
    """After close() or abort() neither data nor the end of the stream is delivered, only connection_lost."""
    near, far = world.pair()
    far.transport.write(b"already in the kernel")
    getattr(near.transport, how)()
    far.transport.write(b"or sent later")
    far.transport.write_eof()
    world.run_until(lambda: near.over)
    assert near.events == ["connection_made", "connection_lost"]


def close_after_an_answer_is_the_usual_end(world: World) -> None:
    """Answer and close inside data_received: the peer gets the whole answer and a clean end."""

    def answer(me: Recorder, data: bytes) -> None:
        me.transport.write(bytes(1_000_000))
        me.transport.close()

    near, far = world.pair(near=Recorder(data_received=answer))
    far.transport.write(b"question")
    world.run_until(lambda: near.over and far.over)
    assert len(far.received) == 1_000_000
    assert (near.ending, far.ending) == ("clean", "clean")
