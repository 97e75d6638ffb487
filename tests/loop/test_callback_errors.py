from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from reactor import Reactor
from tests.loop.kit import READ, Errors, Log, ScriptedKernel

A, B = 1001, 1002


def fail(message: str = "broken") -> None:
    raise ValueError(message)


def test_an_error_is_reported_once_with_its_context_and_the_rest_goes_on(reactor: Reactor) -> None:
    errors = Errors(reactor)
    log = Log()
    reactor.call_soon(log("before"))
    reactor.call_soon(fail)
    reactor.call_soon(log("after"))
    reactor.run()
    assert log == ["before", "after"]
    assert [str(error) for error in errors] == ["broken"]
    assert errors.contexts[0]["callback"] is fail
    assert "callback" in errors.contexts[0]["message"]


@pytest.mark.parametrize("error", [asyncio.CancelledError, GeneratorExit, StopIteration, RuntimeError])
def test_no_error_of_a_callback_ends_the_loop(reactor: Reactor, error: type[BaseException]) -> None:
    errors = Errors(reactor)
    log = Log()

    def raise_it() -> None:
        raise error

    reactor.call_soon(raise_it)
    reactor.call_soon(log("after"))
    reactor.run()
    assert [type(seen) for seen in errors] == [error]
    assert log == ["after"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("step", ["readiness", "timer", "callback", "output"])
def test_an_interrupt_goes_through_and_nothing_queued_is_lost(
    scripted: Reactor, kernel: ScriptedKernel, error: type[BaseException], step: str
) -> None:
    errors = Errors(scripted)
    log = Log()

    def interrupt(where: str) -> None:
        log.append(where)
        if where == step:
            raise error

    scripted.add_reader(A, interrupt, "readiness")
    scripted.add_reader(B, log("readiness B"))
    scripted.call_at(kernel.now, interrupt, "timer")
    scripted.call_at(kernel.now, log("timer B"))
    scripted.call_soon(interrupt, "callback")
    scripted.call_soon(log("callback B"))
    scripted.call_at_tick_end(lambda: interrupt("output"))
    scripted.call_at_tick_end(log("output B"))
    kernel.report((A, READ), (B, READ))
    with pytest.raises(error):
        scripted.run()
    assert log[-1] == step
    kernel.report(*([(B, READ)] if step == "readiness" else []))  # the selector reports it as long as it is ready
    scripted.run_once()
    assert log == [f"{kind}{which}" for kind in ("readiness", "timer", "callback", "output") for which in ("", " B")]
    assert errors == []


def test_a_due_timer_that_is_cancelled_after_an_interrupt_keeps_nothing_alive(
    scripted: Reactor, kernel: ScriptedKernel
) -> None:
    log = Log()

    def interrupt() -> None:
        raise KeyboardInterrupt

    scripted.call_at(kernel.now, interrupt)
    second = scripted.call_at(kernel.now, log("second"))
    with pytest.raises(KeyboardInterrupt):
        scripted.run()
    assert scripted.alive()
    assert scripted.next_deadline() == 1000.0
    second.cancel()
    assert not scripted.alive()
    assert scripted.next_deadline() is None
    scripted.run_once(0)
    assert log == []


def test_an_interrupt_leaves_the_reactor_ready_to_run_again(reactor: Reactor) -> None:
    log = Log()

    def interrupt() -> None:
        raise SystemExit(3)

    reactor.call_soon(interrupt)
    reactor.call_soon(log("rest"))
    with pytest.raises(SystemExit) as caught:
        reactor.run()
    assert caught.value.code == 3
    reactor.run()
    assert log == ["rest"]


def test_without_a_handler_errors_go_to_the_log_called_reactor(
    reactor: Reactor, caplog: pytest.LogCaptureFixture
) -> None:
    reactor.call_soon(fail, "to the log")
    reactor.run()
    [record] = caplog.records
    assert record.name == "reactor"
    assert record.levelno == logging.ERROR
    assert "fail" in record.getMessage()
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "to the log"


def test_a_handler_can_be_taken_away_again(reactor: Reactor, caplog: pytest.LogCaptureFixture) -> None:
    errors = Errors(reactor)
    reactor.set_exception_handler(None)
    reactor.call_soon(fail)
    reactor.run()
    assert errors == []
    assert len(caplog.records) == 1


def test_a_raising_exception_handler_loses_neither_error(reactor: Reactor, caplog: pytest.LogCaptureFixture) -> None:
    def broken_handler(reactor: Reactor, context: dict[str, Any]) -> None:
        raise LookupError("handler")

    log = Log()
    reactor.set_exception_handler(broken_handler)
    reactor.call_soon(fail)
    reactor.call_soon(log("after"))
    reactor.run()
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["broken", "handler"]
    assert log == ["after"]


@pytest.mark.parametrize("error", [asyncio.CancelledError, GeneratorExit])
def test_no_error_of_the_exception_handler_ends_the_loop(
    reactor: Reactor, caplog: pytest.LogCaptureFixture, error: type[BaseException]
) -> None:
    def broken_handler(reactor: Reactor, context: dict[str, Any]) -> None:
        raise error

    log = Log()
    reactor.set_exception_handler(broken_handler)
    reactor.call_soon(fail)
    reactor.call_soon(log("after"))
    reactor.run()
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [ValueError, error]
    assert log == ["after"]


def test_a_report_needs_no_message(reactor: Reactor, caplog: pytest.LogCaptureFixture) -> None:
    reactor.call_exception_handler({"exception": ValueError("broken"), "where": "here"})
    [record] = caplog.records
    assert record.getMessage() == "unhandled error\n  where: 'here'"
    assert record.exc_info and str(record.exc_info[1]) == "broken"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_in_the_exception_handler_goes_through(reactor: Reactor, error: type[BaseException]) -> None:
    def handler(reactor: Reactor, context: dict[str, Any]) -> None:
        raise error

    reactor.set_exception_handler(handler)
    reactor.call_soon(fail)
    with pytest.raises(error):
        reactor.run()


def test_a_callback_whose_repr_is_broken_is_reported_all_the_same(
    reactor: Reactor, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def __repr__(self) -> str:
            raise AttributeError("not initialised yet")

        def work(self) -> None:
            fail("at work")

    log = Log()
    reactor.call_soon(Broken().work)
    reactor.call_soon(log("after"))
    reactor.run()
    assert log == ["after"]
    [record] = caplog.records
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "at work"
    assert "AttributeError" in record.getMessage()


def test_a_report_needs_no_exception(reactor: Reactor, caplog: pytest.LogCaptureFixture) -> None:
    reactor.call_exception_handler({"message": "something is odd", "source": "here"})
    [record] = caplog.records
    assert record.getMessage() == "something is odd\n  source: 'here'"
    assert not record.exc_info
