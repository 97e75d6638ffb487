"""A mistake in a protocol costs its connection, is reported once, and costs nobody else anything."""

from typing import Any, NoReturn

from tests.conformance.case import for_each
from tests.conformance.recorder import BufferedRecorder, Recorder
from tests.conformance.situations import STREAM_CALLBACKS, let_read, provoke
from tests.conformance.world import End, World, expect


class MistakeError(Exception):
    """Something that a user's code raises."""


MISTAKE = MistakeError("of the user's")


def _fail(*_: object) -> NoReturn:
    raise MISTAKE


@for_each(*(callback for callback in STREAM_CALLBACKS if callback != "connection_lost"))
def a_mistake_ends_the_connection_with_itself(world: World, callback: str) -> None:
    """What a callback raises is reported once, and connection_lost is told that very object."""
    near, far = provoke(world, callback, _fail)
    assert world.take_errors() == [MISTAKE]
    let_read(far)
    world.run_until(lambda: near.over)
    assert near.ended_with is MISTAKE
    world.run_until(lambda: far.over or world.refused)


@for_each("get_buffer", "buffer_updated")
def a_mistake_of_a_buffered_protocol_ends_the_connection(world: World, callback: str) -> None:
    """What get_buffer or buffer_updated raises is treated as what data_received raises."""
    near, far = world.pair(near=BufferedRecorder(65536, **{callback: _fail}))
    far.transport.write(b"x")
    world.run_until(lambda: near.over and far.over)
    assert near.ended_with is MISTAKE
    assert world.take_errors() == [MISTAKE]


def a_mistake_after_a_close_is_told_too(world: World) -> None:
    """A callback that closes the connection and then raises is told what it raised."""

    def close_and_fail(me: Recorder, data: bytes) -> None:
        me.transport.close()
        raise MISTAKE

    near, far = world.pair(near=Recorder(data_received=close_and_fail))
    far.transport.write(b"x")
    world.run_until(lambda: near.over and far.over)
    assert world.take_errors() == [MISTAKE]
    expect(near.ending, "MistakeError")


def a_mistake_in_connection_lost_is_reported(world: World) -> None:
    """What connection_lost raises can end nothing any more, but is not swallowed."""
    near, far = world.pair(near=Recorder(connection_lost=_fail))
    far.transport.close()
    world.run_until(lambda: near.over and far.over)
    world.settle()
    assert world.take_errors() == [MISTAKE]


def an_os_error_of_the_users_is_a_mistake_too(world: World) -> None:
    """A file that data_received cannot open is not a network that failed: it is reported like any other mistake."""

    def fail(me: Recorder, data: bytes) -> None:
        raise FileNotFoundError("no such file")

    near, far = world.pair(near=Recorder(data_received=fail))
    far.transport.write(b"x")
    world.run_until(lambda: near.over)
    assert near.ending == "FileNotFoundError"
    expect([type(error).__name__ for error in world.take_errors()], ["FileNotFoundError"])


def a_mistake_costs_nobody_else_anything(world: World) -> None:
    """The other connections of the same listener go on, and new ones are accepted."""
    ends: list[Recorder] = []

    def fail_on_bad(me: Recorder, data: bytes) -> None:
        if me.received == b"bad":
            raise MISTAKE
        me.transport.write(data)

    def echo() -> End:
        return Recorder(data_received=fail_on_bad)

    def call(word: bytes) -> Recorder:
        ends.append(Recorder(connection_made=lambda me: me.transport.write(word)))
        world.connect(lambda: ends[-1], address)
        return ends[-1]

    address = world.listen(echo)
    good = call(b"good")
    world.run_until(lambda: good.received == b"good")
    bad = call(b"bad")
    world.run_until(lambda: bad.over)
    good.transport.write(b", still")
    late = call(b"late")
    world.run_until(lambda: good.received == b"good, still" and late.received == b"late")
    assert world.take_errors() == [MISTAKE]


def a_mistake_in_a_scheduled_callback_is_reported(world: World) -> None:
    """What a callback of call_soon or call_later raises is reported, and the loop goes on."""
    near, far = world.pair()
    world.call_soon(_fail)
    world.call_later(0.001, _fail)
    world.run_until(lambda: len(world.errors) == 2)
    near.transport.write(b"alive")
    world.run_until(lambda: far.received == b"alive")
    assert world.take_errors() == [MISTAKE, MISTAKE]


@for_each(KeyboardInterrupt, SystemExit)
def an_interrupt_goes_through(world: World, interrupt: Any) -> None:
    """KeyboardInterrupt and SystemExit are not errors of a protocol: they leave the loop, reported to nobody."""

    def raise_it(*_: object) -> NoReturn:
        raise interrupt

    _near, far = world.pair(near=Recorder(data_received=raise_it))
    far.transport.write(b"x")
    try:
        world.run_until(lambda: False)
    except interrupt:
        return
    raise AssertionError("the loop kept it to itself")
