from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reactor.simulation.byte_queue import ByteQueue


@given(st.lists(st.one_of(st.binary(max_size=20), st.integers(-1, 30))))
def test_bytes_come_out_in_the_order_in_which_they_went_in_whatever_the_pieces(steps: list[bytes | int]) -> None:
    queue, model = ByteQueue(), b""
    for step in steps:
        if isinstance(step, bytes):
            queue.append(step)
            model += step
        else:
            size = max(0, step)
            assert queue.take(step) == model[:size]
            model = model[size:]
        assert queue.size == len(model)


def test_a_cleared_queue_is_empty_and_can_be_used_again() -> None:
    queue = ByteQueue()
    queue.append(b"old")
    queue.clear()
    assert (queue.size, queue.take(10)) == (0, b"")
    queue.append(b"new")
    assert (queue.size, queue.take(10)) == (3, b"new")
