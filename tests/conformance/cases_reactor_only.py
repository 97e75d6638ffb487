"""What the reactor adds to asyncio's vocabulary: reasons, bounds, deadlines, input given back."""

from tests.conformance.case import for_each, reactor_only
from tests.conformance.recorder import BufferedRecorder, Recorder
from tests.conformance.world import Limits, World


class ReasonError(Exception):
    """Why a case ends a connection."""


@reactor_only
@for_each("close", "abort")
def a_reason_arrives_in_connection_lost(world: World, how: str) -> None:
    """close(reason) and abort(reason) tell connection_lost that very object; nothing is reported as an error."""
    near, _far = world.pair()
    reason = ReasonError("enough")
    getattr(near.transport, how)(reason)
    world.run_until(lambda: near.over)
    assert near.ended_with is reason


@reactor_only
def the_first_reason_counts(world: World) -> None:
    """A second close with another reason does not change the first one."""
    near, _far = world.pair()
    first = ReasonError("first")
    near.transport.close(first)
    near.transport.close(ReasonError("second"))
    world.run_until(lambda: near.over)
    assert near.ended_with is first


@reactor_only
def a_reason_waits_until_all_was_sent(world: World) -> None:
    """close(reason) sends what waits, as close() does: the reason is told here, the peer sees a clean end."""
    near, far = world.pair()
    world.clog(near, far)
    near.transport.close(ReasonError("enough"))
    far.transport.resume_reading()
    world.run_until(lambda: near.over and far.over)
    assert (near.ending, far.ending) == ("ReasonError", "clean")
    assert len(far.received) == 1 << 20


@reactor_only
@for_each("write", "writelines", "many writes")
def the_hard_limit_ends_a_connection_that_ignores_the_marks(world: World, method: str) -> None:
    """More waiting bytes than the hard limit end the connection with SendBufferFullError, after the write."""
    near, far = world.pair(limits=Limits(hard_limit=300_000))
    world.shrink_kernel_buffers(near.transport)
    world.shrink_kernel_buffers(far.transport)
    far.transport.pause_reading()
    if method == "write":
        near.transport.write(bytes(2_000_000))
    elif method == "writelines":
        near.transport.writelines([bytes(20_000)] * 100)
    else:
        for _ in range(100):
            near.transport.write(bytes(20_000))
    assert not near.over
    assert near.transport.is_closing()
    assert near.transport.get_write_buffer_size() == 0
    world.run_until(lambda: near.over)
    assert near.ending == "SendBufferFullError"


@reactor_only
@for_each("in a callback", "outside")
def what_waits_never_passes_the_hard_limit(world: World, place: str) -> None:
    """With a high-water mark as high as the limit, too, and while a callback writes on and on."""

    waiting: list[int] = []

    def write_much(*_: object) -> None:
        for _i in range(100):
            near.transport.write(bytes(20_000))
            waiting.append(near.transport.get_write_buffer_size())

    near, far = world.pair(near=Recorder(data_received=write_much), limits=Limits(hard_limit=2_000_000))
    near.transport.set_write_buffer_limits(high=2_000_000)
    world.clog(near, far)
    if place == "in a callback":
        far.transport.write(b"go")
        world.run_until(lambda: near.received)
    else:
        write_much()
    world.run_until(lambda: near.over)
    assert near.ending == "SendBufferFullError"
    assert max(waiting) <= 2_000_000


@reactor_only
def the_hard_limit_may_close_instead(world: World) -> None:
    """With the overflow policy "close", a peer that reads on gets everything up to the limit, and a clean end."""
    near, far = world.pair(limits=Limits(hard_limit=300_000, overflow="close"))
    world.clog(near, far)
    assert near.transport.is_closing()
    near.transport.write(b"too late")
    far.transport.resume_reading()
    world.run_until(lambda: near.over and far.over)
    assert (near.ending, far.ending) == ("SendBufferFullError", "clean")
    assert len(far.received) == 1 << 20


@reactor_only
def a_budget_that_is_used_up_ends_the_connection(world: World) -> None:
    """Bytes that wait beyond the budget end the connection with BudgetExceededError."""
    near, far = world.pair(limits=Limits(budget=10_000))
    world.clog(near, far)
    world.run_until(lambda: near.over)
    assert near.ending == "BudgetExceededError"


@reactor_only
@for_each("close", "write_eof", "abort")
def a_budget_that_is_used_up_is_one_end(world: World, then: str) -> None:
    """A callback that writes beyond the budget and ends the stream ends the connection once, by one or the other."""

    def write_too_much(me: Recorder, data: bytes) -> None:
        me.transport.write(bytes(101))
        getattr(me.transport, then)()

    near, far = world.pair(near=Recorder(data_received=write_too_much), limits=Limits(budget=100))
    far.transport.write(b"x")
    world.run_until(lambda: near.over)
    assert near.ending in ("BudgetExceededError", "clean")


@reactor_only
@for_each(Recorder, BufferedRecorder)
def one_read_brings_no_more_than_the_read_size(world: World, kind: type[Recorder | BufferedRecorder]) -> None:
    """The read size bounds what one data_received or buffer_updated is given."""
    sizes: list[int] = []
    near, far = world.pair(near=kind(), limits=Limits(read_size=1000))
    near.hooks["data_received"] = lambda me, data: sizes.append(len(data))
    near.hooks["buffer_updated"] = lambda me, nbytes: sizes.append(nbytes)
    far.transport.write(bytes(50_000))
    world.run_until(lambda: len(near.received) == 50_000)
    assert max(sizes) <= 1000


@reactor_only
def what_the_kernel_takes_does_not_count_against_the_limit(world: World) -> None:
    """The marks and the limit count what the kernel refused: a peer that reads may be written more than that."""
    near, far = world.pair(limits=Limits(high_water=1000, low_water=100, hard_limit=1000))
    for _ in range(100):
        near.transport.write(bytes(1000))
        world.run_until(lambda: near.transport.get_write_buffer_size() == 0)
    world.run_until(lambda: len(far.received) == 100_000)
    assert not near.saw("pause_writing")


@reactor_only
def a_gathered_burst_within_the_kernels_room_is_not_too_much(world: World) -> None:
    """Writes gathered in one callback are offered to the kernel before they are counted against the hard limit."""

    def burst(me: Recorder, data: bytes) -> None:
        for _ in range(17):  # six pass the high mark; if those have left, the rest alone is still above the limit
            me.transport.write(bytes(1000))

    def goes_through() -> bool:
        near, far = world.pair(
            near=Recorder(data_received=burst), limits=Limits(high_water=5000, low_water=0, hard_limit=10_000)
        )
        far.transport.write(b"x")
        world.run_until(lambda: near.over or len(far.received) == 17_000)
        assert near.ending in ("open", "SendBufferFullError")
        return not near.over

    assert any(goes_through() for _ in range(100))  # a kernel may have no room just now: then it was too much


@reactor_only
def a_silent_connection_ends_with_the_idle_timeout(world: World) -> None:
    """Nothing received and nothing sent for the idle timeout ends the connection, never early."""
    before = world.time()
    near, _far = world.pair(limits=Limits(idle_timeout=0.05))
    world.run_until(lambda: near.over)
    assert near.ending == "IdleTimeoutError"
    assert isinstance(near.ended_with, TimeoutError)
    assert world.time() >= before + 0.05


@reactor_only
@for_each("sending", "receiving", "receiving into a buffer")
def each_direction_is_a_sign_of_life(world: World, direction: str) -> None:
    """A connection that only sends is not idle, and neither is one that only receives."""
    sent_at: list[float] = []
    ended_at: list[float] = []

    def send(sender: Recorder) -> None:
        if not near.transport.is_closing() and len(sent_at) < 10:
            sent_at.append(world.time())
            sender.transport.write(b"x")
            world.call_later(0.01, send, sender)

    kind = BufferedRecorder if direction == "receiving into a buffer" else Recorder
    near, far = world.pair(near=kind(), limits=Limits(idle_timeout=0.05))
    near.hooks["connection_lost"] = lambda *_: ended_at.append(world.time())
    send(near if direction == "sending" else far)
    world.run_until(lambda: near.over)
    assert near.ending == "IdleTimeoutError"
    signs_of_life = sent_at if direction == "sending" else sent_at[: len(near.received)]
    assert all(ended_at[0] >= sign + 0.05 for sign in signs_of_life)


@reactor_only
def a_paused_reader_is_not_idle(world: World) -> None:
    """Silence that the protocol asked for does not count: the idle timeout begins anew when reading is resumed."""
    times: list[float] = []

    def resume() -> None:
        assert not near.transport.is_closing()
        times.append(world.time())
        near.transport.resume_reading()

    near, _far = world.pair(
        near=Recorder(
            connection_made=lambda me: me.transport.pause_reading(),
            connection_lost=lambda *_: times.append(world.time()),
        ),
        limits=Limits(idle_timeout=0.03),
    )
    world.call_later(0.1, resume)
    world.run_until(lambda: near.over)
    resumed_at, ended_at = times
    assert near.ending == "IdleTimeoutError"
    assert ended_at >= resumed_at + 0.03


@reactor_only
def a_peer_that_takes_nothing_ends_with_the_write_timeout(world: World) -> None:
    """If the kernel takes no byte of what waits for the write timeout, the connection ends with WriteTimeoutError."""
    near, far = world.pair(limits=Limits(write_timeout=0.05))
    world.clog(near, far)
    world.run_until(lambda: near.over)
    assert near.ending == "WriteTimeoutError"


@reactor_only
def a_connection_without_waiting_bytes_has_no_write_timeout(world: World) -> None:
    """The write timeout is about bytes that wait; without any it does not run."""
    near, far = world.pair(limits=Limits(write_timeout=0.02))
    done: list[bool] = []
    near.transport.write(b"taken at once")
    world.call_later(0.1, done.append, True)
    world.run_until(lambda: done)
    assert not near.over
    assert far.received == b"taken at once"


@reactor_only
def a_close_to_a_dead_reader_ends_with_the_drain_timeout(world: World) -> None:
    """A close whose bytes do not leave within the drain timeout ends with DrainTimeoutError."""
    near, far = world.pair(limits=Limits(drain_timeout=0.05))
    world.clog(near, far)
    closed_at = world.time()
    near.transport.close()
    world.run_until(lambda: near.over)
    assert near.ending == "DrainTimeoutError"
    assert world.time() >= closed_at + 0.05


@reactor_only
def a_close_does_not_wait_for_ever_for_the_peers_end(world: World) -> None:
    """All was sent, but the peer keeps its side open: after the drain timeout the end is a clean one."""
    near, far = world.pair(far=Recorder(eof_received=lambda me: True), limits=Limits(drain_timeout=0.05))
    near.transport.write(b"all of it")
    near.transport.close()
    world.run_until(lambda: near.over)
    assert near.ending == "clean"
    assert far.received == b"all of it"


@reactor_only
def a_closing_connection_discards_what_still_comes(world: World) -> None:
    """A peer that goes on talking to a closed end is drained, not reset: it gets the answer and ends cleanly."""
    near, far = world.pair(far=Recorder(eof_received=lambda me: True))
    near.transport.write(b"answer")
    near.transport.close()
    for _round in range(20):
        far.transport.write(bytes(50_000))
        world.settle()
    far.transport.close()
    world.run_until(lambda: near.over and far.over)
    assert (near.ending, far.ending) == ("clean", "clean")
    assert far.received == b"answer"
    assert near.received == b""


@reactor_only
def input_given_back_comes_again(world: World) -> None:
    """unread() gives input back: it is delivered again, before anything newer, after the callback has returned."""

    def take_one(me: Recorder, data: bytes) -> None:
        taken.append(data[:1])
        if data[1:]:
            me.transport.unread(data[1:])

    taken: list[bytes] = []
    near, far = world.pair(near=Recorder(data_received=take_one))
    far.transport.write(b"123456789")
    world.run_until(lambda: len(taken) == 9)
    assert taken == [b"%d" % number for number in range(1, 10)]
    assert near.transport.is_reading()


@reactor_only
@for_each(Recorder, BufferedRecorder)
def input_given_back_goes_to_the_protocol_in_place(world: World, kind: type[Recorder | BufferedRecorder]) -> None:
    """What the old protocol did not use is the first thing that the new one gets, whatever its kind."""
    successor = kind()

    def upgrade(me: Recorder, data: bytes) -> None:
        me.hand_over_to(successor)
        if data[1:]:
            me.transport.unread(data[1:])

    near, far = world.pair(near=Recorder(data_received=upgrade))
    far.transport.write(b">body")
    world.run_until(lambda: successor.received == b"body")
    far.transport.write(b" and tail")
    world.run_until(lambda: successor.received == b"body and tail")
    assert near.events == ["connection_made", "data_received"]


@reactor_only
def a_buffered_protocol_gets_it_back_in_pieces(world: World) -> None:
    """Input given back fills a small buffer again and again; a buffered protocol may give back a part as well."""

    def hand_over(me: Recorder, data: bytes) -> None:
        me.hand_over_to(successor)
        me.transport.unread(data)

    def take_one(me: BufferedRecorder, nbytes: int) -> None:
        taken.append(bytes(me.memory[:1]))
        if nbytes > 1:
            me.transport.unread(bytes(me.memory[1:nbytes]))

    taken: list[bytes] = []
    successor = BufferedRecorder(5, buffer_updated=take_one)
    _near, far = world.pair(near=Recorder(data_received=hand_over))
    far.transport.write(b"123456789")
    world.run_until(lambda: len(taken) == 9)
    assert taken == [b"%d" % number for number in range(1, 10)]


@reactor_only
def input_given_back_waits_for_a_paused_reader(world: World) -> None:
    """Given back and paused, input waits until reading is resumed; the end of the stream waits behind it."""

    def give_back(me: Recorder, data: bytes) -> None:
        if me.events.count("data_received") == 1:
            me.transport.pause_reading()
            me.transport.unread(data)

    near, far = world.pair(near=Recorder(data_received=give_back))
    far.transport.write(b"x")
    far.transport.close()
    world.run_until(lambda: near.saw("data_received"))
    world.settle()
    assert near.events == ["connection_made", "data_received"]
    near.transport.resume_reading()
    assert near.events == ["connection_made", "data_received"]
    world.run_until(lambda: near.over)
    assert near.events == ["connection_made", "data_received", "data_received", "eof_received", "connection_lost"]
    assert near.received == b"xx"


@reactor_only
def input_may_be_given_from_outside(world: World) -> None:
    """unread() outside of a callback never delivers from inside the call, and comes before what the socket has."""
    near, far = world.pair()
    far.transport.write(b"second")
    near.transport.unread(b"first ")
    assert near.received == b""
    world.run_until(lambda: near.received == b"first second")


@reactor_only
def giving_back_nothing_asks_to_be_called_again(world: World) -> None:
    """unread(b"") is a request for one more call, data_received(b""), before the socket is read."""

    def ask(me: Recorder, data: bytes) -> None:
        calls.append(data)
        if len(calls) == 1:
            me.transport.unread(b"")

    calls: list[bytes] = []
    _near, far = world.pair(near=Recorder(data_received=ask))
    far.transport.write(b"x")
    world.run_until(lambda: len(calls) == 2)
    world.settle()
    assert calls == [b"x", b""]


@reactor_only
def the_receiver_is_who_may_be_given_input(world: World) -> None:
    """transport.recipient is the protocol in place, and None while reading is paused, ended or closed."""
    near, far = world.pair(near=Recorder(eof_received=lambda me: True))
    transport = near.transport
    receivers = [transport.recipient]
    for act in (transport.pause_reading, transport.resume_reading):
        act()
        receivers.append(transport.recipient)
    far.transport.write_eof()
    world.run_until(lambda: near.saw("eof_received"))
    world.settle()
    receivers.append(transport.recipient)
    transport.close()
    receivers.append(transport.recipient)
    assert receivers == [near, None, near, None, None]


@reactor_only
@for_each("close", "abort")
def none_is_no_reason(world: World, how: str) -> None:
    """None as the reason is the same as no reason: a clean end."""
    near, _far = world.pair()
    getattr(near.transport, how)(None)
    world.run_until(lambda: near.over)
    assert near.ending == "clean"
