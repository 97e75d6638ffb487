"""Bytes that tell where they belong.

To see that none was lost, doubled or moved, the receiver must know what comes next. Each direction of each connection
is therefore a stream of its own: frames cut from a table of random bytes, each from another place. What was written is
kept, so that what arrives can be compared with it byte for byte, however the network and the engine cut it.

All streams are made of frames, so that a receiver may read one raw, or through a codec, or first so and then so. A
frame knows nothing of that: the writer cuts its writes anywhere.
"""

from __future__ import annotations

from bisect import bisect_right
from random import Random

from reactor import Codec, LengthPrefixedCodec, LineCodec

__all__ = ["LINES", "LONGEST_FRAME", "PREFIXED", "Stream"]

LONGEST_FRAME = 2048
LINES: Codec[bytes] = LineCodec(max_length=LONGEST_FRAME)
PREFIXED: Codec[bytes] = LengthPrefixedCodec(2, max_length=LONGEST_FRAME)

_SIZE = 65_521  # a prime, so that no sensible number of lost bytes leaves the rest looking right
_TABLE = bytes(Random(1).choices([value for value in range(256) if value not in b"\r\n"], k=_SIZE)) * 2


class Stream:
    """One direction of one connection: what was written, and how far it has been received."""

    __slots__ = ("_frames", "_origin", "boundaries", "codec", "cuts", "made", "received", "sealed", "written")

    def __init__(self, origin: int, codec: Codec[bytes]) -> None:
        """`origin` makes it different from all others; `codec` says how its frames are written."""
        self._origin = origin
        self._frames = 0
        self.codec = codec
        self.made = bytearray()  # the stream as far as it has been thought of
        self.boundaries = [0]  # where its frames begin and end
        self.written = 0  # how much of it was given to a transport
        self.cuts = [0]  # where those writes ended
        self.received = 0  # how much of it has arrived
        self.sealed = False  # the writer has said that this is all

    def next(self, size: int, random: Random) -> bytes:
        """The next `size` bytes to be written; call `wrote` when they are."""
        while len(self.made) < self.written + size:
            self._add_frame(random.choice((0, 1, 3, 20, 100, 700, LONGEST_FRAME)))
        return bytes(memoryview(self.made)[self.written : self.written + size])

    def to_boundary(self, frames: int, random: Random) -> bytes:
        """The next bytes up to the end of a frame, about `frames` of them further on."""
        while len(self.boundaries) <= bisect_right(self.boundaries, self.written) + frames:
            self._add_frame(random.choice((0, 5, 60, 900)))
        end = self.boundaries[bisect_right(self.boundaries, self.written) + frames]
        return bytes(memoryview(self.made)[self.written : end])

    def _add_frame(self, length: int) -> None:
        self._frames += 1
        begin = (self._origin * 7919 + self._frames * 2503) % _SIZE
        self.made += self.codec.encode(_TABLE[begin : begin + length])
        self.boundaries.append(len(self.made))

    def wrote(self, size: int) -> None:
        """The transport took so many bytes."""
        self.written += size
        if size:
            self.cuts.append(self.written)

    def at(self, size: int) -> bytes:
        """The `size` bytes that must arrive next."""
        return bytes(memoryview(self.made)[self.received : self.received + size])

    def is_boundary(self, position: int) -> bool:
        """Whether a frame ends there."""
        return self.boundaries[bisect_right(self.boundaries, position) - 1] == position

    def boundary_before(self, position: int) -> int:
        """The last end of a frame that is not behind `position`."""
        return self.boundaries[bisect_right(self.boundaries, position) - 1]
