"""Where the real kernel may do several things: the one list of it.

The simulation answers a system call as Linux does on its loopback, call by call, and the scripts of this folder compare
the two word for word. Some answers are not fixed by anything but the sizes of buffers and the time of day; for these a
script's transcript has the words of a row below instead of what was seen, and nothing else is excused.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ALLOWED", "AMOUNT", "LEFT_OUT", "PRESSURE", "TRUNCATED", "USED", "WRITABLE", "Allowed"]


@dataclass(frozen=True, slots=True)
class Allowed:
    """One row: what is written instead of what was seen, what may differ, why, and who says so."""

    instead: str
    what: str
    why: str
    source: str


AMOUNT = Allowed(
    instead="some",
    what="how many bytes a `send` takes, or a `recv` brings, once a sender has filled the buffers",
    why="buffers are counted with their management overhead and grow while a connection lives, the size of a segment "
    "depends on the device; only the order of the bytes is promised, and that none is missing",
    source="tcp(7): tcp_wmem, tcp_rmem, tcp_moderate_rcvbuf; socket(7): SO_SNDBUF; send(2), recv(2): may be fewer",
)

WRITABLE = Allowed(
    instead="?",
    what="when a socket whose buffers were full becomes writable again, before the peer has read everything",
    why="the threshold is a fraction of what is in use, and part of what left is in the peer's buffer",
    source="socket(7): SO_SNDLOWAT cannot be changed; tcp(7): tcp_wmem; poll(2): POLLOUT, `a write larger than the "
    "available space` may still block",
)

TRUNCATED = Allowed(
    instead="some of it",
    what="how much of what filled the buffers can still be read after a reset, perhaps all of it",
    why="what was in the receiver's buffer stays there, what was in the sender's is gone, and the boundary is that of "
    "the buffers",
    source="RFC 9293 section 3.10.7.4 (a reset flushes the queues), section 3.10.5 (ABORT)",
)

LEFT_OUT = Allowed(
    instead="not done: it depends on time",
    what="SHUT_RD at an end whose peer has filled the buffers, and filling them towards an end after its SHUT_RD; "
    "sending to an end that has closed with a full buffer, once some of that was read",
    why="an end that has said SHUT_RD no longer announces the room that reading makes, so the sender learns of it when "
    "its persist timer fires, fractions of a second later; what is sent to an end that takes no more announces room "
    "and brings a reset, and the FIN may or may not come first; the steps are not done in either world",
    source="RFC 9293 section 3.8.6 (managing the window), section 3.8.6.1 (zero-window probing)",
)

USED = Allowed(
    instead="not done: the socket was used",
    what="`connect`, `bind` and `listen` on a socket whose connection has failed or ended, or that was shut down; "
    "`recv` and `getsockname` on one that was shut down before it was connected",
    why="what such a socket still is differs between systems, and no program does that twice; the step is not done in "
    "either world",
    source="connect(2): if it fails, consider the state of the socket as unspecified; shutdown(2): ENOTCONN",
)

PRESSURE = Allowed(
    instead="(pressure)",
    what="how often `pause_writing` and `resume_writing` alternate during one large transfer",
    why="how fast the peer reads, and in which portions",
    source="tcp(7): tcp_wmem, tcp_rmem",
)

ALLOWED = (AMOUNT, WRITABLE, TRUNCATED, LEFT_OUT, USED, PRESSURE)
