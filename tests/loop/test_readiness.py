from __future__ import annotations

import errno
import os
import selectors
import socket
import sys
import tempfile
from typing import Any

import pytest

from reactor import Reactor
from reactor.errors import OptionError
from reactor.kernel import SystemKernel
from reactor.loop.readiness import Readiness
from tests.loop.kit import Log, a_pipe


def test_a_pipe_is_read_when_it_is_readable(reactor: Reactor) -> None:
    with a_pipe() as (reading, writing):
        got: list[bytes] = []

        def read() -> None:
            got.append(os.read(reading, 100))
            reactor.remove_reader(reading)

        reactor.add_reader(reading, read)
        reactor.run_once(0)
        assert got == []
        os.write(writing, b"hello")
        reactor.run()
        assert got == [b"hello"]


def test_a_pipe_is_written_when_it_is_writable(reactor: Reactor) -> None:
    with a_pipe() as (reading, writing):
        try:
            while True:
                os.write(writing, bytes(4096))
        except BlockingIOError:
            pass
        log = Log()
        reactor.add_writer(writing, log("writable"))
        reactor.run_once(0)
        assert log == []
        while True:
            try:
                os.read(reading, 65536)
            except BlockingIOError:
                break
        reactor.run_once()
        assert log == ["writable"]
        reactor.remove_writer(writing)


def test_a_socket_is_given_as_it_is_or_by_number(reactor: Reactor) -> None:
    log = Log()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        reactor.add_writer(ours, log.append, "object")
        reactor.run_once()
        assert reactor.remove_writer(ours.fileno())
        reactor.add_reader(ours.fileno(), log.append, "number")
        theirs.send(b"x")
        reactor.run_once()
        assert reactor.remove_reader(ours)
        assert log == ["object", "number"]


def test_both_directions_of_one_descriptor_are_independent(reactor: Reactor) -> None:
    log = Log()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(b"x")
        reactor.add_reader(ours, log("read"))
        reactor.add_writer(ours, log("write"))
        reactor.run_once()
        assert sorted(log) == ["read", "write"]
        assert reactor.remove_reader(ours)
        assert not reactor.remove_reader(ours)
        reactor.run_once()
        assert log[2:] == ["write"]
        assert reactor.remove_writer(ours)
        assert not reactor.remove_writer(ours)
        reactor.run_once(0)
        assert len(log) == 3


def test_readiness_is_reported_as_long_as_it_lasts(reactor: Reactor) -> None:
    with a_pipe() as (reading, writing):
        got: list[bytes] = []
        os.write(writing, b"abc")
        reactor.add_reader(reading, lambda: got.append(os.read(reading, 1)))
        for _ in range(3):
            reactor.run_once()
        reactor.run_once(0)
        assert got == [b"a", b"b", b"c"]
        reactor.remove_reader(reading)


def test_add_reader_replaces_the_callback(reactor: Reactor) -> None:
    log = Log()
    with a_pipe() as (reading, writing):
        os.write(writing, b"x")
        reactor.add_reader(reading, log("old"))
        reactor.add_reader(reading, log.append, "new")
        reactor.run_once()
        assert reactor.remove_reader(reading)
        assert not reactor.remove_reader(reading)
    assert log == ["new"]


def test_removing_what_was_never_watched_is_harmless(reactor: Reactor) -> None:
    with a_pipe() as (reading, writing):
        assert not reactor.remove_reader(reading)
        assert not reactor.remove_writer(writing)
        reactor.forget(reading)
    assert not reactor.alive()


@pytest.mark.parametrize("direction", ["reader", "writer"])
def test_interest_in_nothing_is_unregistered_so_a_hung_up_peer_does_not_make_it_spin(direction: str) -> None:
    made: list[selectors.BaseSelector] = []

    def make() -> selectors.BaseSelector:
        made.append(selectors.DefaultSelector())
        return made[0]

    ours, theirs = socket.socketpair()
    with Reactor(kernel=SystemKernel(make)) as reactor, ours:
        watched = len(made[0].get_map())
        getattr(reactor, f"add_{direction}")(ours, list)
        assert len(made[0].get_map()) == watched + 1
        getattr(reactor, f"remove_{direction}")(ours)
        assert len(made[0].get_map()) == watched
        theirs.close()
        assert reactor.wait(0) == []


def test_a_hung_up_peer_is_reported_to_whoever_watches(reactor: Reactor) -> None:
    log = Log()
    ours, theirs = socket.socketpair()
    with ours:
        reactor.add_reader(ours, log("readable"))
        theirs.close()
        reactor.run_once()
        assert log == ["readable"]
        assert ours.recv(1) == b""
        reactor.forget(ours.fileno())


def test_a_number_that_comes_back_after_forget_is_a_new_descriptor(reactor: Reactor) -> None:
    log = Log()
    with a_pipe() as (reading, writing):
        reactor.add_reader(reading, log("old"))
        reactor.forget(reading)
        os.close(reading)
        os.close(writing)
        with a_pipe() as (again, writing_again):
            assert again == reading
            reactor.add_reader(again, log("new"))
            os.write(writing_again, b"x")
            reactor.run_once()
            assert log == ["new"]
            reactor.forget(again)


@pytest.mark.parametrize("add", ["add_reader", "add_writer"])
def test_a_negative_number_is_refused(reactor: Reactor, add: str) -> None:
    with pytest.raises(OptionError, match="-1 is no descriptor"):
        getattr(reactor, add)(-1, list)
    assert not reactor.alive()


def test_a_closed_socket_is_refused(reactor: Reactor) -> None:
    sock = socket.socket()
    sock.close()
    with pytest.raises(OptionError, match="is the file or socket closed"):
        reactor.add_reader(sock, list)
    assert not reactor.alive()


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="epoll is Linux's")


@linux
@pytest.mark.parametrize("add", ["add_reader", "add_writer"])
def test_epoll_refuses_a_regular_file_and_the_error_explains_why(add: str) -> None:
    with Reactor() as reactor, tempfile.TemporaryFile() as file:
        with pytest.raises(OptionError, match=r"regular file.*run_in_executor\(\)") as caught:
            getattr(reactor, add)(file, list)
        assert isinstance(caught.value.__cause__, PermissionError)
        assert not reactor.alive()


@linux
def test_epoll_refuses_a_number_that_is_no_descriptor() -> None:
    with Reactor() as reactor:
        with a_pipe() as (reading, _):
            pass
        with pytest.raises(OptionError, match=f"{reading} cannot be watched"):
            reactor.add_reader(reading, list)
        assert not reactor.alive()


def test_a_selector_that_has_no_room_raises_what_the_kernel_said() -> None:
    class Full(selectors.SelectSelector):
        def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
            raise OSError(errno.ENOSPC, "too many watches")

    readiness = Readiness(Full())
    with pytest.raises(OSError, match="too many watches") as caught:
        readiness.set_reader(0, list)
    assert not isinstance(caught.value, OptionError)
    assert len(readiness) == 0
