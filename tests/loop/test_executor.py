from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from reactor import Reactor
from reactor.kernel import AddressInfo, SystemKernel
from tests.loop.kit import Errors, in_turn

Outcome = tuple[Any, BaseException | None]


class Outcomes(list[Outcome]):
    """A callback for jobs that keeps what it is told, and in which thread."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: set[int] = set()

    def __call__(self, result: Any, error: BaseException | None) -> None:
        self.threads.add(threading.get_ident())
        self.append((result, error))


def test_a_result_is_called_back_in_the_loops_thread(reactor: Reactor) -> None:
    outcomes = Outcomes()
    reactor.run_in_executor(outcomes, threading.get_ident)
    reactor.run_in_executor(outcomes, divmod, 7, 3)
    reactor.run()
    assert ((2, 1), None) in outcomes
    assert all(error is None for _, error in outcomes)
    assert outcomes.threads == {threading.get_ident()}
    assert {result for result, _ in outcomes} > {(2, 1)}
    assert (threading.get_ident(), None) not in outcomes


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt, OSError])
def test_an_error_of_the_function_is_called_back_as_it_is(reactor: Reactor, error: type[BaseException]) -> None:
    outcomes = Outcomes()
    original = error("from the thread")

    def fail() -> None:
        raise original

    reactor.run_in_executor(outcomes, fail)
    reactor.run()
    assert outcomes == [(None, original)]


def test_an_error_of_the_callback_is_reported(reactor: Reactor) -> None:
    errors = Errors(reactor)

    def callback(result: Any, error: BaseException | None) -> None:
        raise LookupError(result)

    reactor.run_in_executor(callback, int)
    reactor.run()
    assert [repr(error) for error in errors] == ["LookupError(0)"]
    assert not reactor.alive()


def test_a_job_cancelled_before_it_starts_never_runs(reactor: Reactor) -> None:
    outcomes, ran = Outcomes(), Outcomes()
    go = threading.Event()
    blockers = [reactor.run_in_executor(outcomes, go.wait) for _ in range(64)]  # more than there are threads
    job = reactor.run_in_executor(outcomes, ran, "it ran", None)
    assert not job.cancelled()
    job.cancel()
    job.cancel()
    assert job.cancelled()
    go.set()
    reactor.run()
    assert outcomes == [(True, None)] * len(blockers)
    assert ran == []


def test_a_job_cancelled_while_it_runs_is_not_called_back_and_not_waited_for(reactor: Reactor) -> None:
    outcomes = Outcomes()
    started, go, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        go.wait()
        ended.set()

    job = reactor.run_in_executor(outcomes, work)
    started.wait()
    job.cancel()
    reactor.run()
    go.set()
    ended.wait()
    reactor.run_in_executor(outcomes, int)
    reactor.run()
    assert outcomes == [(0, None)]


def test_a_job_cancelled_when_its_outcome_is_already_on_the_way_is_not_called_back(reactor: Reactor) -> None:
    outcomes = Outcomes()
    job = reactor.run_in_executor(outcomes, int)
    while reactor.describe()["ready"] == 0:
        pass
    job.cancel()
    reactor.run()
    assert outcomes == []
    assert not reactor.alive()


def test_an_outcome_that_comes_after_close_is_harmless(reactor: Reactor) -> None:
    outcomes = Outcomes()
    started, go = threading.Event(), threading.Event()

    def work() -> threading.Thread:
        started.set()
        go.wait()
        return threading.current_thread()

    before = set(threading.enumerate())
    reactor.run_in_executor(outcomes, work)
    started.wait()
    [worker] = set(threading.enumerate()) - before
    reactor.close()
    go.set()
    worker.join()
    assert outcomes == []
    assert reactor.describe()["ready"] == 0


def test_handing_over_after_close_is_harmless(reactor: Reactor) -> None:
    reactor.close()
    reactor.hand_over(list)


# --- Names --------------------------------------------------------------------------------------------------------


class NameService(SystemKernel):
    """A resolver that answers when and as a test wishes."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer = threading.Event()

    def getaddrinfo(self, host: str, port: int, flags: int = 0) -> Sequence[AddressInfo]:
        self.may_answer.wait()
        if host == "nowhere.invalid":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", port))]


def test_localhost_resolves_to_the_loopback(reactor: Reactor) -> None:
    outcomes = Outcomes()
    reactor.resolve(outcomes, "localhost", 80)
    reactor.run()
    [(addresses, error)] = outcomes
    assert error is None
    assert {address[4][:2] for address in addresses} & {("127.0.0.1", 80), ("::1", 80)}
    assert {address[1] for address in addresses} == {socket.SOCK_STREAM}


def test_a_name_that_does_not_exist_is_called_back_as_the_resolvers_error() -> None:
    kernel = NameService()
    kernel.may_answer.set()
    outcomes = Outcomes()
    with Reactor(kernel=kernel) as reactor:
        reactor.resolve(outcomes, "nowhere.invalid", 80)
        reactor.resolve(outcomes, "somewhere.invalid", 80)
        reactor.run()
    errors = [error for _, error in outcomes if error is not None]
    assert [type(error) for error in errors] == [socket.gaierror]
    assert [result[0][4] for result, error in outcomes if error is None] == [("192.0.2.1", 80)]


def test_a_resolver_that_does_not_answer_never_delays_the_executor() -> None:
    kernel = NameService()
    names, outcomes = Outcomes(), Outcomes()
    with Reactor(kernel=kernel) as reactor:
        for _ in range(100):
            reactor.resolve(names, "somewhere.invalid", 80)
        reactor.run_in_executor(in_turn(lambda: outcomes(0, None), reactor.stop), int)
        reactor.run()
        assert outcomes == [(0, None)]
        assert names == []
        kernel.may_answer.set()
        reactor.run()
    assert len(names) == 100


def test_a_blocked_executor_never_delays_the_resolver() -> None:
    kernel = NameService()
    kernel.may_answer.set()
    go = threading.Event()
    names, outcomes = Outcomes(), Outcomes()
    with Reactor(kernel=kernel) as reactor:
        for _ in range(100):
            reactor.run_in_executor(outcomes, go.wait)
        reactor.resolve(in_turn(lambda: names("an address", None), reactor.stop), "somewhere.invalid", 80)
        reactor.run()
        assert len(names) == 1
        assert outcomes == []
        go.set()
        reactor.run()
    assert len(outcomes) == 100
