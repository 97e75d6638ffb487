"""A reactor inside Tk's loop: all of the bridge, for `examples.tk_chat` and for your own window.

A window's loop cannot be left, and knows nothing of a reactor. But Tk can watch a descriptor (`createfilehandler`) and
come back after some milliseconds (`after`); no host needs more. There is no thread, so what the network says may change
the window at once. This is what has to be known of Tk:

- It draws when it has nothing else to do. A network that always has something to say would freeze the window; so each
  tick ends with drawing (`update_idletasks`). Let each bring little: `FramedProtocol.frames_per_tick`.
- `update()` and dialogs are Tk's loop once more, inside a callback, and that may be one of the reactor's. The reactor
  refuses a tick inside a tick, so what is readable would stay so, and Tk would have no rest. Therefore nothing is
  watched during a tick: the window lives, and the network waits.
- While it sleeps, so does Python, and Ctrl-C waits until somebody moves the mouse. The reactor's signal handlers are
  called at once: a signal is one more thing that makes its descriptor readable.

Windows' Tk watches no descriptors. There a thread calls `wait()`, and Tk's loop `dispatch()`.
"""

from __future__ import annotations

import math
import tkinter as tk

from reactor import Reactor


class TkHost:
    """Runs the ticks of a reactor in Tk's loop, until `unwatch`."""

    def __init__(self, reactor: Reactor, root: tk.Tk) -> None:
        self.reactor, self.root = reactor, root
        self.alarm: str | None = None
        self.watch()

    def watch(self) -> None:
        self.root.createfilehandler(self.reactor.fileno(), tk.READABLE, self.tick)
        self.reactor.set_deadline_hook(self.wake_at)
        self.wake_at(self.reactor.next_deadline())

    def unwatch(self) -> None:
        self.wake_at(None)
        self.reactor.set_deadline_hook(None)
        self.root.deletefilehandler(self.reactor.fileno())

    def tick(self, *_: object) -> None:
        self.unwatch()
        try:
            self.reactor.run_once(0)
        finally:
            self.watch()
        self.root.update_idletasks()

    def wake_at(self, when: float | None) -> None:
        """Come back at `when`, a time of the reactor's clock. Tk counts milliseconds: rather one late than early."""
        if self.alarm is not None:
            self.root.after_cancel(self.alarm)
            self.alarm = None
        if when is not None:
            self.alarm = self.root.after(max(0, math.ceil((when - self.reactor.time()) * 1000)), self.tick)
