r"""RESP: the values that Redis and its clients exchange.

The Redis serialization protocol, version 2 ("Redis serialization protocol specification"), is what a Redis server has
spoken since 2.0, and what dozens of stores, queues and proxies speak because every language has a client for it. A
value begins with a byte that says of which kind it is, and every head ends with `\r\n`:

    +OK\r\n                          a status, a short text             RespStatus(b"OK")
    -ERR unknown command\r\n         an error, as well                  RespError(b"ERR unknown command")
    :1000\r\n                        an integer of 64 bits              1000
    $5\r\nhello\r\n                  a string of any bytes              b"hello"
    *2\r\n:1\r\n$1\r\na\r\n          an array of values                 [1, b"a"]
    $-1\r\n  and  *-1\r\n            nothing                            None

Here two framings meet. Statuses and errors are lines, which have to be searched for their end; strings and arrays
announce what follows. The announcement is a peer's word, and arrays may lie in arrays: a dozen bytes can announce a
billion elements, and four bytes a level make a tower that breaks whoever climbs it by recursion. So a frame has three
bounds, its bytes, its elements and its depth, and each is checked before anything is built on the strength of it.

A frame can come byte by byte. Taking it apart anew for each byte would be quadratic, and to keep the values that are
ready would hold all of it twice. So an incomplete frame is only *measured*: `Extent` knows how far it has looked and
how many elements each open array still lacks, and it is also the one that finds fault. Values are made when the frame
is complete, by `build` in `resp_values.py`, which can then trust what it reads.

What is sent is nearly always of a few shapes, requests an array of short strings, and mostly many in a row.
`RespCodec.cut` knows these only, and takes them apart with a few calls a frame; on meeting anything else it stops.

*Inline commands* are for people: with `inline`, a line that begins like no value is a list of words, as if typed into a
shell, quotes included. An empty line is an empty list. And as a Redis server does, it takes a frame that is an array
with any negative count for nothing; elsewhere, only -1 is.

Frames that are too long are never skipped: answers are matched with requests by their order, and one that vanished
would give its answer to the next. Of version 3 nothing is known here; its kinds are corrupt.
"""

from __future__ import annotations

import re
import sys
from dataclasses import KW_ONLY, dataclass
from typing import cast

from reactor.buffering import Budget, ReceiveBuffer
from reactor.buffering.sizes import check_size
from reactor.errors import EncodeError, FrameTooLongError, FramingError, OptionError
from reactor.framing.buffered import WINDOW, BufferedDecoder
from reactor.framing.codec import Codec, Decoder
from reactor.framing.resp_values import (
    CR,
    CRLF,
    HEADS,
    LF,
    RespError,
    RespStatus,
    RespValue,
    build,
    write,
    write_array,
)
from reactor.framing.words import split_words

__all__ = ["RespCodec", "RespError", "RespStatus", "RespValue"]

SHORTEST = 3
"""The bytes of the shortest value: an empty status."""
LONGEST_HEAD = 23
"""The bytes of the longest head with a number: its kind, a sign, 19 digits of 64 bits, and the end of the line."""
STEP = 256
"""The bytes that are searched at once for the end of a line: most lines are shorter, and the next is not ours yet."""
LONGEST_LINE = 64 * 1024
"""The bytes of the longest inline command, which is Redis' bound too: a word is kept for as little as two of them."""
DEEPEST = 100
"""Values are built and encoded by recursion."""
COUNTS = {b"*%d" % count: count for count in range(1, 257)}
"""The heads of the arrays that `cut` takes apart, and how many elements they announce."""
LENGTHS = {b"$": "bulk length", b"*": "multibulk length"}
LENGTH = re.compile(rb"-1|0|[1-9][0-9]{0,18}")
NEGATIVE = re.compile(rb"-[1-9][0-9]{0,18}")
INTEGER = re.compile(rb"[+-]?[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class RespCodec(Codec[RespValue]):
    """Values of RESP, version 2.

    `max_length` is the most bytes of a frame on the wire, with everything in it. `max_depth`: an array of arrays has
    depth 2, and so on. `max_elements` is how many elements all arrays of a frame have together. A frame beyond one of
    these is a `FrameTooLongError`. `inline`: accept what a server of Redis accepts, inline commands above all.

    Raises `OptionError` if `max_length` is below 3, `max_depth` is not from 1 to 100, or `max_elements` is below 0.
    """

    max_length: int = 1024 * 1024
    _: KW_ONLY
    max_depth: int = 8
    max_elements: int = 65_536
    inline: bool = False

    def __post_init__(self) -> None:
        check_size("max_length", self.max_length, SHORTEST)
        for name, least, most in ("max_depth", 1, DEEPEST), ("max_elements", 0, sys.maxsize):
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= most:
                raise OptionError(f"{name} is a number from {least} to {most}, not {value!r}")

    @property
    def max_size(self) -> int:
        return self.max_length

    def decoder(self, budget: Budget | None = None) -> Decoder[RespValue]:
        return RespDecoder(self, budget)

    def encode(self, frame: RespValue) -> bytes:
        if type(frame) is not list:
            data = write(frame)
            self._check_size(len(data))
            return data
        parts: list[bytes] = []
        elements = write_array(frame, parts, self.max_depth)
        if elements > self.max_elements:
            raise EncodeError(f"the frame has {elements} elements, max_elements is {self.max_elements}")
        self._check_size(sum(map(len, parts)))
        return b"".join(parts)

    def _check_size(self, size: int) -> None:
        if size > self.max_length:
            raise EncodeError(f"the frame has {size} bytes, max_length is {self.max_length}")

    def cut(self, window: bytes, limit: int) -> tuple[list[RespValue], int]:
        """Return up to `limit` frames that stand at the head of `window`, and the raw bytes that they cover together.

        Knows lines, strings without an end of a line in them, and arrays of such strings. Stops in front of everything
        else, without an opinion on what that is.
        """
        frames: list[RespValue] = []
        lines = window.split(CRLF)
        last = len(lines) - 1  # what stands behind the last end of a line is not a whole one
        index = 0
        while index < last and len(frames) < limit:
            head = lines[index]
            value: RespValue
            if 0 < (count := COUNTS.get(head, 0)) <= self.max_elements:
                end = index + 1 + 2 * count
                # Heads and strings take turns. If each head announces the length of the line behind it, no end of a
                # line in this frame was part of a string.
                strings = lines[index + 2 : end : 2]
                if end > last or lines[index + 1 : end : 2] != [HEADS[len(string)] for string in strings]:
                    break
                value = cast("list[RespValue]", strings)
            elif head.startswith(b"$"):
                end = index + 2
                value = lines[index + 1]
                if end > last or head != HEADS[len(value)]:
                    break
            elif head.startswith(b"+") and CR not in head and LF not in head:
                end = index + 1
                value = RespStatus(head[1:])
            else:
                break
            if len(window) > self.max_length and sum(map(len, lines[index:end])) + 2 * (end - index) > self.max_length:
                break
            frames.append(value)
            index = end
        return frames, len(window) - len(CRLF.join(lines[index:])) if frames else 0


class RespDecoder(BufferedDecoder[RespValue]):
    """The values of one connection."""

    __slots__ = ("_codec", "_ends", "_extent")

    def __init__(self, codec: RespCodec, budget: Budget | None = None) -> None:
        super().__init__(budget)
        self._codec = codec
        self._extent: Extent | None = None  # of the first frame, if it was incomplete when it was looked at
        self._ends: list[int] = []  # where the frames of the batch end, if `cut` did not find them

    def clear(self) -> None:
        super().clear()
        self._extent = None

    def decode(self, limit: int = sys.maxsize) -> list[RespValue]:
        buffer, extent = self._buffer, self._extent
        self._batch = ()
        self._end = 0
        self._ends = []
        frames: list[RespValue] = []
        if extent is None:
            frames, self._end = self._codec.cut(buffer.peek(WINDOW), limit)
        if not frames:
            frames = self._measure_and_build(extent or Extent(self._codec, buffer, 0), limit)
        self._batch = frames
        return frames

    def _measure_and_build(self, extent: Extent, limit: int) -> list[RespValue]:
        """Return up to `limit` frames of any shape, from the one that `extent` measures on."""
        frames: list[RespValue] = []
        buffer = self._buffer
        while len(frames) < limit:
            try:
                if not extent.is_complete():
                    break
            except FramingError:
                if frames:
                    break  # first these; asked again, it will raise again
                raise
            frames.append(build(buffer.peek(extent.end - extent.begin, extent.begin), 0)[0])
            self._ends.append(extent.end)
            extent = Extent(self._codec, buffer, extent.end)
        self._extent = None if frames else extent
        self._end = self._ends[-1] if frames else 0
        return frames

    def _measure(self, count: int) -> int:
        return self._ends[count - 1] if self._ends else self._codec.cut(self._buffer.peek(self._end), count)[1]


class Extent:
    """How far the frame reaches that begins at `begin`: taken up where it stopped, whenever more has come."""

    __slots__ = ("_buffer", "_codec", "_elements", "_missing", "_needed", "_searched", "begin", "end")

    def __init__(self, codec: RespCodec, buffer: ReceiveBuffer, begin: int) -> None:
        self._codec = codec
        self._buffer = buffer
        self.begin = begin
        self.end = begin  # as far as it is known: behind the last element that is complete, or the head of an array
        self._missing = [1]  # how many elements each open array lacks; the outermost of all is the frame itself
        self._elements = 0
        self._searched = begin  # no line that begins at `end` ends before this
        self._needed = begin + 1  # with fewer bytes than these in the buffer, nothing has to be looked at

    def is_complete(self) -> bool:
        """Look at what is there. Raises `FramingError` if it is corrupt, `FrameTooLongError` if it passes a limit."""
        while self._missing:
            if self.begin + self._codec.max_length - self.end < SHORTEST:
                raise self._too_long()
            if self._buffer.size < self._needed or not self._pass_element():
                return False
        return True

    def _pass_element(self) -> bool:
        """Go behind the string, line or head of an array that stands at `end`; false if that is not complete."""
        line = self._find_line()
        if line is None:
            return False
        behind = self.end + len(line)
        kind, text = line[:1], line[1:-2]
        count = 0
        if kind == b"$":
            length = read_length(text, "bulk")
            if length >= 0:
                behind += length + 2
                if behind - self.begin > self._codec.max_length:
                    raise FrameTooLongError(f"invalid bulk length: {self._too_long()}")
                if behind > self._buffer.size:
                    self._needed = behind
                    return False
                if self._buffer.peek(2, behind - 2) != CRLF:
                    raise FramingError(f"a string of {length} bytes does not end there")
        elif kind == b"*":
            if not self._is_ignored(text):
                count = self._check_count(read_length(text, "multibulk"))
        elif kind == b":":
            if not INTEGER.fullmatch(text) or not -(2**63) <= int(text) < 2**63:
                raise FramingError(f"{text!r} is not an integer of 64 bits")
        elif kind in b"+-":
            if CR in text or LF in text:
                raise FramingError(f"a lone CR or LF in the status or error {text[:100]!r}")
        else:
            self._check_count(len(split_words(line)))
        self._go_on(behind, count)
        return True

    def _go_on(self, behind: int, count: int) -> None:
        """An element ends at `behind`; if it is the head of an array, its `count` elements come now."""
        self.end = self._searched = behind
        self._needed = behind + 1
        missing = self._missing
        missing[-1] -= 1
        if count > 0:
            missing.append(count)
        while missing and not missing[-1]:
            missing.pop()

    def _find_line(self) -> bytes | None:
        """The line that begins at `end`, with its delimiter; `None` if it is not complete."""
        buffer, codec = self._buffer, self._codec
        kind = buffer.peek(1, self.end)
        stop = self.begin + codec.max_length
        delimiter = CRLF
        if kind in b":$*":
            stop = min(stop, self.end + LONGEST_HEAD)
        elif kind not in b"+-":
            if not codec.inline or self.end > self.begin:
                raise FramingError(f"a value cannot begin with {kind!r}")
            delimiter = b"\n"
            stop = min(stop, self.end + LONGEST_LINE)
        while True:
            chunk = buffer.peek(min(STEP, stop - self._searched), self._searched)
            behind = chunk.find(delimiter) + len(delimiter)
            if behind >= len(delimiter):
                if self._searched == self.end:
                    return chunk[:behind]
                return buffer.peek(self._searched + behind - self.end, self.end)
            reached = self._searched + len(chunk)
            if reached == stop:
                raise self._endless(kind, stop)
            # The last byte may be the first half of the delimiter.
            self._searched = max(self._searched, reached - len(delimiter) + 1)
            if reached == buffer.size:
                return None

    def _is_ignored(self, text: bytes) -> bool:
        """Whether this is the count of a request that a server takes for none."""
        outermost = self.end == self.begin
        return outermost and self._codec.inline and bool(NEGATIVE.fullmatch(text)) and int(text) >= -(2**63)

    def _check_count(self, count: int) -> int:
        """Raise `FrameTooLongError` if this many elements more are too many, or one level too deep."""
        codec = self._codec
        if len(self._missing) > codec.max_depth and count >= 0:
            raise FrameTooLongError(f"arrays are nested deeper than max_depth, {codec.max_depth}")
        if self._elements + max(count, 0) > codec.max_elements:
            raise FrameTooLongError(f"invalid multibulk length: more elements than max_elements, {codec.max_elements}")
        self._elements += max(count, 0)
        return count

    def _endless(self, kind: bytes, stop: int) -> FramingError:
        """What is wrong with a line that should have ended before `stop`."""
        if stop == self.begin + self._codec.max_length:
            return self._too_long()
        if kind in b":$*":
            return FramingError(f"invalid {LENGTHS.get(kind, 'number')}: what stands behind {kind!r} has no end")
        return FrameTooLongError("too big inline request")  # in Redis' own words

    def _too_long(self) -> FrameTooLongError:
        return FrameTooLongError(f"a frame is longer than max_length, {self._codec.max_length} bytes")


def read_length(text: bytes, of: str) -> int:
    """The number that is announced; -1 for nothing at all. Raises `FramingError` if it is none."""
    if not LENGTH.fullmatch(text):
        raise FramingError(f"invalid {of} length")  # in Redis' own words
    return int(text)
