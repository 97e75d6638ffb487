"""Memory is bounded: a peer that does not read, and budgets that connections share."""

from __future__ import annotations

from typing import Any

import pytest

from reactor import Budget, ConnectionOptions, FramedProtocol, LineCodec, Overflow
from reactor.errors import BudgetExceededError, OptionError, SendBufferFullError
from tests.network.kit import RCVBUF, SNDBUF, Network, Recorder

LIMIT = 200_000
PIECE = 10_000
TIGHT = ConnectionOptions(high_water=20_000, low_water=5_000, hard_limit=LIMIT)
CLOSING = ConnectionOptions(high_water=20_000, low_water=5_000, hard_limit=LIMIT, overflow=Overflow.CLOSE)


def write_until_it_ends(near: Any, seen: list[int]) -> int:
    """Write without regard to the marks; return how many bytes were written."""
    written = 0
    while not near.transport.is_closing():
        near.transport.write(bytes(PIECE))
        written += PIECE
        seen.append(near.transport.get_write_buffer_size())
        assert written < 100 * LIMIT
    return written


@pytest.mark.parametrize("where", ["outside", "callback", "other callback", "timer"])
@pytest.mark.parametrize("options", [TIGHT, CLOSING], ids=["abort", "close"])
def test_no_more_is_held_than_the_hard_limit_and_one_write(
    net: Network, where: str, options: ConnectionOptions
) -> None:
    seen: list[int] = []

    def write(*_: object) -> None:
        write_until_it_ends(near, seen)

    near, peer = net.pair(Recorder(data_received=write), options, small=True)
    if where == "outside":
        write()
    elif where == "callback":
        net.send_all(peer, b"go")
    elif where == "other callback":
        _other, other_peer = net.pair(Recorder(data_received=write))
        net.send_all(other_peer, b"go")
    else:
        net.reactor.call_later(0, write)
    net.until(lambda: near.transport.is_closing())
    assert max(seen) <= LIMIT + PIECE
    if options is CLOSING:
        assert max(seen) > LIMIT
        net.read_to_the_end(peer)
        peer.close()
    net.until(lambda: near.over)
    assert isinstance(near.ended_with, SendBufferFullError)
    assert f"hard_limit={LIMIT}" in str(near.ended_with)


def test_marks_that_are_set_later_do_not_lift_the_hard_limit(net: Network) -> None:
    seen: list[int] = []

    def write(me: Any, _: bytes) -> None:
        try:
            me.transport.set_write_buffer_limits(high=100 * LIMIT)
        except OptionError:
            pass  # refusing it is as good
        write_until_it_ends(me, seen)

    near, peer = net.pair(Recorder(data_received=write), TIGHT, small=True)
    net.send_all(peer, b"go")
    net.until(lambda: near.over)
    assert max(seen) <= LIMIT + PIECE


def test_at_the_limit_close_gives_the_peer_everything_up_to_there_and_then_the_end(net: Network) -> None:
    near, peer = net.pair(options=CLOSING, small=True)
    written = 0
    while not near.transport.is_closing():
        near.transport.write(bytes([written // PIECE % 256]) * PIECE)
        written += PIECE
    near.transport.write(b"too late")
    got = net.read_to_the_end(peer)
    assert got == b"".join(bytes([number % 256]) * PIECE for number in range(written // PIECE))
    peer.close()
    net.until(lambda: near.over)
    assert isinstance(near.ended_with, SendBufferFullError)


def test_marks_pause_and_resume_a_writer_that_listens(net: Network) -> None:
    near, peer = net.pair(options=TIGHT, small=True)
    while not near.saw("pause_writing"):
        near.transport.write(bytes(PIECE))
    assert TIGHT.high_water < near.transport.get_write_buffer_size() <= TIGHT.high_water + PIECE
    assert near.transport.get_write_buffer_limits() == (TIGHT.low_water, TIGHT.high_water)
    while not near.saw("resume_writing"):
        net.read(peer, 1000)
    assert near.transport.get_write_buffer_size() <= TIGHT.low_water


def test_a_writer_that_goes_on_as_soon_as_it_may_loses_nothing(net: Network) -> None:
    rounds: list[int] = []

    def go_on(me: Any) -> None:
        if len(rounds) < 3:
            rounds.append(me.transport.get_write_buffer_size())
            me.transport.write(bytes([len(rounds)]) * (1 << 20))

    options = ConnectionOptions(high_water=20_000, low_water=0)
    near, peer = net.clogged(Recorder(resume_writing=go_on), options)
    got = net.read(peer, 4 << 20)
    assert got == b"".join(bytes([number]) * (1 << 20) for number in range(4))
    assert rounds == [0, 0, 0]
    net.settle()
    assert near.events.count("pause_writing") == near.events.count("resume_writing") == 4


def test_connections_that_share_a_budget_are_bounded_together(net: Network) -> None:
    budget = Budget(LIMIT)
    options = ConnectionOptions(budget=budget)
    pairs = [net.pair(options=options, small=True) for _ in range(3)]
    nears = [near for near, _ in pairs]
    turns = 0
    while not any(near.transport.is_closing() for near in nears):
        nears[turns % 3].transport.write(bytes(PIECE))
        turns += 1
        assert budget.used == sum(near.transport.get_write_buffer_size() for near in nears) <= LIMIT
    net.until(lambda: any(near.over for near in nears))
    over, *others = sorted(nears, key=lambda near: not near.over)
    assert isinstance(over.ended_with, BudgetExceededError)
    assert str(LIMIT) in str(over.ended_with)
    assert not any(near.over for near in others)  # its bytes are free again
    assert budget.used <= LIMIT - PIECE
    for near in others:
        near.transport.abort()
    net.until(lambda: all(near.over for near in nears))
    assert budget.used == 0


def test_a_budget_that_does_not_allow_a_write_may_close_instead(net: Network) -> None:
    budget = Budget(LIMIT)
    near, peer = net.pair(options=ConnectionOptions(budget=budget, overflow=Overflow.CLOSE), small=True)
    near.transport.write(bytes(150_000))
    near.transport.write(bytes(LIMIT))
    assert near.transport.is_closing()
    assert net.read_to_the_end(peer) == bytes(150_000)
    peer.close()
    net.until(lambda: near.over)
    assert isinstance(near.ended_with, BudgetExceededError)
    assert budget.used == 0


class Lines(FramedProtocol[bytes]):
    codec = LineCodec(max_length=100_000)

    def __init__(self) -> None:
        self.ended_with: list[BaseException | None] = []

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self.ended_with.append(exc)


def test_input_that_waits_for_the_rest_of_its_frame_counts_in_the_budget(net: Network) -> None:
    budget = Budget(120_000)
    lines: list[Lines] = []

    def factory() -> Lines:
        lines.append(Lines())
        return lines[-1]

    server = net.listen(factory, options=ConnectionOptions(budget=budget))
    peers = [net.dial(server), net.dial(server)]
    net.until(lambda: len(lines) == 2)
    net.send_all(peers[0], bytes(80_000))
    net.until(lambda: budget.used == 80_000)
    net.send_all(peers[1], bytes(80_000))
    net.until(lambda: any(line.ended_with for line in lines))
    (ended,) = [line.ended_with[0] for line in lines if line.ended_with]
    assert isinstance(ended, BudgetExceededError)
    for peer in peers:
        peer.close()
    net.until(lambda: all(line.ended_with for line in lines))
    assert budget.used == 0


def test_a_paused_reader_holds_at_most_what_one_read_brought(net: Network) -> None:
    near, peer = net.pair(Recorder(data_received=lambda me, data: me.transport.pause_reading()), small=True)
    sent = 0
    try:
        while True:
            sent += peer.send(bytes(1 << 16))
            net.settle(2)
    except BlockingIOError:
        pass
    assert 0 < len(near.received) < sent  # the rest waits in the kernels, and then with the peer


def test_the_kit_makes_buffers_small_enough_to_be_filled() -> None:
    assert SNDBUF + RCVBUF < LIMIT
