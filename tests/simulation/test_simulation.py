from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor import (
    OptionError,
    Reactor,
    listen,
)
from reactor.simulation import CALM, HOSTILE, Host, Simulation
from tests.simulation.kit import SERVER, Echo, connected, converse, two_hosts


def notes_of(error: BaseException) -> list[str]:
    return list(getattr(error, "__notes__", []))


def raising(error: BaseException) -> None:
    raise error


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


def test_faults_come_from_one_source() -> None:
    with pytest.raises(OptionError, match="data or listed in a schedule"):
        Simulation(data=object(), schedule=[])


def test_a_schedule_names_faults_that_there_are() -> None:
    with pytest.raises(OptionError, match="'shortread'"):
        Simulation(schedule=[("shortread", 1, 1)])


# --- Running --------------------------------------------------------------------------------------------------------


def test_time_jumps_to_what_happens_next() -> None:
    sim, server, _ = two_hosts()
    moments: list[float] = []
    for delay in (0.0, 1e-6, 3600.0, 31_536_000.0):
        server.reactor.call_later(delay, lambda: moments.append(sim.time()))
    sim.run(within=1e9)
    assert moments == [0.0, 1e-6, 3600.0, 31_536_000.0]
    assert sim.ticks < 10


def test_an_hour_of_heartbeats_costs_what_the_heartbeats_cost() -> None:
    sim, server, _ = two_hosts()
    beats: list[float] = []
    server.reactor.call_every(10.0, lambda: beats.append(sim.time()))
    sim.run_for(3600)
    assert len(beats) == 360
    assert sim.ticks <= 362


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
    assert notes_of(caught.value) == ["simulation with seed=77 at 2.000000 s"]


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
