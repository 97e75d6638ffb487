"""The sending half of a connection: when what was written leaves, and what happens while it cannot.

`send` on a non-blocking socket takes what fits into the kernel's buffer, which is all of it as long as the peer reads.
There is one way out, `flush`: it hands the send buffer to the kernel and draws the conclusions. *When* it is called
keeps the number of system calls down:

- while the connection's own callback runs, when that returns: ten answers to ten requests leave in one `send`
- after a write from anywhere else in a tick, at the tick's end
- after a write outside a tick, at once
- beyond the high-water mark, at once, because only what the *kernel* refused counts as waiting for the peer
- after a refusal, when the selector reports the socket writable; before that, asking again is useless

Once the kernel refuses, bytes pile up here, and three bounds apply. Above the high-water mark the protocol is asked to
pause, and at the low mark to resume. At the hard limit the overflow policy ends the connection. And when the peer takes
nothing at all for the write timeout, so does the sweep.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Protocol

from reactor.buffering import SendBuffer, WaterMarks
from reactor.buffering.owned_bytes import owned_bytes
from reactor.errors import BudgetExceededError, OptionError, SendBufferFullError
from reactor.loop import Phase

if TYPE_CHECKING:
    from reactor.kernel import Socket
    from reactor.loop import Reactor
    from reactor.network.interface import Buffer
    from reactor.network.options import ConnectionOptions

__all__ = ["Flow", "Sender", "Sending"]


class Flow(Enum):
    """How waiting output will leave."""

    FREE = "free"  # nothing is waiting, or our own callback is running and will flush
    GATHERED = "gathered"  # at the end of this tick
    BLOCKED = "blocked"  # the kernel refused some; when the socket is writable
    CONGESTED = "congested"  # the same, and the protocol was asked to pause writing


_FREE = Flow.FREE  # looked up for each message: through its class that takes 15 ns more, 50 ns on 3.11
_REFUSED = (Flow.BLOCKED, Flow.CONGESTED)


class Sending(Protocol):
    """What a sender needs of its connection."""

    reactor: Reactor
    socket: Socket
    options: ConnectionOptions

    def pause_writing(self) -> None:
        """Ask the protocol to pause."""

    def resume_writing(self) -> None:
        """Tell the protocol that it may go on."""

    def send_now(self, data: bytes) -> None:
        """Offer `data` to the kernel while nothing is waiting; what it refuses goes to `Sender.keep`."""

    def sent(self) -> None:
        """Some bytes have left, outside a callback."""

    def flushed(self) -> None:
        """Nothing is waiting any more."""

    def failed(self, exc: OSError | MemoryError) -> None:
        """The kernel reported an error, or there is no memory to talk to it."""

    def blocked(self) -> None:
        """The kernel began to refuse: the write timeout runs."""

    def abort(self, reason: BaseException | None = None) -> None:
        """End the connection with a reset."""

    def overflowed(self, error: BaseException) -> None:
        """A limit was reached."""


class Sender:
    """The unsent output of one connection."""

    __slots__ = ("_connection", "buffer", "flow", "marks", "progress")

    def __init__(self, connection: Sending) -> None:
        """Begin with nothing to send."""
        self._connection = connection
        self.buffer = SendBuffer(connection.options.budget)
        self.flow = _FREE
        self.marks = connection.options.marks
        self.progress = 0.0
        """When the kernel last took something, or first refused to."""

    def write(self, data: Buffer, own_callback: bool) -> None:
        """The one way in: take the bytes, and see to it that they leave."""
        try:
            size = self.buffer.append(data)
        except BudgetExceededError as exc:
            self._over_budget(data, exc)
            return
        if own_callback and self.flow is _FREE and size <= self.marks.high:
            return  # it leaves when the callback returns
        if self.flow in _REFUSED:
            self._weigh()
        elif size > self.marks.high:
            self.flush()
        elif not own_callback and self.flow is _FREE:
            reactor = self._connection.reactor
            if reactor.phase is Phase.DISPATCHING:
                self.flow = Flow.GATHERED
                reactor.call_at_tick_end(self._flush_gathered)
            else:
                self.flush()

    def keep(self, rest: Buffer, *, begun: bool) -> None:
        """Keep what the kernel has just refused: nothing was waiting before. `begun`: it took the beginning of it."""
        try:
            self.buffer.append(rest)
        except BudgetExceededError as exc:
            if begun:
                self._connection.abort(exc)  # whatever the policy: half of it must not look like all of it
            else:
                self._connection.overflowed(exc)
        else:
            self._refused(progress=True)

    def _over_budget(self, data: Buffer, exc: BudgetExceededError) -> None:
        """The budget, like the limits, is about what the kernel refuses: so ask it first, if it has not refused yet."""
        if self.flow not in _REFUSED:
            self.flush()
        if self.flow is _FREE and not self.buffer.size:
            self._connection.send_now(owned_bytes(data))
        else:
            self._connection.overflowed(exc)

    def flush_free(self) -> None:
        """The connection's own callback has returned: what it wrote leaves."""
        if self.flow is _FREE and self.buffer.size:
            self.flush()

    def flush(self) -> None:
        """The one way out: hand what is waiting to the kernel, and draw the conclusions."""
        connection = self._connection
        waiting = self.buffer.size
        try:
            emptied = self.buffer.send_to(connection.socket.send)
        except (OSError, MemoryError) as exc:
            connection.failed(exc)
            return
        if self.buffer.size < waiting and connection.options.idle_timeout is not None:
            connection.sent()
        if not emptied:
            self._refused(progress=self.buffer.size < waiting)
            return
        before, self.flow = self.flow, _FREE
        try:
            if before in _REFUSED:
                connection.reactor.remove_writer(connection.socket)
                if before is Flow.CONGESTED:
                    connection.resume_writing()
        finally:  # also when Ctrl-C went through it
            if not self.buffer.size:
                connection.flushed()

    def set_marks(self, high: int | None, low: int | None, options: ConnectionOptions) -> None:
        """Set the water marks; see `Transport.set_write_buffer_limits`."""
        marks = WaterMarks.from_either(high, low, default_high=options.high_water)
        if marks.high > options.hard_limit:
            raise OptionError(f"the high-water mark ({marks.high}) is above hard_limit ({options.hard_limit})")
        self.marks = marks
        if self.flow in _REFUSED:
            self._weigh()

    def close(self) -> None:
        """Drop what is waiting."""
        self.buffer.clear()
        self.flow = _FREE

    def disconnect(self) -> None:
        """Forget the connection: this is the end."""
        del self._connection

    def deadline(self) -> float | None:
        """When the peer will have taken nothing for the write timeout."""
        timeout = self._connection.options.write_timeout
        return None if timeout is None or self.flow not in _REFUSED else self.progress + timeout

    def _flush_gathered(self) -> None:
        if self.flow is Flow.GATHERED:
            self.flush()

    def _refused(self, progress: bool) -> None:
        """The kernel did not take all of it: wait until the socket is writable, but not for ever."""
        connection = self._connection
        if progress or self.flow not in _REFUSED:
            self.progress = connection.reactor.time()
        if self.flow not in _REFUSED:
            self.flow = Flow.BLOCKED
            connection.reactor.add_writer(connection.socket, self.flush)
            connection.blocked()
        self._weigh()

    def _weigh(self) -> None:
        """Compare what the kernel refused with the marks and the limit."""
        connection = self._connection
        size, limit = self.buffer.size, connection.options.hard_limit
        if size > limit:
            connection.overflowed(
                SendBufferFullError(
                    f"{connection}: {size} bytes that the peer has not taken are more than hard_limit={limit}"
                )
            )
        elif size > self.marks.high:
            if self.flow is Flow.BLOCKED:
                self.flow = Flow.CONGESTED
                connection.pause_writing()
        elif size <= self.marks.low and self.flow is Flow.CONGESTED:
            self.flow = Flow.BLOCKED
            connection.resume_writing()
