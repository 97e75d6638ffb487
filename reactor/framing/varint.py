"""Frames behind a varint: the length in groups of seven bits, as Protocol Buffers writes messages one after another.

Each byte carries seven bits of the number, the least significant first, and its top bit says whether another byte
follows (Protocol Buffers, "Encoding": base 128 varints). Short frames pay one byte, and no length is out of reach: ten
bytes hold 64 bits.

The same number can be written with useless zero groups behind it. Such a prefix is refused as corrupt: no encoder
writes it, and two spellings of one length are how two programs come to disagree about a stream.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field

from reactor.errors import FrameTooLongError, FramingError
from reactor.framing.announced import AnnouncedCodec
from reactor.framing.buffered import check_frame
from reactor.framing.codec import Oversize

__all__ = ["VarintCodec"]

MAX_PREFIX = 10
"""A number of 64 bits has ten groups of seven."""


@dataclass(frozen=True, slots=True)
class VarintCodec(AnnouncedCodec):
    """Frames behind their length as a base 128 varint.

    `max_length` is the most bytes of a frame, without the prefix. `oversize` says what becomes of a longer one: an
    error, or as many bytes as it announced are discarded. Raises `OptionError` if `max_length` is below 0.
    """

    max_length: int = 1024 * 1024
    _: KW_ONLY
    oversize: Oversize | str = Oversize.ERROR
    _max_prefix: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._check_limits()
        # To discard a frame, its length must be read to the end. Otherwise a prefix with more bytes than that of the
        # longest frame says enough.
        discards = self.oversize is Oversize.DISCARD
        object.__setattr__(self, "_max_prefix", MAX_PREFIX if discards else len(encode_varint(self.max_length)))

    @property
    def max_size(self) -> int:
        return max(self._max_prefix, len(encode_varint(self.max_length)) + self.max_length)

    def encode(self, frame: bytes) -> bytes:
        check_frame(frame, self.max_length)
        return encode_varint(len(frame)) + frame

    def read_prefix(self, data: bytes, position: int) -> tuple[int, int] | None:
        prefix = data[position : position + self._max_prefix]
        length = 0
        for index, byte in enumerate(prefix):
            length |= (byte & 0x7F) << (7 * index)
            if byte < 0x80:
                if index and not byte:
                    raise FramingError(f"the length {length} is written with useless bytes: {prefix[: index + 1]!r}")
                if length >= 1 << 64:
                    raise FramingError(f"the length {length} has more than 64 bits")
                return position + index + 1, length
        if len(prefix) == self._max_prefix:
            raise FrameTooLongError(f"a length of more than {len(prefix)} bytes, max_length is {self.max_length}")
        return None


def encode_varint(number: int) -> bytes:
    """Return `number`, which is not negative, as a base 128 varint."""
    groups = bytearray()
    while number >= 0x80:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)
