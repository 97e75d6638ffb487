"""What all decoders have in common: a buffer, and the batch that was found last.

`decode` is each format's own. Everything else follows from two facts that it leaves behind: which frames it found, and
how many raw bytes they cover together.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from reactor.buffering import Budget, ReceiveBuffer
from reactor.errors import EncodeError, IncompleteFrameError, MisuseError
from reactor.framing.codec import Decoder, FrameT

__all__ = ["WINDOW", "BufferedDecoder", "check_frame"]

WINDOW = 16 * 1024
"""How many bytes are searched for frames at once, unless the first frame alone is larger.

A batch is limited in frames, not in bytes, and what lies behind the last frame of it is looked at in vain. With the
window that is never more than this; without it, 8 MB of short frames fetched in small batches would be quadratic.
"""


class BufferedDecoder(Decoder[FrameT]):
    """A decoder that keeps its bytes in a `ReceiveBuffer`. To be completed by `decode` and `_measure`."""

    __slots__ = ("_batch", "_buffer", "_discarding", "_end", "discarded")

    discarded: int

    def __init__(self, budget: Budget | None = None) -> None:
        self._buffer = ReceiveBuffer(budget=budget)
        self._batch: Sequence[FrameT] = ()  # the frames of the last decode(), until they are consumed
        self._end = 0  # the raw bytes that they cover together
        # How many bytes are still to be thrown away of an oversize frame; -1: those up to its delimiter.
        self._discarding = 0
        self.discarded = 0

    @property
    def buffered(self) -> int:
        return self._buffer.size

    def feed(self, data: bytes) -> None:
        self._buffer.feed(data)

    def covered(self, count: int) -> int:
        if count == len(self._batch):
            return self._end
        if not 0 <= count < len(self._batch):
            raise MisuseError(f"{count} frames are to be counted, the last decode() returned {len(self._batch)}")
        return self._measure(count) if count else 0

    def consume(self, count: int) -> None:
        self._buffer.skip(self._end if count == len(self._batch) else self.covered(count))
        self._batch = ()
        self._end = 0

    def release(self) -> bytes:
        rest = self._buffer.take_all()
        self.clear()
        return rest

    def finish(self) -> None:
        if self._buffer.size or self._discarding:
            raise IncompleteFrameError(f"the stream ended inside a frame, of which {self._buffer.size} bytes are held")

    def clear(self) -> None:
        self._buffer.clear()
        self._batch = ()
        self._end = 0
        self._discarding = 0

    def _begin_discarding(self, length: int) -> None:
        """The frame that stands first is too long: throw away `length` bytes, or up to its delimiter if that is -1."""
        self._discarding = length
        self.discarded += 1

    @abstractmethod
    def _measure(self, count: int) -> int:
        """The raw bytes of the first `count` frames of the batch; `count` is at least 1 and less than all."""


def check_frame(frame: object, max_length: int) -> None:
    """Raise `TypeError` if `frame` is not `bytes`, `EncodeError` if it is longer than `max_length` bytes."""
    if not isinstance(frame, bytes):
        raise TypeError(f"a frame must be bytes, not {type(frame).__name__}")
    if len(frame) > max_length:
        raise EncodeError(f"the frame has {len(frame)} bytes, max_length is {max_length}")
