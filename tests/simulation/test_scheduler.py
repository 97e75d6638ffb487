from __future__ import annotations

import selectors

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reactor
from reactor import DeadlockError, Reactor, SimulationTimeoutError, connect, listen
from reactor.simulation import HOSTILE, Host, Simulation, scheduler
from tests.simulation.kit import SERVER, Caller, Echo, Log, again, converse, listening, notes_of, two_hosts

# --- Running --------------------------------------------------------------------------------------------------------


def test_time_jumps_to_what_happens_next() -> None:
    sim, server, _ = two_hosts()
    moments: list[float] = []
    for delay in (0.0, 1e-6, 3600.0, 31_536_000.0):
        server.reactor.call_later(delay, lambda: moments.append(sim.time()))
    sim.run(within=1e9)
    assert moments == [0.0, 1e-6, 3600.0, 31_536_000.0]
    assert sim.scheduler.ticks < 10


def test_an_hour_of_heartbeats_costs_what_the_heartbeats_cost() -> None:
    sim, server, _ = two_hosts()
    beats: list[float] = []
    server.reactor.call_every(10.0, lambda: beats.append(sim.time()))
    sim.run_for(3600)
    assert len(beats) == 360
    assert sim.scheduler.ticks <= 362


def test_run_until_ends_as_soon_as_that_is_true() -> None:
    sim, server, _ = two_hosts()
    beats: list[float] = []
    server.reactor.call_every(10.0, lambda: beats.append(sim.time()))
    sim.run(until=lambda: len(beats) == 3)
    assert sim.time() == beats[-1] == 30.0
    sim.run(until=lambda: True)
    assert sim.time() == 30.0


def test_run_for_takes_exactly_that_long_whatever_happens() -> None:
    sim, server, _ = two_hosts()
    sim.run_for(5.5)
    server.reactor.call_later(100.0, int)
    sim.run_for(0.25)
    assert sim.time() == 5.75
    sim.run_for(0)
    assert sim.time() == 5.75


def test_what_is_due_at_the_end_of_run_for_still_happens() -> None:
    sim, server, _ = two_hosts()
    fired: list[int] = []
    server.reactor.call_later(5.0, fired.append, 1)
    sim.run_for(5.0)
    assert fired == [1]


@settings(max_examples=30, deadline=None)
@given(st.integers(), st.lists(st.floats(0, 100), max_size=10))
def test_virtual_time_never_goes_back(seed: int, delays: list[float]) -> None:
    sim, server, client = two_hosts(seed, profile=HOSTILE)
    seen: list[float] = []
    for delay in delays:
        for host in (server, client):
            host.reactor.call_later(delay, lambda host=host: seen.append(host.reactor.time()))  # type: ignore[misc]
    converse(sim, client, server, [b"x" * 1000])
    sim.run_for(101)
    assert seen == sorted(seen)
    assert len(seen) == 2 * len(delays)


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
    assert notes_of(caught.value) == ["at 0.003000 s of virtual time", "again: Simulation(seed=5, profile=CALM)"]


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
    assert "1 timer" in str(caught.value)
    assert isinstance(caught.value, TimeoutError)
    assert sim.time() == 3.0
    assert again(caught.value) == "Simulation(seed=6, profile=CALM)"


def test_without_within_a_day_is_enough() -> None:
    sim, server, _ = two_hosts()
    server.reactor.call_every(60.0, int)
    with pytest.raises(SimulationTimeoutError, match=r"86400\.0 s"):
        sim.run(until=lambda: False)


def test_a_loop_in_which_no_time_passes_is_a_deadlock_that_names_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "_MOST_TICKS", 1000)
    sim, server, _ = two_hosts()

    def again() -> None:
        server.reactor.call_soon(again)

    again()
    with pytest.raises(DeadlockError, match=r"1000 ticks at 0\.0+ s, .* no time passes: the program of host 'server'"):
        sim.run_for(1)


def test_a_busy_loop_in_which_time_passes_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "_MOST_TICKS", 10)
    sim, server, _ = two_hosts()
    server.reactor.call_every(0.001, int)
    sim.run_for(1)
    assert sim.scheduler.ticks >= 1000


# --- A reactor that is run by hand ----------------------------------------------------------------------------------


def test_a_reactor_run_by_hand_lets_time_pass_and_drives_the_other_hosts(sim: Simulation, host: Host) -> None:
    caller = Caller([b"hello"])
    with Reactor(kernel=sim.hosts["client"].kernel) as by_hand:
        reactor.listen(host.reactor, Echo, f"{SERVER}:9000")
        reactor.connect(by_hand, lambda: caller, f"{SERVER}:9000")
        by_hand.run()
    assert caller.data == b"hello"
    assert 0 < sim.time() < 1


def test_a_poll_lets_no_time_pass(sim: Simulation, host: Host) -> None:
    fired: list[float] = []
    with Reactor(kernel=host.kernel) as by_hand:
        by_hand.call_later(1.0, lambda: fired.append(sim.time()))
        for _ in range(3):
            by_hand.run_once(0)
        assert (sim.time(), fired) == (0.0, [])
        by_hand.run_once(0.5)
        assert (sim.time(), fired) == (0.5, [])
        by_hand.run_once()
        assert (sim.time(), fired) == (1.0, [1.0])


def test_a_poll_lets_happen_what_is_due(sim: Simulation, host: Host) -> None:
    done: list[int] = []
    with Reactor(kernel=host.kernel) as by_hand:
        by_hand.run_in_executor(lambda *_: done.append(1), int)
        by_hand.run_once(0)
        by_hand.run_once(0)
    assert done == [1]


def test_a_wait_for_what_will_never_happen_is_a_deadlock(sim: Simulation, host: Host) -> None:
    with Reactor(kernel=host.kernel) as by_hand, listening(host) as listener:
        by_hand.add_reader(listener, int)
        reactor.listen(sim.hosts["client"].reactor, Echo, "10.0.0.2:9000")
        with pytest.raises(DeadlockError, match=r"nothing will ever happen again at 0\.0") as caught:
            by_hand.run()
    assert "host 'client' waits for:\n  server: state listening" in str(caught.value)


def test_a_wait_without_an_end_in_which_others_go_on_for_ever_ends_after_a_day(sim: Simulation, host: Host) -> None:
    sim.hosts["client"].reactor.call_every(3600.0, int)
    with host.kernel.selector() as selector, pytest.raises(SimulationTimeoutError, match=r"not within 86400\.0 s"):
        selector.select()
    assert sim.time() == 86_400.0


def test_a_wait_that_is_over_at_the_moment_of_an_event_sees_it(sim: Simulation, host: Host) -> None:
    wakeup = host.kernel.wakeup()
    sim.call_at(5.0, wakeup.wake)
    with host.kernel.selector() as selector:
        selector.register(wakeup, selectors.EVENT_READ)
        assert len(selector.select(5.0)) == 1
    assert sim.time() == 5.0


def test_an_error_that_another_host_reports_ends_a_wait(sim: Simulation, host: Host) -> None:
    def wrong() -> None:
        raise ValueError("wrong")

    sim.hosts["client"].reactor.call_later(1.0, wrong)
    with Reactor(kernel=host.kernel) as by_hand:
        by_hand.call_later(5.0, int)
        with pytest.raises(ValueError, match="wrong"):
            by_hand.run()


def test_a_hosts_own_reactor_can_be_run_by_hand_as_well(sim: Simulation, host: Host) -> None:
    fired: list[int] = []
    host.reactor.call_later(1.0, fired.append, 1)
    sim.run_for(0.5)
    host.reactor.run_once(10.0)
    assert (sim.time(), fired) == (1.0, [1])
    host.reactor.call_later(1.0, fired.append, 2)
    sim.run_for(5.0)
    assert fired == [1, 2]


def test_two_reactors_run_by_hand_one_inside_the_other(sim: Simulation, host: Host) -> None:
    log: list[str] = []
    with Reactor(kernel=host.kernel) as outer, Reactor(kernel=sim.hosts["client"].kernel) as inner:
        inner.call_later(1.0, log.append, "inner")
        outer.call_soon(inner.run)
        outer.call_later(2.0, log.append, "outer")
        outer.run()
    assert log == ["inner", "outer"]
