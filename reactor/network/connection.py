"""A connection: one non-blocking socket between a protocol and its peer.

What the kernel offers are two calls that may do less than asked. `recv` gives what has arrived, cut anywhere, or
nothing. `send` takes what fits into the socket's buffer, perhaps a part, perhaps nothing. A connection turns that into
a conversation: input is passed on as it comes, output that the kernel refuses is kept until it takes it.

**Reading.** One `recv` for each time the selector reports the socket, however much is there: it is reported again in
the next tick, and meanwhile the others get their turn. Most reads are small, and for them `recv(64 KiB)` is the
cheapest. A large `recv` is not: memory of 128 KiB and more comes fresh from the operating system and goes back to it
each time (malloc's M_MMAP_THRESHOLD), which makes a read of 1 KiB four times as expensive. So a peer that fills 64 KiB
is read through a buffer of 256 KiB that all connections share, which costs 0.8 of reading 100 KiB in two portions.

**Writing.** There is one path: `write` appends to the send buffer, `_flush` hands the buffer to the kernel. When
`_flush` is called is what keeps the number of system calls down:

- while this connection's own callback runs, when it returns: ten answers to ten requests leave in one `send`
- from anywhere else in a tick, at the tick's end
- outside a tick, at once
- beyond the high-water mark, at once, because only what the *kernel* refused counts as waiting for the peer
- after a refusal, when the selector reports the socket writable; before that, asking again is useless

**Ending.** What happens when is a table, in `states.py`. Everything that can happen to a connection is an event that
goes through `_feed`, and what is to be done on arrival in a state is done in `_enter`. `connection_lost` is called from
the loop, never from inside `close()` or `abort()`, and afterwards nothing refers to anything: no cycle is left for the
garbage collector.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from enum import Enum
from functools import partial
from typing import Any, Protocol

from reactor.buffering import SendBuffer, WaterMarks
from reactor.errors import (
    BudgetExceededError,
    DrainTimeoutError,
    IdleTimeoutError,
    MisuseError,
    OptionError,
    SendBufferFullError,
    WriteTimeoutError,
)
from reactor.kernel import Socket
from reactor.loop import Phase, Reactor
from reactor.network.acceptor import descriptor_closed
from reactor.network.address import format_address
from reactor.network.options import LARGEST_READ, ConnectionOptions, Overflow
from reactor.network.protocol import BaseProtocol
from reactor.network.states import CLOSING, DELIVERING, DISCARDING, TRANSITIONS, WRITABLE, Event, State
from reactor.network.sweep import Sweep
from reactor.network.transport import Buffer, Transport

__all__ = ["Connection", "Flow", "Intake", "Owner"]

MODEST_READ = 64 * 1024
"""Bytes of an ordinary read."""

BULK_ENDS = 8 * 1024
"""A read through the shared buffer that brings less than this was the last one."""


class Flow(Enum):
    """How waiting output will leave."""

    FREE = "free"  # nothing is waiting, or our own callback is running and will flush
    GATHERED = "gathered"  # at the end of this tick
    BLOCKED = "blocked"  # the kernel refused some; when the socket is writable
    CONGESTED = "congested"  # the same, and the protocol was asked to pause writing


class Intake(Enum):
    """How input is read."""

    PAUSED = "paused"  # not at all: the protocol asked for that
    MODEST = "modest"  # straight into a new bytes object
    BULK = "bulk"  # by way of the large buffer that all connections share


_REFUSED = (Flow.BLOCKED, Flow.CONGESTED)

# Named here because they are looked up for each message: through their class that takes 15 ns more, 50 ns on 3.11.
_OPEN, _FREE = State.OPEN, Flow.FREE


class Owner(Protocol):
    """Who made a connection and wants to know of its end: a server or a connector."""

    def connection_ended(self, connection: Connection, reason: BaseException | None) -> None:
        """`connection_lost` is being called, and the descriptor is closed."""


class Connection(Transport):
    """The transport over a connected stream socket."""

    __slots__ = (
        "_active",
        "_flow",
        "_handling",
        "_intake",
        "_marks",
        "_options",
        "_out",
        "_owner",
        "_peername",
        "_protocol",
        "_reactor",
        "_read_limit",
        "_reason",
        "_redelivering",
        "_since",
        "_socket",
        "_state",
        "_unread",
        "receiver",
    )

    def __init__(
        self,
        reactor: Reactor,
        sock: Socket,
        peername: Any,
        protocol: BaseProtocol,
        options: ConnectionOptions,
        owner: Owner,
    ) -> None:
        """Made by a server or a connector, which then calls `start`."""
        self._reactor = reactor
        self._socket = sock
        self._peername = peername
        self._protocol = protocol
        self._options = options
        self._owner: Owner | None = owner
        self._marks = options.marks
        self._out = SendBuffer(options.budget)
        self._unread: bytes | None = None  # input given back; not None: it is to be delivered before the next read
        self._read_limit = options.read_size
        self._state = _OPEN
        self._flow = _FREE
        self._intake = Intake.MODEST
        self._handling = False  # one of our protocol's callbacks is running
        self._redelivering = False  # `_redeliver` is scheduled
        self._reason: BaseException | None = None
        self._active = reactor.time()  # the last traffic
        self._since = self._active  # the last progress of waiting output; once closing, the time of close()
        self.receiver: BaseProtocol | None = protocol
        _is_buffered(protocol)

    def start(self) -> None:
        """Tell the protocol, then begin to read."""
        self._call(self._protocol.connection_made, self)
        if self._state in CLOSING:
            return
        self._update()
        self._watch_idle()

    # --- Reading --------------------------------------------------------------------------------------------------

    def _readable(self) -> None:
        """The selector reports input: take one read of it."""
        if self._unread is not None:
            return  # older input is to be delivered first, and that is scheduled
        try:
            limit = self._read_limit
            data = self._socket.recv(limit if limit < MODEST_READ else MODEST_READ)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as exc:
            self._feed(Event.LOST, exc)
            return
        self._active = self._reactor.now
        if not data:
            self._peer_ended()
            return
        if len(data) == MODEST_READ:
            self._take_in(Intake.BULK)
        self._call(self._protocol.data_received, data)  # type: ignore[attr-defined]

    def _readable_bulk(self) -> None:
        """As `_readable`, for a peer that sends much."""
        if self._unread is not None:
            return
        shared: memoryview = self._reactor.shared["read buffer"]
        try:
            size = self._socket.recv_into(shared, self._read_limit)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as exc:
            self._feed(Event.LOST, exc)
            return
        self._active = self._reactor.now
        if not size:
            self._peer_ended()
            return
        if size < BULK_ENDS:
            self._take_in(Intake.MODEST)
        self._call(self._protocol.data_received, shared[:size].tobytes())  # type: ignore[attr-defined]

    def _readable_into(self) -> None:
        """As `_readable`, into memory that belongs to a `BufferedProtocol`."""
        if self._unread is not None:
            return
        buffer = self._get_buffer()
        if buffer is None:
            return
        try:
            size = self._socket.recv_into(buffer)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as exc:
            self._feed(Event.LOST, exc)
            return
        self._active = self._reactor.now
        if size:
            self._call(self._protocol.buffer_updated, size)  # type: ignore[attr-defined]
        else:
            self._peer_ended()

    def _get_buffer(self) -> memoryview | None:
        """Ask a `BufferedProtocol` for memory; `None` if that ended the connection, or stopped the reading."""
        buffer = self._call(self._protocol.get_buffer, -1)  # type: ignore[attr-defined]
        if self.receiver is None:
            return None
        try:
            view = memoryview(buffer).cast("B")
            if not view.nbytes or view.readonly:
                raise MisuseError("get_buffer() must return a writable buffer of at least one byte")
            return view[: self._read_limit]
        except (TypeError, MisuseError) as exc:
            self._protocol_raised(self._protocol.get_buffer, exc)  # type: ignore[attr-defined]
            return None

    def _discard(self) -> None:
        """The selector reports input that nobody wants any more: read on, so that closing is no reset."""
        try:
            data = self._socket.recv(MODEST_READ)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as exc:
            self._feed(Event.LOST, exc)
            return
        if not data:
            self._feed(Event.PEER_EOF)

    def _peer_ended(self) -> None:
        keep = self._call(self._protocol.eof_received)  # type: ignore[attr-defined]
        self._feed(Event.PEER_EOF_KEPT if keep else Event.PEER_EOF)

    def _redeliver(self) -> None:
        """Deliver what was given back, to whoever may have it now."""
        self._redelivering = False
        data, protocol = self._unread, self.receiver
        if data is None or protocol is None:
            return
        self._unread = None
        if not _is_buffered(protocol):
            self._call(protocol.data_received, data)  # type: ignore[attr-defined]
        elif data:
            buffer = self._get_buffer()
            size = 0
            if buffer is not None:
                size = min(len(buffer), len(data))
                buffer[:size] = data[:size]
                self._call(protocol.buffer_updated, size)  # type: ignore[attr-defined]
            if size < len(data):
                self.unread(data[size:])

    def unread(self, data: bytes) -> None:
        self._unread = data + (self._unread or b"")
        if self.receiver is not None:
            self._redeliver_soon()

    def _redeliver_soon(self) -> None:
        """Redeliver in the next tick; `call_soon` alone would do it in step 6 of this one, if this is step 4."""
        if not self._redelivering:
            self._redelivering = True
            schedule = partial(self._reactor.call_soon, self._redeliver)
            if self._reactor.phase is Phase.DISPATCHING:
                self._reactor.call_at_tick_end(schedule)
            else:
                schedule()

    def pause_reading(self) -> None:
        self._take_in(Intake.PAUSED)

    def resume_reading(self) -> None:
        if self._intake is Intake.PAUSED:
            self._take_in(Intake.MODEST)
            self._watch_idle()
            if self._unread is not None:
                self._redeliver_soon()

    def is_reading(self) -> bool:
        return self.receiver is not None

    def set_read_limit(self, size: int | None) -> None:
        self._read_limit = self._options.read_size if size is None else max(1, min(size, self._options.read_size))

    def _take_in(self, intake: Intake) -> None:
        self._intake = intake
        if intake is Intake.BULK and "read buffer" not in self._reactor.shared:
            self._reactor.shared["read buffer"] = memoryview(bytearray(LARGEST_READ))
        self._update()

    def _update(self) -> None:
        """Bring the selector and `receiver` in line with the state and with what the protocol asked for."""
        self.receiver = None
        callback: Callable[[], None] | None = None
        if self._state in DELIVERING:
            if self._intake is not Intake.PAUSED:
                self.receiver = self._protocol
                if _is_buffered(self._protocol):
                    callback = self._readable_into
                else:
                    callback = self._readable_bulk if self._intake is Intake.BULK else self._readable
        elif self._state in DISCARDING:
            callback = self._discard
        if callback is not None:
            self._reactor.add_reader(self._socket, callback)
        else:
            self._reactor.remove_reader(self._socket)

    # --- Writing --------------------------------------------------------------------------------------------------

    def write(self, data: Buffer) -> None:
        if self._state not in WRITABLE:
            self._refuse_write()
            return
        try:
            size = self._out.append(data)
        except BudgetExceededError as exc:
            self._overflow(exc)
            return
        if not self._handling or size > self._marks.high:
            self._written(size)

    def writelines(self, chunks: Iterable[Buffer]) -> None:
        self.write(b"".join(chunks))

    def _written(self, size: int) -> None:
        """See to it that what was appended leaves, where the end of our own callback will not do."""
        self._reactor.check()
        if self._flow in _REFUSED:
            self._weigh()
        elif size > self._marks.high or self._reactor.phase is not Phase.DISPATCHING:
            self._flush()
        elif self._flow is _FREE:
            self._flow = Flow.GATHERED
            self._reactor.call_at_tick_end(self._flush_gathered)

    def _refuse_write(self) -> None:
        if self._state not in CLOSING:
            raise RuntimeError("write() after write_eof(): this side of the connection has said that it is done")

    def _flush_gathered(self) -> None:
        if self._flow is Flow.GATHERED:
            self._flush()

    def _flush(self) -> None:
        """The one way out: hand waiting output to the kernel, and draw the conclusions."""
        waiting = self._out.size
        try:
            emptied = self._out.send_to(self._socket.send)
        except OSError as exc:
            self._feed(Event.LOST, exc)
            return
        if self._options.idle_timeout is not None and self._out.size < waiting:
            self._active = self._reactor.time()
        if not emptied:
            self._refused(progress=self._out.size < waiting)
            return
        before, self._flow = self._flow, _FREE
        if before in _REFUSED:
            self._reactor.remove_writer(self._socket)
            if before is Flow.CONGESTED:
                self._call(self._protocol.resume_writing)
        if self._state is not _OPEN and not self._out.size:
            self._feed(Event.FLUSHED)

    def _refused(self, progress: bool) -> None:
        """The kernel did not take all of it: wait until the socket is writable, but not for ever."""
        if self._state not in CLOSING and (progress or self._flow not in _REFUSED):
            self._since = self._reactor.time()
        if self._flow not in _REFUSED:
            self._flow = Flow.BLOCKED
            self._reactor.add_writer(self._socket, self._flush)
            if self._options.write_timeout is not None:
                Sweep.of(self._reactor, self._options).watch(self)
        self._weigh()

    def _weigh(self) -> None:
        """Compare what the kernel refused with the marks and the limit."""
        size = self._out.size
        if size > self._options.hard_limit:
            limit = self._options.hard_limit
            self._overflow(
                SendBufferFullError(
                    f"{self}: {size} unsent bytes are more than hard_limit={limit}: the peer reads too slowly"
                )
            )
        elif size > self._marks.high:
            if self._flow is Flow.BLOCKED:
                self._flow = Flow.CONGESTED
                self._call(self._protocol.pause_writing)
        elif size <= self._marks.low and self._flow is Flow.CONGESTED:
            self._flow = Flow.BLOCKED
            self._call(self._protocol.resume_writing)

    def _overflow(self, error: BaseException) -> None:
        if self._options.overflow is Overflow.CLOSE:
            self.close(error)
        else:
            self.abort(error)

    def write_eof(self) -> None:
        self._feed(Event.WRITE_EOF)

    def can_write_eof(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return self._out.size

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._marks.low, self._marks.high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        marks = WaterMarks.from_either(high, low, default_high=self._options.high_water)
        if marks.high > self._options.hard_limit:
            raise OptionError(f"the high-water mark ({marks.high}) is above hard_limit ({self._options.hard_limit})")
        self._marks = marks
        if self._flow in _REFUSED:
            self._weigh()

    # --- Ending ---------------------------------------------------------------------------------------------------

    def close(self, reason: BaseException | None = None) -> None:
        self._feed(Event.CLOSE, reason)

    def abort(self, reason: BaseException | None = None) -> None:
        self._feed(Event.ABORT, reason)

    def is_closing(self) -> bool:
        return self._state in CLOSING

    def _feed(self, event: Event, reason: BaseException | None = None) -> None:
        """The one way from state to state. The first reason given is the one that `connection_lost` is told."""
        self._reactor.check()
        before = self._state
        after = TRANSITIONS[before, event]
        if after is before:
            return
        if self._reason is None:
            self._reason = reason
        self._state = after
        if self._reactor.instruments is not None:
            self._reactor.instruments.transition(self, before.value, event.value, after.value)
        self._enter(before, event)

    def _enter(self, before: State, event: Event) -> None:
        """What is to be done on arrival in a state."""
        state = self._state
        if state is State.CLOSED:
            self._release(reset=event is Event.ABORT)
            return
        if state is State.ENDED or state is State.DRAINING:
            try:
                self._socket.shutdown(socket.SHUT_WR)
            except OSError as exc:
                self._feed(Event.LOST, exc)  # ENOTCONN: the peer has reset it meanwhile
                return
        self._update()
        if state in CLOSING and before not in CLOSING:
            self._unread = None
            self._since = self._reactor.time()
            if self._options.drain_timeout is not None:
                Sweep.of(self._reactor, self._options).watch(self)
        if not self._out.size:
            self._feed(Event.FLUSHED)

    def _release(self, reset: bool) -> None:
        """Give up the descriptor, at once: it may be the one that is missing elsewhere."""
        self._reactor.forget(self._socket.fileno())
        if reset:
            try:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, self._reactor.kernel.RESET_ON_CLOSE)
            except OSError:
                pass  # not connected any more: there is nobody to be told
        self._socket.close()
        Sweep.dismiss(self._reactor, self._options, self)
        self._out.clear()
        self._flow = _FREE
        self._unread = None
        self.receiver = None
        descriptor_closed(self._reactor)
        self._reactor.call_soon(self.lose)

    def lose(self) -> None:
        """The last callback; afterwards protocol, connection and owner do not know each other."""
        owner, self._owner = self._owner, None
        if owner is None:
            return
        try:
            self._call(self._protocol.connection_lost, self._reason)
        finally:
            del self._protocol
            owner.connection_ended(self, self._reason)

    def disown(self) -> None:
        """In a forked child: close the descriptor, which is the parent's as well, and touch nothing else."""
        self._socket.close()

    # --- Deadlines ------------------------------------------------------------------------------------------------

    def _watch_idle(self) -> None:
        """Reading begins: from now on silence is the peer's."""
        if self._options.idle_timeout is not None and self.receiver is not None:
            self._active = self._reactor.time()
            Sweep.of(self._reactor, self._options).watch(self)

    def deadline(self) -> float | None:
        """The earliest of the deadlines that apply, for the sweep."""
        options = self._options
        if self._state in CLOSING:
            return None if options.drain_timeout is None else self._since + options.drain_timeout
        due = None
        if self._flow in _REFUSED and options.write_timeout is not None:
            due = self._since + options.write_timeout
        if self.receiver is not None and options.idle_timeout is not None:
            idle = self._active + options.idle_timeout
            due = idle if due is None else min(due, idle)
        return due

    def expire(self) -> None:
        """A deadline has passed: end the connection, saying which."""
        options = self._options
        waiting = self._out.size
        error: BaseException
        if self._state is State.DRAINING:
            self._feed(Event.LOST)  # all was sent, and only the peer's end did not come: nothing of ours is lost
            return
        if self._state in CLOSING:
            error = DrainTimeoutError(f"{self}: {waiting} bytes unsent after drain_timeout={options.drain_timeout} s")
        elif self._flow in _REFUSED and self._since + (options.write_timeout or 0) <= self._reactor.time():
            error = WriteTimeoutError(
                f"{self}: the peer took none of {waiting} bytes for write_timeout={options.write_timeout} s"
            )
        else:
            error = IdleTimeoutError(f"{self}: silent for idle_timeout={options.idle_timeout} s")
        if self._reactor.instruments is not None:
            self._reactor.instruments.deadline(self, error)
        self.abort(error)

    # --- The protocol ---------------------------------------------------------------------------------------------

    def _call(self, callback: Callable[..., Any], *args: Any) -> Any:
        """The one place where the protocol is called. What it writes meanwhile leaves when it returns."""
        outermost = not self._handling
        self._handling = True
        try:
            return callback(*args)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as exc:
            self._protocol_raised(callback, exc)
        finally:
            if outermost:
                self._handling = False
                if self._out.size and self._flow is _FREE:
                    self._flush()

    def _protocol_raised(self, callback: Callable[..., Any], exc: BaseException) -> None:
        self._reactor.call_exception_handler(
            {
                "message": f"exception in {getattr(callback, '__qualname__', callback)} of {self}",
                "exception": exc,
                "transport": self,
                "protocol": self._protocol,
            }
        )
        self.abort(exc)

    def set_protocol(self, protocol: BaseProtocol) -> None:
        release = getattr(self.get_protocol(), "release_input", None)
        _is_buffered(protocol)
        rest: bytes = release() if release is not None else b""
        self._protocol = protocol
        self._read_limit = self._options.read_size  # the old one's concern
        if self._state not in CLOSING:
            self._update()
            if rest or self._unread is not None:
                self.unread(rest)

    def get_protocol(self) -> BaseProtocol:
        if self._owner is None:
            raise RuntimeError("this connection is over: it has no protocol any more")
        return self._protocol

    # --- Looking at it --------------------------------------------------------------------------------------------

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "peername":
            return self._peername
        if name == "socket":
            return self._socket
        if name == "options":
            return self._options
        if name == "sockname" and self._state is not State.CLOSED:
            return self._socket.getsockname()
        return default

    def describe(self) -> dict[str, Any]:
        """What this connection is and how it stands."""
        return {
            "kind": "connection",
            "peer": format_address(self._peername),
            "descriptor": self._socket.fileno(),
            "state": self._state.value,
            "flow": self._flow.value,
            "reading": self.receiver is not None,
            "unsent": self._out.size,
            "limits": {"low": self._marks.low, "high": self._marks.high, "hard": self._options.hard_limit},
            "deadline": self.deadline(),
        }

    def __repr__(self) -> str:
        """Who it is with, and its state."""
        return f"<connection with {format_address(self._peername)}, {self._state.value}>"


def _is_buffered(protocol: BaseProtocol) -> bool:
    """Whether `protocol` wants its input in its own memory; raises `TypeError` if it is no protocol at all.

    What it inherits from does not matter, so asyncio's protocols will do.
    """
    if hasattr(protocol, "data_received"):
        return False
    if hasattr(protocol, "buffer_updated"):
        return True
    raise TypeError(f"{protocol!r} is no protocol: it has neither data_received() nor buffer_updated()")
