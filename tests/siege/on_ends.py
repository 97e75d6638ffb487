"""What users do to a connection, at any moment: in its own callbacks, in somebody else's, and between two ticks.

Each action notes what it asked for, and checks what the transport says about it at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from reactor import MisuseError, Transport
from tests.siege.peers import End, Framed, PlannedError

if TYPE_CHECKING:
    from tests.siege.users import Users

__all__ = ["GENTLY", "TO_ENDS"]

SIZES = (0, 1, 50, 50, 1000, 1000, 5000, 20_000, 70_000, 300_000)
MOST_WRITTEN = 3_000_000  # bytes in one siege


def transport_of(end: End) -> Transport:
    assert end.transport is not None
    return end.transport


def hand_in(end: End, data: Any, how: str = "write") -> None:
    """Write the next bytes of a stream by one of the transport's methods, and note what became of it."""
    transport, stream = transport_of(end), end.outgoing
    closing, ended = transport.is_closing(), "write_eof" in end.asked
    size = len(data) if how == "write" else sum(map(len, data))
    before = stream.written
    if not closing and not ended:
        stream.wrote(size)  # before the call: it may go round by way of the peer
    try:
        if how == "write":
            transport.write(data)
        else:
            transport.writelines(data)
    except MisuseError:
        end.must(ended and not closing, f"{how}() was refused")
    else:
        end.must(not ended or closing, f"{how}() after write_eof() was taken")
    if isinstance(data, bytearray):
        data[:] = bytes(len(data))  # it is ours again: what was taken must be a copy
    left = transport.get_write_buffer_size()
    end.must(left <= stream.written, f"{left} bytes wait, of {before} + {size} that were written")


def write(users: Users, end: End) -> None:
    size = users.random.choice(SIZES)
    if users.written < MOST_WRITTEN and not (end.congested and end.patient):
        users.written += size
        data = end.outgoing.next(size, users.random)
        kind = users.random.random()
        hand_in(end, data if kind < 0.7 else bytearray(data) if kind < 0.9 else memoryview(data))


def write_lines(users: Users, end: End) -> None:
    if not (end.congested and end.patient):
        sizes = [users.random.choice((0, 1, 30, 400)) for _ in range(users.random.randint(0, 6))]
        data = end.outgoing.next(sum(sizes), users.random)
        hand_in(end, [data[sum(sizes[:i]) : sum(sizes[: i + 1])] for i in range(len(sizes))], "writelines")


def write_frames(users: Users, end: End) -> None:
    for _ in range(users.random.randint(1, 5)):
        if end.transport is not None:
            hand_in(end, end.outgoing.to_boundary(users.random.choice((0, 0, 0, 20)), users.random))


def write_eof(users: Users, end: End) -> None:
    transport = transport_of(end)
    if not transport.is_closing():
        end.asked.add("write_eof")
    transport.write_eof()


def goodbye(users: Users, end: End) -> None:
    """Say all that there is to say, and end: the most common way to close."""
    for _ in range(users.random.choice((1, 1, 2, 3))):
        if end.transport is not None:
            write(users, end)
    if end.transport is not None:
        users.random.choice((close, write_eof))(users, end)


def close(users: Users, end: End) -> None:
    transport = transport_of(end)
    end.asked.add("close")
    why, first = reason(users, end), not transport.is_closing()
    transport.close(why)
    end.must(transport.is_closing(), "close(), and it is not closing")
    if first and transport._reason is why is not None:  # type: ignore[attr-defined]
        end.certain = why  # else what it had to send first was too much for a limit


def abort(users: Users, end: End) -> None:
    transport = transport_of(end)
    end.taint("aborted")
    why, certain = reason(users, end), not transport.is_closing()
    transport.abort(why)
    end.must(transport.is_closing(), "abort(), and it is not closing")
    if certain and why is not None:
        end.certain = why


def reason(users: Users, end: End) -> PlannedError | None:
    if users.random.random() < 0.7:
        return None
    error = PlannedError("as a reason")
    end.reasons.append(error)
    return error


def pause(users: Users, end: End) -> None:
    end.paused = True
    transport_of(end).pause_reading()
    end.must(not transport_of(end).is_reading(), "pause_reading(), and it reads")


def resume(users: Users, end: End) -> None:
    transport = transport_of(end)
    end.paused = False
    transport.resume_reading()
    end.must(
        transport.is_reading() or transport.is_closing() or end.stage != "open", "resume_reading(), and it does not"
    )


def switch(users: Users, end: End) -> None:
    transport = transport_of(end)
    current = transport.get_protocol()
    assert end.link is not None
    if isinstance(current, Framed) and users.random.random() < 0.3:
        end.given_back = True
        current.use_codec(end.link.fresh_codec())
        return
    kind = users.random.choice(("raw", "memory", "framed"))
    if kind != "framed" or end.incoming.is_boundary(end.incoming.received):
        end.given_back = True
        users.world.tell(f"  to {kind}")
        transport.set_protocol(end.machine.successor(end, kind))


def give_back(users: Users, end: End) -> None:
    transport, stream = transport_of(end), end.incoming
    if not isinstance(transport.get_protocol(), Framed) and end.stage == "open" and not transport.is_closing():
        size = users.random.randint(0, min(stream.received, 200))
        data = bytes(stream.made[stream.received - size : stream.received])
        stream.received -= size
        end.extra += size
        end.given_back = True
        users.world.tell(f"  {size} bytes")
        transport.unread(data)


def limits(users: Users, end: End) -> None:
    transport = transport_of(end)
    before = transport.get_write_buffer_limits()
    try:
        transport.set_write_buffer_limits(
            users.random.choice((None, 0, 100, 3000, 65_536)), users.random.choice((None, 0, 50))
        )
    except MisuseError:
        end.must(transport.get_write_buffer_limits() == before, "limits that were refused were set")
    else:
        low, high = transport.get_write_buffer_limits()
        end.must(0 <= low <= high <= end.options.hard_limit, f"the limits are {low} and {high}")


def read_limit(users: Users, end: End) -> None:
    transport_of(end).set_read_limit(users.random.choice((None, 50, 1000, 100_000)))


def look(users: Users, end: End) -> None:
    transport = transport_of(end)
    repr(transport)
    for name in ("socket", "peername", "sockname", "options"):
        transport.get_extra_info(name)
    end.machine.reactor.describe()


TO_ENDS: dict[Callable[[Users, End], None], int] = {
    write: 30, write_lines: 4, write_frames: 6, write_eof: 2, close: 2, abort: 1, pause: 6, resume: 10, switch: 8,
    give_back: 4, limits: 3, read_limit: 3, look: 1, goodbye: 2,
}  # fmt: skip
"""What is done, and how often in proportion."""

GENTLY: dict[Callable[[Users, End], None], int] = {
    write: 20, write_frames: 3, write_eof: 2, goodbye: 4, pause: 6, resume: 8, switch: 3, give_back: 2, limits: 2,
    read_limit: 1,
}  # fmt: skip
"""The same for a siege in which no byte may be lost."""
