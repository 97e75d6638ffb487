from __future__ import annotations

import socket
from typing import Any

import pytest

from reactor import Reactor
from tests.loop.kit import Errors, Log, in_turn
from tests.loop.worlds import World

Outcome = tuple[Any, BaseException | None]


class Outcomes(list[Outcome]):
    """A callback for jobs that keeps what it is told."""

    def __call__(self, result: Any, error: BaseException | None) -> None:
        self.append((result, error))


def test_a_result_is_called_back_in_the_loops_thread(world: World, reactor: Reactor) -> None:
    outcomes, threads = Outcomes(), Log()
    thread_id = world.kernel.thread_id
    reactor.run_in_executor(in_turn(lambda: threads.append(thread_id())), list)
    reactor.run_in_executor(outcomes, divmod, 7, 3)
    reactor.run()
    assert outcomes == [((2, 1), None)]
    assert threads == [thread_id()]


def test_a_function_is_called_in_another_thread(world: World, reactor: Reactor) -> None:
    outcomes = Outcomes()
    reactor.run_in_executor(outcomes, world.kernel.thread_id)
    reactor.run()
    [(thread, error)] = outcomes
    assert error is None
    assert thread != world.kernel.thread_id()


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


def test_a_job_cancelled_before_it_starts_never_runs(world: World, reactor: Reactor) -> None:
    outcomes, ran = Outcomes(), Outcomes()
    gate = world.gate()
    blockers = [reactor.run_in_executor(outcomes, gate.wait) for _ in range(64)]  # more than there are threads
    job = reactor.run_in_executor(outcomes, ran, "it ran", None)
    assert not job.cancelled()
    job.cancel()
    job.cancel()
    assert job.cancelled()
    gate.open()
    reactor.run()
    assert outcomes == [(True, None)] * len(blockers)
    assert ran == []


def test_a_job_cancelled_while_it_runs_is_not_called_back_and_not_waited_for(
    world: World, reactor: Reactor
) -> None:
    outcomes, log = Outcomes(), Log()
    gate = world.gate()
    job = reactor.run_in_executor(outcomes, in_turn(log("started"), gate.wait, log("ended")))
    world.until(lambda: "started" in log)
    job.cancel()
    reactor.run()
    gate.open()
    world.until(lambda: "ended" in log)
    reactor.run_in_executor(outcomes, int)
    reactor.run()
    assert outcomes == [(0, None)]


def test_a_job_cancelled_when_its_outcome_is_already_on_the_way_is_not_called_back(
    world: World, reactor: Reactor
) -> None:
    outcomes = Outcomes()
    job = reactor.run_in_executor(outcomes, int)
    world.until(lambda: reactor.describe()["ready"])
    job.cancel()
    reactor.run()
    assert outcomes == []
    assert not reactor.alive()


def test_an_outcome_that_comes_after_close_is_harmless(world: World, reactor: Reactor) -> None:
    outcomes, log = Outcomes(), Log()
    gate = world.gate()
    reactor.run_in_executor(outcomes, in_turn(log("started"), gate.wait))
    world.until(lambda: "started" in log)
    reactor.close()
    gate.open()
    world.let_workers_end()
    assert outcomes == []
    assert reactor.describe()["ready"] == 0


def test_handing_over_after_close_is_harmless(reactor: Reactor) -> None:
    reactor.close()
    reactor.hand_over(list)


# --- Names --------------------------------------------------------------------------------------------------------


def test_localhost_resolves_to_the_loopback(reactor: Reactor) -> None:
    outcomes = Outcomes()
    reactor.resolve(outcomes, "localhost", 80)
    reactor.run()
    [(addresses, error)] = outcomes
    assert error is None
    assert {address[4][:2] for address in addresses} & {("127.0.0.1", 80), ("::1", 80)}
    assert {address[1] for address in addresses} == {socket.SOCK_STREAM}


def test_a_name_that_does_not_exist_is_called_back_as_the_resolvers_error(world: World, reactor: Reactor) -> None:
    world.knows("nowhere.invalid", None)
    world.knows("somewhere.invalid", "192.0.2.1")
    outcomes = Outcomes()
    reactor.resolve(outcomes, "nowhere.invalid", 80)
    reactor.resolve(outcomes, "somewhere.invalid", 80)
    reactor.run()
    errors = [error for _, error in outcomes if error is not None]
    assert [type(error) for error in errors] == [socket.gaierror]
    assert [result[0][4] for result, error in outcomes if error is None] == [("192.0.2.1", 80)]


def test_a_resolver_that_does_not_answer_never_delays_the_executor(world: World, reactor: Reactor) -> None:
    gate = world.gate()
    world.knows("somewhere.invalid", "192.0.2.1", gate)
    names, outcomes = Outcomes(), Outcomes()
    for _ in range(100):
        reactor.resolve(names, "somewhere.invalid", 80)
    reactor.run_in_executor(in_turn(lambda: outcomes(0, None), reactor.stop), int)
    reactor.run()
    assert outcomes == [(0, None)]
    assert names == []
    gate.open()
    reactor.run()
    assert len(names) == 100


def test_a_blocked_executor_never_delays_the_resolver(world: World, reactor: Reactor) -> None:
    gate = world.gate()
    world.knows("somewhere.invalid", "192.0.2.1")
    names, outcomes = Outcomes(), Outcomes()
    for _ in range(100):
        reactor.run_in_executor(outcomes, gate.wait)
    reactor.resolve(in_turn(lambda: names("an address", None), reactor.stop), "somewhere.invalid", 80)
    reactor.run()
    assert len(names) == 1
    assert outcomes == []
    gate.open()
    reactor.run()
    assert len(outcomes) == 100
