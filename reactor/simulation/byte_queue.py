"""Bytes at rest in a simulated kernel: chunks in, any number of bytes out."""

from __future__ import annotations

from collections import deque

__all__ = ["ByteQueue"]


class ByteQueue:
    """Bytes, in the order in which they came."""

    __slots__ = ("_chunks", "size")

    def __init__(self) -> None:
        """Begin empty."""
        self._chunks: deque[bytes] = deque()
        self.size = 0

    def append(self, data: bytes) -> None:
        """Put `data` behind what is there."""
        self._chunks.append(data)
        self.size += len(data)

    def take(self, size: int) -> bytes:
        """The first `size` bytes, or what there is."""
        chunks = self._chunks
        taken = []
        while size > 0 and chunks:
            chunk = chunks.popleft()
            if len(chunk) > size:
                chunks.appendleft(chunk[size:])
                chunk = chunk[:size]
            taken.append(chunk)
            size -= len(chunk)
        data = taken[0] if len(taken) == 1 else b"".join(taken)
        self.size -= len(data)
        return data

    def clear(self) -> None:
        """Forget them all."""
        self._chunks.clear()
        self.size = 0
