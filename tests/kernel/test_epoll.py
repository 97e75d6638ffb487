"""Our selector, with the standard library's as the model: the same operations have the same results."""

from __future__ import annotations

import os
import select
import selectors
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.loop.kit import READ, WRITE, a_pipe

if not hasattr(select, "epoll"):
    pytest.skip("epoll is Linux's", allow_module_level=True)

from reactor.kernel.epoll import LeanEpollSelector

PAIRS = 3


class TheLeanSelectorAnswersAsTheStandardLibrarys(RuleBasedStateMachine):
    """Both watch the ends of the same socket pairs."""

    def __init__(self) -> None:
        super().__init__()
        self.pairs = [list(socket.socketpair()) for _ in range(PAIRS)]
        for pair in self.pairs:
            for end in pair:
                end.setblocking(False)
        self.lean: selectors.BaseSelector = LeanEpollSelector()
        self.model: selectors.BaseSelector = selectors.EpollSelector()

    def teardown(self) -> None:
        self.lean.close()
        self.model.close()
        for pair in self.pairs:
            for end in pair:
                end.close()

    def both(self, operation: Callable[[selectors.BaseSelector], Any]) -> Any:
        outcomes = []
        for selector in (self.lean, self.model):
            try:
                outcomes.append(operation(selector))
            except (KeyError, OSError) as exc:
                outcomes.append(type(exc))
        assert outcomes[0] == outcomes[1]
        return outcomes[0]

    ends = st.tuples(st.integers(0, PAIRS - 1), st.integers(0, 1))
    events = st.sampled_from([READ, WRITE, READ | WRITE])

    @rule(end=ends, events=events, data=st.integers(), number=st.booleans())
    def register(self, end: tuple[int, int], events: int, data: int, number: bool) -> None:
        fileobj: Any = self.pairs[end[0]][end[1]]
        if number:
            fileobj = fileobj.fileno()
        self.both(lambda selector: selector.register(fileobj, events, data))

    @rule(end=ends, events=events, data=st.integers())
    def modify(self, end: tuple[int, int], events: int, data: int) -> None:
        number = self.pairs[end[0]][end[1]].fileno()
        self.both(lambda selector: selector.modify(number, events, data)[1:])

    @rule(end=ends)
    def unregister(self, end: tuple[int, int]) -> None:
        number = self.pairs[end[0]][end[1]].fileno()
        self.both(lambda selector: selector.unregister(number))

    @rule(end=ends)
    def ask_for_the_key(self, end: tuple[int, int]) -> None:
        fileobj = self.pairs[end[0]][end[1]]
        self.both(lambda selector: selector.get_key(fileobj))

    @rule(end=ends, size=st.sampled_from([1, 1 << 20]))
    def send(self, end: tuple[int, int], size: int) -> None:
        try:
            self.pairs[end[0]][end[1]].send(bytes(size))
        except OSError:
            pass  # full, or hung up

    @rule(end=ends)
    def receive_all(self, end: tuple[int, int]) -> None:
        try:
            while self.pairs[end[0]][end[1]].recv(1 << 20):
                pass
        except OSError:
            pass

    @rule(end=ends)
    def hang_up(self, end: tuple[int, int]) -> None:
        try:
            self.pairs[end[0]][end[1]].shutdown(socket.SHUT_WR)
        except OSError:
            pass

    @rule(end=ends)
    def replace_a_pair_that_was_closed_without_a_word(self, end: tuple[int, int]) -> None:
        numbers = [sock.fileno() for sock in self.pairs[end[0]]]
        for sock in self.pairs[end[0]]:
            sock.close()
        for number in numbers:
            self.both(lambda selector, number=number: selector.unregister(number)[1:])  # type: ignore[misc]
        self.pairs[end[0]] = list(socket.socketpair())
        for sock in self.pairs[end[0]]:
            sock.setblocking(False)

    @rule(timeout=st.sampled_from([0, -1, 0.0, 0.0001]))
    def select(self, timeout: float) -> None:
        def ready(selector: selectors.BaseSelector) -> list[tuple[int, int, Any]]:
            return sorted((key.fd, mask, key.data) for key, mask in selector.select(timeout))

        self.both(ready)

    @invariant()
    def both_watch_the_same(self) -> None:
        assert {fd: key[1:] for fd, key in self.lean.get_map().items()} == {
            key.fd: key[1:] for key in self.model.get_map().values()
        }


TestTheLeanSelectorAnswersAsTheStandardLibrarys = TheLeanSelectorAnswersAsTheStandardLibrarys.TestCase
TestTheLeanSelectorAnswersAsTheStandardLibrarys.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None
)


def test_a_hang_up_counts_as_what_was_asked_for() -> None:
    for events in (READ, WRITE, READ | WRITE):
        ours, theirs = socket.socketpair()
        selector = LeanEpollSelector()
        with ours:
            selector.register(ours, events)
            theirs.close()
            [(key, mask)] = selector.select()
            assert (key.fileobj, mask) == (ours, events)
            selector.close()


def test_a_hang_up_without_anything_else_counts_as_both() -> None:
    selector = LeanEpollSelector()
    with a_pipe() as (reading, writing):
        selector.register(reading, READ | WRITE)
        os.close(writing)
        assert [mask for _, mask in selector.select()] == [READ | WRITE]
        selector.close()


def test_an_error_on_a_pipe_counts_as_writable() -> None:
    selector = LeanEpollSelector()
    with a_pipe() as (reading, writing):
        selector.register(writing, WRITE)
        os.close(reading)
        assert [mask for _, mask in selector.select()] == [WRITE]
        selector.close()


def test_a_descriptor_unregistered_while_another_thread_waits_is_not_reported() -> None:
    """Between the kernel's answer and the look at it there is room for the other thread; here it is made wide."""
    selector = LeanEpollSelector()
    ours, theirs = socket.socketpair()
    with ours, theirs, a_pipe() as (reading, writing):
        theirs.send(b"x")
        os.write(writing, b"x")
        selector.register(ours, READ, "ours")
        selector.register(reading, READ, "pipe")
        poll = selector._poll

        def poll_and_unregister(timeout: float | None, limit: int) -> list[tuple[int, int]]:
            ready = poll(timeout, limit)
            selector.unregister(ours)
            return ready

        selector._poll = poll_and_unregister  # type: ignore[assignment]
        assert [(key.data, mask) for key, mask in selector.select(0)] == [("pipe", READ)]
        selector.close()


def test_an_interrupted_wait_reports_nothing() -> None:
    selector = LeanEpollSelector()

    def interrupted(timeout: float | None, limit: int) -> list[tuple[int, int]]:
        raise InterruptedError

    selector._poll = interrupted  # type: ignore[assignment]
    assert selector.select(None) == []
    selector.close()


def test_a_wait_without_end_ends_with_the_first_event() -> None:
    selector = LeanEpollSelector()
    with a_pipe() as (reading, writing):
        selector.register(reading, READ)
        waker = threading.Thread(target=os.write, args=(writing, b"x"))
        waker.start()
        assert [key.fd for key, _ in selector.select(None)] == [reading]
        waker.join()
        selector.close()


def test_a_wait_ends_at_its_time_when_nothing_is_watched() -> None:
    selector = LeanEpollSelector()
    assert selector.select(0.001) == []
    selector.close()


def test_the_descriptor_of_the_selector_is_readable_when_something_is_ready() -> None:
    outer, inner = LeanEpollSelector(), LeanEpollSelector()
    with a_pipe() as (reading, writing):
        inner.register(reading, READ)
        outer.register(inner, READ)
        assert outer.select(0) == []
        os.write(writing, b"x")
        assert [key.fileobj for key, _ in outer.select(0)] == [inner]
    inner.close()
    outer.close()


def test_close_forgets_what_was_registered_and_leaves_it_open() -> None:
    selector = LeanEpollSelector()
    with a_pipe() as (reading, writing):
        selector.register(reading, READ)
        with selector:
            assert len(selector.get_map()) == 1
        assert len(selector.get_map()) == 0
        os.write(writing, b"x")
        assert os.read(reading, 1) == b"x"
    selector.close()


@pytest.mark.skipif(sys.platform != "linux", reason="descriptors by their links in /proc")
def test_the_selector_is_not_inherited_by_child_programs() -> None:
    selector = LeanEpollSelector()
    assert not os.get_inheritable(selector.fileno())
    selector.close()
