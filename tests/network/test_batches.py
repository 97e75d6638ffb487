"""One batch of events, worked on while it grows stale."""

from __future__ import annotations

from typing import Any

import pytest

from reactor import Reactor
from tests.network.kit import Network, Recorder, World


def two_in_one_batch(net: Network, react: Any) -> tuple[list[Recorder], Any]:
    """Two connections whose input is there at once; `react(me, other)` runs in whichever is called first."""
    acted: list[Recorder] = []

    def first_only(me: Recorder, data: bytes) -> None:
        if not acted:
            acted.append(me)
            react(me, nears[1] if me is nears[0] else nears[0])

    nears: list[Recorder] = []

    def factory() -> Recorder:
        nears.append(Recorder(data_received=first_only))
        return nears[-1]

    server = net.listen(factory)
    peers = [net.dial(server), net.dial(server)]
    net.until(lambda: len(nears) == 2)
    for peer in peers:
        peer.send(b"now")
    return nears, server


@pytest.mark.parametrize("how", ["abort", "close", "pause_reading"])
def test_an_event_of_this_batch_does_not_reach_who_was_stopped_meanwhile(net: Network, how: str) -> None:
    nears, _server = two_in_one_batch(net, lambda me, other: getattr(other.transport, how)())
    net.settle()
    assert sorted(near.events.count("data_received") for near in nears) == [0, 1]
    if how == "pause_reading":
        for near in nears:
            near.transport.resume_reading()
        net.until(lambda: all(near.received == b"now" for near in nears))


def test_a_stale_event_does_not_reach_the_new_owner_of_its_number(net: Network) -> None:
    elsewhere = Recorder()
    other_server = net.listen(lambda: elsewhere)
    reused: list[Any] = []
    called: list[str] = []

    def replace(me: Recorder, other: Recorder) -> None:
        number = other.transport.get_extra_info("socket").fileno()
        with net.lower_numbers_taken(number):
            other.transport.abort()
            reused.append(net.dial(other_server))
        assert reused[0].fileno() == number
        net.reactor.add_reader(reused[0], called.append, "read")

    nears, _server = two_in_one_batch(net, replace)
    net.until(lambda: reused and elsewhere.made)
    net.settle()
    assert called == []
    assert sorted(near.events.count("data_received") for near in nears) == [0, 1]
    elsewhere.transport.write(b"for the new owner")
    net.until(lambda: called)
    net.reactor.remove_reader(reused[0])


def test_a_stale_event_does_not_reach_a_connection_that_is_accepted_meanwhile(net: Network) -> None:
    numbers: list[int] = []

    def replace(me: Recorder, other: Recorder) -> None:
        number = other.transport.get_extra_info("socket").fileno()
        net.dial(server)  # waits in the backlog
        with net.lower_numbers_taken(number):
            other.transport.abort()
            server._acceptors[0]._readable()
        numbers.extend((number, nears[2].transport.get_extra_info("socket").fileno()))

    nears, server = two_in_one_batch(net, replace)
    net.until(lambda: numbers)
    assert numbers[0] == numbers[1]
    net.settle()
    assert nears[2].events == ["connection_made"]
    assert sorted(near.events.count("data_received") for near in nears[:2]) == [0, 1]


def test_who_is_paused_in_connection_made_gets_nothing(net: Network) -> None:
    near, peer = net.pair(Recorder(connection_made=lambda me: me.transport.pause_reading()))
    net.send_all(peer, b"early")
    net.settle()
    assert near.events == ["connection_made"]
    near.transport.resume_reading()
    net.until(lambda: near.received == b"early")


def test_a_reactor_that_is_stopped_and_closed_with_connections_open_tells_each_once(world: World) -> None:
    net = Network(world)
    nears = [Recorder() for _ in range(3)]
    waiting = iter(nears)
    server = net.listen(lambda: next(waiting))
    peers = [net.dial(server) for _ in nears]
    net.until(lambda: all(near.made for near in nears))
    net.reactor.call_soon(net.reactor.stop)
    net.reactor.run()
    assert not any(near.over for near in nears)
    reactor: Reactor = net.reactor
    reactor.close()
    for near in nears:
        assert near.ended_with is None
        near.check()
    for peer in peers:
        with pytest.raises(ConnectionResetError):
            peer.recv(1)
    assert server.connections == {}
    assert server.ended["clean"] == 3
    net.close()
