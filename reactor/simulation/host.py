"""A host: a machine with addresses, a network stack, and one program at a time.

The program is a reactor and what was made on it. The machine can lose it in two ways. If the program ends or is killed,
the kernel lives on and closes what it had open, so that peers see an end or a reset. If the machine crashes, nobody
closes anything: the peers meet silence, until the machine is back and answers what it does not know with a reset.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from reactor.errors import HostDownError
from reactor.loop import Phase, Reactor
from reactor.simulation.clock import Event
from reactor.simulation.end import End
from reactor.simulation.guard import inside
from reactor.simulation.interfaces import Address
from reactor.simulation.kernel import SimulatedKernel, Surroundings
from reactor.simulation.ports import Ports
from reactor.simulation.streams import Streams, is_loopback
from reactor.simulation.wire import Network

__all__ = ["Host", "Program"]

_SIGINT = 2
_IGNORED_BY_DEFAULT = (17, 18, 23, 28)  # SIGCHLD, SIGCONT, SIGURG, SIGWINCH: signal(7)


class Running(Surroundings, Protocol):
    """What a host needs of its simulation."""

    def time(self) -> float:
        """Virtual time."""

    def activate(self, program: Program) -> None:
        """`program` has something to do."""

    def between_ticks(self, call: Callable[[], object]) -> None:
        """Call it now, or, if a program is running, as soon as that has returned."""

    def report(self, host: Host, context: dict[str, Any]) -> None:
        """A host's reactor reports an error."""


class Program:
    """A host's reactor, which the simulation runs."""

    __slots__ = ("_deadline", "_host", "_kernel", "_not_before", "_stalled", "reactor", "selector")

    def __init__(self, host: Host, kernel: SimulatedKernel) -> None:
        """Make the reactor."""
        self._host = host
        self._kernel = kernel
        self.reactor = Reactor(kernel=kernel)
        self.reactor.set_exception_handler(host.report)
        self.selector = kernel.selectors[-1]
        self.selector.wanted = partial(host.simulation.activate, self)
        self._deadline: tuple[float, Event] | None = None
        self._not_before = 0.0
        self._stalled = False

    @property
    def host(self) -> Host:
        """Whose program it is."""
        return self._host

    def tick(self) -> bool:
        """Let the reactor do what there is to do now; whether it had a chance to."""
        host, reactor, clock = self._host, self.reactor, self._kernel.clock
        if not self._kernel.up:
            return False
        if reactor.phase is Phase.CLOSED:
            host.program_ended("has closed its reactor")
            return False
        if not self._is_idle():
            return False
        if not self._stalled and (stall := self._kernel.strikes("stall", 1, 100)) is not None:
            self._stalled = True  # once before each tick
            self._not_before = max(self._not_before, clock.now + stall / 1000)
        if clock.now < self._not_before:
            clock.at(self._not_before, partial(host.simulation.activate, self))
            return False
        self._stalled = False
        with inside(host.name):
            reactor.dispatch(reactor.wait(0))
        self._not_before = clock.now + host.pace
        if reactor.stopping:
            with inside(host.name):
                reactor.close()
            host.program_ended("has stopped")
        elif self._kernel.up:
            self._plan_next_tick()
        return True

    def _is_idle(self) -> bool:
        """Whether nobody is running the reactor by hand just now."""
        return self.reactor.phase in (Phase.NEW, Phase.IDLE)

    def _plan_next_tick(self) -> None:
        """See to it that the reactor is called when it is due."""
        clock, planned = self._kernel.clock, self._deadline
        due = self.reactor.next_deadline()
        if self.selector.has_ready() or (due is not None and due <= clock.now):
            self._host.simulation.activate(self)
        elif planned is None or planned[0] != due:
            if planned is not None:
                planned[1].cancel()
            self._deadline = None if due is None else (due, clock.at(due, self._due))

    def _due(self) -> None:
        self._deadline = None
        self._host.simulation.activate(self)

    def close(self) -> None:
        """The program ends: close the reactor, as its `with` block would."""
        if self._kernel.up and self.reactor.phase is not Phase.CLOSED:
            self.reactor.close()


class Host:
    """One machine of a simulation. Made by `Simulation.host`."""

    def __init__(
        self,
        simulation: Running,
        network: Network,
        name: str,
        addresses: tuple[str, ...],
        program: Callable[[Reactor], object] | None,
    ) -> None:
        """Made by `Simulation.host`."""
        self.simulation = simulation
        self.network = network
        self.name = name
        """What it is called, also by the resolver."""
        self.addresses = addresses
        """Its addresses, beside loopback."""
        self.descriptor_limit = 1024
        """Descriptors that a program may have (EMFILE)."""
        self.file_limit = 100_000
        """Descriptors that the machine has (ENFILE)."""
        self.send_buffer = 256 * 1024
        """Bytes that the kernel takes for a new connection before `send` fails with EAGAIN (tcp(7), tcp_wmem)."""
        self.receive_buffer = 128 * 1024
        """Bytes that the kernel of a new connection holds for its program: the window (tcp(7), tcp_rmem)."""
        self.blocking_time = 0.0
        """Seconds that a function in `run_in_executor`, and a look-up, takes."""
        self.pace = 0.0
        """Seconds from one tick of its reactor to the next at least: a slow machine, a slow reader."""
        self.streams = Streams(network, self)
        self.ports = Ports(self.streams)
        self.plugged = True
        """Whether its cable is in."""
        self.up = True
        """Whether the machine runs. Its program may have ended all the same."""
        self._boot = program
        self._kernel = SimulatedKernel(self)
        self._program: Program | None = None
        self._run_program()

    def _run_program(self) -> None:
        if self._boot is not None:
            reactor = self.reactor
            with inside(self.name):
                self._boot(reactor)

    # --- The program ------------------------------------------------------------------------------------------------

    @property
    def kernel(self) -> SimulatedKernel:
        """What its program runs on. Raises `HostDownError` after the program's end."""
        self._kernel.check_up()
        return self._kernel

    @property
    def reactor(self) -> Reactor:
        """Its program's reactor, made when it is first asked for. Raises `HostDownError` after the program's end."""
        self._kernel.check_up()
        if self._program is None:
            self._program = Program(self, self._kernel)
        return self._program.reactor

    def signal(self, signum: int) -> None:
        """Send the program a signal.

        Without a handler SIGINT ends the program in order (its reactor is closed), and others kill it, as they do.
        A program that runs its reactor by hand gets the `KeyboardInterrupt` here.

        Raises `OptionError` for what is no signal, `HostDownError` if there is no program.
        """
        self._kernel.check_up()
        self._kernel.check_signal(signum)
        if self._kernel.deliver(signum):
            return
        if signum == _SIGINT:
            if self._program is None:
                raise KeyboardInterrupt  # whoever runs a reactor by hand is the program
            self.simulation.between_ticks(self._interrupt)
        elif signum not in _IGNORED_BY_DEFAULT:
            self.kill()

    def kill(self) -> None:
        """End the program at once, and let the kernel close what it had open. Its protocols are told nothing."""
        self.simulation.between_ticks(partial(self.program_ended, "was killed"))

    def kernel_ends(self) -> None:
        """The simulation is over: nobody is told anything."""
        self._kernel.end(f"the simulation of host {self.name!r} is over", silently=True)

    def _interrupt(self) -> None:
        if self._program is not None:
            self._program.close()
        self.program_ended("was interrupted")

    def program_ended(self, how: str) -> None:
        """The program is no more."""
        if self._kernel.up:
            self._log(how)
            self._kernel.end(self._said(f"the program of host {self.name!r} {how}"), silently=False)
            self._program = None

    # --- The machine ------------------------------------------------------------------------------------------------

    def crash(self) -> None:
        """Lose all power: nobody is told anything, and nothing that arrives is answered."""
        self.simulation.between_ticks(self._crash)

    def restart(self) -> None:
        """Start the machine, if it is down, and its program anew, which gets a new reactor. Ends a running program."""
        self.simulation.between_ticks(self._restart)

    def unplug(self) -> None:
        """Pull the cable: nothing gets in or out, nothing is reset, and new connections find no route."""
        self._log("unplugged")
        self.plugged = False
        self.network.changed()

    def plug(self) -> None:
        """Put the cable back in."""
        self._log("plugged in")
        self.plugged = True
        self.network.changed()

    def _crash(self) -> None:
        if not self.up:
            raise HostDownError(f"host {self.name!r} is down already: restart() it first")
        self._log("crashed")
        self.up = False
        self._kernel.end(self._said(f"host {self.name!r} crashed"), silently=True)
        self._program = None
        self.streams.lose_all()
        self.ports = Ports(self.streams)
        self.network.changed()

    def _restart(self) -> None:
        self.program_ended("was restarted")
        self._log("started")
        self.up = True
        self._kernel = SimulatedKernel(self)
        self.network.changed()
        self._run_program()

    def _said(self, what: str) -> str:
        return f"{what} at {self.simulation.time():.6f} s"

    def _log(self, what: str) -> None:
        if self.simulation.tracer is not None:
            self.simulation.tracer(self.name, what)

    # --- For the kernel -----------------------------------------------------------------------------------------------

    def has(self, address: str) -> bool:
        """Whether `address` is one of its own, or loopback."""
        return address in self.addresses or is_loopback(address)

    def source_for(self, address: str) -> str:
        """The own address from which `address` is reached; nothing if there is none of its family."""
        if address in self.addresses:
            return address
        if is_loopback(address):
            return "::1" if ":" in address else "127.0.0.1"
        return next((mine for mine in self.addresses if (":" in mine) == (":" in address)), "")

    def begin(self, local: Address, remote: Address, prepare: Callable[[End], object]) -> End:
        """Begin a connection. What no host has is unreachable, which takes as long to learn as an answer would."""
        destination = self if self.has(remote[0]) else self.network.hosts.get(remote[0])
        if destination is not None:
            end = self.streams.open(local, remote, destination)
            prepare(end)
            end.connect()
        else:
            end = self.streams.open(local, remote, self)
            clock = self.simulation.clock
            clock.at(clock.now + 2 * self.simulation.profile.link.latency, partial(end.fail, errno.EHOSTUNREACH))
        return end

    def report(self, reactor: Reactor, context: dict[str, Any]) -> None:
        """The exception handler of its reactor, as long as the program sets no other."""
        self.simulation.report(self, context)

    @property
    def open_descriptors(self) -> list[int]:
        """The descriptors that its program has open. Raises `HostDownError` after the program's end."""
        return sorted(self.kernel.descriptors.files)

    def waits_for(self) -> list[str]:
        """What its program is waiting for, a line each."""
        if self._program is None or not self._kernel.up:
            return []
        return list(_lines(self._program.reactor))

    @property
    def alive(self) -> bool:
        """Whether its program still has anything to wait for."""
        return self._program is not None and self._kernel.up and self._program.reactor.alive()

    def __repr__(self) -> str:
        """Its name and addresses."""
        return f"<host {self.name!r}, {', '.join(self.addresses)}>"


def _lines(reactor: Reactor) -> list[str]:
    described = reactor.describe()
    lines = []
    for resource in described["resources"]:
        lines.extend(_line(resource))
    return lines + [f"{described[what]} {what}" for what in ("timers", "ready", "jobs") if described[what]]


def _line(resource: dict[str, Any], indent: str = "") -> list[str]:
    plain = {key: value for key, value in resource.items() if not isinstance(value, dict | list) and value is not None}
    kind = plain.pop("kind", "something")
    lines = [f"{indent}{kind}: " + ", ".join(f"{key} {value}" for key, value in plain.items())]
    for value in resource.values():
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict) and "kind" in inner:
                lines.extend(_line(inner, indent + "  "))
    return lines
