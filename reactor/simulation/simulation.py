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

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from ipaddress import ip_address
from random import Random
from types import TracebackType
from typing import Any, TypeVarTuple

from reactor.errors import OptionError, ReentryError, SimulationError
from reactor.loop import Reactor
from reactor.simulation.addresses import family_of
from reactor.simulation.choices import Choices, DrawnChoices, ScheduledChoices, SeededChoices, Strike
from reactor.simulation.faults import CALM, Profile
from reactor.simulation.host import Host
from reactor.simulation.machine import Machine
from reactor.simulation.scheduler import DAY, Scheduler
from reactor.simulation.trace import Trace
from reactor.simulation.wire import Network
from reactor.simulation.world import World

__all__ = ["Simulation"]

Args = TypeVarTuple("Args")


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
        """Begin without hosts, at 0 seconds.

        Raises `OptionError` for a seed that is no integer, an unknown fault in `schedule`, or both `data` and
        `schedule`.
        """
        if not isinstance(seed, int):
            raise OptionError(f"the seed of a simulation is an integer, not {seed!r}")
        if data is not None and schedule is not None:
            raise OptionError("faults are either drawn from data or listed in a schedule")
        self.seed = seed
        """What decides everything."""
        self._choices = _choices(seed, data, schedule)
        self.world = World(self._choices, profile, tracing=trace)
        """What all its parts have in common, for those who study it."""
        self.scheduler = Scheduler(self.world.clock, self._who_waits, self._raise_reported)
        """Whose turn it is, for those who study it."""
        self.hosts: dict[str, Host] = {}
        """The hosts, by name."""
        self.errors: list[BaseException] = []
        """What was reported to hosts' reactors, and `run` has not raised yet."""
        self._network = Network(self.world)
        self._running = False
        self._over = False

    # --- Hosts, names, links ------------------------------------------------------------------------------------------

    def host(
        self, name: str, *addresses: str, program: Callable[[Reactor], object] | None = None, **limits: float
    ) -> Host:
        """Add a machine. `addresses` are numeric; without any it gets a free one of 10.0.0.0/8.

        `program(reactor)` is called at once, and again with a new reactor whenever the host is restarted. It sets
        everything up and returns; the simulation runs the reactor. `limits` are those of `Host`, as in
        `descriptor_limit=20`.

        Raises `OptionError` for a name that is taken or cannot be one, an address that is taken or none of a host's,
        and a limit that a host has not, or a value that it cannot have.
        """
        self._check_not_over()
        self._check_name(name)
        mine = tuple(_numeric(address) for address in addresses) or (self._free_address(),)
        if len(set(mine)) < len(mine):
            raise OptionError(f"host {name!r} has an address twice: {', '.join(mine)}")
        for address in mine:
            if address in self._network.hosts:
                raise OptionError(f"host {self._network.hosts[address].name!r} has the address {address} already")
        machine = Machine(self.world, self._network, name, mine)
        host = Host(machine, self.scheduler, self._report, program)
        for limit, value in limits.items():
            if limit not in _LIMITS:
                raise OptionError(f"a host has no limit {limit!r}: there are {', '.join(_LIMITS)}")
            setattr(host, limit, value)
        self.world.names.add(name, mine, 0.0)
        self.hosts[name] = host
        for address in mine:
            self._network.hosts[address] = machine
        host.begin()
        return host

    def name(self, name: str, *addresses: str, delay: float = 0.0) -> None:
        """Let `name` stand for `addresses`; without any, it does not exist. The answer takes `delay` seconds.

        An infinite `delay` never answers. Raises `OptionError` for a host's name, which stands for the host.
        """
        if name.lower() in ("localhost", *map(str.lower, self.hosts)):
            raise OptionError(f"{name!r} is the name of a host")
        self.world.names.add(name, [_numeric(address) for address in addresses], _seconds("delay", delay, finite=False))

    def link(self, one: Host, other: Host, **properties: float | None) -> None:
        """Set the way between two hosts in both directions: `latency`, `jitter`, `bandwidth`, `loss`; see `Link`.

        What is not named is as it was. Raises `OptionError` for a value that cannot be.
        """
        self._check_two(one, other)
        for path in (self._network.path(one.machine, other.machine), self._network.path(other.machine, one.machine)):
            path.own_link = path.link.but(**properties)
        self._choices.plan_anew()
        changed = " ".join(f"{name}={value}" for name, value in sorted(properties.items()))
        self._note(f"link {one.name} {other.name}: {changed}")

    def partition(self, one: Host, other: Host) -> None:
        """Let nothing get through between two hosts. Nobody is told: what is sent is lost, and sent again."""
        self._check_two(one, other)
        self._note(f"partition {one.name} {other.name}")
        self._network.cut(one.machine, other.machine, apart=True)

    def heal(self, one: Host | None = None, other: Host | None = None) -> None:
        """Let everything through again between two hosts, or, without them, between all."""
        if one is None and other is None:
            self._note("heal all")
            self._network.heal()
            return
        if one is None or other is None:
            raise OptionError("heal() is for two hosts, or, without any, for all")
        self._check_two(one, other)
        self._note(f"heal {one.name} {other.name}")
        self._network.cut(one.machine, other.machine, apart=False)

    @property
    def profile(self) -> Profile:
        """The conditions. They may be changed while the simulation runs."""
        return self.world.profile

    @profile.setter
    def profile(self, profile: Profile) -> None:
        self.world.profile = profile
        self._choices.plan_anew()

    @property
    def random(self) -> Random:
        """Chance for programs and tests: decided by the seed, and apart from that of faults and links."""
        return self._choices.program

    # --- Running ------------------------------------------------------------------------------------------------------

    def time(self) -> float:
        """Virtual time, in seconds since the simulation began."""
        return self.world.clock.now

    def call_at(self, when: float, callback: Callable[[*Args], object], *args: *Args) -> None:
        """Call `callback(*args)` between two ticks, at `when` seconds: for what happens to hosts and links."""
        if when != when:  # noqa: PLR0124 - a nan, the one number that is not itself
            raise OptionError("nothing can happen at nan seconds")
        self.world.clock.at(max(when, self.time()), partial(callback, *args))

    def run(self, until: Callable[[], object] | None = None, *, within: float = DAY) -> None:
        """Run all hosts until `until()` is true; without it, until no program has anything left to wait for.

        A server waits for connections until it is closed. `within` is in seconds of virtual time, a day by default.

        Raises the first error that was reported to a host's reactor (as long as its program sets no handler of its
        own), `DeadlockError` if nothing will ever happen again before that, `SimulationTimeoutError` if it takes
        longer than `within`, and `ReentryError` inside a callback.
        """
        with self._run():
            self.scheduler.run(self._nobody_waits if until is None else until, _seconds("within", within))

    def run_for(self, seconds: float) -> None:
        """Run all hosts for so much virtual time. Raises what was reported and `ReentryError`, as `run` does."""
        with self._run():
            self.scheduler.run_for(_seconds("run_for()", seconds))

    @contextmanager
    def _run(self) -> Iterator[None]:
        self._check_not_over()
        if self._running or self.scheduler.is_busy():
            raise ReentryError("the simulation is running already: its callbacks return to run() instead")
        self._running = True
        try:
            yield
        except BaseException as error:
            self._annotate(error)
            raise
        finally:
            self._running = False

    # --- Telling ------------------------------------------------------------------------------------------------------

    @property
    def struck(self) -> list[Strike]:
        """The faults that have struck so far; as a `schedule`, with the same seed, they strike again."""
        return self._choices.struck

    @property
    def trace(self) -> Trace:
        """What happened, a line each; empty unless it was asked for."""
        return self.world.trace

    def how_to_repeat(self) -> str:
        """One line of Python that has the same run again."""
        schedule = ""
        if not isinstance(self._choices, SeededChoices):
            schedule = f", schedule={[tuple(strike) for strike in self.struck]}"
        return f"Simulation(seed={self.seed}, profile={self.profile!r}{schedule})"

    def __enter__(self) -> Simulation:
        """For `with`."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End all programs; tell an exception how to repeat the run, or raise one that nobody has seen."""
        if error is not None:
            self._annotate(error)
        self._over = True
        for host in self.hosts.values():
            host.forsake()
        if error is None and self.errors:
            unseen = self.errors.pop(0)
            self._annotate(unseen)
            raise unseen

    def _report(self, host: Host, context: dict[str, Any]) -> None:
        """A host's reactor reports an error, or what it has dealt with by itself."""
        if context.get("handled"):
            self.world.note(host.name, context["message"])
            return
        error = context.get("exception") or SimulationError(context["message"])
        error.add_note(f"reported by host {host.name!r} at {self.time():.6f} s: {context['message']}")
        self.world.note(host.name, f"reported {type(error).__name__}")
        self.errors.append(error)

    def _annotate(self, error: BaseException) -> None:
        if not any(note.startswith("again: ") for note in getattr(error, "__notes__", ())):
            if len(self.errors) > 0:
                error.add_note(f"and {len(self.errors)} more: {', '.join(map(repr, self.errors))}")
            error.add_note(f"at {self.time():.6f} s of virtual time")
            error.add_note(f"again: {self.how_to_repeat()}")

    def _raise_reported(self) -> None:
        if self.errors:
            raise self.errors.pop(0)

    def _nobody_waits(self) -> bool:
        return not self.scheduler.has_active() and not any(host.alive for host in self.hosts.values())

    def _who_waits(self) -> str:
        waiting = {name: host.waits_for() for name, host in self.hosts.items()}
        said = [f"host {name!r} waits for:\n" + "\n".join(f"  {line}" for line in lines)
                for name, lines in waiting.items() if lines]  # fmt: skip
        return "\n".join(said) or "nobody waits for anything"

    def _note(self, what: str) -> None:
        self.world.note("-", what)

    # --- Checks -------------------------------------------------------------------------------------------------------

    def _check_not_over(self) -> None:
        if self._over:
            raise SimulationError("this simulation is over: its `with` block has ended")

    def _check_name(self, name: str) -> None:
        if not name or any(letter.isspace() for letter in name) or family_of(name) is not None:
            raise OptionError(f"a host's name has no blanks and is no address, unlike {name!r}")
        if name.lower() == "localhost" or self.world.names.knows(name):
            raise OptionError(f"the name {name!r} is taken")

    def _check_two(self, one: Host, other: Host) -> None:
        for host in (one, other):
            if not isinstance(host, Host):
                raise OptionError(f"two hosts are needed, as Simulation.host() returns them, not {host!r}")
            if self.hosts.get(host.name) is not host:
                raise OptionError(f"{host} belongs to another simulation")
        if one is other:
            raise OptionError(f"the way from {one} to itself is its loopback: nothing can be set there")

    def _free_address(self) -> str:
        number = len(self.hosts) + 1
        while (address := f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}") in self._network.hosts:
            number += 1
        return address


_LIMITS = ("descriptor_limit", "file_limit", "send_buffer", "receive_buffer", "blocking_time", "pace")


def _choices(seed: int, data: Any, schedule: Iterable[tuple[str, int, int]] | None) -> Choices:
    if data is not None:
        return DrawnChoices(data, seed)
    return SeededChoices(seed) if schedule is None else ScheduledChoices(schedule, seed)


def _seconds(what: str, value: float, *, finite: bool = True) -> float:
    if not (isinstance(value, int | float) and value >= 0 and (value < float("inf") or not finite)):
        raise OptionError(f"{what} takes a number of seconds from 0 up, not {value!r}")
    return value


def _numeric(address: str) -> str:
    try:
        found = ip_address(address)
    except ValueError:
        raise OptionError(f"a host's address is numeric, as in '10.0.0.1' or 'fd00::1', not {address!r}") from None
    if found.is_loopback or found.is_unspecified or found.is_multicast:
        raise OptionError(f"{address} is no address of one host")
    return str(found)
