from __future__ import annotations

import socket

import pytest

import reactor
from reactor import HostDownError, Reactor
from reactor.simulation import Host, Simulation
from tests.simulation.kit import Caller, Echo, two_hosts


def test_its_clock_is_virtual_and_the_same_for_all(sim: Simulation, host: Host) -> None:
    sim.run_for(12.5)
    assert [each.kernel.time() for each in sim.hosts.values()] == [12.5, 12.5]
    assert host.reactor.time() == sim.time() == 12.5


def sim_never_forks() -> None:
    raise AssertionError("nothing forks in a simulation")


def test_interest_that_changes_reaches_a_wait_and_nothing_forks(host: Host) -> None:
    assert host.kernel.selector_is_live
    host.kernel.after_fork(sim_never_forks)


def test_after_its_program_has_ended_nothing_can_be_made_and_the_end_is_told(sim: Simulation, host: Host) -> None:
    kernel = host.kernel
    sim.run_for(2)
    host.crash()
    assert kernel.process.up is False
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
    assert host.kernel.process.files == {}


def test_the_random_numbers_of_a_program_are_decided_by_the_seed() -> None:
    drawn = []
    for seed in (1, 1, 2):
        sim, server, client = two_hosts(seed)
        drawn.append([host.kernel.random() for host in (server, client, server)])
        assert all(0 <= number < 1 for number in drawn[-1])
        assert sim.random.random() not in drawn[-1]
    assert drawn[0] == drawn[1] != drawn[2]
