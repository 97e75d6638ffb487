"""Being woken, and being interrupted: the descriptor that wakes a reactor, and the signals that are sent to a program.

There are no signals in a simulation. `Host.signal` sends one, and who asked for it last gets it, as with the one
handler that a real process has for each.
"""

from __future__ import annotations

from collections import deque

from reactor.errors import MisuseError
from reactor.simulation.descriptors import READ, OpenFile
from reactor.simulation.process import SIGINT, Process

__all__ = ["SimulatedSignals", "SimulatedWakeup"]


class _WritingEnd(OpenFile):
    """The other end of a wakeup, which takes a descriptor as well."""

    __slots__ = ()

    def readiness(self) -> int:
        """Nobody asks."""
        return 0

    def close(self) -> None:
        """Give the descriptor up."""
        if self._fd >= 0:
            self.release()


class SimulatedWakeup(OpenFile):
    """A descriptor that is readable after `wake` until `drain`."""

    __slots__ = ("_received", "_writer")

    def __init__(self, process: Process) -> None:
        """Take two descriptors. Raises `OSError` when there are none left."""
        super().__init__(process)
        self._received = b""
        try:
            self._writer = _WritingEnd(process)
        except OSError:
            self.release()
            raise

    def wake(self) -> None:
        """Make it readable."""
        self.signalled(b"\0")

    def signalled(self, octet: bytes) -> None:
        """Make it readable, with that to be read."""
        if self._fd >= 0 and octet not in self._received:
            self._received += octet
            self.notify()

    def drain(self) -> bytes:
        """Make it unreadable; what came."""
        received, self._received = self._received, b""
        return received

    def readiness(self) -> int:
        """Readable or nothing."""
        return READ if self._received else 0

    def close(self) -> None:
        """Give the descriptors up."""
        if self._fd >= 0:
            self.release()
            self._writer.close()


class SimulatedSignals:
    """The signals that were sent to a simulated program."""

    def __init__(self, process: Process, wakeup: SimulatedWakeup) -> None:
        """Handle none yet."""
        self._process = process
        self._wakeup = wakeup
        self._handled: set[int] = set()
        self._noted: deque[int] = deque()
        self._guarding = False
        self._interrupted = False

    def add(self, signum: int) -> None:
        """Note `signum` from now on. Raises `MisuseError` in a thread, `OptionError` for what cannot be caught."""
        if not self._process.in_main_thread():
            raise MisuseError("Python delivers signals to the main thread only: add the handler there")
        self._process.check_signal(signum, catchable=True)
        self._handled.add(signum)
        self._take_over(signum)

    def remove(self, signum: int) -> None:
        """Do not note it any more."""
        self._handled.remove(signum)
        self._leave(signum)

    def take(self, received: bytes) -> list[int]:
        """Those noted since the last call. Raises `KeyboardInterrupt` for a guarded Ctrl-C."""
        if self._interrupted:
            self._interrupted = False
            if self._noted:
                self._wakeup.wake()
            raise KeyboardInterrupt
        taken = list(self._noted)
        self._noted.clear()
        return taken

    def guard_interrupt(self) -> bool:
        """Hold a Ctrl-C back until `take`, unless somebody else handles it."""
        others = [signals for signum, signals in self._process.handlers if signum == SIGINT and signals is not self]
        if not self._process.in_main_thread() or not all(signals.only_guards() for signals in others):
            return False
        self._guarding = True
        self._take_over(SIGINT)
        return True

    def release_interrupt(self) -> None:
        """Undo that. Raises `KeyboardInterrupt` if one was held back and not taken."""
        self._unguard()
        if self._interrupted:
            self._interrupted = False
            raise KeyboardInterrupt

    def close(self) -> None:
        """Handle none any more."""
        self._guarding = False
        self._handled.clear()
        self._process.handlers[:] = [entry for entry in self._process.handlers if entry[1] is not self]

    def only_guards(self) -> bool:
        """Whether a Ctrl-C is held back here, and then raised."""
        return self._guarding and SIGINT not in self._handled

    def deliver(self, signum: int) -> None:
        """A signal was sent. Raises `KeyboardInterrupt` for a second Ctrl-C while the first is held back."""
        if signum in self._handled:
            self._noted.append(signum)
        elif self._interrupted:
            self._interrupted = False
            raise KeyboardInterrupt
        else:
            self._interrupted = True
        self._wakeup.signalled(bytes([signum]))

    def _take_over(self, signum: int) -> None:
        if (signum, self) not in self._process.handlers:
            self._process.handlers.append((signum, self))

    def _leave(self, signum: int) -> None:
        if signum not in self._handled and not (signum == SIGINT and self._guarding):
            self._process.handlers.remove((signum, self))

    def _unguard(self) -> None:
        if self._guarding:
            self._guarding = False
            self._leave(SIGINT)
