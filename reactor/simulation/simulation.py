"""The simulation: several hosts, one thread, one clock, one source of chance.

Each host has a real reactor on a simulated kernel. Whenever one of them has something to do (a descriptor is ready, a
timer is due) it gets a tick; when none has, time jumps to the next thing that will happen: a segment arrives, a
deadline passes. So nothing ever waits, and everything happens in an order that the seed decides:

    with Simulation(seed=7, profile=LOSSY_WIFI) as sim:
        server = sim.host("server", "10.0.0.1")
        client = sim.host("client", "10.0.0.2")
        listen(server.reactor, Echo, "10.0.0.1:9000")
        connect(client.reactor, lambda: caller, "server:9000")
        sim.run(until=lambda: caller.answered)

The same seed, program and Python make the same run, byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from ipaddress import ip_address
from types import TracebackType
from typing import Any, TypeVarTuple

from reactor.errors import (
    DeadlockError,
    OptionError,
    SimulationError,
    SimulationTimeoutError,
)
from reactor.loop import Reactor
from reactor.simulation.choices import Choices, DrawnChoices, ScheduledChoices, SeededChoices, Strike
from reactor.simulation.clock import Clock
from reactor.simulation.descriptors import SimulatedSelector
from reactor.simulation.faults import CALM, Profile
from reactor.simulation.host import Host, Program
from reactor.simulation.interfaces import Tracer
from reactor.simulation.names import Names
from reactor.simulation.trace import Trace
from reactor.simulation.wire import Network

__all__ = ["Simulation"]

Args = TypeVarTuple("Args")

DAY = 86_400.0

_MOST_TICKS = 100_000
"""So many ticks without any time passing are a loop that will not end."""


class Simulation:
    """A network in memory under virtual time.

    `seed` decides everything that is left to chance. Faults come from the seed too, unless `data` (Hypothesis'
    `data()`) draws them, or `schedule` lists them, as `struck` did in an earlier run. `profile` says what can go wrong.
    With `trace`, every system call is written down in `trace`.

    As a context manager, it tells an exception that leaves the block how to repeat the run, and ends all programs.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        profile: Profile = CALM,
        data: Any = None,
        schedule: Iterable[tuple[str, int, int]] | None = None,
        trace: bool = False,
    ) -> None:
        """Begin without hosts, at 0 seconds. Raises `OptionError` for both `data` and `schedule`."""
        if data is not None and schedule is not None:
            raise OptionError("faults are either drawn from data or listed in a schedule")
        self.seed = seed
        self.clock = Clock()
        self.choices: Choices
        if data is not None:
            self.choices = DrawnChoices(data, seed)
        elif schedule is not None:
            self.choices = ScheduledChoices(schedule, seed)
        else:
            self.choices = SeededChoices(seed)
        self.profile = profile
        self.network = Network(self, self.clock)
        self.names = Names()
        self.hosts: dict[str, Host] = {}
        """The hosts, by name."""
        self._taken = {"localhost"}
        self.errors: list[BaseException] = []
        """What was reported to hosts' reactors, and `run` has not raised yet."""
        self.trace = Trace(self.clock)
        """What happened, a line each; empty unless it was asked for."""
        self.tracer: Tracer | None = self.trace.add if trace else None
        self.ticks = 0
        """How many ticks all reactors together have had."""
        self._active: dict[Program, None] = {}
        self._ticking: Program | None = None
        self._ticks_at_once = 0

    # --- Hosts, names, links ----------------------------------------------------------------------------------------

    def host(
        self, name: str, *addresses: str, program: Callable[[Reactor], object] | None = None
    ) -> Host:
        """Add a machine. `addresses` are numeric; without any it gets a free one of 10.0.0.0/8.

        `program(reactor)` is called at once, and again with a new reactor whenever the host is restarted. Raises
        `OptionError` for a name or an address that another host has, or that is none.
        """
        if name.lower() in self._taken:
            raise OptionError(f"there is a host {name!r} already")
        mine = tuple(str(_numeric(address)) for address in addresses) or (self._free_address(),)
        for address in mine:
            if address in self.network.hosts:
                raise OptionError(f"host {self.network.hosts[address].name!r} has the address {address} already")
        self.names.add(name, mine, 0.0)
        host = Host(self, self.network, name, mine, program)
        self.hosts[name] = host
        self._taken.add(name.lower())
        for address in mine:
            self.network.hosts[address] = host
        return host

    def name(self, name: str, *addresses: str, delay: float = 0.0) -> None:
        """Let `name` stand for `addresses`; without any, it does not exist. The answer takes `delay` seconds.

        An infinite `delay` never answers.
        """
        self.names.add(name, [str(_numeric(address)) for address in addresses], delay)

    def link(self, one: Host, other: Host, **properties: float | None) -> None:
        """Set the way between two hosts in both directions: `latency`, `jitter`, `bandwidth`, `loss`; see `Link`.

        What is not named is as it was. Raises `OptionError` for a value that cannot be.
        """
        self._check_two(one, other)
        for path in (self.network.path(one, other), self.network.path(other, one)):
            path.own_link = path.link.but(**properties)
        self.choices.plan_anew()
        changed = " ".join(f"{name}={value}" for name, value in sorted(properties.items()))
        self._note(f"link {one.name} {other.name}: {changed}")

    def partition(self, one: Host, other: Host) -> None:
        """Let nothing get through between two hosts. Nobody is told: what is sent is lost, and sent again."""
        self._check_two(one, other)
        self._note(f"partition {one.name} {other.name}")
        self.network.cut(one, other, apart=True)

    def heal(self, one: Host | None = None, other: Host | None = None) -> None:
        """Let everything through again between two hosts, or, without them, between all."""
        if one is None and other is None:
            self._note("heal all")
            self.network.heal()
            return
        if one is None or other is None:
            raise OptionError("heal() is for two hosts, or, without any, for all")
        self._check_two(one, other)
        self._note(f"heal {one.name} {other.name}")
        self.network.cut(one, other, apart=False)

    def _check_two(self, one: Host, other: Host) -> None:
        if one is other:
            raise OptionError(f"the way from {one} to itself is its loopback: nothing can be set there")
        for host in (one, other):
            if self.hosts.get(host.name) is not host:
                raise OptionError(f"{host} belongs to another simulation")

    @property
    def profile(self) -> Profile:
        """The conditions. They may be changed while the simulation runs."""
        return self._profile

    @profile.setter
    def profile(self, profile: Profile) -> None:
        self._profile = profile
        self.choices.plan_anew()

    @property
    def struck(self) -> list[Strike]:
        """The faults that have struck so far; as a `schedule`, they strike again."""
        return self.choices.struck

    # --- Running ----------------------------------------------------------------------------------------------------

    def time(self) -> float:
        """Virtual time, in seconds since the simulation began."""
        return self.clock.now

    def call_at(self, when: float, callback: Callable[[*Args], object], *args: *Args) -> None:
        """Call `callback(*args)` between two ticks, at `when` seconds: for what happens to hosts and links."""
        self.clock.at(max(when, self.clock.now), partial(callback, *args))

    def run(self, until: Callable[[], object] | None = None, *, within: float = DAY) -> None:
        """Run all hosts until `until()` is true; without it, until no program has anything left to wait for.

        Raises the first error that was reported to a host's reactor (as long as its program sets no handler of its
        own), `DeadlockError` if nothing will ever happen again before that, and `SimulationTimeoutError` if it takes
        longer than `within` seconds of virtual time.
        """
        done = until or self._nobody_waits
        horizon = self.clock.now + within
        with self._noting():
            self._raise_reported()
            while not done():
                if not self._step(horizon) and not done():
                    if self.clock.next_event() is None:
                        raise DeadlockError(self._deadlock())
                    self.clock.advance(horizon)
                    raise SimulationTimeoutError(f"not within {within} s of virtual time; {self._who_waits()}")
                self._raise_reported()

    def run_for(self, seconds: float) -> None:
        """Run all hosts for so much virtual time. Raises the first error that was reported, as `run` does."""
        horizon = self.clock.now + seconds
        with self._noting():
            self._raise_reported()
            while self._step(horizon):
                self._raise_reported()
            self.clock.advance(horizon)

    def selecting(self, selector: SimulatedSelector) -> None:
        """If a reactor is being run by hand, its next deadline is not known here: it will be asked."""
        if selector.wanted is not None and (self._ticking is None or self._ticking.selector is not selector):
            selector.wanted()

    def wait_for(self, selector: SimulatedSelector, timeout: float | None) -> None:
        """For a reactor that is run by hand: run the others until something is ready for it, or the time is over."""
        try:
            self._wait_until(self.clock.now + (DAY if timeout is None else timeout), timeout, selector)
        finally:
            self.selecting(selector)

    def _wait_until(self, horizon: float, timeout: float | None, selector: SimulatedSelector) -> None:
        while not selector.has_ready():
            if not self._step(horizon):
                if timeout is None and self.clock.next_event() is None:
                    raise DeadlockError(self._deadlock())
                self.clock.advance(horizon)
                if timeout is None:
                    raise SimulationTimeoutError(f"nothing was ready for {DAY} s of virtual time")
                self.clock.run_due()
                return
            self._raise_reported()

    def activate(self, program: Program) -> None:
        """`program` has something to do."""
        self._active[program] = None

    def between_ticks(self, call: Callable[[], object]) -> None:
        """Call it now, or, if a program is running, as soon as that has returned."""
        if self._ticking is None:
            call()
        else:
            self.clock.at(self.clock.now, call)

    def _step(self, horizon: float) -> bool:
        """One tick, or one jump in time; whether there was anything to do until `horizon`."""
        if self.clock.run_due():
            return True
        while self._active:
            program = next(iter(self._active))
            del self._active[program]
            before, self._ticking = self._ticking, program
            try:
                ticked = program.tick()
            finally:
                self._ticking = before
            if ticked:
                self.ticks += 1
                self._ticks_at_once += 1
                if self._ticks_at_once > _MOST_TICKS:
                    raise DeadlockError(
                        f"{_MOST_TICKS} ticks at {self.clock.now:.6f} s, and no time passes: {program.host} "
                        f"has always something ready; {self._who_waits()}"
                    )
                return True
        when = self.clock.next_event()
        if when is None or when > horizon:
            return False
        self._ticks_at_once = 0
        self.clock.advance(when)
        return True

    # --- Telling ----------------------------------------------------------------------------------------------------

    def report(self, host: Host, context: dict[str, Any]) -> None:
        """A host's reactor reports an error."""
        error = context.get("exception") or SimulationError(context["message"])
        error.add_note(f"reported by host {host.name!r} at {self.clock.now:.6f} s: {context['message']}")
        self._note(f"error at {host.name}: {type(error).__name__}")
        self.errors.append(error)

    def note_strike(self, kind: str, host: str, value: int) -> None:
        """A fault has struck."""
        if self.tracer is not None:
            self.tracer(host, f"* {kind} {value}")

    def how_to_repeat(self) -> str:
        """One line that says how to have the same run again."""
        struck = ", ".join(f"{strike.kind} #{strike.opportunity}" for strike in self.struck[:8])
        more = f" and {len(self.struck) - 8} more" if len(self.struck) > 8 else ""
        faults = f"; faults: {struck}{more}" if self.struck else ""
        return f"simulation with seed={self.seed} at {self.clock.now:.6f} s{faults}"

    def __enter__(self) -> Simulation:
        """For `with`."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End all programs; tell an exception how to repeat the run, or raise one that nobody has seen."""
        if error is not None:
            self._annotate(error)
        for host in self.hosts.values():
            host.kernel_ends()
        if error is None:
            with self._noting():
                self._raise_reported()

    def _noting(self) -> Any:
        return _Noting(self._annotate)

    def _annotate(self, error: BaseException) -> None:
        if not any(note.startswith("simulation with seed=") for note in getattr(error, "__notes__", ())):
            error.add_note(self.how_to_repeat())

    def _raise_reported(self) -> None:
        if self.errors:
            raise self.errors.pop(0)

    def _nobody_waits(self) -> bool:
        return not self._active and not any(host.alive for host in self.hosts.values())

    def _deadlock(self) -> str:
        return f"nothing will ever happen again at {self.clock.now:.6f} s; {self._who_waits()}"

    def _who_waits(self) -> str:
        waiting = {name: host.waits_for() for name, host in self.hosts.items()}
        said = [f"host {name!r} waits for:\n" + "\n".join(f"  {line}" for line in lines)
                for name, lines in waiting.items() if lines]  # fmt: skip
        return "\n".join(said) or "nobody waits for anything"

    def _note(self, what: str) -> None:
        if self.tracer is not None:
            self.tracer("-", what)

    def _free_address(self) -> str:
        number = len(self.hosts) + 1
        while (address := f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}") in self.network.hosts:
            number += 1
        return address


class _Noting:
    """Tells an exception that passes through how to repeat the run."""

    def __init__(self, annotate: Callable[[BaseException], object]) -> None:
        self._annotate = annotate

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is not None:
            self._annotate(error)


def _numeric(address: str) -> Any:
    try:
        found = ip_address(address)
    except ValueError:
        raise OptionError(f"a host's address is numeric, as in '10.0.0.1' or 'fd00::1', not {address!r}") from None
    if found.is_loopback or found.is_unspecified or found.is_multicast:
        raise OptionError(f"{address} is no address of one host")
    return found
