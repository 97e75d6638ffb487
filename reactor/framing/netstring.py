"""Netstrings: the length in decimal digits, a colon, the frame, a comma. `12:hello world!,`

D. J. Bernstein's answer to delimiters ("Netstrings", 1997): as readable as a line, and yet the frame may contain
anything. The comma carries no information; it is there so that a peer that counts wrongly is noticed at once, instead
of every length after it being read from the middle of a frame.

Read strictly, as the text demands: only digits, no leading zero (the empty frame is `0:,`), no space, no comma missing.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import ClassVar

from reactor.errors import FrameTooLongError, FramingError
from reactor.framing.announced import AnnouncedCodec
from reactor.framing.buffered import check_frame
from reactor.framing.codec import Oversize

__all__ = ["NetstringCodec"]

MAX_DIGITS = 18
"""A frame to be discarded may announce up to so many digits: more than any connection lives to see."""


@dataclass(frozen=True, slots=True)
class NetstringCodec(AnnouncedCodec):
    """Frames as netstrings.

    `max_length` is the most bytes of a frame, without what stands around it. `oversize` says what becomes of a longer
    one: an error, or as many bytes as it announced, and the one after them, are discarded unseen. Raises `OptionError`
    if `max_length` is below 0.
    """

    max_length: int = 1024 * 1024
    _: KW_ONLY
    oversize: Oversize | str = Oversize.ERROR
    _max_digits: int = field(init=False, repr=False, compare=False)

    trailer: ClassVar[bytes] = b","
    """What stands behind every frame."""

    def __post_init__(self) -> None:
        self._check_limits()
        # To discard a frame, its length must be read to the end. Otherwise more digits than those of the longest
        # frame say enough.
        discards = self.oversize is Oversize.DISCARD
        object.__setattr__(self, "_max_digits", MAX_DIGITS if discards else len(str(self.max_length)))

    @property
    def max_size(self) -> int:
        return max(self._max_digits + 1, len(str(self.max_length)) + 1 + self.max_length + 1)

    def encode(self, frame: bytes) -> bytes:
        check_frame(frame, self.max_length)
        return b"%d:%b," % (len(frame), frame)

    def read_prefix(self, data: bytes, position: int) -> tuple[int, int] | None:
        digits, colon, _ = data[position : position + self._max_digits + 1].partition(b":")
        if not digits.isdigit() and (digits or colon):
            raise FramingError(f"a netstring begins with {digits + colon!r}, not with its length")
        if digits.startswith(b"0") and digits != b"0":
            raise FramingError(f"the length {digits!r} has a leading zero")
        if len(digits) > self._max_digits:
            raise FrameTooLongError(f"a length of more than {len(digits) - 1} digits, max_length is {self.max_length}")
        if not colon:
            return None
        return position + len(digits) + 1, int(digits)
