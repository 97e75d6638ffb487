"""A reset by the peer, in each state of a connection; and our own."""

from __future__ import annotations

from collections.abc import Callable
from socket import SHUT_WR
from typing import Any

import pytest

from tests.network.kit import Network, Recorder, state_of


def keep_open() -> Recorder:
    return Recorder(eof_received=lambda me: True)


def in_open(net: Network) -> tuple[Recorder, Any]:
    return net.pair()


def in_peer_ended_with_waiting_output(net: Network) -> tuple[Recorder, Any]:
    near, peer = net.clogged(keep_open())
    peer.shutdown(SHUT_WR)
    net.until(lambda: near.saw("eof_received"))
    return near, peer


def in_ending(net: Network) -> tuple[Recorder, Any]:
    near, peer = net.clogged()
    near.transport.write_eof()
    return near, peer


def in_ended(net: Network) -> tuple[Recorder, Any]:
    near, peer = net.pair()
    near.transport.write_eof()
    return near, peer


def in_flushing(net: Network) -> tuple[Recorder, Any]:
    near, peer = net.clogged()
    near.transport.close()
    return near, peer


def in_draining(net: Network) -> tuple[Recorder, Any]:
    near, peer = net.pair()
    near.transport.close()
    return near, peer


def in_finishing(net: Network) -> tuple[Recorder, Any]:
    near, peer = net.clogged()
    peer.shutdown(SHUT_WR)
    net.until(lambda: near.saw("eof_received"))
    return near, peer


STATES: dict[str, Callable[[Network], tuple[Recorder, Any]]] = {
    "open": in_open,
    "peer ended": in_peer_ended_with_waiting_output,
    "ending": in_ending,
    "ended": in_ended,
    "flushing": in_flushing,
    "draining": in_draining,
    "finishing": in_finishing,
}


@pytest.mark.parametrize("state", STATES)
def test_a_reset_arrives_as_the_kernels_error_in_every_state(net: Network, state: str) -> None:
    near, peer = STATES[state](net)
    net.settle()
    assert state_of(near.transport) == state
    net.reset(peer)
    net.until(lambda: near.over)
    # Linux reports EPIPE instead of ECONNRESET if the peer's FIN came before its RST.
    assert near.ending in ("ConnectionResetError", "BrokenPipeError")
    assert near.transport.get_write_buffer_size() == 0
    assert near.transport.is_closing()
    near.check()


def test_a_reset_after_the_peers_end_shows_with_the_next_write(net: Network) -> None:
    near, peer = net.pair(keep_open())
    peer.shutdown(SHUT_WR)
    net.until(lambda: near.saw("eof_received"))
    assert state_of(near.transport) == "peer ended"
    net.reset(peer)
    net.settle()
    near.transport.write(b"is anybody there?")
    net.until(lambda: near.over)
    assert near.ending in ("ConnectionResetError", "BrokenPipeError")


@pytest.mark.parametrize("ending", ["close", "write_eof"])
def test_a_reset_after_the_peers_end_is_told_at_the_latest_with_our_own(net: Network, ending: str) -> None:
    near, peer = net.pair(keep_open())
    peer.shutdown(SHUT_WR)
    net.until(lambda: near.saw("eof_received"))
    net.reset(peer)
    net.settle()
    getattr(near.transport, ending)()
    net.until(lambda: near.over)
    assert near.ending in ("ConnectionResetError", "BrokenPipeError")


def test_a_reset_does_not_reach_a_paused_reader_and_does_not_make_the_loop_spin(net: Network) -> None:
    near, peer = net.pair()
    near.transport.pause_reading()
    net.reset(peer)
    ticks: list[float] = []
    net.reactor.call_later(0.05, ticks.append, 0.0)
    count = 0
    while not ticks:
        net.reactor.run_once(1)
        count += 1
    assert count <= 3  # the selector slept through it: a descriptor without interest is not registered
    assert not near.over
    near.transport.resume_reading()
    net.until(lambda: near.over)
    assert near.ending == "ConnectionResetError"


def test_a_reset_before_write_eof_is_found_by_the_shutdown(net: Network) -> None:
    near, peer = net.pair()
    net.reset(peer)
    near.transport.write_eof()  # ENOTCONN, or nothing yet: the first read says it then
    net.until(lambda: near.over)
    assert isinstance(near.ended_with, OSError)


def test_a_reset_before_close_is_no_surprise(net: Network) -> None:
    near, peer = net.pair()
    net.reset(peer)
    near.transport.close()
    net.until(lambda: near.over)
    near.check()


@pytest.mark.parametrize("state", STATES)
def test_an_abort_is_a_reset_for_the_peer_in_every_state(net: Network, state: str) -> None:
    near, peer = STATES[state](net)
    near.transport.abort()
    net.until(lambda: near.over)
    assert near.ended_with is None
    if state in ("ended", "draining"):  # our end came first, and is read first
        net.read_to_the_end(peer)
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            peer.send(b"?")
    else:
        with pytest.raises(ConnectionResetError):
            net.read_to_the_end(peer)
    near.check()


@pytest.mark.parametrize("state", STATES)
def test_a_connection_can_be_closed_in_every_state(net: Network, state: str) -> None:
    near, peer = STATES[state](net)
    near.transport.close()
    net.read_to_the_end(peer)
    peer.close()
    net.until(lambda: near.over)
    assert near.ended_with is None
    near.check()
