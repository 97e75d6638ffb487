from __future__ import annotations

import contextvars
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from reactor import Reactor, defaults
from reactor.kernel import SystemKernel
from reactor.loop import Describable
from reactor.loop.interfaces import Agenda
from tests.loop.kit import READ, Errors, Log, ScriptedKernel


class Watching(list[Any]):
    """Instruments, and falsy as long as they have seen nothing."""

    def watch(self, agenda: Agenda) -> Iterator[Any]:
        for call in agenda:
            args = getattr(call, "args", ())  # of a functools.partial
            self.append(("calling", *args))
            yield call
            self.append(("called", *args))

    def transition(self, source: Describable, before: str, event: str, after: str) -> None:
        raise AssertionError

    def deadline(self, source: Describable, error: BaseException) -> None:
        raise AssertionError


def test_a_reactor_made_in_the_block_gets_the_defaults() -> None:
    kernel, instruments = ScriptedKernel(), Watching()
    with defaults(kernel=kernel, instruments=instruments), Reactor() as reactor:
        assert reactor.kernel is kernel
        assert reactor.instruments is instruments


def test_a_reactor_made_outside_the_block_gets_the_operating_system() -> None:
    with defaults(kernel=ScriptedKernel(), instruments=Watching()):
        pass
    with Reactor() as reactor:
        assert type(reactor.kernel) is SystemKernel
        assert reactor.instruments is None


def test_what_is_said_explicitly_counts_more() -> None:
    kernel, instruments = ScriptedKernel(), Watching()
    with (
        defaults(kernel=SystemKernel(), instruments=Watching()),
        Reactor(kernel=kernel, instruments=instruments) as reactor,
    ):
        assert reactor.kernel is kernel
        assert reactor.instruments is instruments


def test_an_inner_block_keeps_what_it_does_not_name() -> None:
    kernel, instruments = ScriptedKernel(), Watching()
    with defaults(kernel=kernel):
        with defaults(instruments=instruments), Reactor() as reactor:
            assert reactor.kernel is kernel
            assert reactor.instruments is instruments
        with Reactor() as reactor:
            assert reactor.instruments is None


def test_the_defaults_end_with_the_block_even_by_an_exception() -> None:
    with pytest.raises(LookupError), defaults(kernel=ScriptedKernel()):
        raise LookupError
    with Reactor() as reactor:
        assert type(reactor.kernel) is SystemKernel


def test_the_defaults_are_the_contexts_own() -> None:
    seen: list[type] = []

    def make() -> None:
        with Reactor() as reactor:
            seen.append(type(reactor.kernel))

    with defaults(kernel=ScriptedKernel()):
        inside = contextvars.copy_context()
        thread = threading.Thread(target=contextvars.Context().run, args=(make,))
        thread.start()
        thread.join()
    inside.run(make)
    assert seen == [SystemKernel, ScriptedKernel]


def test_instruments_see_every_callback_in_order_and_when_it_has_returned() -> None:
    kernel, instruments, log = ScriptedKernel(), Watching(), Log()
    with Reactor(kernel=kernel, instruments=instruments) as reactor:
        reactor.call_soon(log.append, "callback")
        reactor.call_at(kernel.now, log.append, "timer")
        reactor.add_reader(7, log("reader"))
        reactor.call_at_tick_end(log("output"))
        kernel.report((7, READ))
        reactor.run_once()
    assert log == ["reader", "timer", "callback", "output"]
    assert instruments == [
        ("calling",),
        ("called",),
        ("calling", "timer"),
        ("called", "timer"),
        ("calling", "callback"),
        ("called", "callback"),
        ("calling",),
        ("called",),
    ]


def test_a_failing_callback_does_not_take_the_instruments_away() -> None:
    instruments, log = Watching(), Log()

    def fail(_: str) -> None:
        raise ValueError

    with Reactor(kernel=ScriptedKernel(), instruments=instruments) as reactor:
        errors = Errors(reactor)
        reactor.call_soon(fail, "a")
        reactor.call_soon(log.append, "b")
        reactor.run()
    assert len(errors) == 1
    assert log == ["b"]
    assert instruments == [("calling", "a"), ("called", "a"), ("calling", "b"), ("called", "b")]


def test_broken_instruments_are_reported_and_what_they_swallowed_comes_in_the_next_tick() -> None:
    class Broken(Watching):
        def watch(self, agenda: Agenda) -> Iterator[Any]:
            if not self:
                self.append("broken")
                raise ZeroDivisionError
            yield from agenda

    log = Log()
    with Reactor(kernel=ScriptedKernel(), instruments=Broken()) as reactor:
        errors = Errors(reactor)
        reactor.call_soon(log("called"))
        reactor.run()
    assert [type(error) for error in errors] == [ZeroDivisionError]
    assert log == ["called"]
