"""Deadlines of connections: typed, never early, and one timer for all that share their options."""

from __future__ import annotations

import re
import socket
from itertools import pairwise
from typing import Any

import pytest

from reactor import ConnectionOptions, FramedProtocol, LineCodec, Transport
from reactor.errors import DeadlineError, IdleTimeoutError, WriteTimeoutError
from tests.network.kit import Network, Recorder, ScriptedKernel, World

IDLE = ConnectionOptions(idle_timeout=0.05)
STALL = ConnectionOptions(write_timeout=0.05)


def timers(net: Network) -> int:
    return net.reactor.describe()["timers"]  # type: ignore[no-any-return]


def pause(me: Recorder) -> None:
    me.transport.pause_reading()


@pytest.fixture
def kernel(world: World) -> ScriptedKernel:
    """A kernel whose clock stands still."""
    kernel = ScriptedKernel(world.kernel)
    kernel.clock = 1000.0
    return kernel


def pass_time(net: Network, kernel: ScriptedKernel, seconds: float) -> None:
    """Put the clock on, and let happen what is due."""
    assert kernel.clock is not None
    kernel.clock += seconds
    net.settle(3)


def after(net: Network, seconds: float) -> None:
    """Run until `seconds` have passed on the reactor's clock."""
    passed: list[bool] = []
    net.reactor.call_later(seconds, passed.append, True)
    net.until(lambda: passed)


def test_a_silent_connection_ends_with_an_error_that_names_the_option_and_its_seconds(net: Network) -> None:
    began = net.reactor.time()
    near, _peer = net.pair(options=IDLE)
    net.until(lambda: near.over)
    assert net.reactor.time() >= began + 0.05
    assert isinstance(near.ended_with, IdleTimeoutError)
    assert isinstance(near.ended_with, TimeoutError)
    assert "idle_timeout=0.05 s" in str(near.ended_with)
    assert timers(net) == 0


@pytest.mark.parametrize("direction", ["in", "out"])
def test_traffic_in_either_direction_puts_the_idle_timeout_off(
    net: Network, kernel: ScriptedKernel, direction: str
) -> None:
    near, peer = net.pair(options=IDLE)
    for _ in range(5):
        pass_time(net, kernel, 0.04)
        if direction == "in":
            net.send_all(peer, b"x")
            net.settle()
        else:
            near.transport.write(b"x")
            assert net.read(peer, 1) == b"x"
    pass_time(net, kernel, 0.0499)
    assert not near.over
    pass_time(net, kernel, 0.006)  # a sweep goes round ten times in a timeout
    assert isinstance(near.ended_with, IdleTimeoutError)


def test_silence_that_the_protocol_asked_for_does_not_count(net: Network) -> None:
    near, _peer = net.pair(options=IDLE)
    near.transport.pause_reading()
    after(net, 0.15)
    assert not near.over
    assert timers(net) == 0


@pytest.mark.parametrize("where", ["connection_made", "later"])
def test_the_idle_timeout_begins_anew_when_reading_is_resumed(net: Network, where: str) -> None:
    near, _peer = net.pair(Recorder(connection_made=pause) if where == "connection_made" else None, IDLE)
    near.transport.pause_reading()
    after(net, 0.12)
    resumed = net.reactor.time()
    near.transport.resume_reading()
    net.until(lambda: near.over)
    assert isinstance(near.ended_with, IdleTimeoutError)
    assert net.reactor.time() >= resumed + 0.05


def test_resuming_what_was_not_paused_is_no_traffic(net: Network, kernel: ScriptedKernel) -> None:
    near, _peer = net.pair(options=IDLE)
    pass_time(net, kernel, 0.03)
    near.transport.resume_reading()
    pass_time(net, kernel, 0.03)
    assert isinstance(near.ended_with, IdleTimeoutError)


def test_frames_that_wait_for_their_turn_are_not_silence(net: Network, kernel: ScriptedKernel) -> None:
    class Slow(FramedProtocol[bytes]):
        codec = LineCodec()
        frames_per_tick = 10
        made = False
        count = 0
        ended: BaseException | None = None

        def connection_made(self, transport: Transport) -> None:
            super().connection_made(transport)
            self.made = True

        def frame_received(self, frame: bytes) -> None:
            self.count += 1
            kernel.clock = (kernel.clock or 0) + 0.01  # one slice takes twice as long as the connection may be idle

        def connection_lost(self, exc: BaseException | None) -> None:
            super().connection_lost(exc)
            self.ended = exc

    near, peer = net.pair(Slow(), IDLE)
    peer.send(b"x\n" * 100)
    net.until(lambda: near.count == 100)
    net.settle()
    assert near.ended is None
    pass_time(net, kernel, 0.06)  # but what follows is
    assert isinstance(near.ended, IdleTimeoutError)


def test_an_answer_is_a_sign_of_life_however_long_its_computation_took(net: Network, kernel: ScriptedKernel) -> None:
    def compute(me: Recorder, _: bytes) -> None:
        kernel.clock = (kernel.clock or 0) + 1
        me.transport.write(b"42")

    near, peer = net.pair(Recorder(data_received=compute), IDLE)
    peer.send(b"?")
    assert net.read(peer, 2) == b"42"
    pass_time(net, kernel, 0.04)
    assert not near.over
    pass_time(net, kernel, 0.02)
    assert isinstance(near.ended_with, IdleTimeoutError)


def test_a_connection_that_outlives_its_peers_end_is_idle_all_the_same(net: Network, kernel: ScriptedKernel) -> None:
    near, peer = net.pair(Recorder(eof_received=lambda me: True), IDLE)
    peer.shutdown(socket.SHUT_WR)
    net.until(lambda: near.saw("eof_received"))
    pass_time(net, kernel, 0.04)
    assert not near.over
    pass_time(net, kernel, 0.02)
    assert isinstance(near.ended_with, IdleTimeoutError)


def test_a_new_protocol_inherits_the_idle_timeout(net: Network) -> None:
    near, _peer = net.pair(options=IDLE)
    successor = Recorder()
    near.hand_over_to(successor)
    net.until(lambda: successor.over)
    assert isinstance(successor.ended_with, IdleTimeoutError)


def test_a_peer_that_takes_nothing_ends_the_connection_with_the_write_timeout(net: Network) -> None:
    near, _peer = net.pair(options=STALL, small=True)
    began = net.reactor.time()
    near.transport.write(bytes(1 << 20))
    net.until(lambda: near.over)
    assert net.reactor.time() >= began + 0.05
    assert isinstance(near.ended_with, WriteTimeoutError)
    assert "write_timeout=0.05 s" in str(near.ended_with)
    assert re.search(r"took none of \d+ bytes", str(near.ended_with))


def test_a_peer_that_takes_a_little_now_and_then_is_slow_but_not_dead(net: Network, kernel: ScriptedKernel) -> None:
    near, peer = net.clogged(options=STALL)
    for _ in range(5):
        waiting = near.transport.get_write_buffer_size()
        pass_time(net, kernel, 0.04)
        while near.transport.get_write_buffer_size() == waiting:
            net.read(peer, 1000)  # until that opens the window (RFC 9293 section 3.8.6.2.2)
    pass_time(net, kernel, 0.0499)
    assert not near.over
    for _ in range(10):
        pass_time(net, kernel, 0.01)  # more than once: what the reading began may have gone on meanwhile
    assert isinstance(near.ended_with, WriteTimeoutError)


def test_the_earlier_of_two_deadlines_counts(net: Network, kernel: ScriptedKernel) -> None:
    for write, idle, error in ((0.05, 30, WriteTimeoutError), (30, 0.05, IdleTimeoutError)):
        near, _peer = net.clogged(options=ConnectionOptions(write_timeout=write, idle_timeout=idle))
        pass_time(net, kernel, 0.04)
        assert not near.over
        for _ in range(10):
            pass_time(net, kernel, 0.01)  # more than once: the kernel may have taken a little meanwhile
        assert isinstance(near.ended_with, error)


def test_however_many_connections_share_options_there_is_one_timer(net: Network) -> None:
    nears: list[Recorder] = []

    def factory() -> Recorder:
        nears.append(Recorder())
        return nears[-1]

    server = net.listen(factory, options=IDLE)
    for _ in range(50):
        net.dial(server)
        net.reactor.run_once(0)
        assert timers(net) <= 1
    net.until(lambda: len(nears) == 50)
    other, _peer = net.pair(options=ConnectionOptions(idle_timeout=30))
    assert timers(net) == 2
    net.until(lambda: all(near.over for near in nears))
    assert server.ended == {"IdleTimeoutError": 50}
    assert not other.over
    other.transport.abort()
    net.settle()
    assert timers(net) == 0


def test_no_timer_is_left_when_the_connections_are_gone_and_run_returns(net: Network) -> None:
    near, peer = net.pair(options=ConnectionOptions(idle_timeout=30))
    assert timers(net) == 1
    peer.close()
    net.reactor.run()
    assert near.over
    assert timers(net) == 0


def test_connections_without_deadlines_have_no_timer(net: Network) -> None:
    near, peer = net.pair()
    net.send_all(peer, b"x")
    net.until(lambda: near.received)
    near.transport.write(b"y")
    assert timers(net) == 0


def test_options_that_are_not_used_any_more_leave_nothing_in_the_reactor(net: Network) -> None:
    before = len(net.reactor.shared)
    for _ in range(5):
        near, peer = net.pair(options=ConnectionOptions(idle_timeout=30))
        peer.close()
        net.until(lambda near=near: near.over)  # type: ignore[misc]
    assert len(net.reactor.shared) <= before + 1


def test_ten_rounds_at_most_are_made_in_the_time_of_the_shortest_timeout(net: Network, kernel: ScriptedKernel) -> None:
    """Connections that fall due one after the other are looked at together, so that the work stays bounded."""
    ended: list[float] = []
    options = ConnectionOptions(idle_timeout=0.1)
    server = net.listen(lambda: Recorder(connection_lost=lambda me: ended.append(net.reactor.now)), options=options)
    for count in range(1, 31):
        net.dial(server)
        net.until(lambda count=count: server.accepted == count)  # type: ignore[misc]
        pass_time(net, kernel, 0.002)
    while len(ended) < 30:
        pass_time(net, kernel, 0.001)
    rounds = sorted(set(ended))
    assert 5 <= len(rounds) <= 7  # 0.06 s between the first and the last, and 0.01 s between two rounds
    assert all(later - earlier > 0.0099 for earlier, later in pairwise(rounds))


def test_instruments_are_told_of_deadlines_and_transitions(net: Network) -> None:
    deadlines: list[tuple[Any, BaseException]] = []
    steps: list[tuple[str, str, str]] = []

    class Watcher:
        def watch(self, agenda: Any) -> Any:
            return agenda

        def transition(self, source: Any, before: str, event: str, after: str) -> None:
            steps.append((before, event, after))

        def deadline(self, source: Any, error: BaseException) -> None:
            deadlines.append((source, error))

    net.reactor.instruments = Watcher()
    near, _peer = net.pair(options=IDLE)
    transport: Transport = near.transport
    net.until(lambda: near.over)
    assert deadlines == [(transport, near.ended_with)]
    assert isinstance(near.ended_with, DeadlineError)
    assert steps == [("open", "abort", "closed")]


@pytest.mark.parametrize("what", ["watch", "transition", "deadline"])
def test_instruments_that_raise_are_reported_once_and_taken_away(net: Network, what: str) -> None:
    mistake = ValueError(what)

    class Broken:
        def __getattribute__(self, name: str) -> Any:
            def look(*args: Any) -> Any:
                if name == what:
                    raise mistake
                return args[0]

            return look

    near, _peer = net.pair(options=IDLE)
    net.reactor.instruments = Broken()
    net.until(lambda: near.over)
    assert isinstance(near.ended_with, IdleTimeoutError)
    assert net.take_errors() == [mistake]
    assert getattr(net.reactor, "instruments", near) is None
    assert near.transport.get_extra_info("socket").fileno() == -1


def test_a_selector_that_wakes_early_makes_no_deadline_early(net: Network, kernel: ScriptedKernel) -> None:
    near, _peer = net.pair(options=IDLE)
    for _ in range(49):
        pass_time(net, kernel, 0.001)
        assert not near.over
    pass_time(net, kernel, 0.002)
    assert near.over
