"""The kit itself: a promise that is broken, a byte that is leaked, an error that is swallowed must not pass."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.conformance.differences import DIFFERENCES, markdown
from tests.conformance.recorder import Recorder
from tests.conformance.world import StalledError, UnexpectedError, World, expect
from tests.conformance.worlds import WORLDS


@pytest.fixture
def world() -> Iterator[World]:
    world = WORLDS["reactor"]()
    yield world
    world.close()


def diary(*events: str) -> Recorder:
    recorder = Recorder()
    recorder.events.extend(events)
    return recorder


def test_a_proper_life_passes() -> None:
    diary("connection_made", "pause_writing", "resume_writing", "eof_received", "connection_lost").check()


@pytest.mark.parametrize(
    "events",
    [
        ("data_received", "connection_made", "connection_lost"),
        ("connection_made", "connection_made", "connection_lost"),
        ("connection_made", "connection_lost", "connection_lost"),
        ("connection_made", "connection_lost", "data_received"),
        ("connection_made",),
        ("connection_made", "eof_received", "eof_received", "connection_lost"),
        ("connection_made", "pause_writing", "pause_writing", "connection_lost"),
    ],
)
def test_a_broken_promise_is_found(events: tuple[str, ...]) -> None:
    with pytest.raises(AssertionError):
        diary(*events).check()


def test_a_callback_inside_another_one_is_found() -> None:
    recorder = Recorder(data_received=lambda me, data: me.connection_lost(None))
    recorder.connection_made(None)
    recorder.data_received(b"x")
    with pytest.raises(AssertionError, match="connection_lost was called from inside data_received"):
        recorder.check()


def test_input_that_is_not_bytes_is_found() -> None:
    recorder = Recorder()
    recorder.connection_made(None)
    recorder.data_received(bytearray(b"x"))  # type: ignore[arg-type]
    recorder.connection_lost(None)
    with pytest.raises(AssertionError, match="bytearray"):
        recorder.check()


def test_waiting_in_vain_fails_with_the_story_so_far(world: World) -> None:
    world.pair()
    world.patience = 0.01
    with pytest.raises(StalledError, match="connection_made"):
        world.run_until(lambda: False)


def test_an_error_that_nobody_expected_fails(world: World) -> None:
    world.call_soon(lambda: 1 // 0)
    world.run_until(lambda: world.errors)
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        world.check()


def test_a_leaked_descriptor_fails() -> None:
    world = WORLDS["reactor"]()
    leaked = os.open(os.devnull, os.O_RDONLY)
    try:
        with pytest.raises(AssertionError, match=f"leaked: \\[{leaked}\\]"):
            world.close()
    finally:
        os.close(leaked)


def test_what_is_seen_instead_is_kept_for_the_comparison() -> None:
    with pytest.raises(UnexpectedError) as caught:
        expect("this", "that")
    assert caught.value.seen == "this"


def test_the_table_has_a_row_for_each_difference() -> None:
    rows = markdown().splitlines()
    assert len(rows) == len(DIFFERENCES) + 2
    assert all(row.count("|") == 4 for row in rows)
