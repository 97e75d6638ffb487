"""A kernel that does less than asked, or something else: the answers that send(2), recv(2) and their kin may give."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor import ConnectionOptions
from tests.network.kit import BufferedRecorder, Network, Recorder, ScriptedKernel, World


def surprise(near: Any, call: str, *answers: int) -> None:
    near.transport.socket.surprises[call].extend(answers)


def plainly(net: Network) -> tuple[Any, Any, str]:
    near, peer = net.pair()
    return near, peer, "recv"


def in_bulk(net: Network) -> tuple[Any, Any, str]:
    """A peer that has just sent a lot is read through the shared buffer."""
    near, peer = net.pair()
    near.transport.pause_reading()
    net.send_all(peer, bytes(1 << 17))
    near.transport.resume_reading()
    net.reactor.run_once(1)
    return near, peer, "recv_into"


def into_own_memory(net: Network) -> tuple[Any, Any, str]:
    near, peer = net.pair(BufferedRecorder())
    return near, peer, "recv_into"


Way = Callable[[Network], tuple[Any, Any, str]]
WAYS: tuple[Way, ...] = (plainly, in_bulk, into_own_memory)
NOTHING = (errno.EAGAIN, errno.EINTR)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("code", NOTHING)
def test_readiness_without_input_is_no_event(net: Network, kernel: ScriptedKernel, way: Way, code: int) -> None:
    near, peer, call = way(net)
    surprise(near, call, -code, -code)
    net.send_all(peer, b"at last")
    net.until(lambda: near.received.endswith(b"at last"))
    assert near.transport.is_reading()


@pytest.mark.parametrize("way", WAYS)
def test_an_error_of_a_read_ends_the_connection_as_it_is(net: Network, kernel: ScriptedKernel, way: Way) -> None:
    near, peer, call = way(net)
    surprise(near, call, -errno.ETIMEDOUT)
    net.send_all(peer, b"never seen")
    net.until(lambda: near.over)
    assert isinstance(near.ended_with, TimeoutError)
    assert near.ended_with.errno == errno.ETIMEDOUT
    assert b"never seen" not in near.received


@pytest.mark.parametrize("code", NOTHING)
def test_readiness_without_input_does_not_end_the_draining(net: Network, kernel: ScriptedKernel, code: int) -> None:
    near, peer = net.pair()
    near.transport.close()
    surprise(near, "recv", -code)
    net.send_all(peer, b"too late")
    net.settle()
    assert not near.over
    peer.close()
    net.until(lambda: near.over)
    assert near.ended_with is None


@pytest.mark.parametrize("where", ["callback", "outside"])
@pytest.mark.parametrize("answers", [(-errno.EAGAIN,), (-errno.EINTR,), (3,), (1, -errno.EAGAIN, 1)])
def test_what_a_send_does_not_take_leaves_later_and_in_order(
    net: Network, kernel: ScriptedKernel, where: str, answers: tuple[int, ...]
) -> None:
    near, peer = net.pair(Recorder(data_received=lambda me, data: me.transport.write(b"some words")))
    surprise(near, "send", *answers)
    if where == "callback":
        net.send_all(peer, b"go")
    else:
        near.transport.write(b"some words")
        assert near.transport.get_write_buffer_size() > 0
    assert net.read(peer, 10) == b"some words"
    assert near.transport.get_write_buffer_size() == 0


@pytest.mark.parametrize("where", ["callback", "callback, twice", "outside"])
def test_an_error_of_a_send_ends_the_connection_as_it_is(net: Network, kernel: ScriptedKernel, where: str) -> None:
    def answer(me: Any, _: bytes) -> None:
        me.transport.write(b"x")
        if where == "callback, twice":
            me.transport.write(b"y")

    near, peer = net.pair(Recorder(data_received=answer))
    surprise(near, "send", -errno.EHOSTUNREACH)
    if where == "outside":
        near.transport.write(b"x")
    else:
        net.send_all(peer, b"go")
    net.until(lambda: near.over)
    assert isinstance(near.ended_with, OSError)
    assert near.ended_with.errno == errno.EHOSTUNREACH


@pytest.mark.parametrize("how", ["write_eof", "close"])
def test_an_error_of_the_shutdown_ends_the_connection_with_its_cause(
    net: Network, kernel: ScriptedKernel, how: str
) -> None:
    near, _peer = net.pair()
    surprise(near, "shutdown", -errno.ENOTCONN)
    getattr(near.transport, how)()
    net.until(lambda: near.over)
    assert isinstance(near.ended_with, OSError)
    assert isinstance(near.ended_with, ConnectionResetError)  # ENOTCONN says only what came of it
    near.check()


def test_an_abort_ends_a_connection_whose_socket_cannot_be_told(net: Network, kernel: ScriptedKernel) -> None:
    near, _peer = net.pair()
    surprise(near, "setsockopt", -errno.EINVAL)
    near.transport.abort()
    net.until(lambda: near.over)
    assert near.ended_with is None


@given(
    writes=st.lists(st.binary(max_size=50), max_size=20),
    takes=st.lists(st.one_of(st.integers(0, 60), st.sampled_from([-errno.EAGAIN, -errno.EINTR])), max_size=30),
    where=st.lists(st.sampled_from(["callback", "callback of another", "outside"]), min_size=1, max_size=20),
    high=st.integers(0, 100),
)
@settings(max_examples=60)
def test_whatever_the_kernel_takes_the_peer_gets_every_byte_in_order(
    new_world: Callable[[], World], writes: list[bytes], takes: list[int], where: list[str], high: int
) -> None:
    world = new_world()
    net = Network(world, ScriptedKernel(world.kernel))
    try:
        pending: list[bytes] = []

        def write_pending(*_: object) -> None:
            while pending:
                near.transport.write(pending.pop(0))

        options = ConnectionOptions(high_water=high, low_water=high // 2)
        near, peer = net.pair(Recorder(data_received=write_pending), options)
        _other, other_peer = net.pair(Recorder(data_received=write_pending))
        surprise(near, "send", *(take or -errno.EAGAIN for take in takes))
        for turn, data in enumerate(writes):
            pending.append(data)
            place = where[turn % len(where)]
            if place == "outside":
                write_pending()
            else:
                (peer if place == "callback" else other_peer).send(b"go")
            net.reactor.run_once(0)
        net.until(lambda: not pending)
        near.transport.close()
        assert net.read_to_the_end(peer) == b"".join(writes)
        peer.close()
        net.until(lambda: near.over)
        assert near.ended_with is None
        near.check()
    finally:
        net.close()
        world.close()


