"""What users do on a machine: connections, timers, callbacks, jobs, servers, bare descriptors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from reactor import Budget, ConnectionOptions, Missed, RepeatingTimer
from tests.siege.machine import Machine, Service
from tests.siege.peers import EARLY
from tests.siege.raws import raw_pair

if TYPE_CHECKING:
    from tests.siege.users import Users

__all__ = ["TO_MACHINES", "Beats", "connect_somewhere", "draw_options", "listen_somewhere"]

DELAYS = (0.0, 0.0, 0.001, 0.01, 0.01, 0.3, 1.0, 5.0, 5.0, 40.0)
NOWHERE = ("10.0.0.1:9", "h2:9", "10.9.9.9:9", "gone.example:80", "slow.example:80", "localhost:9")
MOST_ENDS = 12  # on one machine
MOST_RAWS = 8


def draw_options(users: Users, machine: Machine) -> ConnectionOptions:
    """Bounds and deadlines: small ones, that are reached."""
    choice = users.random.choice
    if users.world.gentle:
        high = choice((0, 500, 65_536))
        return ConnectionOptions(
            high_water=high,
            low_water=choice((0, high // 4)),
            read_size=choice((700, 5000, 262_144)),
            drain_timeout=None,
        )
    high = choice((0, 500, 5000, 65_536, 65_536))
    budget = None
    if users.random.random() < 0.3:
        if not machine.budgets or users.random.random() < 0.3:
            machine.budgets.append(Budget(choice((3000, 50_000, 400_000))))
        budget = machine.budgets[-1]
    return ConnectionOptions(
        high_water=high,
        low_water=choice((0, high // 4, high)),
        hard_limit=max(high, choice((6000, 100_000, 1 << 24, 1 << 24))),
        overflow=choice(("abort", "close")),
        budget=budget,
        read_size=choice((700, 5000, 65_536, 262_144, 262_144)),
        connect_timeout=choice((0.5, 5.0, 30.0, None)),
        write_timeout=choice((None, 1.5, 20.0, 60.0)),
        drain_timeout=choice((None, 0.5, 10.0, 10.0)),
        idle_timeout=choice((None, None, None, 0.7, 15.0)),
    )


# --- Connections ------------------------------------------------------------------------------------------------------


def connect_somewhere(users: Users, machine: Machine) -> None:
    if len(machine.ends) + len(machine.attempts) >= MOST_ENDS:
        return
    services = [service for other in users.world.machines for service in other.services]
    service = None
    if services and users.random.random() < 0.9:
        service = users.random.choice(services)
        target = service.target(machine)
    else:
        target = users.random.choice(NOWHERE)
    users.world.tell(f"  to {target}")
    attempt = machine.connect(target, draw_options(users, machine), service)
    if users.random.random() < 0.05 and attempt.connector is not None:
        attempt.cancel()


def cancel_attempt(users: Users, machine: Machine) -> None:
    if machine.attempts:
        users.random.choice(machine.attempts).cancel()


def on_another(users: Users, machine: Machine) -> None:
    """To another connection of the same machine, whose event may be in the same batch."""
    if machine.ends:
        users.on_end(users.random.choice(machine.ends))


# --- Servers ----------------------------------------------------------------------------------------------------------


def listen_somewhere(users: Users, machine: Machine) -> None:
    if len(machine.services) < 3:
        v4, v6 = machine.addresses
        address = users.random.choice((v4, f"[{v6}]", "127.0.0.1", "", ""))
        port = users.random.choice((0, 0, 9000, 9001))
        limits = {}
        if users.random.random() < 0.3:
            limits["max_connections"] = users.random.randint(1, 4)
        if users.random.random() < 0.2:
            limits["backlog"] = users.random.choice((0, 1, 5))
        machine.listen(f"{address}:{port}", draw_options(users, machine), **limits)


def open_service(users: Users, machine: Machine) -> Service | None:
    opened = [service for service in machine.services if service.server.state.value in ("listening", "not accepting")]
    return users.random.choice(opened) if opened else None


def stop_accepting(users: Users, machine: Machine) -> None:
    if service := open_service(users, machine):
        service.server.stop_accepting()


def start_accepting(users: Users, machine: Machine) -> None:
    if service := open_service(users, machine):
        service.server.start_accepting()


def close_server(users: Users, machine: Machine) -> None:
    if service := open_service(users, machine):
        service.server.close()


def drain_server(users: Users, machine: Machine) -> None:
    if service := open_service(users, machine):
        deadline = users.random.choice((0.0, 0.5, 8.0))
        service.drain_at = machine.now() + deadline
        for end in machine.ends:
            if end.service is service:
                end.asked.add("close")
                if not deadline:
                    end.taint("was cut off by drain()")
        service.server.drain(deadline, service.on_drained)


# --- Callbacks --------------------------------------------------------------------------------------------------------


def call_soon(users: Users, machine: Machine) -> None:
    machine.ask("soon", 0.0, machine.reactor.call_soon)


def call_soon_threadsafe(users: Users, machine: Machine) -> None:
    machine.ask("soon", 0.0, machine.reactor.call_soon_threadsafe)


def send_signal(users: Users, machine: Machine) -> None:
    machine.signals.append(machine.ask("signal", 0.0, machine.signal))


def set_timer(users: Users, machine: Machine) -> None:
    delay = users.random.choice(DELAYS)
    machine.ask("timer", delay, machine.reactor.call_at, machine.now() + delay)


def set_timers(users: Users, machine: Machine) -> None:
    """Many, of which most are cancelled: that is what timeouts are like."""
    requests = []
    for _ in range(users.random.choice((5, 30, 200))):
        delay = users.random.choice(DELAYS)
        requests.append(machine.ask("timer", delay, machine.reactor.call_at, machine.now() + delay))
    for request in requests:
        if users.random.random() < 0.8:
            request.cancel()


def cancel_something(users: Users, machine: Machine) -> None:
    soon = [request for request in machine.handles if request.state == "waiting" and request.due <= machine.now()]
    if machine.handles:
        users.random.choice(soon or machine.handles).cancel()  # one whose turn it is just now, if there is one


class Beats:
    """A repeating timer, and how often it may have been called."""

    def __init__(self, machine: Machine, interval: float, missed: str) -> None:
        self.machine = machine
        self.reactor = machine.reactor
        self.interval = interval
        self.missed = missed
        self.start = machine.now()
        self.count = 0
        self.last = self.start
        self.timer: RepeatingTimer = machine.reactor.call_every(interval, self.beat, missed=Missed(missed))
        self.over = False
        machine.beats.append(self)

    def beat(self) -> None:
        """It was called."""
        machine, world = self.machine, self.machine.world
        now = machine.now()
        machine.calls += 1
        self.count += 1
        world.must(self.reactor is machine.reactor and machine.up and not self.over, "a beat after the end")
        world.must(now >= self.start + self.count * self.interval - EARLY, f"beat {self.count} at {now} is early")
        if self.missed == "delay":
            world.must(now >= self.last + self.interval - EARLY, f"beat {self.count} at {now}, after {self.last}")
        self.last = now
        beats = (self.timer.when() - self.start) / self.interval
        world.must(self.missed == "delay" or abs(beats - round(beats)) < 1e-4, f"the grid of beats drifts: {beats}")
        world.must(self.missed != "burst" or round(beats) == self.count + 1, f"beat {self.count} of {beats}")
        world.users.provoke_machine(machine)

    def cancel(self) -> None:
        """No more."""
        self.over = True
        self.timer.cancel()


def beat(users: Users, machine: Machine) -> None:
    if machine.beats and users.random.random() < 0.5:
        machine.beats.pop().cancel()
    elif len(machine.beats) < 3:
        Beats(machine, users.random.choice((0.2, 1.0, 7.0)), users.random.choice(("skip", "burst", "delay")))


# --- Jobs -------------------------------------------------------------------------------------------------------------


def run_job(users: Users, machine: Machine) -> None:
    """In a thread: return, raise, or call back into the loop."""
    kind = users.random.choice(("return", "raise", "call"))
    machine.ask("job", 0.0, machine.in_executor, kind)


def resolve_name(users: Users, machine: Machine) -> None:
    name = users.random.choice(("db.example", "slow.example", "gone.example", "10.0.0.1"))
    request = machine.ask("job", 0.0, machine.resolve, name)
    if users.random.random() < 0.2:
        request.cancel()


# --- Bare descriptors -------------------------------------------------------------------------------------------------


def raw(users: Users, machine: Machine) -> None:
    if len(machine.raws) < MOST_RAWS:
        raw_pair(machine)


def raw_poke(users: Users, machine: Machine) -> None:
    for watch in machine.raws:
        if users.random.random() < 0.5:
            watch.poke()


def raw_end(users: Users, machine: Machine) -> None:
    if machine.raws:
        users.random.choice(machine.raws).hang_up()


def raw_close(users: Users, machine: Machine) -> None:
    """Close some, and open others: those get their numbers."""
    closing = [watch for watch in machine.raws if users.random.random() < 0.6]
    for watch in closing:
        watch.close()
    for _ in closing:
        raw_pair(machine)


def raw_watch(users: Users, machine: Machine) -> None:
    if machine.raws:
        watch = users.random.choice(machine.raws)
        if users.random.random() < 0.5:
            watch.read(users.random.random() < 0.6)
        else:
            watch.write(users.random.random() < 0.7)


TO_MACHINES: dict[Callable[[Users, Machine], None], int] = {
    connect_somewhere: 12, cancel_attempt: 1, on_another: 8, listen_somewhere: 2, stop_accepting: 2,
    start_accepting: 4, close_server: 1, drain_server: 1, call_soon: 4, call_soon_threadsafe: 3, set_timer: 6,
    set_timers: 1, cancel_something: 4, beat: 2, run_job: 4, resolve_name: 2, raw: 4, raw_poke: 8, raw_end: 1,
    raw_close: 3, raw_watch: 4, send_signal: 2,
}  # fmt: skip
"""What is done, and how often in proportion."""
