"""The type of what a server function is given: it calls it with its port once it listens."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Announce"]


class Announce(Protocol):
    """Tell the benchmark the port, and the versions of libraries that the server stands on."""

    def __call__(self, port: int, **versions: str) -> None: ...
