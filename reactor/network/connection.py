"""A connection: one non-blocking socket between a protocol and its peer.

What the kernel offers are two calls that may do less than asked. `recv` gives what has arrived, cut anywhere, or
nothing. `send` takes what fits into the socket's buffer, perhaps a part, perhaps nothing. A connection turns that into
a conversation. Its two halves have files of their own, `receiver.py` and `sender.py`; here they meet: the protocol is
called, the transport's methods are answered, and the connection lives and ends.

**Ending.** What happens when is a table, in `states.py`. Everything that can happen to a connection is an event that
goes through `_feed`, and what is to be done on arrival in a state is done in `_enter`. `connection_lost` is called from
the loop, never from inside `close()` or `abort()`, and afterwards nothing refers to anything: no cycle is left for the
garbage collector.

**The protocol** is called in one place, `call`, and its `data_received` in `deliver`, which is the same without the
generality. An exception in a callback is reported, and ends this connection with that exception; the loop goes on.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from reactor.buffering.owned_bytes import owned_bytes
from reactor.errors import DrainTimeoutError, IdleTimeoutError, MisuseError, WriteTimeoutError
from reactor.kernel import Socket
from reactor.loop import Phase, Reactor
from reactor.network.acceptor import descriptor_closed
from reactor.network.address import format_address
from reactor.network.interface import AnyProtocol, Buffer, Transport
from reactor.network.options import ConnectionOptions, Overflow
from reactor.network.oserrors import os_error, pending_error, waiting_error
from reactor.network.receiver import Receiver, is_buffered
from reactor.network.sender import Flow, Sender
from reactor.network.socket_view import TransportSocket
from reactor.network.states import CLOSING, DELIVERING, TRANSITIONS, WRITABLE, Event, State
from reactor.network.sweep import Sweep

__all__ = ["Connection", "Owner"]

MOST_HELD = 16 * 1024
"""A first write of a callback that is longer than this, or than the high-water mark, is not held."""


# Named here because they are looked up for each message: through their class that takes 15 ns more, 50 ns on 3.11.
_OPEN, _FREE = State.OPEN, Flow.FREE


class Owner(Protocol):
    """Who made a connection and wants to know of its end: a server or a connector."""

    def connection_ended(self, connection: Connection, reason: BaseException | None) -> None:
        """`connection_lost` has been called, and the descriptor is closed."""


class Connection(Transport):
    """The transport over a connected stream socket."""

    __slots__ = (
        "_active",
        "_closing_since",
        "_handling",
        "_held",
        "_most_held",
        "_owner",
        "_peername",
        "_reason",
        "_receiver",
        "_sender",
        "options",
        "protocol",
        "reactor",
        "recipient",
        "socket",
        "state",
    )

    def __init__(
        self,
        reactor: Reactor,
        sock: Socket,
        peername: Any,
        protocol: AnyProtocol,
        options: ConnectionOptions,
        owner: Owner,
    ) -> None:
        """Made by a server or a connector, which then calls `start`. Raises `TypeError` if `protocol` is none."""
        self.reactor = reactor
        self.socket = sock
        self.options = options
        self._peername = peername
        self.protocol = protocol
        self._owner: Owner | None = owner
        self.state = _OPEN
        self._receiver = Receiver(self)
        self._sender: Sender | None = None  # made when something has to wait: for most connections that never happens
        self._handling = False  # one of our protocol's callbacks is running
        self._held: bytes | None = b""  # the first write of `data_received`; None: there may be one, b"": not now
        self._reason: BaseException | None = None
        self._active = 0.0  # when reading began, or output left; input has its own stamp
        self._closing_since = 0.0
        self._most_held = min(MOST_HELD, options.high_water)
        self.recipient: AnyProtocol | None = protocol
        is_buffered(protocol)

    def start(self) -> None:
        """Tell the protocol, then begin to read."""
        self.reactor.forget(self.socket.fileno())  # what somebody forgot to remove for a closed socket of this number
        try:
            self.call(self.protocol.connection_made, self)
        finally:  # also when Ctrl-C went through it: the connection lives on
            if self.state not in CLOSING:
                self._receiver.update()
                self.caught_up()

    # --- Reading --------------------------------------------------------------------------------------------------

    def pause_reading(self) -> None:
        if self.state not in CLOSING:
            self._receiver.pause()

    def resume_reading(self) -> None:
        if self.state not in CLOSING and self._receiver.resume():
            self.caught_up()

    def is_reading(self) -> bool:
        return self.recipient is not None

    def set_read_limit(self, size: int | None) -> None:
        if self.state not in CLOSING:
            self._receiver.limit(size)

    def unread(self, data: bytes) -> None:
        if self.state not in CLOSING:
            self._receiver.unread(data)

    def peer_ended(self) -> None:
        """The receiver has met the end of the stream."""
        keep = False
        try:
            if self.state in DELIVERING:
                keep = self.call(self.protocol.eof_received)  # type: ignore[attr-defined]
        finally:  # also when Ctrl-C went through it: an end is told once
            self._feed(Event.PEER_EOF_KEPT if keep else Event.PEER_EOF)

    # --- Writing --------------------------------------------------------------------------------------------------

    def write(self, data: Buffer) -> None:
        # The answer to one message is mostly one write. It is held until the callback returns and goes straight to the
        # kernel, which saves 0.4 µs of passing it through the sender, and the memory of the sender.
        held = self._held
        if held is None and type(data) is bytes and len(data) <= self._most_held:
            self._held = data
            return
        if held != b"" or not self._handling:  # a callback's third write saves this
            self.reactor.check()
            self._give_up_held()
        if self.state in WRITABLE:
            sender = self._sender
            if sender is None:
                sender = self._make_sender()
            sender.write(data, self._handling)
        elif self.state not in CLOSING:
            raise MisuseError("write() after write_eof(): this side of the connection has said that it is done")

    def writelines(self, chunks: Iterable[Buffer]) -> None:
        self.write(b"".join(map(owned_bytes, chunks)))

    def _give_up_held(self) -> None:
        """A second write, or the end of writing: the first one has to go the long way."""
        held, self._held = self._held, b""
        if held:
            (self._sender or self._make_sender()).write(held, True)

    def _make_sender(self) -> Sender:
        self._sender = Sender(self)
        return self._sender

    def send_now(self, data: bytes) -> None:
        """Offer `data` to the kernel while nothing is waiting. No sender is needed while it takes all of it."""
        try:
            taken = self.socket.send(data)
        except (BlockingIOError, InterruptedError):
            taken = 0
        except (OSError, MemoryError) as exc:
            self.failed(exc)
            return
        if self.options.idle_timeout is not None:
            self.sent()
        if taken < len(data):
            (self._sender or self._make_sender()).keep(data[taken:], begun=taken > 0)

    def write_eof(self) -> None:
        self._feed(Event.WRITE_EOF)

    def can_write_eof(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return len(self._held or b"") + self._waiting()

    def _waiting(self) -> int:
        return 0 if self._sender is None else self._sender.buffer.size

    def get_write_buffer_limits(self) -> tuple[int, int]:
        marks = self.options.marks if self._sender is None else self._sender.marks
        return marks.low, marks.high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.reactor.check()
        sender = self._sender or self._make_sender()
        sender.set_marks(high, low, self.options)
        self._most_held = min(MOST_HELD, sender.marks.high)

    # --- What the sender reports ----------------------------------------------------------------------------------

    def pause_writing(self) -> None:
        """The high-water mark was passed."""
        self.call(self.protocol.pause_writing)

    def resume_writing(self) -> None:
        """The low-water mark was reached."""
        self.call(self.protocol.resume_writing)

    def sent(self) -> None:
        """Some bytes have left: that counts as traffic."""
        self._active = self.reactor.time()

    def flushed(self) -> None:
        """Nothing is waiting any more."""
        if self.state is not _OPEN:
            self._feed(Event.FLUSHED)

    def blocked(self) -> None:
        """The kernel began to refuse."""
        if self.options.write_timeout is not None:
            Sweep.of(self.reactor, self.options).watch(self)

    def failed(self, exc: OSError | MemoryError) -> None:
        """The kernel reported an error, or there is no memory to talk to it."""
        self._feed(Event.LOST, exc)

    def overflowed(self, error: BaseException) -> None:
        """A limit was reached: do what was declared for that."""
        if self.options.overflow is Overflow.CLOSE:
            self.close(error)
        else:
            self.abort(error)

    # --- Ending ---------------------------------------------------------------------------------------------------

    def close(self, reason: BaseException | None = None) -> None:
        self._feed(Event.CLOSE, reason)

    def abort(self, reason: BaseException | None = None) -> None:
        self._feed(Event.ABORT, reason)

    def is_closing(self) -> bool:
        return self.state in CLOSING

    def _feed(self, event: Event, reason: BaseException | None = None) -> None:
        """The one way from state to state. The first reason given is the one that `connection_lost` is told."""
        self.reactor.check()
        if event is Event.ABORT or event is Event.LOST:
            self._held = b""
        else:
            self._give_up_held()  # which may itself end the connection: a budget can be used up
        before = self.state
        after = TRANSITIONS[before, event]
        if after is before:
            return
        if self._reason is None:
            self._reason = reason
        self.state = after
        self.reactor.observe("transition", self, before.value, event.value, after.value)
        self._enter(before, event)

    def _enter(self, before: State, event: Event) -> None:
        """What is to be done on arrival in a state."""
        state = self.state
        if state is State.CLOSED:
            self._release(reset=event is Event.ABORT)
            return
        if before is State.PEER_ENDED and (code := waiting_error(self.socket)):
            self._feed(Event.LOST, os_error(code))  # a reset; with nothing to send, nobody has looked since
            return
        if state is State.ENDED or (state is State.DRAINING and before is not State.ENDED):  # our FIN, once
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:  # ENOTCONN: the peer has reset it meanwhile
                self._feed(Event.LOST, pending_error(self.socket))
                return
        if state in CLOSING and before not in CLOSING:
            self._receiver.close()
            self._closing_since = self.reactor.time()
            if self.options.drain_timeout is not None:
                Sweep.of(self.reactor, self.options).watch(self)
        self._receiver.update()
        if not self._waiting():
            self._feed(Event.FLUSHED)

    def _release(self, reset: bool) -> None:
        """Give up the descriptor, at once: it may be the one that is missing elsewhere."""
        reactor = self.reactor
        reactor.forget(self.socket.fileno())
        if reset:
            try:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reactor.kernel.RESET_ON_CLOSE)
            except OSError:
                pass  # not connected any more: there is nobody to be told
        self.socket.close()
        if self._sender is not None:
            self._sender.close()
        self._receiver.close()
        self.recipient = None
        Sweep.dismiss(reactor, self.options, self)
        descriptor_closed(reactor)
        reactor.call_soon(self.lose)

    def lose(self) -> None:
        """The last callback; afterwards protocol, sender, connection and owner do not know each other."""
        owner, reason = self._owner, self._reason
        if owner is None:
            return
        try:
            self.call(self.protocol.connection_lost, reason)
        finally:
            self._owner = self._reason = None  # an exception's traceback holds the frames, and so this connection
            del self.protocol
            self._receiver.disconnect()
            if self._sender is not None:
                self._sender.disconnect()
            owner.connection_ended(self, reason)

    def forked(self) -> None:
        """In a forked child: what waits to be sent is the parent's to send, and a callback under way sends nothing."""
        self._held = b""
        self._handling = False
        if self._sender is not None:
            self._sender.close()

    def disown(self) -> None:
        """In a forked child: close the descriptor, which is the parent's as well, and touch nothing else."""
        self.socket.close()

    # --- Deadlines ------------------------------------------------------------------------------------------------

    def caught_up(self) -> None:
        """Reading begins, or has caught up with what was given back: from now on silence is the peer's."""
        if self.options.idle_timeout is not None and self._receiver.is_waiting() and self.state not in CLOSING:
            self._active = self.reactor.time()
            Sweep.of(self.reactor, self.options).watch(self)

    def deadline(self) -> float | None:
        """The earliest of the deadlines that apply, for the sweep."""
        options = self.options
        if self.state in CLOSING:
            return None if options.drain_timeout is None else self._closing_since + options.drain_timeout
        due = None if self._sender is None else self._sender.deadline()
        if options.idle_timeout is not None and self._receiver.is_waiting():
            idle = max(self._last_sent(), self._receiver.last) + options.idle_timeout
            due = idle if due is None else min(due, idle)
        return due

    def _last_sent(self) -> float:
        """When output last left; what a timer has just written leaves at the end of this tick."""
        gathered = self._sender is not None and self._sender.flow is Flow.GATHERED
        return self.reactor.time() if gathered else self._active

    def expire(self) -> None:
        """A deadline has passed: end the connection, saying which."""
        options, waiting = self.options, self._waiting()
        stalled = None if self._sender is None else self._sender.deadline()
        error: BaseException
        if self.state in CLOSING:
            error = DrainTimeoutError(f"{self}: {waiting} bytes unsent after drain_timeout={options.drain_timeout} s")
        elif stalled is not None and stalled <= self.reactor.time():
            error = WriteTimeoutError(
                f"{self}: the peer took none of {waiting} bytes for write_timeout={options.write_timeout} s"
            )
        else:
            error = IdleTimeoutError(f"{self}: silent for idle_timeout={options.idle_timeout} s")
        self.reactor.observe("deadline", self, error)
        self.cut_off(error)

    def cut_off(self, error: BaseException) -> None:
        """End what took too long. If all was sent, and only the peer's end did not come, nothing of ours is lost."""
        if self.state is State.DRAINING:
            self._feed(Event.LOST)
        else:
            self.abort(error)

    # --- The protocol ---------------------------------------------------------------------------------------------

    def call(self, callback: Callable[..., Any], *args: Any) -> Any:
        """Call the protocol. What it writes meanwhile leaves when it returns."""
        outermost = not self._handling
        self._handling = True
        try:
            return callback(*args)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as exc:
            self.protocol_raised(callback, exc)
        finally:
            if outermost:
                self._handling = False
                if self._sender is not None:
                    self._sender.flush_free()

    def deliver(self, data: bytes) -> None:
        """`call` for `data_received`: never called from inside another callback, and with the slot for one write."""
        protocol = self.protocol
        self._handling = True
        if self.state is _OPEN and (self._sender is None or self._sender.flow is _FREE):
            self._held = None
        try:
            protocol.data_received(data)  # type: ignore[attr-defined]
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as exc:
            self.protocol_raised(protocol.data_received, exc)  # type: ignore[attr-defined]
        finally:
            self._handling = False
            held, self._held = self._held, b""
            if held:
                self.send_now(held)
            elif self._sender is not None:
                self._sender.flush_free()

    def protocol_raised(self, callback: Callable[..., Any], exc: BaseException) -> None:
        """A callback raised `exc`: report it, once, and end this connection with it."""
        self.reactor.call_exception_handler(
            {
                "message": f"exception in {getattr(callback, '__qualname__', callback)} of {self}",
                "exception": exc,
                "transport": self,
                "protocol": self.protocol,
            }
        )
        if self.reactor.phase is not Phase.FORKED:  # in a child, the connection is the parent's to end
            self.abort(exc)

    def set_protocol(self, protocol: AnyProtocol) -> None:
        release = getattr(self.get_protocol(), "release_input", None)
        is_buffered(protocol)
        rest: bytes = release() if release is not None else b""
        self.protocol = protocol
        if self.state not in CLOSING:
            self._receiver.change_hands(rest)

    def get_protocol(self) -> AnyProtocol:
        if self._owner is None:
            raise MisuseError("this connection is over: it has no protocol any more")
        return self.protocol

    # --- Looking at it --------------------------------------------------------------------------------------------

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "peername":
            return self._peername
        if name == "socket":
            return TransportSocket(self.socket)
        if name == "options":
            return self.options
        if name == "sockname" and self.state is not State.CLOSED:
            return self.socket.getsockname()
        return default

    def describe(self) -> dict[str, Any]:
        """What this connection is and how it stands."""
        low, high = self.get_write_buffer_limits()
        return {
            "kind": "connection",
            "peer": format_address(self._peername),
            "descriptor": self.socket.fileno(),
            "state": self.state.value,
            "flow": (_FREE if self._sender is None else self._sender.flow).value,
            "reading": self.recipient is not None,
            "unsent": self.get_write_buffer_size(),
            "limits": {"low": low, "high": high, "hard": self.options.hard_limit},
            "deadline": self.deadline(),
        }

    def __repr__(self) -> str:
        """Who it is with, and its state."""
        return f"<connection with {format_address(self._peername)}, {self.state.value}>"
