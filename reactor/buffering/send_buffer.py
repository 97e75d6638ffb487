"""Bytes that have been written and have not left yet.

`send` on a non-blocking socket takes what fits into the kernel's buffer and returns how much that was. It may be less
than offered, and if nothing fits it raises `BlockingIOError` instead of waiting. Whoever writes must keep the rest,
in order, and offer it again when the selector says that the socket is writable. `SendBuffer` is that rest.

Two costs pull in opposite directions. A system call costs as much as copying some ten thousand bytes, so a hundred
small messages should be joined and leave in one call. But joining is copying, and what is large already gains nothing
from it: a 5 MB message appended to a byte array, and cut from its front after every partial send, is copied again and
again. So small chunks are joined, as far as they go into one `send`; a large chunk is offered as it is, and what
the kernel left of it as a slice of a `memoryview`, which copies nothing.

Most of the time there is nothing to do: one message is written, and the kernel takes all of it. That path is short,
and an empty buffer is a small object, because a server has ten thousand of them.

It does not know sockets: `send_to` is handed the socket's bound `send`. It has no limit of its own: water marks
and the hard limit count what the *kernel* refused, so the owner calls `send_to` and looks at `size` afterwards.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from reactor.buffering.budget import Budget
from reactor.buffering.owned_bytes import Buffer, owned_bytes

__all__ = ["SendBuffer"]

SMALL = 16 * 1024
"""Chunks below this many bytes are joined. Measured on loopback: joining chunks of 1 KiB divides the cost of sending by
three, at 4 KiB by 1.6, and from 16 KiB on the copy costs what the saved system calls did."""

MOST_JOINED = 256 * 1024
"""At most this many bytes are joined for one `send`: more gains nothing measurable, and the kernel may not take it."""


class SendBuffer:
    """A queue of owned chunks of bytes: appended at the back, handed to the kernel from the front.

    `budget` is told of every change of size.
    """

    __slots__ = ("_budget", "_head", "_later", "size")

    size: int
    """The bytes that have not left. Read it; only the buffer changes it."""

    def __init__(self, budget: Budget | None = None) -> None:
        self.size = 0
        self._budget = budget
        # What leaves next. A memoryview is the part of a chunk that the kernel did not take.
        self._head: bytes | memoryview = b""
        # The chunks behind it. There is no queue while there is nothing to queue: an empty deque takes 760 bytes.
        self._later: deque[bytes] | None = None

    def __len__(self) -> int:
        return self.size

    def __repr__(self) -> str:
        return f"<SendBuffer of {self.size} bytes>"

    def append(self, data: Buffer) -> int:
        """Add `data` at the end and return the new size in bytes.

        `bytes` are kept as they are, everything else is copied now: the caller may change it as soon as this returns.
        Raises `TypeError` if `data` is not bytes-like and `BudgetExceededError` if the budget does not allow it; then
        nothing has changed.
        """
        if type(data) is not bytes:
            data = owned_bytes(data)
        if data:
            self._resize(len(data))
            if not self._head:
                self._head = data
            elif self._later is None:
                self._later = deque((data,))
            else:
                self._later.append(data)
        return self.size

    def send_to(self, send: Callable[[bytes | memoryview], int]) -> bool:
        """Hand the bytes to `send` until none is left (true) or the kernel's buffer is full (false).

        `send` is a non-blocking socket's bound `send`: it returns how many bytes it took, or raises `BlockingIOError`
        if it can take none now (EAGAIN; send(2)). Taking fewer than offered means full as well, which saves the call
        that would only be refused. `InterruptedError` counts as full. Every other `OSError` is passed on; whatever
        left before it is no longer counted.
        """
        while self.size:
            chunk = self._head if self._later is None else self._join(self._later)
            try:
                sent = send(chunk)
            except (BlockingIOError, InterruptedError):
                return False
            self._resize(-sent)
            if sent < len(chunk):
                rest = memoryview(chunk)[sent:]
                # A few bytes must not keep a large chunk alive for as long as the peer does not read.
                self._head = rest if len(rest) >= SMALL else bytes(rest)
                return False
            if self._later is None:
                self._head = b""
            else:
                self._head = self._later.popleft()
                self._later = self._later or None
        return True

    def clear(self) -> int:
        """Drop everything and return how many bytes that was."""
        dropped = self.size
        self._resize(-dropped)
        self._head = b""
        self._later = None
        return dropped

    def _join(self, later: deque[bytes]) -> bytes | memoryview:
        """Join the small chunks at the front into the first one, and return it."""
        if len(self._head) >= SMALL:
            return self._head
        if self.size <= MOST_JOINED and max(map(len, later)) < SMALL:
            # The common case, everything is small: joined in C, four times as fast as by the loop below.
            self._head = b"".join((self._head, *later))
            self._later = None
            return self._head
        parts: list[bytes | memoryview] = [self._head]
        total = len(self._head)
        while later and len(later[0]) < SMALL and total + len(later[0]) <= MOST_JOINED:
            total += len(later[0])
            parts.append(later.popleft())
        self._head = b"".join(parts)
        self._later = later or None
        return self._head

    def _resize(self, delta: int) -> None:
        """Change the size: the one place where that happens."""
        if self._budget is not None:
            self._budget.change(delta)
        self.size += delta
