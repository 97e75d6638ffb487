"""Signals, taken out of the air and put in line with everything else.

A signal interrupts the program between any two instructions, which is a bad moment for nearly anything. CPython
already defers it: the C-level handler sets a flag and writes the signal's number to a *wakeup descriptor*; the Python
handler runs later, in the main thread, between two bytecodes. That is still in the middle of somebody's callback. So
the Python handler here does one thing: it makes a note. The byte wakes the selector, the loop takes the notes and calls
what the user registered, as a callback among callbacks.

Ctrl-C gets the same treatment while the loop runs. The first one is raised as `KeyboardInterrupt` between callbacks,
so that no data structure is left half changed; if a callback hangs, the second one raises at once.

There is one wakeup descriptor in a process, and one handler for each signal. If somebody had set them before (another
loop that hosts this one), each byte is passed on to the descriptor that was there, and all is put back at the end. Two
reactors in one thread need not end in the order that this asks for: who ends first is taken out of the chain, so that
nobody puts back the handler, or writes to the descriptor number, of one that is gone.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from types import FrameType
from typing import Any

from reactor.errors import MisuseError, OptionError
from reactor.kernel.wakeup import SystemWakeup

__all__ = ["SystemSignals"]


class SystemSignals:
    """The signals of this process, for one reactor in the main thread."""

    __slots__ = ("_guarding", "_handlers", "_interrupted", "_noted", "_previous_fd", "_unguarded", "_wakeup")

    def __init__(self, wakeup: SystemWakeup) -> None:
        """Touch nothing yet; handlers are set when they are asked for."""
        self._wakeup = wakeup
        self._handlers: dict[int, Any] = {}  # signal -> what handled it before
        self._noted: deque[int] = deque()
        self._previous_fd: int | None = None  # None: our wakeup descriptor is not installed
        self._guarding = False
        self._unguarded: Any = signal.default_int_handler  # what handled SIGINT before that
        self._interrupted = False

    def add(self, signum: int) -> None:
        """Note `signum` from now on, instead of whatever was done about it."""
        if threading.current_thread() is not threading.main_thread():
            raise MisuseError("Python delivers signals to the main thread only: add the handler there")
        try:
            self._install_wakeup()
            previous = signal.signal(signum, self._note)
        except (ValueError, OSError) as exc:
            self._restore_wakeup()
            raise OptionError(f"signal {signum} cannot be handled: {exc}") from exc
        if previous == self._interrupt:  # our own guard; what is put back one day is what was there before it
            previous = signal.default_int_handler
        self._handlers.setdefault(signum, previous)

    def remove(self, signum: int) -> None:
        """Put back what handled `signum` before."""
        previous = self._handlers.pop(signum)
        if signum == signal.SIGINT and self._guarding and previous is signal.default_int_handler:
            previous = self._interrupt
        self._put_back(signum, self._note, previous)
        self._restore_wakeup()

    def take(self, received: bytes) -> list[int]:
        """The signals noted since the last call; raises `KeyboardInterrupt` for a guarded Ctrl-C.

        The other notes of that moment are kept for the next call. The bytes `received` by the wakeup are passed on
        to the descriptor that was installed before ours.
        """
        self._forward(received)
        if self._interrupted:
            self._interrupted = False
            if self._noted:
                self._wakeup.wake()  # for the next call
            raise KeyboardInterrupt
        taken = []
        while self._noted:
            taken.append(self._noted.popleft())
        return taken

    def guard_interrupt(self) -> bool:
        """Hold Ctrl-C back until `take`, if it would raise `KeyboardInterrupt` and this is the main thread."""
        if threading.current_thread() is not threading.main_thread():
            return False
        current = signal.getsignal(signal.SIGINT)
        if not _raises(self._handlers.get(signal.SIGINT, current)):
            return False
        self._guarding = True
        self._install_wakeup()
        if _raises(current):
            self._unguarded = signal.signal(signal.SIGINT, self._interrupt)
        return True

    def release_interrupt(self) -> None:
        """Let Ctrl-C raise where it strikes again; raises `KeyboardInterrupt` if one is still held back."""
        self._unguard()
        self._restore_wakeup()
        if self._interrupted:
            self._interrupted = False
            raise KeyboardInterrupt

    def close(self) -> None:
        """Put back every handler and the previous wakeup descriptor."""
        self._unguard()
        for signum in list(self._handlers):
            self.remove(signum)
        self._restore_wakeup()

    def _unguard(self) -> None:
        if self._guarding:
            self._guarding = False
            self._put_back(signal.SIGINT, self._interrupt, self._unguarded)

    def _put_back(self, signum: int, mine: Any, previous: Any) -> None:
        """Restore the handler before `mine`, or let whoever came after us restore that one."""
        if signal.getsignal(signum) == mine:
            signal.signal(signum, previous if previous is not None else signal.SIG_DFL)
        for other in _chain:
            if other._handlers.get(signum) == mine:
                other._handlers[signum] = previous
            if signum == signal.SIGINT and other._unguarded == mine:
                other._unguarded = previous

    def _note(self, signum: int, frame: FrameType | None) -> None:
        self._noted.append(signum)
        self._wakeup.wake()

    def _interrupt(self, signum: int, frame: FrameType | None) -> None:
        if self._interrupted:
            self._interrupted = False
            raise KeyboardInterrupt
        self._interrupted = True
        self._wakeup.wake()

    def _forward(self, received: bytes) -> None:
        numbers = received.replace(b"\0", b"")
        if numbers and self._previous_fd is not None and self._previous_fd != -1:
            try:
                os.write(self._previous_fd, numbers)
            except OSError:
                pass  # full, so its owner will wake anyway; or gone, with its owner

    def _install_wakeup(self) -> None:
        if self._previous_fd is None:
            self._previous_fd = signal.set_wakeup_fd(self._wakeup.signal_fileno(), warn_on_full_buffer=False)
            _chain.append(self)

    def _restore_wakeup(self) -> None:
        if self._previous_fd is None or self._handlers or self._guarding:
            return
        _chain.remove(self)
        mine, current = self._wakeup.signal_fileno(), signal.set_wakeup_fd(-1)
        if current == mine:
            current = self._previous_fd  # still ours: put back the one before; otherwise somebody came after us
        for other in _chain:
            if other._previous_fd == mine:
                other._previous_fd = self._previous_fd
        try:
            signal.set_wakeup_fd(current, warn_on_full_buffer=False)
        except (ValueError, OSError):
            pass  # its owner has closed it meanwhile
        self._previous_fd = None


_chain: list[SystemSignals] = []
"""Those that have replaced the process's wakeup descriptor, in the order in which they did."""


def _raises(handler: Any) -> bool:
    """Whether a SIGINT handler raises `KeyboardInterrupt`: Python's own does, and that of a reactor around this one."""
    return handler is signal.default_int_handler or getattr(handler, "__func__", None) is SystemSignals._interrupt
