"""Ends on sockets: half-closes in both orders, and what has been written reaches a peer that wants it."""

from __future__ import annotations

from socket import SHUT_WR
from typing import Any

import pytest

from reactor import ConnectionOptions
from reactor.errors import DrainTimeoutError
from tests.network.kit import BufferedRecorder, Network, Recorder, state_of

QUICK = ConnectionOptions(drain_timeout=0.05)
ANSWER = bytes(range(256)) * 8192  # 2 MiB: far more than the kernel's buffers take


def test_our_half_can_end_first(net: Network) -> None:
    near, peer = net.pair()
    near.transport.write(b"question")
    near.transport.write_eof()
    assert net.read_to_the_end(peer) == b"question"
    net.send_all(peer, b"answer")
    net.until(lambda: near.received == b"answer")
    assert state_of(near.transport) == "ended"
    peer.close()
    net.until(lambda: near.over)
    assert near.ended_with is None
    near.check()


def test_the_peers_half_can_end_first(net: Network) -> None:
    near, peer = net.pair(Recorder(eof_received=lambda me: True))
    net.send_all(peer, b"question")
    peer.shutdown(SHUT_WR)
    net.until(lambda: near.saw("eof_received"))
    assert near.received == b"question"
    near.transport.write(b"answer")
    assert net.read(peer, 6) == b"answer"
    assert not near.transport.is_closing()
    near.transport.write_eof()
    assert net.read_to_the_end(peer) == b""
    net.until(lambda: near.over)
    assert near.ended_with is None
    near.check()


def test_our_end_waits_for_the_output_and_the_peers_end_does_not_stop_it(net: Network) -> None:
    near, peer = net.pair(Recorder(eof_received=lambda me: True), small=True)
    near.transport.write(ANSWER)
    near.transport.write_eof()
    assert state_of(near.transport) == "ending"
    peer.shutdown(SHUT_WR)
    net.until(lambda: near.saw("eof_received"))
    assert state_of(near.transport) == "finishing"
    assert net.read_to_the_end(peer) == ANSWER
    net.until(lambda: near.over)
    assert near.ended_with is None


def test_a_slow_reader_gets_everything_that_was_written_before_close(net: Network) -> None:
    near, peer = net.pair(small=True)
    near.transport.write(ANSWER)
    near.transport.close()
    got = b"".join(net.read(peer, 1 << 15) for _ in range(len(ANSWER) >> 15))
    assert got == ANSWER
    assert net.read_to_the_end(peer) == b""
    peer.close()
    net.until(lambda: near.over)
    assert near.ended_with is None


def test_a_dead_reader_is_cut_off_at_the_drain_timeout_and_not_before(net: Network) -> None:
    near, peer = net.clogged(options=QUICK)
    closed_at = net.reactor.time()
    near.transport.close()
    net.until(lambda: near.over)
    assert net.reactor.time() >= closed_at + 0.05
    assert isinstance(near.ended_with, DrainTimeoutError)
    assert "drain_timeout=0.05" in str(near.ended_with)
    assert f"{1 << 20} bytes unsent" not in str(near.ended_with)  # the kernel has taken some
    assert not net.reactor.describe()["timers"]
    with pytest.raises(ConnectionResetError):
        net.read_to_the_end(peer)


def test_a_dead_reader_whose_half_has_ended_is_cut_off_as_well(net: Network) -> None:
    near, peer = net.clogged(options=QUICK)
    peer.shutdown(SHUT_WR)
    net.until(lambda: near.over)
    assert isinstance(near.ended_with, DrainTimeoutError)


def test_a_peer_that_never_ends_is_left_after_the_drain_timeout_without_an_error(net: Network) -> None:
    near, peer = net.pair(options=QUICK)
    near.transport.write(b"all of it")
    closed_at = net.reactor.time()
    near.transport.close()
    assert net.read_to_the_end(peer) == b"all of it"
    net.until(lambda: near.over)
    assert net.reactor.time() >= closed_at + 0.05
    assert near.ended_with is None


@pytest.mark.parametrize("kind", [Recorder, BufferedRecorder])
def test_a_peer_that_talks_without_listening_gets_the_whole_answer_afterwards(net: Network, kind: Any) -> None:
    def answer(me: Any, _: object) -> None:
        me.transport.write(ANSWER)
        me.transport.close()

    hook = "buffer_updated" if kind is BufferedRecorder else "data_received"
    near, peer = net.pair(kind(**{hook: answer}))
    net.send_all(peer, bytes(4 << 20))  # most of it after the answer has begun: read and thrown away
    assert net.read_to_the_end(peer) == ANSWER
    peer.close()
    net.until(lambda: near.over)
    assert near.ended_with is None
    assert near.saw(hook) and not near.saw(hook, 2)


def test_unread_input_at_close_is_no_reset(net: Network) -> None:
    near, peer = net.pair()
    near.transport.pause_reading()
    net.send_all(peer, bytes(100_000))
    near.transport.write(b"goodbye")
    near.transport.close()
    assert net.read_to_the_end(peer) == b"goodbye"
    peer.close()
    net.until(lambda: near.over)
    assert near.received == b""
    assert near.ended_with is None


def test_without_a_drain_timeout_a_closing_connection_waits_as_long_as_it_takes(net: Network) -> None:
    near, peer = net.clogged(options=ConnectionOptions(drain_timeout=None, write_timeout=None))
    near.transport.close()
    net.settle()
    assert net.reactor.describe()["timers"] == 0
    assert not near.over
    assert net.read_to_the_end(peer) == bytes(1 << 20)
    peer.close()
    net.until(lambda: near.over)


@pytest.mark.parametrize("kind", [Recorder, BufferedRecorder])
@pytest.mark.parametrize("when", ["now", "in the callback"])
def test_the_end_of_the_stream_comes_after_all_its_bytes(net: Network, kind: Any, when: str) -> None:
    hook = "buffer_updated" if kind is BufferedRecorder else "data_received"
    hooks = {hook: lambda me, _: me.transport.write(b"x")} if when == "in the callback" else {}
    near, peer = net.pair(kind(**hooks))
    net.send_all(peer, ANSWER)
    peer.shutdown(SHUT_WR)
    net.until(lambda: near.over)
    assert near.received == ANSWER
    assert near.events[-2:] == ["eof_received", "connection_lost"]


def test_what_an_ended_transport_is_asked_for_does_no_harm(net: Network) -> None:
    near, _peer = net.pair()
    transport = near.transport
    transport.abort()
    net.until(lambda: near.over)
    transport.write(b"ignored")
    transport.writelines([b"ignored"])
    transport.write_eof()
    transport.close()
    transport.abort()
    transport.pause_reading()
    transport.resume_reading()
    transport.unread(b"ignored")
    net.settle()
    assert state_of(transport) == "closed"
    assert transport.describe()["descriptor"] == -1
    assert "closed" in repr(transport)
    assert not transport.is_reading()
    assert transport.get_write_buffer_size() == 0
    assert transport.get_extra_info("sockname", "gone") == "gone"
    assert transport.get_extra_info("peername")[0] == "127.0.0.1"
    with pytest.raises(RuntimeError, match="over"):
        transport.get_protocol()
    with pytest.raises(RuntimeError, match="over"):
        transport.set_protocol(Recorder())
    near.check()
