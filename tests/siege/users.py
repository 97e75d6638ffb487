"""The random users: who does what, when, from outside the loop and from inside callbacks.

Everything they decide comes from one `random.Random`, so a seed repeats a siege. Each siege draws first how often it
does what, and some things not at all: a siege that closes everything at once never fills a buffer, and one without
crashes gets into corners where a crash would have ended the story. A *gentle* siege destroys nothing: its connections
are narrow and slow, and live to be closed with much still to be sent. Only there every byte must arrive.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

from reactor.loop import Phase
from tests.siege.machine import Attempt, Machine, Service
from tests.siege.on_ends import GENTLY, TO_ENDS, goodbye, resume, write
from tests.siege.on_machines import TO_MACHINES, connect_somewhere
from tests.siege.on_networks import NARROWING, TO_NETWORKS
from tests.siege.peers import End, Framed, PlannedError

if TYPE_CHECKING:
    from tests.siege.world import World

__all__ = ["Users"]

ANSWERS = {"eof": 0.5, "input": 0.03}  # how often a request is answered, and that was all
DEEPEST = 3  # actions in callbacks of actions in callbacks

Action = TypeVar("Action", bound=Callable[..., None])


class Users:
    """All users of one siege."""

    def __init__(self, world: World) -> None:
        """Draw what this siege is like."""
        self.world = world
        self.random = world.random
        self.to_ends = weigh(GENTLY if world.gentle else TO_ENDS, self.random, write, resume)
        self.to_machines = weigh(TO_MACHINES, self.random, connect_somewhere)
        self.to_networks = weigh(NARROWING if world.gentle else TO_NETWORKS, self.random)
        self.mischief = self.random.choice((0.0, 0.02, 0.1, 0.3))  # the probability of an action in each callback
        self.disturbance = self.random.choice((0.0, 0.0, 0.03, 0.15))  # that of an action on the network in each step
        self.bugs = self.random.choice((0.0, 0.0, 0.02, 0.1))  # that of an exception in each callback that acts
        self.interrupts = self.random.choice((0.0, 0.0, 0.1, 0.4))  # that of Ctrl-C in a reactor run by hand
        if world.gentle:
            self.bugs = self.interrupts = 0.0
        self.resting = False
        self.written = 0
        self.depth = 0

    # --- From outside the loop --------------------------------------------------------------------------------------

    def act(self) -> None:
        """One thing, somewhere."""
        if self.random.random() < self.disturbance:
            self._do(self.to_networks, self.world)
        standing = [machine for machine in self.world.machines if machine.up]
        if standing:
            machine = self.random.choice(standing)
            if self.random.random() < 0.3:
                machine.reactor.call_soon(self._in_callback, machine)
            else:
                self.on_machine(machine)
            self.world.oracle.look(machine)

    def _in_callback(self, machine: Machine) -> None:
        if machine.up and not self.resting:
            self.on_machine(machine)

    def rest(self) -> None:
        """Do nothing any more."""
        self.resting, self.mischief = True, 0.0

    def on_machine(self, machine: Machine) -> None:
        """Something on a machine, mostly to one of its connections."""
        if machine.reactor.phase is Phase.CLOSING:
            return  # nothing can begin any more
        if machine.ends and self.random.random() < 0.7:
            self.on_end(self.random.choice(machine.ends))
        else:
            self._do(self.to_machines, machine)

    def on_end(self, end: End) -> None:
        """Something to one end of a connection."""
        if end.transport is not None and end.link is not None:
            self._do(self.to_ends, end)

    def _do(self, table: dict[Action, float], target: Any) -> None:
        action = self.random.choices(list(table), list(table.values()))[0]
        self.world.tell(f"{target.name}: {action.__name__}")
        self.depth += 1
        self.world.calling += 1
        try:
            action(self, target)
        finally:
            self.depth -= 1
            self.world.calling -= 1

    # --- In callbacks -------------------------------------------------------------------------------------------------

    def provoke(self, end: End, where: str) -> None:
        """In a callback of a protocol: sometimes do something, sometimes fail."""
        self._interrupt(end.machine)
        if self.world.gentle and not self.resting and self.random.random() < ANSWERS.get(where, 0.0):
            self._do({goodbye: 1.0}, end)
            return
        if self.depth >= DEEPEST or self.random.random() >= self.mischief:
            return
        calling, self.world.calling = self.world.calling, 0
        try:
            if where != "lost" and self.random.random() < 0.7:
                for _ in range(self.random.choice((1, 1, 2, 3, 5))):
                    self.on_end(end)
            else:
                self.on_machine(end.machine)
        finally:
            self.world.calling = calling
        if self.random.random() < self.bugs:
            error = PlannedError(f"in {where} of {end.name}")
            end.reasons.append(error)
            end.taint("raised")
            if end.transport is not None and not end.transport.is_closing():
                end.certain = error
            raise error

    def provoke_machine(self, machine: Machine) -> None:
        """In any other callback: the same."""
        self._interrupt(machine)
        if self.depth < DEEPEST and self.random.random() < self.mischief:
            self.on_machine(machine)
            if self.random.random() < self.bugs:
                raise PlannedError(f"in a callback on {machine.name}")

    def provoke_factory(self, asker: Service | Attempt | None) -> None:
        """In a factory of protocols: fail, or end the server, or cancel the attempt, that asks for one."""
        if asker is None or self.resting:
            return
        self._interrupt(asker.machine)
        if self.mischief and self.random.random() < 0.05:
            if self.random.random() < 0.5:
                raise PlannedError("in a factory")
            if isinstance(asker, Service):
                asker.server.close()

    def _interrupt(self, machine: Machine) -> None:
        """Ctrl-C in this callback, if somebody is there to catch it."""
        if machine.by_hand and self.random.random() < self.interrupts:
            self.world.tell("  Ctrl-C")
            raise KeyboardInterrupt

    def digest(self, end: End, data: bytes, protocol: Any) -> None:
        """Some input came: take all of it, or give a part back, perhaps to a successor that wants whole frames."""
        if not isinstance(protocol, Framed) and data and self.random.random() < self.mischief / 2:
            stream, transport = end.incoming, end.transport
            assert transport is not None
            begin = stream.received - len(data)
            framed = self.random.random() < 0.5
            keep = stream.boundary_before(stream.received) if framed else self.random.randint(begin, stream.received)
            if keep >= begin:
                rest = data[keep - begin :]
                stream.received = keep
                self.world.tell(f"  {end.name} gives {len(rest)} bytes back" + (", to a framed one" if framed else ""))
                end.given_back = True
                if framed:
                    transport.set_protocol(end.machine.successor(end, "framed"))
                transport.unread(rest)
        self.provoke(end, "input")


def weigh(table: dict[Action, int], random: Random, *always: Action) -> dict[Action, float]:
    """The weights of one siege: some actions are rare, frequent, or not done at all."""
    weights: dict[Action, float] = {
        action: weight * random.choice((0, 0.5, 1, 1, 1, 4)) for action, weight in table.items()
    }
    for action in always:
        weights[action] = float(table[action])
    if not any(weights.values()):
        weights[next(iter(table))] = 1.0
    return weights
