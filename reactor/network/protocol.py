"""What a connection tells you: the callbacks of a protocol.

A non-blocking program is turned inside out. Instead of asking the kernel for the next bytes and waiting, it says
once what shall happen when bytes are there, and returns. A *protocol* is the object that holds these answers: one
object a connection, made by the factory that was given to `listen` or `connect`.

The callbacks come in an order that a protocol can rely on:

    connection_made  ->  data_received*  ->  [eof_received]  ->  connection_lost

`connection_made` is first and comes once. `connection_lost` is last and comes exactly once, whatever happened.
`pause_writing` and `resume_writing` alternate in between. All are called in the reactor's thread, one at a time, so
none needs a lock; and while one runs, nothing else of this reactor does, so none may block.

The names and meanings are those of asyncio's protocols. The base classes hold no state and are optional: an object
with these methods is a protocol, whatever it inherits from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reactor.network.transport import Transport

__all__ = ["BaseProtocol", "BufferedProtocol", "Protocol"]


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
