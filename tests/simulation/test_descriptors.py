from __future__ import annotations

import errno
import selectors
import socket

import pytest

from reactor import HostDownError, OptionError, Reactor, connect, listen
from reactor.simulation import CALM, Host, Simulation
from reactor.simulation.descriptors import SimulatedSelector
from reactor.simulation.process import FIRST_DESCRIPTOR
from tests.simulation.kit import (
    CLIENT,
    READ,
    SERVER,
    WRITE,
    Echo,
    Log,
    connected,
    connecting,
    drain,
    fill,
    listening,
    raises,
    tcp,
    two_hosts,
)


def selector_of(host: Host) -> SimulatedSelector:
    selector = host.kernel.selector()
    assert isinstance(selector, SimulatedSelector)
    return selector


# --- Numbers --------------------------------------------------------------------------------------------------------


def test_a_selector_takes_one_number_and_a_wakeup_two(host: Host) -> None:
    selector, wakeup = host.kernel.selector(), host.kernel.wakeup()
    assert len(host.kernel.process.files) == 3
    selector.close()
    selector.close()
    wakeup.close()
    wakeup.close()
    assert host.kernel.process.files == {}


def test_a_server_without_descriptors_accepts_the_others_when_it_has_some_again(sim: Simulation, host: Host) -> None:
    client = sim.hosts["client"]
    server = listen(host.reactor, Echo, f"{SERVER}:9000")
    host.descriptor_limit = len(host.kernel.process.files) + 2
    reported: list[BaseException] = []
    host.reactor.set_exception_handler(lambda reactor, context: reported.append(context["exception"]))
    logs = [Log() for _ in range(5)]
    for log in logs:
        connect(client.reactor, lambda log=log: log, f"{SERVER}:9000")  # type: ignore[misc]
    sim.run_for(10)
    assert server.describe()["accepted"] == 2
    assert all(log.events == ["made"] for log in logs)
    for log in logs:
        log.transport.close()
        sim.run_for(10)
    assert [log.events for log in logs] == [["made", "lost"]] * 5
    assert {error.errno for error in reported if isinstance(error, OSError)} == {errno.EMFILE}


def test_a_real_descriptor_is_recognised(host: Host) -> None:
    with pytest.raises(OSError, match=r"^\[Errno 9\] 0 is not a simulated descriptor"):
        host.kernel.selector().register(0, READ)
    with raises(errno.EBADF):
        host.kernel.selector().register(FIRST_DESCRIPTOR + 99, READ)


@pytest.mark.parametrize("what", ["reader", "writer", "server", "connection"])
def test_a_real_socket_is_refused_where_it_enters_the_simulation(sim: Simulation, host: Host, what: str) -> None:
    reactor = host.reactor
    with socket.socket() as real, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        real.connect(listener.getsockname())
        with pytest.raises(OptionError, match="is not a simulated descriptor"):
            if what == "reader":
                reactor.add_reader(real, int)
            elif what == "writer":
                reactor.add_writer(real.fileno(), int)
            elif what == "server":
                listen(reactor, Echo, listener)
            else:
                connect(reactor, Log, real)
                sim.run_for(1)


# --- Selecting ------------------------------------------------------------------------------------------------------


def test_what_is_ready_is_reported_as_long_as_it_is_ready(sim: Simulation, host: Host) -> None:
    near, far = connected(sim, sim.hosts["client"], host)
    with host.kernel.selector() as selector:
        key = selector.register(far, READ, "data")
        assert selector.select(0) == []
        near.send(b"xy")
        assert selector.select(10) == [(key, READ)]
        far.recv(1)
        assert selector.select(0) == [(key, READ)]
        far.recv(1)
        assert selector.select(0) == []
        near.close()
        assert [mask for _, mask in selector.select(1)] == [READ]


def test_a_full_socket_is_reported_when_there_is_room_again(host: Host) -> None:
    listener, near = listening(host), connecting(host, SERVER)
    far, _ = listener.accept()
    with host.kernel.selector() as selector:
        selector.register(near, WRITE)
        fill(near)
        assert selector.select(0) == []
        drain(far)
        assert [mask for _, mask in selector.select(0)] == [WRITE]


def test_only_what_was_asked_for_is_reported(sim: Simulation, host: Host) -> None:
    near, _ = connected(sim, sim.hosts["client"], host)
    with sim.hosts["client"].kernel.selector() as selector:
        selector.register(near, READ)
        assert selector.select(0) == []
        selector.modify(near, WRITE)
        assert [mask for _, mask in selector.select(0)] == [WRITE]
        selector.modify(near, READ | WRITE)
        assert [mask for _, mask in selector.select(0)] == [WRITE]
        selector.unregister(near)
        assert selector.select(0) == []


def test_a_wait_lets_the_others_run_until_something_is_ready_or_the_time_is_over(sim: Simulation, host: Host) -> None:
    near, far = connected(sim, sim.hosts["client"], host)
    begun = sim.time()
    sim.hosts["client"].reactor.call_later(5.0, near.send, b"x")
    with host.kernel.selector() as selector:
        selector.register(far, READ)
        assert selector.select(3.0) == []
        assert sim.time() == begun + 3.0
        assert len(selector.select(3.0)) == 1
        assert sim.time() == pytest.approx(begun + 5.001)


def test_registered_keys_can_be_looked_up(host: Host) -> None:
    selector, sock = selector_of(host), tcp(host)
    key = selector.register(sock, READ, "data")
    assert key == selectors.SelectorKey(sock, sock.fileno(), READ, "data")
    assert selector.get_key(sock) == selector.get_map()[sock.fileno()] == key
    assert selector.modify(sock, READ, "other").data == "other"
    selector.unregister(sock.fileno())
    assert selector.get_map() == {}


def test_to_watch_twice_or_to_forget_what_is_not_watched_is_a_key_error(host: Host) -> None:
    selector, sock = selector_of(host), tcp(host)
    selector.register(sock, READ)
    with pytest.raises(KeyError):
        selector.register(sock.fileno(), WRITE)
    selector.unregister(sock)
    for call in (selector.unregister, selector.get_key, lambda sock: selector.modify(sock, WRITE)):
        with pytest.raises(KeyError):
            call(sock)


def test_a_descriptor_that_was_closed_is_watched_no_longer_and_its_number_not_for_the_next(
    sim: Simulation, host: Host
) -> None:
    selector, old = selector_of(host), tcp(host)
    number = old.fileno()
    selector.register(number, READ | WRITE)
    assert len(selector.select(0)) == 1
    old.close()
    assert selector.select(0) == []
    with raises(errno.EBADF):
        selector.modify(number, READ)
    new = tcp(host)
    assert new.fileno() == number
    assert selector.select(0) == []
    with raises(errno.ENOENT):
        selector.modify(number, READ)
    assert selector.modify(number, READ | WRITE).data is None
    selector.unregister(number)
    selector.register(new, READ | WRITE)
    assert len(selector.select(0)) == 1


def test_a_selector_can_be_watched_by_another(sim: Simulation, host: Host) -> None:
    near, far = connected(sim, sim.hosts["client"], host)
    inner, outer = selector_of(host), selector_of(host)
    inner.register(far, READ)
    outer.register(inner, READ)
    assert outer.select(0) == []
    near.send(b"x")
    assert len(outer.select(1)) == 1
    far.recv(1)
    assert outer.select(0) == []
    inner.close()
    assert outer.select(0) == []


def test_closing_a_selector_leaves_what_it_watched_open(host: Host) -> None:
    sock = tcp(host)
    with host.kernel.selector() as selector:
        selector.register(sock, READ)
    assert len(selector.get_map()) == 0
    assert sock.watchers == {}
    assert sock.fileno() >= 0


def test_a_selector_whose_program_has_ended_refuses(host: Host) -> None:
    selector, sock = selector_of(host), tcp(host)
    host.crash()
    for call in (lambda: selector.select(0), lambda: selector.register(sock, READ)):
        with pytest.raises(HostDownError):
            call()
    selector.close()


# --- Faults ---------------------------------------------------------------------------------------------------------


def test_spurious_readiness_reports_what_would_block(sim: Simulation, host: Host) -> None:
    near, far = connected(sim, sim.hosts["client"], host)
    sim.profile = CALM.but(spurious_readiness=1.0)
    with host.kernel.selector() as selector:
        assert selector.select(0) == []  # with nothing to report there is nothing to say
        selector.register(far, READ)
        assert [mask for _, mask in selector.select(0)] == [READ]
        with raises(errno.EAGAIN):
            far.recv(1)
        near.send(b"x")
        sim.run_for(1)
        assert [mask for _, mask in selector.select(0)] == [READ]  # once, although it is ready and struck
        assert far.recv(1) == b"x"


def test_the_end_of_a_handshake_and_a_fresh_socket_are_never_reported_spuriously() -> None:
    sim, server, _ = two_hosts(profile=CALM.but(spurious_readiness=1.0))
    sim.partition(*sim.hosts.values())
    with server.kernel.selector() as selector:
        selector.register(connecting(server, CLIENT), READ | WRITE)
        assert selector.select(0) == []
    with server.kernel.selector() as selector:
        selector.register(listening(server), READ)
        assert len(selector.select(0)) == 1
        with raises(errno.EAGAIN):
            listening(server, 9001).accept()


def test_a_wakeup_is_never_reported_spuriously() -> None:
    _, server, _ = two_hosts(profile=CALM.but(spurious_readiness=1.0))
    wakeup = server.kernel.wakeup()
    with server.kernel.selector() as selector:
        selector.register(wakeup, READ)
        assert selector.select(0) == []


def test_shuffled_readiness_reports_the_same_in_another_order() -> None:
    orders = set()
    for seed in range(10):
        _, server, _ = two_hosts(seed, profile=CALM.but(shuffled_readiness=1.0))
        with server.kernel.selector() as selector:
            for _ in range(5):
                selector.register(tcp(server), WRITE)
            orders.add(tuple(key.fd for key, _ in selector.select(0)))
    assert len(orders) > 5
    assert len({frozenset(order) for order in orders}) == 1


def test_without_faults_the_order_is_that_in_which_they_became_ready(sim: Simulation, host: Host) -> None:
    pairs = [connected(sim, sim.hosts["client"], host) for _ in range(4)]
    with host.kernel.selector() as selector:
        for _, far in pairs:
            selector.register(far, READ)
        for number in (2, 0, 3, 1):
            pairs[number][0].send(b"x")
        sim.run_for(1)
        order = [key.fileobj for key, _ in selector.select(0)]
        assert order == [pairs[number][1] for number in (2, 0, 3, 1)]


def test_a_reactor_over_hostile_descriptors_calls_a_reader_only_for_what_it_watches() -> None:
    sim, server, client = two_hosts(profile=CALM.but(spurious_readiness=1.0, shuffled_readiness=1.0))
    near, far = connected(sim, client, server)
    read: list[bytes] = []

    def readable() -> None:
        try:
            read.append(far.recv(10))
        except BlockingIOError:
            read.append(b"-")

    with Reactor(kernel=server.kernel) as reactor:
        reactor.add_reader(far, readable)
        for _ in range(20):
            reactor.run_once(0)
        near.send(b"x")
        reactor.run_once(1)
        reactor.run_once(1)
        reactor.remove_reader(far)
    assert b"x" in read
    assert set(read) == {b"-", b"x"}
