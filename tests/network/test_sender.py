"""The sending half: what it does with a write that only begins to fit, and when it asks the kernel."""

from __future__ import annotations

from typing import Any

import pytest

from reactor import Budget, ConnectionOptions
from reactor.errors import BudgetExceededError
from tests.network.kit import Network, PassingSocket, Recorder, ScriptedKernel


@pytest.mark.parametrize("overflow", ["abort", "close"])
@pytest.mark.parametrize("where", ["callback", "outside"])
def test_a_write_that_was_begun_and_cannot_be_kept_is_cut_with_a_reset_whatever_the_policy(
    net: Network, overflow: str, where: str
) -> None:
    """A clean end would make the half of a message look like all of it."""
    options = ConnectionOptions(budget=Budget(100_000), overflow=overflow)
    message = bytes(20 << 20)
    near, peer = net.pair(Recorder(data_received=lambda me, _: me.transport.write(message)), options)
    if where == "callback":
        peer.send(b"go")
        net.until(lambda: near.over)
    else:
        near.transport.write(message)
    with pytest.raises(ConnectionResetError):
        net.read_to_the_end(peer)
    assert isinstance(near.ended_with, BudgetExceededError)


@pytest.mark.parametrize("marks", ["from the options", "set later"])
@pytest.mark.parametrize(("size", "sends"), [(1000, 0), (9000, 1)])
def test_a_first_write_beyond_the_high_mark_is_tried_before_the_callback_returns(
    net: Network, kernel: ScriptedKernel, marks: str, size: int, sends: int
) -> None:
    asked: list[int] = []

    def write(me: Any, _: bytes) -> None:
        me.transport.write(bytes(size))
        asked.append(me.transport.socket.calls["send"])

    options = ConnectionOptions(high_water=1000, low_water=0) if marks == "from the options" else None
    near, peer = net.pair(Recorder(data_received=write), options)
    if marks == "set later":
        near.transport.set_write_buffer_limits(high=1000)
    peer.send(b"go")
    net.until(lambda: asked)
    assert asked == [sends]


class Starved(PassingSocket):
    """A stream on a machine that has no memory left to send."""

    def send(self, *args: Any) -> int:
        raise MemoryError


@pytest.mark.parametrize("writes", [1, 2])
def test_a_machine_without_memory_to_send_ends_the_connection_and_is_no_mistake(net: Network, writes: int) -> None:
    def write(me: Recorder, _: bytes) -> None:
        for _turn in range(writes):
            me.transport.write(b"anything")

    near, peer = net.pair(Recorder(data_received=write))
    near.transport.socket = Starved(near.transport.socket)
    peer.send(b"go")
    net.until(lambda: near.over)
    assert isinstance(near.ended_with, MemoryError)


class Full(PassingSocket):
    """A stream whose peer takes nothing at all."""

    def send(self, *args: Any) -> int:
        raise BlockingIOError


def test_a_write_that_was_not_begun_and_cannot_be_kept_is_left_to_the_policy(net: Network) -> None:
    options = ConnectionOptions(budget=Budget(100), overflow="close")
    near, peer = net.pair(Recorder(data_received=lambda me, _: me.transport.write(bytes(101))), options)
    near.transport.socket = Full(near.transport.socket)
    peer.send(b"go")
    assert net.read_to_the_end(peer) == b""  # none of it, and an ordinary end
    peer.close()
    net.until(lambda: near.over)
    assert isinstance(near.ended_with, BudgetExceededError)
