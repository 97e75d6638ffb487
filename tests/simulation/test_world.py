from __future__ import annotations

from reactor.simulation import CALM
from reactor.simulation.choices import ScheduledChoices
from reactor.simulation.world import World


def world(*, tracing: bool) -> World:
    return World(ScheduledChoices([("short_read", 2, 3)], 0), CALM, tracing=tracing)


def test_the_story_has_what_was_noted_and_each_fault_with_its_moment() -> None:
    here = world(tracing=True)
    assert here.strike("short_read", 0.0, "server", 1, 9) is None
    here.clock.advance(2.5)
    assert here.strike("short_read", 0.0, "server", 1, 9) == 3
    here.note("client", "crashed")
    assert here.trace == [(2.5, "server", "short_read", 3), (2.5, "client", "crashed", None)]
    assert str(here.trace) == "2.500000000 server * short_read 3\n2.500000000 client crashed"


def test_who_does_not_ask_for_the_story_has_the_same_faults_and_no_lines() -> None:
    here = world(tracing=False)
    assert [here.strike("short_read", 0.0, "server", 1, 9) for _ in range(3)] == [None, 3, None]
    here.note("client", "crashed")
    assert here.trace == []
