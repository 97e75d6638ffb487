"""Open files, and the selector that watches them.

The selector is level-triggered like those in `selectors`. An open file tells its watchers when its readiness may have
changed; what was reported stays a candidate for as long as it is ready.
"""

from __future__ import annotations

import errno
import selectors
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from reactor.network.oserrors import os_error
from reactor.simulation.process import FIRST_DESCRIPTOR, Process

__all__ = ["READ", "WRITE", "OpenFile", "SimulatedSelector"]

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE

Events = list[tuple[selectors.SelectorKey, int]]


class OpenFile(ABC):
    """Something that has a descriptor."""

    __slots__ = ("_fd", "_process", "watchers")

    def __init__(self, process: Process) -> None:
        """Take a descriptor. Raises `OSError` (EMFILE, ENFILE) when there is none left."""
        self._process = process
        self._fd = -1
        self.watchers: dict[SimulatedSelector, None] = {}
        """The selectors that want to know."""
        self._fd = process.open(self)

    def fileno(self) -> int:
        """The descriptor; -1 once it is closed."""
        return self._fd

    def notify(self) -> None:
        """Readiness may have changed."""
        for watcher in self.watchers:
            watcher.candidate(self._fd)

    def release(self) -> None:
        """Give the descriptor back."""
        for watcher in self.watchers:
            watcher.closed(self._fd)
        self.watchers.clear()
        self._process.close(self._fd)
        self._fd = -1

    @abstractmethod
    def readiness(self) -> int:
        """What would not block, as a mask of the selector's bits."""

    def may_be_spurious(self) -> int:
        """What may be reported although it would block."""
        return 0

    @abstractmethod
    def close(self) -> None:
        """Give the descriptor up."""


class SimulatedSelector(OpenFile, selectors.BaseSelector):
    """A level-triggered selector over simulated descriptors. It has a descriptor itself, as epoll has."""

    def __init__(self, process: Process) -> None:
        """Watch nothing yet. Raises `OSError` when there is no descriptor left."""
        super().__init__(process)
        self._keys: dict[int, selectors.SelectorKey] = {}
        self._watched: dict[int, OpenFile] = {}
        self._candidates: dict[int, None] = {}
        self.wanted: Callable[[], object] | None = None
        """Told when something may be ready: whoever runs the loop of this selector."""

    # --- As a selector ----------------------------------------------------------------------------------------------

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Watch a descriptor. Raises `KeyError` if it is watched already, `OSError` (EBADF) if it is none."""
        self._process.check_up()
        number = _number(fileobj)
        if number in self._keys:
            raise KeyError(f"descriptor {number} is already registered")
        file = self._file(number)
        key = self._keys[number] = selectors.SelectorKey(fileobj, number, events, data)
        self._watched[number] = file
        file.watchers[self] = None
        self.candidate(number)
        return key

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Watch it for something else. Raises `KeyError` if it is not watched, `OSError` if it was closed meanwhile."""
        number = _number(fileobj)
        old = self._keys[number]
        if events != old.events and number not in self._watched:
            code = errno.ENOENT if number in self._process.files else errno.EBADF
            raise os_error(code)  # a closed one has left the set by itself: epoll(7), question 6
        key = self._keys[number] = selectors.SelectorKey(old.fileobj, number, events, data)
        self.candidate(number)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """Watch it no longer. Raises `KeyError` if it was not watched."""
        number = _number(fileobj)
        key = self._keys.pop(number)
        file = self._watched.pop(number, None)
        if file is not None:
            file.watchers.pop(self, None)
        self._candidates.pop(number, None)
        return key

    def select(self, timeout: float | None = None) -> Events:
        """What is ready; if nothing is, let virtual time pass until something is, or `timeout` seconds have passed.

        Raises `DeadlockError` if nothing ever will be.
        """
        process = self._process
        process.check_up()
        process.scheduler.selecting(self)
        process.clock.run_due()
        ready = self._ready()
        if not ready and (timeout is None or timeout > 0):
            process.scheduler.wait_for(self, timeout)
            ready = self._ready()
        return ready

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """What is registered, by number."""
        return self._keys

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        """The key of a watched descriptor. Raises `KeyError` if it is not watched."""
        return self._keys[_number(fileobj)]

    def close(self) -> None:
        """Give the descriptor up. Registered ones stay open."""
        if self._fd >= 0:
            for file in self._watched.values():
                file.watchers.pop(self, None)
            self._watched.clear()
            self._keys.clear()
            self._candidates.clear()
            if self.wanted is not None:
                self.wanted()  # to see that the end has come
            self.release()

    # --- What the files tell it -------------------------------------------------------------------------------------

    def candidate(self, number: int) -> None:
        """`number` may be ready. If so, it takes its place in the order in which things became ready, as with epoll."""
        if not self._mask(number):
            return
        self._candidates[number] = None
        if self.wanted is not None:
            self.wanted()
        if self.watchers:
            self.notify()

    def closed(self, number: int) -> None:
        """`number` was closed; whoever gets it next is not watched."""
        self._watched.pop(number, None)
        self._candidates.pop(number, None)

    def has_ready(self) -> bool:
        """Whether anything is ready. Forgets candidates that are not."""
        while self._candidates:
            number = next(iter(self._candidates))
            if self._mask(number):
                return True
            del self._candidates[number]
        return False

    def readiness(self) -> int:
        """An epoll descriptor is readable when something in its set is ready."""
        return READ if self.has_ready() else 0

    def _file(self, number: int) -> OpenFile:
        file = self._process.files.get(number)
        if isinstance(file, OpenFile):
            return file
        real = f"{number} is not a simulated descriptor: a real socket or file cannot be used in a simulation"
        raise OSError(errno.EBADF, real) if number < FIRST_DESCRIPTOR else os_error(errno.EBADF)

    def _mask(self, number: int) -> int:
        file = self._watched.get(number)
        return 0 if file is None else file.readiness() & self._keys[number].events

    def _ready(self) -> Events:
        events: Events = []
        for number in list(self._candidates):
            mask = self._mask(number)
            if mask:
                events.append((self._keys[number], mask))
            else:
                del self._candidates[number]
        self._disturb(events)
        return events

    def _disturb(self, events: Events) -> None:
        """Report too much, in another order."""
        process = self._process
        index = process.strikes("spurious_readiness", 0, len(self._watched) - 1) if self._watched else None
        if index is not None:
            number = list(self._watched)[index]
            key = self._keys[number]
            mask = key.events & self._watched[number].may_be_spurious()
            if mask and all(other is not key for other, _ in events):
                events.append((key, mask))
        if len(events) > 1 and (order := process.strikes("shuffled_readiness", 1, 1_000_000)) is not None:
            Random(order).shuffle(events)


def _number(fileobj: Any) -> int:
    return fileobj if isinstance(fileobj, int) else int(fileobj.fileno())
