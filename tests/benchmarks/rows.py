"""What is measured: one `Row` is one question, put to several contestants under the same load.

To add a question, add a row; to add a contestant, write a server function in `contestants/` and name it here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["ROWS", "Row"]


@dataclass(frozen=True)
class Row:
    """One load, and who has to bear it.

    Each of `connections` sends a request of `pipeline` frames of `frame` bytes, waits for its echo, and sends the next;
    a message is a frame. `contestants` maps names to server functions, as `module:function` below `contestants/`.
    """

    name: str
    title: str
    connections: int
    frame: int
    pipeline: int
    delimited: bool
    messages: int
    contestants: Mapping[str, str]

    def requests(self, messages: int | None = None) -> int:
        """How many requests make up `messages` (default: the row's own number); at least one a connection."""
        return max(self.connections, (messages or self.messages) // self.pipeline)

    def taking_part(self, chosen: Sequence[str]) -> list[str]:
        """The contestants of this row that are among the `chosen`; all if none is chosen."""
        return [name for name in self.contestants if name in chosen or not chosen]

    def server(self, contestant: str) -> str:
        """Where the server function of `contestant` is."""
        return self.contestants[contestant]


ROWS = {
    row.name: row
    for row in (
        Row(
            name="echo",
            title="echo 1 KiB, 50 connections",
            connections=50,
            frame=1024,
            pipeline=1,
            delimited=False,
            messages=200_000,
            contestants={
                "reactor": "with_reactor:echo",
                "asyncio": "with_asyncio:echo",
                "uvloop": "with_uvloop:echo",
                "bare": "bare:echo",
            },
        ),
        Row(
            name="lines",
            title="32-byte lines, pipelined by 100, echoed one by one, 50 connections",
            connections=50,
            frame=32,
            pipeline=100,
            delimited=True,
            messages=1_000_000,
            contestants={
                "reactor": "with_reactor:lines",
                "asyncio": "with_asyncio:lines",
                "uvloop": "with_uvloop:lines",
                "asyncio-protocol": "with_asyncio:lines_protocol",
                "uvloop-protocol": "with_uvloop:lines_protocol",
            },
        ),
    )
}
