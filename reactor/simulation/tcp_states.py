"""The life of a simulated TCP connection, seen from one end."""

from __future__ import annotations

from enum import Enum

__all__ = [
    "AFTER_OWN_END",
    "AFTER_PEERS_END",
    "CAN_RECEIVE",
    "CAN_SEND",
    "CONNECTED",
    "IN_PROGRESS",
    "Reading",
    "State",
]


class State(Enum):
    """Where an end is in its life: the names of RFC 9293 section 3.3.2, its two FIN-WAITs in one."""

    __hash__ = object.__hash__  # Enum's own is a Python call for each look-up

    CLOSED = "CLOSED"
    SYN_SENT = "SYN-SENT"
    SYN_RECEIVED = "SYN-RECEIVED"
    ESTABLISHED = "ESTABLISHED"
    FIN_WAIT = "FIN-WAIT"
    CLOSE_WAIT = "CLOSE-WAIT"
    LAST_ACK = "LAST-ACK"
    CLOSING = "CLOSING"
    TIME_WAIT = "TIME-WAIT"


class Reading(Enum):
    """What is to come behind the bytes that have arrived."""

    OPEN = "more"
    SHUT = "the program has said that it will not read"  # shutdown(2), SHUT_RD
    ENDED = "the peer's FIN has arrived"


CAN_SEND = frozenset({State.ESTABLISHED, State.CLOSE_WAIT})
CAN_RECEIVE = frozenset({State.ESTABLISHED, State.FIN_WAIT})
CONNECTED = frozenset({State.ESTABLISHED, State.FIN_WAIT, State.CLOSE_WAIT, State.LAST_ACK, State.CLOSING})

AFTER_OWN_END = {State.ESTABLISHED: State.FIN_WAIT, State.CLOSE_WAIT: State.LAST_ACK}
AFTER_PEERS_END = {State.ESTABLISHED: State.CLOSE_WAIT, State.FIN_WAIT: State.TIME_WAIT}

IN_PROGRESS = frozenset({State.SYN_SENT, State.SYN_RECEIVED})
