"""The line that shows how much has gone each way, at a clock that is moved by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest

from reactor import Reactor
from reactor.cli.progress import Progress, in_units

CLEARED = "\r\x1b[K"


class Clock:
    """As much of a reactor as a progress asks for."""

    def __init__(self) -> None:
        self.now = 100.0
        self.looks: list[Callable[[], object]] = []
        self.cancelled = 0

    def time(self) -> float:
        return self.now

    def call_every(self, interval: float, callback: Callable[[], object]) -> Clock:
        self.looks.append(callback)
        return self

    def cancel(self) -> None:
        self.cancelled += 1

    def advance(self, seconds: float) -> None:
        self.now += seconds
        for look in self.looks:
            look()


class World:
    """A progress, its clock, what has been carried, and what is on the screen since the last look at it."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.clock = Clock()
        self.carried = (0, 0)
        self.progress = Progress(cast(Reactor, self.clock), lambda: self.carried)
        self._capsys = capsys

    def shown(self) -> str:
        out, err = self._capsys.readouterr()
        assert out == ""
        return err


@pytest.fixture
def world(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr("os.isatty", lambda descriptor: True)
    return World(capsys)


def test_it_shows_what_has_gone_each_way_and_the_rates_since_the_last_look(world: World) -> None:
    world.progress.start()
    world.carried = (2048, 500)
    world.clock.advance(2)
    assert world.shown() == f"{CLEARED}sent 2.0 KiB, 1.0 KiB/s; received 500 B, 250 B/s"
    world.carried = (2048, 800)
    world.clock.advance(1)
    assert world.shown() == f"{CLEARED}sent 2.0 KiB, 0 B/s; received 800 B, 300 B/s"


def test_it_does_not_touch_the_screen_while_there_is_nothing_new(world: World) -> None:
    world.progress.start()
    world.clock.advance(1)
    assert world.shown() == f"{CLEARED}sent 0 B, 0 B/s; received 0 B, 0 B/s"
    world.clock.advance(1)
    assert world.shown() == ""


def test_it_makes_way_for_output_and_waits_for_the_end_of_its_line(world: World) -> None:
    world.progress.start()
    world.clock.advance(1)
    world.shown()
    world.progress.make_way(b"one\ntw")
    assert world.shown() == CLEARED
    world.clock.advance(1)
    assert world.shown() == ""
    world.progress.make_way(b"o\n")
    world.clock.advance(1)
    assert world.shown() == f"{CLEARED}sent 0 B, 0 B/s; received 0 B, 0 B/s"


def test_in_the_end_the_sums_remain_on_a_line_of_their_own(world: World) -> None:
    world.progress.start()
    world.carried = (0, 3000)
    world.clock.now += 3
    world.progress.make_way(b"tw")
    world.progress.conclude()
    assert world.shown() == "\nsent 0 B, 0 B/s; received 2.9 KiB, 1.0 KiB/s\n"
    assert world.clock.cancelled == 1


def test_it_shows_nothing_if_it_was_not_asked_for(world: World) -> None:
    world.progress.make_way(b"hello")
    world.progress.conclude()
    assert (world.shown(), world.clock.looks) == ("", [])


def test_it_shows_nothing_if_standard_error_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    world = World(capsys)
    world.progress.start()
    world.progress.conclude()
    assert (world.shown(), world.clock.looks) == ("", [])


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (999.4, "999 B"),
        (1000, "1.0 KiB"),
        (1024, "1.0 KiB"),
        (1024**2, "1.0 MiB"),
        (1.5 * 1024**3, "1.5 GiB"),
        (1024**4, "1.0 TiB"),
        (5000 * 1024**4, "5000.0 TiB"),
    ],
)
def test_a_number_of_bytes_is_shown_in_a_unit_that_keeps_it_short(size: float, shown: str) -> None:
    assert in_units(size) == shown
