"""The conformance kit, run: every case in every world."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance import (
    cases_closing,
    cases_failures,
    cases_half_close,
    cases_lifecycle,
    cases_pressure,
    cases_reactor_only,
    cases_reading,
    cases_reentrance,
    cases_stream,
    cases_switching,
)
from tests.conformance.case import Case, cases_of
from tests.conformance.differences import AGREES, DIFFERENCES, STALLED, listed, markdown
from tests.conformance.world import StalledError, UnexpectedError, World
from tests.conformance.worlds import WORLDS

CASES = list(
    cases_of(
        (
            cases_lifecycle,
            cases_stream,
            cases_pressure,
            cases_reading,
            cases_half_close,
            cases_closing,
            cases_failures,
            cases_reentrance,
            cases_switching,
            cases_reactor_only,
        )
    )
)

PATIENCE_FOR_A_STALL = 0.3  # seconds; a stall is what is expected, so it need not be waited for as long

README = Path(__file__).parents[2] / "README.md"


def pairs() -> list[object]:
    """Each case with each world that has what the case is about."""
    return [
        pytest.param(case, world, id=f"{case.name}-{world}")
        for case in CASES
        for world in WORLDS
        if not (case.reactor_only and world.startswith("asyncio"))
    ]


def outcome(case: Case, world: World) -> object:
    """Run `case`, and return `AGREES`, or what was seen instead of what the reactor promises."""
    try:
        case.run(world)
    except UnexpectedError as unexpected:
        return unexpected.seen
    except StalledError:
        return STALLED
    world.check()
    return AGREES


@pytest.mark.parametrize("case, world_name", pairs())
def test_every_world_keeps_the_promises(case: Case, world_name: str) -> None:
    difference = listed(case.name) if world_name.startswith("asyncio") else None
    with WORLDS[world_name](case.name) as world:
        if difference is None:
            case.run(world)
            world.check()
        else:
            if STALLED in difference.seen:
                world.patience = PATIENCE_FOR_A_STALL
            assert outcome(case, world) in difference.seen


def test_every_case_says_in_a_sentence_what_it_tests() -> None:
    assert [case.name for case in CASES if not case.sentence.endswith(".")] == []


def test_every_listed_difference_is_shown_by_a_case() -> None:
    names = [name for difference in DIFFERENCES for name in difference.cases]
    assert set(names) <= {case.name for case in CASES if not case.reactor_only}
    assert all(difference.cases for difference in DIFFERENCES)


def test_the_readme_has_the_table_of_differences() -> None:
    _before, _marker, rest = README.read_text(encoding="utf-8").partition("<!-- differences -->\n")
    table, _marker, _after = rest.partition("<!-- /differences -->")
    assert table.strip() == markdown()
