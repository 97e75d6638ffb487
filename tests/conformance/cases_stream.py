"""The stream: every byte, once, in the order in which it was written, whoever writes it and from where."""

from array import array
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.conformance.case import for_each
from tests.conformance.recorder import Recorder
from tests.conformance.world import World, expect, raised_by

PLACES = ("outside", "data_received", "call_soon")
"""Where a write can come from: it leaves at once, when the connection's own callback returns, or at the turn's end."""


def _write_from(world: World, place: str, write: Callable[[Recorder], object], expected: bytes) -> None:
    """Run `write(near)` in one of the places, and assert that exactly `expected` arrives, and nothing is left."""
    near, far = world.pair()
    if place == "data_received":
        near.hooks["data_received"] = lambda me, data: write(me)
        far.transport.write(b"x")
    elif place == "call_soon":
        world.call_soon(write, near)
    else:
        write(near)
    world.run_until(lambda: len(far.received) >= len(expected))
    world.settle()
    assert far.received == expected
    assert near.transport.get_write_buffer_size() == 0


def _pattern(size: int) -> bytes:
    """Bytes in which a lost, doubled or exchanged piece shows: 251 is prime to every buffer's size."""
    return (bytes(range(251)) * (size // 251 + 1))[:size]


@for_each(1, 100, 64 * 1024 - 1, 64 * 1024, 64 * 1024 + 1, 5_000_000)
def a_message_arrives_whole(world: World, size: int) -> None:
    """What one end writes is what the other end receives, for sizes on both sides of every buffer's."""
    near, far = world.pair()
    message = _pattern(size)
    near.transport.write(message)
    world.run_until(lambda: len(far.received) >= size)
    assert far.received == message
    assert near.transport.get_write_buffer_size() == 0


def both_directions_flow_at_once(world: World) -> None:
    """Two megabytes each way through an echo: neither direction waits for the other to finish."""
    near, far = world.pair(near=Recorder(data_received=lambda me, data: me.transport.write(data)))
    message = _pattern(2_000_000)
    far.transport.write(message)
    world.run_until(lambda: len(far.received) >= len(message))
    assert far.received == message
    assert near.received == message


@for_each(*PLACES)
def every_kind_of_bytes_can_be_written(world: World, place: str) -> None:
    """bytes, bytearray and memoryview are sent alike."""

    def write(near: Recorder) -> None:
        for kind in (bytes, bytearray, memoryview):
            near.transport.write(kind(b"same "))

    _write_from(world, place, write, b"same same same ")


def a_view_of_wider_items_is_sent_as_its_bytes(world: World) -> None:
    """A memoryview of two-byte items is sent as the bytes that tobytes() makes of it."""
    near, far = world.pair()
    view = memoryview(array("H", range(1000)))
    near.transport.write(view)
    world.run_until(lambda: len(far.received) >= view.nbytes)
    assert far.received == view.tobytes()


@for_each("write", "writelines")
def a_view_with_gaps_is_sent_as_its_bytes(world: World, method: str) -> None:
    """A memoryview of every second byte is sent as the bytes that tobytes() makes of it."""
    near, far = world.pair()
    view = memoryview(_pattern(1000))[::2]
    expect(raised_by(lambda: getattr(near.transport, method)(view if method == "write" else [view])), None)
    near.transport.close()
    world.run_until(lambda: near.over)
    expect(near.ending, "clean")
    world.run_until(lambda: far.over)
    assert far.received == view.tobytes()


@for_each(*PLACES)
def what_was_written_is_the_callers_again(world: World, place: str) -> None:
    """Memory may be changed as soon as write() has returned: what was in it is what arrives."""

    def write(near: Recorder) -> None:
        memory = bytearray(b"right")
        near.transport.write(memory)
        memory[:] = b"WRONG"
        near.transport.writelines([memoryview(memory)])
        memory[:] = b"WORSE"

    _write_from(world, place, write, b"rightWRONG")


@for_each("write", "writelines")
def what_waits_is_never_aliased(world: World, method: str) -> None:
    """Memory may be changed as soon as write() has returned, also if the kernel took nothing of it yet."""
    near, far = world.pair()
    world.clog(near, far)
    memory = bytearray(b"right")
    near.transport.write(memory) if method == "write" else near.transport.writelines([memory])
    memory[:] = b"WRONG"
    far.transport.resume_reading()
    world.run_until(lambda: len(far.received) == (1 << 20) + 5)
    expect(bytes(far.received[-5:]), b"right")


@for_each(*PLACES)
def text_is_refused(world: World, place: str) -> None:
    """A str raises TypeError at once, sends nothing, and does the connection no harm."""
    raised: list[str | None] = []

    def write(near: Recorder) -> None:
        for wrong in ("text", None, 7):
            raised.append(raised_by(partial(near.transport.write, wrong)))  # type: ignore[arg-type]
            raised.append(raised_by(partial(near.transport.writelines, [wrong])))  # type: ignore[list-item]
        near.transport.write(b"bytes")

    _write_from(world, place, write, b"bytes")
    assert raised == ["TypeError"] * 6


@for_each(*PLACES)
def writing_nothing_sends_nothing(world: World, place: str) -> None:
    """write(b"") and writelines([]) are harmless, between other writes too."""

    def write(near: Recorder) -> None:
        for chunk in (b"", b"a", b"", b"b", b""):
            near.transport.write(chunk)
            near.transport.writelines([])

    _write_from(world, place, write, b"ab")


@for_each("write_eof", "close")
def the_end_comes_after_what_a_callback_wrote(world: World, ending: str) -> None:
    """A callback that writes, once or twice, and then ends the stream: the end is behind the bytes."""

    def answer(me: Recorder, data: bytes) -> None:
        for _ in range(int(data)):
            me.transport.write(b"answer ")
        getattr(me.transport, ending)()

    for count in (1, 2):
        near, far = world.pair(near=Recorder(data_received=answer))
        far.transport.write(b"%d" % count)
        world.run_until(lambda: all(end.over for end in world.ends))
        assert far.received == b"answer " * count
        assert (near.ending, far.ending) == ("clean", "clean")


@for_each(list, tuple, iter)
def writelines_sends_the_concatenation(world: World, kind: Any) -> None:
    """writelines sends the chunks in order, from any iterable, after what was written before."""
    near, far = world.pair()
    near.transport.write(b"zero ")
    near.transport.writelines(kind([b"one ", bytearray(b"two "), memoryview(b"three")]))
    near.transport.write(b" four")
    world.run_until(lambda: far.received == b"zero one two three four")


def an_empty_chunk_among_lines_is_harmless(world: World) -> None:
    """An empty chunk in writelines is nothing to send, and a close after it comes to its end."""
    near, far = world.pair()
    near.transport.writelines([b"a", b"", b"b", b""])
    near.transport.close()
    world.run_until(lambda: near.over and far.over)
    assert far.received == b"ab"


def a_greeting_comes_first(world: World) -> None:
    """What is written in connection_made arrives before anything else, from either end."""
    greet = {"connection_made": lambda me: me.transport.write(b"hello ")}
    near, far = world.pair(Recorder(**greet), Recorder(**greet))
    near.transport.write(b"far")
    far.transport.write(b"near")
    world.run_until(lambda: near.received == b"hello near" and far.received == b"hello far")


def a_callback_may_write_to_another_connection(world: World) -> None:
    """A proxy in one line: what one connection receives goes out on another one."""
    left, client = world.pair()
    server, right = world.pair(near=Recorder(data_received=lambda me, data: me.transport.write(data.upper())))
    left.hooks["data_received"] = lambda me, data: right.transport.write(data)
    right.hooks["data_received"] = lambda me, data: left.transport.write(data)
    client.transport.write(b"question")
    world.run_until(lambda: client.received == b"QUESTION")
    assert server.received == b"question"


def writes_from_everywhere_keep_their_order(world: World) -> None:
    """Writes from a callback, from call_soon and from call_later arrive in the order in which they were made."""
    written: list[bytes] = []

    def write(word: bytes) -> None:
        written.append(word)
        near.transport.write(word)

    def on_data(me: Recorder, data: bytes) -> None:
        world.call_soon(write, b"soon ")
        world.call_later(0.001, write, b"later ")
        write(b"now ")
        write(b"and now ")

    near, far = world.pair(near=Recorder(data_received=on_data))
    far.transport.write(b"x")
    world.run_until(lambda: len(written) == 4 and len(far.received) >= sum(map(len, written)))
    assert far.received == b"now and now soon later "


def what_a_callback_writes_leaves_when_it_returns(world: World) -> None:
    """A connection's own callback gathers its writes: they wait until it returns, and then leave at once."""
    sizes: list[int] = []

    def answer(me: Recorder, data: bytes) -> None:
        for word in (b"one, ", b"two"):
            me.transport.write(word)
            sizes.append(me.transport.get_write_buffer_size())

    near, far = world.pair(near=Recorder(data_received=answer))
    far.transport.write(b"x")
    world.run_until(lambda: far.received == b"one, two")
    assert near.transport.get_write_buffer_size() == 0
    expect(sizes, [5, 8])


@for_each("data_received", "call_soon")
def a_thousand_small_writes_arrive_as_one_stream(world: World, place: str) -> None:
    """A thousand writes in one callback arrive as their concatenation, however they were gathered."""
    words = [b"%d," % number for number in range(1000)]
    sizes: list[int] = []

    def write_all(*_: object) -> None:
        for word in words:
            near.transport.write(word)
            sizes.append(near.transport.get_write_buffer_size())

    near, far = world.pair(near=Recorder(**({"data_received": write_all} if place == "data_received" else {})))
    if place == "call_soon":
        world.call_soon(write_all)
    else:
        far.transport.write(b"x")
    world.run_until(lambda: len(far.received) >= sum(map(len, words)))
    assert far.received == b"".join(words)
    assert 0 <= min(sizes) <= max(sizes) <= sum(map(len, words))
    assert near.transport.get_write_buffer_size() == 0


def writes_of_all_sizes_that_wait_keep_their_order(world: World) -> None:
    """Small writes and large ones, waiting behind each other, leave as the stream that they are."""
    near, far = world.pair()
    near.transport.set_write_buffer_limits(high=1 << 23)
    world.clog(near, far)
    pieces = [_pattern(size) for size in (1, 2, 300_000, 3, 65_536, 100, 16_384, 1, 1_000_000, 5)]
    for piece in pieces:
        near.transport.write(piece)
    near.transport.writelines(pieces)
    far.transport.resume_reading()
    expected = bytes(1 << 20) + b"".join(pieces * 2)
    world.run_until(lambda: len(far.received) >= len(expected))
    assert far.received == expected


def a_callbacks_only_write_goes_behind_what_waits(world: World) -> None:
    """A callback that writes once, while earlier bytes wait, does not overtake them."""
    near, far = world.pair(near=Recorder(data_received=lambda me, data: me.transport.write(b"the end")))
    world.clog(near, far)
    far.transport.write(b"x")
    world.run_until(lambda: near.received)
    far.transport.resume_reading()
    world.run_until(lambda: len(far.received) >= (1 << 20) + 7)
    assert far.received.endswith(b"\0the end")


def one_write_a_callback_loses_nothing_to_a_full_kernel(world: World) -> None:
    """A callback that writes once has its bytes kept, whole or in part, when the kernel has no room for them."""
    pieces = [bytes([number]) * 9_999 for number in range(40)]
    unwritten = list(pieces)
    near, far = world.pair(near=Recorder(data_received=lambda me, data: me.transport.write(unwritten.pop(0))))
    world.shrink_kernel_buffers(near.transport)
    world.shrink_kernel_buffers(far.transport)
    near.transport.set_write_buffer_limits(high=1 << 20)
    far.transport.pause_reading()
    while unwritten:
        near.received.clear()
        far.transport.write(b"x")
        world.run_until(lambda: near.received)
    assert near.transport.get_write_buffer_size() > 0
    far.transport.resume_reading()
    world.run_until(lambda: len(far.received) >= 40 * 9_999)
    assert far.received == b"".join(pieces)


def writelines_takes_more_chunks_than_one_system_call(world: World) -> None:
    """Three thousand chunks are more than sendmsg(2) takes at once (IOV_MAX, 1024), and arrive all the same."""
    near, far = world.pair()
    chunks = [b"%d," % number for number in range(3000)]
    near.transport.writelines(chunks)
    world.run_until(lambda: len(far.received) >= sum(map(len, chunks)))
    assert far.received == b"".join(chunks)


def the_buffer_size_counts_all_that_has_not_left(world: World) -> None:
    """While the kernel takes nothing, each write adds its length to the size; when all has left, it is zero."""
    near, far = world.pair()
    world.clog(near, far)
    size = near.transport.get_write_buffer_size()
    assert 0 < size < 1 << 20
    for chunk in (b"a", b"bc" * 500, b"", bytearray(70_000)):
        near.transport.write(chunk)
        size += len(chunk)
        assert near.transport.get_write_buffer_size() == size
    near.transport.writelines([b"abc", b"de"])
    assert near.transport.get_write_buffer_size() == size + 5
    far.transport.resume_reading()
    world.run_until(lambda: len(far.received) == (1 << 20) + 1 + 1000 + 70_000 + 5)
    assert near.transport.get_write_buffer_size() == 0
