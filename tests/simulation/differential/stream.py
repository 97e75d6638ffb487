"""The bytes that are sent: numbered, so that one lost, doubled or out of place is seen where it happens."""

from __future__ import annotations

__all__ = ["PERIOD", "pattern"]

PERIOD = 251
"""The bytes repeat after this many: a prime, so that a lost portion of a usual size shows."""

_CYCLE = bytes(range(PERIOD))
_MUCH = _CYCLE * 300


def pattern(start: int, size: int) -> bytes:
    """The bytes number `start` to `start + size` of any stream."""
    start %= PERIOD
    if start + size <= len(_MUCH):
        return _MUCH[start : start + size]
    return (_CYCLE * ((start + size) // PERIOD + 1))[start : start + size]
