from __future__ import annotations

import selectors
import socket

import pytest

import reactor
from reactor import DeadlockError, HostDownError, Reactor, SimulationTimeoutError
from reactor.kernel import SystemKernel
from reactor.simulation import Host, Simulation
from tests.simulation.kit import SERVER, Caller, Echo, listening


def test_its_clock_is_virtual_and_the_same_for_all(sim: Simulation, host: Host) -> None:
    sim.run_for(12.5)
    assert [each.kernel.time() for each in sim.hosts.values()] == [12.5, 12.5]
    assert host.reactor.time() == sim.time() == 12.5


def test_a_thread_is_the_real_one_or_a_simulated_one(host: Host) -> None:
    kernel = host.kernel
    assert kernel.thread_id() == SystemKernel.thread_id()
    assert kernel.in_main_thread()
    with kernel.as_thread(-1, waited=False):
        assert kernel.thread_id() == -1
        assert not kernel.in_main_thread()
        with kernel.as_thread(-2, waited=False):
            assert kernel.thread_id() == -2
        assert kernel.thread_id() == -1
    assert kernel.in_main_thread()


def sim_never_forks() -> None:
    raise AssertionError("nothing forks in a simulation")


def test_interest_that_changes_reaches_a_wait_and_nothing_forks(host: Host) -> None:
    assert host.kernel.selector_is_live
    host.kernel.after_fork(sim_never_forks)


def test_after_its_program_has_ended_nothing_can_be_made_and_the_end_is_told(sim: Simulation, host: Host) -> None:
    kernel = host.kernel
    sim.run_for(2)
    host.crash()
    assert kernel.up is False
    for call in (
        kernel.selector,
        kernel.wakeup,
        kernel.thread_id,
        lambda: kernel.socket(socket.AF_INET, socket.SOCK_STREAM),
        lambda: kernel.getaddrinfo("x", 1),
    ):
        with pytest.raises(HostDownError, match=r"host 'server' crashed at 2\.000000 s.*restart\(\)"):
            call()


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
    with host.kernel.selector() as selector, pytest.raises(SimulationTimeoutError, match="nothing was ready"):
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


def test_a_script_that_knows_nothing_of_it_can_be_run_on_a_simulated_host(sim: Simulation, host: Host) -> None:
    caller = Caller([b"unchanged"])

    def script() -> None:
        loop = Reactor()
        server = reactor.listen(loop, Echo, "127.0.0.1:0")
        reactor.connect(loop, lambda: caller, f"127.0.0.1:{server.port}")
        loop.call_later(3600.0, loop.stop)
        loop.run()
        loop.close()

    with reactor.defaults(kernel=host.kernel):
        script()
    assert caller.data == b"unchanged"
    assert sim.time() == 3600.0
    assert host.kernel.descriptors.files == {}
