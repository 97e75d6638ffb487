"""How the two ends of a connection are told of its violent end; what is Linux' choice was read off a real one."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable

import pytest

from reactor.simulation import CALM, Simulation
from reactor.simulation.sockets import SimulatedSocket
from tests.simulation.kit import READ, WRITE, fill, pending, raises, reset_on_close

Ends = tuple[SimulatedSocket, SimulatedSocket]


# --- Resets ---------------------------------------------------------------------------------------------------------


def test_closing_with_unread_input_resets_the_connection_and_loses_what_was_sent(sim: Simulation, ends: Ends) -> None:
    near, far = ends
    near.send(b"never read")
    sim.run_for(1)
    far.send(b"flushed in vain")
    sim.run_for(0.0001)
    far.close()
    sim.run_for(1)
    assert near.recv(100) == b"flushed in vain"
    with raises(errno.ECONNRESET):
        near.recv(100)
    assert near.recv(100) == b""


@pytest.mark.parametrize("first", [lambda sock: sock.recv(1), lambda sock: sock.send(b"x")], ids=["recv", "send"])
def test_a_reset_is_told_once_to_whichever_call_comes_first(
    sim: Simulation, ends: Ends, first: Callable[[SimulatedSocket], object]
) -> None:
    near, far = ends
    reset_on_close(far)
    far.close()
    sim.run_for(1)
    assert near.readiness() == READ | WRITE
    with raises(errno.ECONNRESET):
        first(near)
    assert near.recv(1) == b""
    with raises(errno.EPIPE):
        near.send(b"x")
    assert pending(near) == 0
    assert near.readiness() == READ | WRITE


def test_a_reset_that_was_asked_for_is_not_told_again(sim: Simulation, ends: Ends) -> None:
    near, far = ends
    reset_on_close(far)
    far.close()
    sim.run_for(1)
    assert pending(near) == errno.ECONNRESET
    assert near.recv(1) == b""


def test_after_the_peers_end_a_reset_is_a_broken_pipe(sim: Simulation, ends: Ends) -> None:
    near, far = ends
    far.shutdown(socket.SHUT_WR)
    sim.run_for(1)
    reset_on_close(far)
    far.close()
    sim.run_for(1)
    assert near.recv(1) == b""
    assert pending(near) == errno.EPIPE


def test_a_reset_drops_what_waits_to_be_sent_and_keeps_what_has_arrived(sim: Simulation, ends: Ends) -> None:
    near, far = ends
    fill(near)
    far.send(b"arrived")
    sim.run_for(1)
    reset_on_close(far)
    far.close()
    sim.run_for(1)
    assert near.recv(10) == b"arrived"
    assert pending(near) == errno.ECONNRESET


def test_after_both_ends_a_reset_changes_nothing(sim: Simulation, ends: Ends) -> None:
    near, far = ends
    near.shutdown(socket.SHUT_WR)
    far.shutdown(socket.SHUT_WR)
    sim.run_for(1)
    reset_on_close(far)
    far.close()
    sim.run_for(1)
    assert pending(near) == 0


def test_a_reset_from_in_between_strikes_both_ends(sim: Simulation, ends: Ends) -> None:
    near, far = ends
    sim.profile = CALM.but(reset=1.0)
    near.send(b"x")
    sim.run_for(1)
    assert pending(near) == pending(far) == errno.ECONNRESET
    assert [strike.kind for strike in sim.struck] == ["reset"]


def test_a_reset_from_in_between_finds_a_sender_that_is_gone_already(sim: Simulation, ends: Ends) -> None:
    near, far = ends
    sim.profile = CALM.but(reset=1.0)
    near.send(b"x")
    reset_on_close(near)
    near.close()
    sim.run_for(1)
    assert pending(far) == errno.ECONNRESET


def test_all_that_had_arrived_before_a_reset_can_be_read(sim: Simulation, ends: Ends) -> None:
    near, far = ends
    fill(near)
    sim.run_for(1)
    reset_on_close(near)
    near.close()
    sim.run_for(1)
    assert sum(len(far.recv(16 * 1024)) for _ in range(8)) == 128 * 1024
    with raises(errno.ECONNRESET):
        far.recv(1)
