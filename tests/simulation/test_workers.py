from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from reactor import MisuseError, Reactor, WrongThreadError
from reactor.simulation import Host, Simulation


def outcome_of(sim: Simulation, host: Host, function: Callable[..., Any], *args: Any) -> Any:
    outcomes: list[Any] = []
    host.reactor.run_in_executor(lambda *outcome: outcomes.append(outcome), function, *args)
    sim.run(until=lambda: outcomes)
    return outcomes[0]


def test_a_blocking_call_takes_its_time_while_the_loop_goes_on(sim: Simulation, host: Host) -> None:
    host.blocking_time = 5.0
    ticks: list[float] = []
    host.reactor.call_every(1.0, lambda: ticks.append(sim.time()))
    assert outcome_of(sim, host, divmod, 7, 2) == ((3, 1), None)
    assert sim.time() == 5.0
    assert len(ticks) >= 4


def test_what_a_blocking_call_raises_is_handed_over(sim: Simulation, host: Host) -> None:
    result, error = outcome_of(sim, host, divmod, 1, 0)
    assert result is None
    assert isinstance(error, ZeroDivisionError)


def test_a_pool_has_so_many_threads_and_the_others_wait_for_one(sim: Simulation, host: Host) -> None:
    host.blocking_time = 1.0
    ended: list[tuple[float, int]] = []
    pool = host.kernel.workers("some", 2)
    for number in range(5):
        pool.submit(int, (), lambda *_, number=number: ended.append((sim.time(), number)))
    sim.run_for(10)
    assert ended == [(1.0, 0), (1.0, 1), (2.0, 2), (2.0, 3), (3.0, 4)]


def test_a_closed_pool_begins_nothing_any_more(sim: Simulation, host: Host) -> None:
    host.blocking_time = 1.0
    ended: list[int] = []
    pool = host.kernel.workers("some", 1)
    for number in range(3):
        pool.submit(int, (), lambda *_, number=number: ended.append(number))
    pool.close()
    pool.submit(int, (), lambda *_: ended.append(99))
    sim.run_for(10)
    assert ended == [0]


def test_who_touches_the_reactor_from_a_worker_is_refused(sim: Simulation, host: Host) -> None:
    host.reactor.call_soon(int)
    sim.run_for(0)
    _, error = outcome_of(sim, host, host.reactor.call_soon, int)
    assert isinstance(error, MisuseError)
    assert "thread" in str(error)


def test_signal_handlers_are_for_the_main_thread(sim: Simulation, host: Host) -> None:
    signals = host.kernel.signals(host.kernel.wakeup())
    _, error = outcome_of(sim, host, signals.add, signal.SIGUSR1)
    assert isinstance(error, MisuseError)
    assert outcome_of(sim, host, signals.guard_interrupt) == (False, None)


def test_a_worker_of_a_program_that_has_ended_does_nothing(sim: Simulation, host: Host) -> None:
    host.blocking_time = 5.0
    called: list[int] = []
    host.reactor.run_in_executor(lambda *_: called.append(1), called.append, 0)
    sim.run_for(1)
    host.kill()
    sim.run_for(10)
    assert called == []


def test_an_infinitely_slow_call_never_ends_and_is_nothing_to_wait_for(sim: Simulation, host: Host) -> None:
    host.blocking_time = float("inf")
    host.reactor.run_in_executor(lambda *_: None, int)
    sim.run_for(100_000)
    assert host.reactor.describe()["jobs"] == 1


def test_who_touches_a_reactor_from_a_worker_before_its_first_tick_is_refused_too(sim: Simulation, host: Host) -> None:
    touched: list[object] = []
    reactor = host.reactor
    _, error = outcome_of(sim, host, lambda: touched.append(reactor.call_soon(int)))
    assert isinstance(error, WrongThreadError)
    assert touched == []


def test_a_job_that_a_program_starts_is_refused_the_reactor_too(sim: Simulation) -> None:
    outcomes: list[Any] = []

    def program(reactor: Reactor) -> None:
        reactor.run_in_executor(lambda *outcome: outcomes.append(outcome), lambda: reactor.call_soon(int))

    sim.host("third", program=program)
    sim.run(until=lambda: outcomes)
    assert isinstance(outcomes[0][1], WrongThreadError)
