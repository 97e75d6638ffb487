from __future__ import annotations

import errno

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor import OptionError
from reactor.simulation import CALM, Host, Simulation
from reactor.simulation.sockets import SimulatedSocket
from tests.simulation.kit import (
    READ,
    SERVER,
    connected,
    connecting,
    drain,
    listening,
    raises,
    reset_on_close,
    take_all,
    two_hosts,
)


def seconds_until_readable(sim: Simulation, sock: SimulatedSocket) -> float:
    begun = sim.time()
    sim.run(until=lambda: sock.readiness() & READ)
    return sim.time() - begun


# --- How long it takes ----------------------------------------------------------------------------------------------


def test_bytes_arrive_after_the_latency_of_the_link() -> None:
    sim, server, client = two_hosts(profile=CALM.but(latency=0.25))
    near, far = connected(sim, client, server)
    near.send(b"hello")
    sim.run_for(0.249)
    with raises(errno.EAGAIN):
        far.recv(10)
    sim.run_for(0.001)
    assert far.recv(10) == b"hello"


def test_a_handshake_takes_one_round_trip_for_the_client_and_half_more_for_the_server() -> None:
    sim, server, client = two_hosts(profile=CALM.but(latency=1.0))
    listener, sock = listening(server), connecting(client, SERVER)
    sim.run(until=sock.readiness)
    assert sim.time() == 2.0
    sim.run(until=listener.readiness)
    assert sim.time() == 3.0


def test_a_link_has_its_own_latency_in_both_directions_and_the_others_keep_the_profiles() -> None:
    sim, server, client = two_hosts()
    near, far = connected(sim, client, server)
    other_near, other_far = connected(sim, sim.host("other", "10.0.0.3"), server, 9001)
    sim.link(client, server, latency=3.0)
    near.send(b"x")
    assert seconds_until_readable(sim, far) == pytest.approx(3.0)
    far.send(b"x")
    assert seconds_until_readable(sim, near) == pytest.approx(3.0)
    other_near.send(b"x")
    assert seconds_until_readable(sim, other_far) == pytest.approx(0.001)


def test_a_link_keeps_what_is_not_named() -> None:
    sim, server, client = two_hosts(profile=CALM.but(latency=0.5))
    sim.link(client, server, loss=0.0)
    sim.link(server, client, jitter=0.0)
    near, far = connected(sim, client, server)
    near.send(b"x")
    assert seconds_until_readable(sim, far) == pytest.approx(0.5)


@pytest.mark.parametrize("properties", [{"latency": -1.0}, {"delay": 1.0}, {"short_read": 0.5}, {"loss": 2.0}])
def test_a_property_that_no_link_can_have_is_refused(properties: dict[str, float]) -> None:
    sim, server, client = two_hosts()
    with pytest.raises(OptionError, match=next(iter(properties))):
        sim.link(server, client, **properties)


@given(st.integers())
@settings(max_examples=20)
def test_jitter_delays_segments_by_up_to_so_much_and_never_reorders_a_stream(seed: int) -> None:
    sim, server, client = two_hosts(seed, profile=CALM.but(latency=1.0, jitter=5.0))
    near, far = connected(sim, client, server)
    sent: list[float] = []
    arrived: list[float] = []
    for number in range(10):
        near.send(bytes([number]))
        sent.append(sim.time())
        sim.run_for(0.1)
    data = b""
    while len(data) < 10:
        sim.run(until=lambda: far.readiness() & READ)
        piece = drain(far)
        arrived += [sim.time()] * len(piece)
        data += piece
    assert data == bytes(range(10))
    assert all(0.99 < there - here < 6.01 for here, there in zip(sent, arrived, strict=True))


def test_bandwidth_is_how_many_bytes_arrive_in_a_second() -> None:
    sim, server, client = two_hosts(profile=CALM.but(bandwidth=50_000))
    near, far = connected(sim, client, server)
    begun = sim.time()
    assert near.send(b"x" * 100_000) == 100_000
    take_all(sim, far, 100_000)
    assert sim.time() - begun == pytest.approx(2.0, abs=0.01)


def test_two_connections_share_the_bandwidth_of_their_path_and_its_other_direction_is_free() -> None:
    sim, server, client = two_hosts(profile=CALM.but(bandwidth=50_000))
    pairs = [connected(sim, client, server) for _ in range(2)]
    begun = sim.time()
    for near, far in pairs:
        near.send(b"x" * 50_000)
        far.send(b"y" * 50_000)
    for near, far in pairs:
        take_all(sim, far, 50_000)
        take_all(sim, near, 50_000)
    assert sim.time() - begun == pytest.approx(2.0, abs=0.01)


def test_loopback_takes_no_time_and_loses_nothing_whatever_the_profile() -> None:
    sim, server, _ = two_hosts(profile=CALM.but(latency=9.0, jitter=9.0, loss=1.0, bandwidth=1))
    with listening(server) as listener:
        near = connecting(server, "127.0.0.1")
        far, _ = listener.accept()
    near.send(b"x" * 1000)
    assert far.recv(2000) == b"x" * 1000
    assert sim.time() == 0.0


def test_a_host_reaches_itself_at_its_own_address_at_once() -> None:
    _, server, _ = two_hosts(profile=CALM.but(latency=9.0))
    listener = listening(server)
    near = connecting(server, SERVER)
    far, peer = listener.accept()
    assert peer[0] == SERVER
    near.send(b"x")
    assert far.recv(10) == b"x"


# --- What gets lost -------------------------------------------------------------------------------------------------


def lossy(*lost: tuple[str, int]) -> tuple[Simulation, Host, Host]:
    """Two hosts between which exactly these segments are lost."""
    return two_hosts(schedule=[(f"loss {way}", number, 0) for way, number in lost])


THERE, BACK = "client>server", "server>client"  # the client's SYN and ACK are the first two there, SYN+ACK is back


@pytest.mark.parametrize(("lost", "expected"), [((), 0.001), ((3,), 0.201), ((3, 4), 0.601), ((3, 4, 5), 1.401)])
def test_a_lost_segment_is_sent_again_after_a_pause_that_doubles(lost: tuple[int, ...], expected: float) -> None:
    sim, server, client = lossy(*((THERE, number) for number in lost))
    near, far = connected(sim, client, server)
    near.send(b"x")
    assert seconds_until_readable(sim, far) == pytest.approx(expected)
    assert len(sim.struck) == len(lost)


def test_what_is_sent_behind_a_lost_segment_waits_for_it() -> None:
    sim, server, client = lossy((THERE, 3))
    near, far = connected(sim, client, server)
    near.send(b"first ")
    near.send(b"second")
    assert seconds_until_readable(sim, far) == pytest.approx(0.201)
    assert far.recv(100) == b"first second"


@pytest.mark.parametrize(
    ("lost", "expected"),
    [
        ([(THERE, 1)], 1.002),
        ([(BACK, 1)], 1.002),
        ([(THERE, 1), (BACK, 1)], 2.002),
        ([(THERE, 1), (THERE, 2)], 3.002),
    ],
)
def test_a_lost_handshake_is_begun_again_after_a_second(lost: list[tuple[str, int]], expected: float) -> None:
    sim, server, client = lossy(*lost)
    listening(server)
    sock = connecting(client, SERVER)
    sim.run(until=sock.readiness)
    assert sim.time() == pytest.approx(expected)


def test_each_link_loses_what_it_is_said_to_lose() -> None:
    sim, server, client = two_hosts()
    other = sim.host("other", "10.0.0.3")
    near, far = connected(sim, client, server)
    other_near, other_far = connected(sim, other, server, 9001)
    sim.link(client, server, loss=1e-9)
    near.send(b"x")
    sim.run_for(0.1)
    sim.link(other, server, loss=1.0)
    other_near.send(b"x")
    near.send(b"y")
    sim.run_for(3.0)
    assert drain(far) == b"xy"
    assert drain(other_far) == b""
    assert {strike.kind for strike in sim.struck} == {"loss other>server"}


def test_a_link_that_loses_more_from_now_on_does_so_at_once() -> None:
    sim, server, client = two_hosts()
    near, far = connected(sim, client, server)
    sim.link(client, server, loss=1e-9)
    near.send(b"x")
    sim.run_for(1.0)
    sim.link(client, server, loss=1.0)
    near.send(b"y")
    sim.run_for(1.0)
    assert drain(far) == b"x"
    sim.link(client, server, loss=0.0)
    sim.run_for(10.0)
    assert drain(far) == b"y"


@settings(max_examples=25, deadline=None)
@given(st.integers(), st.lists(st.binary(max_size=70_000), max_size=8))
def test_over_a_lossy_link_all_bytes_arrive_once_and_in_order(seed: int, sent: list[bytes]) -> None:
    sim, server, client = two_hosts(seed, profile=CALM.but(loss=0.3, jitter=0.1, bandwidth=1_000_000))
    near, far = connected(sim, client, server)
    received = b""
    for chunk in sent:
        rest = chunk
        while rest:
            try:
                rest = rest[near.send(rest) :]
            except BlockingIOError:
                received += take_all(sim, far, 1)
    received += take_all(sim, far, sum(map(len, sent)) - len(received))
    assert received == b"".join(sent)
    near.close()
    sim.run(until=lambda: far.readiness() & READ)
    assert far.recv(1) == b""


def test_a_closed_end_sends_nothing_again_but_a_reset_does_not_wait_for_lost_data() -> None:
    sim, server, client = lossy((THERE, 3))
    near, far = connected(sim, client, server)
    near.send(b"lost")
    reset_on_close(near)
    near.close()
    sim.run_for(1)
    with raises(errno.ECONNRESET):
        far.recv(10)
