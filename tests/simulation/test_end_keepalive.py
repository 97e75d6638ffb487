"""Whether the peer is still there: SO_KEEPALIVE, as in tcp(7)."""

from __future__ import annotations

import errno
import socket

import pytest

from reactor import DeadlockError
from reactor.simulation.sockets import SimulatedSocket
from tests.simulation.kit import READ, WRITE, connected, raises, two_hosts


def keep_alive(sock: SimulatedSocket, flag: int) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, flag)


def test_without_being_asked_to_a_connection_that_says_nothing_never_learns_that_its_peer_is_gone() -> None:
    sim, server, client = two_hosts()
    near, _ = connected(sim, client, server)
    server.crash()
    sim.run_for(86_400)
    assert near.readiness() == WRITE


@pytest.mark.parametrize(("back", "error"), [(False, errno.ETIMEDOUT), (True, errno.ECONNRESET)])
def test_who_wants_to_be_kept_alive_asks_after_two_hours_and_learns_what_has_become_of_the_peer(
    back: bool, error: int
) -> None:
    sim, server, client = two_hosts()
    near, _ = connected(sim, client, server)
    keep_alive(near, 1)
    server.crash()
    if back:
        server.restart()
    sim.run_for(7_199)
    assert near.readiness() == WRITE
    sim.run(until=lambda: near.readiness() & READ, within=2_000)
    with raises(error):
        near.recv(1)


def test_a_peer_that_is_there_answers_every_time_and_nobody_notices() -> None:
    sim, server, client = two_hosts(trace=True)
    near, far = connected(sim, client, server)
    keep_alive(near, 1)
    keep_alive(near, 1)
    said = len(sim.trace)
    sim.run_for(5 * 7_200 + 100)
    assert (near.readiness(), far.readiness(), len(sim.trace)) == (WRITE, WRITE, said)
    server.crash()
    sim.run(until=lambda: near.readiness() & READ, within=2 * 7_200)
    with raises(errno.ETIMEDOUT):
        near.recv(1)


def test_who_no_longer_wants_to_be_kept_alive_asks_no_more() -> None:
    sim, server, client = two_hosts()
    near, _ = connected(sim, client, server)
    for flag in (1, 0):
        keep_alive(near, flag)
    server.crash()
    sim.run_for(86_400)
    assert near.readiness() == WRITE


def test_a_connection_that_is_over_asks_nobody() -> None:
    sim, server, client = two_hosts()
    near, far = connected(sim, client, server)
    for sock in (near, far):
        keep_alive(sock, 1)
    near.close()
    far.close()
    with pytest.raises(DeadlockError):
        sim.run(until=lambda: False)
    assert sim.time() <= 7_201


def test_who_waits_for_an_acknowledgement_anyway_asks_nothing_beside_that() -> None:
    sim, server, client = two_hosts()
    near, _ = connected(sim, client, server)
    keep_alive(near, 1)
    server.crash()
    sim.run_for(7_000)
    near.send(b"anybody there?")
    sim.run(until=lambda: near.readiness() & READ, within=2_000)
    with raises(errno.ETIMEDOUT):
        near.recv(1)
    assert 7_900 < sim.time() < 8_000  # fifteen tries after it was sent
