"""The engine under siege, for a minute. `python3 -m tests.siege --seeds N` does it for as long as you like."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator

import pytest

from reactor.network.connection import Connection
from reactor.network.states import Event, State
from tests.siege.world import STEPS, besiege

# The engine is the same everywhere: one interpreter gets the long siege, the others a few for what is theirs.
SEEDS = 300 if sys.version_info[:2] == (3, 13) else 20
BLOCK = 20

NEVER = {
    (State.OPEN, Event.FLUSHED),  # is not told: see Connection.flushed
    (State.PEER_ENDED, Event.PEER_EOF),  # a stream ends once, and in these states it has
    (State.PEER_ENDED, Event.PEER_EOF_KEPT),
    (State.FINISHING, Event.PEER_EOF),
    (State.FINISHING, Event.PEER_EOF_KEPT),
    (State.FLUSHING, Event.PEER_EOF_KEPT),  # nobody is asked any more
    (State.DRAINING, Event.PEER_EOF_KEPT),
}
"""What cannot happen to a connection that is not closed."""


@pytest.fixture(scope="module")
def happened() -> Iterator[Counter[tuple[State, Event]]]:
    """How often which event came in which state."""
    count: Counter[tuple[State, Event]] = Counter()
    feed = Connection._feed

    def counted(self: Connection, event: Event, reason: BaseException | None = None) -> None:
        count[self.state, event] += 1
        feed(self, event, reason)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Connection, "_feed", counted)
        yield count


besieged: list[int] = []

@pytest.mark.parametrize("first", range(1, SEEDS + 1, BLOCK))
def test_the_engine_stands_every_siege(first: int, happened: Counter[tuple[State, Event]]) -> None:
    besieged.append(first)
    for seed in range(first, first + BLOCK):
        outcome = besiege(seed)
        story = "\n".join(outcome.story)
        assert not outcome.failure, (
            f"seed {seed}, step {outcome.steps}: {outcome.failure}\n{story}\n"
            f"again: python3 -m tests.siege --first {seed} --seeds 1 --steps {STEPS}"
        )


def test_everything_that_can_happen_to_a_connection_has_happened(happened: Counter[tuple[State, Event]]) -> None:
    if len(besieged) < 300 // BLOCK:
        pytest.skip("takes all of the sieges")

    missing = {
        (state, event)
        for state in State
        for event in Event
        if state is not State.CLOSED and not happened[state, event] and (state, event) not in NEVER
    }

    assert not missing


def test_a_seed_repeats_its_siege() -> None:
    one, other = besiege(7), besiege(7)

    assert (one.ticks, one.story) == (other.ticks, other.story)
    assert one.story != besiege(8).story
