"""A host's TCP: who listens where, and the table of connections.

A segment finds its connection by the two addresses that it carries. What finds none is answered with a reset, which is
how a peer learns that a machine it talked to has forgotten everything.
"""

from __future__ import annotations

from collections import Counter, deque
from functools import partial

from reactor.simulation.addresses import Address, is_loopback, wildcard
from reactor.simulation.backlog import Backlog
from reactor.simulation.end import End
from reactor.simulation.interfaces import Node, Segment
from reactor.simulation.tcp_states import State
from reactor.simulation.wire import Network

__all__ = ["Streams"]

_TIME_WAIT = 60.0
"""Seconds that a port is still taken by a connection that is over (TCP_TIMEWAIT_LEN of Linux)."""


class Streams:
    """A host's TCP: who listens where, and all ends of its connections."""

    def __init__(self, network: Network, host: Node) -> None:
        """Begin with nothing."""
        self.network = network
        self.host = host
        self.listening: dict[Address, Backlog[End]] = {}
        self.ends: dict[tuple[Address, Address], End] = {}
        self._ports: Counter[int] = Counter()  # of the ends, and of those in TIME-WAIT:
        self._waiting: deque[tuple[float, int]] = deque()  # until when, and the port

    def open(self, local: Address, remote: Address, host: Node, state: State = State.SYN_SENT) -> End:
        """Make an end."""
        end = self.ends[local, remote] = End(self, local, remote, host, state)
        self._ports[local[1]] += 1
        return end

    def receive(self, local: Address, remote: Address, segment: Segment) -> bool:
        """A segment has arrived; whether it was taken: one that was dropped will be sent again."""
        end = self.ends.get((local, remote))
        if end is not None:
            return end.arrived(segment)
        kind, payload = segment
        if kind == "RST":
            return True
        if kind == "SYN":
            backlog = self.listening.get(local) or self.listening.get((wildcard(local[0]), local[1]))
            if backlog is not None:
                if backlog.is_full():
                    return False
                self.open(local, remote, payload.host, State.SYN_RECEIVED).answer(payload, backlog)
                return True
        self._refuse(local, remote)
        return True

    def _refuse(self, local: Address, remote: Address) -> None:
        """Answer what nobody here knows with a reset (RFC 9293 section 3.10.7.1)."""
        sender = self.host if is_loopback(remote[0]) else self.network.hosts.get(remote[0])
        if sender is not None:
            path = self.network.path(self.host, sender)
            self.network.post(path, partial(sender.streams.receive, remote, local, ("RST", None)))

    def forget(self, end: End) -> None:
        """`end` is over."""
        key = (end.local, end.remote)
        if self.ends.get(key) is end:
            del self.ends[key]
            self._ports[end.local[1]] -= 1
            if end.state is State.TIME_WAIT:
                self._end_time_waits()
                self._waiting.append((self.network.clock.now + _TIME_WAIT, end.local[1]))
                self._ports[end.local[1]] += 1

    def is_used(self, port: int) -> bool:
        """Whether some connection, perhaps a past one in TIME-WAIT, has this local port."""
        self._end_time_waits()
        return self._ports[port] > 0

    def _end_time_waits(self) -> None:
        while self._waiting and self._waiting[0][0] <= self.network.clock.now:
            self._ports[self._waiting.popleft()[1]] -= 1

    def reset_strikes(self) -> bool:
        """Whether something in between resets the connection now."""
        world = self.network.world
        return world.strike("reset", world.profile.faults.reset, self.host.name) is not None

    def settle(self) -> None:
        """Some path is about to be opened or closed: what has arrived by now has arrived."""
        for end in list(self.ends.values()):
            end.outflow.look_at_acks()

    def path_changed(self) -> None:
        """Some path is open again, or is not any more: whoever waits for news from there looks, and asks."""
        for end in list(self.ends.values()):
            end.outflow.look_at_acks()
            end.outflow.probe()

    def lose_all(self) -> None:
        """The host has lost its power."""
        for end in list(self.ends.values()):
            end.dismantle()
        self.ends.clear()
        self.listening.clear()
        self._ports.clear()
        self._waiting.clear()
