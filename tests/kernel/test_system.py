from __future__ import annotations

import gc
import os
import selectors
import socket
import struct
import subprocess
import sys
import weakref

import pytest

from reactor.kernel import Kernel, SystemKernel
from tests.loop.kit import SELECTORS

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="epoll is Linux's")


def test_a_socket_never_blocks_and_is_not_inherited() -> None:
    kernel = SystemKernel()
    sock = kernel.socket(socket.AF_INET, socket.SOCK_STREAM)
    assert isinstance(sock, socket.socket)
    with sock:
        assert not sock.getblocking()
        assert not os.get_inheritable(sock.fileno())
        assert (sock.family, sock.type) == (socket.AF_INET, socket.SOCK_STREAM)


def test_chance_is_spread_over_the_numbers_below_one() -> None:
    drawn = [SystemKernel().random() for _ in range(1000)]
    assert all(0 <= number < 1 for number in drawn)
    assert len(set(drawn)) == len(drawn)
    assert {int(number * 4) for number in drawn} == {0, 1, 2, 3}


def test_the_value_for_so_linger_makes_close_send_a_reset() -> None:
    kernel = SystemKernel()
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        accepted, _ = server.accept()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, kernel.RESET_ON_CLOSE)
        accepted.close()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert struct.unpack("ii", kernel.RESET_ON_CLOSE) == (1, 0)


def test_the_clock_is_monotonic() -> None:
    kernel = SystemKernel()
    times = [kernel.time() for _ in range(1000)]
    assert times == sorted(times)


@linux
def test_the_default_selector_is_the_lean_one() -> None:
    selector = SystemKernel().selector()
    assert type(selector).__name__ == "LeanEpollSelector"
    selector.close()


def test_where_there_is_no_epoll_the_platforms_own_selector_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("select.epoll", raising=False)
    selector = SystemKernel().selector()
    assert type(selector) is selectors.DefaultSelector
    selector.close()


@pytest.mark.parametrize("name", SELECTORS)
def test_a_selector_with_a_descriptor_of_its_own_is_live(name: str) -> None:
    kernel = SystemKernel(SELECTORS[name])
    selector = kernel.selector()
    assert kernel.selector_is_live == (name not in ("poll", "select"))
    selector.close()


def test_a_numeric_host_resolves_to_itself() -> None:
    kernel = SystemKernel()
    [(family, kind, _, _, address)] = kernel.getaddrinfo("127.0.0.1", 80, socket.AI_NUMERICHOST)
    assert (family, kind, address) == (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 80))
    with pytest.raises(socket.gaierror):
        kernel.getaddrinfo("not.numeric.invalid", 80, socket.AI_NUMERICHOST)


@pytest.mark.parametrize("host", ["a..b", "a" * 64 + ".invalid"])
def test_what_is_no_host_name_at_all_is_the_resolvers_error_too(host: str) -> None:
    with pytest.raises(socket.gaierror, match="not a host name") as caught:
        SystemKernel().getaddrinfo(host, 80)
    assert isinstance(caught.value.__cause__, UnicodeError)


def test_an_empty_host_with_the_passive_flag_is_every_address_of_this_machine() -> None:
    addresses = SystemKernel().getaddrinfo("", 80, socket.AI_PASSIVE)
    assert {address[4][0] for address in addresses} <= {"0.0.0.0", "::"}
    assert addresses


def test_the_descriptor_limit_is_the_soft_limit_of_the_process() -> None:
    resource = pytest.importorskip("resource")
    script = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (123, 200));"
        "from reactor.kernel import SystemKernel; print(SystemKernel().descriptor_limit())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "123\n"
    assert SystemKernel().descriptor_limit() == resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_without_a_limit_of_the_process_there_is_a_number_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert SystemKernel().descriptor_limit() == 1 << 20


def test_where_processes_have_no_limits_it_is_the_c_librarys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)
    assert SystemKernel().descriptor_limit() == 512


def test_a_selector_that_ends_at_a_number_bounds_the_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = SystemKernel(selectors.SelectSelector)
    kernel.selector().close()
    assert kernel.descriptor_limit() <= 1024  # FD_SETSIZE: select(2)
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (100_000, 100_000))
    assert kernel.descriptor_limit() == 1024


class Watcher:
    def __init__(self, writing: int) -> None:
        self.writing = writing

    def forked(self) -> None:
        os.write(self.writing, b"told")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork() here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_child_is_told_as_long_as_the_one_to_tell_lives() -> None:
    def told() -> bytes:
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        os.write(writing, b".")
        return os.read(reading, 100)

    reading, writing = os.pipe()
    kernel = SystemKernel()
    watcher = Watcher(writing)
    kernel.after_fork(watcher.forked)
    assert told() == b"told."
    reference = weakref.ref(watcher)
    gc.disable()
    try:
        del watcher
        assert reference() is None
    finally:
        gc.enable()
    assert told() == b"."
    os.close(reading)
    os.close(writing)


def test_the_interface_cannot_be_used_as_a_kernel() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Kernel()  # type: ignore[abstract]
