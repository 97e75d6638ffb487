"""A client that stays connected: beside real servers that end, hang and return, and in the simulation, for longer."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable

import pytest

from examples.heartbeat import BACKOFF, BETWEEN_BEATS, OPTIONS, Beating, Heartbeat
from examples.reconnecting_client import serve
from reactor import Protocol, Reactor, Transport, listen
from reactor.errors import HostDownError
from reactor.simulation import CALM, HOSTILE, LOSSY_WIFI, Host, Profile, Simulation, check
from tests.cli.program import ADDRESS, Program, run

PROFILES = [CALM, LOSSY_WIFI, HOSTILE]
SILENCE = OPTIONS.idle_timeout or 0.0
SIGNALS = [signal.SIGINT, signal.SIGTERM]

# --- As people use it -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", ["shout", "echo"])
def test_it_is_there_again_when_its_server_is(example: str) -> None:
    with Program(f"examples.{example}", "127.0.0.1:0") as server:
        address = server.wait_for(ADDRESS)[1]
        with Program("examples.heartbeat", address) as client:
            client.wait_for(r"^ +\d+\.\d s  connected$")
            server.process.kill()
            server.finish()
            client.wait_for(r"^ +\d+\.\d s  over after \d+ answers: ")
            client.wait_for(rf"cannot connect to {address} .*refused.*; again in [12]\.\d s$")
            with Program(f"examples.{example}", address):
                client.wait_for(r"s  connected$")
                client.interrupt()
                client.wait_for(r"over after \d+ answers: an ordinary end$")
                status, out, err = client.finish()
    assert (status, out, err) == (0, "", "")


@pytest.mark.parametrize("signum", SIGNALS)
def test_it_ends_in_order_between_two_attempts_as_well(signum: signal.Signals) -> None:
    with Program("examples.echo", "127.0.0.1:0") as server:
        address = server.wait_for(ADDRESS)[1]
    with Program("examples.heartbeat", address) as client:
        client.wait_for("again in")
        client.process.send_signal(signum)
        status, _, err = client.finish()
    assert (status, err) == (0, "")


def test_an_address_that_is_none_is_one_line() -> None:
    status, out, err = run("examples.heartbeat", "nowhere")
    assert (status, out) == (1, "") and err.count("\n") == 1
    assert err.startswith("heartbeat: ") and "'nowhere'" in err


# --- In the simulation ------------------------------------------------------------------------------------------------


class Client(Heartbeat):
    """The client of the example, with a memory instead of a terminal."""

    def __init__(self, host: Host, address: str = "server:9000") -> None:
        self.said: list[tuple[float, str]] = []
        super().__init__(host.reactor, address)

    def say(self, what: str) -> None:
        self.said.append((self.reactor.time(), what))

    @property
    def beating(self) -> Beating | None:
        """Its protocol of now."""
        connection = self.reconnector.connection
        protocol = None if connection is None else connection.get_protocol()
        assert isinstance(protocol, Beating | None)
        return protocol

    def answers(self) -> int:
        """On the connection of now."""
        return 0 if self.beating is None else self.beating.answers

    def connections(self) -> int:
        return sum(what == "connected" for _, what in self.said)

    def attempts(self) -> list[float]:
        """How long after the end of an attempt or connection the next one had its result."""
        return [after - before for (before, _), (after, what) in itertools.pairwise(self.said) if "over" not in what]


class Silent(Protocol):
    """Accepts, and that is all."""

    def connection_made(self, transport: Transport) -> None:
        self.transport = transport


class Busy(Silent):
    """Accepts, and hangs up."""

    def connection_made(self, transport: Transport) -> None:
        transport.close()


class Chatty(Silent):
    """Says more than it is asked for."""

    def data_received(self, data: bytes) -> None:
        self.transport.write(b"1\n2\n3\n" * data.count(b"\n"))


def serving(factory: Callable[[], Protocol]) -> Callable[[Reactor], object]:
    return lambda reactor: listen(reactor, factory, ":9000")


@pytest.mark.parametrize("profile", PROFILES)
def test_it_connects_again_whatever_happens_to_the_server_and_to_the_network(profile: Profile) -> None:
    def outages(sim: Simulation) -> None:
        server = sim.host("server", "10.0.0.1", program=serve)
        machine = sim.host("client")
        client = Client(machine)
        for away, back in (
            (server.crash, server.restart),
            (server.kill, server.restart),
            (server.unplug, server.plug),
            (lambda: sim.partition(server, machine), sim.heal),
        ):
            sim.run(until=lambda: client.answers() > 2, within=100)
            connections = client.connections()
            away()
            sim.run_for(50)
            assert client.beating is None
            back()
            sim.run(until=lambda: client.answers() > 2, within=100)
            assert client.connections() > connections

    check(outages, seeds=range(10), profile=profile)


def test_a_question_follows_on_an_answer_after_a_while() -> None:
    asked: list[float] = []

    class Noting(Silent):
        def data_received(self, data: bytes) -> None:
            asked.append(sim.time())
            self.transport.write(data)

    with Simulation() as sim:
        sim.host("server", program=serving(Noting))
        client = Client(sim.host("client"))
        sim.run_for(60)
        assert client.connections() == 1
    pauses = [after - before for before, after in itertools.pairwise(asked)]
    assert len(asked) == 30
    assert all(BETWEEN_BEATS <= pause < BETWEEN_BEATS + 0.1 for pause in pauses)


def test_a_server_that_says_more_is_not_asked_more() -> None:
    with Simulation() as sim:
        sim.host("server", program=serving(Chatty))
        client = Client(sim.host("client"))
        sim.run_for(5 * BETWEEN_BEATS)
        assert client.answers() == 3 * 5


@pytest.mark.parametrize(("factory", "lasts"), [(Silent, SILENCE), (Busy, 0.0)])
def test_a_server_that_only_accepts_is_asked_less_and_less(factory: Callable[[], Protocol], lasts: float) -> None:
    with Simulation() as sim:
        sim.host("server", program=serving(factory))
        client = Client(sim.host("client"))
        sim.run_for(1000)
    pauses = client.attempts()
    full = BACKOFF.initial
    for pause in pauses:
        assert full * (1 - BACKOFF.jitter) <= pause < full + 0.1
        full = BACKOFF.next(full)
    assert full == BACKOFF.cap
    assert 1000 / (BACKOFF.cap + lasts + 0.1) < len(pauses) == client.connections() - 1 < 100


def test_after_a_good_connection_the_pauses_are_short_again() -> None:
    with Simulation() as sim:
        server = sim.host("server", "10.0.0.1", program=serve)
        client = Client(sim.host("client"))
        for _ in range(3):
            sim.run(until=lambda: client.answers() > 10)
            server.kill()
            known = len(client.said)
            sim.run_for(300)
            pauses = [after - before for (before, _), (after, _) in itertools.pairwise(client.said[known:])]
            assert max(pauses) > BACKOFF.cap * (1 - BACKOFF.jitter)
            assert pauses[0] < BACKOFF.initial + 0.1
            server.restart()


def test_clients_that_lost_the_same_server_do_not_come_back_at_once() -> None:
    with Simulation() as sim:
        server = sim.host("server", "10.0.0.1", program=serve)
        clients = [Client(sim.host(f"client{number}")) for number in range(100)]
        sim.run_for(30)
        server.crash()
        sim.run_for(120)
        server.restart()
        sim.run(until=lambda: all(client.beating is not None for client in clients))
    came = sorted(client.said[-1][0] for client in clients)
    assert all(client.connections() == 2 for client in clients)
    assert max(sum(begin <= when < begin + 1 for when in came) for begin in came) < 20


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("signum", SIGNALS)
def test_it_ends_whenever_it_is_told_to(signum: signal.Signals, profile: Profile) -> None:
    def ending(sim: Simulation) -> None:
        server = sim.host("server", "10.0.0.1", program=serve)
        machine = sim.host("client")
        client = Client(machine)
        sim.call_at(15.0, server.crash)
        sim.run_for(1 + 1.7 * sim.seed)  # connected; in silence; connecting; between two attempts
        machine.signal(signum)
        sim.run(until=lambda: not client.reactor.alive(), within=2 * (OPTIONS.drain_timeout or 0))
        sim.run_for(100)
        assert client.reconnector.state.value == "stopped"
        assert client.said[-1][0] < 1 + 1.7 * sim.seed + 2 * (OPTIONS.drain_timeout or 0)

    check(ending, seeds=range(20), profile=profile)


def test_nothing_holds_up_the_end_of_one_that_is_connected() -> None:
    with Simulation() as sim:
        sim.host("server", "10.0.0.1", program=serve)
        machine = sim.host("client")
        client = Client(machine)
        sim.run(until=lambda: client.answers() == 3)
        machine.signal(signal.SIGTERM)
        sim.run_for(0.1)
        assert not client.reactor.alive()


def test_a_second_ctrl_c_does_not_wait_for_a_server_that_is_silent() -> None:
    with Simulation() as sim:
        server, machine = sim.host("server", "10.0.0.1", program=serve), sim.host("client")
        client = Client(machine)
        sim.run_for(10)
        sim.partition(server, machine)
        machine.signal(signal.SIGINT)
        sim.run_for(1)
        assert client.reactor.alive() and client.said[-1][1] == "connected"
        machine.signal(signal.SIGINT)
        with pytest.raises(HostDownError):
            machine.reactor
    assert client.said[-1] == (11.0, "over after 5 answers: an ordinary end")
