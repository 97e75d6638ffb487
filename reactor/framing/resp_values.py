"""The values of RESP, and how a frame that is known to be legal is written and read; the codec is in `resp.py`.

Nothing here looks at limits of what comes in, and nothing here finds fault with it: that was done before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, cast

from reactor.errors import EncodeError
from reactor.framing.words import split_words

__all__ = ["CR", "CRLF", "HEADS", "LF", "RespError", "RespStatus", "RespValue", "build", "write", "write_array"]

CRLF = CR, LF = b"\r\n"
SMALL = 1024
"""Heads of strings up to so many bytes are made once."""


@dataclass(frozen=True, slots=True)
class RespStatus:
    """A simple string: the short text that says how a command went. `text` contains neither CR nor LF."""

    text: bytes


@dataclass(frozen=True, slots=True)
class RespError:
    """What a server answers instead of a result; a value, not an exception.

    `text` contains neither CR nor LF, and by custom begins with a word in capitals that says which error it is.
    """

    text: bytes


RespValue: TypeAlias = "bytes | int | RespStatus | RespError | list[RespValue] | None"
"""What a frame can be."""


class Heads(dict[int, bytes]):
    """The head of a string, by its length."""

    def __missing__(self, length: int) -> bytes:
        head = b"$%d" % length
        if length < SMALL:
            self[length] = head
        return head


HEADS = Heads()


def write(value: RespValue) -> bytes:
    """Return the bytes of `value`, which is no array."""
    if type(value) is bytes:
        return b"$%d\r\n%b\r\n" % (len(value), value)
    if type(value) is int:
        if not -(2**63) <= value < 2**63:
            raise EncodeError(f"{value} is not an integer of 64 bits")
        return b":%d\r\n" % value
    if value is None:
        return b"$-1\r\n"
    if type(value) is RespStatus or type(value) is RespError:
        text = value.text
        if CR in text or LF in text:
            raise EncodeError(f"a status or an error is one line, not {text!r}")
        return (b"+%b\r\n" if type(value) is RespStatus else b"-%b\r\n") % text
    raise TypeError(f"a value of RESP cannot be {type(value).__name__}")


def write_array(array: list[RespValue], parts: list[bytes], depth: int) -> int:
    """Append the bytes of `array` to `parts`, and return how many elements it has. `depth` levels are allowed."""
    if not depth:
        raise EncodeError("the frame's arrays are nested deeper than max_depth")
    parts.append(b"*%d\r\n" % len(array))
    elements = len(array)
    for value in array:
        if type(value) is bytes:
            parts += (HEADS[len(value)], CRLF, value, CRLF)  # not copied: all together they may be too long
        elif type(value) is list:
            elements += write_array(value, parts, depth - 1)
        else:
            parts.append(write(value))
    return elements


def build(data: bytes, position: int) -> tuple[RespValue, int]:
    """Return the value that stands at `position` of a frame that is whole and legal, and where it ends."""
    kind = data[position : position + 1]
    if kind not in b"+-:$*":
        return cast("RespValue", split_words(data)), len(data)
    end = data.find(CRLF, position)
    text = data[position + 1 : end]
    behind = end + 2
    if kind == b"+":
        return RespStatus(text), behind
    if kind == b"-":
        return RespError(text), behind
    number = int(text)
    if kind == b":":
        return number, behind
    if number < 0:
        return None, behind
    if kind == b"$":
        return data[behind : behind + number], behind + number + 2
    elements: list[RespValue] = []
    for _ in range(number):
        element, behind = build(data, behind)
        elements.append(element)
    return elements, behind
