from __future__ import annotations

import socket
import struct

import pytest

from reactor import UnmodelledError
from reactor.kernel import SystemKernel
from reactor.simulation.socket_options import RCVBUF, REUSEADDR, SNDBUF, V6ONLY, SocketOptions
from tests.simulation.kit import listening, tcp, two_hosts

LINGER = (socket.SOL_SOCKET, socket.SO_LINGER)
KEEPALIVE = (socket.SOL_SOCKET, socket.SO_KEEPALIVE)
NODELAY = (socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize("option", [V6ONLY, REUSEADDR, KEEPALIVE, NODELAY])
def test_a_flag_is_off_until_it_is_set_and_reads_back_as_0_or_1(option: tuple[int, int]) -> None:
    options = SocketOptions()
    assert (options.get(option, {}), options.is_on(option)) == (0, False)
    options.set(option, 7)
    assert (options.get(option, {}), options.is_on(option)) == (1, True)
    options.set(option, 0)
    assert (options.get(option, {}), options.is_on(option)) == (0, False)


@pytest.mark.parametrize(("option", "least"), [(SNDBUF, 4608), (RCVBUF, 2304)])
def test_a_buffer_size_is_doubled_and_not_below_the_smallest(option: tuple[int, int], least: int) -> None:
    options = SocketOptions()
    assert options.get(option, {option: 9}) == 9
    options.set(option, 10_000)
    assert options.get(option, {option: 9}) == 20_000
    options.set(option, 1)
    assert options.get(option, {option: 9}) == least


def test_only_a_linger_of_no_time_resets_on_close() -> None:
    options = SocketOptions()
    seen = [options.reset_on_close]
    for linger in (SystemKernel.RESET_ON_CLOSE, struct.pack("ii", 0, 5)):
        options.set(LINGER, linger)
        seen.append(options.reset_on_close)
    assert seen == [False, True, False]
    with pytest.raises(UnmodelledError, match="SO_LINGER"):
        options.set(LINGER, struct.pack("ii", 1, 5))


def test_a_copy_goes_its_own_way() -> None:
    options = SocketOptions()
    options.set(REUSEADDR, 1)
    copy = options.copy()
    options.set(REUSEADDR, 0)
    assert copy.is_on(REUSEADDR)


@pytest.mark.parametrize("option", [(socket.SOL_SOCKET, socket.SO_BROADCAST), (999, 1)])
def test_what_is_not_modelled_is_refused_by_its_numbers(option: tuple[int, int]) -> None:
    for call in (lambda: SocketOptions().get(option, {}), lambda: SocketOptions().set(option, 1)):
        with pytest.raises(UnmodelledError, match=rf"\({int(option[0])}, {int(option[1])}\)"):
            call()


def test_how_long_a_close_lingers_can_be_set_and_not_asked() -> None:
    with pytest.raises(UnmodelledError):
        SocketOptions().get(LINGER, {})


def test_what_a_socket_is_can_be_asked_like_an_option() -> None:
    _, server, _ = two_hosts()
    fresh, listener = tcp(server), listening(server)
    assert fresh.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM
    accepting = [sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) for sock in (fresh, listener)]
    assert accepting == [0, 1]
    assert fresh.getsockopt(*SNDBUF) == server.send_buffer
    assert fresh.getsockopt(*RCVBUF) == server.receive_buffer
