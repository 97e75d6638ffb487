"""Between the hosts: how long a segment takes, whether it arrives, and what TCP does if it does not.

A `Path` leads from one host to another. A `Channel` is one direction of one connection on a path: an orderly queue of
segments. The network below loses and delays them; the channel stands for the half of TCP that repairs this. A lost
segment is sent again after the retransmission timeout, which doubles each time (RFC 6298 section 5.5), and whatever
was sent behind it waits for it. If nothing gets through for long enough, the channel gives up.

What takes no time at all (a host's loopback) is carried at once, after the system call that sent it has done its work
and before it returns: so does a real kernel.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from reactor.simulation.faults import Link

if TYPE_CHECKING:
    from reactor.simulation.clock import Event
    from reactor.simulation.interfaces import Node, Segment
    from reactor.simulation.world import World

__all__ = ["Channel", "Network", "Path"]

LOOPBACK = Link(latency=0.0)

_HANDSHAKE = ("SYN", "SYN+ACK")
_SYN_RETRY, _SYN_RETRIES = 1.0, 6  # seconds: RFC 6298 section 2.1; tcp(7): tcp_syn_retries
_RETRY, _RETRIES = 0.2, 15  # Linux' shortest timeout; tcp(7): tcp_retries2
_LONGEST_RETRY = 120.0


class Path:
    """The way from one host to another, or to itself."""

    __slots__ = ("_loss", "_network", "busy_until", "cut", "destination", "own_link", "source")

    def __init__(self, network: Network, source: Node, destination: Node) -> None:
        """Made by the network."""
        self._network = network
        self.source = source
        self.destination = destination
        self.own_link: Link | None = LOOPBACK if source is destination else None
        self.cut = False
        self.busy_until = 0.0
        self._loss = f"loss {source.name}>{destination.name}"

    @property
    def link(self) -> Link:
        """Its properties: its own, or the profile's."""
        return self.own_link or self._network.world.profile.link

    def delay(self, size: int) -> float:
        """How long a segment of `size` bytes takes that is sent now, those before it included."""
        link = self.own_link or self._network.world.profile.link
        delay = link.latency
        if link.jitter:
            delay += link.jitter * self._network.world.choices.random.random()
        if link.bandwidth is not None:
            now = self._network.clock.now
            self.busy_until = max(now, self.busy_until) + size / link.bandwidth
            delay += self.busy_until - now
        return delay

    def is_open(self) -> bool:
        """Whether anything gets through at present."""
        source, destination = self.source, self.destination
        if source is destination:
            return source.up
        return not self.cut and source.up and destination.up and source.plugged and destination.plugged

    def carries(self) -> bool:
        """Whether this segment gets through."""
        if not self.is_open():
            return False
        link = self.link
        return self._network.world.strike(self._loss, link.loss, self.source.name) is None


class Network:
    """All hosts, by address, and the paths between them."""

    def __init__(self, world: World) -> None:
        """Begin without a host."""
        self.world = world
        self.clock = world.clock
        self.hosts: dict[str, Node] = {}
        self._paths: dict[tuple[Node, Node], Path] = {}
        self._at_once: deque[Callable[[], object]] = deque()
        self._carrying = False

    def path(self, source: Node, destination: Node) -> Path:
        """The way from `source` to `destination`."""
        path = self._paths.get((source, destination))
        if path is None:
            path = self._paths[source, destination] = Path(self, source, destination)
        return path

    def cut(self, one: Node, other: Node, *, apart: bool) -> None:
        """Let nothing get through between two hosts, in both directions, or let it through again."""
        self.settle()
        for path in (self.path(one, other), self.path(other, one)):
            path.cut = apart
        self.changed()

    def heal(self) -> None:
        """Let everything through again, between all hosts."""
        self.settle()
        for path in self._paths.values():
            path.cut = False
        self.changed()

    def settle(self) -> None:
        """Some path is about to be opened or closed: what has arrived by now has arrived."""
        for host in dict.fromkeys(self.hosts.values()):
            host.streams.settle()

    def changed(self) -> None:
        """Some path is open again, or is not any more: whoever waits for news looks, or asks for them."""
        for host in dict.fromkeys(self.hosts.values()):
            host.streams.path_changed()

    def post(self, path: Path, deliver: Callable[[], object]) -> None:
        """Send one segment that belongs to no connection: it arrives or not."""
        delay = path.delay(0)

        def arrive() -> None:
            if path.carries():
                deliver()

        if delay:
            self.clock.at(self.clock.now + delay, arrive)
        else:
            self.at_once(arrive)

    def at_once(self, call: Callable[[], object]) -> None:
        """Call it now, or, if something of that sort is being called, when that has returned."""
        self._at_once.append(call)
        if not self._carrying:
            self._carrying = True
            try:
                while self._at_once:
                    self._at_once.popleft()()
            finally:
                self._carrying = False


class Channel:
    """One direction of one connection: segments arrive in the order in which they were put in."""

    __slots__ = ("_abandoned", "_deliver", "_event", "_give_up", "_last", "_network", "_queue", "_retries", "path")

    def __init__(
        self, network: Network, path: Path, deliver: Callable[[Segment], bool], give_up: Callable[[], object]
    ) -> None:
        """`deliver` hands a segment over at the other end and says whether it was taken; a refused one counts as lost.

        `give_up` is called when nothing got through for too long.
        """
        self._network = network
        self.path = path
        self._deliver = deliver
        self._give_up = give_up
        self._queue: deque[tuple[float, Segment]] = deque()  # with the time of arrival
        self._last = 0.0  # that of the last one
        self._event: Event | None = None
        self._retries = 0
        self._abandoned = False  # its sender is gone and sends nothing again

    def put(self, kind: str, payload: Any = None, size: int = 0) -> None:
        """Send a segment."""
        arrival = self._last = max(self._network.clock.now + self.path.delay(size), self._last)
        self._queue.append((arrival, (kind, payload)))
        if self._event is None:
            self._expect(arrival)

    def abandon(self, *, reset: bool) -> None:
        """The sender is gone: what is on its way arrives or not, then its reset, and nothing is sent again."""
        self._abandoned = True
        if self._retries:  # what is lost already would have been sent again
            self._retries = 0
            self._last = 0.0
            self.drop()
        if reset:
            self.put("RST")

    def drop(self) -> None:
        """Forget everything, also what is on its way."""
        self._queue.clear()
        if self._event is not None and self._event is not _AT_ONCE:
            self._event.cancel()
            self._event = None

    @property
    def waiting(self) -> int:
        """How many segments have not arrived."""
        return len(self._queue)

    def _expect(self, when: float) -> None:
        clock = self._network.clock
        if when <= clock.now:
            self._event = _AT_ONCE
            self._network.at_once(self._arrive)
        else:
            self._event = clock.at(when, self._arrive)

    def _arrive(self) -> None:
        """Deliver what has arrived by now."""
        queue, now = self._queue, self._network.clock.now
        while queue:
            entry = queue[0]
            if entry[0] > now:
                self._expect(entry[0])
                return
            self._event = _AT_ONCE  # so that nothing put in meanwhile begins a second round
            if not self.path.carries() or not self._deliver(entry[1]):
                self._lost(entry[1])
                return
            self._retries = 0
            if queue and queue[0] is entry:  # delivering it may have dropped the rest
                queue.popleft()
        self._event = None

    def _lost(self, segment: Segment) -> None:
        if self._abandoned:
            self._lose_all_but_reset()
            return
        first, most = (_SYN_RETRY, _SYN_RETRIES) if segment[0] in _HANDSHAKE else (_RETRY, _RETRIES)
        pause = max(first, 2 * self.path.link.latency) * 2**self._retries
        again = self._arrive if self._retries < most else self._end
        self._retries += 1
        self._event = self._network.clock.at(self._network.clock.now + min(pause, _LONGEST_RETRY), again)

    def _end(self) -> None:
        """The last one was not answered either."""
        self.drop()
        self._give_up()

    def _lose_all_but_reset(self) -> None:
        """Nobody sends the lost data again. A reset does not wait for it; if it is lost itself, it was the only one."""
        reset = any(kind == "RST" for _, (kind, _) in self._queue)
        self._queue.clear()
        self._event = None
        if reset and self.path.is_open():
            self._deliver(("RST", None))


class _AtOnce:
    """Stands for an event that is happening."""

    call = None

    def cancel(self) -> None:
        """Too late."""


_AT_ONCE: Any = _AtOnce()
