"""The life of a connection, as a table.

TCP ends a connection in two halves: each side says once that it will send no more (FIN), and may go on reading until
the other side has said so too. Either side can also drop everything (RST). In between, whatever we close may still
have bytes to send. A dozen flags would be needed to keep track of that, and most of their combinations would be
nonsense; so there are eight states, and every event has a defined outcome in each:

    OPEN         both directions are open
    PEER_ENDED   the peer will send no more; we still write                   (TCP: CLOSE-WAIT)
    ENDING       write_eof() was called, and waiting output leaves first; we still read
    ENDED        we have sent our FIN; we still read                          (TCP: FIN-WAIT)
    FLUSHING     close() was called, and waiting output leaves first; input is discarded
    DRAINING     we have sent our FIN and discard input until the peer's      (TCP: FIN-WAIT)
    FINISHING    the peer has ended and so have we, once the waiting output is gone   (TCP: LAST-ACK)
    CLOSED       the descriptor is closed; connection_lost is called, or about to be

The names in brackets are those of RFC 9293 section 3.3.2.

Why DRAINING? A kernel that closes a socket with unread input answers with RST (RFC 1122 section 4.2.2.13), and an RST
makes the peer's kernel throw away what the peer has not read yet: the end of our last answer. So after close() we
end our half and keep reading, into nothing, until the peer ends its half too, or the drain timeout passes. (Elsewhere
this is called a lingering close. `Server.drain` is the same wish for all connections of a server at once.)
"""

from __future__ import annotations

from enum import Enum

__all__ = ["CLOSING", "DELIVERING", "DISCARDING", "TRANSITIONS", "WRITABLE", "Event", "State"]


class State(Enum):
    """Where a connection is in its life."""

    __hash__ = object.__hash__  # members are compared by identity; Enum's own hash is a Python call for each look-up

    OPEN = "open"
    PEER_ENDED = "peer ended"
    ENDING = "ending"
    ENDED = "ended"
    FLUSHING = "flushing"
    DRAINING = "draining"
    FINISHING = "finishing"
    CLOSED = "closed"


class Event(Enum):
    """What can happen to a connection."""

    __hash__ = object.__hash__

    CLOSE = "close"  # close() was called
    WRITE_EOF = "write_eof"  # write_eof() was called
    FLUSHED = "flushed"  # no output is waiting
    PEER_EOF = "peer's end"  # the peer sends no more, and our protocol has nothing to add
    PEER_EOF_KEPT = "peer's end, kept open"  # the peer sends no more, and our protocol still writes
    ABORT = "abort"  # abort() was called, a limit or deadline was reached, or a callback raised
    LOST = "lost"  # the kernel reported an error, or there is no point in waiting any longer


_S, _E = State, Event

_ROWS: dict[State, tuple[State, State, State, State, State]] = {
    # before       CLOSE         WRITE_EOF     FLUSHED       PEER_EOF      PEER_EOF_KEPT
    _S.OPEN:       (_S.FLUSHING,  _S.ENDING,    _S.OPEN,      _S.FINISHING, _S.PEER_ENDED),
    _S.PEER_ENDED: (_S.FINISHING, _S.FINISHING, _S.PEER_ENDED, _S.FINISHING, _S.PEER_ENDED),
    _S.ENDING:     (_S.FLUSHING,  _S.ENDING,    _S.ENDED,     _S.FINISHING, _S.FINISHING),
    _S.ENDED:      (_S.DRAINING,  _S.ENDED,     _S.ENDED,     _S.CLOSED,    _S.CLOSED),
    _S.FLUSHING:   (_S.FLUSHING,  _S.FLUSHING,  _S.DRAINING,  _S.FINISHING, _S.FINISHING),
    _S.DRAINING:   (_S.DRAINING,  _S.DRAINING,  _S.DRAINING,  _S.CLOSED,    _S.CLOSED),
    _S.FINISHING:  (_S.FINISHING, _S.FINISHING, _S.CLOSED,    _S.FINISHING, _S.FINISHING),
    _S.CLOSED:     (_S.CLOSED,    _S.CLOSED,    _S.CLOSED,    _S.CLOSED,    _S.CLOSED),
}  # fmt: skip

TRANSITIONS: dict[tuple[State, Event], State] = {
    (before, event): after
    for before, row in _ROWS.items()
    for event, after in zip(
        Event,
        (*row, State.CLOSED, State.CLOSED),  # ABORT and LOST end it wherever it was
        strict=True,
    )
}
"""The state after an event, for every state and every event."""

WRITABLE = frozenset({State.OPEN, State.PEER_ENDED})
"""Where `write` takes something."""

DELIVERING = frozenset({State.OPEN, State.ENDING, State.ENDED})
"""Where input goes to the protocol."""

DISCARDING = frozenset({State.FLUSHING, State.DRAINING})
"""Where input is read and thrown away."""

CLOSING = frozenset({State.FLUSHING, State.DRAINING, State.FINISHING, State.CLOSED})
"""Where `is_closing()` is true."""
