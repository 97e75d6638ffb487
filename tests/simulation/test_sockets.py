from __future__ import annotations

import errno
import socket
from array import array
from typing import Any

import pytest

from reactor.simulation import Host, Simulation
from reactor.simulation.sockets import SimulatedSocket
from tests.simulation.kit import (
    READ,
    SERVER,
    WRITE,
    connected,
    connecting,
    drain,
    listening,
    pending,
    raises,
    tcp,
    two_hosts,
)

# --- Roles ----------------------------------------------------------------------------------------------------------


def test_a_fresh_socket_can_neither_send_nor_receive(host: Host) -> None:
    sock = tcp(host)
    for code, call in (
        (errno.ENOTCONN, lambda: sock.recv(1)),
        (errno.EPIPE, lambda: sock.send(b"x")),
        (errno.EINVAL, sock.accept),
        (errno.ENOTCONN, lambda: sock.shutdown(socket.SHUT_WR)),
        (errno.EINVAL, lambda: sock.shutdown(99)),
    ):
        with raises(code):
            call()
    assert pending(sock) == 0
    assert sock.readiness() == READ | WRITE


def test_a_listener_is_readable_when_somebody_waits_and_can_do_nothing_else(sim: Simulation, host: Host) -> None:
    listener = listening(host)
    assert listener.readiness() == 0
    with raises(errno.EAGAIN):
        listener.accept()
    connecting(sim.hosts["client"], SERVER)
    sim.run_for(1)
    assert listener.readiness() == READ
    assert listener.connect_ex((SERVER, 9000)) == errno.EISCONN
    with raises(errno.ENOTCONN):
        listener.recv(1)
    with raises(errno.EPIPE):
        listener.send(b"x")


def test_to_listen_again_changes_the_backlog_and_a_negative_one_is_none(sim: Simulation, host: Host) -> None:
    listener = listening(host, backlog=5)
    listener.listen(-1)
    socks = []
    for _ in range(2):
        socks.append(connecting(sim.hosts["client"], SERVER))
        sim.run_for(0.1)
    assert [sock.readiness() for sock in socks] == [WRITE, 0]


def test_to_listen_without_an_address_takes_a_port(host: Host) -> None:
    sock = tcp(host)
    sock.listen(1)
    assert sock.getsockname()[0] == "0.0.0.0"
    assert sock.getsockname()[1] > 0


def test_a_connected_socket_cannot_listen_and_two_cannot_listen_at_one_place(
    host: Host, ends: tuple[SimulatedSocket, SimulatedSocket]
) -> None:
    with raises(errno.EINVAL):
        ends[0].listen(1)
    socks = [tcp(host), tcp(host)]
    for sock in socks:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((SERVER, 80))
    socks[0].listen(1)
    with raises(errno.EADDRINUSE):
        socks[1].listen(1)


def test_an_accepted_socket_has_the_options_of_its_listener(sim: Simulation, host: Host) -> None:
    options = [
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
        (socket.IPPROTO_TCP, socket.TCP_NODELAY),
        (socket.SOL_SOCKET, socket.SO_REUSEADDR),
    ]
    with listening(host) as listener:
        for option in options:
            listener.setsockopt(*option, 7)
        connecting(sim.hosts["client"], SERVER)
        sim.run_for(1)
        accepted, _ = listener.accept()
        listener.setsockopt(*options[0], 0)
    assert [accepted.getsockopt(*option) for option in options] == [1, 1, 1]
    assert (accepted.type, accepted.family) == (socket.SOCK_STREAM, socket.AF_INET)


def test_a_second_connect_says_how_the_first_one_stands(sim: Simulation, host: Host) -> None:
    listening(host)
    sock = connecting(sim.hosts["client"], SERVER)
    assert sock.connect_ex((SERVER, 9000)) == errno.EALREADY
    sim.run_for(1)
    sock.connect((SERVER, 9000))  # as much as to say: it has worked
    assert sock.connect_ex((SERVER, 9000)) == errno.EISCONN
    with raises(errno.EISCONN):
        sock.connect((SERVER, 9000))


def test_a_second_connect_after_a_failure_says_so_once_and_the_third_begins_anew(sim: Simulation, host: Host) -> None:
    client = sim.hosts["client"]
    sock, other = connecting(client, SERVER), connecting(client, SERVER)
    sim.run_for(1)
    assert sock.connect_ex((SERVER, 9000)) == errno.ECONNREFUSED
    assert pending(other) == errno.ECONNREFUSED
    assert other.connect_ex((SERVER, 9000)) == errno.ECONNABORTED
    listening(host)
    for again in (sock, other):
        assert again.connect_ex((SERVER, 9000)) == errno.EINPROGRESS
        sim.run_for(1)
        assert pending(again) == 0
        assert again.getpeername() == (SERVER, 9000)


def test_connect_raises_what_connect_ex_returns(host: Host) -> None:
    with raises(errno.EINPROGRESS):
        tcp(host).connect(("10.0.0.2", 1))
    host.unplug()
    with raises(errno.ENETUNREACH):
        tcp(host).connect(("10.0.0.2", 1))


# --- Data -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"abcd", bytearray(b"abcd"), memoryview(b"xabcdx")[1:5], array("B", b"abcd")])
def test_all_sorts_of_bytes_can_be_sent(
    sim: Simulation, ends: tuple[SimulatedSocket, SimulatedSocket], data: Any
) -> None:
    assert ends[0].send(data) == 4
    sim.run_for(1)
    assert ends[1].recv(10) == b"abcd"


@pytest.mark.parametrize("data", ["abcd", 5, [1, 2], None])
def test_what_is_no_bytes_cannot_be_sent(
    sim: Simulation, ends: tuple[SimulatedSocket, SimulatedSocket], data: Any
) -> None:
    with pytest.raises(TypeError):
        ends[0].send(data)
    sim.run_for(1)
    assert ends[1].readiness() == WRITE


def test_recv_into_fills_a_buffer_from_its_beginning(
    sim: Simulation, ends: tuple[SimulatedSocket, SimulatedSocket]
) -> None:
    ends[0].send(b"abcdefgh")
    sim.run_for(1)
    buffer = bytearray(b"....")
    assert ends[1].recv_into(buffer, 2) == 2
    assert buffer == b"ab.."
    with pytest.raises(ValueError, match="buffer too small"):
        ends[1].recv_into(buffer, 5)
    assert ends[1].recv_into(memoryview(buffer)[1:]) == 3
    assert buffer == b"acde"
    assert ends[1].recv_into(bytearray()) == 0
    assert ends[1].recv_into(array("H", [0, 0])) == 3


def test_to_receive_nothing_asks_nobody_and_less_than_nothing_is_refused(host: Host) -> None:
    assert tcp(host).recv(0) == b""
    with pytest.raises(ValueError, match="negative buffersize"):
        tcp(host).recv(-1)


# --- Faults ---------------------------------------------------------------------------------------------------------


def struck_once(kind: str, value: int) -> tuple[Simulation, SimulatedSocket, SimulatedSocket]:
    """A connection on which the first opportunity for one sort of fault is used."""
    sim, server, client = two_hosts(schedule=[(kind, 1, value)])
    return sim, *connected(sim, client, server)


def test_a_short_read_gives_a_part_and_the_next_one_the_rest() -> None:
    sim, near, far = struck_once("short_read", 2)
    near.send(b"x")
    sim.run_for(1)
    assert far.recv(10) == b"x"  # one byte cannot be cut
    near.send(b"hello")
    sim.run_for(1)
    assert far.readiness() == READ | WRITE
    assert [far.recv(10), far.recv(10)] == [b"he", b"llo"]


def test_a_short_write_takes_a_part() -> None:
    sim, near, far = struck_once("short_write", 3)
    assert near.send(b"hello") == 3
    assert near.send(b"lo") == 2
    sim.run_for(1)
    assert drain(far) == b"hello"


@pytest.mark.parametrize(("kind", "sent", "received"), [("short_read", 5, 4), ("short_write", 4, 4)])
def test_a_cut_leaves_something_on_both_sides_of_it(kind: str, sent: int, received: int) -> None:
    sim, near, far = struck_once(kind, 99)
    assert near.send(b"hello") == sent
    sim.run_for(1)
    assert len(far.recv(10)) == received
    assert sim.struck == [(kind, 1, 4)]


def test_a_refused_write_takes_nothing_although_there_is_room() -> None:
    _, near, _ = struck_once("refused_write", 0)
    assert near.readiness() == WRITE
    with raises(errno.EAGAIN):
        near.send(b"hello")
    assert near.send(b"hello") == 5


@pytest.mark.parametrize(("value", "code"), [(0, errno.EMFILE), (1, errno.ENFILE), (2, errno.ENOBUFS)])
def test_a_machine_that_is_out_of_something_makes_no_socket_and_accepts_nothing(value: int, code: int) -> None:
    sim, server, client = two_hosts(schedule=[("exhausted", 1, value), ("exhausted", 4, value)])
    with raises(code):
        tcp(server)
    listener = listening(server)
    connecting(client, SERVER)
    sim.run_for(1)
    with raises(code):
        listener.accept()
    assert listener.readiness() == READ
    assert listener.accept()[1][0] == "10.0.0.2"  # it stayed in the queue


def test_an_aborted_accept_takes_the_connection_away() -> None:
    sim, server, client = two_hosts(schedule=[("aborted_accept", 1, 0)])
    listener, sock = listening(server), connecting(client, SERVER)
    sim.run_for(1)
    with raises(errno.ECONNABORTED):
        listener.accept()
    with raises(errno.EAGAIN):
        listener.accept()
    sim.run_for(1)
    assert pending(sock) == errno.ECONNRESET
