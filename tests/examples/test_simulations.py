"""The two examples that simulate: as a user runs them, and under conditions that they do not show."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from examples.find_the_split import Adding, AddingLines, conversation
from examples.heartbeat import BACKOFF
from reactor.simulation import CALM, HOSTILE, LOSSY_WIFI, Profile, Simulation, check
from tests.cli.program import run

ONE_BYTE_FIRST = ([("short_read", 1, 1)], [("short_write", 1, 1)])
"""What makes two events of one: either end's kernel takes the request in two pieces. Which is found first is chance."""

# --- find_the_split ---------------------------------------------------------------------------------------------------


def test_find_the_split_shows_the_failure_its_two_events_and_the_repair() -> None:
    status, out, err = run("examples.find_the_split")
    assert (status, err) == (0, "")
    assert "AssertionError: 12 + 30 = b'1'\n" in out
    assert any(f"schedule={schedule})\n" in out for schedule in ONE_BYTE_FIRST)
    story = out.partition("all that the server read")[2].splitlines()
    assert [line.partition(" = ")[2] for line in story if " server recv(" in line] == ["1 b'1'", "5 b'2 30\\n'"]
    assert out.endswith("the same hundred seeds: every sum is right.\n")


def test_what_is_left_of_all_that_went_wrong_fails_again() -> None:
    runs: list[Simulation] = []

    def recorded(sim: Simulation) -> None:
        runs.append(sim)
        conversation(sim, Adding)

    with pytest.raises(AssertionError, match="= b'1'"):
        check(recorded)
    found = runs[-1]
    assert found.struck in ONE_BYTE_FIRST
    with pytest.raises(AssertionError, match="= b'1'"):
        conversation(Simulation(found.seed, profile=HOSTILE, schedule=found.struck), Adding)


def test_hypothesis_finds_the_split_and_makes_it_as_short() -> None:
    runs: list[Simulation] = []

    # Without its phase `explain`, which traces every line and takes longer than all the rest.
    @settings(derandomize=True, database=None, deadline=None, phases=[Phase.generate, Phase.shrink])
    @given(data=st.data())
    def a_sum_is_right(data: st.DataObject) -> None:
        runs.append(Simulation(data=data, profile=HOSTILE))
        with runs[-1] as sim:
            conversation(sim, Adding)

    with pytest.raises(AssertionError, match="12 \\+ 30 = b'1'"):
        a_sum_is_right()
    assert runs[-1].struck in ONE_BYTE_FIRST


@settings(max_examples=50, deadline=None)
@given(data=st.data(), profile=st.sampled_from([CALM, LOSSY_WIFI, HOSTILE]))
def test_the_repaired_server_survives_what_hypothesis_can_think_of(data: st.DataObject, profile: Profile) -> None:
    with Simulation(data=data, profile=profile) as sim:
        conversation(sim, AddingLines)


# --- reconnecting_client ----------------------------------------------------------------------------------------------


def story(*seed: str) -> list[tuple[float, str]]:
    """What is told, and when."""
    status, out, err = run("examples.reconnecting_client", *seed)
    assert (status, err) == (0, "")
    return [(float(line.split()[0]), line.split("s  ", 1)[1]) for line in out.splitlines()]


def test_reconnecting_client_tells_its_story_in_virtual_time() -> None:
    happened = story()
    assert [when for when, _ in happened] == sorted(when for when, _ in happened)
    course = [re.sub(r".*; again in .*", "failed", re.sub(r"^over .*: ", "over: ", what)) for _, what in happened]
    assert [what for what, _ in itertools.groupby(course)] == [
        "connected",
        "* the server's machine loses its power",
        "over: silent for idle_timeout=5.0 s",
        "failed",
        "* it is back",
        "connected",
        "* the server's program is killed",
        "over: an ordinary end",
        "failed",
        "* it is started again",
        "connected",
        "* the client is told to end",
        "over: an ordinary end",
    ]
    for failed, outage in itertools.groupby(happened, lambda what: "; again in " in what[1]):
        longest = BACKOFF.initial  # that pause was before the first failure
        for _, what in outage if failed else ():
            longest = BACKOFF.next(longest)
            pause = float(what.rpartition("; again in ")[2].removesuffix(" s"))
            assert longest * (1 - BACKOFF.jitter) <= pause <= longest


def test_reconnecting_client_tells_another_story_for_another_seed_and_the_same_for_the_same() -> None:
    assert story("0") == story() == story("0")
    assert story("1") != story("0")


def test_a_seed_that_is_none_is_one_line() -> None:
    assert run("examples.reconnecting_client", "x") == (1, "", "reconnecting_client: a seed is a number, not 'x'\n")
