"""A host: a machine with addresses, a network stack, and one program at a time.

The program is a reactor and what was made on it. The machine can lose it in two ways. If the program ends or is killed,
the kernel lives on and closes what it had open, so that peers see an end or a reset. If the machine crashes, nobody
closes anything: the peers meet silence, until the machine is back and answers what it does not know with a reset.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, overload

from reactor.errors import HostDownError, OptionError
from reactor.loop import Reactor
from reactor.simulation.kernel import SimulatedKernel
from reactor.simulation.machine import Machine
from reactor.simulation.process import SIGINT, Process
from reactor.simulation.program import Program
from reactor.simulation.scheduler import Scheduler

__all__ = ["Host"]

_IGNORED_BY_DEFAULT = (17, 18, 23, 28)  # SIGCHLD, SIGCONT, SIGURG, SIGWINCH on Linux: signal(7)

Report = Callable[["Host", dict[str, Any]], object]


class _Limit:
    """A number of the machine that its host shows and checks."""

    def __init__(self, least: float, kind: type[int | float] = int) -> None:
        self._least = least
        self._kind = kind

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, host: None, owner: type) -> _Limit: ...
    @overload
    def __get__(self, host: Host, owner: type) -> Any: ...
    def __get__(self, host: Host | None, owner: type) -> Any:
        return self if host is None else getattr(host.machine, self._name)

    def __set__(self, host: Host, value: Any) -> None:
        kinds = (int,) if self._kind is int else (int, float)
        if not isinstance(value, kinds) or isinstance(value, bool) or not value >= self._least:
            what = "a whole number" if self._kind is int else "a number of seconds"
            raise OptionError(f"{self._name} is {what} from {self._least:g} up, not {value!r}")
        setattr(host.machine, self._name, value)


class Host:
    """One machine of a simulation. Made by `Simulation.host`.

    Its limits may be changed while the simulation runs; `OptionError` is raised for a value that cannot be.
    """

    __slots__ = ("_boot", "_kernel", "_program", "_report", "_scheduler", "machine")

    descriptor_limit = _Limit(3)
    """Descriptors that a program may have (EMFILE): 1024."""
    file_limit = _Limit(3)
    """Descriptors that the machine has (ENFILE): 100,000."""
    send_buffer = _Limit(1)
    """Bytes that the kernel takes for a new connection before `send` fails with EAGAIN (tcp(7), tcp_wmem): 256 KiB."""
    receive_buffer = _Limit(1)
    """Bytes that the kernel of a new connection holds for its program: the window (tcp(7), tcp_rmem), 128 KiB."""
    blocking_time = _Limit(0, float)
    """Seconds that a function in `run_in_executor` takes: none. How long a look-up takes, `Simulation.name` says."""
    pace = _Limit(0, float)
    """Seconds from one tick of its reactor to the next at least: a slow machine, a slow reader. None by default."""

    def __init__(
        self,
        machine: Machine,
        scheduler: Scheduler,
        report: Report,
        program: Callable[[Reactor], object] | None,
    ) -> None:
        """Made by `Simulation.host`, which then calls `begin`."""
        self.machine = machine
        """Its part of the network, for those who study it."""
        self._scheduler = scheduler
        self._report = report
        self._boot = program
        self._kernel = SimulatedKernel(Process(machine, scheduler))
        self._program: Program | None = None

    def begin(self) -> None:
        """Start its program, if it has one."""
        if self._boot is not None:
            self._running().begin(self._boot)

    # --- What it is ---------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """What it is called, also by the resolver."""
        return self.machine.name

    @property
    def addresses(self) -> tuple[str, ...]:
        """Its addresses, beside loopback."""
        return self.machine.addresses

    @property
    def up(self) -> bool:
        """Whether the machine runs. Its program may have ended all the same."""
        return self.machine.up

    @property
    def plugged(self) -> bool:
        """Whether its cable is in."""
        return self.machine.plugged

    @property
    def alive(self) -> bool:
        """Whether its program still has anything to wait for."""
        return self._program is not None and self._kernel.process.up and self._program.reactor.alive()

    @property
    def open_descriptors(self) -> list[int]:
        """The descriptors that its program has open. Raises `HostDownError` after the program's end."""
        return sorted(self.kernel.process.files)

    def waits_for(self) -> list[str]:
        """What its program is waiting for, a line each."""
        return self._program.waits_for() if self._program is not None and self._kernel.process.up else []

    # --- The program --------------------------------------------------------------------------------------------------

    @property
    def kernel(self) -> SimulatedKernel:
        """What its program runs on. Raises `HostDownError` after the program's end."""
        self._kernel.process.check_up()
        return self._kernel

    @property
    def reactor(self) -> Reactor:
        """Its program's reactor, made when it is first asked for. Raises `HostDownError` after the program's end."""
        return self._running().reactor

    def _running(self) -> Program:
        kernel = self.kernel
        if self._program is None:
            self._program = Program(kernel, self._tell, self._ended)
        return self._program

    def _tell(self, reactor: Reactor, context: dict[str, Any]) -> None:
        self._report(self, context)

    def signal(self, signum: int) -> None:
        """Send the program a signal.

        Without a handler SIGINT ends the program in order (its reactor is closed), and others kill it, as they do.
        A program that runs its reactor by hand gets the `KeyboardInterrupt` here.

        Raises `OptionError` for what is no signal, `HostDownError` if there is no program.
        """
        process = self.kernel.process
        process.check_signal(signum)
        if process.deliver(signum):
            return
        if signum == SIGINT:
            if self._program is None:
                raise KeyboardInterrupt  # whoever runs a reactor by hand is the program
            self._scheduler.between_ticks(self._interrupt)
        elif signum not in _IGNORED_BY_DEFAULT:
            self.kill()

    def kill(self) -> None:
        """End the program at once, and let the kernel close what it had open. Its protocols are told nothing."""
        self._scheduler.between_ticks(partial(self._ended, "was killed"))

    def forsake(self) -> None:
        """The simulation is over: nobody is told anything."""
        self._kernel.process.end(f"the simulation of host {self.name!r} is over", silently=True)

    def _interrupt(self) -> None:
        if self._program is not None:
            self._program.close()
        self._ended("was interrupted")

    def _ended(self, how: str) -> None:
        """The program is no more."""
        if self._kernel.process.up:
            self._log(how)
            self._kernel.process.end(self._said(f"the program of host {self.name!r} {how}"), silently=False)
            self._program = None

    # --- The machine --------------------------------------------------------------------------------------------------

    def crash(self) -> None:
        """Lose all power: nobody is told anything, and nothing that arrives is answered. Raises `HostDownError`."""
        self._scheduler.between_ticks(self._crash)

    def restart(self) -> None:
        """Start the machine, if it is down, and its program anew, which gets a new reactor. Ends a running program."""
        self._scheduler.between_ticks(self._restart)

    def unplug(self) -> None:
        """Pull the cable: nothing gets in or out, nothing is reset, and new connections find no route."""
        self._log("unplugged")
        self.machine.plug(plugged=False)

    def plug(self) -> None:
        """Put the cable back in."""
        self._log("plugged in")
        self.machine.plug(plugged=True)

    def _crash(self) -> None:
        if not self.up:
            raise HostDownError(f"host {self.name!r} is down already: restart() it first")
        self._log("crashed")
        self._kernel.process.end(self._said(f"host {self.name!r} crashed"), silently=True)
        self._program = None
        self.machine.lose_power()

    def _restart(self) -> None:
        self._ended("was restarted")
        self._log("started")
        self._kernel = SimulatedKernel(Process(self.machine, self._scheduler))
        self.machine.start()
        self.begin()

    def _said(self, what: str) -> str:
        return f"{what} at {self.machine.world.clock.now:.6f} s"

    def _log(self, what: str) -> None:
        self.machine.world.note(self.name, what)

    def __repr__(self) -> str:
        """Its name and addresses."""
        return f"<host {self.name!r}, {', '.join(self.addresses)}>"
