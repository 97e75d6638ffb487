from __future__ import annotations

import errno
import socket

import pytest

from reactor.simulation import Simulation
from tests.simulation.kit import (
    CLIENT,
    READ,
    SERVER,
    WRITE,
    connected,
    connecting,
    drain,
    listening,
    pending,
    raises,
    reset_on_close,
    tcp,
    two_hosts,
)


def test_a_port_at_which_nobody_listens_refuses() -> None:
    sim, _, client = two_hosts()
    sock = connecting(client, SERVER, 1)
    sim.run_for(0.0019)
    assert sock.readiness() == 0
    sim.run(until=sock.readiness)
    assert sock.readiness() == READ | WRITE
    assert (pending(sock), pending(sock)) == (errno.ECONNREFUSED, 0)
    assert sock.recv(1) == b""
    with raises(errno.EPIPE):
        sock.send(b"x")


def test_an_address_that_nobody_has_is_unreachable() -> None:
    sim, _, client = two_hosts()
    sock = connecting(client, "10.99.99.99")
    sim.run(until=sock.readiness)
    assert pending(sock) == errno.EHOSTUNREACH


def test_who_has_closed_is_not_told_that_it_was_unreachable() -> None:
    sim, _, client = two_hosts()
    connecting(client, "10.99.99.99").close()
    sim.run_for(1)
    assert client.machine.streams.ends == {}


def test_an_address_of_a_family_that_the_host_has_not_is_no_route() -> None:
    sim, _, client = two_hosts()
    sim.host("six", "fd00::1")
    assert tcp(client, socket.AF_INET6).connect_ex(("fd00::1", 1)) == errno.ENETUNREACH


def test_hosts_can_talk_over_ipv6_however_the_address_is_written() -> None:
    sim = Simulation()
    one, other = sim.host("one", "fd00:0::1"), sim.host("other", "FD00::2", "10.0.0.7")
    assert (one.addresses, other.addresses) == (("fd00::1",), ("fd00::2", "10.0.0.7"))
    listener = tcp(one, socket.AF_INET6)
    listener.bind(("fd00:0:0::1", 9000))
    listener.listen(1)
    sock = tcp(other, socket.AF_INET6)
    assert sock.connect_ex(("FD00::1", 9000)) == errno.EINPROGRESS
    sim.run(until=listener.readiness)
    accepted, peer = listener.accept()
    assert peer == ("fd00::2", sock.getsockname()[1], 0, 0)
    assert accepted.getsockname() == sock.getpeername() == ("fd00::1", 9000, 0, 0)


def test_a_listener_at_all_addresses_is_reached_at_each_and_one_at_a_single_one_there_alone() -> None:
    sim, _, client = two_hosts()
    host = sim.host("many", "10.1.0.1", "10.1.0.2")
    everywhere = listening(host, 1)
    here = tcp(host)
    here.bind(("10.1.0.1", 2))
    here.listen(5)
    socks = [connecting(client, f"10.1.0.{last}", port) for port in (1, 2) for last in (1, 2)]
    sim.run_for(1)
    assert [pending(sock) for sock in socks] == [0, 0, 0, errno.ECONNREFUSED]
    assert [everywhere.accept()[0].getsockname() for _ in range(2)] == [("10.1.0.1", 1), ("10.1.0.2", 1)]
    assert here.accept()[0].getsockname() == ("10.1.0.1", 2)


@pytest.mark.parametrize("backlog", [0, 1, 5])
def test_a_backlog_holds_one_more_than_its_number_and_drops_the_others(backlog: int) -> None:
    sim, server, client = two_hosts()
    listener = listening(server, backlog=backlog)
    socks = []
    for _ in range(backlog + 3):
        socks.append(connecting(client, SERVER))
        sim.run_for(0.01)
    assert [bool(sock.readiness()) for sock in socks].count(True) == backlog + 1
    for _ in range(backlog + 1):
        listener.accept()
    with raises(errno.EAGAIN):
        listener.accept()
    sim.run_for(5)  # their requests are sent again
    assert all(sock.readiness() == WRITE and not pending(sock) for sock in socks[: 2 * (backlog + 1)])


def test_a_backlog_that_is_never_emptied_lets_the_others_time_out() -> None:
    sim, server, client = two_hosts()
    listening(server, backlog=0)
    first = connecting(client, SERVER)
    sim.run_for(1)
    second = connecting(client, SERVER)
    sim.run(until=second.readiness)
    assert sim.time() > 60
    assert (pending(first), pending(second)) == (0, errno.ETIMEDOUT)


def test_the_last_step_of_a_handshake_waits_for_room_in_the_backlog() -> None:
    sim, server, client = two_hosts()
    listener = listening(server, backlog=0)
    socks = [connecting(client, SERVER) for _ in range(2)]  # both requests arrive before either is complete
    sim.run_for(0.1)
    assert [sock.readiness() for sock in socks] == [WRITE, WRITE]
    socks[1].send(b"early")
    first, _ = listener.accept()
    assert listener.readiness() == 0
    sim.run_for(5)
    second, _ = listener.accept()
    assert (first.getpeername(), second.getpeername()) == (socks[0].getsockname(), socks[1].getsockname())
    assert drain(second) == b"early"


def test_what_comes_before_accept_is_kept() -> None:
    sim, server, client = two_hosts()
    listener, sock = listening(server), connecting(client, SERVER)
    sim.run_for(1)
    sock.send(b"early")
    sock.close()
    sim.run_for(1)
    accepted, peer = listener.accept()
    assert peer[0] == CLIENT
    assert [accepted.recv(10), accepted.recv(10)] == [b"early", b""]


def test_a_connection_that_is_reset_before_accept_is_accepted_and_then_reset() -> None:
    sim, server, client = two_hosts()
    listener, sock = listening(server), connecting(client, SERVER)
    sim.run_for(1)
    reset_on_close(sock)
    sock.send(b"early")
    sim.run_for(1)
    sock.close()
    sim.run_for(1)
    accepted, peer = listener.accept()
    assert peer[0] == CLIENT
    assert accepted.recv(10) == b"early"
    with raises(errno.ECONNRESET):
        accepted.recv(10)


def test_a_connection_that_is_reset_in_the_backlog_is_not_reset_again_with_its_listener() -> None:
    sim, server, client = two_hosts()
    listener, sock = listening(server), connecting(client, SERVER)
    sim.run_for(1)
    reset_on_close(sock)
    sock.close()
    sim.run_for(1)
    listener.close()
    sim.run_for(1)
    assert server.machine.streams.ends == client.machine.streams.ends == {}


def test_a_client_that_gives_up_in_the_middle_of_a_handshake_is_forgotten() -> None:
    sim, server, client = two_hosts()
    listener, sock = listening(server), connecting(client, SERVER)
    sim.run_for(0.0015)
    (backlog,) = server.machine.streams.listening.values()
    assert len(backlog.half_open) == 1
    sock.close()
    sim.run_for(1)
    assert (backlog.half_open, server.machine.streams.ends, listener.readiness()) == ({}, {}, 0)


def test_closing_a_listener_resets_those_who_wait_in_its_backlog() -> None:
    sim, server, client = two_hosts()
    listener = listening(server, backlog=5)
    complete = connecting(client, SERVER)
    sim.run_for(1)
    half_open = connecting(client, SERVER)
    sim.run_for(0.0015)
    listener.close()
    sim.run_for(1)
    assert pending(complete) == errno.ECONNRESET
    assert pending(half_open) in (errno.ECONNRESET, errno.ECONNREFUSED)
    assert server.machine.streams.ends == {}
    assert server.machine.streams.listening == {}


def test_a_machine_that_has_forgotten_a_connection_answers_with_a_reset() -> None:
    sim, server, client = two_hosts()
    near, _ = connected(sim, client, server)
    server.crash()
    near.send(b"into silence")
    sim.run_for(10)
    assert near.readiness() == WRITE
    server.restart()
    sim.run(until=lambda: near.readiness() & READ)
    with raises(errno.ECONNRESET):
        near.recv(1)


def test_a_machine_that_comes_back_connects_from_the_same_port_although_the_peer_remembers_it() -> None:
    sim, server, client = two_hosts()
    near, far = connected(sim, client, server)
    port = near.getsockname()[1]
    client.crash()
    client.restart()
    listener, again = listening(server), connecting(client, SERVER)
    assert again.getsockname()[1] == port
    sim.run(until=again.readiness)
    assert pending(far) == errno.ECONNRESET
    assert pending(again) == 0
    sim.run(until=listener.readiness)
    assert listener.accept()[1] == again.getsockname()


def test_a_segment_from_an_address_that_nobody_has_any_more_is_answered_to_nobody() -> None:
    sim, server, client = two_hosts()
    connected(sim, client, server)
    client.crash()
    sim.run_for(1)
    assert server.machine.streams.receive((SERVER, 9000), ("10.77.0.1", 5), ("data", b"x"))
    assert server.machine.streams.receive((SERVER, 9000), ("10.77.0.1", 5), ("RST", None))
    sim.run_for(1)
    assert len(server.machine.streams.ends) == 1


def test_ports_that_have_waited_long_enough_take_no_memory() -> None:
    sim, server, client = two_hosts()
    listener = listening(server)
    for _ in range(10):
        near = connecting(client, SERVER)
        sim.run_for(1)
        listener.accept()[0].close()
        sim.run_for(1)
        near.close()
        sim.run_for(61)
    assert len(server.machine.streams._waiting) == 1
