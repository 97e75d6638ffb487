"""How the two ends of a connection behave to the calls of a program; what is Linux' choice was read off a real one."""

from __future__ import annotations

import errno
import socket

from hypothesis import given, settings
from hypothesis import strategies as st

from reactor.simulation import Host, Simulation
from reactor.simulation.sockets import SimulatedSocket
from tests.simulation.kit import (
    READ,
    SERVER,
    WRITE,
    connected,
    connecting,
    drain,
    fill,
    listening,
    pending,
    raises,
    take_all,
    tcp,
    two_hosts,
)

RD, WR, RDWR = socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR


Ends = tuple[SimulatedSocket, SimulatedSocket]


# --- Data -----------------------------------------------------------------------------------------------------------


def test_bytes_can_be_read_in_any_pieces(sim: Simulation, ends: Ends) -> None:
    near, far = ends
    near.send(b"one")
    near.send(b"two")
    sim.run_for(1)
    assert [far.recv(size) for size in (1, 4, 10)] == [b"o", b"netw", b"o"]
    with raises(errno.EAGAIN):
        far.recv(1)


def test_sending_nothing_sends_nothing(sim: Simulation, ends: Ends) -> None:
    near, far = ends
    assert near.send(b"") == 0
    sim.run_for(1)
    assert far.readiness() == WRITE


def test_a_send_takes_what_fits_and_the_next_one_nothing(sim: Simulation, client: Host, server: Host) -> None:
    client.send_buffer, server.receive_buffer = 10_000, 4_000
    near, far = connected(sim, client, server)
    assert near.send(b"x" * 15_000) == 10_000
    assert near.readiness() == 0
    with raises(errno.EAGAIN):
        near.send(b"x")
    sim.run_for(1)
    assert len(drain(far, 100)) == 4_000
    assert len(take_all(sim, far, 6_000)) == 6_000


def test_it_is_writable_again_when_a_third_of_the_send_buffer_is_free(
    sim: Simulation, client: Host, server: Host
) -> None:
    client.send_buffer, server.receive_buffer = 9_000, 9_000
    near, far = connected(sim, client, server)
    sim.partition(client, server)
    near.send(b"x" * 6_000)
    assert near.readiness() == WRITE
    near.send(b"x")
    assert near.readiness() == 0
    assert near.send(b"x") == 1  # not reported, and possible all the same
    sim.heal()
    sim.run_for(10)
    assert near.readiness() == WRITE
    assert drain(far) == b"x" * 6_002


def test_a_window_holds_back_what_the_peer_has_no_room_for(sim: Simulation, client: Host, server: Host) -> None:
    server.receive_buffer = 1_000
    near, far = connected(sim, client, server)
    near.send(b"x" * 5_000)
    sim.run_for(100)
    assert drain(far) == b"x" * 1_000
    sim.run_for(1)
    assert drain(far) == b"x" * 1_000


def test_a_socket_can_have_its_own_buffer_sizes(sim: Simulation, client: Host, server: Host) -> None:
    near, far = connected(sim, client, server)
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 10_000)
    assert fill(near) == 20_000
    with listening(server, 9001) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 3_000)
        other = connecting(client, SERVER, 9001)
        sim.run(until=listener.readiness)
        accepted, _ = listener.accept()
    other.send(b"x" * 50_000)
    sim.run_for(1)
    assert len(drain(accepted)) == 6_000
    assert len(drain(far)) == 20_000


@settings(max_examples=50, deadline=None)
@given(
    st.integers(100, 3_000),
    st.integers(100, 3_000),
    st.lists(st.one_of(st.binary(max_size=2_000), st.integers(1, 3_000)), max_size=20),
)
def test_whatever_the_buffers_and_the_pieces_a_stream_is_the_same_at_both_ends(
    send_buffer: int, receive_buffer: int, steps: list[bytes | int]
) -> None:
    sim, server, client = two_hosts()
    client.send_buffer, server.receive_buffer = send_buffer, receive_buffer
    near, far = connected(sim, client, server)
    sent = received = b""
    for step in steps:
        try:
            if isinstance(step, bytes):
                sent += step[: near.send(step)]
            else:
                received += far.recv(step)
        except BlockingIOError:
            pass
        sim.run_for(0.0007)
        assert far.readiness() in (WRITE, READ | WRITE)
        assert len(sent) - len(received) <= send_buffer + receive_buffer
    near.close()
    sim.run_for(1)
    while piece := far.recv(5_000):
        received += piece
        sim.run_for(1)
    assert received == sent


# --- The end of a stream --------------------------------------------------------------------------------------------


def test_an_end_of_stream_comes_behind_all_data_and_for_ever(sim: Simulation, ends: Ends) -> None:
    near, far = ends
    near.send(b"last")
    near.shutdown(WR)
    sim.run_for(1)
    assert [far.recv(3), far.recv(3), far.recv(3), far.recv(3)] == [b"las", b"t", b"", b""]
    assert far.readiness() == READ | WRITE
    assert far.getpeername() == near.getsockname()


def test_after_a_half_close_the_other_direction_works(sim: Simulation, ends: Ends) -> None:
    near, far = ends
    near.shutdown(WR)
    near.shutdown(WR)
    sim.run_for(1)
    assert far.send(b"answer") == 6
    sim.run_for(1)
    assert near.recv(10) == b"answer"
    with raises(errno.EPIPE):
        near.send(b"x")


def test_data_that_waits_for_room_still_arrives_after_close(sim: Simulation, ends: Ends) -> None:
    near, far = ends
    sent = fill(near)
    near.close()
    sim.run_for(100)
    assert len(take_all(sim, far, sent)) == sent
    sim.run(until=far.readiness)
    assert far.recv(1) == b""


def test_when_both_sides_have_ended_neither_is_connected_any_more(sim: Simulation, ends: Ends) -> None:
    near, far = ends
    near.send(b"rest")
    near.shutdown(WR)
    far.shutdown(WR)
    sim.run_for(1)
    for sock in ends:
        assert sock.readiness() == READ | WRITE
        with raises(errno.ENOTCONN):
            sock.getpeername()
        for how in (RD, WR, RDWR):
            with raises(errno.ENOTCONN):
                sock.shutdown(how)
        with raises(errno.EPIPE):
            sock.send(b"x")
    assert (near.recv(1), far.recv(9), far.recv(9)) == (b"", b"rest", b"")
    assert pending(near) == pending(far) == 0


def test_closing_one_after_the_other_leaves_nothing_but_the_time_wait_of_the_first(
    sim: Simulation, ends: Ends, client: Host, server: Host
) -> None:
    near, far = ends
    port = near.getsockname()[1]
    near.close()
    sim.run_for(1)
    far.close()
    sim.run_for(1)
    assert client.machine.streams.ends == server.machine.streams.ends == {}
    assert client.machine.streams.is_used(port)
    assert not server.machine.streams.is_used(9000)
    sim.run_for(60)
    assert not client.machine.streams.is_used(port)


def test_who_has_shut_down_reading_reads_what_has_arrived_and_then_the_end(sim: Simulation, ends: Ends) -> None:
    near, far = ends
    near.send(b"before")
    sim.run_for(1)
    far.shutdown(RD)
    far.shutdown(RD)
    assert [far.recv(10), far.recv(10)] == [b"before", b""]
    assert far.readiness() == READ | WRITE
    near.send(b"after")
    sim.run_for(1)
    assert [far.recv(10), far.recv(10)] == [b"after", b""]
    assert near.readiness() == WRITE


def test_data_for_an_end_that_was_shut_in_both_directions_is_answered_with_a_reset(sim: Simulation, ends: Ends) -> None:
    near, far = ends
    far.shutdown(RDWR)
    sim.run_for(1)
    assert near.recv(1) == b""
    assert near.send(b"x") == 1
    sim.run_for(1)
    assert (pending(near), pending(far)) == (errno.EPIPE, errno.ECONNRESET)


def test_data_for_a_closed_socket_is_answered_with_a_reset_and_the_next_write_fails(
    sim: Simulation, ends: Ends
) -> None:
    near, far = ends
    far.close()
    sim.run_for(1)
    assert near.send(b"x") == 1
    sim.run_for(1)
    assert near.recv(1) == b""
    for _ in range(2):
        with raises(errno.EPIPE):
            near.send(b"x")
    with raises(errno.ENOTCONN):
        near.getpeername()


def test_a_closed_end_waits_a_minute_for_the_peers_end_and_then_forgets_it(
    sim: Simulation, ends: Ends, server: Host
) -> None:
    near, far = ends
    far.close()
    sim.run_for(59)
    assert len(server.machine.streams.ends) == 1
    sim.run_for(2)
    assert server.machine.streams.ends == {}
    near.send(b"too late")
    sim.run_for(1)
    assert pending(near) == errno.EPIPE


def test_a_closed_end_whose_peer_ends_in_time_waits_for_nothing(sim: Simulation, ends: Ends, server: Host) -> None:
    near, far = ends
    far.close()
    sim.run_for(30)
    near.close()
    sim.run_for(100)
    assert server.machine.streams.ends == {}


def test_two_ends_that_end_at_once_are_both_told(sim: Simulation, ends: Ends) -> None:
    near, far = ends
    near.shutdown(WR)
    far.shutdown(WR)
    sim.run_for(0.0005)
    assert (near.readiness(), far.readiness()) == (WRITE, WRITE)
    sim.run_for(0.001)
    assert (near.recv(1), far.recv(1)) == (b"", b"")


def test_an_end_that_still_flushes_is_not_over_when_the_peers_end_comes(sim: Simulation, ends: Ends) -> None:
    near, far = ends
    sent = fill(near)
    near.shutdown(WR)
    far.shutdown(WR)
    sim.run_for(10)
    assert near.recv(1) == b""
    assert near.getpeername() == far.getsockname()
    assert len(take_all(sim, far, sent)) == sent
    sim.run_for(1)
    assert far.recv(1) == b""
    with raises(errno.ENOTCONN):
        near.getpeername()


# --- Connecting -----------------------------------------------------------------------------------------------------


def test_a_connecting_socket_is_neither_readable_nor_writable(client: Host) -> None:
    sock = connecting(client, SERVER)
    assert sock.readiness() == 0
    with raises(errno.EAGAIN):
        sock.recv(1)
    with raises(errno.EAGAIN):
        sock.send(b"x")
    with raises(errno.ENOTCONN):
        sock.getpeername()


def test_a_connecting_socket_that_is_shut_down_is_reset(sim: Simulation, client: Host, server: Host) -> None:
    listener, sock = listening(server), connecting(client, SERVER)
    sock.shutdown(WR)
    assert pending(sock) == errno.ECONNRESET
    sim.run_for(10)
    assert listener.readiness() == 0
    assert server.machine.streams.ends == {}


def test_a_connecting_socket_that_is_closed_leaves_nothing(sim: Simulation, client: Host, server: Host) -> None:
    for after in (0.0, 0.0005, 0.0015):
        with listening(server) as listener:
            sock = connecting(client, SERVER)
            sim.run_for(after)
            sock.close()
            sim.run_for(10)
            assert listener.readiness() == 0
            assert server.machine.streams.ends == client.machine.streams.ends == {}


def test_a_socket_that_connects_to_itself_talks_to_itself(client: Host) -> None:
    sock = tcp(client)
    sock.bind(("127.0.0.1", 0))
    assert sock.connect_ex(sock.getsockname()) == errno.EINPROGRESS
    assert sock.readiness() == WRITE
    assert sock.getpeername() == sock.getsockname()
    sock.send(b"hello, me")
    assert sock.recv(100) == b"hello, me"
