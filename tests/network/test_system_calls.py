"""How many system calls a conversation costs: writes of one callback, and of one tick, leave together."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from reactor import ConnectionOptions
from tests.network.kit import Network, Recorder, ScriptedKernel


def calls_of(near: Any) -> Counter[str]:
    """The counts of the socket behind a transport, from now on."""
    calls: Counter[str] = near.transport.socket.calls
    calls.clear()
    return calls


def test_an_echo_costs_one_recv_and_one_send(net: Network, kernel: ScriptedKernel) -> None:
    near, peer = net.pair(Recorder(data_received=lambda me, data: me.transport.write(data)))
    calls = calls_of(near)
    for number in range(10):
        peer.send(b"hello")
        assert net.read(peer, 5) == b"hello"
        assert calls == {"recv": number + 1, "send": number + 1}


def test_a_hundred_writes_in_one_callback_leave_in_one_send(net: Network, kernel: ScriptedKernel) -> None:
    def answer(me: Any, _: bytes) -> None:
        for number in range(100):
            me.transport.write(b"%03d" % number)

    near, peer = net.pair(Recorder(data_received=answer))
    calls = calls_of(near)
    peer.send(b"go")
    assert net.read(peer, 300) == b"".join(b"%03d" % number for number in range(100))
    assert calls == {"recv": 1, "send": 1}


def test_writes_to_another_connection_leave_at_the_ticks_end_in_one_send(net: Network, kernel: ScriptedKernel) -> None:
    other, other_peer = net.pair()
    seen: list[int] = []

    def tell(me: Any, _: bytes) -> None:
        for _number in range(10):
            other.transport.write(b"news")
        seen.append(calls["send"])
        net.reactor.call_soon(lambda: seen.append(calls["send"]))  # step 6 is before step 7

    _near, peer = net.pair(Recorder(data_received=tell))
    calls = calls_of(other)
    peer.send(b"go")
    net.until(lambda: seen)
    assert seen == [0, 0]
    assert calls["send"] == 1
    assert net.read(other_peer, 40) == b"news" * 10


def test_a_broadcast_costs_one_send_for_each_connection(net: Network, kernel: ScriptedKernel) -> None:
    pairs = [net.pair() for _ in range(5)]
    counts = [calls_of(near) for near, _ in pairs]

    def broadcast() -> None:
        for _ in range(7):
            for near, _peer in pairs:
                near.transport.write(b"to all")

    net.reactor.call_later(0, broadcast)
    for _near, peer in pairs:
        assert net.read(peer, 42) == b"to all" * 7
    assert [calls["send"] for calls in counts] == [1] * 5


def test_outside_a_tick_a_write_is_sent_at_once(net: Network, kernel: ScriptedKernel) -> None:
    near, peer = net.pair()
    calls = calls_of(near)
    near.transport.write(b"now")
    assert calls["send"] == 1
    assert peer.recv(10) == b"now"
    near.transport.writelines([b"and ", b"now"])
    assert calls["send"] == 2
    assert peer.recv(10) == b"and now"


def test_a_refusal_is_not_asked_again_until_the_socket_is_writable(net: Network, kernel: ScriptedKernel) -> None:
    near, _peer = net.clogged()
    calls = calls_of(near)
    for _ in range(20):
        near.transport.write(bytes(1000))
        net.settle(1)
    assert calls["send"] == 0


def test_beyond_the_high_mark_a_callback_asks_the_kernel_at_once(net: Network, kernel: ScriptedKernel) -> None:
    seen: list[tuple[int, int]] = []

    def answer(me: Any, _: bytes) -> None:
        me.transport.write(bytes(900))
        seen.append((calls["send"], me.transport.get_write_buffer_size()))
        me.transport.write(bytes(900))
        seen.append((calls["send"], me.transport.get_write_buffer_size()))

    near, peer = net.pair(
        Recorder(data_received=answer), ConnectionOptions(high_water=1000, low_water=0, hard_limit=1000)
    )
    calls = calls_of(near)
    peer.send(b"go")
    net.read(peer, 1800)
    assert seen == [(0, 900), (1, 0)]
    assert calls["send"] == 1
    assert not near.saw("pause_writing")


@pytest.mark.parametrize("where", ["outside", "callback"])
def test_a_last_word_and_the_end_cost_one_send(net: Network, kernel: ScriptedKernel, where: str) -> None:
    def leave(me: Any, _: object = None) -> None:
        me.transport.write(b"good")
        me.transport.write(b"bye")
        me.transport.close()

    near, peer = net.pair(Recorder(data_received=leave))
    calls = calls_of(near)
    if where == "callback":
        peer.send(b"go")
    else:
        net.reactor.call_soon(leave, near)
    assert net.read_to_the_end(peer) == b"goodbye"
    assert calls["send"] == 1


def test_one_readiness_is_one_read_however_much_there_is(net: Network, kernel: ScriptedKernel) -> None:
    near, peer = net.pair()
    calls = calls_of(near)
    while True:
        try:
            peer.send(bytes(1 << 16))
        except BlockingIOError:
            break
    for ticks in range(1, 4):
        net.reactor.run_once(1)
        assert calls.total() == ticks == near.events.count("data_received")


def test_a_peer_that_sends_much_is_read_in_large_pieces_and_then_in_small_ones_again(
    net: Network, kernel: ScriptedKernel
) -> None:
    sizes: list[int] = []
    near, peer = net.pair(Recorder(data_received=lambda me, data: sizes.append(len(data))))
    near.transport.pause_reading()
    amount = 0
    while True:  # nobody reads, so it is all there at once
        try:
            amount += peer.send(bytes(1 << 16))
        except BlockingIOError:
            break
    near.transport.resume_reading()
    net.until(lambda: len(near.received) == amount)
    assert sizes[0] == 1 << 16
    assert max(sizes) > 1 << 16
    assert max(sizes) <= 1 << 18
    calls = calls_of(near)
    for count in (1, 2):
        peer.send(b"small")
        net.until(lambda count=count: calls.total() == count)  # type: ignore[misc]
    assert calls["recv"] >= 1
    assert sizes[-2:] == [5, 5]


