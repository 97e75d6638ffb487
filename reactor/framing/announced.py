"""Frames that announce their length: what length prefixes, varints and netstrings have in common.

The sender says how many bytes will follow, then sends them. So nothing in a frame is forbidden or searched for, and the
receiver knows from the first few bytes whether it wants the rest at all. That is the one decision that matters: the
number comes from the peer, and believing it means to hold 4 GiB because four bytes said so. It is compared with the
maximum before anything is kept for it.

The formats differ in how the number is written, and in whether something follows the frame. A codec says these two
things, and everything else is done here: once the head is known, the decoder waits for the number of bytes it needs
without looking at what comes meanwhile; and an oversize frame is thrown away by counting.
"""

from __future__ import annotations

import sys
from abc import abstractmethod
from typing import ClassVar

from reactor.buffering import Budget
from reactor.buffering.sizes import check_size
from reactor.errors import FrameTooLongError, FramingError
from reactor.framing.buffered import WINDOW, BufferedDecoder
from reactor.framing.codec import Codec, Decoder, Oversize

__all__ = ["AnnouncedCodec"]


class AnnouncedCodec(Codec[bytes]):
    """A codec whose frames begin with their length."""

    __slots__ = ()

    max_length: int
    oversize: Oversize | str
    trailer: ClassVar[bytes] = b""
    """What follows every frame."""

    def decoder(self, budget: Budget | None = None) -> Decoder[bytes]:
        return AnnouncedDecoder(self, budget)

    @abstractmethod
    def read_prefix(self, data: bytes, position: int) -> tuple[int, int] | None:
        """Read the prefix that stands at `position`: return where the frame behind it begins, and its length.

        Return `None` if the prefix is not complete; it never has more than `WINDOW` bytes. Raise `FramingError` as soon
        as it cannot become a legal one any more: then it does not matter how it was cut.
        """

    def cut(self, window: bytes, limit: int) -> tuple[list[bytes], int]:
        """Return up to `limit` frames that stand at the head of `window`, and the raw bytes that they cover together.

        Stops in front of everything that is not a whole and legal frame, without an opinion on what that is.
        """
        frames: list[bytes] = []
        position = 0
        while len(frames) < limit:
            try:
                prefix = self.read_prefix(window, position)
            except FramingError:
                break
            if prefix is None:
                break
            begin, length = prefix
            end = begin + length
            behind = end + len(self.trailer)
            if length > self.max_length or behind > len(window) or window[end:behind] != self.trailer:
                break
            frames.append(window[begin:end])
            position = behind
        return frames, position

    def _check_limits(self) -> None:
        """Make `oversize` the enum's member. Raise `OptionError` if there is none, or if `max_length` is below 0."""
        object.__setattr__(self, "oversize", Oversize.of(self.oversize))  # the subclasses are frozen dataclasses
        check_size("max_length", self.max_length)


class AnnouncedDecoder(BufferedDecoder[bytes]):
    """The frames of one connection."""

    __slots__ = ("_codec", "_needed")

    def __init__(self, codec: AnnouncedCodec, budget: Budget | None = None) -> None:
        super().__init__(budget)
        self._codec = codec
        # With fewer raw bytes than these the first frame cannot be complete, and nothing has to be looked at.
        self._needed = 1

    def clear(self) -> None:
        super().clear()
        self._needed = 1

    def decode(self, limit: int = sys.maxsize) -> list[bytes]:
        buffer = self._buffer
        self._batch = ()
        self._end = 0
        while True:
            if self._discarding:
                thrown_away = min(self._discarding, buffer.size)
                buffer.skip(thrown_away)
                self._discarding -= thrown_away
            if buffer.size < self._needed:
                return []
            window = buffer.peek(max(WINDOW, self._needed))
            self._needed = 1
            frames, end = self._codec.cut(window, limit)
            if frames:
                self._batch = frames
                self._end = end
                return frames
            self._examine(window)

    def _examine(self, window: bytes) -> None:
        """Find out why no frame stands at the head of `window`, which is not empty, and note what to do about it.

        Raises `FramingError` if what stands there is corrupt, `FrameTooLongError` if it is too long to be accepted.
        """
        codec = self._codec
        prefix = codec.read_prefix(window, 0)
        if prefix is None:
            self._needed = len(window) + 1
            return
        begin, length = prefix
        end = begin + length
        behind = end + len(codec.trailer)
        if length > codec.max_length:
            if codec.oversize is Oversize.ERROR:
                raise FrameTooLongError(f"a frame of {length} bytes is announced, max_length is {codec.max_length}")
            self._begin_discarding(behind)
        elif behind > len(window):
            self._needed = behind
        else:
            raise FramingError(f"{window[end:behind]!r} follows a frame of {length} bytes, not {codec.trailer!r}")

    def _measure(self, count: int) -> int:
        return self._codec.cut(self._buffer.peek(self._end), count)[1]
