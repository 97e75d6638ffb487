"""How much has gone each way, and how fast: one line on the terminal, for a person who waits.

The terminal may also be where the received text appears. So the line is taken away before that is written, and is not
shown in the middle of a line of it. It is only shown anew when it has something new to say, because that wipes what is
being typed from the screen (though not from the line that the terminal will send).
"""

from __future__ import annotations

import os
from collections.abc import Callable

from reactor.cli.screen import Screen, complain
from reactor.loop import Reactor, RepeatingTimer

__all__ = ["Progress", "in_units"]

_EVERY = 0.5
"""Seconds between two looks. The rates shown are those of the time between them, and in the end those of all of it."""


class Progress:
    """Shows what `carried()` returns, bytes sent and received; if it is started, and standard error is a terminal."""

    def __init__(self, reactor: Reactor, carried: Callable[[], tuple[int, int]]) -> None:
        """Show nothing before `start`."""
        self._reactor = reactor
        self._carried = carried
        self._screen = Screen()
        self._timer: RepeatingTimer | None = None
        self._began = (reactor.time(), 0, 0)
        self._before = self._began
        self._line = ""
        self._shares_output = os.isatty(1)
        self._in_a_line = False  # of the output

    def start(self) -> None:
        """Show it from now on."""
        if self._screen.is_watched:
            self._timer = self._reactor.call_every(_EVERY, self._look)

    def conclude(self) -> None:
        """Leave the sums standing."""
        if self._timer is not None:
            self._timer.cancel()
            self.clear()
            complain(("\n" if self._in_a_line else "") + _line(self._began, self._now()))

    def make_way(self, data: bytes) -> None:
        """`data` is about to appear on standard output."""
        if self._timer is not None and self._shares_output:
            self.clear()
            self._in_a_line = not data.endswith(b"\n")

    def clear(self) -> None:
        """Take the line away until the next look."""
        if self._line:
            self._line = ""
            self._screen.clear()

    def _look(self) -> None:
        now = self._now()
        line = _line(self._before, now)
        self._before = now
        if line != self._line and not self._in_a_line:
            self._line = line
            self._screen.progress(line)

    def _now(self) -> tuple[float, int, int]:
        return self._reactor.time(), *self._carried()


def _line(then: tuple[float, int, int], now: tuple[float, int, int]) -> str:
    seconds = max(now[0] - then[0], 1e-3)
    sent, received = (f"{in_units(now[way])}, {in_units((now[way] - then[way]) / seconds)}/s" for way in (1, 2))
    return f"sent {sent}; received {received}"


def in_units(size: float) -> str:
    """A number of bytes as people read it: `"0 B"`, `"999 B"`, `"1.0 KiB"`, `"12.3 GiB"`."""
    if size < 1000:
        return f"{size:.0f} B"
    for unit in ("KiB", "MiB", "GiB"):
        size /= 1024
        if size < 1000:
            return f"{size:.1f} {unit}"
    return f"{size / 1024:.1f} TiB"
