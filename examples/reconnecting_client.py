"""Two minutes in the life of a client that stays connected, while its server crashes, returns, and is killed.

The lesson: does `examples.heartbeat` do what it says? To see it for real takes a machine, somebody at the plug, and two
minutes. So the same class, unchanged, is run in a simulated network, where machines are switched off by a call and time
does not take any. Whatever is left to chance, here how much it shortens the pauses, is decided by the seed: the same
seed, the same story.

    python3 -m examples.reconnecting_client [SEED]
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from examples.heartbeat import Heartbeat
from examples.shout import Shout
from reactor import Reactor, listen
from reactor.simulation import Simulation


def serve(reactor: Reactor) -> None:
    """The server's program, which begins anew whenever its machine does."""
    listen(reactor, Shout, "10.0.0.1:9000")


def story(seed: int) -> None:
    """Two minutes of virtual time."""

    def at(when: float, what: str, happens: Callable[[], object]) -> None:
        sim.call_at(when, print, f"{when:6.1f} s  * {what}")
        sim.call_at(when, happens)

    with Simulation(seed) as sim:
        server = sim.host("server", "10.0.0.1", program=serve)
        client = sim.host("client", "10.0.0.2")
        heartbeat = Heartbeat(client.reactor, "server:9000")
        at(20.0, "the server's machine loses its power", server.crash)
        at(45.0, "it is back", server.restart)
        at(90.0, "the server's program is killed", server.kill)
        at(92.5, "it is started again", server.restart)
        at(120.0, "the client is told to end", heartbeat.stop)
        sim.run(until=lambda: not client.reactor.alive())


def main() -> None:
    try:
        story(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    except ValueError:
        sys.exit(f"reconnecting_client: a seed is a number, not {sys.argv[1]!r}")


if __name__ == "__main__":
    main()
