"""The signals that a program wants to hear of in its loop, and what it wants to do about them."""

from __future__ import annotations

from collections.abc import Iterator

from reactor.kernel import Kernel, Signals, Wakeup
from reactor.loop.handles import Call

__all__ = ["SignalHandlers"]


class SignalHandlers:
    """The handlers of one reactor. Nothing of the process's signals is touched before the first is asked for."""

    __slots__ = ("_calls", "_kernel", "_signals", "_wakeup")

    def __init__(self, kernel: Kernel, wakeup: Wakeup) -> None:
        """Handle nothing yet."""
        self._kernel = kernel
        self._wakeup = wakeup
        self._signals: Signals | None = None
        self._calls: dict[int, Call] = {}

    def add(self, signum: int, call: Call) -> None:
        """`call` is due whenever the process gets `signum`."""
        self._open().add(signum)
        self._calls[signum] = call

    def remove(self, signum: int) -> bool:
        """Handle `signum` as before; whether there was a handler."""
        if self._calls.pop(signum, None) is None:
            return False
        self._open().remove(signum)
        return True

    def due(self, received: bytes) -> Iterator[Call]:
        """What is to be called, when the wakeup has `received` these bytes. Raises a guarded `KeyboardInterrupt`."""
        if self._signals is not None:
            for signum in self._signals.take(received):
                call = self._calls.get(signum)
                if call is not None:
                    yield call

    def guard_interrupt(self) -> bool:
        """Hold Ctrl-C back until `due`; whether that is possible here."""
        return self._open().guard_interrupt()

    def release_interrupt(self) -> None:
        """Hold it back no longer."""
        self._open().release_interrupt()

    def close(self) -> None:
        """Put everything back as it was."""
        self._calls.clear()
        if self._signals is not None:
            self._signals.close()

    def _open(self) -> Signals:
        if self._signals is None:
            self._signals = self._kernel.signals(self._wakeup)
        return self._signals
