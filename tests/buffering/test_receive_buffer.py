from __future__ import annotations

import re

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from reactor.buffering import Budget, ReceiveBuffer
from reactor.errors import BudgetExceededError, MisuseError, OptionError, ReceiveBufferFullError

LIMIT = 40
BUDGET = 30
DELIMITERS: list[bytes | re.Pattern[bytes]] = [b"a", b"ab", b"aba", re.compile(b"ab|b"), re.compile(b"bb")]


def data(max_size: int = 16) -> st.SearchStrategy[bytes]:
    return st.lists(st.sampled_from(b"ab"), max_size=max_size).map(bytes)


class ReceiveBufferAgainstBytes(RuleBasedStateMachine):
    """A receive buffer does what a plain `bytes` object would do, and keeps its books."""

    def __init__(self) -> None:
        super().__init__()
        self.budget = Budget(BUDGET)
        self.buffer = ReceiveBuffer(LIMIT, self.budget)
        self.unlimited = ReceiveBuffer()
        self.model = b""

    @rule(data=data(), kind=st.sampled_from([bytes, bytearray, memoryview]))
    def feed(self, data: bytes, kind: type[bytes]) -> None:
        if len(self.model) + len(data) > BUDGET:
            expected = ReceiveBufferFullError if len(self.model) + len(data) > LIMIT else BudgetExceededError
            with pytest.raises(expected):
                self.buffer.feed(kind(data))
        else:
            self.buffer.feed(kind(data))
            self.unlimited.feed(data)
            self.model += data

    @rule(delimiter=st.sampled_from(DELIMITERS))
    def find(self, delimiter: bytes | re.Pattern[bytes]) -> None:
        if isinstance(delimiter, bytes):
            expected = self.model.find(delimiter)
            assert self.buffer.find(delimiter) == expected
        else:
            match = delimiter.search(self.model)
            expected = match.start() if match else -1
            assert self.buffer.find(delimiter, longest=2) == expected

    @rule(n=st.integers(-1, LIMIT), offset=st.integers(0, LIMIT))
    def peek(self, n: int, offset: int) -> None:
        end = len(self.model) if n == -1 else offset + n
        peeked = self.buffer.peek(n, offset)
        assert type(peeked) is bytes
        assert peeked == self.model[offset:end]

    @precondition(lambda self: self.model)
    @rule(draw=st.data())
    def take(self, draw: st.DataObject) -> None:
        n = draw.draw(st.integers(0, len(self.model)))
        assert self.buffer.take(n) == self.unlimited.take(n) == self.model[:n]
        self.model = self.model[n:]

    @rule(draw=st.data())
    def skip(self, draw: st.DataObject) -> None:
        n = draw.draw(st.integers(0, len(self.model)))
        self.buffer.skip(n)
        self.unlimited.skip(n)
        self.model = self.model[n:]

    @rule(more=st.integers(1, 5))
    def skip_more_than_there_is(self, more: int) -> None:
        with pytest.raises(MisuseError):
            self.buffer.skip(len(self.model) + more)

    @rule()
    def take_all(self) -> None:
        assert self.buffer.take_all() == self.unlimited.take_all() == self.model
        self.model = b""

    @rule()
    def clear(self) -> None:
        self.buffer.clear()
        self.unlimited.clear()
        self.model = b""

    @invariant()
    def the_size_is_right_and_the_budget_knows_it(self) -> None:
        assert self.buffer.size == len(self.buffer) == self.budget.used == len(self.model)
        assert self.unlimited.size == len(self.model)

    @invariant()
    def no_more_is_kept_than_twice_what_is_held(self) -> None:
        assert len(self.buffer._data) <= 2 * len(self.model)


TestReceiveBufferAgainstBytes = ReceiveBufferAgainstBytes.TestCase
TestReceiveBufferAgainstBytes.settings = settings(deadline=None, max_examples=150, stateful_step_count=40)


def test_the_first_bytes_are_kept_and_handed_out_without_a_copy() -> None:
    data = b"x" * 1000
    buffer = ReceiveBuffer()
    buffer.feed(data)
    assert buffer.peek() is data
    assert buffer.take_all() is data


def test_a_bytearray_can_be_changed_after_it_was_fed() -> None:
    data = bytearray(b"abc")
    buffer = ReceiveBuffer()
    buffer.feed(data)
    data[0] = 0
    assert buffer.take_all() == b"abc"


def test_a_small_rest_does_not_keep_a_large_object_alive() -> None:
    buffer = ReceiveBuffer()
    buffer.feed(b"x" * 100_000)
    buffer.skip(99_990)
    assert len(buffer._data) == 10


def test_after_everything_was_consumed_nothing_is_held() -> None:
    buffer = ReceiveBuffer()
    for _ in range(3):
        buffer.feed(b"x" * 1000)
    buffer.skip(3000)
    assert buffer._data == b""
    assert type(buffer._data) is bytes


def test_a_delimiter_is_found_although_it_was_cut_anywhere() -> None:
    stream = b"xx\r\n\r\nyy"
    for cut in range(len(stream)):
        buffer = ReceiveBuffer()
        buffer.feed(stream[:cut])
        buffer.find(b"\r\n\r\n")
        buffer.feed(stream[cut:])
        assert buffer.find(b"\r\n\r\n") == 2


def test_what_was_searched_is_not_searched_again() -> None:
    buffer = ReceiveBuffer()
    looked_at = 0
    for _ in range(1000):
        buffer.feed(b"x")
        looked_at += buffer.size - buffer._searched
        assert buffer.find(b"\r\n") == -1
    assert looked_at == 2 * 1000 - 1  # each byte, and again the one before it, which might have been a "\r"


def test_searching_another_delimiter_starts_from_the_front() -> None:
    buffer = ReceiveBuffer()
    buffer.feed(b"a,b;c")
    assert buffer.find(b";") == 3
    assert buffer.find(b",") == 1


def test_an_empty_delimiter_is_refused() -> None:
    buffer = ReceiveBuffer()
    with pytest.raises(MisuseError):
        buffer.find(b"")
    with pytest.raises(MisuseError):
        buffer.find(re.compile(b"a"))


def test_the_limit_is_named_when_it_is_reached() -> None:
    buffer = ReceiveBuffer(limit=10)
    buffer.feed(b"x" * 10)
    with pytest.raises(ReceiveBufferFullError, match=r"\b11 bytes .* \b10 bytes"):
        buffer.feed(b"x")
    assert buffer.size == 10


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(OptionError):
        ReceiveBuffer(limit=0)


def test_the_representation_tells_the_size() -> None:
    buffer = ReceiveBuffer()
    buffer.feed(b"abc")
    assert repr(buffer) == "<ReceiveBuffer of 3 bytes>"
