"""One siege: a simulation, three machines, their users, and the oracle; from one seed."""

from __future__ import annotations

import traceback
from collections import deque
from dataclasses import dataclass, field
from random import Random

from reactor.simulation import CALM, HOSTILE, LOSSY_WIFI, Profile, Simulation
from tests.siege.machine import Machine
from tests.siege.on_machines import connect_somewhere, listen_somewhere
from tests.siege.on_networks import narrow
from tests.siege.oracle import Oracle, connections
from tests.siege.peers import End, Link
from tests.siege.streams import LINES, PREFIXED
from tests.siege.users import Users

__all__ = ["Outcome", "ViolatedError", "World", "besiege"]

STEPS = 150
PAUSES = (None, None, None, None, 0.0, 0.0, 0.001, 0.01, 0.01, 0.1, 0.1, 0.1, 1.0, 1.0, 10.0, 70.0)
"""Seconds after a step; `None`: not even a tick."""
LONG_CUT = 300.0  # seconds; TCP gives a connection up after some 900
STORY = 70  # lines that are told


class ViolatedError(SystemExit):
    """Something does not hold. A `SystemExit`, because the engine lets nothing else through from a callback."""


@dataclass
class Outcome:
    """How a siege went."""

    seed: int
    steps: int
    """How many were done: the last one is the one in which it was found."""
    ticks: int
    failure: str = ""
    story: list[str] = field(default_factory=list)


class World:
    """Everything that is in one siege."""

    name = "network"

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.gentle = self.random.random() < 0.3  # no byte may be lost: see `users`
        self.profile = self._draw_profile()
        self.sim = Simulation(seed=seed, profile=self.profile)
        self.story: deque[str] = deque(maxlen=STORY)
        self._receiving = ("", "")
        self.violation = ""
        self.calling = 0  # actions of users under way: no input may be delivered from inside of them
        self.links: list[Link] = []
        self._half: dict[object, Link] = {}
        self._cut_since: float | None = None
        self.oracle = Oracle(self)
        for name, delay in (("slow.example", 3.0), ("db.example", 0.0)):
            self.sim.name(name, "10.0.0.2", delay=delay)
        self.machines: list[Machine] = []
        for number in range(1, 4):
            addresses = (f"10.0.0.{number}", f"fd00::{number}")
            self.machines.append(Machine(self, self.sim.host(f"h{number}", *addresses), addresses))
        self.users = Users(self)
        if self.gentle:
            narrow(self.users, self)
        elif self.random.random() < 0.2:  # a siege in which descriptors are always about to run out
            self.users.to_machines[connect_somewhere] *= 4
            for machine in self.machines:
                machine.host.descriptor_limit = len(machine.host.kernel.process.files) + self.random.choice((2, 3, 4))
        for machine in self.machines[:2]:
            listen_somewhere(self.users, machine)

    def _draw_profile(self) -> Profile:
        profile = self.random.choice((CALM, CALM, LOSSY_WIFI, HOSTILE, HOSTILE))
        if self.gentle:
            return profile.but(reset=0.0)
        if self.random.random() < 0.3:
            profile = profile.but(
                reset=self.random.choice((0.0, 0.003)),
                exhausted=self.random.choice((0.0, 0.05, 0.3)),
                aborted_accept=self.random.choice((0.0, 0.1)),
                unresolved=self.random.choice((0.0, 0.2)),
            )
        return profile

    # --- What everybody needs -----------------------------------------------------------------------------------------

    def tell(self, line: str) -> None:
        """For the story. Many of the same are told once."""
        subject = line.partition(" received ")[0] if " received " in line else ""
        if subject and subject == self._receiving[0]:
            self.story.pop()
            line = f"{self._receiving[1]}{line.rpartition(' ')[2]:.9}"
            self._receiving = (subject, f"{line[-200:]}, ")
        else:
            self._receiving = (subject, f"{line}, ")
        self.story.append(f"{self.sim.time():11.4f} {line}")

    def must(self, holds: object, message: str) -> None:
        """End the siege, unless it holds."""
        if not holds:
            self.violated(message)

    def violated(self, message: str) -> None:
        """End the siege."""
        self.violation = self.violation or message
        raise ViolatedError(message)

    def pair_up(self, end: End) -> None:
        """Find the link that a new end belongs to: its other end knows the same two addresses."""
        assert end.transport is not None
        names = [tuple(end.transport.get_extra_info(name)[:2]) for name in ("sockname", "peername")]
        if end.role == "server":
            names.reverse()
        inside = end.machine.name if names[0][0] in ("127.0.0.1", "::1") else ""
        key = (inside, *names)
        link = self._half.pop(key, None)
        if link is None or end.role in link.ends:
            link = self._half[key] = Link(len(self.links), self.random.choice((LINES, PREFIXED)))
            self.links.append(link)
            if self.profile.faults.reset:
                link.taint("resets")
        link.ends[end.role] = end
        end.link = link

    # --- What happens to hosts ------------------------------------------------------------------------------------

    def restart(self) -> None:
        """Start again what is down."""
        for machine in self.machines:
            if not machine.up:
                machine.host.restart()
                machine.boot()
                listen_somewhere(self.users, machine)

    def close_reactor(self, machine: Machine) -> None:
        """A program ends in order: everybody is told, and nothing is left."""
        told = list(machine.ends)
        for end in told:
            end.taint("its reactor was closed")
        for request in machine.waiting.values():
            request.state = "dropped"
        machine.reactor.close()
        for end in told:
            end.must(end.stage == "over" or end.link is None, "the reactor was closed, and it was not told")
        for watch in list(machine.raws):
            machine.raws.remove(watch)
            watch.sock.close()
            watch.hang_up()
        left = sorted(machine.host.kernel.process.files)
        self.must(not left, f"{machine.name} closed its reactor, and has {left} open")
        machine.died("has closed its reactor")

    # --- One siege ------------------------------------------------------------------------------------------------

    def step(self) -> None:
        """One action, and mostly some time."""
        self.users.act()
        pause = self.random.choice(PAUSES)
        if pause is None:
            return
        standing = [machine for machine in self.machines if machine.up]
        self.tell(f"--- {pause} s")
        if standing and self.random.random() < 0.15:
            self._by_hand(self.random.choice(standing), pause)
        else:
            self.sim.run_for(pause)
        self._note_cuts()
        self.oracle.step()

    def _by_hand(self, machine: Machine, pause: float) -> None:
        """Run one reactor as its own program would, which may be interrupted: Ctrl-C ends a tick in its middle."""
        self.tell(f"{machine.name} is run by hand")
        reactor, until, embedded = machine.reactor, self.sim.time() + pause, self.random.random() < 0.5
        machine.by_hand = True
        for _ in range(self.random.choice((1, 10, 100))):
            left = max(0.0, until - self.sim.time())
            try:
                if embedded:
                    due = reactor.next_deadline()
                    reactor.dispatch(reactor.wait(left if due is None else min(left, max(0.0, due - machine.now()))))
                else:
                    reactor.run_once(left)
            except KeyboardInterrupt:
                self.tell(f"{machine.name} was interrupted")
                self.oracle.look(machine)
        machine.by_hand = False

    def _note_cuts(self) -> None:
        """TCP gives up if nothing gets through for very long."""
        cut = any(path.cut for path in self.sim._network._paths.values())
        cut = cut or not all(machine.host.plugged for machine in self.machines)
        if not cut:
            self._cut_since = None
        elif self._cut_since is None:
            self._cut_since = self.sim.time()
        elif self.sim.time() - self._cut_since > LONG_CUT:
            for link in self.links:
                link.taint("was cut for long")

    def finish(self) -> None:
        """Peace: all that was written arrives, everything ends, and nothing is left."""
        self.tell("--- peace")
        self.users.rest()
        self.sim.heal()
        for machine in self.machines:
            machine.host.plug()
            machine.host.pace = 0.0
            machine.host.descriptor_limit = 1024
        self.restart()
        for machine in self.machines:
            for end in machine.ends:
                if end.transport is not None:
                    end.paused = False
                    end.transport.resume_reading()
        self._pass(200.0)
        for link in self.links:
            if len(link.ends) == 2 and not link.taints:
                self._arrived(link)
        for machine in self.machines:
            if self.random.random() < 0.3:
                self.close_reactor(machine)
                machine.host.kill()
            else:
                self._wind_up(machine)
        self._pass(400.0)
        for machine in self.machines:
            if machine.up:
                self._nothing_left(machine)
        before = [machine.ticks for machine in self.machines]
        self._pass(1000.0)
        ticks = [machine.ticks - was for machine, was in zip(self.machines, before, strict=True)]
        most = 400 if self.profile.faults.spurious_readiness else 1
        self.must(max(ticks) <= most, f"ticks of machines with nothing to do: {ticks}")

    def _pass(self, seconds: float) -> None:
        self.sim.run_for(seconds)
        self.oracle.step()

    def _arrived(self, link: Link) -> None:
        for end in link.ends.values():
            if end.transport is None or end.transport.is_closing() or end.saw_eof:
                continue
            stream = end.incoming
            wanted = stream.boundary_before(stream.written) if end.framed() else stream.written
            end.must(stream.received == wanted, f"only {stream.received} of {stream.written} bytes have arrived")

    def _wind_up(self, machine: Machine) -> None:
        for service in machine.services:
            if service.drain_at is None:
                service.server.close()
        for end in machine.ends:
            if end.transport is not None and end.link is not None:
                end.asked.add("close")
                end.transport.close()
                if end.link.taints or len(end.link.ends) < 2:
                    end.transport.abort()  # its peer may be gone without a word, and would be waited for, for ever
        for attempt in machine.attempts:
            attempt.cancel()
        for watch in list(machine.raws):
            watch.close()
        for beats in machine.beats:
            beats.cancel()
        machine.beats.clear()

    def _nothing_left(self, machine: Machine) -> None:
        machine.services = [service for service in machine.services if service.server.state.value != "ended"]
        reactor, name = machine.reactor, machine.name
        self.must(not list(connections(machine)), f"{name} has connections: {list(connections(machine))}")
        self.must(not machine.waiting, f"{name} has not answered {list(machine.waiting)}")
        self.must(not reactor.alive(), f"{name} is alive: {reactor.describe()}")
        self.must(not reactor._timers._heap or not len(reactor._timers), f"{name} has timers")
        shared = [key for key in reactor.shared if reactor.shared[key] and not isinstance(key, str)]
        self.must(not shared, f"{name} keeps {shared}")
        reactor.run()  # returns, because nothing is left


def besiege(seed: int, steps: int = STEPS) -> Outcome:
    """One siege."""
    world = World(seed)
    step, error = 0, ""
    try:
        for step in range(1, steps + 1):
            world.tell(f"=== step {step}")
            world.step()
        world.finish()
    except ViolatedError:
        pass  # it is kept in the world, also where something on its way swallows it
    except Exception as exc:  # from the engine or the simulation, or a mistake of the siege's own
        error = f"{type(exc).__name__}: {exc}"
        world.story.extend(traceback.format_exc().splitlines())
    failure = world.violation or error
    return Outcome(seed, step, world.sim.scheduler.ticks, failure, list(world.story))
