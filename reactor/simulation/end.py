"""TCP, as far as a program can see it: two byte streams between two ends.

What a program sees of TCP is how its calls behave: that `send` takes what fits into the send buffer, that the peer's
receive window holds back the rest, that an end of stream comes behind all data and a reset in front of it. All that is
here, per RFC 9293 and as Linux does it; sequence numbers, checksums and congestion control are not, because no call
shows them. A segment carries up to 64 KiB, as with segmentation offload.

    written  ──send()──▶  pending  ──window──▶  channel  ──▶  received  ──recv()──▶  read
             └──────── counts against the send buffer ────────┘└─ receive buffer ─┘

An `End` lives in its host's `Streams`, the table of connections; the socket, if the program has not closed it, is
elsewhere. Like a real one, an end can outlive its socket (to flush, to wait for the other side) and be gone before it.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial
from typing import Protocol

from reactor.network.oserrors import os_error
from reactor.simulation.addresses import Address
from reactor.simulation.backlog import Backlog
from reactor.simulation.byte_queue import ByteQueue
from reactor.simulation.clock import Event
from reactor.simulation.interfaces import Node, Segment
from reactor.simulation.outflow import Outflow
from reactor.simulation.tcp_states import (
    AFTER_OWN_END,
    AFTER_PEERS_END,
    CAN_RECEIVE,
    CAN_SEND,
    CONNECTED,
    Reading,
    State,
)
from reactor.simulation.wire import Channel, Network

__all__ = ["READ", "WRITE", "End"]

READ, WRITE = 1, 2
"""The bits of a readiness mask, as in `selectors`."""

_ORPHAN_PATIENCE = 60.0
"""Seconds that a closed end waits for the peer's FIN: tcp(7), tcp_fin_timeout."""

_KEEPALIVE_TIME = 7200.0

_SYN_PATIENCE = 127.0
"""Seconds that a handshake may take: tcp(7), tcp_syn_retries."""


class Table(Protocol):
    """What an end needs of the table of connections that it stands in."""

    network: Network

    @property
    def host(self) -> Node:
        """Whose it is."""

    def forget(self, end: End) -> None:
        """`end` is over."""

    def reset_strikes(self) -> bool:
        """Whether something in between resets the connection now."""


class End:
    """One end of a connection."""

    __slots__ = (
        "_backlog", "_channel", "_keepalive", "_overdue", "_promised", "_read", "_received", "_streams", "changed",
        "error", "host", "local", "outflow", "peer", "reading", "receive_buffer", "remote", "state",
    )  # fmt: skip

    def __init__(self, streams: Table, local: Address, remote: Address, host: Node, state: State) -> None:
        """`host` is where the other end is."""
        network = streams.network
        self._streams = streams
        self.host: Node = streams.host
        """Where this end is."""
        self.local, self.remote = local, remote
        self.state = state
        self.error = 0
        """The errno that the next call will report (socket(7), SO_ERROR)."""
        self.changed: Callable[[], object] | None = None
        """Told when readiness may have changed; `None`: no socket."""
        self.receive_buffer = streams.host.receive_buffer
        """Bytes that are held for the program: the window."""
        self.reading = Reading.OPEN
        self._overdue: Event | None = None  # when the handshake has taken too long
        self._keepalive: Event | None = None  # when the peer will be asked whether it is there
        self.peer: End | None = None
        self._backlog: Backlog[End] | None = None  # where it waits to be accepted
        self._channel = Channel(
            network, network.path(streams.host, host), partial(self._deliver, host), self._timed_out
        )
        path_back = network.path(host, streams.host)
        self.outflow = Outflow(self._channel, path_back, network.clock, streams.host.send_buffer, self._notify)
        """What leaves here."""
        self._received = ByteQueue()
        self._read = 0
        self._promised = 0  # up to where our window reaches, as the peer knows it

    # --- What the program does --------------------------------------------------------------------------------------

    def send(self, data: bytes) -> int:
        """Take what fits. Raises `OSError`."""
        if self.error:
            raise os_error(self.take_error())
        if self.state in (State.SYN_SENT, State.SYN_RECEIVED):
            raise os_error(errno.EAGAIN)
        if self.state not in CAN_SEND:
            raise os_error(errno.EPIPE)
        taken = self.outflow.write(data)
        if data and not taken:
            raise os_error(errno.EAGAIN)
        return taken

    def receive(self, size: int) -> bytes:
        """What has arrived, up to `size` bytes. Raises `OSError`."""
        if self._received.size:
            data = self._received.take(size)
            self._read += len(data)
            if self._promised - self._read - self._received.size < self.receive_buffer // 2:
                self._acknowledge()
            return data
        if self.reading is Reading.ENDED:
            return b""  # and no error any more, even if one is pending
        if self.error:
            raise os_error(self.take_error())
        if self.reading is Reading.SHUT or self.state is State.CLOSED:
            return b""
        raise os_error(errno.EAGAIN)

    def shut(self, *, reading: bool, writing: bool) -> None:
        """shutdown(2). Raises `OSError` (ENOTCONN)."""
        if self.state is State.SYN_SENT:
            self.fail(errno.ECONNRESET)
            return
        if self.state not in CONNECTED:
            raise os_error(errno.ENOTCONN)
        if reading and self.reading is Reading.OPEN:
            self.reading = Reading.SHUT
        if writing:
            self._end_writing()
        self._notify()

    def _end_writing(self) -> None:
        """No more will be written: FIN, behind all that was."""
        if self.state in AFTER_OWN_END:
            self.state = AFTER_OWN_END[self.state]
            self.outflow.end()

    def close(self, *, reset: bool) -> None:
        """The program has closed its socket."""
        self.changed = None
        if self.state in (State.CLOSED, State.TIME_WAIT):
            self._gone()
        elif reset or self._received.size or self.state is State.SYN_SENT:  # RFC 1122 section 4.2.2.13
            self.abort()
        else:
            self._end_writing()
            if self.outflow.has_ended():
                self._own_end_arrived()

    def abort(self) -> None:
        """End it with a reset."""
        if self.state is not State.CLOSED:
            self.outflow.clear()
            self._channel.abandon(reset=self.state is not State.SYN_SENT)
            self._gone()

    def readiness(self) -> int:
        """What would not block, as a mask."""
        state = self.state
        if state in (State.SYN_SENT, State.SYN_RECEIVED):
            return READ | WRITE if self.error else 0
        mask = 0
        if self._received.size or self.error or self.reading is not Reading.OPEN or state not in CAN_RECEIVE:
            mask = READ
        if self.error or state not in CAN_SEND or self.outflow.is_writable():
            mask |= WRITE
        return mask

    def take_error(self) -> int:
        """SO_ERROR: the pending error, once."""
        error, self.error = self.error, 0
        return error

    def keep_alive(self, wanted: bool) -> None:
        """Ask the peer every two hours whether it is there (tcp(7), tcp_keepalive_time), or no longer."""
        if wanted == (self._keepalive is None):
            clock = self._streams.network.clock
            if self._keepalive is not None:
                self._keepalive.cancel()
            self._keepalive = clock.at(clock.now + _KEEPALIVE_TIME, self._ask) if wanted else None

    def _ask(self) -> None:
        self._keepalive = None
        if self.state is not State.CLOSED and self.state is not State.TIME_WAIT:
            if self.is_connected() and not self._channel.waiting:
                self._channel.put("probe")
            self.keep_alive(True)

    def is_connected(self) -> bool:
        """Whether there is a peer to be named (getpeername(2))."""
        return self.state in CONNECTED

    def unread(self) -> int:
        """Bytes that have arrived and were not read."""
        return self._received.size

    def dismantle(self) -> None:
        """The host has lost its memory."""
        self.state = State.CLOSED
        self.changed = None
        self.outflow.clear()
        self._channel.drop()

    # --- What the network does --------------------------------------------------------------------------------------

    def connect(self) -> None:
        """Begin the handshake. With itself, both ends being one, it is over already (RFC 9293 section 3.5)."""
        if self.local == self.remote:
            self._connected(self)
        else:
            clock = self._streams.network.clock
            self._overdue = clock.at(clock.now + _SYN_PATIENCE, self._timed_out)
            self._channel.put("SYN", self)

    def answer(self, peer: End, backlog: Backlog[End]) -> None:
        """A client's SYN has arrived here."""
        self.peer = peer
        self.outflow.edge = peer.receive_buffer
        self._backlog = backlog
        backlog.prepare(self)
        backlog.half_open[self] = None
        self._channel.put("SYN+ACK", self)

    def arrived(self, segment: Segment) -> bool:
        """A segment has arrived; whether it was taken."""
        kind, payload = segment
        if kind == "data":
            self._data(payload)
        elif kind == "FIN":
            self._peer_ended()
        elif kind == "RST":
            self._reset()
        elif kind == "SYN+ACK":
            self._connected(payload)
        elif kind == "ACK":
            return self._accepted()
        elif kind == "probe":
            self._acknowledge()
        else:  # a SYN: the other side has forgotten this connection, and will ask again (RFC 9293 section 3.5.1)
            self._reset()
            return False
        return True

    def fail(self, error: int) -> None:
        """It has ended with an error."""
        if self.state is State.CLOSED:
            return
        self.error = error
        self.outflow.clear()
        self._channel.drop()
        self._gone()
        self._notify()

    def _connected(self, peer: End) -> None:
        self.state = State.ESTABLISHED
        if self._overdue is not None:
            self._overdue.cancel()
        self.peer = peer
        self.outflow.edge = peer.receive_buffer
        self._promised = self.receive_buffer
        self._channel.put("ACK")
        self._notify()

    def _accepted(self) -> bool:
        backlog = self._backlog
        if backlog is None or self.state is not State.SYN_RECEIVED:
            return True
        if backlog.is_full():
            return False
        self.state = State.ESTABLISHED
        self._promised = self.receive_buffer
        del backlog.half_open[self]
        self._backlog = None
        backlog.ready.append(self)
        backlog.changed()
        return True

    def _deliver(self, host: Node, segment: Segment) -> bool:
        """Hand a segment over at `host`; whether it was taken."""
        taken = host.streams.receive(self.remote, self.local, segment)
        if taken and segment[0] == "FIN":
            self._own_end_arrived()
        return taken

    def _own_end_arrived(self) -> None:
        """The peer has got everything, and knows that this was all."""
        if self.state is State.LAST_ACK:
            self._gone()
        elif self.state is State.CLOSING:
            self.state = State.TIME_WAIT
            self._gone()
        elif self.state is State.FIN_WAIT and self.changed is None:
            clock = self._streams.network.clock
            clock.at(clock.now + _ORPHAN_PATIENCE, self._end_waiting)

    def _data(self, data: bytes) -> None:
        if self.state is State.FIN_WAIT and (self.changed is None or self.reading is Reading.SHUT):
            self.abort()  # nobody will read this (RFC 1122 section 4.2.2.13)
            self.error = errno.ECONNRESET
            self._notify()
            return
        if self._streams.reset_strikes():
            peer = self.peer
            assert peer is not None
            self._reset()
            peer._reset()
            return
        self._received.append(data)
        self._acknowledge()
        self._notify()

    def _peer_ended(self) -> None:
        self.state = AFTER_PEERS_END[self.state]
        self.reading = Reading.ENDED
        if self.state is State.TIME_WAIT:
            if self.outflow.has_ended():
                self._gone()
            else:
                self.state = State.CLOSING
        self._notify()

    def _reset(self) -> None:
        """RFC 9293 section 3.10.7.4; which error the program gets is what Linux chose."""
        if self.state is State.SYN_RECEIVED and self._backlog is not None:
            self._backlog.half_open.pop(self, None)
        elif self.state is State.TIME_WAIT or self.state is State.CLOSED:
            return
        error = {State.SYN_SENT: errno.ECONNREFUSED, State.CLOSE_WAIT: errno.EPIPE}.get(self.state, errno.ECONNRESET)
        self.fail(error)

    def _end_waiting(self) -> None:
        if self.state is State.FIN_WAIT:
            self._gone()

    def _timed_out(self) -> None:
        if self.state is State.SYN_RECEIVED and self._backlog is not None:
            self._backlog.half_open.pop(self, None)
        self.fail(errno.ETIMEDOUT)

    def _gone(self) -> None:
        """Nothing that arrives finds this end any more."""
        if self.state is not State.TIME_WAIT:
            self.state = State.CLOSED
            self.peer = None
        self.keep_alive(False)
        self._streams.forget(self)

    def _notify(self) -> None:
        if self.changed is not None:
            self.changed()

    def _acknowledge(self) -> None:
        """Tell the peer what has arrived here, and how much more may."""
        self._promised = max(self._promised, self._read + self.receive_buffer)
        if self.peer is not None:
            self.peer.outflow.acknowledged(self._read + self._received.size, self._promised)
