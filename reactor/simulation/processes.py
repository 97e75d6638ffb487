"""What a kernel has for a program beside sockets: being woken, signals, and threads that wait.

There are no threads in a simulation, and no signals either. A function that is given to a worker is called between two
ticks, when its virtual time has come, and while it runs the kernel says that another thread is running: who touches the
reactor from there is refused as in production.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias

from reactor.errors import MisuseError
from reactor.simulation.descriptors import READ, OpenFile, Watching
from reactor.simulation.names import Pending

__all__ = ["SimulatedSignals", "SimulatedWakeup", "SimulatedWorkers"]

_SIGINT = 2  # the numbers of POSIX, which Windows shares where it has them

_Work: TypeAlias = tuple[Callable[..., Any], tuple[Any, ...], Callable[..., None]]

_MOST_THREADS = 32


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


class Threading(Watching, Protocol):
    """What threads and signals need of their kernel."""

    handlers: list[tuple[int, SimulatedSignals]]
    """Who takes care of which signal; the last one does."""

    @property
    def up(self) -> bool:
        """Whether its program runs."""

    @property
    def blocking_time(self) -> float:
        """Seconds that a blocking call takes."""

    def in_main_thread(self) -> bool:
        """Whether the program's own thread is running."""

    def check_signal(self, signum: int, *, catchable: bool = False) -> None:
        """Raise `OptionError` for what is no signal, or none that can be caught."""

    def new_thread(self) -> int:
        """A number for another thread."""

    def as_thread(self, thread: int, *, waited: bool) -> AbstractContextManager[None]:
        """Within this block, that thread is running."""


class SimulatedWakeup(OpenFile):
    """A descriptor that is readable after `wake` until `drain`."""

    __slots__ = ("_received", "_writer")

    def __init__(self, kernel: Watching) -> None:
        """Take two descriptors. Raises `OSError` when there are none left."""
        super().__init__(kernel)
        self._received = b""
        try:
            self._writer = _WritingEnd(kernel)
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

    def __init__(self, kernel: Threading, wakeup: SimulatedWakeup) -> None:
        """Handle none yet."""
        self._kernel = kernel
        self._wakeup = wakeup
        self._handled: set[int] = set()
        self._noted: deque[int] = deque()
        self._guarding = False
        self._interrupted = False

    def add(self, signum: int) -> None:
        """Note `signum` from now on. Raises `MisuseError` in a thread, `OptionError` for what cannot be caught."""
        if not self._kernel.in_main_thread():
            raise MisuseError("Python delivers signals to the main thread only: add the handler there")
        self._kernel.check_signal(signum, catchable=True)
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
        others = [signals for signum, signals in self._kernel.handlers if signum == _SIGINT and signals is not self]
        if not self._kernel.in_main_thread() or not all(signals.only_guards() for signals in others):
            return False
        self._guarding = True
        self._take_over(_SIGINT)
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
        self._kernel.handlers[:] = [entry for entry in self._kernel.handlers if entry[1] is not self]

    def only_guards(self) -> bool:
        """Whether a Ctrl-C is held back here, and then raised."""
        return self._guarding and _SIGINT not in self._handled

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
        if (signum, self) not in self._kernel.handlers:
            self._kernel.handlers.append((signum, self))

    def _leave(self, signum: int) -> None:
        if signum not in self._handled and not (signum == _SIGINT and self._guarding):
            self._kernel.handlers.remove((signum, self))

    def _unguard(self) -> None:
        if self._guarding:
            self._guarding = False
            self._leave(_SIGINT)


class SimulatedWorkers:
    """At most `limit` threads, which take virtual time."""

    def __init__(self, kernel: Threading, limit: int | None, *, resolving: bool) -> None:
        """Do nothing yet. How long `resolving` takes, each name says for itself."""
        self._kernel = kernel
        self._limit = limit or _MOST_THREADS
        self._queue: deque[_Work] = deque()
        self._threads = 0
        self._idle: list[int] = []  # the numbers of threads that have nothing to do
        self._resolving = resolving
        self._closed = False

    def submit(self, function: Callable[..., Any], args: tuple[Any, ...], done: Callable[..., None]) -> None:
        """Call `function(*args)` when a thread is free and its time has come, then `done(result, error)`."""
        if not self._closed:
            self._queue.append((function, args, done))
            self._begin_next()

    def close(self) -> None:
        """Begin nothing any more; what runs is left to end."""
        self._closed = True
        self._queue.clear()

    def _begin_next(self) -> None:
        if not self._queue:
            return
        if self._idle:
            thread = self._idle.pop()
        elif self._threads < self._limit:
            self._threads += 1
            thread = self._kernel.new_thread()
        else:
            return
        seconds = 0.0 if self._resolving else self._kernel.blocking_time
        self._work_in(seconds, thread, self._queue.popleft(), waited=False)

    def _work_in(self, seconds: float, thread: int, work: _Work, *, waited: bool) -> None:
        if seconds < float("inf"):
            self._kernel.clock.at(self._kernel.clock.now + seconds, lambda: self._work(thread, work, waited))

    def _work(self, thread: int, work: _Work, waited: bool) -> None:
        """In the worker's thread, so to say."""
        kernel = self._kernel
        if not kernel.up:
            return
        function, args, done = work
        result, error = None, None
        with kernel.as_thread(thread, waited=waited):
            try:
                result = function(*args)
            except Pending as pending:
                self._work_in(pending.seconds, thread, work, waited=True)
                return
            except BaseException as exc:
                error = exc
            done(result, error)
        self._idle.append(thread)
        self._begin_next()
