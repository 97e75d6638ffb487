"""Bytes that nobody else can change.

A buffer keeps what it is given for a while, and meanwhile the giver goes on. If it gave a `bytearray`, or a
`memoryview` of one, it may overwrite it: that is what such an object is for. So there are two ways to keep data:
refer to it, which is free and safe only if it is immutable, or copy it. The exact type `bytes` is immutable and is
kept as it is; everything else is copied at once.
"""

from __future__ import annotations

from typing import TypeAlias

__all__ = ["Buffer", "owned_bytes"]

Buffer: TypeAlias = bytes | bytearray | memoryview
"""What can be written: any contiguous or strided run of bytes."""


def owned_bytes(data: Buffer) -> bytes:
    """Return the content of `data` as `bytes` that nobody else can change; the same object if it is `bytes` already.

    An instance of a subclass of `bytes` is copied, because a subclass may redefine what its length or its slices are.
    A memoryview of any format and of any strides gives the bytes of its elements in their order. Raises `TypeError`
    naming the type if `data` is not bytes-like.
    """
    if type(data) is bytes:
        return data
    try:
        return memoryview(data).tobytes()
    except TypeError:
        raise TypeError(f"data must be bytes, bytearray or memoryview, not {type(data).__name__}") from None
