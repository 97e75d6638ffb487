"""The game: as people play it, its frames by a scripted clock, and in the simulation, where players are slow."""

from __future__ import annotations

import itertools
import re
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from examples.frame_loop import (
    COMMANDS,
    HEIGHT,
    MOST_PLAYERS,
    MOST_STEPS,
    RATE,
    SPEED,
    WIDTH,
    Game,
    Player,
    Point,
)
from reactor import ConnectionOptions, FramedProtocol, LineCodec, Reactor, connect
from reactor.simulation import CALM, HOSTILE, LOSSY_WIFI, Host, Profile, Simulation, check
from tests.cli.program import ADDRESS, DEADLINE, Program, connected, run
from tests.loop.kit import Errors, ScriptedKernel, within

PROFILES = [CALM, LOSSY_WIFI, HOSTILE]
SIGNALS = [signal.SIGINT, signal.SIGTERM]
ACCOUNT = re.compile(r"^([\d,]+) frames, (\d+\.\d)/s: ([\d,]+) late, ([\d,]+) steps dropped$", re.MULTILINE)
GOODBYE = "* the game is over"

# --- As people play it ------------------------------------------------------------------------------------------------


class Seat:
    """Somebody at a socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._lines = sock.makefile("rb")

    def says(self, *words: str) -> None:
        self.sock.sendall(b"".join(word.encode() + b"\n" for word in words))

    def hears(self) -> str:
        return self._lines.readline().decode().removesuffix("\n")

    def hears_until(self, pattern: str) -> re.Match[str]:
        while line := self.hears():
            if match := re.search(pattern, line):
                return match
        raise AssertionError(f"the end came before {pattern!r}")

    def close(self) -> None:
        self._lines.close()


@contextmanager
def seat(address: str) -> Iterator[Seat]:
    with connected(address) as sock:
        one = Seat(sock)
        yield one
        one.close()


@pytest.mark.parametrize("signum", SIGNALS)
def test_players_see_each_other_move_until_the_game_is_over(signum: signal.Signals) -> None:
    with Program("examples.frame_loop", "127.0.0.1:0") as program:
        address = program.wait_for(rf"frame_loop listens at {ADDRESS}; Ctrl-C ends it")[1]
        with seat(address) as one, seat(address) as two:
            assert one.hears() == "* you are 1; say left, right, up, down, stop"
            two.hears_until("2:30,10")
            one.hears_until("1:30,10  2:30,10")
            one.says("right", "jump")
            two.says("up")
            one.hears_until(r"^\* say left, right, up, down, stop$")
            for each in (one, two):
                each.hears_until(r"1:3[3-9],10  2:30,[0-7]")
            with seat(address) as three:
                one.hears_until("  3:30,10$")
                three.hears_until("  3:30,10$")
            one.hears_until(r"  2:30,\d+$")
            program.process.send_signal(signum)
            for each in (one, two):
                each.hears_until(re.escape(GOODBYE))
                assert each.hears() == ""
        status, out, err = program.finish()
    assert (status, err) == (0, "") and ACCOUNT.fullmatch(out.removesuffix("\n"))


def test_a_second_ctrl_c_does_not_wait_for_the_goodbye() -> None:
    with Program("examples.frame_loop", "127.0.0.1:0") as program:
        address = program.wait_for(ADDRESS)[1]
        with seat(address) as one:  # who stays although the game is over
            one.hears()
            program.interrupt()
            one.hears_until(re.escape(GOODBYE))
            program.interrupt()
            status, out, err = program.finish()
    assert (status, err) == (130, "") and ACCOUNT.fullmatch(out.removesuffix("\n"))


def test_an_address_that_is_taken_or_none_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        for wrong in (address, "nowhere"):
            status, out, err = run("examples.frame_loop", wrong)
            assert (status, out) == (1, "") and re.fullmatch(rf"frame_loop: .*{wrong}.*\n", err)


# --- The world --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "end"),
    [(b"left", (0, 10)), (b"right", (WIDTH - 1, 10)), (b"up", (30, 0)), (b"down", (30, HEIGHT - 1))],
)
def test_the_world_ends_at_its_edges(word: bytes, end: tuple[int, int]) -> None:
    point = Point(going=COMMANDS[word])
    for _ in range(RATE * WIDTH):
        point.step()
    assert (point.x // RATE, point.y // RATE) == end


def test_a_second_of_steps_is_as_many_cells_as_the_speed_says() -> None:
    point = Point(going=COMMANDS[b"left"])
    before = point.x
    for _ in range(RATE):
        point.step()
    assert before - point.x == SPEED * RATE


# --- Frames, by a clock that a test moves -----------------------------------------------------------------------------


class Scripted:
    """A game whose frames take as long as a test says, with one player who goes to the right."""

    def __init__(self, kernel: ScriptedKernel, *computing: float) -> None:
        self.kernel = kernel
        self.begun: list[float] = []
        """When frames began, in steps since the beginning."""
        self._begin = kernel.now
        self._computing = list(computing)
        self.reactor = Reactor(kernel=kernel)
        self.game = Game(self.reactor, "127.0.0.1:0")
        self.player = self.game.players[1] = Player(self.game)
        self.player.point.x, self.player.point.going = 0, COMMANDS[b"right"]
        self._frame = self.game.frame
        self.game.frame = self._compute  # type: ignore[method-assign]

    def _compute(self, missed: int) -> None:
        self.begun.append((self.kernel.now - self._begin) * RATE)
        self._frame(missed)
        self.kernel.now += self._computing.pop(0) / RATE
        if not self._computing:
            del self.game.players[1]
            self.game.stop()

    @property
    def steps(self) -> float:
        return self.player.point.x / SPEED


@pytest.fixture
def scripted() -> Iterator[Callable[..., Scripted]]:
    with ExitStack() as ends:

        def play(*computing: float, ready: tuple[float, ...] = ()) -> Scripted:
            """Frames that take so many steps of time; the first ticks of the network end after so many."""
            kernel = ScriptedKernel()
            for after in ready:
                kernel.report(after=after / RATE)
            it = Scripted(kernel, *computing)
            ends.callback(it.reactor.close)
            with within(DEADLINE):
                it.game.play()
            return it

        yield play


def test_frames_are_on_a_grid_and_the_time_between_them_is_slept(scripted: Callable[..., Scripted]) -> None:
    it = scripted(*[0.25] * 6)
    assert it.begun == pytest.approx([1, 2, 3, 4, 5, 6])
    assert [(timeout or 0) * RATE for timeout in it.kernel.timeouts[:6]] == pytest.approx([1, *[0.75] * 5])
    assert (it.steps, it.game.frames, it.game.late, it.game.dropped) == (6, 6, 0, 0)


def test_what_the_network_says_takes_nothing_from_a_frame(scripted: Callable[..., Scripted]) -> None:
    it = scripted(*[0.25] * 3, ready=(0.2, 0.3, 0.5, 0.7, 0.01))
    assert it.begun == pytest.approx([1, 2, 3])
    slept = [(timeout or 0) * RATE for timeout in it.kernel.timeouts[:6]]
    assert slept == pytest.approx([1, 0.8, 0.5, 0.75, 0.05, 0.04])


def test_a_frame_that_is_not_a_whole_step_late_is_not_late(scripted: Callable[..., Scripted]) -> None:
    it = scripted(0.1, 1.9, 0.1, 0.1)
    assert it.begun == pytest.approx([1, 2, 3.9, 4])
    assert (it.steps, it.game.late, it.game.dropped) == (4, 0, 0)


def test_steps_that_were_missed_are_caught_up(scripted: Callable[..., Scripted]) -> None:
    it = scripted(0.1, MOST_STEPS + 0.5, 0.1, 0.1)
    assert it.begun == pytest.approx([1, 2, MOST_STEPS + 2.5, MOST_STEPS + 3])
    assert (it.steps, it.game.late, it.game.dropped) == (MOST_STEPS + 3, 1, 0)


def test_of_very_many_missed_steps_few_are_caught_up_and_the_others_dropped(scripted: Callable[..., Scripted]) -> None:
    it = scripted(0.1, 1000.5, 0.1, 0.1)
    assert it.begun == pytest.approx([1, 2, 1002.5, 1003])
    assert (it.steps, it.game.late, it.game.dropped) == (1 + 1 + MOST_STEPS + 1, 1, 1000 - MOST_STEPS)


def test_a_game_that_is_always_too_slow_hears_its_players_in_every_frame(scripted: Callable[..., Scripted]) -> None:
    it = scripted(*[3.5] * 20)
    assert it.kernel.timeouts[1:20] == [0.0] * 19
    assert it.game.late == 19 and it.game.dropped == 0
    assert it.steps == int(it.begun[-1])


# --- One tick of the network ------------------------------------------------------------------------------------------


def test_a_tick_brings_a_few_lines_of_each_player_however_many_are_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    received: list[Player] = []
    monkeypatch.setattr(Player, "frame_received", lambda player, _: received.append(player))
    with Reactor() as reactor, ExitStack() as ends:
        game = Game(reactor, "127.0.0.1:0")
        socks = [ends.enter_context(connected(game.server.addresses[0])) for _ in range(5)]
        for sock in socks:
            sock.sendall(b"up\n" * 5_000)
        while len(received) < 5 * 5_000:
            before = len(received)
            reactor.run_once()
            brought = received[before:]
            assert all(brought.count(player) <= 10 for player in game.players.values())


def test_who_comes_when_the_game_is_full_waits_for_somebody_to_leave() -> None:
    with Reactor() as reactor, ExitStack() as ends:
        game = Game(reactor, "127.0.0.1:0")
        socks = [ends.enter_context(connected(game.server.addresses[0])) for _ in range(MOST_PLAYERS + 1)]
        while len(game.players) < MOST_PLAYERS:
            reactor.run_once()
        reactor.run_once(0)
        assert len(game.players) == MOST_PLAYERS
        socks[3].close()
        while MOST_PLAYERS + 1 not in game.players:
            reactor.run_once()
        assert 4 not in game.players and len(game.players) == MOST_PLAYERS


def test_the_state_of_a_full_and_very_old_game_is_a_line() -> None:
    with Reactor() as reactor:
        game = Game(reactor, "127.0.0.1:0")
        for number in range(MOST_PLAYERS):
            game.players[10**9 + number] = Player(game)
        game.frame(0)
        state = b"  ".join(b"%d:59,19" % number for number in game.players)
        assert Player.codec.encode(state) == state + b"\n"
        game.players.clear()


# --- In the simulation ------------------------------------------------------------------------------------------------


class Watching(FramedProtocol[bytes]):
    """A player at the other end of a simulated network."""

    codec = LineCodec(4096)

    def __init__(self, host: Host) -> None:
        self.host = host
        self.heard: list[str] = []
        self.ended: BaseException | str | None = "not yet"
        connect(host.reactor, lambda: self, "server:9000", options=ConnectionOptions(write_timeout=None))

    def frame_received(self, frame: bytes) -> None:
        self.heard.append(frame.decode())

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self.ended = exc

    @property
    def states(self) -> list[str]:
        return [line for line in self.heard if not line.startswith("*")]

    def stop_reading(self) -> None:
        assert self.transport is not None
        self.transport.pause_reading()

    def says_later(self, when: float, *words: bytes) -> None:
        for word in words:
            self.host.reactor.call_later(when, self.send, word)


class Arena:
    """A game in a simulation, whose loop is run by itself; and the most that it had to keep for one player."""

    def __init__(self, sim: Simulation, players: int) -> None:
        self.sim = sim
        self.server = sim.host("server", "10.0.0.1")
        self.reactor = Reactor(kernel=self.server.kernel)
        self.errors = Errors(self.reactor)
        self.game = Game(self.reactor, "10.0.0.1:9000")
        self.most_kept = 0
        self.players = [Watching(sim.host(f"player{number}", receive_buffer=4096)) for number in range(players)]
        self._frame = self.game.frame
        self.game.frame = self._watched  # type: ignore[method-assign]

    def _watched(self, missed: int) -> None:
        self._frame(missed)
        for connection in self.game.server.connections:
            self.most_kept = max(self.most_kept, connection.get_write_buffer_size())

    def play(self, seconds: float) -> None:
        self.sim.call_at(seconds, self.server.signal, signal.SIGTERM)
        self.game.play()
        self.reactor.close()
        self.sim.run_for(20)
        assert self.errors == []


@pytest.mark.parametrize("profile", PROFILES)
def test_all_players_end_with_the_same_world_and_the_goodbye(profile: Profile) -> None:
    def match(sim: Simulation) -> None:
        arena = Arena(sim, 4)
        for number, player in enumerate(arena.players):
            player.says_later(3, b"left")
            player.says_later(4 + number, b"down")
            player.says_later(8, b"up", b"nonsense", b"stop")
        arena.play(15)
        final = {player.states[-1] for player in arena.players}
        assert len(final) == 1 and len(final.pop().split()) == 4
        for player in arena.players:
            assert player.heard[-1] == GOODBYE and player.ended is None
        assert arena.game.server.ended == {"clean": 4}
        assert arena.game.frames + arena.game.late <= 15 * RATE + 1

    check(match, seeds=range(5), profile=profile)


def test_while_nothing_changes_nothing_is_sent() -> None:
    with Simulation() as sim:
        arena = Arena(sim, 1)
        arena.play(10)
    assert arena.players[0].heard == ["* you are 1; say left, right, up, down, stop", "1:30,10", GOODBYE]


def test_a_player_that_stops_reading_is_dropped_and_costs_nobody_a_state() -> None:
    def played(*, one_stops: bool) -> tuple[Arena, list[str]]:
        with Simulation() as sim:
            arena = Arena(sim, 3)
            moving, watching, slow = arena.players
            for second in range(2, 200):
                moving.says_later(second, b"left" if second % 2 else b"right")
            if one_stops:
                sim.call_at(2.0, slow.stop_reading)
            arena.play(200)
        states = [state.removesuffix("  3:30,10") for state in watching.states]
        return arena, [state for state, _ in itertools.groupby(states)]

    arena, seen = played(one_stops=True)
    assert seen == played(one_stops=False)[1]
    assert arena.game.server.ended == {"clean": 2, "WriteTimeoutError": 1}
    assert 0 < arena.most_kept < 100
    assert (arena.game.frames, arena.game.late) == (200 * RATE, 0)


def test_a_player_that_reads_slowly_sees_fewer_states_in_their_order_and_the_last_one() -> None:
    with Simulation() as sim:
        arena = Arena(sim, 12)
        slow, quick, *_ = arena.players
        slow.host.pace = 1.0
        for number, player in enumerate(arena.players):
            for second in range(2, 60, 4):
                player.says_later(second + number / 29, b"left")
                player.says_later(second + 2 + number / 29, b"right")
        arena.play(80)
        states = iter(quick.states)
        assert all(state in states for state in slow.states if state.count(":") == 12)
        assert slow.states[-1] == quick.states[-1]
        assert len(slow.states) < len(quick.states) * 0.9
        assert 0 < arena.most_kept < 300
        assert arena.game.server.ended == {"clean": 12}


def test_who_asks_and_never_reads_is_ended_at_a_limit() -> None:
    with Simulation() as sim:
        arena = Arena(sim, 2)
        fine, rude = arena.players
        sim.call_at(2.0, rude.stop_reading)
        for tenth in range(30, 100):
            rude.says_later(tenth / 10, *[b"what?"] * 100)
        arena.play(20)
    assert arena.game.server.ended == {"clean": 1, "SendBufferFullError": 1}
    assert arena.most_kept <= 4096
    assert fine.ended is None and fine.heard[-1] == GOODBYE
