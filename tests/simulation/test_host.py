from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest

from reactor import HostDownError, OptionError, Reactor, connect, listen
from reactor.simulation import CALM, Host, Simulation
from tests.simulation.kit import (
    READ,
    SERVER,
    WRITE,
    Echo,
    Log,
    connected,
    connecting,
    converse,
    drain,
    fill,
    in_callback,
    listening,
    pending,
    raises,
    talking,
    tcp,
)

WHOLE = ("descriptor_limit", "file_limit", "send_buffer", "receive_buffer")
SECONDS = ("blocking_time", "pace")


# --- The machine ----------------------------------------------------------------------------------------------------


def test_a_crash_is_silence_until_the_machine_is_back_and_resets_what_it_has_forgotten(
    sim: Simulation, server: Host, client: Host
) -> None:
    near, far = talking(sim, server, client)
    server.crash()
    assert not server.up
    near.transport.write(b"anybody there?")
    sim.run_for(100)
    assert near.events == ["made"]
    server.restart()
    sim.run(until=lambda: near.is_over)
    assert isinstance(near.error, ConnectionResetError)
    assert far.events == ["made"]  # its program was told nothing


def test_a_crash_without_return_ends_in_a_timeout(sim: Simulation, server: Host, client: Host) -> None:
    near, _ = connected(sim, client, server)
    server.crash()
    near.send(b"x")
    sim.run(until=lambda: near.readiness() & READ)
    with raises(errno.ETIMEDOUT):
        near.recv(1)


def test_what_was_on_its_way_from_a_crashed_machine_is_lost(sim: Simulation, server: Host, client: Host) -> None:
    near, far = connected(sim, client, server)
    far.send(b"too late")
    server.crash()
    server.restart()
    sim.run_for(10)
    assert near.readiness() == WRITE


def test_what_waited_in_a_crashed_machine_is_lost(sim: Simulation, server: Host, client: Host) -> None:
    near, far = connected(sim, client, server)
    fill(far)
    sim.run_for(1)
    server.crash()
    server.restart()
    assert len(drain(near)) == client.receive_buffer
    sim.run_for(10)
    assert near.readiness() == WRITE


def test_a_machine_that_is_down_cannot_crash_again_and_nothing_on_it_can_be_used(
    sim: Simulation, server: Host
) -> None:
    sim.run_for(3)
    server.crash()
    calls: list[Callable[[], Any]] = [
        lambda: server.reactor,
        lambda: server.kernel,
        lambda: server.signal(15),
        server.crash,
    ]
    for call in calls:
        with pytest.raises(HostDownError, match=r"host 'server' (crashed at 3\.0|is down)"):
            call()
    server.kill()


def test_what_was_made_on_a_crashed_machine_is_refused_with_when_it_crashed(
    sim: Simulation, server: Host, client: Host
) -> None:
    _, far = talking(sim, server, client)
    reactor = server.reactor
    sim.run_for(2)
    server.crash()
    server.restart()
    calls: list[Callable[[], Any]] = [
        lambda: far.transport.write(b"x"),
        far.transport.close,
        lambda: reactor.call_soon(int),
        lambda: reactor.call_later(1, int),
        lambda: listen(reactor, Log, "10.0.0.1:1"),
        lambda: reactor.run_once(0),
    ]
    for call in calls:
        with pytest.raises(HostDownError, match=r"host 'server' crashed at 2\.\d+ s; .*restart\(\)"):
            call()


def test_a_cable_can_be_pulled_and_put_back_in_under_a_running_conversation(
    sim: Simulation, server: Host, client: Host
) -> None:
    sim.call_at(0.0035, server.unplug)
    sim.call_at(5.0, server.plug)
    caller = converse(sim, client, server, [b"x" * 500_000])
    assert caller.data == b"x" * 500_000
    assert caller.error is None
    assert sim.time() > 5


def test_a_host_is_shown_with_its_name_and_addresses() -> None:
    assert repr(Simulation().host("many", "10.1.0.1", "fd00::1")) == "<host 'many', 10.1.0.1, fd00::1>"


def test_conditions_of_a_machine_can_change_while_it_runs(sim: Simulation, server: Host, client: Host) -> None:
    server.reactor.call_every(1.0, int)
    sim.call_at(5.0, setattr, server, "pace", 0.3)
    sim.call_at(6.0, setattr, server, "descriptor_limit", 3)
    sim.run_for(10)
    with raises(errno.EMFILE):
        tcp(server)
    sim.profile = CALM.but(latency=1.0)
    sock = connecting(client, SERVER)
    sim.run(until=sock.readiness)
    assert sim.time() == 12.0


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
    assert "was restarted" in str(old.process.ended)


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
    assert not old.process.up


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
    assert not old.process.up


def test_a_program_that_is_killed_and_then_interrupted_was_killed(sim: Simulation, server: Host) -> None:
    def callback() -> None:
        server.kill()
        server.signal(2)

    kernel = server.kernel
    in_callback(server, callback)
    sim.run_for(1)
    assert "was killed" in str(kernel.process.ended)


def test_the_open_descriptors_of_a_program_can_be_listed(server: Host) -> None:
    assert server.open_descriptors == []
    sock = tcp(server)
    assert server.open_descriptors == [sock.fileno()]
    server.kill()
    with pytest.raises(HostDownError):
        server.open_descriptors


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


# --- Its limits -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[(name, value) for name in WHOLE for value in (0, -1, 10.0, True, "many", None, float("nan"), float("inf"))],
        ("descriptor_limit", 2),
        ("file_limit", 2),
        *[(name, value) for name in SECONDS for value in (-1, -0.001, float("nan"), "slow", None, True)],
    ],
)
def test_a_limit_that_cannot_be_is_refused_where_it_is_set(host: Host, name: str, value: object) -> None:
    before = getattr(host, name)
    with pytest.raises(OptionError, match=f"^{name} is a (whole number|number of seconds) from [013] up, not "):
        setattr(host, name, value)
    assert getattr(host, name) == before


@pytest.mark.parametrize(("name", "value"), [*((name, 3) for name in WHOLE), *((name, 0) for name in SECONDS)])
def test_the_least_of_each_limit_can_be_had(host: Host, name: str, value: int) -> None:
    setattr(host, name, value)
    assert getattr(host, name) == value


def test_what_a_host_has_not_cannot_be_set(host: Host) -> None:
    for name in ("sendbuffer", "latency", "program"):
        with pytest.raises(AttributeError, match=name):
            setattr(host, name, 3)


def test_whether_a_machine_runs_and_its_cable_is_in_can_only_be_asked(host: Host) -> None:
    for name, instead in (("up", host.crash), ("plugged", host.unplug)):
        with pytest.raises(AttributeError, match=name):
            setattr(host, name, False)
        assert getattr(host, name) is True
        instead()
        assert getattr(host, name) is False


def test_a_host_tells_what_it_is_called() -> None:
    assert Simulation().host("many", "10.1.0.1").name == "many"
