from __future__ import annotations

import errno
import socket

import pytest

from reactor.simulation import Host, Simulation, ports
from reactor.simulation.sockets import SimulatedSocket
from tests.simulation.kit import SERVER, connected, connecting, listening, raises, reset_on_close, tcp


def bound(host: Host, address: str, port: int, *, reuse: bool, family: int = socket.AF_INET) -> SimulatedSocket:
    sock = tcp(host, family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind((address, port))
    return sock


@pytest.mark.parametrize("second", [SERVER, "0.0.0.0"])
@pytest.mark.parametrize(("one", "other"), [(False, False), (True, False), (False, True)])
def test_an_address_that_somebody_has_is_in_use_unless_both_say_otherwise(
    host: Host, second: str, one: bool, other: bool
) -> None:
    first = bound(host, SERVER, 80, reuse=one)
    with raises(errno.EADDRINUSE):
        bound(host, second, 80, reuse=other)
    first.close()
    bound(host, second, 80, reuse=other)


def test_two_that_may_reuse_share_an_address_as_long_as_neither_listens(host: Host) -> None:
    first = bound(host, SERVER, 80, reuse=True)
    bound(host, SERVER, 80, reuse=True)
    first.listen(1)
    with raises(errno.EADDRINUSE):
        bound(host, SERVER, 80, reuse=True)


def test_another_address_port_or_family_is_free(host: Host) -> None:
    bound(host, SERVER, 80, reuse=False)
    bound(host, "127.0.0.1", 80, reuse=False)
    bound(host, "127.0.0.2", 80, reuse=False)
    bound(host, SERVER, 81, reuse=False)
    bound(host, "::", 80, reuse=False, family=socket.AF_INET6)


def test_port_0_never_gives_a_port_that_is_taken(sim: Simulation, host: Host) -> None:
    first = bound(host, SERVER, 0, reuse=False)
    taken = first.getsockname()[1]
    second = bound(host, SERVER, taken + 1, reuse=False)
    assert connecting(host, "10.0.0.2").getsockname()[1] == taken + 2
    for sock in (first, second):
        sock.close()
    assert bound(host, SERVER, 0, reuse=False).getsockname()[1] == taken + 3


def test_ports_are_given_out_in_a_circle_until_none_is_left(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_LAST", ports._FIRST + 2)
    socks = [bound(host, SERVER, 0, reuse=False) for _ in range(3)]
    with raises(errno.EADDRNOTAVAIL):
        bound(host, SERVER, 0, reuse=False)
    assert tcp(host).connect_ex(("10.0.0.2", 9000)) == errno.EADDRNOTAVAIL
    port = socks[1].getsockname()[1]
    socks[1].close()
    assert bound(host, SERVER, 0, reuse=False).getsockname()[1] == port


def test_a_server_that_closed_first_keeps_its_port_taken_for_a_minute(sim: Simulation, host: Host) -> None:
    near, far = connected(sim, sim.hosts["client"], host)
    far.close()
    sim.run_for(1)
    near.close()
    sim.run_for(1)
    with raises(errno.EADDRINUSE):
        bound(host, SERVER, 9000, reuse=False)
    bound(host, SERVER, 9000, reuse=True).close()
    sim.run_for(60)
    bound(host, SERVER, 9000, reuse=False)


def test_a_living_connection_keeps_the_port_of_its_closed_listener_taken(sim: Simulation, host: Host) -> None:
    _, far = connected(sim, sim.hosts["client"], host)
    with raises(errno.EADDRINUSE):
        bound(host, SERVER, 9000, reuse=False)
    reset_on_close(far)
    far.close()
    bound(host, SERVER, 9000, reuse=False)


def test_after_a_crash_all_ports_are_free(host: Host) -> None:
    listening(host, 80)
    host.crash()
    host.restart()
    bound(host, SERVER, 80, reuse=False)
