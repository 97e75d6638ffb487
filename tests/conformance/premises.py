"""What some cases take for granted, though no kernel promises it: the one list of it.

A `recv` may return a single byte of what has arrived, and a `send` may take a single byte though there is room. The
kernels of real machines do so only under pressure, and a case may be easier to read if it relies on that. In a
simulation whose profile does it all the time, these cases run without the faults that contradict their premise, and
with all the others.
"""

from __future__ import annotations

from dataclasses import dataclass

from reactor.simulation import Profile

__all__ = ["PREMISES", "Premise", "without_what_contradicts"]


@dataclass(frozen=True, slots=True)
class Premise:
    """A property of calm kernels, the faults that contradict it, and the cases that rely on it."""

    sentence: str
    faults: tuple[str, ...]
    cases: tuple[str, ...]


PREMISES: tuple[Premise, ...] = (
    Premise(
        "A message of a few bytes arrives in one piece: `data_received` is called once for it.",
        faults=("short_read", "short_write"),
        cases=(
            "connection_made_is_first_and_connection_lost_last",
            "every_kind_of_bytes_can_be_written[data_received]",
            "what_was_written_is_the_callers_again[data_received]",
            "text_is_refused[data_received]",
            "writing_nothing_sends_nothing[data_received]",
            "writes_from_everywhere_keep_their_order",
            "what_a_callback_writes_leaves_when_it_returns",
            "a_thousand_small_writes_arrive_as_one_stream[data_received]",
            "a_callbacks_only_write_goes_behind_what_waits",
            "the_end_of_the_stream_waits_for_a_paused_reader",
            "a_mistake_costs_nobody_else_anything",
            "pause_reading_inside[data_received]",
            "a_write_that_fails_inside_a_callback_is_the_end[write_eof]",
            "the_next_data_goes_to_the_new_protocol",
            "a_chunk_is_delivered_to_one_protocol",
            "a_buffered_protocol_can_hand_over_inside_its_callback",
            "a_budget_that_is_used_up_is_one_end[write_eof]",
            "input_given_back_comes_again",
            "input_given_back_waits_for_a_paused_reader",
            "input_given_back_goes_to_the_protocol_in_place[Recorder]",
            "input_given_back_goes_to_the_protocol_in_place[BufferedRecorder]",
            "a_buffered_protocol_gets_it_back_in_pieces",
            "a_gathered_burst_within_the_kernels_room_is_not_too_much",
        ),
    ),
    Premise(
        "`send` takes as much as the kernel has room for.",
        faults=("short_write", "refused_write"),
        cases=(
            "a_high_mark_of_zero_pauses_at_the_first_waiting_byte",
            "a_gathered_burst_within_the_kernels_room_is_not_too_much",
        ),
    ),
    Premise(
        "Both ends hear of a connection that one of them aborts at once: the handshake's last segment was not lost.",
        faults=("loss",),
        cases=("a_mistake_ends_the_connection_with_itself[connection_made]", "abort_inside[connection_made]"),
    ),
)


def without_what_contradicts(case: str, profile: Profile) -> Profile:
    """`profile` without the faults that contradict what `case` takes for granted."""
    return profile.but(**{fault: 0.0 for premise in PREMISES if case in premise.cases for fault in premise.faults})
