"""What happens to the network and its hosts: partitions, crashes, slow machines, small buffers, no descriptors left."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.siege.machine import Machine

if TYPE_CHECKING:
    from tests.siege.users import Users
    from tests.siege.world import World

__all__ = ["NARROWING", "TO_NETWORKS", "narrow"]


def standing(users: Users, world: World) -> Machine | None:
    up = [machine for machine in world.machines if machine.up]
    return users.random.choice(up) if up else None


def partition(users: Users, world: World) -> None:
    one, other = users.random.sample(world.machines, 2)
    world.sim.partition(one.host, other.host)


def heal(users: Users, world: World) -> None:
    world.sim.heal()


def unplug(users: Users, world: World) -> None:
    users.random.choice(world.machines).host.unplug()


def plug(users: Users, world: World) -> None:
    for machine in world.machines:
        machine.host.plug()


def crash(users: Users, world: World) -> None:
    if machine := standing(users, world):
        machine.died("crashed")
        machine.host.crash()


def kill(users: Users, world: World) -> None:
    if machine := standing(users, world):
        machine.died("was killed")
        machine.host.kill()


def close_reactor(users: Users, world: World) -> None:
    """A program that ends in order: everybody is told, and then it is gone."""
    if machine := standing(users, world):
        world.close_reactor(machine)
        machine.host.kill()


def restart(users: Users, world: World) -> None:
    world.restart()


def slow_down(users: Users, world: World) -> None:
    users.random.choice(world.machines).host.pace = users.random.choice((0.0, 0.0, 0.003, 0.05))


def change_link(users: Users, world: World) -> None:
    one, other = users.random.sample(world.machines, 2)
    choice = users.random.choice
    world.sim.link(
        one.host,
        other.host,
        latency=choice((0.0005, 0.01, 0.4)),
        jitter=choice((0.0, 0.0, 0.05)),
        bandwidth=choice((None, 1e7, 2e5)),
        loss=choice((0.0, 0.0, 0.1)),
    )


def change_buffers(users: Users, world: World) -> None:
    host = users.random.choice(world.machines).host
    host.send_buffer = users.random.choice((4608, 16_384, 100_000))
    host.receive_buffer = users.random.choice((2304, 16_384, 100_000))


def narrow(users: Users, world: World) -> None:
    """Little room everywhere, so that output has to wait."""
    for machine in world.machines:
        machine.host.send_buffer = users.random.choice((4608, 16_384))
        machine.host.receive_buffer = users.random.choice((2304, 4608, 16_384))
        machine.host.pace = users.random.choice((0.0, 0.003, 0.02))


def change_blocking_time(users: Users, world: World) -> None:
    users.random.choice(world.machines).host.blocking_time = users.random.choice((0.0, 0.01, 2.0))


def run_out_of_descriptors(users: Users, world: World) -> None:
    if machine := standing(users, world):
        machine.host.descriptor_limit = users.random.choice((8, 14, 20, 1024, 1024))


TO_NETWORKS: dict[Callable[[Users, World], None], int] = {
    heal: 6, partition: 4, unplug: 1, plug: 4, crash: 2, kill: 2, close_reactor: 1, restart: 8, slow_down: 3,
    change_link: 4, change_buffers: 4, change_blocking_time: 2, run_out_of_descriptors: 2,
}  # fmt: skip
"""What is done, and how often in proportion."""

NARROWING: dict[Callable[[Users, World], None], int] = {narrow: 1, slow_down: 1, change_blocking_time: 1}
"""The same for a siege in which no byte may be lost."""
