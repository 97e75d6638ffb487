"""What a case of the conformance kit may use of the world it runs in, and no more.

The kit is written against protocols and transports alone, so that one text holds for every implementation: the
reactor with each selector, asyncio's own transports, a network in memory. A case therefore never touches a socket,
a thread or a clock. Both ends of its connections are protocols, and what neither protocol nor transport can do (make
the kernel's buffers small, end a connection with a reset, wait) is a method of `World`.

A case does not rely on what no kernel promises. A `recv` may return a single byte of what has arrived, and a `send` may
take a single byte, or none, though there is room: kernels of real machines do so under pressure, the simulated ones all
the time. So a case compares what was received, not its pieces. If it is about a single `data_received`, a single byte
is sent: that arrives in one piece.

Nobody sleeps here. A case says what it waits for (`run_until`), and the loop runs until that holds. If `patience`
seconds pass in vain, the case has failed: `StalledError`. To show that something does *not* happen, the world is given
the time in which it would have happened (`settle`). What a second is, each world decides: under virtual time it costs
nothing, and on a slow network more of them pass.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from reactor import MisuseError, Transport
from tests.conformance.recorder import BufferedRecorder, Recorder

__all__ = ["End", "Limits", "StalledError", "UnexpectedError", "World", "expect", "open_descriptors", "raised_by"]

End = Recorder | BufferedRecorder


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds a case asks for, in bytes and seconds, and what happens at the hard limit; `None` is the default."""

    high_water: int | None = None
    low_water: int | None = None
    hard_limit: int | None = None
    idle_timeout: float | None = None
    write_timeout: float | None = None
    drain_timeout: float | None = None
    overflow: str | None = None
    read_size: int | None = None
    budget: int | None = None


class StalledError(AssertionError):
    """What the case waited for did not come, and nothing else came either."""


class UnexpectedError(AssertionError):
    """What was seen is not what the reactor promises; `seen` is compared with the listed differences."""

    def __init__(self, seen: object, wanted: object) -> None:
        super().__init__(f"expected {wanted!r}, saw {seen!r}")
        self.seen = seen


def expect(seen: object, wanted: object) -> None:
    """Assert that they are equal, at the point where implementations are known to differ."""
    if seen != wanted:
        raise UnexpectedError(seen, wanted)


def raised_by(function: Callable[[], object]) -> str | None:
    """The name of the class of the exception that `function` raises, if it raises one."""
    try:
        function()
    except Exception as error:
        return "RuntimeError" if type(error) is MisuseError else type(error).__name__  # a RuntimeError of our own
    return None


def open_descriptors() -> frozenset[int]:
    """The descriptors of this process, where the system lists them; otherwise nothing."""
    try:
        listed = [int(name) for name in os.listdir("/dev/fd")]
    except OSError:
        return frozenset()
    return frozenset(number for number in listed if _is_open(number))  # the listing's own is gone by now


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


class World(ABC):
    """One implementation of protocols and transports, with what is needed to run them."""

    patience = 10.0
    """Seconds: so long that only a real standstill lasts it, on a busy machine too."""

    def __init__(self, near_connects: bool = False) -> None:
        self.errors: list[BaseException] = []  # what was reported to the loop's exception handler
        self.refused: list[BaseException] = []  # attempts to connect that came to nothing
        self.ends: list[End] = []  # both ends of every connection so far
        self._near_connects = near_connects
        self._descriptors_before = self._descriptors()

    # What a case uses.

    def pair(self, near: End | None = None, far: End | None = None, limits: Limits = Limits()) -> tuple[Any, Any]:
        """Connect two ends with each other and return both; `limits` hold for the near one, the one under test."""
        near, far = near or Recorder(), far or Recorder()
        if self._near_connects:
            address = self.listen(lambda: far)
            self.connect(lambda: near, address, limits)
        else:
            address = self.listen(lambda: near, limits)
            self.connect(lambda: far, address)
        self.run_until(lambda: near.made and (far.made or self.refused))
        return near, far

    def listen(self, factory: Callable[[], End], limits: Limits = Limits()) -> str:
        """Listen, with a protocol from `factory` for each connection, and return the address to connect to."""
        return self._listen(lambda: self._watch(factory()), limits)

    def connect(self, factory: Callable[[], End], address: str, limits: Limits = Limits()) -> None:
        """Begin to connect; the protocol's `connection_made` tells when it is done."""
        self._connect(lambda: self._watch(factory()), address, limits)

    def run_until(self, condition: Callable[[], object]) -> None:
        """Run until `condition()` is true. Raises `StalledError` if `patience` seconds have passed in vain."""
        if not self._comes_true(condition):
            raise StalledError(f"waited in vain; errors {self.errors}; the ends so far:\n{self._story()}")

    @abstractmethod
    def settle(self) -> None:
        """Let everything happen that is under way: what was written arrives, or meets a buffer that is full."""

    def clog(self, near: End, far: End, amount: int = 1 << 20) -> None:
        """Make `near` hold bytes that the kernel refuses: `far` stops reading, `near` writes `amount` bytes."""
        self.shrink_kernel_buffers(near.transport)
        self.shrink_kernel_buffers(far.transport)
        far.transport.pause_reading()
        near.transport.write(bytes(amount))
        self.settle()

    def take_errors(self) -> list[BaseException]:
        """What was reported to the exception handler, which is thereby accounted for."""
        taken, self.errors[:] = self.errors[:], []
        return taken

    @abstractmethod
    def call_soon(self, callback: Callable[..., object], *args: object) -> None:
        """Call `callback(*args)` in the next turn of the running loop, or, if none runs, of the near end's."""

    @abstractmethod
    def call_later(self, delay: float, callback: Callable[..., object], *args: object) -> None:
        """Call `callback(*args)` from that loop in `delay` seconds."""

    @abstractmethod
    def time(self) -> float:
        """The loop's clock, in seconds."""

    @abstractmethod
    def reset(self, transport: Transport) -> None:
        """End the connection with a TCP reset, whatever the implementation's own `abort` does."""

    @abstractmethod
    def shrink_kernel_buffers(self, transport: Transport) -> None:
        """Leave the kernel little room (tens of KiB), so that back-pressure comes quickly."""

    # What the runner uses.

    def check(self) -> None:
        """Assert what holds at the end of every case: no promise broken, no error unaccounted for."""
        self._end_all()
        for end in self.ends:
            if end.made:
                for witness in _line_of(end):
                    witness.check()
        assert self.errors == [], f"reported to the exception handler: {self.errors}"

    def close(self) -> None:
        """End everything, and assert that no descriptor is left behind."""
        try:
            self.patience = type(self).patience
            self._end_all()
        finally:
            self._close()
        left = self._descriptors() - self._descriptors_before
        assert not left, f"descriptors leaked: {sorted(left)}"

    def _end_all(self) -> None:
        begun = [_line_of(end)[-1] for end in self.ends if end.made]
        for end in begun:
            if not end.over:
                end.transport.abort()
        self.run_until(lambda: all(end.over for end in begun))
        self.settle()

    def _watch(self, end: End) -> End:
        self.ends.append(end)
        return end

    def _story(self) -> str:
        shortened = ((len(end.received), " ".join(end.events[:20])) for end in self.ends)
        return "\n".join(f"  {size} bytes; {events}" for size, events in shortened)

    def _progress(self) -> int:
        events = sum(len(witness.events) for end in self.ends for witness in _line_of(end))
        return events + len(self.errors) + len(self.refused)

    # What an implementation provides.

    @abstractmethod
    def _listen(self, factory: Callable[[], End], limits: Limits) -> str: ...

    @abstractmethod
    def _connect(self, factory: Callable[[], End], address: str, limits: Limits) -> None: ...

    @abstractmethod
    def _comes_true(self, condition: Callable[[], object]) -> bool:
        """Run until `condition()` is true, or `patience` seconds have passed in vain; which of them."""

    def _descriptors(self) -> frozenset[int]:
        """The descriptors of this process, and of others that the world is made of."""
        return open_descriptors()

    @abstractmethod
    def _close(self) -> None:
        """Stop listening and close the loop."""


def _line_of(end: Any) -> list[Any]:
    """An end and those that it handed its connection to."""
    line = [end]
    while line[-1].successor is not None:
        line.append(line[-1].successor)
    return line
