from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from reactor import DeadlockError, OptionError, SimulationTimeoutError
from reactor.simulation import CALM, HOSTILE, LOSSY_WIFI, Profile, Simulation, check, checking
from tests.simulation.kit import SERVER, again, connected, converse, notes_of, schedule_again, simulation_again, tcp

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
    assert len(schedule_again(error)) == 1


def test_the_notes_say_what_failed_what_is_needed_and_how_to_have_it_again() -> None:
    error = failure_of(one_send_is_one_receive, seeds=[7, 8], profile=SPLITTING)
    when, what, strike, end, repeat = notes_of(error)
    assert re.fullmatch(r"at \d+\.\d+ s of virtual time", when)
    assert repeat.startswith(f"again: Simulation(seed=7, profile={SPLITTING!r}, schedule=[('short_write', ")
    assert re.fullmatch(r"failed with seed 7, number 1 of those tried; of its \d+ faults, 1 will do:", what)
    lines = strike.splitlines()
    assert lines[0].endswith(" client * short_write 1")
    assert lines[1].endswith(" client send(1000000, 1) = 1 b'h'")
    assert end.startswith("how it ended:\n  ")
    assert end.endswith(" server recv(1000001, 100) = 1 b'h'")


def test_the_number_of_seeds_tried_is_told() -> None:
    def test(sim: Simulation) -> None:
        assert sim.seed != 12

    error = failure_of(test, seeds=range(10, 20))
    assert "failed with seed 12, number 3 of those tried, without any of its faults" in notes_of(error)


def test_the_run_that_the_notes_describe_fails_in_the_same_way() -> None:
    error = failure_of(one_send_is_one_receive, profile=SPLITTING)
    repeated = simulation_again(error)
    with pytest.raises(AssertionError):
        one_send_is_one_receive(repeated)
    assert len(repeated.struck) == 1


@pytest.mark.parametrize(("profile", "name"), [(CALM, "CALM"), (LOSSY_WIFI, "LOSSY_WIFI"), (HOSTILE, "HOSTILE")])
def test_a_ready_made_profile_is_told_by_its_name(profile: Profile, name: str) -> None:
    error = failure_of(lambda sim: sim.run(until=lambda: False), profile=profile, seeds=[0])
    assert f"profile={name}, " in again(error)


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

    strikes = schedule_again(failure_of(test, profile=CALM.but(short_read=0.4)))
    assert [(kind, value) for kind, _, value in strikes] == [("short_read", 1)] * 2


def test_only_runs_that_fail_in_the_same_way_count_as_shorter() -> None:
    def test(sim: Simulation) -> None:
        host = sim.host("a")
        for _ in range(10):
            sim.world.choices.strike("short_read", sim.profile.faults.short_read)
        if not sim.struck:
            raise KeyError("another failure")
        if len(sim.struck) < 3:
            raise DeadlockError("yet another one")
        raise ValueError(host.name)

    error = failure_of(test, profile=CALM.but(short_read=0.9))
    assert isinstance(error, ValueError)
    assert len(schedule_again(error)) == 3


def test_a_failure_that_does_not_come_again_is_told_as_it_was_and_not_shortened() -> None:
    runs: list[Simulation] = []

    def test(sim: Simulation) -> None:
        runs.append(sim)
        for _ in range(30):
            sim.world.choices.strike("short_read", sim.profile.faults.short_read)
        if len(runs) == 1:
            raise ValueError("only this once")

    error = failure_of(test, seeds=[5])
    assert str(error) == "only this once"
    assert len(runs) == 2
    assert runs[1].struck == runs[0].struck != []
    notes = notes_of(error)
    assert notes[-1].startswith("failed with seed 5, number 1 of those tried, and not when that was repeated")
    assert "random, the real clock" in notes[-1]
    assert not any("will do" in note or "how it ended" in note for note in notes)
    assert again(error) == "Simulation(seed=5, profile=HOSTILE)"


def test_a_failure_that_comes_again_in_another_way_is_told_as_it_was() -> None:
    runs: list[Simulation] = []

    def test(sim: Simulation) -> None:
        runs.append(sim)
        raise ValueError("first") if len(runs) == 1 else KeyError("second")

    error = failure_of(test)
    assert str(error) == "first"
    assert "not when that was repeated" in notes_of(error)[-1]


def test_a_failure_that_is_gone_when_it_is_to_be_explained_is_told_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    def test(sim: Simulation) -> None:
        sim.world.choices.strike("short_read", 1.0)
        if not sim.world.tracing:
            raise ValueError("unless somebody looks")

    error = failure_of(test)
    assert str(error) == "unless somebody looks"
    assert "not when that was repeated" in notes_of(error)[-1]


def test_how_it_ended_shows_the_last_lines_of_all_hosts() -> None:
    def test(sim: Simulation) -> None:
        for number in range(10):
            sim.world.note("a" if number % 2 else "b", f"did {number}")
        raise ValueError

    end = notes_of(failure_of(test))[-2]
    assert end.splitlines() == ["how it ended:", *(f"  0.000000000 {'ba'[n % 2]} did {n}" for n in range(4, 10))]


def test_what_follows_a_fault_that_strikes_no_call_is_not_shown_with_it() -> None:
    def test(sim: Simulation) -> None:
        host = sim.host("a")
        times: list[float] = []
        host.reactor.call_soon(lambda: times.append(sim.time()))
        host.reactor.call_soon(tcp, host)
        sim.run()
        assert times == [0.0]

    notes = notes_of(failure_of(test, profile=CALM.but(stall=1.0)))
    assert "  0.000000000 a * stall 1" in notes


def test_without_seeds_nothing_would_be_tried_and_that_is_refused() -> None:
    with pytest.raises(OptionError, match="no seeds"):
        check(a_correct_conversation, seeds=[])
    with pytest.raises(OptionError, match="no seeds"):
        check(a_correct_conversation, seeds=iter(()))


def test_a_coroutine_function_would_not_run_and_is_refused() -> None:
    async def test(sim: Simulation) -> None:
        raise AssertionError("nobody awaits this")

    for function in (test, partial(test)):
        with pytest.raises(OptionError, match="asynchronous"):
            check(function)


def test_a_failure_that_needs_no_fault_at_all_says_so() -> None:
    def test(sim: Simulation) -> None:
        one_send_is_one_receive_with_faults(sim)
        raise SimulationTimeoutError("too late in any case")

    def one_send_is_one_receive_with_faults(sim: Simulation) -> None:
        for _ in range(20):
            sim.world.choices.strike("short_read", sim.profile.faults.short_read)

    error = failure_of(test)
    assert again(error) == "Simulation(seed=0, profile=HOSTILE, schedule=[])"
    assert "failed with seed 0, number 1 of those tried, without any of its faults" in notes_of(error)


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
            sim.world.choices.strike("short_read", 1.0)
        assert len(sim.struck) < 150

    failure_of(test, profile=CALM.but(short_read=1.0))
    assert len(runs) == 1 + 1 + 5 + 1  # the failure, the same again, with fewer faults, and with its trace


def test_an_interrupted_check_stops_at_once() -> None:
    def test(sim: Simulation) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check(test)
