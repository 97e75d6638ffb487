from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest

from reactor import HostDownError, UnmodelledError
from reactor.simulation import Host, Simulation
from reactor.simulation.sockets import SimulatedSocket
from tests.simulation.kit import (
    SERVER,
    connecting,
    listening,
    pending,
    raises,
    tcp,
)

# --- What is not modelled -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        *("sendall", "sendmsg", "recvmsg", "recvfrom", "recvfrom_into", "recvmsg_into", "sendto", "sendfile"),
        *("makefile", "dup", "detach", "getblocking", "gettimeout", "settimeout", "proto", "timeout"),
    ],
)
def test_what_a_real_socket_has_and_this_one_has_not_is_refused_by_name(host: Host, name: str) -> None:
    with pytest.raises(UnmodelledError, match=rf"socket\.{name}\b"):
        getattr(tcp(host), name)


def test_what_no_socket_has_is_an_attribute_error(host: Host) -> None:
    with pytest.raises(AttributeError, match="shout"):
        tcp(host).shout()


@pytest.mark.parametrize("family", [socket.AF_UNIX, socket.AF_UNSPEC])
def test_other_families_are_refused_by_name(host: Host, family: int) -> None:
    with pytest.raises(UnmodelledError, match=f"family {family!r}"):
        host.kernel.socket(family, socket.SOCK_STREAM)


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_RAW])
def test_other_types_are_refused_by_name_and_take_no_descriptor(host: Host, kind: int) -> None:
    with pytest.raises(UnmodelledError, match=f"type {kind!r}"):
        host.kernel.socket(socket.AF_INET, kind)
    assert host.kernel.process.files == {}


@pytest.mark.parametrize(
    ("what", "call"),
    [
        ("blocking", lambda sock: sock.setblocking(True)),
        (r"look up 'server'", lambda sock: sock.connect_ex(("server", 1))),
        (r"look up 'server'", lambda sock: sock.bind(("server", 1))),
        (r"socket option \(\d+, 999\)", lambda sock: sock.getsockopt(socket.SOL_SOCKET, 999)),
        (r"socket option \(\d+, 999\)", lambda sock: sock.setsockopt(socket.SOL_SOCKET, 999, 1)),
        ("SO_LINGER", lambda sock: sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 5))),
        (r"recv\(\)", lambda sock: sock.recv(1, socket.MSG_PEEK)),
        (r"send\(\)", lambda sock: sock.send(b"", socket.MSG_OOB)),
    ],
)
def test_a_call_that_is_not_modelled_names_itself(
    host: Host, what: str, call: Callable[[SimulatedSocket], Any]
) -> None:
    with pytest.raises(UnmodelledError, match=what):
        call(tcp(host))


def test_dual_stack_listeners_and_shutdown_of_listeners_are_not_modelled(host: Host) -> None:
    with pytest.raises(UnmodelledError, match="IPV6_V6ONLY"):
        tcp(host, socket.AF_INET6).bind(("::", 1))
    with pytest.raises(UnmodelledError, match="listening"):
        listening(host).shutdown(socket.SHUT_RD)


# --- Addresses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["bind", "connect_ex", "connect"])
@pytest.mark.parametrize(
    ("address", "error"),
    [
        ("10.0.0.1:80", TypeError),
        (("10.0.0.1",), TypeError),
        ((None, 80), TypeError),
        (("10.0.0.1", "80"), TypeError),
        (("10.0.0.1", 80.0), TypeError),
        (("10.0.0.1", -1), OverflowError),
        (("10.0.0.1", 65_536), OverflowError),
        (("::1", 80), socket.gaierror),
    ],
)
def test_what_is_no_address_of_the_family_is_refused_as_by_a_real_socket(
    host: Host, call: str, address: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        getattr(tcp(host), call)(address)


def test_a_fresh_socket_has_no_address_and_no_peer(host: Host) -> None:
    assert tcp(host).getsockname() == ("0.0.0.0", 0)
    assert tcp(host, socket.AF_INET6).getsockname() == ("::", 0, 0, 0)
    with raises(errno.ENOTCONN):
        tcp(host).getpeername()


def test_a_socket_takes_the_address_it_is_bound_to_and_a_free_port_for_port_0(host: Host) -> None:
    one, other, anywhere = tcp(host), tcp(host), tcp(host)
    one.bind((SERVER, 80))
    other.bind(("127.0.0.1", 0))
    anywhere.bind(("", 0))
    assert one.getsockname() == (SERVER, 80)
    assert other.getsockname()[1] != anywhere.getsockname()[1] != 0
    assert anywhere.getsockname()[0] == "0.0.0.0"


def test_a_foreign_address_cannot_be_bound_nor_a_second_one(host: Host) -> None:
    sock = tcp(host)
    with raises(errno.EADDRNOTAVAIL):
        sock.bind(("10.99.0.1", 80))
    sock.bind((SERVER, 80))
    with raises(errno.EINVAL):
        sock.bind((SERVER, 81))


def test_a_bound_socket_connects_from_its_port(sim: Simulation, host: Host) -> None:
    client = sim.hosts["client"]
    listening(host)
    sock = tcp(client)
    sock.bind(("0.0.0.0", 1234))
    assert sock.connect_ex((SERVER, 9000)) == errno.EINPROGRESS
    assert sock.getsockname() == (client.addresses[0], 1234)


def test_a_socket_bound_to_loopback_gets_nowhere_else(host: Host) -> None:
    sock = tcp(host)
    sock.bind(("127.0.0.1", 0))
    assert sock.connect_ex(("10.0.0.2", 9000)) == errno.EINVAL


def test_the_same_two_addresses_make_one_connection_only(sim: Simulation, host: Host) -> None:
    listening(host)
    codes = []
    for _ in range(2):
        sock = tcp(sim.hosts["client"])
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("10.0.0.2", 5000))
        codes.append(sock.connect_ex((SERVER, 9000)))
    assert codes == [errno.EINPROGRESS, errno.EADDRNOTAVAIL]


def test_connecting_to_no_address_is_connecting_to_oneself(host: Host) -> None:
    listening(host)
    six = tcp(host, socket.AF_INET6)
    six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    six.bind(("::", 9000))
    six.listen(1)
    for family, there, expected in (
        (socket.AF_INET, "", "127.0.0.1"),
        (socket.AF_INET, "0.0.0.0", "127.0.0.1"),
        (socket.AF_INET6, "::", "::1"),
    ):
        sock = tcp(host, family)
        assert sock.connect_ex((there, 9000)) == errno.EINPROGRESS
        assert sock.getpeername()[:2] == (expected, 9000)


# --- The end --------------------------------------------------------------------------------------------------------


CALLS: dict[str, Callable[[SimulatedSocket], Any]] = {
    "bind": lambda sock: sock.bind((SERVER, 81)),
    "listen": lambda sock: sock.listen(1),
    "accept": lambda sock: sock.accept(),
    "connect": lambda sock: sock.connect((SERVER, 1)),
    "send": lambda sock: sock.send(b"x"),
    "recv": lambda sock: sock.recv(1),
    "shutdown": lambda sock: sock.shutdown(socket.SHUT_WR),
    "getsockname": lambda sock: sock.getsockname(),
    "getpeername": lambda sock: sock.getpeername(),
    "getsockopt": lambda sock: pending(sock),
    "setsockopt": lambda sock: sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    "setblocking": lambda sock: sock.setblocking(False),
}


@pytest.mark.parametrize("name", CALLS)
def test_no_call_works_on_a_closed_socket_but_close(host: Host, name: str) -> None:
    sock = tcp(host)
    sock.close()
    sock.close()
    assert sock.fileno() == -1
    with raises(errno.EBADF):
        CALLS[name](sock)


def test_connect_ex_returns_even_that(host: Host) -> None:
    sock = tcp(host)
    sock.close()
    assert sock.connect_ex((SERVER, 1)) == errno.EBADF


def connecting_from(host: Host) -> SimulatedSocket:
    return connecting(host, "10.0.0.2")


@pytest.mark.parametrize("role", [tcp, listening, connecting_from])
@pytest.mark.parametrize("how", ["crash", "kill", "restart"])
@pytest.mark.parametrize("name", CALLS)
def test_no_call_works_after_the_end_of_its_program(
    host: Host, name: str, how: str, role: Callable[[Host], SimulatedSocket]
) -> None:
    sock = role(host)
    getattr(host, how)()
    with pytest.raises(HostDownError, match=r"host 'server' .* at 0\.000000 s"):
        CALLS[name](sock)
    sock.close()


def test_a_socket_is_shown_with_its_role(sim: Simulation, host: Host) -> None:
    with tcp(host) as fresh:
        assert repr(fresh) == f"<simulated socket {fresh.fileno()} of 'server': fresh>"
    assert "-1 of 'server'" in repr(fresh)
    assert repr(listening(host)).endswith(" of 'server': listening>")
    assert repr(connecting(sim.hosts["client"], SERVER)).endswith(": SYN-SENT with 10.0.0.1:9000>")
