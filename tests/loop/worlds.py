"""The two worlds in which these tests take place: the operating system, and a host of the simulation.

No test knows which one it is in. It takes a kernel from its world, and, where a kernel has no call for it, what the
world offers beside: the other end of a descriptor, a signal from outside, a name that somebody knows, a function that
takes long. Another thread is what a kernel's workers are; so it is the same in both.

In the simulation a function of another thread is called while somebody waits, and no time passes inside it. So a
function that a test gives to another thread may look whether the loop waits, but must not itself wait for the loop.
"""

from __future__ import annotations

import os
import selectors
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from typing import Any, Protocol

import pytest

from reactor.kernel import AddressInfo, Kernel, Socket, SystemKernel
from reactor.simulation import Host, SimulatedKernel, Simulation
from tests.loop.kit import SELECTORS, SelectorFactory

SIMULATION = "simulation"
WORLDS = [*SELECTORS, SIMULATION]
"""The system's, one for each selector, and the simulated one."""

WITHOUT_DESCRIPTOR = ("poll", "select")
"""The selectors that are no descriptor themselves."""


def system_only(reason: str) -> pytest.MarkDecorator:
    """This test is about the operating system itself, and says by what."""
    return pytest.mark.system_only(reason)


class End(Protocol):
    """One end of a pipe or of a connection."""

    def fileno(self) -> int: ...
    def recv(self, size: int, /) -> bytes: ...
    def send(self, data: bytes, /) -> int: ...
    def close(self) -> None: ...


class Gate(Protocol):
    """What a blocking function waits at."""

    def wait(self) -> bool: ...
    def open(self) -> None: ...


class World(ABC):
    """A kernel, and what is beyond it."""

    kernel: Kernel

    def __init__(self) -> None:
        self._threads: list[Thread] = []

    @abstractmethod
    def pipe(self) -> AbstractContextManager[tuple[End, End]]:
        """The reading and the writing end of a non-blocking pipe."""

    @abstractmethod
    def kill(self, *signums: int) -> None:
        """Send this program these signals."""

    @abstractmethod
    def until(self, condition: Callable[[], object]) -> None:
        """Let the other threads work until `condition()` is true."""

    @abstractmethod
    def gate(self) -> Gate:
        """A closed one. `wait`, called by the executor, does not return before `open` was called."""

    @abstractmethod
    def knows(self, name: str, address: str | None, gate: Gate | None = None) -> None:
        """`name` resolves to `address`, or does not exist (`None`), and the answer waits for `gate`."""

    @abstractmethod
    def let_workers_end(self) -> None:
        """Wait until no function runs in an executor that was closed."""

    @abstractmethod
    def open_descriptors(self) -> int:
        """How many descriptors this program has open."""

    @contextmanager
    def pair(self) -> Iterator[tuple[Socket, Socket]]:
        """The two ends of a connection."""
        with ExitStack() as ends:
            ours = self._socket(ends)
            with ExitStack() as until_connected:
                listener = self._socket(until_connected)
                listener.bind(("127.0.0.1", 0))
                listener.listen(1)
                ours.connect_ex(listener.getsockname())
                self._await_readable(listener)
                theirs, _ = listener.accept()
            ends.callback(theirs.close)
            theirs.setblocking(False)
            yield ours, theirs

    def thread(self) -> Thread:
        """Another thread."""
        self._threads.append(Thread(self))
        return self._threads[-1]

    def close(self) -> None:
        """The test has ended."""
        for thread in self._threads:
            thread.close()

    def _socket(self, owner: ExitStack) -> Socket:
        sock = self.kernel.socket(socket.AF_INET, socket.SOCK_STREAM)
        owner.callback(sock.close)
        return sock

    def _await_readable(self, sock: Socket) -> None:
        with self.kernel.selector() as selector:
            selector.register(sock.fileno(), selectors.EVENT_READ)
            selector.select(30)


class Thread:
    """Another thread, which does what it is given, one thing after the other."""

    def __init__(self, world: World) -> None:
        self._until = world.until
        self._workers = world.kernel.workers("another", 1)
        self._given = 0
        self._outcomes: list[tuple[Any, BaseException | None]] = []

    def start(self, function: Callable[..., Any], *args: Any) -> None:
        """Let it call `function(*args)`."""
        self._given += 1
        self._workers.submit(function, args, lambda *outcome: self._outcomes.append(outcome))

    def join(self) -> Any:
        """Wait until it has done all; what the last function has returned. Raises what one of them has raised."""
        self._until(lambda: len(self._outcomes) == self._given)
        for _, error in self._outcomes:
            if error is not None:
                raise error
        return self._outcomes[-1][0]

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """What `function(*args)` returns there."""
        self.start(function, *args)
        return self.join()

    def close(self) -> None:
        self._workers.close()


# --- The operating system -----------------------------------------------------------------------------------------


class PipeEnd:
    """A descriptor of a pipe, with the names that a socket has for it."""

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self._fd = fd

    def fileno(self) -> int:
        return self._fd

    def recv(self, size: int, /) -> bytes:
        return os.read(self._fd, size)

    def send(self, data: bytes, /) -> int:
        return os.write(self._fd, data)

    def close(self) -> None:
        if self._fd != -1:
            os.close(self._fd)
            self._fd = -1


class ThreadGate(threading.Event):
    open = threading.Event.set


class _Kernel(SystemKernel):
    """The operating system, with a name service that answers when and as a test wishes."""

    def __init__(self, selector: SelectorFactory) -> None:
        super().__init__(selector)
        self.names: dict[str, tuple[str | None, Gate | None]] = {}

    def getaddrinfo(self, host: str, port: int, flags: int = 0) -> Sequence[AddressInfo]:
        if host not in self.names:
            return super().getaddrinfo(host, port, flags)
        address, gate = self.names[host]
        if gate is not None:
            gate.wait()
        if address is None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]


class SystemWorld(World):
    """This process."""

    def __init__(self, selector: SelectorFactory) -> None:
        super().__init__()
        self.kernel: _Kernel = _Kernel(selector)

    @contextmanager
    def pipe(self) -> Iterator[tuple[End, End]]:
        reading, writing = map(PipeEnd, os.pipe())
        with closing(reading), closing(writing):
            yield reading, writing

    def kill(self, *signums: int) -> None:
        for signum in signums:
            os.kill(os.getpid(), signum)

    def until(self, condition: Callable[[], object]) -> None:
        while not condition():
            time.sleep(0)  # not to wait, only to let the others have the interpreter

    def gate(self) -> Gate:
        return ThreadGate()

    def knows(self, name: str, address: str | None, gate: Gate | None = None) -> None:
        self.kernel.names[name] = address, gate

    def let_workers_end(self) -> None:
        for thread in threading.enumerate():
            if thread.name.startswith("reactor-"):
                thread.join()

    def open_descriptors(self) -> int:
        if not os.path.isdir("/proc/self/fd"):
            pytest.skip("no /proc here")
        return len(os.listdir("/proc/self/fd"))


# --- The simulation -----------------------------------------------------------------------------------------------

AN_HOUR = 3600.0


class HourGate:
    """Everybody is let through after an hour of virtual time, which passes as soon as nobody has anything to do.

    Until it is opened, every function of the executor takes so long; a name that waits for it takes longer.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        host.blocking_time = AN_HOUR

    def wait(self) -> bool:
        return True

    def open(self) -> None:
        self._host.blocking_time = 0.0


class SimulatedWorld(World):
    """A host that has only itself to talk to."""

    def __init__(self) -> None:
        super().__init__()
        self._simulation = Simulation(seed=0)
        self._host = self._simulation.host("here", "10.0.0.1")
        self.kernel: SimulatedKernel = self._host.kernel

    def pipe(self) -> AbstractContextManager[tuple[End, End]]:
        return self.pair()

    def kill(self, *signums: int) -> None:
        for signum in signums:
            self._host.signal(signum)

    def until(self, condition: Callable[[], object]) -> None:
        self._simulation.run(until=condition)

    def gate(self) -> Gate:
        return HourGate(self._host)

    def knows(self, name: str, address: str | None, gate: Gate | None = None) -> None:
        addresses = () if address is None else (address,)
        self._simulation.name(name, *addresses, delay=0.0 if gate is None else 2 * AN_HOUR)

    def let_workers_end(self) -> None:
        self._simulation.run_for(AN_HOUR)

    def open_descriptors(self) -> int:
        return len(self.kernel.process.files)


@contextmanager
def a_world(name: str) -> Iterator[World]:
    """The world of this name."""
    with closing(SimulatedWorld() if name == SIMULATION else SystemWorld(SELECTORS[name])) as world:
        yield world
