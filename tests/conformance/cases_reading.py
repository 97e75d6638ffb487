"""The brake on the other side: a protocol that cannot take more input now says so, and loses nothing."""

from tests.conformance.recorder import Recorder
from tests.conformance.world import World, expect


def nothing_is_delivered_while_paused(world: World) -> None:
    """Between pause_reading and resume_reading nothing arrives; after it, everything does."""
    near, far = world.pair()
    near.transport.pause_reading()
    far.transport.write(b"patience")
    world.settle()
    assert near.received == b""
    near.transport.resume_reading()
    world.run_until(lambda: near.received == b"patience")


def a_pause_inside_data_received_holds_the_rest(world: World) -> None:
    """After a pause inside data_received the next piece waits in the kernel until reading is resumed."""
    near, far = world.pair(near=Recorder(data_received=lambda me, data: me.transport.pause_reading()))
    message = bytes(2_000_000)
    far.transport.write(message)
    pieces = 0
    while len(near.received) < len(message):
        pieces += 1
        world.run_until(lambda: not near.transport.is_reading())
        world.settle()
        assert near.events.count("data_received") == pieces
        near.transport.resume_reading()
    assert near.received == message
    assert pieces > 1


def pause_and_resume_may_be_repeated(world: World) -> None:
    """Pausing twice is one pause, resuming twice is one resume, and resuming what was not paused is nothing."""
    near, far = world.pair()
    near.transport.resume_reading()
    assert near.transport.is_reading()
    near.transport.pause_reading()
    near.transport.pause_reading()
    assert not near.transport.is_reading()
    near.transport.resume_reading()
    near.transport.resume_reading()
    assert near.transport.is_reading()
    far.transport.write(b"once")
    world.run_until(lambda: near.received)
    world.settle()
    assert near.received == b"once"


def a_pause_that_ends_inside_the_callback_is_none(world: World) -> None:
    """Paused and resumed inside the same data_received: the stream goes on, with nothing lost or doubled."""

    def hesitate(me: Recorder, data: bytes) -> None:
        me.transport.pause_reading()
        me.transport.resume_reading()

    near, far = world.pair(near=Recorder(data_received=hesitate))
    message = bytes(range(256)) * 4000
    far.transport.write(message)
    world.run_until(lambda: len(near.received) >= len(message))
    assert near.received == message


def a_pause_in_connection_made_holds_the_first_byte(world: World) -> None:
    """A protocol that pauses as soon as it stands is given nothing, not even what came with the connection."""
    near, far = world.pair(
        near=Recorder(connection_made=lambda me: me.transport.pause_reading()),
        far=Recorder(connection_made=lambda me: me.transport.write(b"eager")),
    )
    assert not near.transport.is_reading()
    world.settle()
    assert near.received == b""
    near.transport.resume_reading()
    world.run_until(lambda: near.received == b"eager")
    assert not far.over


def the_end_of_the_stream_waits_for_a_paused_reader(world: World) -> None:
    """The end of the stream is delivered after the data before it, so it waits as the data does."""
    near, far = world.pair()
    near.transport.pause_reading()
    far.transport.write(b"x")
    far.transport.close()
    world.settle()
    assert near.events == ["connection_made"]
    near.transport.resume_reading()
    world.run_until(lambda: near.over)
    assert near.received == b"x"
    assert near.events == ["connection_made", "data_received", "eof_received", "connection_lost"]


def resuming_never_delivers_from_inside(world: World) -> None:
    """resume_reading returns before anything is delivered, so its caller is not surprised in the middle."""
    near, far = world.pair()
    near.transport.pause_reading()
    far.transport.write(b"ready and waiting")
    world.settle()
    near.transport.resume_reading()
    assert near.received == b""
    world.run_until(lambda: near.received)


def a_pause_does_not_stop_writing(world: World) -> None:
    """A connection that does not read can write."""
    near, far = world.pair()
    near.transport.pause_reading()
    near.transport.write(b"I am not listening")
    world.run_until(lambda: far.received == b"I am not listening")


def a_paused_connection_can_be_closed(world: World) -> None:
    """Closing while paused sends what was written, and delivers nothing more."""
    near, far = world.pair()
    near.transport.pause_reading()
    near.transport.write(b"bye")
    near.transport.close()
    world.run_until(lambda: near.over and far.over)
    assert far.received == b"bye"
    assert near.events == ["connection_made", "connection_lost"]


def nothing_is_being_read_after_a_close(world: World) -> None:
    """is_reading is false from close() on, and resume_reading does not change that."""
    near, _far = world.pair()
    near.transport.close()
    assert not near.transport.is_reading()
    near.transport.resume_reading()
    assert not near.transport.is_reading()


def nothing_is_being_read_after_the_end_of_the_stream(world: World) -> None:
    """is_reading is false once the end of the stream was told: nothing more can be delivered."""
    near, far = world.pair(near=Recorder(eof_received=lambda me: True))
    far.transport.write_eof()
    world.run_until(lambda: near.saw("eof_received"))
    world.settle()
    expect(near.transport.is_reading(), False)


def the_end_of_the_stream_is_told_once(world: World) -> None:
    """A pause and a resume after the end of the stream do not tell it again."""
    near, far = world.pair(near=Recorder(eof_received=lambda me: True))
    far.transport.write_eof()
    world.run_until(lambda: near.saw("eof_received"))
    near.transport.pause_reading()
    near.transport.resume_reading()
    world.settle()
    expect(near.events.count("eof_received"), 1)
    near.transport.write(b"still here")
    world.run_until(lambda: far.received == b"still here")
