r"""The words of a line that somebody typed, as a shell would part them.

Space parts words, and quotes hold one together. Within double quotes `\n`, `\r`, `\t`, `\b`, `\a` and `\x0f` stand for
bytes that are hard to type, and any other byte behind a backslash for itself; within single quotes only `\'` is
special. A quote may begin in the middle of a word, and has to end where the word does: these are Redis' rules for
inline commands.
"""

from __future__ import annotations

import re

from reactor.errors import FramingError

__all__ = ["split_words"]

DOUBLE = rb'"((?:[^"\\]|\\.)*)"'
SINGLE = rb"'((?:[^'\\]|\\.)*)'"
END = rb"(?=\s|\Z)"
WORD = re.compile(rb"\s*([^\s\"']+%b|[^\s\"']*(?:%b|%b)%b)" % (END, DOUBLE, SINGLE, END), re.DOTALL)
QUOTED = re.compile(rb"%b|%b" % (DOUBLE, SINGLE), re.DOTALL)
ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(.))", re.DOTALL)
ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}


def split_words(line: bytes) -> list[bytes]:
    """Return the words of `line`. Raises `FramingError` if a quote is not closed, or closed within a word."""
    if b'"' not in line and b"'" not in line:
        return line.split()
    words = []
    line = line.rstrip()
    position = 0
    while position < len(line):
        word = WORD.match(line, position)
        if word is None:
            raise FramingError("unbalanced quotes in request")  # in Redis' own words
        words.append(QUOTED.sub(unquote, word[1]))
        position = word.end()
    return words


def unquote(quoted: re.Match[bytes]) -> bytes:
    """What the quotes hold."""
    double, single = quoted.groups()
    return ESCAPE.sub(unescape, double) if double is not None else single.replace(b"\\'", b"'")


def unescape(escape: re.Match[bytes]) -> bytes:
    """The byte that the escape stands for."""
    digits, byte = escape.groups()
    return bytes.fromhex(digits.decode()) if digits else ESCAPES.get(byte, byte)
