from __future__ import annotations

from typing import Any

import pytest

from reactor import Reactor, SimulationError, listen
from reactor.network import Server
from reactor.simulation import Host, Simulation
from tests.simulation.kit import Echo, converse, in_callback, raising, talking


def test_a_program_is_started_with_its_host_and_again_with_a_new_reactor_at_each_restart(sim: Simulation) -> None:
    started: list[tuple[float, Reactor]] = []
    host = sim.host("booting", program=lambda reactor: started.append((sim.time(), reactor)))
    assert started == [(0.0, host.reactor)]
    for how in (host.crash, host.kill, int):
        sim.run_for(1)
        how()
        sim.run_for(1)
        host.restart()
    assert [when for when, _ in started] == [0.0, 2.0, 4.0, 6.0]
    assert len({id(reactor) for _, reactor in started}) == 4
    assert host.reactor is started[-1][1]


@pytest.mark.parametrize(("how", "said"), [("stop", "has stopped"), ("close", "has closed its reactor")])
def test_a_program_ends_in_order_when_its_reactor_is_stopped_or_closed(
    sim: Simulation, server: Host, client: Host, how: str, said: str
) -> None:
    near, far = talking(sim, server, client)
    kernel = server.kernel
    sim.call_at(1.0, getattr(server.reactor, how))
    sim.run_for(2)
    assert said in str(kernel.process.ended)
    assert near.is_over
    assert far.is_over  # its protocols are told


def test_a_program_whose_reactor_was_closed_can_still_be_interrupted(server: Host) -> None:
    kernel = server.kernel
    server.reactor.close()
    server.signal(2)
    assert "was interrupted" in str(kernel.process.ended)


def test_a_callback_that_runs_another_host_is_still_in_its_own_tick(
    sim: Simulation, server: Host, client: Host
) -> None:
    log: list[str] = []

    def callback() -> None:
        sim.host("third").reactor.call_soon(log.append, "third")
        with Reactor(kernel=client.kernel) as by_hand:
            by_hand.run_once(1.0)
        server.kill()
        log.append("went on")
        server.reactor.call_soon(int)

    in_callback(server, callback)
    sim.run_for(5)
    assert log == ["third", "went on"]


def test_what_a_program_waits_for_is_told_line_by_line(sim: Simulation, server: Host, client: Host) -> None:
    talking(sim, server, client)
    server.reactor.call_later(5, int)
    client.reactor.run_in_executor(lambda *_: None, int)
    client.blocking_time = 9.0
    told = server.waits_for()
    assert [line.strip().split(":")[0] for line in told[:-1]] == ["server", "acceptor", "connection"]
    assert told[-1] == "1 timer"
    assert client.waits_for()[-1] == "1 job"
    assert "peer 10.0.0.1:9000" in "\n".join(client.waits_for())


def test_a_program_with_an_exception_handler_of_its_own_handles_its_errors(sim: Simulation, server: Host) -> None:
    handled: list[Any] = []
    server.reactor.set_exception_handler(lambda reactor, context: handled.append(context["exception"]))
    in_callback(server, divmod, 1, 0)
    sim.run()
    assert [type(error) for error in handled] == [ZeroDivisionError]
    assert sim.errors == []


def test_a_slow_machine_has_a_pause_between_two_ticks(sim: Simulation, server: Host) -> None:
    moments: list[float] = []

    def again() -> None:
        moments.append(sim.time())
        if len(moments) < 4:
            server.reactor.call_soon(again)

    server.pace = 0.5
    server.reactor.call_soon(again)
    sim.run_for(10)
    assert moments == [0.0, 0.5, 1.0, 1.5]
    assert sim.scheduler.ticks == 4


def test_a_slow_reader_with_a_small_buffer_slows_its_sender_down(sim: Simulation, server: Host, client: Host) -> None:
    server.receive_buffer, server.pace = 10_000, 1.0
    caller = converse(sim, client, server, [b"x" * 100_000])
    assert caller.data == b"x" * 100_000
    assert sim.time() > 9


def test_a_machine_that_stalls_comes_late() -> None:
    sim = Simulation(schedule=[("stall", 1, 100)])
    host = sim.host("slow")
    moments: list[float] = []
    host.reactor.call_soon(lambda: moments.append(sim.time()))
    sim.run()
    assert moments == [0.1]


# --- How it begins --------------------------------------------------------------------------------------------------


def test_a_host_has_its_limits_before_its_program_begins() -> None:
    sim = Simulation()
    servers: list[Server] = []
    done: list[float] = []

    def program(reactor: Reactor) -> None:
        servers.append(listen(reactor, Echo, "0.0.0.0:9000"))
        reactor.run_in_executor(lambda *_: done.append(sim.time()), int)

    sim.host("a", program=program, descriptor_limit=20, blocking_time=2.0)
    sim.host("b", program=program, descriptor_limit=100, blocking_time=5.0)
    sim.run_for(10)
    assert [server.max_connections for server in servers] == [1, 36]
    assert done == [2.0, 5.0]


def test_a_host_is_known_to_all_before_its_program_begins() -> None:
    sim = Simulation()
    seen: list[object] = []

    def program(reactor: Reactor) -> None:
        host = sim.hosts["only"]
        seen.extend((host.reactor is reactor, host.addresses, host.kernel.getaddrinfo("only", 80)[0][4]))

    sim.host("only", "10.0.0.7", program=program)
    assert seen == [True, ("10.0.0.7",), ("10.0.0.7", 80)]


def test_a_program_that_runs_its_reactor_itself_is_told_to_return_instead() -> None:
    def program(reactor: Reactor) -> None:
        listen(reactor, Echo, "0.0.0.0:9000")
        reactor.run()

    with pytest.raises(SimulationError, match="the program of host 'x' must not run its reactor: it returns, and"):
        Simulation().host("x", program=program)


def test_a_program_may_run_what_there_is_to_do_at_once() -> None:
    log: list[str] = []

    def program(reactor: Reactor) -> None:
        reactor.call_soon(log.append, "at once")
        reactor.run_once(0)
        log.append("goes on")

    Simulation().host("x", program=program)
    assert log == ["at once", "goes on"]


def test_what_a_program_raises_while_it_begins_comes_out_of_host() -> None:
    with pytest.raises(ValueError, match="no"):
        Simulation().host("x", program=lambda reactor: raising(ValueError("no")))
