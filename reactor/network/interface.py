"""The contract between a connection and you: what it tells a protocol, and what you tell its transport.

A non-blocking program is turned inside out. Instead of asking the kernel for the next bytes and waiting, it says
once what shall happen when bytes are there, and returns. A *protocol* is the object that holds these answers: one
object a connection, made by the factory that was given to `listen` or `connect`. Its callbacks come in an order that
it can rely on:

    connection_made  ->  data_received*  ->  [eof_received]  ->  connection_lost

`connection_made` is first and comes once. `connection_lost` is last and comes exactly once, whatever happened.
`pause_writing` and `resume_writing` alternate in between. All are called in the reactor's thread, one at a time, so
none needs a lock; and while one runs, nothing else of this reactor does, so none may block.

A *transport* is the writing end of that conversation, and its brake. Nothing of it blocks: `write` takes the bytes and
returns, and what the kernel does not accept yet is kept, within the limits of `ConnectionOptions`, until it does.

Names and meanings are those of asyncio's protocols and transports. The protocol classes hold no state and are optional:
an object with these methods is a protocol, whatever it inherits from. Four things are added to transports: `close` and
`abort` take a reason for `connection_lost`; `unread` gives input back; `set_read_limit` bounds a read; `recipient` says
who may be given input at this moment.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any
from typing import Protocol as Structure

from reactor.buffering.owned_bytes import Buffer

__all__ = ["AnyProtocol", "BaseProtocol", "Buffer", "BufferedProtocol", "Protocol", "Transport"]


class AnyProtocol(Structure):
    """What is a protocol, whatever it inherits from. It has `data_received` or `buffer_updated` besides."""

    def connection_made(self, transport: Any, /) -> None:
        """As in `BaseProtocol`."""

    def connection_lost(self, exc: Any, /) -> None:
        """As in `BaseProtocol`."""

    def pause_writing(self) -> None:
        """As in `BaseProtocol`."""

    def resume_writing(self) -> None:
        """As in `BaseProtocol`."""


class BaseProtocol:
    """What every protocol is told: that its connection begins, ends, and cannot take more output just now."""

    __slots__ = ()

    def connection_made(self, transport: Transport) -> None:
        """The connection stands. Keep `transport`: it is the only way to answer."""

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection is over and nothing else will be called.

        `exc` is `None` after a clean end and after one's own `close()` or `abort()`. Otherwise it is what ended the
        connection: an `OSError` from the kernel as it came, a `LimitError` or `DeadlineError` that names which, or
        the very exception that one of this protocol's callbacks raised.
        """

    def pause_writing(self) -> None:
        """More than the high-water mark of bytes is waiting for the peer: stop writing if you can."""

    def resume_writing(self) -> None:
        """The waiting bytes fell to the low-water mark: writing makes sense again."""


class Protocol(BaseProtocol):
    """A protocol that is given its input as `bytes`."""

    __slots__ = ()

    def data_received(self, data: bytes) -> None:
        """Some bytes arrived: at least one, and cut wherever the network happened to cut them."""

    def eof_received(self) -> bool | None:
        """The peer will send nothing more.

        Return true to keep the writing half of the connection open, until `write_eof()` or `close()`; otherwise the
        transport sends what is still waiting and closes.
        """


class BufferedProtocol(BaseProtocol):
    """A protocol that owns the memory its input is read into, for those who know the size of what comes."""

    __slots__ = ()

    def get_buffer(self, sizehint: int) -> bytearray | memoryview:
        """Return a writable buffer of at least one byte; `sizehint` (bytes) is a suggestion, -1 means none."""
        raise NotImplementedError("a BufferedProtocol must define get_buffer()")

    def buffer_updated(self, nbytes: int) -> None:
        """The first `nbytes` bytes of the buffer that `get_buffer` returned last were filled."""

    def eof_received(self) -> bool | None:
        """As in `Protocol.eof_received`."""


class Transport(ABC):
    """A connected byte stream, as a protocol sees it."""

    __slots__ = ()

    recipient: AnyProtocol | None
    """The protocol that may be given input now; `None` while reading is paused, or over.

    A protocol that hands out several messages from one read compares this with itself after each, and stops as soon
    as it is no longer the recipient.
    """

    @abstractmethod
    def write(self, data: Buffer) -> None:
        """Send `data` after everything written before. The bytes are yours again when this returns.

        Raises `TypeError` if `data` is not bytes-like and `MisuseError` (a `RuntimeError`) after `write_eof()`. After
        `close()` or `abort()` the data is ignored.
        """

    @abstractmethod
    def writelines(self, chunks: Iterable[Buffer]) -> None:
        """Send the concatenation of `chunks`, as one `write` would. Raises what `write` raises."""

    @abstractmethod
    def write_eof(self) -> None:
        """Send what is waiting, then end the writing half (TCP: FIN). Reading goes on."""

    @abstractmethod
    def can_write_eof(self) -> bool:
        """Whether `write_eof` is supported."""

    @abstractmethod
    def close(self, reason: BaseException | None = None) -> None:
        """Send what is waiting, then end the connection; input is no longer delivered.

        `reason`, if given, is what `connection_lost` will be told. The end waits for the peer's end of stream, no
        longer than the drain timeout: closing a socket with unread input would make the kernel send a reset, and a
        reset destroys what the peer has not read yet (RFC 1122 section 4.2.2.13).
        """

    @abstractmethod
    def abort(self, reason: BaseException | None = None) -> None:
        """End the connection now. Unsent bytes are lost, and the peer sees a reset (RFC 9293 section 3.10.5)."""

    @abstractmethod
    def is_closing(self) -> bool:
        """Whether the connection is closed or on its way to it."""

    @abstractmethod
    def pause_reading(self) -> None:
        """Deliver no input until `resume_reading()`; the peer is slowed down by TCP's own flow control."""

    @abstractmethod
    def resume_reading(self) -> None:
        """Deliver input again. Never delivers from inside this call."""

    @abstractmethod
    def is_reading(self) -> bool:
        """Whether input is being delivered: neither paused nor closing nor ended."""

    @abstractmethod
    def unread(self, data: bytes) -> None:
        """Give input back: it is delivered again, before anything newer, once the current callback has returned.

        It goes to whichever protocol is then in place, as soon as that one may read. With `b""` this is a request to
        be called again: `data_received(b"")`, before the socket is read.
        """

    @abstractmethod
    def set_read_limit(self, size: int | None) -> None:
        """Let one read bring at most `size` bytes; `None`: as many as the options say. For those who hold a part."""

    @abstractmethod
    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Look up `"socket"`, `"peername"`, `"sockname"`, `"options"`; `default` for anything that is not known.

        The socket is there to be looked at, and for its options; it cannot be read, written or closed.
        """

    @abstractmethod
    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set the water marks (bytes). `high` defaults to the options' mark or four times `low`; `low` to a quarter."""

    @abstractmethod
    def get_write_buffer_limits(self) -> tuple[int, int]:
        """The water marks `(low, high)`, in bytes."""

    @abstractmethod
    def get_write_buffer_size(self) -> int:
        """All bytes written that have not left yet."""

    @abstractmethod
    def set_protocol(self, protocol: AnyProtocol) -> None:
        """From now on call `protocol`. Input that the old one holds unused (`release_input`) goes to the new one.

        Raises `TypeError` if it is no protocol, `MisuseError` (a `RuntimeError`) after `connection_lost`.
        """

    @abstractmethod
    def get_protocol(self) -> AnyProtocol:
        """The protocol in place. Raises `MisuseError` (a `RuntimeError`) after `connection_lost`."""
