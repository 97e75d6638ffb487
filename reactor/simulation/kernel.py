"""The second kernel: what one simulated program runs on.

Everything that a reactor asks of it is answered from the memory of the simulation. It keeps nothing itself: what
belongs to this run of the program is in its `Process`, and what outlives that in its `Machine`.
"""

from __future__ import annotations

import errno
import selectors
import socket
from collections.abc import Callable, Sequence

from reactor.errors import OptionError
from reactor.kernel import AddressInfo, Kernel, SystemKernel, Wakeup
from reactor.simulation.addresses import as_rows, family_of, normal
from reactor.simulation.descriptors import SimulatedSelector
from reactor.simulation.names import Pending
from reactor.simulation.process import Process
from reactor.simulation.signals import SimulatedSignals, SimulatedWakeup
from reactor.simulation.sockets import SimulatedSocket
from reactor.simulation.workers import SimulatedWorkers

__all__ = ["SimulatedKernel"]

class SimulatedKernel(Kernel):
    """A kernel in memory, for one run of one host's program. Made by `Simulation.host` and `Host.restart`."""

    RESET_ON_CLOSE = SystemKernel.RESET_ON_CLOSE

    def __init__(self, process: Process) -> None:
        """Made by its host."""
        self.process = process
        """What it keeps for the program."""
        self.selector_is_live = True
        self._last_selector: SimulatedSelector | None = None

    def time(self) -> float:
        """Virtual time, in seconds since the simulation began."""
        return self.process.clock.now

    def selector(self) -> selectors.BaseSelector:
        """Make a selector."""
        self.process.check_up()
        self._last_selector = SimulatedSelector(self.process)
        return self._last_selector

    def last_selector(self) -> SimulatedSelector:
        """The one that was made last."""
        assert self._last_selector is not None
        return self._last_selector

    def socket(self, family: int, kind: int) -> SimulatedSocket:
        """Make a non-blocking socket. Raises `OSError` (EMFILE, ENFILE, ENOBUFS, EAFNOSUPPORT)."""
        process = self.process
        process.check_up()
        process.check_not_exhausted("socket")
        try:
            sock = SimulatedSocket(process, family, kind)
        except OSError as exc:
            process.trace("socket", answer=errno.errorcode.get(exc.errno or 0))
            raise
        process.trace("socket", answer=sock.fileno())
        return sock

    def getaddrinfo(self, host: str, port: int, flags: int = 0) -> Sequence[AddressInfo]:
        """Look a name up in the simulation. Raises `socket.gaierror`."""
        process = self.process
        process.check_up()
        if not host:
            return as_rows(("0.0.0.0", "::") if flags & socket.AI_PASSIVE else ("::1", "127.0.0.1"), port)
        if family_of(host) is not None:
            return as_rows((normal(host),), port)
        if flags & socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if process.strikes("unresolved") is not None:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        answer = process.machine.world.names.find(host)
        if answer.delay and process.waited is None:
            raise OptionError(
                f"looking up {host!r} takes {answer.delay} s, and only connect() waits in a thread of its own: "
                "use a numeric address here"
            )
        if process.waited is not None and process.waited < answer.delay:
            raise Pending(answer.delay)
        if not answer.addresses:
            raise socket.gaierror(socket.EAI_NONAME, f"Name or service not known: {host}")
        return as_rows(answer.addresses, port)

    def wakeup(self) -> SimulatedWakeup:
        """Make a wakeup."""
        self.process.check_up()
        return SimulatedWakeup(self.process)

    def signals(self, wakeup: Wakeup) -> SimulatedSignals:
        """Make the access to the signals that `Host.signal` sends."""
        assert isinstance(wakeup, SimulatedWakeup)
        return SimulatedSignals(self.process, wakeup)

    def workers(self, purpose: str, limit: int | None = None) -> SimulatedWorkers:
        """Make a pool of threads that are none."""
        return SimulatedWorkers(self.process, limit, resolving=purpose == "resolver")

    def thread_id(self) -> int:
        """The running thread. Raises `HostDownError` when the program has ended."""
        return self.process.thread_id()

    def random(self) -> float:
        """Chance, which the seed decides."""
        return self.process.machine.world.choices.program.random()

    def after_fork(self, callback: Callable[[], None]) -> None:
        """Nothing forks in a simulation: `os.fork` is refused there."""

    def descriptor_limit(self) -> int:
        """What the host was given as `descriptor_limit`."""
        return self.process.machine.descriptor_limit
