"""The kit itself: a promise that is broken, a byte that is leaked, an error that is swallowed must not pass.

In the simulated worlds neither: time that is virtual and faults that are invented must hide nothing.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from reactor.loop import Phase
from reactor.simulation import CALM, Simulation
from tests.conformance.differences import DIFFERENCES, markdown
from tests.conformance.premises import WITHOUT_LOSS
from tests.conformance.recorder import Recorder
from tests.conformance.test_conformance import CASES
from tests.conformance.world import Limits, StalledError, UnexpectedError, World, expect
from tests.conformance.worlds import PROFILES, WORLDS, NetworkWorld


@pytest.fixture(params=["reactor", "simulation-calm", "simulation-hostile", "simulation-hostile-loopback"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with WORLDS[request.param]("") as world:
        yield world


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


@pytest.mark.parametrize("name", ["reactor", "simulation-calm", "simulation-calm-loopback"])
def test_a_leaked_descriptor_fails(name: str) -> None:
    with pytest.raises(AssertionError, match="descriptors leaked"), WORLDS[name](""):
        leaked = os.open(os.devnull, os.O_RDONLY)
    os.close(leaked)


@pytest.mark.parametrize("of", ["server", "client"])
def test_a_simulated_descriptor_that_was_leaked_fails(of: str) -> None:
    with (
        pytest.raises(AssertionError, match="descriptors leaked"),
        Simulation() as simulation,
        closing(NetworkWorld(simulation)),
    ):
        simulation.hosts[of].kernel.socket(socket.AF_INET, socket.SOCK_STREAM)


def test_settling_brings_what_is_on_its_way(world: World) -> None:
    near, far = world.pair()
    near.transport.write(b"on its way")
    far.transport.write_eof()
    world.settle()
    assert far.received == b"on its way"
    assert near.saw("eof_received")


@pytest.mark.parametrize("profile", PROFILES)
def test_settling_does_not_reach_a_deadline(profile: str) -> None:
    with WORLDS[f"simulation-{profile}"]("") as world:
        near, far = world.pair(limits=Limits(idle_timeout=0.05))
        for _ in range(3):
            far.transport.write(b"x")
            world.settle()
        assert not near.over
        world.run_until(lambda: near.over)


def test_each_case_has_the_same_run_in_each_run() -> None:
    def run(case: str) -> list[str]:
        with WORLDS["simulation-hostile"](case) as world:
            near, far = world.pair()
            near.transport.write(bytes(200_000))
            world.run_until(lambda: len(far.received) == 200_000)
            return [*near.events, *far.events, str(world.time())]

    assert run("one") == run("one") != run("another")


def test_a_failing_case_says_how_to_repeat_it() -> None:
    with pytest.raises(AssertionError) as caught, WORLDS["simulation-hostile"]("") as world:
        world.pair()
        raise AssertionError("something is wrong")
    assert any("seed=" in note for note in caught.value.__notes__)


def test_a_callback_is_called_by_the_loop_that_it_comes_from() -> None:
    with Simulation() as simulation, closing(NetworkWorld(simulation)) as world:
        loops: list[str] = []

        def note_the_loop() -> None:
            for name, host in simulation.hosts.items():
                if host.reactor.phase is Phase.DISPATCHING:
                    loops.append(name)

        near, _far = world.pair(far=Recorder(data_received=lambda me, data: world.call_soon(note_the_loop)))
        world.call_soon(note_the_loop)
        near.transport.write(b"to the client")
        world.run_until(lambda: len(loops) == 2)
        assert loops == ["server", "client"]


@pytest.mark.parametrize("name", WITHOUT_LOSS)
def test_what_a_case_takes_for_granted_is_needed(name: str) -> None:
    (case,) = (case for case in CASES if case.name == name)

    def fails(seed: int) -> bool:
        try:
            with (
                Simulation(seed, profile=CALM.but(loss=0.4)) as simulation,
                closing(NetworkWorld(simulation, near_connects=True)) as world,
            ):
                case.run(world)
                world.check()
        except AssertionError:
            return True
        return False

    assert any(fails(seed) for seed in range(100))


def test_what_is_seen_instead_is_kept_for_the_comparison() -> None:
    with pytest.raises(UnexpectedError) as caught:
        expect("this", "that")
    assert caught.value.seen == "this"


def test_the_table_has_a_row_for_each_difference() -> None:
    rows = markdown().splitlines()
    assert len(rows) == len(DIFFERENCES) + 2
    assert all(row.count("|") == 4 for row in rows)
