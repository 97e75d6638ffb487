"""The receiving half of a connection: one read at a time, and what is done with it.

There is one `recv` for each time the selector reports the socket, however much has arrived: the socket is reported
again in the next tick, and meanwhile the others get their turn.

Most reads are small, and for them `recv(64 KiB)` is the cheapest. A larger `recv` is not: memory of 128 KiB and more
comes fresh from the operating system and goes back to it each time (mallopt(3), M_MMAP_THRESHOLD), which can make a
read of 1 KiB four times as expensive. So a peer that fills 64 KiB is read through a buffer of 256 KiB that all
connections share, which takes 0.8 of the time of reading 100 KiB in two portions.

Input can be given back (`unread`): by a protocol that was paused in the middle of a read, or that leaves the rest to
its successor. It is delivered again in the next tick, or when reading is resumed, and until then the socket is not
read: bytes stay in order, and no more of them pile up.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from reactor.errors import BudgetExceededError, MisuseError
from reactor.loop import Phase
from reactor.network.options import LARGEST_READ
from reactor.network.states import DELIVERING, DISCARDING

if TYPE_CHECKING:
    from reactor.kernel import Socket
    from reactor.loop import Reactor
    from reactor.network.interface import AnyProtocol
    from reactor.network.options import ConnectionOptions
    from reactor.network.states import State

__all__ = ["Intake", "Receiver", "Receiving", "is_buffered"]

MODEST_READ = 64 * 1024
"""Bytes of an ordinary read."""

BULK_ENDS = 8 * 1024
"""A read through the shared buffer that brings less than this was the last one."""

_SHARED = "read buffer"


class Intake(Enum):
    """How input is read."""

    PAUSED = "paused"  # not at all: the protocol asked for that
    MODEST = "modest"  # straight into a new bytes object
    BULK = "bulk"  # by way of the large buffer that all connections share


_BULK = Intake.BULK  # looked up for each message: through its class that takes 15 ns more, 50 ns on 3.11


class Receiving(Protocol):
    """What a receiver needs of its connection."""

    reactor: Reactor
    socket: Socket
    options: ConnectionOptions
    protocol: AnyProtocol
    recipient: AnyProtocol | None
    state: State

    def deliver(self, data: bytes) -> None:
        """Give input to the protocol."""

    def call(self, callback: Callable[..., Any], *args: Any) -> Any:
        """Call the protocol."""

    def protocol_raised(self, callback: Callable[..., Any], exc: BaseException) -> None:
        """The protocol did something that it must not do."""

    def peer_ended(self) -> None:
        """The peer will send no more."""

    def caught_up(self) -> None:
        """What was given back has been delivered."""

    def failed(self, exc: OSError | MemoryError) -> None:
        """The kernel reported an error, or there is no memory to talk to it."""

    def abort(self, reason: BaseException | None = None) -> None:
        """A limit was reached."""


class Receiver:
    """The input of one connection."""

    __slots__ = ("_connection", "_limit", "_redelivering", "_size", "_unread", "intake", "last")

    def __init__(self, connection: Receiving) -> None:
        """Begin with nothing received; `update` starts the reading."""
        self._connection = connection
        self._limit = connection.options.read_size  # what the protocol wants one read to bring at most
        self._size = min(self._limit, MODEST_READ)  # what the next read asks for
        self._unread: bytes | memoryview | None = None  # input given back, to be delivered before the next read
        self._redelivering = False  # and that is scheduled
        self.intake = Intake.MODEST
        self.last = 0.0
        """The time of the tick that saw the last input."""

    # --- Reading --------------------------------------------------------------------------------------------------

    def _readable(self) -> None:
        """The selector reports input: take one read of it, and pass it on."""
        connection = self._connection
        try:
            if self.intake is _BULK:
                shared: memoryview = connection.reactor.shared[_SHARED]
                data = shared[: connection.socket.recv_into(shared, self._size)].tobytes()
            else:
                data = connection.socket.recv(self._size)
        except (BlockingIOError, InterruptedError):
            return
        except (OSError, MemoryError) as exc:
            connection.failed(exc)
            return
        self.last = connection.reactor.now
        if not data:
            connection.peer_ended()
            return
        if self.intake is _BULK:
            if len(data) < BULK_ENDS:
                self._take_in(Intake.MODEST)
        elif len(data) == MODEST_READ:
            self._take_in(Intake.BULK)
        connection.deliver(data)

    def _readable_into(self) -> None:
        """As `_readable`, into memory that belongs to a `BufferedProtocol`."""
        connection = self._connection
        buffer, size = self._get_buffer()
        if buffer is None:
            return
        try:
            size = connection.socket.recv_into(buffer, size)
        except (BlockingIOError, InterruptedError):
            return
        except (OSError, MemoryError) as exc:
            connection.failed(exc)
            return
        self.last = connection.reactor.now
        if size:
            connection.call(connection.protocol.buffer_updated, size)  # type: ignore[attr-defined]
        else:
            connection.peer_ended()

    def _get_buffer(self) -> tuple[bytearray | memoryview | None, int]:
        """Ask a `BufferedProtocol` for memory, and how much of it to use; `None` if this is not its next input.

        No view of it is kept: the protocol may change its size as soon as it is told that it was filled.
        """
        connection = self._connection
        protocol, unread = connection.protocol, self._unread
        get_buffer = protocol.get_buffer  # type: ignore[attr-defined]
        buffer = connection.call(get_buffer, -1)
        if connection.recipient is not protocol or self._unread is not unread:
            return None, 0  # paused, closed or handed over, or something was given back that comes first
        try:
            with memoryview(buffer) as view:
                if not view.nbytes or view.readonly:
                    raise MisuseError("get_buffer() must return a writable buffer of at least one byte")
                return buffer, min(view.nbytes, self._limit)
        except (TypeError, MisuseError) as exc:
            connection.protocol_raised(get_buffer, exc)
            return None, 0

    def _discard(self) -> None:
        """The selector reports input that nobody wants any more: read on, so that closing is no reset."""
        connection = self._connection
        try:
            if not connection.socket.recv(MODEST_READ):
                connection.peer_ended()
        except (BlockingIOError, InterruptedError):
            return
        except (OSError, MemoryError) as exc:
            connection.failed(exc)

    # --- Whether and how to read ----------------------------------------------------------------------------------

    def is_waiting(self) -> bool:
        """Whether it is the peer's turn: nobody has paused the reading, and all that came was delivered."""
        return self.intake is not Intake.PAUSED and self._unread is None

    def pause(self) -> None:
        """Read nothing until `resume`."""
        self._take_in(Intake.PAUSED)

    def resume(self) -> bool:
        """Read again, what was given back first; whether it was paused."""
        if self.intake is not Intake.PAUSED:
            return False
        self._take_in(Intake.MODEST)
        if self._unread is not None:
            self._redeliver_soon()
        return True

    def limit(self, size: int | None) -> None:
        """Let one read bring at most `size` bytes; `None`: as many as the options say."""
        most = self._connection.options.read_size
        self._limit = most if size is None else max(1, min(size, most))
        self._take_in(self.intake)

    def _take_in(self, intake: Intake) -> None:
        self.intake = intake
        self._size = min(self._limit, LARGEST_READ if intake is _BULK else MODEST_READ)
        shared = self._connection.reactor.shared
        if intake is _BULK and _SHARED not in shared:
            shared[_SHARED] = memoryview(bytearray(LARGEST_READ))
        self.update()

    def update(self) -> None:
        """Bring selector and recipient in line with the connection's state, and with what the protocol asked for."""
        connection = self._connection
        connection.recipient = None
        callback: Callable[[], None] | None = None
        if connection.state in DELIVERING:
            if self.intake is not Intake.PAUSED:
                connection.recipient = connection.protocol
                if self._unread is None:  # else that comes first
                    callback = self._readable_into if is_buffered(connection.protocol) else self._readable
        elif connection.state in DISCARDING:
            callback = self._discard
        if callback is not None:
            connection.reactor.add_reader(connection.socket, callback)
        else:
            connection.reactor.remove_reader(connection.socket)

    # --- Input given back -----------------------------------------------------------------------------------------

    def unread(self, data: bytes) -> None:
        """Deliver `data` again, before anything newer."""
        try:
            self._keep(b"".join((data, self._unread)) if self._unread else data)
        except BudgetExceededError as exc:
            self._connection.abort(exc)
            return
        self.update()
        if self._connection.recipient is not None:
            self._redeliver_soon()

    def _keep(self, data: bytes | memoryview | None) -> None:
        """Change what is kept: the one place where that happens."""
        budget = self._connection.options.budget
        if budget is not None:
            budget.change(len(data or b"") - len(self._unread or b""))
        self._unread = data

    def change_hands(self, rest: bytes) -> None:
        """There is a new protocol: `rest` is what the old one had left."""
        self.limit(None)
        if rest or self._unread is not None:
            self.unread(rest)

    def close(self) -> None:
        """Forget what was given back: nobody will ask for it."""
        self._keep(None)

    def disconnect(self) -> None:
        """Forget the connection: this is the end."""
        del self._connection

    def _redeliver_soon(self) -> None:
        """Redeliver in the next tick; `call_soon` alone would do it in step 6 of this one, if this is step 4."""
        if not self._redelivering:
            self._redelivering = True
            reactor = self._connection.reactor
            schedule = partial(reactor.call_soon, self._redeliver)
            if reactor.phase is Phase.DISPATCHING:
                reactor.call_at_tick_end(schedule)
            else:
                schedule()

    def _redeliver(self) -> None:
        """Deliver what was given back, to whoever may have it now."""
        self._redelivering = False
        data = self._unread
        if data is None or self._connection.recipient is None:
            return  # ended, and perhaps disconnected; paused; or delivered already
        connection = self._connection
        try:
            if not is_buffered(connection.protocol):
                self._keep(None)
                self.update()
                connection.deliver(bytes(data))
            else:
                self._redeliver_into(memoryview(data))
        finally:  # also when Ctrl-C went through it
            if self._unread is not None and connection.recipient is not None:
                self._redeliver_soon()
            connection.caught_up()

    def _redeliver_into(self, data: memoryview) -> None:
        """As much of it as a `BufferedProtocol` has room for; the rest, if there is one, in the next tick."""
        connection = self._connection
        buffer, size = self._get_buffer() if data else (None, 0)
        if data and buffer is None:
            return
        self._keep(data[size:] or None)
        if self._unread is None:
            self.update()
        else:
            self._redeliver_soon()
        if buffer is not None:
            size = min(size, len(data))
            with memoryview(buffer) as view, view.cast("B") as octets:
                octets[:size] = data[:size]
            connection.call(connection.protocol.buffer_updated, size)  # type: ignore[attr-defined]


def is_buffered(protocol: AnyProtocol) -> bool:
    """Whether `protocol` wants its input in its own memory; raises `TypeError` if it is no protocol at all.

    What it inherits from does not matter, so asyncio's protocols will do.
    """
    if hasattr(protocol, "data_received"):
        return False
    if hasattr(protocol, "buffer_updated"):
        return True
    raise TypeError(f"{protocol!r} is no protocol: it has neither data_received() nor buffer_updated()")
