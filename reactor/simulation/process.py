"""A process: what the kernel keeps for one run of a program.

Its descriptors, its threads, who in it wants which signal, and whether it still runs. Each time a host's program is
started there is a new one, with nothing of the last one's; what outlives it (connections that still flush, ports in
TIME-WAIT) is the machine's.

A descriptor is a number and the open file behind it. Numbers are given out as a kernel does it: the lowest that is
free, so that a number which was just closed soon means something else. They begin at a million, which no real
descriptor of a Python program reaches; whoever brings a real one into a simulation is told so.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from heapq import heappop, heappush
from typing import Protocol

from reactor.errors import HostDownError, OptionError
from reactor.kernel import SystemKernel
from reactor.network.oserrors import os_error
from reactor.simulation.guard import inside
from reactor.simulation.machine import Machine
from reactor.simulation.scheduler import Scheduler

__all__ = ["FIRST_DESCRIPTOR", "SIGINT", "Process"]

FIRST_DESCRIPTOR = 1_000_000

SIGINT = 2  # the numbers of POSIX, which Windows shares where it has them
_SIGKILL, _SIGSTOP = 9, 19
_LAST_SIGNAL = 64

_SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS)


class File(Protocol):
    """Something that has a descriptor."""

    def close(self) -> None:
        """Give it up."""


class Handling(Protocol):
    """Somebody who takes care of signals."""

    def deliver(self, signum: int) -> None:
        """One was sent."""

    def only_guards(self) -> bool:
        """Whether a Ctrl-C is held back here, and then raised."""


class Process:
    """One run of a host's program, as its kernel sees it."""

    def __init__(self, machine: Machine, scheduler: Scheduler) -> None:
        """Nothing is open yet."""
        self.machine = machine
        self.scheduler = scheduler
        self.clock = machine.world.clock
        self.ended: str | None = None
        """How it came to its end; `None`: it runs."""
        self.files: dict[int, File] = {}
        """What is open, by descriptor."""
        self.handlers: list[tuple[int, Handling]] = []
        """Who takes care of which signal; of those who do, the last one."""
        self._free: list[int] = []
        self._next = FIRST_DESCRIPTOR
        self._thread = 0  # 0: the program's own
        self.waited: float | None = None
        """Seconds that the running thread has waited for a name; `None`: it is none that can."""
        self._threads = 0

    # --- Descriptors --------------------------------------------------------------------------------------------------

    def open(self, file: File) -> int:
        """The lowest number that is free. Raises `OSError` (EMFILE, ENFILE)."""
        for limit, code in ((self.machine.descriptor_limit, errno.EMFILE), (self.machine.file_limit, errno.ENFILE)):
            if len(self.files) >= limit:
                raise os_error(code)
        if self._free:
            number = heappop(self._free)
        else:
            number = self._next
            self._next += 1
        self.files[number] = file
        return number

    def close(self, number: int) -> None:
        """It is free again."""
        del self.files[number]
        heappush(self._free, number)

    # --- Threads and signals ------------------------------------------------------------------------------------------

    def thread_id(self) -> int:
        """The running thread: a real one, or one of those that only take virtual time.

        Raises `HostDownError` when this has ended: whoever asks was about to use its reactor.
        """
        if self.ended is not None:
            self.check_up()
        return self._thread or SystemKernel.thread_id()

    def in_main_thread(self) -> bool:
        """Whether the program's own thread is running."""
        return self._thread == 0

    def new_thread(self) -> int:
        """A number for another thread; no real one has a negative number."""
        self._threads += 1
        return -self._threads

    @contextmanager
    def as_thread(self, thread: int, waited: float | None = None) -> Iterator[None]:
        """Within this block, that thread is running."""
        before = self._thread, self.waited
        self._thread, self.waited = thread, waited
        try:
            with inside(self.machine.name, worker=True):
                yield
        finally:
            self._thread, self.waited = before

    def deliver(self, signum: int) -> bool:
        """A signal was sent; whether somebody takes care of it."""
        for wanted, handling in reversed(self.handlers):
            if wanted == signum:
                handling.deliver(signum)
                return True
        return False

    def check_signal(self, signum: int, *, catchable: bool = False) -> None:
        """Raise `OptionError` for what is no signal, or none that can be caught (signal(7))."""
        if not 1 <= signum <= _LAST_SIGNAL or (catchable and signum in (_SIGKILL, _SIGSTOP)):
            raise OptionError(f"signal {signum} cannot be handled")

    # --- What can go wrong, and the end -------------------------------------------------------------------------------

    def strikes(self, kind: str, low: int = 0, high: int = 0) -> int | None:
        """Whether a fault of this sort strikes now, and how hard."""
        world = self.machine.world
        return world.strike(kind, getattr(world.profile.faults, kind), self.machine.name, low, high)

    def check_not_exhausted(self, call: str) -> None:
        """Raise `OSError` if the machine is out of something just now."""
        index = self.strikes("exhausted", 0, len(_SHORTAGES) - 1)
        if index is not None:
            code = _SHORTAGES[index]
            self.trace(call, answer=errno.errorcode[code])
            raise os_error(code)

    def trace(self, call: str, *details: object, answer: object) -> None:
        """Write a system call and its answer down, if anybody wants to read it."""
        if self.machine.world.tracing:
            self.machine.world.note(self.machine.name, f"{call}({', '.join(map(str, details))}) = {answer}")

    @property
    def up(self) -> bool:
        """Whether it runs."""
        return self.ended is None

    def check_up(self) -> None:
        """Raise `HostDownError` if it has ended."""
        if self.ended is not None:
            raise HostDownError(f"{self.ended}; what was made there is gone: restart() the host and make it anew")

    def end(self, how: str, *, silently: bool) -> None:
        """It has ended. The kernel closes what was open; without power (`silently`) nobody does."""
        if self.ended is None:
            if not silently:
                for file in list(self.files.values()):
                    file.close()
            self.ended = how
