"""Scripts with a name: what a program meets sooner or later, and what Linux answers.

Each is played on both kernels like every other script. They are written down because they are what the simulation was
built after, and because a random script may take long to come by them.
"""

from __future__ import annotations

from tests.simulation.differential.conversations import Conversation, Manner
from tests.simulation.differential.steps import Step, script

__all__ = ["CONVERSATIONS", "SCRIPTS"]

_LOOK_AT_A = "; a.error; a.recv 9; a.recv 9; a.send 1; a.send 1; a.shutdown RDWR; a.peername; a.sockname"

_SCRIPTS = {
    "a fresh socket": "a.sockname; a.recv 9; a.send 1; a.peername; a.error; a.accept; a.connect; a.send 1",
    "a listener": "l.recv 9; l.send 1; l.peername; l.sockname; l.error; l.accept; l.bind any; l.connect; l.listen 5",
    "a connection": (
        "a.connect; a.error; a.peername; a.connect; a.connect; a.listen 1; a.bind any; l.accept; A.peername"
    ),
    "data before the connection is accepted": "a.connect; a.send 9; a.close; l.accept; A.recv 99; A.recv 99; A.send 1",
    "a reset before the connection is accepted": (
        "a.connect; a.send 9; a.reset; l.accept; A.recv 99; A.recv 99; A.send 1"
    ),
    "nobody listens": "l.close; a.connect; a.peername; a.shutdown WR; a.error; a.error; a.recv 9; a.send 1; a.sockname",
    "nobody listens, seen by recv": "l.close; a.connect; a.recv 9; a.recv 9; a.send 1; a.error",
    "nobody listens, seen by send": "l.close; a.connect; a.send 1; a.send 1; a.recv 9; a.error",
    "the listener is closed before it has accepted": (
        "a.connect; b.connect; b.send 9; b.shutdown WR; l.close" + _LOOK_AT_A
    ),
    "a backlog of none holds one": "l.listen 0; a.connect; b.connect; c.connect; l.accept; l.accept",
    "a backlog of one holds two": "l.listen 1; a.connect; b.connect; c.connect; l.accept; l.accept; l.accept",
    "a connecting socket": (
        "l.listen 0; b.connect; a.connect; a.send 1; a.recv 9; a.error; a.peername; a.connect; a.fill"
    ),
    "a connecting socket is shut down": (
        "l.listen 0; b.connect; a.connect; a.shutdown WR; a.error; a.error; a.recv 9; a.send 1; a.peername"
    ),
    "connections are accepted in order": "c.connect; a.connect; b.connect; l.accept; l.accept; l.accept; l.accept",
    "an address that is taken": "a.bind taken; a.bind foreign; a.bind any; a.bind any; a.connect; l.accept; A.peername",
    "a socket that was refused is used again": "l.close; a.connect; a.error; a.shutdown WR; a.connect; a.listen 1",
    "a closed socket": (
        "a.close; a.close; a.recv 9; a.send 1; a.error; a.peername; a.sockname; a.shutdown WR; a.connect; "
        "a.accept; a.listen 1; a.bind any; a.reset; a.get SO_TYPE"
    ),
    "buffer sizes are doubled": (
        "a.set SO_SNDBUF 10000; a.get SO_SNDBUF; a.set SO_RCVBUF 9000; a.get SO_RCVBUF; a.set SO_SNDBUF 1; "
        "a.get SO_SNDBUF; a.set SO_RCVBUF 1; a.get SO_RCVBUF"
    ),
    "options that are on or off": (
        "a.get SO_KEEPALIVE; a.set SO_KEEPALIVE 7; a.get SO_KEEPALIVE; a.get TCP_NODELAY; a.get SO_REUSEADDR; "
        "a.get SO_TYPE; a.get SO_ACCEPTCONN; l.get SO_ACCEPTCONN"
    ),
    "options are inherited": (
        "l.set SO_KEEPALIVE 1; l.set SO_RCVBUF 20000; a.connect; l.accept; A.get SO_KEEPALIVE; A.get TCP_NODELAY; "
        "A.get SO_RCVBUF; A.get SO_SNDBUF; A.get SO_REUSEADDR; A.get SO_ACCEPTCONN"
    ),
}

_ON_A_CONNECTION = {
    "an address with a living connection": "l.close; c.bind taken; c.set SO_REUSEADDR 1; c.bind taken; c.listen 1",
    "an address that waits (TIME-WAIT)": (
        "l.close; A.close; a.close; c.bind taken; c.set SO_REUSEADDR 1; c.bind taken; c.listen 1"
    ),
    "a clean close": "A.close; a.recv 9; a.recv 9; a.peername; a.shutdown WR; a.recv 9; a.send 1; a.peername",
    "writing to a closed peer": "A.close; a.send 1; a.recv 9; a.send 1; a.send 1" + _LOOK_AT_A,
    "writing to a closed peer, its last words unread": "A.send 9; A.close; a.send 1; a.recv 4; a.recv 9" + _LOOK_AT_A,
    "a reset": "A.reset; a.peername" + _LOOK_AT_A,
    "a reset, seen by recv": "A.reset; a.recv 0; a.recv 9; a.recv 9; a.send 1; a.error",
    "a reset, seen by send": "A.reset; a.send 1; a.send 1; a.recv 9; a.error",
    "a reset with input unread": "A.send 9; A.reset; a.recv 4; a.recv 9; a.recv 9; a.recv 9; a.send 1",
    "a reset with input unread, seen by send": "A.send 9; A.reset; a.send 1; a.recv 99; a.recv 9",
    "a reset after the peer's FIN": "A.send 9; A.shutdown WR; A.reset; a.recv 99; a.recv 9; a.send 1; a.send 1",
    "a reset after the peer's FIN, asked for": "A.shutdown WR; A.reset; a.error; a.error; a.recv 9; a.send 1",
    "a reset after one's own FIN": "a.shutdown WR; A.reset; a.recv 9; a.recv 9; a.send 1",
    "a reset after both FINs": "a.shutdown WR; A.shutdown WR; A.reset" + _LOOK_AT_A,
    "closing with unread input": "a.send 9; A.send 4; A.close; a.recv 9; a.recv 9; a.recv 9; a.send 1",
    "closing with unread input after the FIN": "a.send 9; A.shutdown WR; A.close; a.recv 9; a.send 1; a.send 1",
    "a half-close": "a.shutdown WR; a.shutdown WR; a.send 1; A.recv 9; A.send 9; a.recv 99; A.close; a.recv 9",
    "both half-close": "a.shutdown WR; A.shutdown WR; a.peername; A.peername; A.recv 9; A.send 1; A.shutdown RD",
    "SHUT_RD": "A.send 4; a.shutdown RD; a.recv 9; a.recv 9; A.send 5; a.recv 9; A.shutdown WR; a.send 1; A.recv 9",
    "SHUT_RD, and closing with what came after it": "a.shutdown RD; A.send 5; a.close; A.recv 9; A.recv 9",
    "SHUT_RDWR answers data with a reset": (
        "A.send 4; a.shutdown RDWR; a.recv 9; A.recv 9; A.send 1; A.send 1; A.recv 9; a.recv 9; a.recv 9"
    ),
    "sending nothing": "a.send 0; a.fill; a.send 0; a.shutdown WR; a.send 0; A.reset; a.send 0; a.send 0",
    "full buffers": "a.fill; a.send 1; A.drain; a.send 1; A.recv 9",
    "full buffers, both ways": "a.fill; A.fill; a.drain; A.drain; a.drain",
    "full buffers, then close": "a.fill; a.close; A.drain; A.recv 9; A.send 1; A.send 1",
    "full buffers, then a half-close": "a.fill; a.shutdown WR; A.send 9; a.recv 9; A.drain; A.close; a.recv 9",
    "full buffers, then a reset": "a.fill; a.reset; A.drain; A.recv 9; A.send 1",
    "full buffers, and the peer resets": "a.fill; A.reset; a.send 1; a.send 1; a.recv 9",
    "full buffers, and the peer closes": "a.fill; A.close; a.send 1; a.send 1; a.recv 9",
    "full buffers, the peer half-closes": "a.fill; A.shutdown WR; a.recv 9; a.shutdown WR; A.drain; a.peername",
    "a FIN behind full buffers has not been sent": "a.fill; a.shutdown WR; a.reset; A.error; A.recv 9; A.send 1",
    "a FIN behind full buffers, and the peer's": (
        "a.fill; a.shutdown WR; A.shutdown WR; a.shutdown WR; a.peername; A.close; a.recv 9; a.error; a.error"
    ),
    "writing to a peer that closed with full buffers": "A.fill; A.close; a.send 1; a.drain; a.send 1; a.recv 9",
    "SHUT_RD and full buffers": "A.fill; a.shutdown RD; a.drain; a.shutdown RD; A.fill; A.send 1; a.recv 9",
}

SCRIPTS: dict[str, tuple[Step, ...]] = {
    **{name: script(text) for name, text in _SCRIPTS.items()},
    **{name: script("a.connect; l.accept; " + text) for name, text in _ON_A_CONNECTION.items()},
}
"""By name."""

_MET = "near.connect; settle; "
_KEEPS = Manner(keeps_open=True)


def _talk(text: str, near: Manner = Manner(), far: Manner = Manner()) -> Conversation:  # noqa: B008 - immutable
    return Conversation(near, far, script(text))


CONVERSATIONS: dict[str, Conversation] = {
    "nobody listens": _talk("server.close; near.connect; settle"),
    "the server closes before it has accepted": _talk("near.connect; server.close; settle"),
    "a greeting, and an answer": _talk(_MET, Manner("write"), Manner(answer="write")),
    "everything in connection_made": _talk(_MET, Manner("close"), Manner("write")),
    "an abort in connection_made": _talk(_MET, Manner("abort"), Manner("write")),
    "a half-close, and an answer to it": _talk(
        _MET + "near.write small; near.finish; settle; near.write small; far.write small; far.close; settle", far=_KEEPS
    ),
    "closing with unread input": _talk(
        _MET + "far.pause; near.write small; far.write small; settle; far.close; settle"
    ),
    "aborting with unread input": _talk(_MET + "far.pause; near.write small; settle; far.abort; settle"),
    "a large answer to a peer that does not read": _talk(
        _MET + "far.pause; near.write huge; near.close; settle; far.resume; settle"
    ),
    "a large answer to a peer that resets": _talk(_MET + "far.pause; near.write huge; settle; far.abort; settle"),
    "both write a lot at once": _talk(_MET + "near.write huge; far.write huge; near.close; far.close; settle"),
    "an abort during a large answer": _talk(_MET + "near.write huge; far.write small; near.abort; settle"),
    "writing to a peer that has aborted": _talk(_MET + "far.abort; near.write small; near.write small; settle"),
    "writing to a peer that has closed": _talk(_MET + "far.close; settle; near.write small; settle", near=_KEEPS),
    "a pause in the middle": _talk(_MET + "far.write huge; settle; near.resume; settle", near=Manner(answer="pause")),
}
"""By name."""
