"""The contract of every codec: bytes in, frames out, in any portions.

A stream has no messages. Two programs that talk over one agree on a *framing*: some bytes that say where a message,
a frame, ends. A `Codec` is such an agreement, with its limits: immutable, made once, shared by all connections. A
`Decoder` is what one connection knows at the moment: the bytes that have come and are not yet a delivered frame.

Decoding has three outcomes, and the end of the stream is a separate question:

    a frame      decode() returns it, with those that stand behind it
    need more    decode() returns []
    corrupt      decode() raises the FramingError, once every frame before it was delivered
    the end      finish() raises IncompleteFrameError if the stream ended inside a frame

What every codec here promises, and what the tests hold each of them to:

- *The cut does not matter.* However a stream is cut into pieces, the frames are the same, and so is the error.
- *The work is linear.* A frame that comes byte by byte costs a constant amount of work per byte.
- *The memory is bounded.* After `decode` and `consume`, no more is held than the largest legal frame or the last
  piece, whichever is larger. A peer cannot make a decoder hold what it will never accept.
- *No byte is lost or delivered twice.* `decode` does not consume. Its caller delivers as many of the frames as it
  wants, says how many with `consume`, and all other bytes are still there: for the next `decode`, or, after `release`,
  for whoever reads the stream from here on.

That last point is why the interface has these steps instead of one "give me the next frame". Frames are found in
batches, because finding a hundred frames by one call into C costs a tenth of a hundred calls; and yet the handler
of the third frame may close the connection, pause it, or switch it to another protocol, and then the other
ninety-seven must be bytes again.

A codec knows no connection: it neither reads nor writes, and has no idea of time.
"""

from __future__ import annotations

import enum
import sys
from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from reactor.buffering import Budget
from reactor.errors import OptionError

__all__ = ["Codec", "Decoder", "FrameT", "Oversize"]

FrameT = TypeVar("FrameT")


class Oversize(enum.Enum):
    """What a decoder does about a frame that is longer than the codec's maximum.

    A codec offers both where frames stand for themselves and the format says where an oversize one ends: at its
    delimiter, or as many bytes ahead as it has announced. Frames of fixed length cannot be too long.
    """

    ERROR = "error"
    """`decode` raises `FrameTooLongError`. The decoder stands still at that frame, and so does the connection."""

    DISCARD = "discard"
    """The bytes of the frame are thrown away as they come, none is kept, and decoding goes on behind it.

    `Decoder.discarded` counts it, and `FramedProtocol.frames_discarded` is told.
    """

    @classmethod
    def of(cls, value: Oversize | str) -> Oversize:
        """Return the policy that `value` is or names. Raises `OptionError` if there is none."""
        try:
            return cls(value)
        except ValueError:
            raise OptionError(f"oversize must be 'error' or 'discard', not {value!r}") from None


class Codec(ABC, Generic[FrameT]):
    """A framing and its limits: immutable, and shared by any number of connections."""

    __slots__ = ()

    @property
    @abstractmethod
    def max_size(self) -> int:
        """The bytes of the largest legal frame on the wire, with its prefix and its delimiter."""

    @abstractmethod
    def decoder(self, budget: Budget | None = None) -> Decoder[FrameT]:
        """Return the state of a new connection. The bytes it holds are counted in `budget`."""

    @abstractmethod
    def encode(self, frame: FrameT) -> bytes:
        """Return the bytes that a decoder of this codec turns into `frame`.

        Raises `EncodeError` if there are none: the frame is too long, its length does not fit the prefix, it contains
        the delimiter. Raises `TypeError` if `frame` is not of the codec's frame type.
        """

    def decode_all(self, data: bytes) -> list[FrameT]:
        """Return the frames of `data`, which is a whole stream: from its first byte to its end.

        Raises what `Decoder.decode` and `Decoder.finish` raise.
        """
        decoder = self.decoder()
        decoder.feed(data)
        frames: list[FrameT] = []
        while batch := decoder.decode():
            frames += batch
            decoder.consume(len(batch))
        decoder.finish()
        return frames


class Decoder(ABC, Generic[FrameT]):
    """One connection's way from bytes to frames.

        decoder.feed(data)
        while frames := decoder.decode():
            for count, frame in enumerate(frames, start=1):
                handle(frame)                       # may want to stop after this one
            decoder.consume(count)
    """

    __slots__ = ()

    @property
    @abstractmethod
    def buffered(self) -> int:
        """The raw bytes held: fed, and neither consumed nor released."""

    @property
    def discarded(self) -> int:
        """How many oversize frames were thrown away so far, one that still comes in included.

        It grows in `decode`: what is counted there stood before the frames that this call returns.
        """
        return 0

    @abstractmethod
    def feed(self, data: bytes) -> None:
        """Add the next bytes of the stream, none included.

        Raises `BudgetExceededError` if the budget does not allow to hold them; then nothing has changed.
        """

    @abstractmethod
    def decode(self, limit: int = sys.maxsize) -> list[FrameT]:
        """Return the next frames, at least one if there is one and at most `limit` (1 or more), without consuming them.

        An empty list means that more bytes are needed. A full batch does not mean that these were all: ask again
        after `consume`. The list is still the decoder's: read it, do not change it.

        Raises a `FramingError` if what comes next is corrupt, `FrameTooLongError` if it is too long and the codec does
        not discard. Frames before it are returned first. Asked again, it raises again.
        """

    @abstractmethod
    def covered(self, count: int) -> int:
        """Return how many raw bytes the first `count` frames of the last `decode` take up.

        Cheap for all of them. Raises `MisuseError` if the last `decode` returned fewer, or was consumed already.
        """

    @abstractmethod
    def consume(self, count: int) -> None:
        """The first `count` frames of the last `decode` were delivered: forget their bytes, and the batch.

        Raises `MisuseError` as `covered` does.
        """

    @abstractmethod
    def release(self) -> bytes:
        """Return all raw bytes held and forget them: they are for whoever reads the stream from here on.

        What was thrown away of an oversize frame stays thrown away; the rest of it is not recognised any more.
        """

    @abstractmethod
    def finish(self) -> None:
        """The stream has ended. To be called when `decode` has returned an empty list.

        Raises `IncompleteFrameError` if it ended inside a frame, one that is being discarded included.
        """

    @abstractmethod
    def clear(self) -> None:
        """Forget everything, and give the bytes back to the budget."""
