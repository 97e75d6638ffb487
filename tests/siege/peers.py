"""The besiegers: protocols that check every callback, and misbehave in some.

An `End` is one end of a connection. It stays the same when the connection is handed from protocol to protocol, and it
knows what may be called when: `connection_made` first and once, `connection_lost` last and once, nothing behind it, no
input while paused, the end of the stream behind all of the stream. A `Link` is two ends that belong together, and with
them the two streams between them.

Whether every byte must arrive depends on what was done to the link. What may destroy bytes (a reset, a crash, a limit,
a deadline) *taints* it, with the reason; a link without taint must have delivered all, and ended clean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reactor import (
    BudgetExceededError,
    BufferedProtocol,
    Codec,
    Connection,
    ConnectionOptions,
    DeadlineError,
    FramedProtocol,
    IdleTimeoutError,
    IncompleteFrameError,
    LengthPrefixedCodec,
    LimitError,
    LineCodec,
    Protocol,
    ReactorError,
    Transport,
    WriteTimeoutError,
)
from tests.siege.streams import LONGEST_FRAME, Stream

if TYPE_CHECKING:
    from tests.siege.machine import Machine, Service

__all__ = ["End", "Framed", "Link", "Memory", "PlannedError", "Raw", "Slow"]

EARLY = 1e-6  # seconds that rounding may make a deadline early


class PlannedError(Exception):
    """What a besieger raises in a callback, or gives as the reason for an end, on purpose."""

    reports = 0


class Link:
    """Two ends of one connection, and the streams between them."""

    __slots__ = ("codec", "ends", "number", "streams", "taints")

    def __init__(self, number: int, codec: Codec[bytes]) -> None:
        self.number = number
        self.codec = codec
        self.ends: dict[str, End] = {}  # "client", "server"
        self.streams = {"client": Stream(2 * number, codec), "server": Stream(2 * number + 1, codec)}
        self.taints: list[str] = []

    def taint(self, why: str) -> None:
        """From now on bytes may be lost: but neither doubled nor moved."""
        if why not in self.taints:
            self.taints.append(why)

    def fresh_codec(self) -> Codec[bytes]:
        """Another one of the same format."""
        if isinstance(self.codec, LineCodec):
            return LineCodec(max_length=LONGEST_FRAME + self.number % 7)
        return LengthPrefixedCodec(2, max_length=LONGEST_FRAME + self.number % 7)

    def over(self) -> bool:
        """Whether nothing will happen on it any more."""
        return all(end.stage in ("over", "dead") for end in self.ends.values())


class End:
    """One end of a connection."""

    def __init__(self, machine: Machine, role: str, options: ConnectionOptions) -> None:
        self.machine = machine
        self.world = machine.world
        self.role = role
        self.options = options
        self.stage = "new"  # new, open, ended (the peer has), over; dead: its host is
        self.link: Link | None = None
        self.transport: Transport | None = None
        self.patient = self.world.random.random() < 0.7  # stops writing when it is asked to
        self.keeps_open = self.world.random.random() < 0.5  # what eof_received returns
        self.congested = False  # asked to pause writing
        self.paused = False  # has paused reading
        self.given_back = False  # has used unread()
        self.asked: set[str] = set()  # what was asked of the transport: "write_eof", "close", "abort"
        self.reasons: list[BaseException] = []  # what it raised, or gave as the reason
        self.certain: BaseException | None = None  # that which connection_lost must get
        self.service: Service | None = None
        self.extra = 0  # bytes that it has given back beside those that had just come
        self.saw_eof = self.kept = False  # the peer has ended, and this end was told that it may go on
        self.lost_with: BaseException | None = None
        self.last_input = self.last_output = self.not_waiting = machine.now()
        self.progress = self.closing_since = machine.now()
        self.unsent = self.left = self.held = 0
        self.waiting, self.closing = True, False
        self.chunk: tuple[Any, bytes] = (b"", b"")  # what it was given last, and a copy of that
        self.frames_at, self.frames = (-1, 0), 0  # in which tick, by which protocol, how many

    @property
    def name(self) -> str:
        """For the story."""
        number = "?" if self.link is None else self.link.number
        return f"{number}.{self.role}@{self.machine.name}"

    @property
    def outgoing(self) -> Stream:
        """What this end writes."""
        assert self.link is not None
        return self.link.streams[self.role]

    @property
    def incoming(self) -> Stream:
        """What this end is to receive."""
        assert self.link is not None
        return self.link.streams["client" if self.role == "server" else "server"]

    def framed(self) -> bool:
        """Whether it reads frames."""
        return self.transport is not None and isinstance(self.transport.get_protocol(), Framed)

    def taint(self, why: str) -> None:
        """Bytes may be lost from now on."""
        if self.link is not None:
            self.link.taint(f"{self.name} {why}")

    def must(self, holds: object, message: str) -> None:
        """Say what is broken, unless it holds."""
        if not holds:
            self.world.violated(f"{self.name} ({self.stage}): {message}")

    def _called(self, what: str, protocol: Any, *stages: str) -> bool:
        """Check what every callback has in common; whether it may go on."""
        self.world.tell(f"  {self.name} {what}")
        self.machine.calls += 1
        if self.stage not in stages:
            self.must(False, f"{what} was called")
            return False
        if self.transport is not None:
            self.must(self.transport.get_protocol() is protocol, f"{what} went to a protocol that was replaced")
        return True

    # --- What the transport tells ---------------------------------------------------------------------------------

    def made(self, protocol: Any, transport: Transport) -> None:
        """connection_made."""
        if self._called("connection_made", protocol, "new"):
            self.stage, self.transport = "open", transport
            if self.role == "client":
                self._is_connected()
            self.last_input = self.last_output = self.not_waiting = self.machine.now()
            self.world.pair_up(self)
            self.world.users.provoke(self, "made")

    def _is_connected(self) -> None:
        """An attempt that was refused is no connection. (One from a backlog may have been reset there.)"""
        assert isinstance(self.transport, Connection)
        try:
            self.transport.socket.getpeername()
        except OSError as exc:
            self.must(False, f"connection_made, and it is not connected: {exc}")

    def came(self, protocol: Any, data: bytes) -> None:
        """data_received, and its like."""
        if not self._called(f"received {len(data)}", protocol, "open") or self.transport is None:
            return
        self.last_input = self.machine.now()
        self.must(self.world.calling == 0, "input was delivered from inside a call")
        self.must(not self.paused, "input was delivered while reading is paused")
        self.must(self.transport.recipient is protocol, "input went to who is not the recipient")
        self.must(not self.transport.is_closing(), "input was delivered while closing")
        if not self.given_back:
            self.must(0 < len(data) <= self.options.read_size, f"one read brought {len(data)} bytes")
        self.must(type(data) is bytes, f"input came as {type(data)}")
        self.chunk = (data, bytes(data))
        if self.take(data):
            self.incoming.received += len(data)
            self.world.users.digest(self, data, protocol)

    def frame(self, protocol: Framed, frame: bytes) -> None:
        """frame_received."""
        if not self._called(f"received a frame of {len(frame)}", protocol, "open") or self.transport is None:
            return
        assert self.link is not None
        self.last_input = self.machine.now()
        self.must(not self.paused, "a frame was delivered while reading is paused")
        at = (self.machine.ticks, id(protocol))
        self.frames_at, self.frames = at, 1 if at != self.frames_at else self.frames + 1
        self.must(self.frames <= protocol.frames_per_tick, f"{self.frames} frames in one tick")
        self.must(self.transport.recipient is protocol, "a frame went to who is not the recipient")
        data = self.link.codec.encode(frame)
        if self.take(data):
            self.incoming.received += len(data)
            self.world.users.provoke(self, "frame")

    def take(self, data: bytes) -> bool:
        """Compare what came with what must come; whether it is that."""
        stream = self.incoming
        expected = stream.at(len(data))
        end = stream.received + len(data)
        if end > stream.written and data == expected[: len(data)]:
            self.must(False, f"received up to byte {end}, of which only {stream.written} were written")
        elif data != expected:
            first = next((i for i, pair in enumerate(zip(data, expected, strict=False)) if pair[0] != pair[1]), -1)
            elsewhere = stream.made.find(data[:64])
            self.must(False, f"wrong bytes from {stream.received} + {first} on: they stand at {elsewhere}")
        else:
            return True
        return False

    def eof(self, protocol: Any) -> None:
        """eof_received."""
        if not self._called("eof_received", protocol, "open"):
            return
        self.stage, self.saw_eof, self.last_input = "ended", True, self.machine.now()
        self.must(not self.paused, "eof_received was called while reading is paused")
        self.machine.world.oracle.eof(self)
        self.world.users.provoke(self, "eof")

    def lost(self, protocol: Any, exc: BaseException | None) -> None:
        """connection_lost."""
        if not self._called(f"connection_lost({exc!r:.60})", protocol, "open", "ended") or self.transport is None:
            return
        self.must(self.transport.is_closing(), "connection_lost, and the transport is not closing")
        self.transport, self.stage = None, "over"
        self.lost_with = exc
        if self.service is not None:
            self.service.lost["clean" if exc is None else type(exc).__name__] += 1
        self._judge(exc)
        if isinstance(exc, ReactorError):
            self.taint(f"ended with {type(exc).__name__}")
        self.machine.world.oracle.ended(self)
        self.world.users.provoke(self, "lost")

    def _judge(self, exc: BaseException | None) -> None:
        """Whether the reason is one that there can be, and not too early."""
        now, options = self.machine.now(), self.options
        self.must(self.certain in (None, exc), f"connection_lost got {exc!r}, not {self.certain!r}")
        if isinstance(exc, PlannedError):
            self.must(exc in self.reasons, f"connection_lost got somebody else's {exc!r}")
        elif isinstance(exc, IdleTimeoutError):
            assert options.idle_timeout is not None
            self.must(now - self.last_input >= options.idle_timeout - EARLY, f"idle too early: {exc}")
            self.must(now - self.last_output >= options.idle_timeout - EARLY, f"idle too early, output left: {exc}")
        elif isinstance(exc, WriteTimeoutError):
            assert options.write_timeout is not None
            self.must(now - self.progress >= options.write_timeout - EARLY, f"write timeout too early: {exc}")
        elif isinstance(exc, LimitError):
            bounded = options.budget is not None if isinstance(exc, BudgetExceededError) else True
            self.must(bounded, f"a limit that there is not: {exc}")
        elif exc is not None:
            self.must(isinstance(exc, OSError | DeadlineError | IncompleteFrameError), f"ended with {exc!r}")

    def pause(self, protocol: Any) -> None:
        """pause_writing."""
        if self._called("pause_writing", protocol, "open", "ended"):
            self.must(not self.congested, "pause_writing twice")
            self.congested = True
            self.world.users.provoke(self, "pause")

    def resume(self, protocol: Any) -> None:
        """resume_writing."""
        if self._called("resume_writing", protocol, "open", "ended"):
            self.must(self.congested, "resume_writing without a pause")
            assert self.transport is not None
            size, (low, _) = self.transport.get_write_buffer_size(), self.transport.get_write_buffer_limits()
            self.must(size <= low, f"resume_writing with {size} bytes waiting, the low mark is {low}")
            self.congested = False
            self.world.users.provoke(self, "resume")


class _Told:
    """The callbacks that all of them have, passed on to the end."""

    end: End

    def connection_made(self, transport: Transport) -> None:
        self.end.made(self, transport)

    def eof_received(self) -> bool | None:
        self.end.eof(self)
        self.end.kept = self.end.keeps_open
        return self.end.keeps_open

    def connection_lost(self, exc: BaseException | None) -> None:
        self.end.lost(self, exc)

    def pause_writing(self) -> None:
        self.end.pause(self)

    def resume_writing(self) -> None:
        self.end.resume(self)


class Raw(_Told, Protocol):
    """Reads its stream as bytes."""

    def __init__(self, end: End) -> None:
        self.end = end

    def data_received(self, data: bytes) -> None:
        self.end.came(self, data)


class Memory(_Told, BufferedProtocol):
    """Reads its stream into its own memory."""

    def __init__(self, end: End) -> None:
        self.end = end
        self.buffer = bytearray()

    def get_buffer(self, sizehint: int) -> bytearray:
        self.end.must(not self.end.paused, "get_buffer was called while reading is paused")
        self.buffer = bytearray(self.end.world.random.choice((1, 9, 300, 5000, 70_000)))
        self.end.world.users.provoke(self.end, "buffer")
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.end.came(self, bytes(self.buffer[:nbytes]))


class Framed(FramedProtocol[bytes]):
    """Reads its stream frame by frame."""

    def __init__(self, end: End, codec: Codec[bytes]) -> None:
        self.end = end
        self.codec = codec

    def connection_made(self, transport: Transport) -> None:
        super().connection_made(transport)
        self.end.made(self, transport)

    def frame_received(self, frame: bytes) -> None:
        self.end.frame(self, frame)

    def eof_received(self) -> bool | None:
        super().eof_received()
        self.end.eof(self)
        return self.end.keeps_open

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self.end.lost(self, exc)

    def pause_writing(self) -> None:
        self.end.pause(self)

    def resume_writing(self) -> None:
        self.end.resume(self)


class Slow(Framed):
    """The same, and only a few in each tick."""

    frames_per_tick = 3
