"""The table of a connection's life: complete, and with one way out."""

from __future__ import annotations

from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.network.states import CLOSING, DELIVERING, DISCARDING, TRANSITIONS, WRITABLE, Event, State

events = st.lists(st.sampled_from(Event), max_size=30)


def walk(sequence: list[Event]) -> list[State]:
    states = [State.OPEN]
    for event in sequence:
        states.append(TRANSITIONS[states[-1], event])
    return states


def test_every_event_is_defined_in_every_state_and_nothing_else_is() -> None:
    assert set(TRANSITIONS) == set(product(State, Event))


@pytest.mark.parametrize("event", Event)
def test_what_is_closed_stays_closed(event: Event) -> None:
    assert TRANSITIONS[State.CLOSED, event] is State.CLOSED


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", [Event.ABORT, Event.LOST])
def test_an_abort_or_a_lost_peer_closes_from_everywhere(state: State, event: Event) -> None:
    assert TRANSITIONS[state, event] is State.CLOSED


@pytest.mark.parametrize("state, event", list(product(State, Event)))
def test_an_event_that_comes_twice_changes_nothing_the_second_time(state: State, event: Event) -> None:
    once = TRANSITIONS[state, event]
    if once is State.DRAINING and event is Event.FLUSHED:
        assert TRANSITIONS[once, event] is State.DRAINING
    elif event not in (Event.PEER_EOF, Event.PEER_EOF_KEPT):  # a peer ends once
        assert TRANSITIONS[once, event] is once


@given(events)
def test_a_connection_is_closed_at_most_once(sequence: list[Event]) -> None:
    states = walk(sequence)
    entered = [now for before, now in pairwise(states) if now is not before]
    assert entered.count(State.CLOSED) <= 1


@given(events)
def test_who_is_closing_never_opens_again(sequence: list[Event]) -> None:
    closing = [state in CLOSING for state in walk(sequence)]
    assert closing == sorted(closing)


@given(events)
def test_a_half_that_has_ended_stays_ended(sequence: list[Event]) -> None:
    states = walk(sequence)
    writable = [state in WRITABLE for state in states]
    delivering = [state in DELIVERING for state in states]
    assert writable == sorted(writable, reverse=True)
    assert delivering == sorted(delivering, reverse=True)


def test_close_flushing_and_the_peers_end_lead_out_of_every_state() -> None:
    for state in State:
        for event in (Event.CLOSE, Event.FLUSHED, Event.PEER_EOF, Event.FLUSHED):
            state = TRANSITIONS[state, event]  # noqa: PLW2901
        assert state is State.CLOSED


def test_the_groups_of_states_fit_together() -> None:
    assert {State.OPEN, State.PEER_ENDED} == WRITABLE
    assert not DELIVERING & DISCARDING
    assert not DELIVERING & CLOSING
    assert DISCARDING < CLOSING
    assert set(State) == WRITABLE | DELIVERING | CLOSING


def test_output_that_waits_holds_back_our_own_end() -> None:
    # ENDED and DRAINING are entered by FLUSHED alone: they are where the FIN goes out.
    for (before, event), after in TRANSITIONS.items():
        if after in (State.ENDED, State.DRAINING) and before is not after and before is not State.ENDED:
            assert event is Event.FLUSHED


def test_without_an_abort_both_halves_have_ended_before_the_descriptor_is_closed() -> None:
    # A descriptor that is closed earlier answers what still comes with a reset, which destroys what we have sent.
    ends = {step for step, after in TRANSITIONS.items() if after is State.CLOSED and step[0] is not State.CLOSED}
    assert {(state, event) for state, event in ends if event not in (Event.ABORT, Event.LOST)} == {
        (State.ENDED, Event.PEER_EOF),
        (State.ENDED, Event.PEER_EOF_KEPT),
        (State.DRAINING, Event.PEER_EOF),
        (State.DRAINING, Event.PEER_EOF_KEPT),
        (State.FINISHING, Event.FLUSHED),
    }


def test_input_is_discarded_only_until_the_peers_end() -> None:
    for state in DISCARDING:
        assert TRANSITIONS[state, Event.PEER_EOF] not in DISCARDING
