"""A connection that changes hands, and protocols that bring their own memory."""

from typing import Any

from tests.conformance.case import for_each
from tests.conformance.recorder import BufferedRecorder, Recorder
from tests.conformance.world import World


def the_next_data_goes_to_the_new_protocol(world: World) -> None:
    """After set_protocol the new protocol gets everything that comes, and the old one nothing."""
    near, far = world.pair()
    far.transport.write(b"1")
    world.run_until(lambda: near.received == b"1")
    successor = Recorder()
    near.hand_over_to(successor)
    far.transport.write(b"2")
    world.run_until(lambda: successor.received == b"2")
    far.transport.close()
    world.run_until(lambda: successor.over)
    assert near.events == ["connection_made", "data_received"]
    assert successor.events == ["data_received", "eof_received", "connection_lost"]


def a_chunk_is_delivered_to_one_protocol(world: World) -> None:
    """A switch inside data_received takes effect with the next chunk: this one was delivered already."""
    successor = Recorder()
    near, far = world.pair(near=Recorder(data_received=lambda me, data: me.hand_over_to(successor)))
    far.transport.write(b"one chunk")
    world.run_until(lambda: near.received + successor.received == b"one chunk")
    far.transport.write(b" and another")
    world.run_until(lambda: near.received + successor.received == b"one chunk and another")
    assert near.events == ["connection_made", "data_received"]


def back_pressure_is_told_to_the_protocol_in_place(world: World) -> None:
    """The protocol that is in place when the buffer has emptied is the one that is told to go on."""
    near, far = world.pair()
    world.clog(near, far)
    successor = Recorder()
    near.hand_over_to(successor)
    far.transport.resume_reading()
    world.run_until(lambda: successor.saw("resume_writing"))
    assert near.events == ["connection_made", "pause_writing"]


def a_buffered_protocol_receives_into_its_own_memory(world: World) -> None:
    """buffer_updated tells how many bytes of the buffer from get_buffer were filled."""
    near, far = world.pair(near=BufferedRecorder())
    far.transport.write(b"into my own memory")
    world.run_until(lambda: near.received == b"into my own memory")
    far.transport.close()
    world.run_until(lambda: near.over)
    assert near.ending == "clean"
    assert near.saw("eof_received")


@for_each(1, 7, 4096)
def a_small_buffer_receives_everything_in_pieces(world: World, size: int) -> None:
    """A buffer smaller than the message is filled again and again; nothing is lost between."""
    message = bytes(range(256)) * (1 if size == 1 else 200)
    near, far = world.pair(near=BufferedRecorder(size))
    far.transport.write(message)
    world.run_until(lambda: len(near.received) >= len(message))
    assert near.received == message


def a_part_of_a_larger_buffer_can_be_offered(world: World) -> None:
    """A memoryview of a part of a buffer receives into that part, and not a byte beyond."""
    memory = bytearray(b"." * 30)

    def offer(me: BufferedRecorder, sizehint: int) -> memoryview:
        assert isinstance(sizehint, int)
        return memoryview(memory)[10 + filled[0] : 20]

    def note(me: BufferedRecorder, nbytes: int) -> None:
        filled[0] += nbytes
        if filled[0] == 10:
            me.transport.pause_reading()

    filled = [0]
    near, far = world.pair(near=BufferedRecorder(get_buffer=offer, buffer_updated=note))
    far.transport.write(b"0123456789 and more")
    world.run_until(lambda: filled[0] == 10)
    assert memory == b"." * 10 + b"0123456789" + b"." * 10
    assert not near.over


def an_empty_buffer_is_an_error(world: World) -> None:
    """A get_buffer that offers no room ends the connection with a RuntimeError, instead of looking like its end."""
    near, far = world.pair(near=BufferedRecorder(get_buffer=lambda me, sizehint: bytearray()))
    far.transport.write(b"x")
    world.run_until(lambda: near.over and far.over)
    assert isinstance(near.ended_with, RuntimeError)
    assert world.take_errors() == [near.ended_with]


@for_each("to buffered", "to plain")
def the_kinds_of_protocol_can_follow_each_other(world: World, direction: str) -> None:
    """A plain protocol can be followed by a buffered one and the other way round, in the middle of a stream."""
    near: Any = Recorder() if direction == "to buffered" else BufferedRecorder()
    successor: Any = BufferedRecorder() if direction == "to buffered" else Recorder()
    world.pair(near=near, far=(far := Recorder()))
    far.transport.write(b"first")
    world.run_until(lambda: near.received == b"first")
    near.hand_over_to(successor)
    far.transport.write(b"second")
    world.run_until(lambda: successor.received == b"second")
    far.transport.close()
    world.run_until(lambda: successor.over)
    assert near.received == b"first"


def a_buffered_protocol_can_hand_over_inside_its_callback(world: World) -> None:
    """A switch of kinds inside buffer_updated takes effect with the next read."""
    successor = Recorder()
    near, far = world.pair(near=BufferedRecorder(1, buffer_updated=lambda me, nbytes: me.hand_over_to(successor)))
    far.transport.write(b">body")
    world.run_until(lambda: successor.received == b"body")
    assert near.received == b">"
