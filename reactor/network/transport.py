"""What you tell a connection: the methods of a transport.

A transport is the writing end of a protocol's conversation, and its brake. Nothing here blocks: `write` takes the
bytes and returns, and what the kernel does not accept yet is kept, within the limits of `ConnectionOptions`, until it
does.

Names and meanings are those of asyncio's transports. Four things are added: `close` and `abort` take a reason for
`connection_lost`; `unread` gives input back; `set_read_limit` bounds a read; `recipient` says who may be given input
at this moment.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, TypeAlias

from reactor.network.protocol import BaseProtocol

__all__ = ["Buffer", "Transport"]

Buffer: TypeAlias = bytes | bytearray | memoryview


class Transport(ABC):
    """A connected byte stream, as a protocol sees it."""

    __slots__ = ()

    recipient: BaseProtocol | None
    """The protocol that may be given input now; `None` while reading is paused, or over.

    A protocol that hands out several messages from one read compares this with itself after each, and stops as soon
    as it is no longer the recipient.
    """

    @abstractmethod
    def write(self, data: Buffer) -> None:
        """Send `data` after everything written before. The bytes are yours again when this returns.

        Raises `TypeError` if `data` is not bytes-like and `RuntimeError` after `write_eof()`. After `close()` or
        `abort()` the data is ignored.
        """

    @abstractmethod
    def writelines(self, chunks: Iterable[Buffer]) -> None:
        """Send the concatenation of `chunks`, as one `write` would."""

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
        """Look up `"socket"`, `"peername"`, `"sockname"`; `default` for anything that is not known."""

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
    def set_protocol(self, protocol: BaseProtocol) -> None:
        """From now on call `protocol`. Input that the old one holds unused (`release_input`) goes to the new one."""

    @abstractmethod
    def get_protocol(self) -> BaseProtocol:
        """The protocol in place. Raises `RuntimeError` after `connection_lost`."""
