"""What every server function is given: the way to say that it listens, and a backlog in which nobody gets lost."""

from __future__ import annotations

from typing import Protocol

__all__ = ["BACKLOG", "HOST", "Announce"]

HOST = "127.0.0.1"

BACKLOG = 4096
"""Connections that may wait to be accepted: as many as Linux allows at most (net.core.somaxconn, listen(2)). A client
that finds the queue full tries again after a second, and then it is that second which is measured.
"""


class Announce(Protocol):
    """Tell the benchmark the port, and the versions of libraries that the server stands on."""

    def __call__(self, port: int, **versions: str) -> None: ...
