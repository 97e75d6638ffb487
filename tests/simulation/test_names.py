from __future__ import annotations

import socket
from typing import Any

import pytest

from reactor import ConnectTimeoutError, NameResolutionError, OptionError, connect, listen
from reactor.simulation import CALM, Host, Simulation
from tests.simulation.kit import CLIENT, SERVER, Caller, Log, converse, listening, two_hosts

INFINITE = float("inf")


def addresses(host: Host, name: str, port: int = 80, flags: int = 0) -> list[Any]:
    return [row[4] for row in host.kernel.getaddrinfo(name, port, flags)]


def resolved(sim: Simulation, host: Host, name: str) -> tuple[float, Any]:
    """After how many seconds a reactor knows `name`, and what it is told."""
    outcome: list[Any] = []
    begun = sim.time()
    host.reactor.resolve(lambda *answer: outcome.append(answer), name, 80)
    sim.run(until=lambda: outcome)
    return sim.time() - begun, outcome[0]


def test_hosts_are_known_by_their_names_with_all_addresses_in_order() -> None:
    sim, server, client = two_hosts()
    sim.host("many", "10.1.0.1", "fd00::1")
    assert addresses(client, "server") == [(SERVER, 80)]
    assert addresses(server, "many") == [("10.1.0.1", 80), ("fd00::1", 80, 0, 0)]


def test_numeric_addresses_stand_for_themselves_however_they_are_written() -> None:
    _, server, _ = two_hosts()
    assert addresses(server, "10.9.9.9") == [("10.9.9.9", 80)]
    assert addresses(server, "FD00:0::1") == [("fd00::1", 80, 0, 0)]


def test_no_name_is_this_host() -> None:
    _, server, _ = two_hosts()
    assert addresses(server, "") == addresses(server, "localhost") == [("::1", 80, 0, 0), ("127.0.0.1", 80)]
    assert addresses(server, "", 80, socket.AI_PASSIVE) == [("0.0.0.0", 80), ("::", 80, 0, 0)]


def test_a_name_stands_for_what_it_was_given_last_in_any_case() -> None:
    sim, server, _ = two_hosts()
    sim.name("DB.example", "10.0.0.1", "fd00:0::9")
    assert addresses(server, "db.EXAMPLE") == [("10.0.0.1", 80), ("fd00::9", 80, 0, 0)]
    sim.name("db.example", "10.0.0.2")
    assert addresses(server, "db.example") == [("10.0.0.2", 80)]


@pytest.mark.parametrize("name", ["nobody.example", "gone.example"])
def test_a_name_that_nobody_has_or_that_was_given_nothing_does_not_exist(name: str) -> None:
    sim, server, _ = two_hosts()
    sim.name("gone.example")
    with pytest.raises(socket.gaierror, match=name) as caught:
        addresses(server, name)
    assert caught.value.errno == socket.EAI_NONAME


def test_who_asks_for_numbers_only_is_not_answered_for_a_name() -> None:
    _, server, _ = two_hosts()
    with pytest.raises(socket.gaierror):
        addresses(server, "server", 80, socket.AI_NUMERICHOST)


@pytest.mark.parametrize("given", [("nowhere",), ("10.0.0.300",), ("127.0.0.1",), ("0.0.0.0",), ("224.0.0.1",)])
def test_a_name_can_only_stand_for_an_address_of_one_host(given: tuple[str, ...]) -> None:
    with pytest.raises(OptionError, match=given[0]):
        Simulation().name("x", *given)


def test_localhost_cannot_be_the_name_of_one_host() -> None:
    with pytest.raises(OptionError, match="localhost"):
        Simulation().host("localhost", "10.0.0.5")


def test_an_answer_takes_its_delay_while_everybody_else_goes_on() -> None:
    sim, _, client = two_hosts()
    sim.name("slow.example", SERVER, delay=7.0)
    ticks: list[float] = []
    client.reactor.call_every(1.0, lambda: ticks.append(sim.time()))
    assert resolved(sim, client, "slow.example")[0] == 7.0
    assert len(ticks) >= 6


def test_a_failure_can_take_its_time_too() -> None:
    sim, _, client = two_hosts()
    sim.name("slow.example", delay=3.0)
    after, (_, error) = resolved(sim, client, "slow.example")
    assert after == 3.0
    assert isinstance(error, socket.gaierror)


def test_a_name_that_hangs_does_so_until_the_connect_timeout() -> None:
    sim, _, client = two_hosts()
    sim.name("hanging.example", SERVER, delay=INFINITE)
    failures: list[BaseException] = []
    connect(client.reactor, Log, "hanging.example:80", on_failure=failures.append)
    sim.run(until=lambda: failures)
    assert isinstance(failures[0], ConnectTimeoutError)
    assert sim.time() == 30.0


def test_a_name_that_does_not_exist_is_a_failure_to_connect() -> None:
    sim, _, client = two_hosts()
    failures: list[BaseException] = []
    connect(client.reactor, Log, "nobody.example:80", on_failure=failures.append)
    sim.run(until=lambda: failures)
    assert isinstance(failures[0], NameResolutionError)


def test_a_client_reaches_a_server_by_its_name() -> None:
    sim, server, client = two_hosts()
    listening(server, 9000)
    log = Log()
    connect(client.reactor, lambda: log, "SERVER:9000")
    sim.run(until=lambda: log.events)
    assert log.transport.get_extra_info("peername") == (SERVER, 9000)


def test_a_name_can_be_unresolved_for_now() -> None:
    _, _, client = two_hosts(schedule=[("unresolved", 1, 0)])
    with pytest.raises(socket.gaierror) as caught:
        addresses(client, "server")
    assert caught.value.errno == socket.EAI_AGAIN
    assert addresses(client, "server") == [(SERVER, 80)]


def test_a_program_that_looks_up_a_slow_name_outside_the_resolver_is_told_so() -> None:
    sim, _, client = two_hosts()
    sim.name("slow.example", SERVER, delay=7.0)
    with pytest.raises(OptionError, match=r"'slow\.example' takes 7\.0 s, and only connect\(\) waits"):
        addresses(client, "slow.example")
    with pytest.raises(OptionError, match="use a numeric address here"):
        listen(client.reactor, Log, "slow.example:80")


def test_a_program_that_looks_up_a_slow_name_in_a_job_is_told_so_too() -> None:
    sim, _, client = two_hosts()
    sim.name("slow.example", SERVER, delay=7.0)
    outcomes: list[Any] = []
    client.reactor.run_in_executor(lambda *outcome: outcomes.append(outcome), addresses, client, "slow.example")
    sim.run(until=lambda: outcomes)
    assert isinstance(outcomes[0][1], OptionError)


def test_a_slow_name_that_changes_while_it_is_looked_up_is_answered_as_it_is_then() -> None:
    sim, _, client = two_hosts()
    sim.name("moving.example", SERVER, delay=5.0)
    sim.call_at(2.0, sim.name, "moving.example", CLIENT)
    after, (rows, _) = resolved(sim, client, "moving.example")
    assert (after, rows[0][4]) == (5.0, (CLIENT, 80))


def test_a_conversation_under_a_flaky_name_service_comes_to_its_end() -> None:
    sim, server, client = two_hosts(profile=CALM.but(unresolved=0.5))
    again: list[BaseException] = []
    caller = Caller([b"x"])

    def dial(*failed: BaseException) -> None:
        again.extend(failed)
        connect(client.reactor, lambda: caller, "server:9000", on_failure=dial)

    listening(server, 9000)
    dial()
    sim.run(until=lambda: caller.events, within=600)
    assert {type(error) for error in again} <= {NameResolutionError}
    assert converse(sim, client, server, [b"x"]).data == b"x"
