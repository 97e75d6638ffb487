from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor import (
    DeadlockError,
    HostDownError,
    SimulationError,
    connect,
    listen,
)
from reactor.simulation import CALM, HOSTILE, Profile, Simulation
from tests.simulation.kit import (
    CLIENT,
    SERVER,
    Caller,
    Echo,
    Log,
    again,
    connected,
    in_callback,
    notes_of,
    raising,
    schedule_again,
    simulation_again,
    two_hosts,
)

# --- Coming to nothing ----------------------------------------------------------------------------------------------


SHORT = CALM.but(short_read=0.3)


# --- Errors ---------------------------------------------------------------------------------------------------------


def test_what_a_host_reports_is_raised_with_host_time_and_seed() -> None:
    sim, server, _ = two_hosts(seed=9)
    server.reactor.call_later(5.0, raising, ValueError("oh"))
    with pytest.raises(ValueError, match="oh") as caught:
        sim.run()
    assert notes_of(caught.value) == [
        "reported by host 'server' at 5.000000 s: exception in a callback",
        "at 5.000000 s of virtual time",
        "again: Simulation(seed=9, profile=CALM)",
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
    assert again(caught.value) == "Simulation(seed=3, profile=CALM)"


def test_an_exception_that_leaves_the_block_is_told_once_how_to_repeat_the_run() -> None:
    with pytest.raises(AssertionError) as caught, Simulation(seed=4) as sim:
        sim.run_for(2)
        raise AssertionError("of the test's own")
    assert notes_of(caught.value) == ["at 2.000000 s of virtual time", "again: Simulation(seed=4, profile=CALM)"]
    with pytest.raises(DeadlockError) as deadlock, Simulation(seed=4) as sim:
        sim.run(until=lambda: False)
    assert len(notes_of(deadlock.value)) == 2


def test_after_the_block_everything_is_over_and_nobody_was_told() -> None:
    with Simulation() as sim:
        server, client = sim.host("server", SERVER), sim.host("client")
        near, far = Log(), Log()
        listen(server.reactor, lambda: far, f"{SERVER}:9000")
        connect(client.reactor, lambda: near, f"{SERVER}:9000")
        sim.run(until=lambda: near.events and far.events)
        kernel = server.kernel
    assert near.events == far.events == ["made"]
    assert kernel.process.ended == "the simulation of host 'server' is over"
    with pytest.raises(HostDownError, match="is over"):
        near.transport.close()


def test_errors_that_were_seen_together_are_named_in_a_note_of_the_first() -> None:
    sim, server, client = two_hosts()
    for host, error in ((server, ValueError("a")), (server, KeyError("b")), (client, OSError("c"))):
        in_callback(host, raising, error)
    with pytest.raises(ValueError, match="a") as caught:
        sim.run_for(1)
    assert "and 1 more: KeyError('b')" in notes_of(caught.value)
    with pytest.raises(KeyError) as second:
        sim.run_for(1)
    assert not any(note.startswith("and ") for note in notes_of(second.value))


def test_an_error_that_the_tests_own_failure_hides_is_named_in_a_note() -> None:
    with pytest.raises(AssertionError) as caught, Simulation() as sim:
        host = sim.host("a")
        for number in range(3):
            in_callback(host, raising, ValueError(number))
        with pytest.raises(ValueError, match="0"):
            sim.run()
        raise AssertionError
    assert "and 2 more: ValueError(1), ValueError(2)" in notes_of(caught.value)


# --- Shortages that the library deals with by itself ----------------------------------------------------------------


def test_a_report_of_what_was_dealt_with_is_written_down_and_not_raised() -> None:
    sim, server, _ = two_hosts(trace=True)
    context = {"message": "short of something", "exception": OSError("gone"), "handled": True}
    in_callback(server, server.reactor.call_exception_handler, context)
    sim.run()
    assert sim.errors == []
    assert sim.trace[-1].what == "short of something"
    assert sim.trace[-1].host == "server"


@pytest.mark.parametrize("profile", [CALM, HOSTILE, HOSTILE.but(exhausted=0.2)], ids=["calm", "hostile", "exhausted"])
def test_a_correct_server_serves_everybody_although_descriptors_run_out(profile: Profile) -> None:
    sim = Simulation(3, trace=True)
    server, client = sim.host("server", SERVER, descriptor_limit=8), sim.host("client")
    listen(server.reactor, Echo, f"{SERVER}:9000", max_connections=100)
    sim.profile = profile
    callers = [Caller([b"hello"]) for _ in range(12)]

    def dial(caller: Caller, *_: BaseException) -> None:
        connect(client.reactor, lambda: caller, f"{SERVER}:9000", on_failure=partial(dial, caller))

    with sim:
        for caller in callers:
            dial(caller)
        sim.run(until=lambda: all(caller.is_over for caller in callers))
    assert {caller.data for caller in callers} == {b"hello"}
    assert any("the machine ran out of descriptors" in line.what for line in sim.trace)


# --- To have the same run again -------------------------------------------------------------------------------------


def wrong(sim: Simulation) -> None:
    """Fails when a read is short."""
    near, far = connected(sim, sim.host("client", CLIENT), sim.host("server", SERVER))
    for number in range(10):
        near.send(b"hello")
        sim.run_for(1)
        assert far.recv(5) == b"hello", f"message {number}"


@pytest.mark.parametrize("schedule", [None, [("short_read", 4, 2), ("short_write", 9, 1)]], ids=["seed", "schedule"])
def test_the_line_in_the_notes_has_the_same_failure_again(schedule: Any) -> None:
    with pytest.raises(AssertionError) as caught, Simulation(2, profile=SHORT, schedule=schedule) as sim:
        wrong(sim)
    error = caught.value
    assert sim.how_to_repeat() == again(error)
    assert ("schedule" in again(error)) is (schedule is not None)
    repeated = simulation_again(error)
    with pytest.raises(AssertionError) as second, repeated:
        wrong(repeated)
    assert str(second.value) == str(error)
    assert repeated.struck == sim.struck != []


def test_the_line_that_hypothesis_leaves_has_the_same_failure_again() -> None:
    @settings(max_examples=200, database=None, derandomize=True, deadline=None, report_multiple_bugs=False)
    @given(st.data())
    def test(data: st.DataObject) -> None:
        with Simulation(data=data, profile=SHORT) as sim:
            wrong(sim)

    with pytest.raises(AssertionError) as caught:
        test()
    assert schedule_again(caught.value) == [("short_read", 1, 1)]
    repeated = simulation_again(caught.value)
    with pytest.raises(AssertionError) as second:
        wrong(repeated)
    assert str(second.value) == str(caught.value)


def test_after_its_block_a_simulation_is_over() -> None:
    with Simulation() as sim:
        sim.host("a")
        sim.run_for(1)
    calls: list[Callable[[], object]] = [sim.run, lambda: sim.run_for(1), lambda: sim.host("b")]
    for call in calls:
        with pytest.raises(SimulationError, match="this simulation is over"):
            call()
    assert list(sim.hosts) == ["a"]
