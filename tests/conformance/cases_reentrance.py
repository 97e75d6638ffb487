"""Every method may be called inside every callback. That is where most of them are called."""

from tests.conformance.case import for_each
from tests.conformance.recorder import Recorder
from tests.conformance.situations import STREAM_CALLBACKS, let_read, provoke
from tests.conformance.world import World, expect


@for_each(*STREAM_CALLBACKS)
def close_inside(world: World, callback: str) -> None:
    """A close inside a callback ends the connection cleanly, once, after what was written has left."""
    near, far = provoke(world, callback, lambda me, *_: me.transport.close())
    let_read(far)
    world.run_until(lambda: near.over and far.over)
    world.settle()
    assert near.ending == "clean"
    assert near.saw("connection_lost") and not near.saw("connection_lost", times=2)
    if near.saw("pause_writing"):
        assert len(far.received) == 1 << 20


@for_each(*STREAM_CALLBACKS)
def abort_inside(world: World, callback: str) -> None:
    """An abort inside a callback ends the connection, once, and nothing is delivered after it."""
    near, _far = provoke(world, callback, lambda me, *_: me.transport.abort())
    world.run_until(lambda: near.over)
    world.settle()
    expect([type(error).__name__ for error in world.take_errors()], [])
    assert near.ending == "clean"
    assert near.events[-2:] == ([callback, "connection_lost"] if callback != "connection_lost" else near.events[-2:])


@for_each("connection_made", "data_received", "pause_writing", "resume_writing")
def pause_reading_inside(world: World, callback: str) -> None:
    """A pause inside a callback holds from that moment on."""
    near, far = provoke(world, callback, lambda me, *_: me.transport.pause_reading())
    before = len(near.received)
    far.transport.write(b"held")
    world.settle()
    assert len(near.received) == before
    near.hooks.clear()  # the rest may come in pieces
    near.transport.resume_reading()
    world.run_until(lambda: near.received.endswith(b"held"))


@for_each(*STREAM_CALLBACKS)
def write_inside(world: World, callback: str) -> None:
    """A write inside a callback is sent after what was written before; in connection_lost it is ignored."""
    near, far = provoke(world, callback, lambda me, *_: me.transport.write(b"written inside"))
    far.transport.resume_reading()
    if callback != "connection_lost":
        world.run_until(lambda: far.received.endswith(b"written inside"))
    assert near.transport.get_write_buffer_size() == 0


@for_each("connection_made", "data_received", "eof_received", "pause_writing", "resume_writing")
def write_eof_inside(world: World, callback: str) -> None:
    """A write_eof inside a callback ends the stream after what was written before."""
    near, far = provoke(world, callback, lambda me, *_: me.transport.write_eof())
    far.transport.resume_reading()
    world.run_until(lambda: far.saw("eof_received"))
    assert len(far.received) == (1 << 20 if near.saw("pause_writing") else 0)


@for_each("connection_made", "data_received", "pause_writing", "resume_writing")
def set_protocol_inside(world: World, callback: str) -> None:
    """A protocol that gives its connection away inside a callback hears nothing of it any more."""
    successor = Recorder()
    near, far = provoke(world, callback, lambda me, *_: me.hand_over_to(successor))
    heard = list(near.events)
    far.transport.resume_reading()
    far.transport.write(b"for the next one")
    far.transport.close()
    world.run_until(lambda: successor.over)
    assert successor.received == b"for the next one"
    assert near.events == heard


@for_each("close", "abort", "write_eof")
def a_write_that_fails_inside_a_callback_is_the_end(world: World, then: str) -> None:
    """A callback that answers a peer that has reset already, and ends the stream, ends the connection once."""

    def answer(me: Recorder, data: bytes) -> None:
        me.transport.write(b"answer")
        getattr(me.transport, then)()

    near, far = world.pair(near=Recorder(data_received=answer))
    near.transport.set_write_buffer_limits(high=0)
    near.transport.pause_reading()
    far.transport.write(b"?")
    world.settle()
    world.reset(far.transport)
    world.run_until(lambda: far.over)
    near.transport.resume_reading()
    world.run_until(lambda: near.over)
    assert near.ending in ("ConnectionResetError", "BrokenPipeError", "clean")


@for_each("close", "abort", "write_eof")
def the_end_may_be_changed_inside_pause_writing(world: World, then: str) -> None:
    """An abort inside pause_writing holds, also if that came while the callback around it was ending the stream."""

    def flood(me: Recorder, data: bytes) -> None:
        for _ in range(100):
            me.transport.write(bytes(4000))
        getattr(me.transport, then)()

    near, far = world.pair(near=Recorder(data_received=flood, pause_writing=lambda me: me.transport.abort()))
    near.transport.set_write_buffer_limits(high=0)
    world.shrink_kernel_buffers(near.transport)
    world.shrink_kernel_buffers(far.transport)
    far.transport.pause_reading()
    far.transport.write(b"go")
    world.run_until(lambda: near.over)
    world.settle()
    assert near.ending == "clean"


def a_callback_may_write_until_it_is_paused(world: World) -> None:
    """pause_writing may come inside the write that crosses the mark, while the callback that writes still runs."""

    def flood(me: Recorder, data: bytes) -> None:
        while not me.saw("pause_writing") and len(wrote) < 1000:
            me.transport.write(bytes(50_000))
            wrote.append(50_000)

    wrote: list[int] = []
    near, far = world.pair(near=Recorder(data_received=flood))
    world.shrink_kernel_buffers(near.transport)
    world.shrink_kernel_buffers(far.transport)
    far.transport.pause_reading()
    far.transport.write(b"go")
    world.run_until(lambda: near.saw("pause_writing"))
    far.transport.resume_reading()
    world.run_until(lambda: len(far.received) == sum(wrote))
    assert len(wrote) < 1000


def one_end_may_end_the_other_inside_a_callback(world: World) -> None:
    """A connection that is aborted in another one's callback, with its own event already reported, gets nothing."""
    first, first_far = world.pair()
    second, second_far = world.pair()
    for one, other in ((first, second), (second, first)):
        one.hooks["data_received"] = lambda me, data, other=other: other.transport.abort()
    first_far.transport.write(b"x")
    second_far.transport.write(b"x")
    world.run_until(lambda: first.over or second.over)
    world.settle()
    assert first.over != second.over
    survivor, dead = (second, first) if first.over else (first, second)
    assert survivor.received == b"x"
    assert dead.events == ["connection_made", "connection_lost"]


def one_end_may_pause_the_other_inside_a_callback(world: World) -> None:
    """A connection paused in another one's callback, with its own event already reported, gets nothing."""
    first, first_far = world.pair()
    second, second_far = world.pair()
    for one, other in ((first, second), (second, first)):
        one.hooks["data_received"] = lambda me, data, other=other: other.transport.pause_reading()
    first_far.transport.write(b"x")
    second_far.transport.write(b"x")
    world.run_until(lambda: first.received or second.received)
    world.settle()
    assert bool(first.received) != bool(second.received)
