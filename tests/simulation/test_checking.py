from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reactor import DeadlockError, SimulationTimeoutError
from reactor.simulation import CALM, HOSTILE, LOSSY_WIFI, Faults, Link, Profile, Simulation, check, checking
from tests.simulation.kit import SERVER, connected, converse

SPLITTING = CALM.but(short_write=0.3, latency=0.2)


def one_send_is_one_receive(sim: Simulation) -> None:
    """The mistake: twenty messages, each of which is believed to be one `recv`."""
    server = sim.host("server", SERVER)
    near, far = connected(sim, sim.host("client"), server)
    for _ in range(20):
        near.send(b"hello, server")
        sim.run_for(1)
        assert far.recv(100) == b"hello, server"


def a_correct_conversation(sim: Simulation) -> None:
    caller = converse(sim, sim.host("client"), sim.host("server"), [b"hello\n"] * 20)
    assert caller.data == b"hello\n" * 20


def failure_of(test: Callable[[Simulation], object], **arguments: Any) -> BaseException:
    with pytest.raises(Exception) as caught:
        check(test, **arguments)
    return caught.value


def notes_of(error: BaseException) -> list[str]:
    return list(getattr(error, "__notes__", []))


def again(error: BaseException) -> Simulation:
    """The simulation that the last note describes."""
    line = notes_of(error)[-1]
    assert line.startswith("again: ")
    names = {"Simulation": Simulation, "CALM": CALM, "LOSSY_WIFI": LOSSY_WIFI, "HOSTILE": HOSTILE}
    found = eval(line.removeprefix("again: "), {**names, "Profile": Profile, "Link": Link, "Faults": Faults})
    assert isinstance(found, Simulation)
    return found


def test_a_test_that_holds_is_run_with_each_seed() -> None:
    seeds: list[int] = []

    def test(sim: Simulation) -> None:
        seeds.append(sim.seed)
        assert sim.profile is LOSSY_WIFI

    check(test, seeds=[3, 1, 4], profile=LOSSY_WIFI)
    assert seeds == [3, 1, 4]


def test_without_seeds_and_profile_a_hundred_hostile_ones_are_tried() -> None:
    seeds: list[tuple[int, bool]] = []
    check(lambda sim: seeds.append((sim.seed, sim.profile is HOSTILE)))
    assert seeds == [(seed, True) for seed in range(100)]


def test_a_correct_program_holds_under_all_seeds() -> None:
    check(a_correct_conversation, seeds=range(20))


def test_the_mistake_that_one_send_is_one_receive_is_found_and_shortened_to_one_fault() -> None:
    error = failure_of(one_send_is_one_receive)
    assert isinstance(error, AssertionError)
    assert len(again(error).choices._values) == 1  # type: ignore[attr-defined]


def test_the_notes_say_what_failed_what_is_needed_and_how_to_have_it_again() -> None:
    error = failure_of(one_send_is_one_receive, seeds=[7, 8], profile=SPLITTING)
    notes = notes_of(error)
    seed, what, strike, repeat = notes
    assert seed.startswith("simulation with seed=7 at ")
    assert "of its " in what
    assert what.startswith("failed with seed 7, number 1 of those tried; ")
    lines = strike.splitlines()
    assert "client * short_write 1" in lines[0]
    assert "client send(" in lines[1]
    assert repeat.startswith(f"again: Simulation(seed=7, profile={SPLITTING!r}, schedule=[('short_write', ")


def test_the_number_of_seeds_tried_is_told() -> None:
    def test(sim: Simulation) -> None:
        assert sim.seed != 12

    error = failure_of(test, seeds=range(10, 20))
    assert "failed with seed 12, number 3 of those tried; none of its 0 faults is needed:" in notes_of(error)


def test_the_run_that_the_notes_describe_fails_in_the_same_way() -> None:
    error = failure_of(one_send_is_one_receive, profile=SPLITTING)
    repeated = again(error)
    with pytest.raises(AssertionError):
        one_send_is_one_receive(repeated)
    assert len(repeated.struck) == 1


@pytest.mark.parametrize(("profile", "name"), [(CALM, "CALM"), (LOSSY_WIFI, "LOSSY_WIFI"), (HOSTILE, "HOSTILE")])
def test_a_ready_made_profile_is_told_by_its_name(profile: Profile, name: str) -> None:
    error = failure_of(lambda sim: sim.run(until=lambda: False), profile=profile, seeds=[0])
    assert f"profile={name}, " in notes_of(error)[-1]


def test_two_faults_that_are_needed_together_are_both_kept_at_their_mildest() -> None:
    def test(sim: Simulation) -> None:
        server = sim.host("server", SERVER)
        near, far = connected(sim, sim.host("client"), server)
        cut = 0
        for _ in range(30):
            near.send(b"x" * 50)
            sim.run_for(1)
            cut += len(far.recv(50)) < 50
            sim.run_for(1)
            while far.readiness() & 1:
                far.recv(1)
        assert cut < 2

    repeated = again(failure_of(test, profile=CALM.but(short_read=0.4)))
    strikes = repeated.choices._values  # type: ignore[attr-defined]
    assert len(strikes) == 2
    assert set(strikes.values()) == {1}


def test_only_runs_that_fail_in_the_same_way_count_as_shorter() -> None:
    def test(sim: Simulation) -> None:
        host = sim.host("a")
        for _ in range(10):
            sim.choices.strike("short_read", sim.profile.faults.short_read)
        if not sim.struck:
            raise KeyError("another failure")
        if len(sim.struck) < 3:
            raise DeadlockError("yet another one")
        raise ValueError(host.name)

    error = failure_of(test, profile=CALM.but(short_read=0.9))
    assert isinstance(error, ValueError)
    assert len(again(error).choices._values) == 3  # type: ignore[attr-defined]


def test_a_failure_that_cannot_be_had_again_is_told_as_it_was() -> None:
    calls: list[Simulation] = []

    def test(sim: Simulation) -> None:
        calls.append(sim)
        one = sim.choices.strike("short_read", 1.0)
        assert one is not None
        if len(calls) == 1:
            raise ValueError("only this once")

    error = failure_of(test, profile=CALM.but(short_read=1.0), seeds=[5])
    assert str(error) == "only this once"
    assert any("seed 5" in note for note in notes_of(error))
    assert again(error).seed == 5


def test_a_failure_that_needs_no_fault_at_all_says_so() -> None:
    def test(sim: Simulation) -> None:
        one_send_is_one_receive_with_faults(sim)
        raise SimulationTimeoutError("too late in any case")

    def one_send_is_one_receive_with_faults(sim: Simulation) -> None:
        for _ in range(20):
            sim.choices.strike("short_read", sim.profile.faults.short_read)

    error = failure_of(test)
    assert any("none of its" in note and "faults is needed" in note for note in notes_of(error))
    assert notes_of(error)[-1] == "again: Simulation(seed=0, profile=HOSTILE, schedule=[])"


def test_the_last_call_is_the_simplest_run_with_its_trace() -> None:
    runs: list[Simulation] = []

    def test(sim: Simulation) -> None:
        runs.append(sim)
        one_send_is_one_receive(sim)

    failure_of(test, profile=SPLITTING)
    assert len(runs[-1].struck) == 1
    assert [bool(run.trace) for run in runs] == [False] * (len(runs) - 1) + [True]


def test_simplifying_takes_a_bounded_number_of_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "_MOST_RUNS", 5)
    runs: list[Simulation] = []

    def test(sim: Simulation) -> None:
        runs.append(sim)
        for _ in range(200):
            sim.choices.strike("short_read", 1.0)
        assert len(sim.struck) < 150

    failure_of(test, profile=CALM.but(short_read=1.0))
    assert len(runs) == 1 + 5 + 1


def test_an_interrupted_check_stops_at_once() -> None:
    def test(sim: Simulation) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check(test)
