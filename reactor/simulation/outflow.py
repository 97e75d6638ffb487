"""The sending half of one end of a stream: send buffer, window, acknowledgements.

What a program has written waits in the send buffer until the other side has acknowledged it, and leaves it for the
channel as far as the other side's window reaches. Both pieces of news, what has arrived and how much more may, come
back along the path and take their time. They are looked at when somebody asks, or waits for them: a stream that is
never held up costs no event for them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from reactor.simulation.byte_queue import ByteQueue

if TYPE_CHECKING:
    from reactor.simulation.clock import Clock, Event
    from reactor.simulation.wire import Channel, Path

__all__ = ["Outflow"]

SEGMENT = 64 * 1024
"""Bytes in one segment at most."""


class Outflow:
    """Bytes on their way out."""

    __slots__ = (
        "_acked", "_acks", "_channel", "_clock", "_end_waiting", "_path_back", "_pending", "_sent", "_wake", "_written",
        "changed", "edge", "size",
    )  # fmt: skip

    def __init__(
        self, channel: Channel, path_back: Path, clock: Clock, size: int, changed: Callable[[], object]
    ) -> None:
        """Begin with a send buffer of `size` bytes and no window. `changed` is called when there may be room again."""
        self._channel = channel
        self._path_back = path_back
        self._clock = clock
        self.size = size
        """The send buffer: bytes that are taken before they are acknowledged."""
        self.changed = changed
        self.edge = 0
        """Up to where the other side's window reaches, in bytes from the beginning."""
        self._pending = ByteQueue()  # written, and held back by that window
        self._written = self._sent = self._acked = 0  # bytes: from the program, onto the channel, known to have arrived
        self._end_waiting = False  # a FIN, behind what is pending
        self._acks: deque[tuple[float, int, int]] = deque()  # on their way: arrival, acked, edge
        self._wake: Event | None = None  # the event in which they will be looked at

    def write(self, data: bytes) -> int:
        """Take what fits; how much that was."""
        taken = data[: max(0, self.free())]
        if taken:
            self._pending.append(taken)
            self._written += len(taken)
            self.transmit()
            self._expect_acks()
        return len(taken)

    def end(self) -> None:
        """Send a FIN behind everything."""
        self._end_waiting = True
        self.transmit()

    def has_ended(self) -> bool:
        """Whether the FIN has arrived."""
        return not self._end_waiting and not self._channel.waiting

    def free(self) -> int:
        """How many bytes would be taken."""
        if self._acks:
            self._collect_acks()
        return self.size - (self._written - self._acked)

    def is_writable(self) -> bool:
        """Whether a third of the buffer is free, which is when Linux says so (sk_stream_is_writeable)."""
        return self.free() * 3 >= self.size

    def clear(self) -> None:
        """Forget what has not been sent."""
        self._pending.clear()
        self._acks.clear()

    def transmit(self) -> None:
        """Send as much of what is pending as the window allows, and the end behind it."""
        pending, channel = self._pending, self._channel
        while pending.size and (room := self.edge - self._sent) > 0:
            data = pending.take(min(room, SEGMENT))
            self._sent += len(data)
            channel.put("data", data, len(data))
        if self._end_waiting and not pending.size:
            self._end_waiting = False
            channel.put("FIN")

    def probe(self) -> None:
        """Ask for news if something was not acknowledged: lost, or held back by a closed window.

        A real sender asks again and again (RFC 9293 section 3.8.6.1). The answer is the same until something happens
        on the way or at the other side, so this one asks then.
        """
        if self._written > self._acked and not self._channel.waiting:
            self._channel.put("probe")

    def acknowledged(self, total: int, edge: int) -> None:
        """The other side has sent that. It counts when it has arrived."""
        self._acks.append((self._clock.now + self._path_back.delay(0), total, edge))
        if self._collect_acks():
            self.changed()
        self._expect_acks()

    def look_at_acks(self) -> None:
        """What the other side has sent may have arrived."""
        self._wake = None
        if self._collect_acks():
            self.changed()
        self._expect_acks()

    def _collect_acks(self) -> bool:
        """Count what has arrived; whether anything has."""
        acks, now = self._acks, self._clock.now
        if not acks or acks[0][0] > now or not self._path_back.is_open():
            return False
        while acks and acks[0][0] <= now:
            _, total, edge = acks.popleft()
            self._acked, self.edge = max(self._acked, total), max(self.edge, edge)
        self.transmit()
        return True

    def _expect_acks(self) -> None:
        """Have somebody look when the next ones arrive, if anybody is waiting for them."""
        if self._wake is None and self._acks and self._acks[0][0] > self._clock.now:
            held_up = self._pending.size or (self.size - (self._written - self._acked)) * 3 < self.size
            if held_up:
                self._wake = self._clock.at(self._acks[0][0], self.look_at_acks)
