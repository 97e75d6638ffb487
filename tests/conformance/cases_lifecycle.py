"""From the first callback to the last, and what a connection says about itself on the way."""

from functools import partial

from tests.conformance.case import for_each
from tests.conformance.recorder import Recorder
from tests.conformance.world import World, expect, raised_by


def connection_made_is_first_and_connection_lost_last(world: World) -> None:
    """Both ends hear connection_made, then data, then the end of the stream, then connection_lost; each once."""
    near, far = world.pair()
    far.transport.write(b"x")
    world.run_until(lambda: near.received)
    far.transport.close()
    world.run_until(lambda: near.over and far.over)
    assert near.events == ["connection_made", "data_received", "eof_received", "connection_lost"]
    assert far.events[0] == "connection_made"
    assert far.events[-1] == "connection_lost"


def a_clean_end_has_no_exception(world: World) -> None:
    """After a close, connection_lost is told None at both ends."""
    near, far = world.pair()
    near.transport.close()
    world.run_until(lambda: near.over and far.over)
    assert (near.ending, far.ending) == ("clean", "clean")


def both_ends_may_close_at_once(world: World) -> None:
    """Two closes that cross each other are a clean end for both."""
    near, far = world.pair()
    near.transport.close()
    far.transport.close()
    world.run_until(lambda: near.over and far.over)
    assert (near.ending, far.ending) == ("clean", "clean")


def ones_own_abort_has_no_exception(world: World) -> None:
    """After one's own abort, connection_lost is told None."""
    near, _far = world.pair()
    near.transport.abort()
    world.run_until(lambda: near.over)
    assert near.ending == "clean"


def a_reset_arrives_as_the_error_of_the_kernel(world: World) -> None:
    """A reset by the peer ends the connection with ConnectionResetError, and is not an end of the stream."""
    near, far = world.pair()
    world.reset(far.transport)
    world.run_until(lambda: near.over)
    assert near.ending == "ConnectionResetError"
    assert near.events == ["connection_made", "connection_lost"]


def a_reset_is_noticed_while_bytes_wait(world: World) -> None:
    """A reset by a peer that did not read ends the connection, and what waited for it is gone."""
    near, far = world.pair()
    world.clog(near, far)
    assert near.transport.get_write_buffer_size() > 0
    world.reset(far.transport)
    world.run_until(lambda: near.over)
    assert near.ending in ("ConnectionResetError", "BrokenPipeError")
    assert near.transport.get_write_buffer_size() == 0


def a_reset_is_noticed_after_a_pause(world: World) -> None:
    """A reset that came while reading was paused is told after reading was resumed."""
    near, far = world.pair()
    near.transport.pause_reading()
    world.reset(far.transport)
    world.run_until(lambda: far.over)
    world.settle()
    near.transport.resume_reading()
    world.run_until(lambda: near.over)
    assert near.ending == "ConnectionResetError"


@for_each("while paused", "after the peer's end")
def a_write_finds_out_about_a_reset(world: World, when: str) -> None:
    """A connection that does not read notices a reset at its next write, and is told with an OSError."""
    near, far = world.pair(near=Recorder(eof_received=lambda me: True))
    if when == "while paused":
        near.transport.pause_reading()
    else:
        far.transport.write_eof()
        world.run_until(lambda: near.saw("eof_received"))
    world.reset(far.transport)
    world.run_until(lambda: far.over)
    world.settle()
    near.transport.write(b"anybody there?")
    world.run_until(lambda: near.over)
    assert near.ending in ("ConnectionResetError", "BrokenPipeError")


def a_reset_of_a_half_closed_connection_is_noticed(world: World) -> None:
    """After write_eof the connection still reads, so it notices a reset by itself."""
    near, far = world.pair(far=Recorder(eof_received=lambda me: True))
    near.transport.write_eof()
    world.run_until(lambda: far.saw("eof_received"))
    world.reset(far.transport)
    world.run_until(lambda: near.over)
    assert near.ending == "ConnectionResetError"


def a_write_to_a_peer_that_has_reset_does_not_raise(world: World) -> None:
    """The write that finds the connection broken returns, and connection_lost comes after it, not inside it."""
    near, far = world.pair()
    world.reset(far.transport)
    near.transport.write(b"too late")
    near.transport.write(b"later still")
    assert not near.over
    world.run_until(lambda: near.over)
    assert near.ending in ("ConnectionResetError", "BrokenPipeError")


def connection_lost_is_never_called_from_inside_a_method(world: World) -> None:
    """close() and abort() return before connection_lost is called, so the caller can finish what it is doing."""
    near, far = world.pair()
    near.transport.close()
    far.transport.abort()
    assert not near.over
    assert not far.over
    world.run_until(lambda: near.over and far.over)


def is_closing_is_true_from_the_close_on(world: World) -> None:
    """is_closing is false in connection_made and true from close() on, in connection_lost and after it."""
    seen = []
    near = Recorder(
        connection_made=lambda me: seen.append(me.transport.is_closing()),
        connection_lost=lambda me, *_: seen.append(me.transport.is_closing()),
    )
    world.pair(near)
    near.transport.close()
    seen.append(near.transport.is_closing())
    world.run_until(lambda: near.over)
    assert seen == [False, True, True]
    assert near.transport.is_closing()


def the_peers_end_makes_the_transport_closing(world: World) -> None:
    """A reset by the peer makes is_closing true, at the latest in connection_lost."""
    near, far = world.pair()
    world.reset(far.transport)
    world.run_until(lambda: near.over)
    assert near.transport.is_closing()
    assert not near.transport.is_reading()


def each_end_knows_both_addresses(world: World) -> None:
    """The peername of one end is the sockname of the other, from connection_made on and after the end."""
    near, far = world.pair()
    ask_near, ask_far = near.transport.get_extra_info, far.transport.get_extra_info
    names = [(ask("sockname"), ask("peername")) for ask in (ask_near, ask_far)]
    assert names[0] == names[1][::-1]
    assert None not in names[0]
    near.transport.close()
    world.run_until(lambda: near.over and far.over)
    assert (ask_near("peername"), ask_far("peername")) == (names[0][1], names[1][1])


def the_sockname_goes_with_the_descriptor(world: World) -> None:
    """After the end the descriptor is closed, and the default is all that is known of its own address."""
    near, _far = world.pair()
    near.transport.abort()
    world.run_until(lambda: near.over)
    expect(near.transport.get_extra_info("sockname") is None, True)


def what_is_not_known_has_a_default(world: World) -> None:
    """get_extra_info answers with the default, or None, for a name it does not know."""
    near, _far = world.pair()
    assert near.transport.get_extra_info("the weather") is None
    assert near.transport.get_extra_info("the weather", "fine") == "fine"


def the_protocol_in_place_can_be_asked_for(world: World) -> None:
    """get_protocol is the protocol that callbacks go to, the last one included."""
    asked: list[object] = []
    near, _far = world.pair()
    assert near.transport.get_protocol() is near
    successor = Recorder(connection_lost=lambda me, *_: asked.append(me.transport.get_protocol()))
    near.hand_over_to(successor)
    assert near.transport.get_protocol() is successor
    successor.transport.abort()
    world.run_until(lambda: successor.over)
    assert asked == [successor]


@for_each("get_protocol", "set_protocol")
def there_is_no_protocol_after_the_end(world: World, method: str) -> None:
    """After connection_lost, get_protocol and set_protocol raise RuntimeError: nobody will be called any more."""
    near, _far = world.pair()
    near.transport.abort()
    world.run_until(lambda: near.over)
    transport = near.transport
    ask = transport.get_protocol if method == "get_protocol" else partial(transport.set_protocol, Recorder())
    expect(raised_by(ask), "RuntimeError")


@for_each("abort", "close", "slow close", "reset")
def every_method_is_harmless_after_the_end(world: World, how: str) -> None:
    """After connection_lost each method does nothing, raises nothing, and answers what is true of the dead."""
    near, far = world.pair()
    transport = near.transport
    if how == "slow close":
        world.clog(near, far)
    if how == "reset":
        world.reset(far.transport)
    else:
        transport.abort() if how == "abort" else transport.close()
        far.transport.resume_reading()
    world.run_until(lambda: near.over)
    for misuse in (
        lambda: transport.write(b"x"),
        transport.write_eof,
        transport.pause_reading,
        transport.resume_reading,
        lambda: transport.set_write_buffer_limits(high=10),
        transport.close,
        transport.abort,
    ):
        expect(raised_by(misuse), None)
    world.settle()
    assert transport.get_write_buffer_size() == 0
    assert transport.is_closing()
    assert not transport.is_reading()


def many_connections_live_side_by_side(world: World) -> None:
    """Each of fifty connections of one listener gets its own bytes, and one that ends does not disturb the others."""
    echoes: list[Recorder] = []

    def echo() -> Recorder:
        echoes.append(Recorder(data_received=lambda me, data: me.transport.write(data)))
        return echoes[-1]

    callers = [Recorder() for _ in range(50)]
    unconnected = list(callers)
    address = world.listen(echo)
    for _ in callers:
        world.connect(unconnected.pop, address)
    world.run_until(lambda: all(caller.made for caller in callers))
    callers.pop().transport.abort()
    for number, caller in enumerate(callers):
        caller.transport.write(b"%d" % number)
    world.run_until(lambda: all(caller.received == b"%d" % number for number, caller in enumerate(callers)))
