from __future__ import annotations

import errno

from reactor.simulation import CALM, Host, Simulation
from tests.simulation.kit import SERVER, WRITE, connected, connecting, listening, pending


def test_a_host_knows_its_addresses_and_the_one_from_which_it_reaches_another() -> None:
    host = Simulation().host("many", "10.1.0.1", "10.1.0.2", "fd00::1")
    assert [host.machine.has(address) for address in ("10.1.0.2", "127.0.0.1", "127.1.2.3", "::1", "10.1.0.3")] == [
        True, True, True, True, False,
    ]  # fmt: skip
    assert host.machine.source_for("10.9.9.9") == "10.1.0.1"
    assert host.machine.source_for("10.1.0.2") == "10.1.0.2"
    assert host.machine.source_for("fd00::9") == "fd00::1"
    assert (host.machine.source_for("127.0.0.5"), host.machine.source_for("::1")) == ("127.0.0.1", "::1")
    assert Simulation().host("four", "10.1.0.1").machine.source_for("fd00::9") == ""


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


def test_a_machine_knows_whether_there_is_a_way_to_an_address(server: Host) -> None:
    here = server.machine
    assert [here.route(address) for address in (SERVER, "127.0.0.1", "10.9.9.9")] == [0, 0, 0]
    assert here.route("fd00::9") == errno.ENETUNREACH  # it has no address of that family
    server.unplug()
    assert [here.route(address) for address in (SERVER, "127.0.0.1")] == [0, 0]
    assert here.route("10.9.9.9") == errno.ENETUNREACH


def test_what_no_machine_has_is_unreachable_after_the_time_that_an_answer_takes(sim: Simulation, client: Host) -> None:
    sim.profile = CALM.but(latency=0.5)
    sock = connecting(client, "10.77.0.1")
    sim.run(until=sock.readiness)
    assert (sim.time(), pending(sock)) == (1.0, errno.EHOSTUNREACH)


def test_a_machine_that_has_lost_its_power_has_no_connections_and_no_ports(
    sim: Simulation, server: Host, client: Host
) -> None:
    connected(sim, client, server)
    listening(server, 9001)
    here = server.machine
    ports = here.ports
    here.lose_power()
    assert not here.up
    assert here.ports is not ports
    assert here.streams.ends == {}
    here.start()
    sock = connecting(client, SERVER, 9001)
    sim.run(until=sock.readiness)
    assert pending(sock) == errno.ECONNREFUSED
