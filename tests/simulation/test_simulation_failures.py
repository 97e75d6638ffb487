from __future__ import annotations

import pytest

from reactor import (
    DeadlockError,
    HostDownError,
    SimulationError,
    SimulationTimeoutError,
    connect,
    listen,
)
from reactor.simulation import CALM, Simulation, simulation
from tests.simulation.kit import SERVER, Log, converse, in_callback, listening, two_hosts


def notes_of(error: BaseException) -> list[str]:
    return list(getattr(error, "__notes__", []))


def raising(error: BaseException) -> None:
    raise error


# --- Coming to nothing ----------------------------------------------------------------------------------------------


def test_a_deadlock_tells_what_everybody_waits_for() -> None:
    sim, server, client = two_hosts(seed=5)
    near, far = Log(), Log()
    listen(server.reactor, lambda: far, f"{SERVER}:9000")
    connect(client.reactor, lambda: near, f"{SERVER}:9000")
    with pytest.raises(DeadlockError) as caught:
        sim.run()
    assert str(caught.value).splitlines()[0] == "nothing will ever happen again at 0.003000 s; host 'server' waits for:"
    for said in ("server: state listening", "host 'client' waits for:", "connection: peer 10.0.0.1:9000", "state open"):
        assert said in str(caught.value)
    assert notes_of(caught.value) == ["simulation with seed=5 at 0.003000 s"]


def test_a_deadlock_of_raw_sockets_has_nobody_to_name() -> None:
    sim, server, _ = two_hosts()
    listener = listening(server)
    with pytest.raises(DeadlockError, match="nobody waits for anything"):
        sim.run(until=listener.readiness)


def test_what_takes_longer_than_within_is_a_timeout_that_says_who_waits() -> None:
    sim, server, _ = two_hosts(seed=6)
    server.reactor.call_later(5.0, int)
    with pytest.raises(SimulationTimeoutError, match=r"not within 3 s of virtual time; host 'server'") as caught:
        sim.run(until=lambda: False, within=3)
    assert "1 timers" in str(caught.value)
    assert isinstance(caught.value, TimeoutError)
    assert sim.time() == 3.0
    assert notes_of(caught.value) == ["simulation with seed=6 at 3.000000 s"]


def test_without_within_a_day_is_enough() -> None:
    sim, server, _ = two_hosts()
    server.reactor.call_every(60.0, int)
    with pytest.raises(SimulationTimeoutError, match=r"86400\.0 s"):
        sim.run(until=lambda: False)


def test_a_loop_in_which_no_time_passes_is_a_deadlock_that_names_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "_MOST_TICKS", 1000)
    sim, server, _ = two_hosts()

    def again() -> None:
        server.reactor.call_soon(again)

    again()
    with pytest.raises(DeadlockError, match=r"1000 ticks at 0\.000000 s, and no time passes: <host 'server'"):
        sim.run_for(1)


def test_a_busy_loop_in_which_time_passes_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "_MOST_TICKS", 10)
    sim, server, _ = two_hosts()
    server.reactor.call_every(0.001, int)
    sim.run_for(1)
    assert sim.ticks >= 1000


# --- Errors ---------------------------------------------------------------------------------------------------------


def test_what_a_host_reports_is_raised_with_host_time_and_seed() -> None:
    sim, server, _ = two_hosts(seed=9)
    server.reactor.call_later(5.0, raising, ValueError("oh"))
    with pytest.raises(ValueError, match="oh") as caught:
        sim.run()
    assert notes_of(caught.value) == [
        "reported by host 'server' at 5.000000 s: exception in a callback",
        "simulation with seed=9 at 5.000000 s",
    ]


def test_a_report_without_an_exception_is_one_nevertheless() -> None:
    sim, server, _ = two_hosts()
    in_callback(server, server.reactor.call_exception_handler, {"message": "something is odd"})
    with pytest.raises(SimulationError, match="something is odd"):
        sim.run_for(1)


def test_several_reported_errors_are_raised_one_after_the_other() -> None:
    sim, server, _ = two_hosts()
    for number in range(3):
        in_callback(server, raising, ValueError(number))
    for number in range(3):
        with pytest.raises(ValueError, match=str(number)):
            sim.run_for(1)
    sim.run_for(1)


def test_an_error_that_nobody_has_seen_is_raised_at_the_end_of_the_block() -> None:
    with pytest.raises(ValueError, match="second") as caught, Simulation(seed=3) as sim:
        host = sim.host("a")
        in_callback(host, raising, ValueError("first"))
        in_callback(host, raising, ValueError("second"))
        with pytest.raises(ValueError, match="first"):
            sim.run()
        assert [str(error) for error in sim.errors] == ["second"]
    assert notes_of(caught.value)[-1] == "simulation with seed=3 at 0.000000 s"


def test_an_exception_that_leaves_the_block_is_told_once_how_to_repeat_the_run() -> None:
    with pytest.raises(AssertionError) as caught, Simulation(seed=4) as sim:
        sim.run_for(2)
        raise AssertionError("of the test's own")
    assert notes_of(caught.value) == ["simulation with seed=4 at 2.000000 s"]
    with pytest.raises(DeadlockError) as deadlock, Simulation(seed=4) as sim:
        sim.run(until=lambda: False)
    assert len(notes_of(deadlock.value)) == 1


def test_the_first_faults_are_named_in_the_note() -> None:
    sim, server, client = two_hosts(seed=1, profile=CALM.but(short_read=1.0))
    assert sim.how_to_repeat() == "simulation with seed=1 at 0.000000 s"
    converse(sim, client, server, [b"x" * 10_000])
    assert len(sim.struck) > 8
    said = sim.how_to_repeat()
    assert "; faults: short_read #1, short_read #2, " in said
    assert said.endswith(f"short_read #8 and {len(sim.struck) - 8} more")


def test_after_the_block_everything_is_over_and_nobody_was_told() -> None:
    with Simulation() as sim:
        server, client = sim.host("server", SERVER), sim.host("client")
        near, far = Log(), Log()
        listen(server.reactor, lambda: far, f"{SERVER}:9000")
        connect(client.reactor, lambda: near, f"{SERVER}:9000")
        sim.run(until=lambda: near.events and far.events)
        kernel = server.kernel
    assert near.events == far.events == ["made"]
    assert kernel.ended == "the simulation of host 'server' is over"
    with pytest.raises(HostDownError, match="is over"):
        near.transport.close()
