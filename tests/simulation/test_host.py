from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest

from reactor import HostDownError, connect, listen
from reactor.simulation import CALM, Host, Simulation
from tests.simulation.kit import (
    READ,
    SERVER,
    WRITE,
    Log,
    connected,
    connecting,
    converse,
    drain,
    fill,
    listening,
    pending,
    raises,
    tcp,
)


def talking(sim: Simulation, server: Host, client: Host) -> tuple[Log, Log]:
    """The client's and the server's protocol of a connection on which nobody says anything."""
    near, far = Log(), Log()
    listen(server.reactor, lambda: far, f"{SERVER}:9000")
    connect(client.reactor, lambda: near, f"{SERVER}:9000")
    sim.run(until=lambda: near.events and far.events)
    return near, far


# --- The machine ----------------------------------------------------------------------------------------------------


def test_a_crash_is_silence_until_the_machine_is_back_and_resets_what_it_has_forgotten(
    sim: Simulation, server: Host, client: Host
) -> None:
    near, far = talking(sim, server, client)
    server.crash()
    assert not server.up
    near.transport.write(b"anybody there?")
    sim.run_for(100)
    assert near.events == ["made"]
    server.restart()
    sim.run(until=lambda: near.is_over)
    assert isinstance(near.error, ConnectionResetError)
    assert far.events == ["made"]  # its program was told nothing


def test_a_crash_without_return_ends_in_a_timeout(sim: Simulation, server: Host, client: Host) -> None:
    near, _ = connected(sim, client, server)
    server.crash()
    near.send(b"x")
    sim.run(until=lambda: near.readiness() & READ)
    with raises(errno.ETIMEDOUT):
        near.recv(1)


def test_what_was_on_its_way_from_a_crashed_machine_is_lost(sim: Simulation, server: Host, client: Host) -> None:
    near, far = connected(sim, client, server)
    far.send(b"too late")
    server.crash()
    server.restart()
    sim.run_for(10)
    assert near.readiness() == WRITE


def test_what_waited_in_a_crashed_machine_is_lost(sim: Simulation, server: Host, client: Host) -> None:
    near, far = connected(sim, client, server)
    fill(far)
    sim.run_for(1)
    server.crash()
    server.restart()
    assert len(drain(near)) == client.receive_buffer
    sim.run_for(10)
    assert near.readiness() == WRITE


def test_a_machine_that_is_down_cannot_crash_again_and_nothing_on_it_can_be_used(
    sim: Simulation, server: Host
) -> None:
    sim.run_for(3)
    server.crash()
    calls: list[Callable[[], Any]] = [
        lambda: server.reactor,
        lambda: server.kernel,
        lambda: server.signal(15),
        server.crash,
    ]
    for call in calls:
        with pytest.raises(HostDownError, match=r"host 'server' (crashed at 3\.0|is down)"):
            call()
    server.kill()


def test_what_was_made_on_a_crashed_machine_is_refused_with_when_it_crashed(
    sim: Simulation, server: Host, client: Host
) -> None:
    _, far = talking(sim, server, client)
    reactor = server.reactor
    sim.run_for(2)
    server.crash()
    server.restart()
    calls: list[Callable[[], Any]] = [
        lambda: far.transport.write(b"x"),
        far.transport.close,
        lambda: reactor.call_soon(int),
        lambda: reactor.call_later(1, int),
        lambda: listen(reactor, Log, "10.0.0.1:1"),
        lambda: reactor.run_once(0),
    ]
    for call in calls:
        with pytest.raises(HostDownError, match=r"host 'server' crashed at 2\.\d+ s; .*restart\(\)"):
            call()


def test_a_cable_can_be_pulled_and_put_back_in_under_a_running_conversation(
    sim: Simulation, server: Host, client: Host
) -> None:
    sim.call_at(0.0035, server.unplug)
    sim.call_at(5.0, server.plug)
    caller = converse(sim, client, server, [b"x" * 500_000])
    assert caller.data == b"x" * 500_000
    assert caller.error is None
    assert sim.time() > 5


def test_a_slow_machine_has_a_pause_between_two_ticks(sim: Simulation, server: Host) -> None:
    moments: list[float] = []

    def again() -> None:
        moments.append(sim.time())
        if len(moments) < 4:
            server.reactor.call_soon(again)

    server.pace = 0.5
    server.reactor.call_soon(again)
    sim.run_for(10)
    assert moments == [0.0, 0.5, 1.0, 1.5]
    assert sim.ticks == 4


def test_a_slow_reader_with_a_small_buffer_slows_its_sender_down(sim: Simulation, server: Host, client: Host) -> None:
    server.receive_buffer, server.pace = 10_000, 1.0
    caller = converse(sim, client, server, [b"x" * 100_000])
    assert caller.data == b"x" * 100_000
    assert sim.time() > 9


def test_a_machine_that_stalls_comes_late() -> None:
    sim = Simulation(schedule=[("stall", 1, 100)])
    host = sim.host("slow")
    moments: list[float] = []
    host.reactor.call_soon(lambda: moments.append(sim.time()))
    sim.run()
    assert moments == [0.1]


def test_a_host_is_shown_with_its_name_and_addresses() -> None:
    assert repr(Simulation().host("many", "10.1.0.1", "fd00::1")) == "<host 'many', 10.1.0.1, fd00::1>"


# --- Its addresses --------------------------------------------------------------------------------------------------


def test_a_host_knows_its_addresses_and_the_one_from_which_it_reaches_another() -> None:
    host = Simulation().host("many", "10.1.0.1", "10.1.0.2", "fd00::1")
    assert [host.has(address) for address in ("10.1.0.2", "127.0.0.1", "127.1.2.3", "::1", "10.1.0.3")] == [
        True, True, True, True, False,
    ]  # fmt: skip
    assert host.source_for("10.9.9.9") == "10.1.0.1"
    assert host.source_for("10.1.0.2") == "10.1.0.2"
    assert host.source_for("fd00::9") == "fd00::1"
    assert (host.source_for("127.0.0.5"), host.source_for("::1")) == ("127.0.0.1", "::1")
    assert Simulation().host("four", "10.1.0.1").source_for("fd00::9") == ""


def test_each_machine_has_a_loopback_of_its_own(sim: Simulation, server: Host, client: Host) -> None:
    listening(server)
    sock = connecting(client, "127.0.0.1")
    sim.run(until=sock.readiness)
    assert pending(sock) == errno.ECONNREFUSED
    assert connecting(server, "127.7.7.7").readiness() == WRITE


def test_new_connections_begin_with_the_buffers_that_the_machine_has_then(
    sim: Simulation, server: Host, client: Host
) -> None:
    client.send_buffer = 5_000
    near, _ = connected(sim, client, server)
    client.send_buffer = 7_000
    other, _ = connected(sim, client, server)
    assert (near.send(b"x" * 9_000), other.send(b"x" * 9_000)) == (5_000, 7_000)


def test_conditions_of_a_machine_can_change_while_it_runs(sim: Simulation, server: Host, client: Host) -> None:
    server.reactor.call_every(1.0, int)
    sim.call_at(5.0, setattr, server, "pace", 0.3)
    sim.call_at(6.0, setattr, server, "descriptor_limit", 0)
    sim.run_for(10)
    with raises(errno.EMFILE):
        tcp(server)
    sim.profile = CALM.but(latency=1.0)
    sock = connecting(client, SERVER)
    sim.run(until=sock.readiness)
    assert sim.time() == 12.0
