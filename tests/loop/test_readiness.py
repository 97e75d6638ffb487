from __future__ import annotations

import errno
import selectors
import socket
import sys
import tempfile
from typing import Any

import pytest

from reactor import Reactor
from reactor.errors import OptionError
from reactor.loop.readiness import Readiness
from tests.loop.kit import Log
from tests.loop.worlds import World, system_only


def test_a_pipe_is_read_when_it_is_readable(world: World, reactor: Reactor) -> None:
    with world.pipe() as (reading, writing):
        got: list[bytes] = []

        def read() -> None:
            got.append(reading.recv(100))
            reactor.remove_reader(reading)

        reactor.add_reader(reading, read)
        reactor.run_once(0)
        assert got == []
        writing.send(b"hello")
        reactor.run()
        assert got == [b"hello"]


def test_a_pipe_is_written_when_it_is_writable(world: World, reactor: Reactor) -> None:
    with world.pipe() as (reading, writing):
        try:
            while True:
                writing.send(bytes(4096))
        except BlockingIOError:
            pass
        log = Log()
        reactor.add_writer(writing, log("writable"))
        reactor.run_once(0)
        assert log == []
        while True:
            try:
                reading.recv(65536)
            except BlockingIOError:
                break
        reactor.run_once()
        assert log == ["writable"]
        reactor.remove_writer(writing)


def test_a_socket_is_given_as_it_is_or_by_number(world: World, reactor: Reactor) -> None:
    log = Log()
    with world.pair() as (ours, theirs):
        reactor.add_writer(ours, log.append, "object")
        reactor.run_once()
        assert reactor.remove_writer(ours.fileno())
        reactor.add_reader(ours.fileno(), log.append, "number")
        theirs.send(b"x")
        reactor.run_once()
        assert reactor.remove_reader(ours)
        assert log == ["object", "number"]


def test_both_directions_of_one_descriptor_are_independent(world: World, reactor: Reactor) -> None:
    log = Log()
    with world.pair() as (ours, theirs):
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


def test_readiness_is_reported_as_long_as_it_lasts(world: World, reactor: Reactor) -> None:
    with world.pipe() as (reading, writing):
        got: list[bytes] = []
        writing.send(b"abc")
        reactor.add_reader(reading, lambda: got.append(reading.recv(1)))
        for _ in range(3):
            reactor.run_once()
        reactor.run_once(0)
        assert got == [b"a", b"b", b"c"]
        reactor.remove_reader(reading)


def test_add_reader_replaces_the_callback(world: World, reactor: Reactor) -> None:
    log = Log()
    with world.pipe() as (reading, writing):
        writing.send(b"x")
        reactor.add_reader(reading, log("old"))
        reactor.add_reader(reading, log.append, "new")
        reactor.run_once()
        assert reactor.remove_reader(reading)
        assert not reactor.remove_reader(reading)
    assert log == ["new"]


def test_removing_what_was_never_watched_is_harmless(world: World, reactor: Reactor) -> None:
    with world.pipe() as (reading, writing):
        assert not reactor.remove_reader(reading)
        assert not reactor.remove_writer(writing)
        reactor.forget(reading.fileno())
    assert not reactor.alive()


@pytest.mark.parametrize("direction", ["reader", "writer"])
def test_interest_in_nothing_is_unregistered_so_a_hung_up_peer_does_not_make_it_spin(
    world: World, reactor: Reactor, direction: str
) -> None:
    with world.pair() as (ours, theirs):
        watched = reactor.describe()["descriptors"]
        getattr(reactor, f"add_{direction}")(ours, list)
        assert reactor.describe()["descriptors"] == watched + 1
        getattr(reactor, f"remove_{direction}")(ours)
        assert reactor.describe()["descriptors"] == watched
        ours.shutdown(socket.SHUT_WR)
        theirs.close()  # no end is open: that is a hang-up
        assert reactor.wait(0) == []


def test_a_hung_up_peer_is_reported_to_whoever_watches(world: World, reactor: Reactor) -> None:
    log = Log()
    with world.pair() as (ours, theirs):
        reactor.add_reader(ours, log("readable"))
        theirs.close()
        reactor.run_once()
        assert log == ["readable"]
        assert ours.recv(1) == b""
        reactor.forget(ours.fileno())


def test_a_number_that_comes_back_after_forget_is_a_new_descriptor(world: World, reactor: Reactor) -> None:
    log = Log()
    with world.pipe() as (reading, writing):
        reactor.add_reader(reading, log("old"))
        number = reading.fileno()
        reactor.forget(number)
        reading.close()
        writing.close()
        with world.pipe() as (again, writing_again):
            assert again.fileno() == number
            reactor.add_reader(again, log("new"))
            writing_again.send(b"x")
            reactor.run_once()
            assert log == ["new"]
            reactor.forget(number)


@pytest.mark.parametrize("add", ["add_reader", "add_writer"])
def test_a_negative_number_is_refused(reactor: Reactor, add: str) -> None:
    with pytest.raises(OptionError, match="-1 is no descriptor"):
        getattr(reactor, add)(-1, list)
    assert not reactor.alive()


def test_a_closed_socket_is_refused(world: World, reactor: Reactor) -> None:
    with world.pair() as (ours, _):
        pass
    with pytest.raises(OptionError, match="is the file or socket closed"):
        reactor.add_reader(ours, list)
    assert not reactor.alive()


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="epoll is Linux's")


@linux
@system_only("regular files")
@pytest.mark.parametrize("add", ["add_reader", "add_writer"])
def test_epoll_refuses_a_regular_file_and_the_error_explains_why(hostable: Reactor, add: str) -> None:
    with tempfile.TemporaryFile() as file:
        with pytest.raises(OptionError, match=r"regular file.*run_in_executor\(\)") as caught:
            getattr(hostable, add)(file, list)
        assert isinstance(caught.value.__cause__, PermissionError)
        assert not hostable.alive()


@linux
def test_epoll_refuses_a_number_that_is_no_descriptor(world: World, hostable: Reactor) -> None:
    with world.pipe() as (reading, _):
        number = reading.fileno()
    with pytest.raises(OptionError, match=f"{number} cannot be watched"):
        hostable.add_reader(number, list)
    assert not hostable.alive()


def test_a_selector_that_has_no_room_raises_what_the_kernel_said() -> None:
    class Full(selectors.SelectSelector):
        def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
            raise OSError(errno.ENOSPC, "too many watches")

    readiness = Readiness(Full())
    with pytest.raises(OSError, match="too many watches") as caught:
        readiness.set_reader(0, list)
    assert not isinstance(caught.value, OptionError)
    assert len(readiness) == 0
