from __future__ import annotations

import errno
import sys

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from reactor.buffering import Budget, SendBuffer, send_buffer
from reactor.errors import BudgetExceededError

BUDGET = 60


class Kernel:
    """A socket's `send`: takes the given numbers of bytes, one a call, then everything; a given error is raised."""

    def __init__(self, *answers: int | OSError) -> None:
        self.answers = list(answers)
        self.offered: list[bytes | memoryview] = []
        self.received = b""

    def send(self, data: bytes | memoryview) -> int:
        assert len(data), "an empty send would say nothing about the kernel's buffer"
        self.offered.append(data)
        answer = self.answers.pop(0) if self.answers else len(data)
        if isinstance(answer, OSError):
            raise answer
        taken = bytes(data[:answer])
        self.received += taken
        return len(taken)


def chunks() -> st.SearchStrategy[bytes]:
    return st.binary(max_size=15)


class SendBufferAgainstBytes(RuleBasedStateMachine):
    """A send buffer is a plain `bytes` object that loses from its front what the kernel took."""

    @initialize(small=st.sampled_from([1, 4, 100]), most_joined=st.sampled_from([1, 10, 1000]))
    def start(self, small: int, most_joined: int) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(send_buffer, "SMALL", small)
        self.patch.setattr(send_buffer, "MOST_JOINED", most_joined)
        self.budget = Budget(BUDGET)
        self.buffer = SendBuffer(self.budget)
        self.model = b""

    def teardown(self) -> None:
        if hasattr(self, "buffer"):
            assert self.buffer.clear() == len(self.model)
            assert self.buffer.size == self.budget.used == 0
            self.patch.undo()

    @rule(data=chunks(), kind=st.sampled_from([bytes, bytearray, memoryview]))
    def append(self, data: bytes, kind: type[bytes]) -> None:
        if len(self.model) + len(data) > BUDGET:
            with pytest.raises(BudgetExceededError):
                self.buffer.append(kind(data))
        else:
            self.model += data
            assert self.buffer.append(kind(data)) == len(self.model)

    @rule(
        answers=st.lists(
            st.integers(0, 20) | st.sampled_from([BlockingIOError(), InterruptedError(), ConnectionResetError()]),
            max_size=5,
        )
    )
    def send_to(self, answers: list[int | OSError]) -> None:
        kernel = Kernel(*answers)
        try:
            emptied = self.buffer.send_to(kernel.send)
        except ConnectionResetError:
            pass
        else:
            assert emptied is (self.buffer.size == 0)
        assert self.model.startswith(kernel.received)
        self.model = self.model[len(kernel.received) :]

    @rule()
    def clear(self) -> None:
        assert self.buffer.clear() == len(self.model)
        self.model = b""

    @invariant()
    def the_size_is_right_and_the_budget_knows_it(self) -> None:
        if hasattr(self, "buffer"):
            assert self.buffer.size == len(self.buffer) == self.budget.used == len(self.model)


TestSendBufferAgainstBytes = SendBufferAgainstBytes.TestCase
TestSendBufferAgainstBytes.settings = settings(deadline=None, max_examples=200, stateful_step_count=30)


def test_an_empty_buffer_is_a_small_object_without_a_queue() -> None:
    buffer = SendBuffer()
    assert sys.getsizeof(buffer) <= 72
    buffer.append(b"x")
    assert buffer._later is None
    buffer.send_to(Kernel().send)
    assert buffer._head == b""


def test_there_is_no_queue_any_more_after_several_chunks_have_left() -> None:
    buffer = SendBuffer()
    for chunk in [b"x" * send_buffer.SMALL] * 3:
        buffer.append(chunk)
    assert buffer._later is not None
    assert buffer.send_to(Kernel().send)
    assert buffer._later is None


def test_sending_from_an_empty_buffer_does_not_call_the_kernel() -> None:
    kernel = Kernel()
    assert SendBuffer().send_to(kernel.send)
    assert kernel.offered == []


def test_one_chunk_that_the_kernel_takes_is_offered_once_and_as_the_same_object() -> None:
    data = b"x" * 1000
    kernel = Kernel()
    buffer = SendBuffer()
    buffer.append(data)
    assert buffer.send_to(kernel.send)
    assert len(kernel.offered) == 1
    assert kernel.offered[0] is data


def test_a_thousand_small_chunks_leave_in_one_call() -> None:
    kernel = Kernel()
    buffer = SendBuffer()
    for index in range(1000):
        buffer.append(b"%d," % index)
    assert buffer.send_to(kernel.send)
    assert kernel.offered == [b"".join(b"%d," % index for index in range(1000))]


def test_no_more_is_joined_than_fits_into_one_send() -> None:
    kernel = Kernel()
    buffer = SendBuffer()
    count = 2 * (send_buffer.MOST_JOINED // 1000) + 1
    for chunk in [b"x" * 1000] * count:
        buffer.append(chunk)
    assert buffer.send_to(kernel.send)
    assert max(map(len, kernel.offered)) <= send_buffer.MOST_JOINED
    assert len(kernel.offered) == 3
    assert len(kernel.received) == count * 1000


def test_a_large_chunk_is_never_copied() -> None:
    large = b"x" * send_buffer.SMALL
    kernel = Kernel()
    buffer = SendBuffer()
    for chunk in [b"small", b"small", large, b"small"]:
        buffer.append(chunk)
    assert buffer.send_to(kernel.send)
    assert [len(offer) for offer in kernel.offered] == [10, len(large), 5]
    assert kernel.offered[1] is large


def test_what_the_kernel_left_of_a_large_chunk_is_offered_without_a_copy() -> None:
    large = b"x" * 100_000
    kernel = Kernel(40_000)
    buffer = SendBuffer()
    for chunk in [large, b"behind"]:
        buffer.append(chunk)
    assert not buffer.send_to(kernel.send)
    assert buffer.send_to(kernel.send)
    rest = kernel.offered[1]
    assert isinstance(rest, memoryview)
    assert rest.obj is large
    assert len(rest) == 60_000
    assert kernel.received == large + b"behind"


def test_a_small_rest_does_not_keep_a_large_chunk_alive() -> None:
    buffer = SendBuffer()
    buffer.append(b"x" * 100_000)
    buffer.send_to(Kernel(99_990).send)
    assert buffer._head == b"x" * 10
    assert type(buffer._head) is bytes


def test_a_short_send_means_full_and_saves_the_call_that_would_be_refused() -> None:
    kernel = Kernel(3)
    buffer = SendBuffer()
    buffer.append(b"abcdef")
    assert not buffer.send_to(kernel.send)
    assert len(kernel.offered) == 1
    assert buffer.size == 3


@pytest.mark.parametrize("refusal", [BlockingIOError(), InterruptedError()])
def test_a_refused_send_means_full_and_changes_nothing(refusal: OSError) -> None:
    kernel = Kernel(refusal)
    buffer = SendBuffer()
    buffer.append(b"abcdef")
    assert not buffer.send_to(kernel.send)
    assert buffer.size == 6
    assert buffer.send_to(kernel.send)
    assert kernel.received == b"abcdef"


def test_an_error_of_the_kernel_is_passed_on_with_what_left_before_it_no_longer_counted() -> None:
    large = b"x" * send_buffer.SMALL
    reset = ConnectionResetError(errno.ECONNRESET, "reset")
    buffer = SendBuffer()
    for chunk in [large, large, large]:
        buffer.append(chunk)
    with pytest.raises(ConnectionResetError) as caught:
        buffer.send_to(Kernel(len(large), reset).send)
    assert caught.value is reset
    assert buffer.size == 2 * len(large)


def test_what_was_written_is_never_aliased() -> None:
    kernel = Kernel()
    buffer = SendBuffer()
    data = bytearray(b"abc")
    assert buffer.append(data) == 3
    data[0] = 0
    buffer.send_to(kernel.send)
    assert kernel.received == b"abc"


def test_what_is_not_bytes_like_is_refused_by_name() -> None:
    buffer = SendBuffer()
    with pytest.raises(TypeError, match="str"):
        buffer.append("def")  # type: ignore[arg-type]
    assert buffer.size == 0


def test_the_representation_tells_the_size() -> None:
    buffer = SendBuffer()
    buffer.append(b"abc")
    assert repr(buffer) == "<SendBuffer of 3 bytes>"
