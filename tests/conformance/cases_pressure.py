"""Back-pressure: a peer that reads slowly is told to the writer, and told again when it has caught up."""

from tests.conformance.case import for_each
from tests.conformance.recorder import Recorder
from tests.conformance.world import World, expect, raised_by


def a_slow_peer_pauses_the_writer_once(world: World) -> None:
    """pause_writing comes once when the high-water mark is crossed, however much more is written then."""
    near, far = world.pair()
    world.clog(near, far)
    assert near.events == ["connection_made", "pause_writing"]
    for _ in range(10):
        near.transport.write(bytes(10_000))
    world.settle()
    assert near.events == ["connection_made", "pause_writing"]


def the_writer_resumes_at_the_low_mark(world: World) -> None:
    """resume_writing comes once, and not before the waiting bytes have fallen to the low-water mark."""
    waiting: list[int] = []
    near, far = world.pair(
        near=Recorder(resume_writing=lambda me: waiting.append(me.transport.get_write_buffer_size()))
    )
    near.transport.set_write_buffer_limits(high=200_000, low=100_000)
    world.clog(near, far)
    far.transport.resume_reading()
    world.run_until(lambda: len(far.received) == 1 << 20)
    world.settle()
    assert near.events == ["connection_made", "pause_writing", "resume_writing"]
    assert waiting[0] <= 100_000


def pause_and_resume_alternate(world: World) -> None:
    """Round after round of a full and an emptied buffer, each pause is followed by one resume."""
    near, far = world.pair()
    for round_number in range(1, 4):
        world.clog(near, far)
        assert near.saw("pause_writing", times=round_number)
        far.transport.resume_reading()
        world.run_until(lambda: len(far.received) == 1 << 20)
        world.settle()
        far.received.clear()
    assert near.events[1:] == ["pause_writing", "resume_writing"] * 3


def exactly_the_high_mark_does_not_pause(world: World) -> None:
    """The mark itself may wait; the first byte above it pauses the writer."""
    near, far = world.pair()
    near.transport.set_write_buffer_limits(high=1 << 21, low=0)
    world.clog(near, far)
    near.transport.set_write_buffer_limits(high=near.transport.get_write_buffer_size() + 100, low=0)
    near.transport.write(bytes(100))
    assert not near.saw("pause_writing")
    near.transport.write(b"1")
    assert near.saw("pause_writing")


def a_high_mark_of_zero_pauses_at_the_first_waiting_byte(world: World) -> None:
    """With a high-water mark of zero the writer is paused whenever anything waits, and resumed when nothing does."""
    waiting: list[int] = []
    near, far = world.pair(
        near=Recorder(resume_writing=lambda me: waiting.append(me.transport.get_write_buffer_size()))
    )
    near.transport.set_write_buffer_limits(high=0)
    near.transport.write(b"taken at once, as a rule")
    assert near.saw("pause_writing") == (near.transport.get_write_buffer_size() > 0)
    world.run_until(lambda: near.transport.get_write_buffer_size() == 0)
    assert near.events[-1] != "pause_writing"
    world.clog(near, far)
    assert near.events[-1] == "pause_writing"
    far.transport.resume_reading()
    world.run_until(lambda: near.events[-1] == "resume_writing")
    assert set(waiting) == {0}


def lowering_the_marks_below_what_waits_pauses(world: World) -> None:
    """New marks hold for what waits already."""
    near, far = world.pair()
    near.transport.set_write_buffer_limits(high=1 << 21)
    world.clog(near, far)
    assert not near.saw("pause_writing")
    near.transport.set_write_buffer_limits(high=1000)
    world.settle()
    assert near.saw("pause_writing")


def the_marks_default_to_a_quarter_and_four_times(world: World) -> None:
    """Without marks: 64 KiB and 16 KiB. With one of them: low is a quarter of high, high is four times low."""
    near, _far = world.pair()
    assert near.transport.get_write_buffer_limits() == (16 * 1024, 64 * 1024)
    for high, low, marks in (
        (1000, None, (250, 1000)),
        (None, 1000, (1000, 4000)),
        (0, None, (0, 0)),
        (0, 0, (0, 0)),
        (7, 7, (7, 7)),
        (None, None, (16 * 1024, 64 * 1024)),
    ):
        near.transport.set_write_buffer_limits(high=high, low=low)
        assert near.transport.get_write_buffer_limits() == marks


def marks_that_cannot_be_are_refused(world: World) -> None:
    """low above high, or below zero, raises ValueError, and the marks stay what they were."""
    near, _far = world.pair()
    transport = near.transport
    transport.set_write_buffer_limits(high=10, low=5)
    for high, low in ((1, 2), (-1, None), (10, -1), (None, -1)):
        try:
            transport.set_write_buffer_limits(high=high, low=low)
        except ValueError:
            pass
        else:
            raise AssertionError(f"high={high}, low={low} was taken")
    assert transport.get_write_buffer_limits() == (5, 10)


def marks_above_the_hard_limit_are_refused(world: World) -> None:
    """A high-water mark that the connection would not live to see raises OptionError, a ValueError."""
    near, _far = world.pair()
    expect(raised_by(lambda: near.transport.set_write_buffer_limits(high=1 << 30)), "OptionError")


def a_producer_that_listens_is_bounded(world: World) -> None:
    """Who stops at pause_writing and goes on at resume_writing never makes more wait than the mark and one chunk."""
    chunk, total = bytes(10_000), 3_000_000
    peak = written = 0

    def produce(me: Recorder) -> None:
        nonlocal peak, written
        while written < total and me.events.count("pause_writing") == me.events.count("resume_writing"):
            me.transport.write(chunk)
            written += len(chunk)
            peak = max(peak, me.transport.get_write_buffer_size())

    near, far = world.pair(near=Recorder(resume_writing=produce))
    world.shrink_kernel_buffers(near.transport)
    world.shrink_kernel_buffers(far.transport)
    world.call_soon(produce, near)
    world.run_until(lambda: len(far.received) == total)
    assert near.saw("pause_writing")
    assert peak <= 64 * 1024 + len(chunk)


def writelines_pauses_the_writer_too(world: World) -> None:
    """There is one way into the buffer: writelines is counted and answered as write is."""
    near, far = world.pair()
    world.shrink_kernel_buffers(near.transport)
    world.shrink_kernel_buffers(far.transport)
    far.transport.pause_reading()
    near.transport.writelines([bytes(10_000)] * 100)
    world.settle()
    expect(near.saw("pause_writing"), True)


@for_each("reset", "abort", "close")
def a_paused_writer_is_told_the_end(world: World, how: str) -> None:
    """A connection that ends while its writer is paused ends as any other; nothing resumes it after the end."""
    near, far = world.pair()
    world.clog(near, far)
    if how == "reset":
        world.reset(far.transport)
    elif how == "abort":
        near.transport.abort()
    else:
        near.transport.close()
        far.transport.resume_reading()
    world.run_until(lambda: near.over)
    assert near.events[:2] == ["connection_made", "pause_writing"]
