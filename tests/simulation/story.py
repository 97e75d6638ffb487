"""A run in which everything happens that can happen, for comparing its traces.

Three clients talk to two servers under all faults, the destructive ones included, while cables are pulled, machines
crash and come back, names are slow or fail, and the conditions change. Nothing in it asserts anything.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

from reactor import ConnectionOptions, FramedProtocol, LineCodec, Reactor, Transport, connect, listen
from reactor.simulation import HOSTILE, LOSSY_WIFI, Host, Profile, Simulation

EVERYTHING = HOSTILE.but(aborted_accept=0.05, exhausted=0.1, reset=0.01, unresolved=0.1)


class Answering(FramedProtocol[bytes]):
    """Answers each line with its length, and now and then does not read for a while."""

    codec = LineCodec()

    def __init__(self, sim: Simulation, reactor: Reactor) -> None:
        super().__init__()
        self.sim = sim
        self.reactor = reactor

    def frame_received(self, frame: Any) -> None:
        self.send(b"%d" % len(frame))
        transport = self.transport
        if len(frame) % 5 == 0 and transport is not None:
            transport.pause_reading()
            self.reactor.call_later(0.3, transport.resume_reading)


class Asking(FramedProtocol[bytes]):
    """Asks a hundred questions, some at once, and begins again when the connection is lost."""

    codec = LineCodec()

    def __init__(self, client: Client) -> None:
        super().__init__()
        self.client = client

    def connection_made(self, transport: Transport) -> None:
        super().connection_made(transport)
        for number in range(20):
            self.send(b"?" * (number * 97 % 4000))

    def frame_received(self, frame: Any) -> None:
        self.client.say(f"answer {len(frame)}")

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self.client.say(f"lost {type(exc).__name__}")
        self.client.reactor.call_later(1.0, self.client.dial)


class Client:
    """Connects again and again, by name."""

    def __init__(self, sim: Simulation, host: str, to: str, reactor: Reactor) -> None:
        self.sim, self.host, self.to, self.reactor = sim, host, to, reactor
        quiet(sim, host, reactor)
        reactor.add_signal_handler(10, self.say, "signal")
        reactor.call_every(2.0, self.work)
        self.dial()

    def dial(self) -> None:
        connect(
            self.reactor,
            lambda: Asking(self),
            f"{self.to}:9000",
            options=ConnectionOptions(idle_timeout=5.0, connect_timeout=4.0),
            on_failure=self.failed,
        )

    def failed(self, error: BaseException) -> None:
        self.say(f"failed {type(error).__name__}")
        self.reactor.call_later(0.5, self.dial)

    def work(self) -> None:
        self.reactor.run_in_executor(lambda result, error: self.say(f"worked {result}"), sum, (1, 2))

    def say(self, what: str) -> None:
        self.sim.trace.add(self.host, what)


def quiet(sim: Simulation, host: str, reactor: Reactor) -> None:
    """What is reported, such as a lack of descriptors, is written down instead of raised."""
    reactor.set_exception_handler(lambda _, context: sim.trace.add(host, f"reported {context['message']}"))


def serve(sim: Simulation, host: str, reactor: Reactor) -> None:
    """Listen, again and again if there is no descriptor for that."""
    quiet(sim, host, reactor)
    try:
        listen(reactor, partial(Answering, sim, reactor), "0.0.0.0:9000")
    except OSError as error:
        sim.trace.add(host, f"not listening: {error.errno}")
        reactor.call_later(0.5, serve, sim, host, reactor)


def tell(seed: int, profile: Profile = EVERYTHING, **source: Any) -> Simulation:
    """Run the story; its trace is what is of interest. The `source` is where faults come from."""
    sim = Simulation(seed, profile=profile, trace=True, **source)
    servers = [sim.host(name, program=partial(serve, sim, name)) for name in ("alpha", "beta")]
    sim.name("slow.example", servers[0].addresses[0], delay=0.7)
    sim.name("hanging.example", delay=float("inf"))
    targets = ("alpha", "slow.example", "beta", "hanging.example")
    names = [f"client{number}" for number in range(len(targets))]
    clients = [
        sim.host(name, program=partial(Client, sim, name, to)) for name, to in zip(names, targets, strict=True)
    ]
    disturb(sim, servers, clients)
    with sim:
        sim.run_for(40.0)
    return sim


def disturb(sim: Simulation, servers: list[Host], clients: list[Host]) -> None:
    """Plan what happens to hosts and links."""
    alpha, beta = servers
    sim.link(clients[2], beta, latency=0.2, bandwidth=20_000, loss=0.2)
    clients[0].pace = 0.01
    clients[1].receive_buffer = clients[1].send_buffer = 3_000
    clients[2].blocking_time = 0.9
    beta.descriptor_limit = 4  # what its reactor and its listener have
    sim.call_at(3.0, setattr, beta, "descriptor_limit", 6)
    sim.call_at(4.0, sim.partition, alpha, clients[0])
    sim.call_at(7.0, sim.heal)
    sim.call_at(9.0, alpha.crash)
    sim.call_at(12.0, alpha.restart)
    sim.call_at(14.0, clients[1].unplug)
    sim.call_at(18.0, clients[1].plug)
    sim.call_at(20.0, beta.kill)
    sim.call_at(22.0, beta.restart)
    sim.call_at(24.0, clients[0].signal, 10)
    sim.call_at(25.0, clients[3].restart)
    sim.call_at(28.0, setattr, sim, "profile", LOSSY_WIFI.but(jitter=0.5))


if __name__ == "__main__":
    for seed in map(int, sys.argv[1:]):
        print(tell(seed).trace)
