"""What has ended leaves nothing behind: no descriptor, no timer, and no object that waits for the garbage collector."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from reactor import Connector, FramedProtocol, LineCodec, Protocol, connect
from reactor.network.connection import Connection
from tests.network.kit import Network, World

ROUNDS, AT_ONCE = 50, 200


@pytest.fixture
def no_collector() -> Iterator[None]:
    """The garbage collector is off, and what was garbage before is gone."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def alive(*kinds: type) -> dict[str, int]:
    """How many objects of these classes there are, reachable or not."""
    counts = dict.fromkeys((kind.__name__ for kind in kinds), 0)
    for thing in gc.get_objects():
        if type(thing) in kinds:
            counts[type(thing).__name__] += 1
    return counts


class Near(Protocol):
    """Talks a little, then closes; refers to its transport and is referred to by it."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(b"hello")

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)
        self.transport.close()


class Far(Protocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class Lines(FramedProtocol[bytes]):
    codec = LineCodec()

    def frame_received(self, frame: bytes) -> None:
        assert self.transport is not None
        self.transport.close()


def test_ten_thousand_connections_leave_no_descriptor_and_no_object(net: Network, no_collector: None) -> None:
    server = net.listen(Near)
    descriptors = net.world.open_descriptors()
    before = alive(Connection, Connector, Near, Far)
    ended = 0
    for _ in range(ROUNDS):
        for _ in range(AT_ONCE):
            connect(net.reactor, Far, server.addresses[0])
        ended += AT_ONCE
        net.until(lambda: sum(server.ended.values()) == ended and len(net.reactor.describe()["resources"]) == 1)  # noqa: B023
    assert server.ended == {"clean": ROUNDS * AT_ONCE}
    net.settle()
    assert alive(Connection, Connector, Near, Far) == before
    assert net.world.open_descriptors() == descriptors
    seen = net.reactor.describe()
    assert (seen["timers"], seen["ready"], seen["jobs"]) == (0, 0, 0)


@pytest.mark.parametrize("how", ["close", "abort", "mistake", "peer", "reset", "paused"])
def test_no_way_to_end_leaves_an_object_behind(net: Network, no_collector: None, how: str) -> None:
    class Ending(Lines):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            transport.write(b"hello\n" * 10_000)
            if how in ("close", "abort"):
                getattr(transport, how)()
            elif how == "mistake":
                raise ValueError("a mistake")
            elif how == "paused":
                transport.pause_reading()
                net.reactor.call_soon(transport.abort)

    before = alive(Connection)
    references: list[weakref.ref[Ending]] = []

    def factory() -> Ending:
        protocol = Ending()
        references.append(weakref.ref(protocol))
        return protocol

    server = net.listen(factory)
    peer = net.dial(server)
    if how == "peer":
        peer.send(b"half a line")
        net.settle()
    peer.close()
    net.until(lambda: sum(server.ended.values()))
    assert [type(error) for error in net.take_errors()] == ([ValueError] if how == "mistake" else [])
    net.settle()
    assert references[0]() is None
    assert alive(Connection) == before


def test_failed_and_cancelled_requests_leave_no_object_behind(net: Network, no_collector: None) -> None:
    before = alive(Connector)
    server = net.listen(Near)
    failures: list[str] = []
    for _ in range(10):
        connect(net.reactor, Far, server.addresses[0]).cancel()
        connector = connect(net.reactor, Far, server.addresses[0])
        while connector.describe()["trying"] is None:
            net.reactor.run_once(0.01)
        connector.cancel()
    server.close()
    net.until(lambda: not server.connections)
    for _ in range(10):
        connect(net.reactor, Far, server.addresses[0], on_failure=lambda error: failures.append(str(error)))
    net.until(lambda: len(failures) == 10)
    del connector
    net.settle()
    assert alive(Connector) == before


def test_a_closed_reactor_leaves_no_object_behind(world: World, no_collector: None) -> None:
    def use_one() -> weakref.ref[Any]:
        net = Network(world)
        server = net.listen(Far)
        for _ in range(5):
            connect(net.reactor, Far, server.addresses[0])
        net.until(lambda: server.accepted == 5)
        net.close()
        return weakref.ref(server)

    descriptors = world.open_descriptors()
    before = alive(Connection, Connector)
    assert use_one()() is None
    assert alive(Connection, Connector) == before
    assert world.open_descriptors() == descriptors
