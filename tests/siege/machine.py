"""One host under siege: its reactor, and everything that was asked of it and has to be answered for.

Whatever is asked of a reactor leaves a record here: a timer with the time it is due, a callback with its place in the
queue, a job, a request for a connection. The record is told when the answer comes, and knows which answers there can
be: not before its time, not twice, not after it was cancelled, not out of order, not on a host that has crashed since.
The oracle looks through the records for answers that never came.
"""

from __future__ import annotations

import errno
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from reactor import (
    Budget,
    ConnectError,
    Connection,
    ConnectionOptions,
    Connector,
    ConnectTimeoutError,
    DrainTimeoutError,
    Job,
    NameResolutionError,
    Reactor,
    Server,
    WrongThreadError,
    connect,
    listen,
)
from reactor.loop.interfaces import Agenda
from tests.siege.peers import EARLY, End, Framed, Memory, PlannedError, Raw, Slow

if TYPE_CHECKING:
    from reactor.simulation import Host
    from tests.siege.on_machines import Beats
    from tests.siege.raws import Watch
    from tests.siege.world import World

__all__ = ["Attempt", "Machine", "Request", "Service"]

SIGNAL = 10
EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Request:
    """A callback that was asked for: a timer, a `call_soon`, a job."""

    __slots__ = ("asked", "due", "handle", "kind", "machine", "number", "reactor", "state", "tick")

    def __init__(self, machine: Machine, kind: str, due: float) -> None:
        machine.requests += 1
        self.machine = machine
        self.reactor = machine.reactor
        self.kind = kind
        self.number = machine.requests
        self.due = due
        self.tick = machine.ticks if machine.in_step == kind == "soon" else -1
        self.asked = machine.ticks  # the tick in which, or behind which
        self.state = "waiting"  # waiting, done, cancelled
        self.handle: Any = None
        machine.waiting[self.number] = self

    def cancel(self) -> None:
        """From now on it must not be answered."""
        self.handle.cancel()
        if self.state == "waiting":
            self.state = "cancelled"
            self.machine.waiting.pop(self.number, None)

    def answered(self, *outcome: Any) -> None:
        """It was called."""
        machine, world = self.machine, self.machine.world
        what = f"{self.kind} {self.number} on {machine.name}"
        world.tell(f"  {what} called")
        machine.calls += 1
        world.must(self.reactor is machine.reactor and machine.up, f"{what} was called after the end")
        world.must(self.state == "waiting", f"{what} was called, but is {self.state}")
        world.must(machine.now() >= self.due, f"{what} was called at {machine.now()}, due at {self.due}")
        world.must(self.tick != machine.ticks, f"{what}: a newcomer did not wait for the next tick")
        self.state = "done"
        machine.waiting.pop(self.number, None)
        machine.in_order(self)
        if outcome:
            result, error = outcome
            world.must((error is None) == (result is not None), f"{what} ended with {outcome}")
            world.must(not isinstance(error, BaseException) or isinstance(error, PlannedError | OSError), f"{error!r}")
        machine.in_step = self.kind
        try:
            world.users.provoke_machine(machine)
        finally:
            machine.in_step = ""


class Service:
    """A server, and when it was told to drain."""

    __slots__ = ("address", "drain_at", "drained", "lost", "machine", "options", "server")

    def __init__(self, machine: Machine, server: Server, address: str, options: ConnectionOptions) -> None:
        self.machine = machine
        self.server = server
        self.address = address
        self.options = options
        self.drain_at: float | None = None
        self.drained = 0
        self.lost: Counter[str] = Counter()  # how its connections ended, as their protocols were told

    def target(self, machine: Machine) -> str:
        """Where `machine` reaches it."""
        random, (host, _, port) = self.machine.world.random, self.address.rpartition(":")
        if host == "127.0.0.1" and machine is self.machine:
            host = random.choice((host, "localhost"))
        elif host.strip("[]") in self.machine.addresses:
            host = random.choice((host, self.machine.name))
        elif host == "":
            v4, v6 = self.machine.addresses
            host = random.choice(("localhost", "") if machine is self.machine else (v4, f"[{v6}]", self.machine.name))
        return f"{host}:{port}"

    def is_offered_to(self, machine: Machine) -> bool:
        """Whether somebody listens there, as seen from `machine`."""
        listens = self.server.state.value in ("listening", "not accepting") and self in self.machine.services
        return listens and (machine is self.machine or not self.address.startswith("127."))

    def on_drained(self, account: Any) -> None:
        """The last connection is gone."""
        self.drained += 1
        world = self.machine.world
        world.must(self.drained == 1, f"{self.server} was drained {self.drained} times")
        world.must(not self.server.connections, f"{self.server} was drained with {len(self.server.connections)} left")
        world.must(all(account[reason] <= self.server.ended[reason] for reason in account), f"drained as {account}")


class Attempt:
    """A request for a connection."""

    __slots__ = ("connector", "machine", "options", "reactor", "service", "since", "state", "target")

    def __init__(self, machine: Machine, target: str, options: ConnectionOptions, service: Service | None) -> None:
        self.machine = machine
        self.target = target
        self.options = options
        self.service = service if service is not None and service.is_offered_to(machine) else None
        self.reactor = machine.reactor
        self.since = machine.now()
        self.state = "pending"
        self.connector: Connector | None = None

    def settled(self, state: str) -> None:
        """It has its answer."""
        world = self.machine.world
        world.must(self.reactor is self.machine.reactor, f"connecting to {self.target} was answered after the end")
        world.must(self.state == "pending", f"connecting to {self.target}: {state}, but it was {self.state}")
        self.state = state
        self.machine.calls += 1

    def cancel(self) -> None:
        """Give up, if that is still possible."""
        if self.state == "pending":
            self.state = "cancelled"
        if self.connector is not None:
            self.connector.cancel()

    def failed(self, error: ConnectError) -> None:
        """on_failure."""
        world = self.machine.world
        world.tell(f"  {self.machine.name} could not connect to {self.target}: {error!r:.150}")
        self.settled("failed")
        if isinstance(error, ConnectTimeoutError):
            assert self.options.connect_timeout is not None
            waited = self.machine.now() - self.since
            world.must(waited >= self.options.connect_timeout - EARLY, f"connect_timeout after {waited} s: {error}")
        elif not isinstance(error, NameResolutionError) and not isinstance(error.__cause__, PlannedError):
            host = self.target.rpartition(":")[0]
            names = {"", "localhost", *(machine.name for machine in world.machines)}  # each has two addresses
            tried = len(error.attempts)
            world.must(tried == (2 if host in names else 1), f"only {tried} addresses of {self.target} were tried")
            refused = [cause.errno for _, cause in error.attempts].count(errno.ECONNREFUSED) == tried
            offered = self.service is not None and self.service.is_offered_to(self.machine)
            world.must(not (refused and offered), f"{self.target} refuses, although somebody listens there")
        world.users.provoke_machine(self.machine)


class Machine:
    """One host: what runs on it, and what was asked of it."""

    def __init__(self, world: World, host: Host, addresses: tuple[str, str]) -> None:
        self.world = world
        self.host = host
        self.name = host.name
        self.addresses = addresses
        self.up = self.by_hand = False
        self.ticks = self.calls = self.requests = 0
        self.in_step = ""
        self.boot()

    def boot(self) -> None:
        """A new process on it."""
        self.up = True
        self.reactor: Reactor = self.host.reactor
        self.reactor.set_exception_handler(self.reported)
        self.reactor.run_once(0)  # from now on it is ours: before, it would be anybody's who asks it for something
        self.reactor.instruments = self
        self.reactor.add_signal_handler(SIGNAL, self._signalled)
        self.signals: list[Request] = []
        self.signals_sent = self.signal_calls = 0
        self.budgets: list[Budget] = []
        self.services: list[Service] = []
        self.attempts: list[Attempt] = []
        self.ends: list[End] = []
        self.waiting: dict[int, Request] = {}
        self.handles: deque[Request] = deque(maxlen=20)  # those that may be cancelled, also too late
        self.raws: list[Watch] = []
        self.beats: list[Beats] = []
        self.opened_at_boot = set(self.host.kernel.process.files)
        self.last_timer = (-1, 0.0, 0)  # tick, time, number of the timer called last
        self.last_soon = 0
        self.exhausted: dict[Any, tuple[Any, float]] = {}  # acceptors that wait: by which timer, and since when
        self.freed: list[tuple[Any, Any]] = []  # those that must not wait any more: acceptor and timer
        self.fruitless = 0  # ticks in a row in which nothing changed
        self.fingerprint: object = None

    def died(self, why: str) -> None:
        """Its process is gone: nothing may be called any more, and its peers may lose bytes."""
        self.up = False
        for end in self.ends:
            if end.stage != "over":
                end.taint(why)
                end.stage = "dead"
                end.transport = None
        self.waiting.clear()
        self.services.clear()
        self.attempts.clear()
        self.raws.clear()
        self.beats.clear()
        self.ends.clear()

    def now(self) -> float:
        """The time on it."""
        return self.reactor.time()

    # --- What is asked ------------------------------------------------------------------------------------------------

    def listen(self, address: str, options: ConnectionOptions, **limits: int) -> Service | None:
        """Offer a service; `None` if the address is taken."""
        service: Service | None = None

        def factory() -> Any:
            self.world.users.provoke_factory(service)
            return self.protocol("server", options, service)

        try:
            server = listen(self.reactor, factory, address, options=options, **limits)
        except OSError as exc:
            self.world.tell(f"  {self.name} cannot listen: {exc}")
            self.world.must(
                exc.errno in (errno.EADDRINUSE, *EXHAUSTED), f"listening at {address} failed with {exc!r}"
            )
            return None
        service = Service(self, server, f"{address.rpartition(':')[0]}:{server.port}", options)
        self.services.append(service)
        return service

    def connect(self, target: str, options: ConnectionOptions, service: Service | None = None) -> Attempt:
        """Connect to a service, or to where there may be one."""
        attempt = Attempt(self, target, options, service)

        def factory() -> Any:
            try:
                self.world.users.provoke_factory(attempt)
            except KeyboardInterrupt:
                attempt.settled("cancelled")
                raise
            attempt.settled("connected")
            return self.protocol("client", options)

        attempt.connector = connect(self.reactor, factory, target, options=options, on_failure=attempt.failed)
        self.attempts.append(attempt)
        return attempt

    def protocol(self, role: str, options: ConnectionOptions, service: Service | None = None) -> Raw | Memory:
        """A new protocol with its end; frames it reads only once it knows whose."""
        end = End(self, role, options)
        end.service = service
        self.ends.append(end)
        return self.world.random.choice((Raw, Raw, Memory))(end)

    def successor(self, end: End, kind: str) -> Raw | Memory | Framed:
        """A protocol to which `end` can be handed over."""
        if kind == "framed":
            assert end.link is not None
            framed = self.world.random.choice((Framed, Slow))(end, end.link.codec)
            framed.transport = end.transport
            return framed
        return Raw(end) if kind == "raw" else Memory(end)

    def ask(self, kind: str, delay: float, start: Callable[..., Any], *args: Any) -> Request:
        """Ask for a callback: `start(*args, request.answered)`."""
        request = Request(self, kind, self.now() + delay)
        handle = start(*args, request.answered)
        request.handle = handle
        if handle is not None:
            self.handles.append(request)
        return request

    def signal(self, answered: Callable[..., Any]) -> Any:
        """Send it a signal: the handler is to be called soon."""
        self.signals_sent += 1
        self.host.signal(SIGNAL)

    def _signalled(self) -> None:
        self.signal_calls += 1
        self.world.must(self.signal_calls <= self.signals_sent, "a signal was told twice")
        if self.signals:
            request = self.signals.pop(0)
            try:
                request.answered()
            finally:  # several signals may be one call, and one of their users may raise
                self.signal_calls -= 1 if self.signals else 0
                if self.signals:
                    self._signalled()

    def in_executor(self, kind: str, answered: Callable[..., Any]) -> Job:
        """A job in a thread; `kind` says what it does there."""
        return self.reactor.run_in_executor(answered, self._job, kind)

    def _job(self, kind: str) -> str:
        if kind == "raise":
            raise PlannedError("in a job")
        if kind == "call":
            try:
                self.reactor.call_soon(print)
            except WrongThreadError:
                pass
            else:
                self.world.must(False, "call_soon() from another thread was not refused")
            self.ask("soon", 0.0, self.reactor.call_soon_threadsafe)
        return kind

    def resolve(self, name: str, answered: Callable[..., Any]) -> Job:
        """A name to be looked up."""
        return self.reactor.resolve(answered, name, 80)

    def in_order(self, request: Request) -> None:
        """Timers are called by time, ties in the order they were set; callbacks in the order they were asked for."""
        if request.kind == "timer":
            key = (self.ticks, request.due, request.number)
            self.world.must(self.last_timer < key, f"timers out of order: {self.last_timer}, then {key}")
            self.last_timer = key
        elif request.kind == "soon":
            for other in self.waiting.values():  # what was due when this tick began comes first
                late = other.kind == "timer" and other.due <= self.reactor.now and other.asked < self.ticks
                self.world.must(not late, f"soon {request.number} came before timer {other.number}, which is due")
            self.world.must(self.last_soon < request.number, f"call_soon out of order: {request.number}")
            self.last_soon = request.number

    # --- What the reactor tells its instruments ---------------------------------------------------------------------

    def watch(self, agenda: Agenda) -> Agenda:
        """A tick."""
        self.ticks += 1
        self.world.must(self.up, f"{self.name} runs, and it is down")
        for service in self.services:
            if service.drain_at is not None and self.now() >= service.drain_at:
                for end in self.ends:
                    if end.service is service:
                        end.taint("was cut off by drain()")
        return self._watched(agenda)

    def _watched(self, agenda: Agenda) -> Iterator[Any]:
        for call in agenda:
            self.world.oracle.dispatched(call)
            yield call
        self.world.oracle.tick(self)

    def transition(self, source: Any, before: str, event: str, after: str) -> None:
        """A state machine took a step."""
        self.calls += 1
        self.world.tell(f"  {self.name} {source}: {before} -{event}-> {after}")
        if isinstance(source, Connection) and after == "closed":
            self.world.oracle.descriptor_comes_free(self)

    def deadline(self, source: Any, error: BaseException) -> None:
        """A deadline passed: from now on bytes may be lost."""
        self.calls += 1
        if isinstance(source, Connection):
            end: End = source.get_protocol().end  # type: ignore[attr-defined]
            end.taint(f"ran into {type(error).__name__}")
            if isinstance(error, DrainTimeoutError):
                timeout = source.options.drain_timeout or 0.0
                since = self.now() - end.closing_since
                self.world.must(since >= timeout - EARLY, f"{end.name}: drain timeout after {since} s of {timeout}")

    def reported(self, reactor: Reactor, context: dict[str, Any]) -> None:
        """The exception handler."""
        exc = context.get("exception")
        self.world.tell(f"  {self.name} reports {context['message']}: {exc!r}")
        if isinstance(exc, PlannedError):
            exc.reports += 1
            self.world.must(exc.reports == 1, f"{exc!r} was reported {exc.reports} times")
        else:
            exhausted = isinstance(exc, OSError) and exc.errno in EXHAUSTED and "accepting pauses" in context["message"]
            self.world.must(exhausted, f"{self.name} reports {context['message']}: {exc!r}")


