from __future__ import annotations

import errno

import pytest

from reactor.simulation import CALM
from tests.simulation.kit import (
    CLIENT,
    READ,
    SERVER,
    connected,
    connecting,
    drain,
    fill,
    listening,
    pending,
    raises,
    reset_on_close,
    take_all,
    two_hosts,
)


def test_a_partition_is_silence_and_what_was_sent_meanwhile_arrives_after_it() -> None:
    sim, server, client = two_hosts()
    near, far = connected(sim, client, server)
    sim.partition(client, server)
    near.send(b"to the server")
    far.send(b"to the client")
    sim.run_for(60)
    assert (near.readiness(), far.readiness()) == (2, 2)
    sim.heal(client, server)
    sim.run_for(120)
    assert (near.recv(100), far.recv(100)) == (b"to the client", b"to the server")
    assert pending(near) == pending(far) == 0


def test_a_partition_concerns_two_hosts_and_heal_without_arguments_all() -> None:
    sim, server, client = two_hosts()
    other = sim.host("other", "10.0.0.3")
    near, far = connected(sim, client, server)
    other_near, other_far = connected(sim, other, server, 9001)
    sim.partition(client, server)
    for sock in (near, other_near):
        sock.send(b"x")
    sim.run_for(1)
    assert (drain(far), drain(other_far)) == (b"", b"x")
    sim.partition(other, server)
    sim.heal()
    other_near.send(b"y")
    sim.run_for(10)
    assert (drain(far), drain(other_far)) == (b"x", b"y")


def test_a_connection_through_which_nothing_gets_ends_with_a_timeout_after_fifteen_retries() -> None:
    sim, server, client = two_hosts()
    near, far = connected(sim, client, server)
    sim.partition(client, server)
    begun = sim.time()
    near.send(b"x")
    sim.run(until=lambda: near.readiness() & READ)
    assert sim.time() - begun == pytest.approx(924.6, abs=1.0)  # Linux, ip-sysctl: tcp_retries2
    with raises(errno.ETIMEDOUT):
        near.recv(1)
    assert near.recv(1) == b""
    assert (far.readiness(), pending(far)) == (2, 0)


@pytest.mark.parametrize("how", ["crash", "unplug", "partition", "loss"])
def test_connecting_to_silence_times_out_after_six_retries(how: str) -> None:
    sim, server, client = two_hosts()
    listening(server)
    if how == "partition":
        sim.partition(server, client)
    elif how == "loss":
        sim.profile = CALM.but(loss=1.0)
    else:
        getattr(server, how)()
    sock = connecting(client, SERVER)
    sim.run(until=sock.readiness)
    assert sim.time() == pytest.approx(127.0, abs=0.1)  # tcp(7): tcp_syn_retries
    assert pending(sock) == errno.ETIMEDOUT


def test_a_handshake_whose_answers_get_lost_leaves_nothing_at_the_server() -> None:
    sim, server, client = two_hosts()
    listener, sock = listening(server), connecting(client, SERVER)
    sim.run_for(0.0015)
    sim.partition(server, client)
    sim.run(until=sock.readiness)
    sim.run_for(200)
    assert pending(sock) == errno.ETIMEDOUT
    assert server.machine.streams.ends == {}
    assert [backlog.half_open for backlog in server.machine.streams.listening.values()] == [{}]
    sim.heal()
    again = connecting(client, SERVER)
    sim.run(until=listener.readiness)
    assert listener.accept()[1] == again.getsockname()


def test_a_pulled_cable_is_silence_to_those_connected_and_no_route_to_new_ones() -> None:
    sim, server, client = two_hosts()
    near, far = connected(sim, client, server)
    server.unplug()
    assert not server.plugged
    near.send(b"x")
    far.send(b"y")
    with listening(server, 9001) as listener:
        inside = connecting(server, "127.0.0.1", 9001)
        assert listener.readiness() == READ
        inside.close()
    assert server.kernel.socket(far.family, far.type).connect_ex((CLIENT, 1)) == errno.ENETUNREACH
    sim.run_for(30)
    assert (drain(near), drain(far)) == (b"", b"")
    server.plug()
    sim.run_for(60)
    assert (drain(near), drain(far)) == (b"y", b"x")


def test_what_waits_for_room_goes_on_when_the_path_is_open_again() -> None:
    sim, server, client = two_hosts()
    near, far = connected(sim, client, server)
    sent = fill(near)
    sim.run_for(1)
    sent += fill(near)
    sim.partition(client, server)
    received = drain(far)
    sim.run_for(30)
    assert near.readiness() == 0
    sim.heal()
    received += take_all(sim, far, sent - len(received))
    assert received == b"x" * sent
    sim.run(until=lambda: near.readiness() == 2)


def test_a_sender_that_waits_for_room_learns_that_the_receivers_machine_has_forgotten_it() -> None:
    sim, server, client = two_hosts()
    near, _ = connected(sim, client, server)
    fill(near)
    sim.run_for(5)
    fill(near)
    server.crash()
    server.restart()
    sim.run(until=lambda: near.readiness() & READ, within=2000)
    with raises(errno.ECONNRESET):
        near.recv(1)


def test_a_sender_that_waits_for_room_at_a_silent_peer_times_out() -> None:
    sim, server, client = two_hosts()
    near, _ = connected(sim, client, server)
    fill(near)
    sim.run_for(5)
    fill(near)
    server.crash()
    sim.run(until=lambda: near.readiness() & READ, within=3000)
    with raises(errno.ETIMEDOUT):
        near.recv(1)


def test_a_reset_that_is_lost_is_not_sent_again() -> None:
    sim, server, client = two_hosts()
    near, far = connected(sim, client, server)
    reset_on_close(near)
    sim.partition(client, server)
    near.close()
    sim.run_for(500)
    sim.heal()
    sim.run_for(500)
    assert far.readiness() == 2
    far.send(b"still there?")
    sim.run_for(1)
    with raises(errno.ECONNRESET):
        far.recv(1)


def test_a_reset_does_not_wait_for_the_next_try_of_what_is_lost_already() -> None:
    sim, server, client = two_hosts()
    near, far = connected(sim, client, server)
    sim.partition(client, server)
    near.send(b"lost")
    sim.run_for(20)  # by now the tries are many seconds apart
    sim.heal()
    reset_on_close(near)
    near.close()
    sim.run_for(0.01)
    with raises(errno.ECONNRESET):
        far.recv(1)
