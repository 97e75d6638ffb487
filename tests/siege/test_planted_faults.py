"""The siege finds the faults that are planted in the engine: what it would not find, it does not guard."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.siege.planted import FAULTS, AnchorError, Fault, Hunt, hunt_all, plant

# Which interpreter runs the engine makes no difference to what the siege finds in it.
PLANTED = FAULTS if sys.version_info[:2] == (3, 13) else FAULTS[:3]


@pytest.fixture(scope="module")
def hunts() -> dict[str, Hunt]:
    """All of them at once: two processes are busy for half a minute."""
    return {found.fault.name: found for found in hunt_all(PLANTED)}


@pytest.mark.parametrize("name", [fault.name for fault in PLANTED])
def test_the_siege_finds(name: str, hunts: dict[str, Hunt]) -> None:
    found = hunts[name]

    assert found.seed, f"{found.seeds} sieges did not notice that {found.fault.breaks}"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_has_its_place_in_the_source(fault: Fault, tmp_path: Path) -> None:
    plant(fault, tmp_path)


def test_a_place_that_is_gone_is_an_error(tmp_path: Path) -> None:
    fault = Fault("none", "nothing", (("loop/timers.py", "no such line", ""),))

    with pytest.raises(AnchorError, match=r"none: reactor/loop/timers\.py has 0 times"):
        plant(fault, tmp_path)
