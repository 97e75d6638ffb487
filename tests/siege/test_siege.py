"""The engine under siege, for a minute. `python3 -m tests.siege --seeds N` does it for as long as you like."""

from __future__ import annotations

import sys

import pytest

from tests.siege.world import STEPS, besiege

# The engine is the same everywhere: one interpreter gets the long siege, the others a few for what is theirs.
SEEDS = 300 if sys.version_info[:2] == (3, 13) else 20
BLOCK = 20


@pytest.mark.parametrize("first", range(1, SEEDS + 1, BLOCK))
def test_the_engine_stands_every_siege(first: int) -> None:
    for seed in range(first, first + BLOCK):
        outcome = besiege(seed)
        story = "\n".join(outcome.story)
        assert not outcome.failure, (
            f"seed {seed}, step {outcome.steps}: {outcome.failure}\n{story}\n"
            f"again: python3 -m tests.siege --first {seed} --seeds 1 --steps {STEPS}"
        )


def test_a_seed_repeats_its_siege() -> None:
    one, other = besiege(7), besiege(7)

    assert (one.ticks, one.story) == (other.ticks, other.story)
    assert one.story != besiege(8).story
