"""The receiving half: memory that belongs to the protocol, input given back, and a machine without memory."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from reactor import Budget, BufferedProtocol, ConnectionOptions
from reactor.errors import BudgetExceededError
from tests.network.kit import BufferedRecorder, Network, PassingSocket, Recorder


class Shrinking(BufferedProtocol):
    """Cuts what it has used off its memory, as protocols written for asyncio may."""

    def __init__(self) -> None:
        self.memory = bytearray()
        self.received = b""
        self.made = False

    def connection_made(self, transport: Any) -> None:
        self.made = True
        self.transport = transport

    def get_buffer(self, sizehint: int) -> bytearray:
        self.memory.extend(bytes(8))
        return self.memory

    def buffer_updated(self, nbytes: int) -> None:
        self.received += self.memory[:nbytes]
        self.memory.clear()


@pytest.mark.parametrize("way", ["read", "given back"])
def test_memory_may_change_its_size_as_soon_as_it_was_filled(net: Network, way: str) -> None:
    near, peer = net.pair(Shrinking())
    if way == "read":
        net.send_all(peer, b"longer than eight bytes")
    else:
        near.transport.unread(b"longer than eight bytes")
    net.until(lambda: near.received == b"longer than eight bytes")


def test_input_given_back_counts_in_the_budget_until_it_is_delivered(net: Network) -> None:
    budget = Budget(1000)

    def stop(me: Recorder, data: bytes) -> None:
        if data == b"x" * 600:
            me.transport.pause_reading()
            me.transport.unread(b"y" * 500)

    near, peer = net.pair(Recorder(data_received=stop), ConnectionOptions(budget=budget))
    net.send_all(peer, b"x" * 600)
    net.until(lambda: near.received)
    assert budget.used == 500
    near.transport.unread(b"z" * 100)
    assert budget.used == 600
    near.transport.resume_reading()
    net.until(lambda: near.received.endswith(b"y"))
    assert near.received == b"x" * 600 + b"z" * 100 + b"y" * 500
    assert budget.used == 0


def test_input_given_back_into_small_memory_leaves_the_budget_piece_by_piece(net: Network) -> None:
    budget = Budget(1000)
    near, _peer = net.pair(BufferedRecorder(300), ConnectionOptions(budget=budget))
    near.transport.unread(bytes(800))
    used = [budget.used]
    while budget.used:
        net.reactor.run_once(1)
        if budget.used != used[-1]:
            used.append(budget.used)
    assert used == [800, 500, 200, 0]
    assert len(near.received) == 800


def test_the_end_of_a_connection_frees_the_budget_of_input_given_back(net: Network) -> None:
    budget = Budget(1000)
    near, _peer = net.pair(options=ConnectionOptions(budget=budget))
    near.transport.pause_reading()
    near.transport.unread(bytes(700))
    near.transport.abort()
    net.until(lambda: near.over)
    assert budget.used == 0


def test_input_given_back_that_the_budget_does_not_allow_ends_the_connection(net: Network) -> None:
    budget = Budget(1000)
    near, _peer = net.pair(options=ConnectionOptions(budget=budget))
    near.transport.pause_reading()
    near.transport.unread(bytes(700))
    near.transport.unread(bytes(700))
    net.until(lambda: near.over)
    assert isinstance(near.ended_with, BudgetExceededError)
    assert near.received == b""
    assert budget.used == 0


def test_input_given_back_is_not_copied_for_each_piece_of_small_memory(net: Network) -> None:
    near, _peer = net.pair(BufferedRecorder(16))
    near.transport.unread(bytes(1 << 20))
    net.settle()
    tracemalloc.start()
    try:
        net.settle(20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(near.received) > 16 * 20
    assert peak < 1 << 19
    near.transport.abort()


class Starved(PassingSocket):
    """A stream on a machine that has no memory left to receive."""

    def recv(self, *args: Any) -> bytes:
        raise MemoryError

    def recv_into(self, *args: Any) -> int:
        raise MemoryError


@pytest.mark.parametrize("way", ["plain", "into own memory", "discarding"])
def test_a_machine_without_memory_to_receive_ends_the_connection_and_does_not_spin(net: Network, way: str) -> None:
    near, peer = net.pair(BufferedRecorder() if way == "into own memory" else None)
    near.transport.socket = Starved(near.transport.socket)
    if way == "discarding":
        near.transport.close()
    peer.send(b"too much")
    net.until(lambda: near.over)
    assert isinstance(near.ended_with, MemoryError)
    assert near.received == b""
