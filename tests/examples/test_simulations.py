"""The two examples that simulate: as a user runs them, and under conditions that they do not show."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from examples.find_the_split import Adding, AddingLines, conversation
from examples.reconnecting_client import LONGEST_PAUSE, ReconnectingClient, serve
from examples.shout import Shout
from reactor import Protocol, Reactor, Transport, listen
from reactor.simulation import CALM, HOSTILE, LOSSY_WIFI, Profile, Simulation, check
from tests.cli.program import ADDRESS, Program, run

ONE_BYTE_FIRST = ([("short_read", 1, 1)], [("short_write", 1, 1)])
"""What makes two events of one: either end's kernel takes the request in two pieces. Which is found first is chance."""

# --- find_the_split ---------------------------------------------------------------------------------------------------


def test_find_the_split_shows_the_failure_its_two_events_and_the_repair() -> None:
    status, out, err = run("examples.find_the_split")
    assert (status, err) == (0, "")
    assert "AssertionError: 12 + 30 = b'1'\n" in out
    assert any(f"schedule={schedule})\n" in out for schedule in ONE_BYTE_FIRST)
    story = out.partition("all that the server read")[2].splitlines()
    assert [line.partition(" = ")[2] for line in story if " server recv(" in line] == ["1", "5"]
    assert out.endswith("the same hundred seeds: every sum is right.\n")


def test_what_is_left_of_all_that_went_wrong_fails_again() -> None:
    runs: list[Simulation] = []

    def recorded(sim: Simulation) -> None:
        runs.append(sim)
        conversation(sim, Adding)

    with pytest.raises(AssertionError, match="= b'1'"):
        check(recorded)
    found = runs[-1]
    assert found.struck in ONE_BYTE_FIRST
    with pytest.raises(AssertionError, match="= b'1'"):
        conversation(Simulation(found.seed, profile=HOSTILE, schedule=found.struck), Adding)


def test_hypothesis_finds_the_split_and_makes_it_as_short() -> None:
    runs: list[Simulation] = []

    # Without its phase `explain`, which traces every line and takes longer than all the rest.
    @settings(derandomize=True, database=None, deadline=None, phases=[Phase.generate, Phase.shrink])
    @given(data=st.data())
    def a_sum_is_right(data: st.DataObject) -> None:
        runs.append(Simulation(data=data, profile=HOSTILE))
        with runs[-1] as sim:
            conversation(sim, Adding)

    with pytest.raises(AssertionError, match="12 \\+ 30 = b'1'"):
        a_sum_is_right()
    assert runs[-1].struck in ONE_BYTE_FIRST


@settings(max_examples=50, deadline=None)
@given(data=st.data(), profile=st.sampled_from([CALM, LOSSY_WIFI, HOSTILE]))
def test_the_repaired_server_survives_what_hypothesis_can_think_of(data: st.DataObject, profile: Profile) -> None:
    with Simulation(data=data, profile=profile) as sim:
        conversation(sim, AddingLines)


# --- reconnecting_client ----------------------------------------------------------------------------------------------


class Client(ReconnectingClient):
    """The client of the example, with a memory instead of a terminal."""

    def __init__(self, reactor: Reactor, address: str) -> None:
        self.said: list[tuple[float, str]] = []
        self.answers = 0
        super().__init__(reactor, address)

    def say(self, what: str) -> None:
        self.said.append((self.reactor.time(), what))

    def answered(self) -> None:
        super().answered()
        self.answers += 1

    def pauses(self) -> list[float]:
        return [float(what.split()[-2]) for _, what in self.said if " again in " in what]

    def connections(self) -> int:
        return sum(what == "connected" for _, what in self.said)


def test_reconnecting_client_tells_its_story_in_virtual_time() -> None:
    status, out, err = run("examples.reconnecting_client")
    assert (status, err) == (0, "")
    happened = [(float(line.split()[0]), line.split("s  ", 1)[1]) for line in out.splitlines()]
    assert [when for when, _ in happened] == sorted(when for when, _ in happened)
    ends = [what.rpartition("; ")[2] for _, what in happened]
    assert ends == [
        "connected",
        "* the server's machine loses its power",
        *(f"again in {seconds} s" for seconds in (1, 2, 4, 8)),
        "* it is back",
        "connected",
        "* the server's program is killed",
        *(f"again in {seconds} s" for seconds in (1, 2)),
        "* it is started again",
        "connected",
    ]


def test_the_pauses_double_up_to_the_longest_one() -> None:
    with Simulation() as sim:
        sim.host("server", "10.0.0.1")  # where nobody listens
        client = Client(sim.host("client").reactor, "server:9000")
        sim.run_for(1000)
    pauses = client.pauses()
    assert pauses[:6] == [1, 2, 4, 8, 16, 30]
    assert set(pauses[5:]) == {LONGEST_PAUSE}
    times = [when for when, _ in client.said]
    for pause, (before, after) in zip(pauses, itertools.pairwise(times), strict=False):
        assert pause < after - before < pause + 0.1  # and a refusal takes as long as there and back


def test_an_answer_ends_the_doubling_and_a_connection_alone_does_not() -> None:
    class Silent(Protocol):
        def connection_made(self, transport: Transport) -> None:
            pass

    with Simulation() as sim:
        mute, server = sim.host("mute", "10.0.0.1"), sim.host("server", "10.0.0.2")
        listen(mute.reactor, Silent, "10.0.0.1:9000")
        to_mute = Client(sim.host("one").reactor, "mute:9000")
        to_server = Client(sim.host("two").reactor, "server:9000")
        sim.run_for(10)  # in vain: nobody listens there yet
        listen(server.reactor, Shout, "10.0.0.2:9000")
        sim.run_for(50)
    assert to_mute.connections() > 3 and to_mute.answers == 0
    assert to_mute.pauses()[:4] == [1, 2, 4, 8]
    assert to_server.pauses() == [1, 2, 4, 8] and to_server.answers > 10


def test_after_an_answer_the_pauses_begin_anew() -> None:
    with Simulation() as sim:
        server = sim.host("server", "10.0.0.1", program=serve)
        client = Client(sim.host("client").reactor, "server:9000")
        for lasts in (10.0, 20.0):
            sim.run(until=lambda: client.answers)
            client.answers = 0
            server.kill()
            sim.run_for(lasts)
            server.restart()
        sim.run(until=lambda: client.answers)
    assert client.pauses() == [1, 2, 4, 8, 1, 2, 4, 8, 16]


@pytest.mark.parametrize("profile", [CALM, LOSSY_WIFI, HOSTILE])
def test_it_connects_again_whatever_the_network_does_meanwhile(profile: Profile) -> None:
    def outages(sim: Simulation) -> None:
        server = sim.host("server", "10.0.0.1", program=serve)
        machine = sim.host("client")
        client = Client(machine.reactor, "server:9000")
        for away, back in (
            (server.crash, server.restart),
            (server.kill, server.restart),
            (server.unplug, server.plug),
            (lambda: sim.partition(server, machine), sim.heal),
        ):
            client.answers = 0
            sim.run(until=lambda: client.answers > 2, within=100)
            connections = client.connections()
            away()
            sim.run_for(50)
            back()
            client.answers = 0
            sim.run(until=lambda: client.answers > 2, within=100)
            assert client.connections() > connections

    check(outages, seeds=range(10), profile=profile)


def test_reconnecting_client_is_the_same_for_real() -> None:
    with Program("examples.shout", "127.0.0.1:0") as server:
        address = server.wait_for(ADDRESS)[1]
        with Program("examples.reconnecting_client", address) as client:
            client.wait_for(r"\d s  connected")
            server.interrupt()
            server.finish()
            client.wait_for(r"\d s  .*again in 1 s")
            with Program("examples.shout", address):
                client.wait_for(r"\d s  connected")
            client.interrupt()
            status, _, err = client.finish()
    assert (status, err) == (0, "")


def test_an_address_that_is_none_is_one_line() -> None:
    status, out, err = run("examples.reconnecting_client", "nowhere")
    assert (status, out) == (1, "") and err.count("\n") == 1
    assert err.startswith("reconnecting_client: ") and "'nowhere'" in err
