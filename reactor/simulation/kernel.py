"""The second kernel: what one simulated program runs on.

A host is a machine; each time its program is started there is a new kernel object, with its own descriptors, clock
hands and threads, as there is a new process on a real one. Everything that is asked of it is answered from the memory
of the simulation. What is left when the program is gone is the host's: connections that still flush, ports in
TIME-WAIT.
"""

from __future__ import annotations

import errno
import selectors
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from reactor.errors import HostDownError, OptionError
from reactor.kernel import AddressInfo, Kernel, SystemKernel, Wakeup
from reactor.network.oserrors import os_error
from reactor.simulation.clock import Clock
from reactor.simulation.descriptors import Descriptors, SimulatedSelector
from reactor.simulation.end import End
from reactor.simulation.guard import inside
from reactor.simulation.interfaces import Address, World
from reactor.simulation.names import Pending, family_of, normal, rows
from reactor.simulation.processes import SimulatedSignals, SimulatedWakeup, SimulatedWorkers
from reactor.simulation.serving import Hosting
from reactor.simulation.sockets import SimulatedSocket, close_all
from reactor.simulation.wire import Network

__all__ = ["SimulatedKernel"]

_SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS)
_UNCATCHABLE = (9, 19)  # SIGKILL and SIGSTOP: signal(7)
_LAST_SIGNAL = 64


class Surroundings(World, Protocol):
    """What a kernel needs of its simulation."""

    def selecting(self, selector: SimulatedSelector) -> None:
        """Somebody looks what is ready in `selector`."""

    def wait_for(self, selector: SimulatedSelector, timeout: float | None) -> None:
        """Run the others until something is ready in `selector`, or `timeout` seconds are over."""


class HostingKernels(Hosting, Protocol):
    """What a kernel needs of its host."""

    network: Network
    plugged: bool
    up: bool
    descriptor_limit: int
    file_limit: int
    blocking_time: float

    @property
    def simulation(self) -> Surroundings:
        """Where it stands."""

    def begin(self, local: Address, remote: Address, prepare: Callable[[End], object]) -> End:
        """Begin a connection; `prepare` sets its end up first."""


class SimulatedKernel(Kernel):
    """A kernel in memory, for one run of one host's program. Made by `Simulation.host` and `Host.restart`."""

    RESET_ON_CLOSE = SystemKernel.RESET_ON_CLOSE

    def __init__(self, host: HostingKernels) -> None:
        """Made by its host."""
        self.host = host
        self.clock: Clock = host.simulation.clock
        self.selector_is_live = True
        self.descriptors = Descriptors(lambda: (host.descriptor_limit, host.file_limit))
        self.selectors: list[SimulatedSelector] = []
        self.handlers: list[tuple[int, SimulatedSignals]] = []
        self.ended: str | None = None
        """How it came to its end; `None`: it runs."""
        self._thread = self._last_thread = 0  # 0: the program's own
        self._waited = False  # the running worker has waited for its answer

    @property
    def up(self) -> bool:
        """Whether its program runs."""
        return self.ended is None

    # --- For the reactor ----------------------------------------------------------------------------------------------

    def time(self) -> float:
        """Virtual time, in seconds since the simulation began."""
        return self.clock.now

    def selector(self) -> selectors.BaseSelector:
        """Make a selector."""
        self.check_up()
        selector = SimulatedSelector(self)
        self.selectors.append(selector)
        return selector

    def socket(self, family: int, kind: int) -> SimulatedSocket:
        """Make a non-blocking socket. Raises `OSError` (EMFILE, ENFILE, ENOBUFS, EAFNOSUPPORT)."""
        self.check_up()
        self.check_not_exhausted("socket")
        try:
            sock = SimulatedSocket(self, family, kind)
        except OSError as exc:
            self.trace("socket", answer=errno.errorcode.get(exc.errno or 0))
            raise
        self.trace("socket", answer=sock.fileno())
        return sock

    def getaddrinfo(self, host: str, port: int, flags: int = 0) -> Sequence[AddressInfo]:
        """Look a name up in the simulation. Raises `socket.gaierror`."""
        self.check_up()
        if not host:
            return rows(("0.0.0.0", "::") if flags & socket.AI_PASSIVE else ("::1", "127.0.0.1"), port)
        if family_of(host) is not None:
            return rows((normal(host),), port)
        if flags & socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if self.strikes("unresolved") is not None:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        answer = self.host.simulation.names.find(host)
        if answer.delay and self._thread and not self._waited:
            raise Pending(answer.delay)
        if answer.delay and not self._thread:
            raise OptionError(
                f"looking up {host!r} blocks for {answer.delay} s, and nobody else can do anything meanwhile: "
                "listen at a numeric address"
            )
        if not answer.addresses:
            raise socket.gaierror(socket.EAI_NONAME, f"Name or service not known: {host}")
        return rows(answer.addresses, port)

    def wakeup(self) -> SimulatedWakeup:
        """Make a wakeup."""
        self.check_up()
        return SimulatedWakeup(self)

    def signals(self, wakeup: Wakeup) -> SimulatedSignals:
        """Make the access to the signals that `Host.signal` sends."""
        assert isinstance(wakeup, SimulatedWakeup)
        return SimulatedSignals(self, wakeup)

    def workers(self, name: str, limit: int | None = None) -> SimulatedWorkers:
        """Make a pool of threads that are none."""
        return SimulatedWorkers(self, limit, resolving=name.endswith("resolver"))

    def thread_id(self) -> int:
        """The running thread: a real one, or one of those that only take virtual time.

        Raises `HostDownError` when this program has ended: whoever asks was about to use its reactor.
        """
        if self.ended is not None:
            self.check_up()
        return self._thread or SystemKernel.thread_id()

    def random(self) -> float:
        """Chance, which the seed decides."""
        return self.host.simulation.choices.random.random()

    def after_fork(self, callback: Callable[[], None]) -> None:
        """Nothing forks in a simulation: `os.fork` is refused there."""

    def descriptor_limit(self) -> int:
        """What the host was given as `descriptor_limit`."""
        return self.host.descriptor_limit

    # --- For its sockets and selectors --------------------------------------------------------------------------------

    def strikes(self, kind: str, low: int = 0, high: int = 0) -> int | None:
        """Whether a fault of this sort strikes now, and how hard."""
        weight = getattr(self.host.simulation.profile.faults, kind)
        return self.host.network.strike(kind, weight, self.host, low, high)

    def trace(self, call: str, *details: object, answer: object) -> None:
        """Write a system call and its answer down, if anybody wants to read it."""
        trace = self.host.simulation.tracer
        if trace is not None:
            trace(self.host.name, f"{call}({', '.join(map(str, details))}) = {answer}")

    def check_not_exhausted(self, call: str) -> None:
        """Raise `OSError` if the machine is out of something just now."""
        index = self.strikes("exhausted", 0, len(_SHORTAGES) - 1)
        if index is not None:
            code = _SHORTAGES[index]
            self.trace(call, answer=errno.errorcode[code])
            raise os_error(code)

    def check_up(self) -> None:
        """Raise `HostDownError` if this program has ended."""
        if self.ended is not None:
            raise HostDownError(f"{self.ended}; what was made there is gone: restart() the host and make it anew")

    def in_main_thread(self) -> bool:
        """Whether the program's own thread is running."""
        return self._thread == 0

    def deliver(self, signum: int) -> bool:
        """A signal was sent to the program; whether somebody in it takes care of that: the last one who asked."""
        for wanted, signals in reversed(self.handlers):
            if wanted == signum:
                signals.deliver(signum)
                return True
        return False

    def check_signal(self, signum: int, *, catchable: bool = False) -> None:
        """Raise `OptionError` for what is no signal, or none that can be caught."""
        if not 1 <= signum <= _LAST_SIGNAL or (catchable and signum in _UNCATCHABLE):
            raise OptionError(f"signal {signum} cannot be handled")

    @property
    def blocking_time(self) -> float:
        """Seconds that a blocking call takes."""
        return self.host.blocking_time

    def route(self, host: str) -> int:
        """The errno of a kernel that knows no way to `host`; 0 if it knows one."""
        mine = self.host
        if mine.has(host):
            return 0
        return 0 if mine.plugged and mine.source_for(host) else errno.ENETUNREACH

    def begin(self, local: Address, remote: Address, prepare: Callable[[End], object]) -> End:
        """Begin a connection; `prepare` sets its end up first."""
        return self.host.begin(local, remote, prepare)

    def selecting(self, selector: SimulatedSelector) -> None:
        """Somebody looks what is ready in `selector`."""
        self.host.simulation.selecting(selector)

    def wait(self, selector: SimulatedSelector, timeout: float | None) -> None:
        """Let time pass for everybody until something is ready in `selector`, or `timeout` seconds are over."""
        self.host.simulation.wait_for(selector, timeout)

    def new_thread(self) -> int:
        """A number for another thread; no real one has a negative number."""
        self._last_thread -= 1
        return self._last_thread

    @contextmanager
    def as_thread(self, thread: int, *, waited: bool) -> Iterator[None]:
        """Within this block, that thread is running."""
        before = self._thread, self._waited
        self._thread, self._waited = thread, waited
        try:
            with inside(self.host.name):
                yield
        finally:
            self._thread, self._waited = before

    def end(self, how: str, *, silently: bool) -> None:
        """The program has ended. Its kernel closes what it had open; without power (`silently`) nobody does."""
        if self.ended is None:
            if not silently:
                close_all(self.descriptors.files.values())
            self.ended = how
            for selector in self.selectors:
                selector.wanted = None
