"""How a waiting loop is woken: a byte to itself.

A thread that sleeps in the selector can be woken by nothing but a descriptor. So the loop keeps a connected pair of
sockets, watches one end, and whoever wants its attention writes a byte into the other: another thread after it has
queued a callback, or the interpreter's C-level signal handler (`signal.set_wakeup_fd`).

One byte is enough for any number of wakers. The pair's buffer is small and must never fill up because a thousand
threads ask for the same thing, so `wake` writes only if no byte is on its way.
"""

from __future__ import annotations

import socket

__all__ = ["SystemWakeup"]


class SystemWakeup:
    """A socket pair: portable, and a descriptor that `signal.set_wakeup_fd` takes on every platform."""

    __slots__ = ("_awake", "_reader", "_writer")

    def __init__(self) -> None:
        """Make the pair. Raises `OSError` when there are no descriptors left."""
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._awake = False

    def fileno(self) -> int:
        """The readable end, for the selector."""
        return self._reader.fileno()

    def signal_fileno(self) -> int:
        """The writable end, for `signal.set_wakeup_fd`."""
        return self._writer.fileno()

    def wake(self) -> None:
        """Make the readable end readable, once. Safe from any thread and from a signal handler."""
        if self._awake:
            return
        self._awake = True
        try:
            self._writer.send(b"\0")
        except (BlockingIOError, InterruptedError):
            pass  # full of unread bytes: readable it is
        except OSError:
            pass  # closed under a late waker; there is nobody left to wake

    def drain(self) -> bytes:
        """Read what has come: a zero for each `wake`, the signal's number for each signal.

        The flag falls only after the bytes are gone. A waker that still sees it raised has queued its work before
        this returns, and the caller looks at the queue afterwards; the other order would let the read swallow the
        byte of a waker that believed to be the first, and lose the wakeup.
        """
        received = b""
        try:
            received = self._reader.recv(4096)
        except (BlockingIOError, InterruptedError):
            pass
        self._awake = False
        return received

    def close(self) -> None:
        """Close both ends. A late `wake` does nothing."""
        self._reader.close()
        self._writer.close()
