from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor import (
    OptionError,
    Reactor,
    ReentryError,
    listen,
)
from reactor.simulation import CALM, HOSTILE, Host, Simulation
from tests.simulation.kit import SERVER, Echo, connected, converse, notes_of, raising, two_hosts

# --- Hosts ----------------------------------------------------------------------------------------------------------


def test_hosts_are_found_by_name_and_several_share_a_thread_and_a_clock() -> None:
    sim = Simulation()
    log: list[tuple[float, str]] = []
    for number, name in enumerate("abc"):
        sim.host(name).reactor.call_later(3.0 - number, lambda name=name: log.append((sim.time(), name)))  # type: ignore[misc]
    sim.run()
    assert log == [(1.0, "c"), (2.0, "b"), (3.0, "a")]
    assert list(sim.hosts) == ["a", "b", "c"]


def test_a_host_without_an_address_gets_a_free_one() -> None:
    sim = Simulation()
    taken = sim.host("taken", "10.0.0.2")
    assert [sim.host(name).addresses for name in "ab"] == [("10.0.0.3",), ("10.0.0.4",)]
    assert taken.addresses == ("10.0.0.2",)


def test_free_addresses_do_not_collide_with_given_ones() -> None:
    sim = Simulation()
    sim.host("a", "10.0.0.9")
    sim.host("b", "10.0.0.3")
    found = [sim.host(f"host{number}").addresses[0] for number in range(300)]
    assert len({*found, "10.0.0.9", "10.0.0.3"}) == 302
    assert "10.0.1.0" in found


def test_two_hosts_cannot_have_one_name() -> None:
    sim = Simulation()
    sim.host("db", "10.0.0.1")
    with pytest.raises(OptionError, match="'db'"):
        sim.host("db", "10.0.0.2")


@pytest.mark.parametrize("address", ["10.0.0.1", "fd00:0::1"])
def test_two_hosts_cannot_have_one_address(address: str) -> None:
    sim = Simulation()
    sim.host("first", "10.0.0.1", "fd00::1")
    with pytest.raises(OptionError, match=r"host 'first' has the address (10\.0\.0\.1|fd00::1)"):
        sim.host("second", "10.0.0.2", address)
    assert sim.host("second", "10.0.0.2").addresses == ("10.0.0.2",)


@pytest.mark.parametrize(
    "address", ["localhost", "10.0.0", "10.0.0.256", "127.0.0.1", "::1", "0.0.0.0", "::", "224.0.0.1", "10.0.0.1:80"]
)
def test_what_is_no_address_of_one_host_is_refused_by_its_text(address: str) -> None:
    with pytest.raises(OptionError, match=address.replace(".", r"\.")):
        Simulation().host("x", address)


def test_hosts_of_different_simulations_have_nothing_to_do_with_each_other() -> None:
    here, mine, _ = two_hosts()
    _, theirs, _ = two_hosts()
    for call in (here.partition, here.heal, here.link):
        with pytest.raises(OptionError, match=r"'server'.* belongs to another simulation"):
            call(mine, theirs)


def test_a_partition_and_a_link_have_two_ends() -> None:
    sim, server, _ = two_hosts()
    for call in (sim.partition, sim.heal, sim.link):
        with pytest.raises(OptionError, match="loopback"):
            call(server, server)
    with pytest.raises(OptionError):
        sim.heal(server)


@pytest.mark.parametrize("name", ["", "a b", " a", "a\t", "10.0.0.2", "fd00::1", "127.0.0.1"])
def test_a_name_has_no_blanks_and_is_no_address(name: str) -> None:
    sim = Simulation()
    with pytest.raises(OptionError, match="no blanks and is no address"):
        sim.host(name)
    assert sim.hosts == {}


@pytest.mark.parametrize("name", ["db", "DB", "other.example", "Other.Example", "localhost", "LOCALHOST"])
def test_a_name_that_stands_for_something_cannot_be_that_of_a_host(name: str) -> None:
    sim = Simulation()
    sim.host("db")
    sim.name("other.example", "10.9.9.9")
    with pytest.raises(OptionError, match=f"the name '{name}' is taken"):
        sim.host(name)
    assert list(sim.hosts) == ["db"]


def test_the_name_of_a_host_stands_for_the_host() -> None:
    sim, _, client = two_hosts()
    for name in ("server", "SERVER"):
        with pytest.raises(OptionError, match=f"'{name}' is the name of a host"):
            sim.name(name, "10.9.9.9")
    assert client.kernel.getaddrinfo("server", 80)[0][4] == (SERVER, 80)


@pytest.mark.parametrize("addresses", [("10.0.0.1", "10.0.0.1"), ("fd00::1", "10.0.0.1", "fd00:0::1")])
def test_a_host_has_each_address_once(addresses: tuple[str, ...]) -> None:
    sim = Simulation()
    with pytest.raises(OptionError, match="host 'x' has an address twice"):
        sim.host("x", *addresses)
    assert sim.hosts == {}


def test_a_limit_that_no_host_has_is_refused_with_those_that_there_are() -> None:
    sim = Simulation()
    with pytest.raises(OptionError, match="no limit 'sendbuffer': there are descriptor_limit, file_limit, send_buf"):
        sim.host("x", sendbuffer=5)
    with pytest.raises(OptionError, match="no limit 'up'"):
        sim.host("x", up=False)
    with pytest.raises(OptionError, match=r"^send_buffer is a whole number from 1 up, not 0$"):
        sim.host("x", send_buffer=0)
    assert sim.host("x", send_buffer=5).send_buffer == 5


def test_two_hosts_are_given_as_hosts_and_not_by_name() -> None:
    sim, server, _ = two_hosts()
    calls: list[Any] = [sim.partition, sim.heal, sim.link]
    for call in calls:
        for pair in (("server", "client"), (server, "client"), (None, server)):
            with pytest.raises(OptionError, match=r"two hosts|for two hosts"):
                call(*pair)


@pytest.mark.parametrize("seconds", [-1, -0.001, float("nan"), "5", None, float("inf")])
def test_what_is_no_number_of_seconds_is_refused(seconds: Any) -> None:
    sim = Simulation()
    calls: dict[str, Any] = {
        "within": lambda: sim.run(within=seconds),
        "run_for()": lambda: sim.run_for(seconds),
        "delay": lambda: sim.name("x", delay=seconds),
    }
    if seconds == float("inf"):
        del calls["delay"]  # it never answers
    for what, call in calls.items():
        with pytest.raises(OptionError) as caught:
            call()
        assert str(caught.value) == f"{what} takes a number of seconds from 0 up, not {seconds!r}"
    assert sim.time() == 0.0


def test_nothing_happens_at_no_time() -> None:
    with pytest.raises(OptionError, match="nan"):
        Simulation().call_at(float("nan"), int)


@pytest.mark.parametrize("seed", [None, 1.5, "7", HOSTILE])
def test_a_seed_is_an_integer(seed: Any) -> None:
    with pytest.raises(OptionError, match="the seed of a simulation is an integer, not "):
        Simulation(seed)


def test_faults_come_from_one_source() -> None:
    with pytest.raises(OptionError, match="data or listed in a schedule"):
        Simulation(data=object(), schedule=[])


# --- Running --------------------------------------------------------------------------------------------------------


def test_run_without_a_condition_ends_when_no_program_waits_for_anything() -> None:
    sim, server, client = two_hosts()
    converse(sim, client, server, [b"x"])
    server.reactor.call_later(7.0, int)
    begun = sim.time()
    sim.run()
    assert sim.time() == begun + 7.0
    sim.run()


@pytest.mark.parametrize("how", ["stop", "kill", "crash", "signal"])
def test_run_without_a_condition_ends_with_the_last_program(how: str) -> None:
    sim = Simulation()
    host = sim.host("only")
    listen(host.reactor, Echo, "0.0.0.0:9000")
    ways = {"stop": host.reactor.stop, "kill": host.kill, "crash": host.crash, "signal": lambda: host.signal(2)}
    host.reactor.call_later(3600.0, ways[how])
    sim.run()
    assert sim.time() == 3600.0


def test_call_at_happens_between_two_ticks_and_what_is_late_at_once() -> None:
    sim = Simulation()
    log: list[tuple[float, str]] = []
    sim.call_at(2.0, lambda *args: log.append((sim.time(), *args)), "planned")
    sim.run_for(5)
    sim.call_at(1.0, lambda: log.append((sim.time(), "late")))
    sim.run_for(1)
    assert log == [(2.0, "planned"), (5.0, "late")]


def test_what_call_at_raises_comes_out_of_run_with_the_seed() -> None:
    sim = Simulation(seed=77)
    sim.call_at(2.0, raising, ValueError("planned"))
    with pytest.raises(ValueError, match="planned") as caught:
        sim.run_for(5)
    assert notes_of(caught.value) == ["at 2.000000 s of virtual time", "again: Simulation(seed=77, profile=CALM)"]


def test_a_simulation_that_is_running_is_not_run_from_inside() -> None:
    sim, server, _ = two_hosts()
    refused: list[str] = []

    def again(where: str) -> None:
        calls: list[Callable[[], None]] = [sim.run, lambda: sim.run_for(5)]
        for call in calls:
            with pytest.raises(ReentryError, match="running already"):
                call()
            refused.append(where)

    server.reactor.call_soon(again, "callback")
    server.reactor.run_in_executor(lambda *_: None, again, "worker")
    sim.call_at(1.0, again, "call_at")
    sim.run_for(1.5)
    assert sorted(refused) == ["call_at"] * 2 + ["callback"] * 2 + ["worker"] * 2
    assert sim.time() == 1.5
    sim.run_for(1)  # when it has returned it can be run again
    sim.host("late", program=lambda reactor: again("program"))
    assert refused[6:] == ["program"] * 2


def test_a_callback_that_runs_the_simulation_is_reported_and_ends_the_run() -> None:
    sim, server, _ = two_hosts()
    server.reactor.call_soon(sim.run_for, 5)
    with pytest.raises(ReentryError):
        sim.run_for(1)
    sim.run_for(1)


def test_a_run_that_fails_is_over() -> None:
    sim = Simulation()
    sim.call_at(1.0, raising, ValueError("planned"))
    with pytest.raises(ValueError, match="planned"):
        sim.run_for(5)
    sim.run_for(5)


# --- Chance for programs --------------------------------------------------------------------------------------------


def test_the_chance_of_programs_is_decided_by_the_seed_alone() -> None:
    def drawn(seed: int, **arguments: Any) -> list[float]:
        sim, server, client = two_hosts(seed, **arguments)
        converse(sim, client, server, [b"x" * 1000])
        return [sim.random.random() for _ in range(5)]

    assert drawn(1) == drawn(1, profile=HOSTILE) == drawn(1, schedule=[("short_read", 1, 1)])
    assert drawn(1) != drawn(2)


def test_who_takes_chances_changes_neither_faults_nor_jitter() -> None:
    told = []
    for numbers in (0, 100):
        sim, server, client = two_hosts(4, profile=HOSTILE, trace=True)
        for _ in range(numbers):
            sim.random.random()
            client.kernel.random()
        converse(sim, client, server, [b"x" * 10_000])
        told.append(str(sim.trace))
    assert told[0] == told[1]


# --- Where faults come from -----------------------------------------------------------------------------------------


def sizes_read(sim: Simulation, count: int = 30) -> list[int]:
    """How much each read of a sequence gets."""
    near, far = connected(sim, sim.host("client"), sim.host("server"))
    near.send(b"x" * 1000)
    sim.run_for(1)
    sizes = []
    for _ in range(count):
        try:
            sizes.append(len(far.recv(10)))
        except BlockingIOError:
            break
    return sizes


SHORT = CALM.but(short_read=0.3)


def test_faults_from_a_seed_are_the_same_for_the_same_and_others_for_another() -> None:
    runs = [tuple(sizes_read(Simulation(seed, profile=SHORT))) for seed in (1, 1, 2, 3)]
    assert runs[0] == runs[1]
    assert len(set(runs)) == 3


def test_faults_from_a_schedule_are_exactly_those() -> None:
    sim = Simulation(schedule=[("short_read", 2, 4), ("short_read", 5, 1)])
    assert sizes_read(sim, 6) == [10, 4, 10, 10, 1, 10]
    assert sim.struck == [("short_read", 2, 4), ("short_read", 5, 1)]


@given(st.integers())
def test_what_has_struck_is_a_schedule_that_strikes_again(seed: int) -> None:
    first = Simulation(seed, profile=SHORT)
    sizes = sizes_read(first)
    again = Simulation(seed, profile=SHORT, schedule=first.struck)
    assert sizes_read(again) == sizes
    assert again.struck == first.struck


@given(st.data())
def test_faults_from_hypothesis_are_those_it_draws(data: st.DataObject) -> None:
    sim = Simulation(data=data, profile=SHORT)
    assert [size for size in sizes_read(sim) if size < 10] == [strike.value for strike in sim.struck]


def test_hypothesis_shrinks_a_failing_run_to_the_fault_that_matters() -> None:
    failing: list[Any] = []

    @settings(max_examples=200, database=None, derandomize=True)
    @given(st.data())
    def believes_that_one_send_is_one_receive(data: st.DataObject) -> None:
        with Simulation(data=data, profile=HOSTILE) as sim:
            server = sim.host("server", SERVER)
            near, far = connected(sim, sim.host("client"), server)
            received: list[bytes] = []

            def readable() -> None:
                try:
                    received.append(far.recv(100))
                except BlockingIOError:
                    pass

            server.reactor.add_reader(far, readable)
            for _ in range(5):
                seen = len(received)
                while True:
                    try:
                        near.send(b"hello")
                        break
                    except BlockingIOError:
                        pass
                sim.run(until=lambda seen=seen: len(received) > seen)  # type: ignore[misc]
                failing[:] = sim.struck
                assert received[-1] == b"hello"

    with pytest.raises(AssertionError) as caught:
        believes_that_one_send_is_one_receive()
    assert len(failing) == 1
    assert failing[0][1:] == (1, 1)
    assert failing[0].kind in ("short_read", "short_write")
    assert any("short_" in note for note in notes_of(caught.value))


def test_a_program_can_be_given_to_many_hosts() -> None:
    sim = Simulation()
    hosts: list[Host] = []

    def program(reactor: Reactor) -> None:
        reactor.call_later(1.0, reactor.stop)

    hosts.extend(sim.host(f"host{number}", program=program) for number in range(20))
    sim.run()
    assert sim.time() == 1.0
    assert not any(host.alive for host in hosts)
