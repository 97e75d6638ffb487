from __future__ import annotations

import errno
from typing import Any

import pytest

from reactor import HostDownError, Reactor, connect, listen
from reactor.simulation import Host, Simulation
from tests.simulation.kit import (
    SERVER,
    Echo,
    Log,
    connected,
    connecting,
    converse,
    in_callback,
    listening,
    pending,
    tcp,
)


def talking(sim: Simulation, server: Host, client: Host) -> tuple[Log, Log]:
    """The client's and the server's protocol of a connection on which nobody says anything."""
    near, far = Log(), Log()
    listen(server.reactor, lambda: far, f"{SERVER}:9000")
    connect(client.reactor, lambda: near, f"{SERVER}:9000")
    sim.run(until=lambda: near.events and far.events)
    return near, far


# --- Its program ----------------------------------------------------------------------------------------------------


def test_a_killed_program_is_told_nothing_and_its_peers_get_an_end(
    sim: Simulation, server: Host, client: Host
) -> None:
    near, far = talking(sim, server, client)
    server.kill()
    sim.run_for(1)
    assert near.events == ["made", "eof", "lost"]
    assert far.events == ["made"]
    assert server.up


def test_the_peer_of_a_killed_program_that_had_unread_input_gets_a_reset(
    sim: Simulation, server: Host, client: Host
) -> None:
    near, _ = connected(sim, client, server)
    near.send(b"unread")
    sim.run_for(1)
    server.kill()
    sim.run_for(1)
    assert pending(near) == errno.ECONNRESET


def test_the_port_of_a_killed_program_refuses_and_that_of_its_successor_accepts(
    sim: Simulation, server: Host, client: Host
) -> None:
    listening(server)
    server.kill()
    sock = connecting(client, SERVER)
    sim.run(until=sock.readiness)
    assert pending(sock) == errno.ECONNREFUSED
    server.restart()
    listening(server)
    assert converse(sim, client, server, [b"x"]).data == b"x"


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


def test_a_client_that_tries_again_reaches_a_server_that_was_restarted(sim: Simulation, client: Host) -> None:
    server = sim.host("rebooting", "10.0.0.9", program=lambda reactor: listen(reactor, Echo, "10.0.0.9:9000"))
    log: list[str] = []

    class Persistent(Log):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            log.append(f"made at {sim.time():.0f}")

        def connection_lost(self, exc: BaseException | None) -> None:
            log.append(f"lost at {sim.time():.0f}")
            dial()

    def dial(*_: object) -> None:
        client.reactor.call_later(
            1.0, lambda: connect(client.reactor, Persistent, "rebooting:9000", on_failure=dial)
        )

    dial()
    sim.call_at(10.0, server.kill)
    sim.call_at(20.0, server.restart)
    sim.run_for(30)
    assert log == ["made at 1", "lost at 10", "made at 20"]


def test_a_restart_ends_a_running_program_as_kill_does(sim: Simulation, server: Host, client: Host) -> None:
    near, _ = talking(sim, server, client)
    old = server.kernel
    server.restart()
    sim.run_for(1)
    assert near.is_over
    assert "was restarted" in str(old.ended)


@pytest.mark.parametrize(("how", "said"), [("stop", "has stopped"), ("close", "has closed its reactor")])
def test_a_program_ends_in_order_when_its_reactor_is_stopped_or_closed(
    sim: Simulation, server: Host, client: Host, how: str, said: str
) -> None:
    near, far = talking(sim, server, client)
    kernel = server.kernel
    sim.call_at(1.0, getattr(server.reactor, how))
    sim.run_for(2)
    assert said in str(kernel.ended)
    assert near.is_over
    assert far.is_over  # its protocols are told


@pytest.mark.parametrize("what", ["crash", "restart", "kill"])
def test_what_a_callback_does_to_its_own_machine_happens_when_it_has_returned(
    sim: Simulation, server: Host, what: str
) -> None:
    log: list[str] = []

    def callback() -> None:
        getattr(server, what)()
        log.append("went on")
        server.reactor.call_later(1, log.append, "never")

    old = server.kernel
    in_callback(server, callback)
    sim.run_for(5)
    assert log == ["went on"]
    assert not old.up


def test_a_callback_that_kills_its_program_and_then_lets_time_pass_is_over_there(
    sim: Simulation, server: Host, client: Host
) -> None:
    def callback() -> None:
        server.kill()
        with Reactor(kernel=client.kernel) as by_hand:
            by_hand.run_once(1.0)
        with pytest.raises(HostDownError, match="was killed"):
            reactor.call_soon(int)

    reactor, old = server.reactor, server.kernel
    in_callback(server, callback)
    sim.run_for(5)
    assert not old.up


def test_a_program_that_is_killed_and_then_interrupted_was_killed(sim: Simulation, server: Host) -> None:
    def callback() -> None:
        server.kill()
        server.signal(2)

    kernel = server.kernel
    in_callback(server, callback)
    sim.run_for(1)
    assert "was killed" in str(kernel.ended)


def test_a_program_whose_reactor_was_closed_can_still_be_interrupted(server: Host) -> None:
    kernel = server.kernel
    server.reactor.close()
    server.signal(2)
    assert "was interrupted" in str(kernel.ended)


def test_the_open_descriptors_of_a_program_can_be_listed(server: Host) -> None:
    assert server.open_descriptors == []
    sock = tcp(server)
    assert server.open_descriptors == [sock.fileno()]
    server.kill()
    with pytest.raises(HostDownError):
        server.open_descriptors


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


def test_a_host_without_a_program_is_a_machine_all_the_same(sim: Simulation, server: Host, client: Host) -> None:
    sock = connecting(client, SERVER)
    sim.run(until=sock.readiness)
    assert pending(sock) == errno.ECONNREFUSED
    assert not server.alive
    assert server.waits_for() == []


def test_a_program_is_alive_as_long_as_it_waits_for_something(server: Host) -> None:
    seen = [server.alive]
    server.reactor.call_later(1, int)
    seen.append(server.alive)
    server.kill()
    seen.append(server.alive)
    assert seen == [False, True, False]


def test_what_a_program_waits_for_is_told_line_by_line(sim: Simulation, server: Host, client: Host) -> None:
    talking(sim, server, client)
    server.reactor.call_later(5, int)
    client.reactor.run_in_executor(lambda *_: None, int)
    client.blocking_time = 9.0
    told = server.waits_for()
    assert [line.strip().split(":")[0] for line in told[:-1]] == ["server", "acceptor", "connection"]
    assert told[-1] == "1 timers"
    assert client.waits_for()[-1] == "1 jobs"
    assert "peer 10.0.0.1:9000" in "\n".join(client.waits_for())


# --- Its reactor's errors -------------------------------------------------------------------------------------------


def test_a_program_with_an_exception_handler_of_its_own_handles_its_errors(sim: Simulation, server: Host) -> None:
    handled: list[Any] = []
    server.reactor.set_exception_handler(lambda reactor, context: handled.append(context["exception"]))
    in_callback(server, divmod, 1, 0)
    sim.run()
    assert [type(error) for error in handled] == [ZeroDivisionError]
    assert sim.errors == []
