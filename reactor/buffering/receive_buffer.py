"""Bytes that have been received and not consumed yet.

TCP carries a stream, not messages. One `recv` may bring half a line or a thousand lines, and the cut falls where the
network put it. So whoever wants messages must keep the incomplete rest until more comes. Three naive ways of keeping
it are slow in a way that no small test shows:

- `rest = rest + data` copies the whole rest for each piece: an 8 MB message in pieces of 1,460 bytes is copied 5,700
  times, 23 GB in all;
- `rest = rest[n:]` for each message copies everything behind it, once per message;
- searching the delimiter from the front again for each piece looks at the first bytes thousands of times.

`ReceiveBuffer` avoids all three. What comes is appended to a `bytearray`, which grows by steps, so that a byte is
moved a constant number of times on average. Consuming moves an offset, and the consumed bytes are given up when they
are more than what is left: then the copy of the rest is paid for by the bytes consumed before it, and a small rest
never keeps a large object alive. And the buffer remembers how far a search has looked.

Most reads bring whole messages, so most of the time the buffer is empty when bytes come. Then it keeps the very object
that the kernel's bytes arrived in, and nothing is copied at all.

It bounds itself, if asked to (`limit`, `budget`), by refusing. It does not interpret its bytes, does not wait, and
hands out only `bytes` that are the receiver's for good, never a view that would have to be given back.
"""

from __future__ import annotations

import re

from reactor.buffering.budget import Budget
from reactor.buffering.owned_bytes import Buffer, owned_bytes
from reactor.buffering.sizes import check_size
from reactor.errors import MisuseError, ReceiveBufferFullError

__all__ = ["ReceiveBuffer"]


class ReceiveBuffer:
    """A queue of bytes: fed at the back, searched and consumed at the front.

    `limit` is the most bytes it will hold (`None`: as many as it is fed; then whoever feeds it must look at `size`).
    `budget` is told of every change of size. Raises `OptionError` if `limit` is below 1.
    """

    __slots__ = ("_budget", "_data", "_limit", "_searched", "_sought", "_start", "size")

    size: int
    """The bytes held now. Read it; only the buffer changes it."""

    def __init__(self, limit: int | None = None, budget: Budget | None = None) -> None:
        if limit is not None:
            check_size("the limit of a receive buffer", limit, 1)
        self.size = 0
        self._limit = limit
        self._budget = budget
        # The bytes held are _data[_start:]. `bytes` while they came in one piece, `bytearray` while they are collected.
        self._data: bytes | bytearray = b""
        self._start = 0
        # No _sought begins within the first _searched bytes held.
        self._sought: bytes | re.Pattern[bytes] = b""
        self._searched = 0

    def __len__(self) -> int:
        return self.size

    def __repr__(self) -> str:
        return f"<ReceiveBuffer of {self.size} bytes>"

    def feed(self, data: Buffer) -> None:
        """Append `data`.

        Raises `ReceiveBufferFullError` if the buffer would hold more than its limit, `BudgetExceededError` if the
        budget does not allow it, and `TypeError` if `data` is not bytes-like. In all cases nothing has changed.
        """
        if type(data) is not bytes:
            data = owned_bytes(data)
        rest = self.size
        added = len(data)
        self._resize(added)
        if not rest:
            self._data = data
        elif rest <= added:
            # The new piece is the larger part: it pays for copying the rest. And `bytes` is what a decoder can split
            # and slice without another copy.
            self._data = b"".join((memoryview(self._data)[self._start :], data))
            self._start = 0
        else:
            # The rest is the larger part: collect. From now on a piece costs its own length.
            if type(self._data) is bytes:
                self._data = bytearray(memoryview(self._data)[self._start :])
                self._start = 0
            self._data += data

    def find(self, delimiter: bytes | re.Pattern[bytes], longest: int = 0) -> int:
        """Return where `delimiter` begins first, counted from the front, or -1 if it is not there (yet).

        What was searched is remembered: the next search for the same delimiter goes on where this one stopped, so a
        message that arrives byte by byte is searched once, not once per byte. A search for another delimiter starts
        anew. Raises `MisuseError` if `delimiter` is empty.

        `delimiter` may be a compiled pattern; then `longest` is the most bytes that it can match.
        """
        if delimiter != self._sought:
            self._sought = delimiter
            self._searched = 0
        begin = self._start + self._searched
        if isinstance(delimiter, bytes):
            longest = len(delimiter)
            found = self._data.find(delimiter, begin)
        else:
            match = delimiter.search(self._data, begin)
            found = match.start() if match else -1
        if longest < 1:
            raise MisuseError("a delimiter has at least 1 byte; for a pattern, say the longest match")
        if found >= 0:
            self._searched = found - self._start
            return self._searched
        # The last bytes may be the beginning of a delimiter, of which the rest is still to come.
        self._searched = max(self._searched, self.size - longest + 1)
        return -1

    def peek(self, n: int = -1, offset: int = 0) -> bytes:
        """Return up to `n` bytes (-1: all) from `offset` on, counted from the front, and keep them.

        Costs a copy of what is returned, and nothing if that is everything and has come in one piece.
        """
        data = self._data
        begin = self._start + offset
        end = len(data) if n < 0 else begin + n
        if type(data) is bytes:
            return data[begin:end]  # CPython returns the object itself if that is all of it
        return bytes(memoryview(data)[begin:end])

    def take(self, n: int) -> bytes:
        """Remove the first `n` bytes and return them. Raises `MisuseError` if fewer are held."""
        taken = self.peek(n)
        self.skip(n)
        return taken

    def take_all(self) -> bytes:
        """Remove everything and return it."""
        return self.take(self.size)

    def skip(self, n: int) -> None:
        """Remove the first `n` bytes. Raises `MisuseError` if fewer are held."""
        if not 0 <= n <= self.size:
            raise MisuseError(f"cannot consume {n} bytes, the receive buffer holds {self.size}")
        self._resize(-n)
        if not self.size:
            self._data = b""
            self._start = 0
            self._searched = 0
            return
        self._start += n
        self._searched = self._searched - n if self._searched > n else 0
        if self._start > self.size:
            self._data = self._data[self._start :]
            self._start = 0

    def clear(self) -> None:
        """Remove everything."""
        self.skip(self.size)

    def _resize(self, delta: int) -> None:
        """Change the size: the one place where that happens, and where every bound is checked."""
        size = self.size + delta
        if delta > 0 and self._limit is not None and size > self._limit:
            raise ReceiveBufferFullError(f"{size} bytes would be held, the buffer's limit is {self._limit} bytes")
        if self._budget is not None:
            self._budget.change(delta)
        self.size = size
