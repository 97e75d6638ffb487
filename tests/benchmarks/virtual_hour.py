"""The simulation's own speed: 1,000 clients of one server, a heartbeat each every 10 s, through one virtual hour.

Each client is a host with a reactor, a timer and a socket of its own. Virtual time costs nothing, the events in it do:
whatever arrives or falls due in the simulated network, and each tick of a reactor. The clients begin one after the
other, so that a tick of the server serves one of them, as it mostly does where clients do not know each other.

    python -m tests.benchmarks.virtual_hour [HEARTBEATS]        prints one line of JSON

The heartbeats are those of all clients together. Each is echoed, and the run fails if an echo is missing.
"""

from __future__ import annotations

import json
import platform
import sys
import time

from reactor import Protocol, Reactor, Transport, connect, listen
from reactor.simulation import Simulation

__all__ = ["CLIENTS", "HEARTBEATS", "simulate"]

CLIENTS = 1_000
INTERVAL = 10.0
HEARTBEATS = CLIENTS * 360
BEAT = b"still here, and all is well\n"
SPARE_DESCRIPTORS = 64


class Echo(Protocol):
    def connection_made(self, transport: Transport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class Client(Protocol):
    """Sends `beats` heartbeats, the first as soon as it is connected, and counts the bytes that come back."""

    def __init__(self, reactor: Reactor, beats: int) -> None:
        self.reactor = reactor
        self.unsent = beats
        self.echoed = 0

    def begin(self) -> None:
        connect(self.reactor, lambda: self, "server:9000")

    def connection_made(self, transport: Transport) -> None:
        self.transport = transport
        self.timer = self.reactor.call_every(INTERVAL, self.beat)
        self.beat()

    def beat(self) -> None:
        self.transport.write(BEAT)
        self.unsent -= 1
        if not self.unsent:
            self.timer.cancel()

    def data_received(self, data: bytes) -> None:
        self.echoed += len(data)


def simulate(heartbeats: int = HEARTBEATS, clients: int = CLIENTS) -> dict[str, float]:
    """Let virtual time pass until all `heartbeats` are sent and echoed; what that took."""
    beats = max(1, heartbeats // clients)
    with Simulation(seed=1) as sim:
        server = sim.host("server", "10.0.0.1")
        server.descriptor_limit = clients + SPARE_DESCRIPTORS
        listen(server.reactor, Echo, "10.0.0.1:9000", max_connections=clients)
        protocols = [Client(sim.host(f"client{number}").reactor, beats) for number in range(clients)]
        for number, client in enumerate(protocols):
            client.reactor.call_later(number * INTERVAL / clients, client.begin)
        wall, cpu = time.perf_counter(), time.process_time()
        sim.run_for(beats * INTERVAL)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        missing = clients * beats * len(BEAT) - sum(client.echoed for client in protocols)
        if missing:
            raise RuntimeError(f"{missing} bytes were not echoed")
        return {
            "heartbeats": clients * beats,
            "virtual": sim.time(),
            "events": sim.world.clock.happened + sim.scheduler.ticks,
            "wall": wall,
            "cpu": cpu,
        }


if __name__ == "__main__":
    measured = simulate(*map(int, sys.argv[1:]))
    print(json.dumps({"python": platform.python_version(), "measured": measured}), flush=True)
