"""`listen` and `connect`: both directions, both ends, and who is served when."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import (
    ANY_PORT,
    EVERY_BYTE,
    LARGE,
    Command,
    Listening,
    calling,
    in_thread,
    listening_at,
    receive,
    reset,
)

PIPE, DEVNULL = subprocess.PIPE, subprocess.DEVNULL


@contextmanager
def listening(*options: str, stdin: Any = DEVNULL, stdout: Any = PIPE) -> Iterator[tuple[Command, socket.socket]]:
    """`listen` and the test, connected."""
    with (
        Command("listen", *options, ANY_PORT, stdin=stdin, stdout=stdout) as command,
        calling(command.address()) as peer,
    ):
        yield command, peer


@contextmanager
def connecting(*options: str, stdin: Any = DEVNULL, stdout: Any = PIPE) -> Iterator[tuple[Command, socket.socket]]:
    """`connect` and the test, connected."""
    with (
        Listening() as host,
        Command("connect", *options, host.address, stdin=stdin, stdout=stdout) as command,
        host.accept() as peer,
    ):
        yield command, peer


def send_and_end(sock: socket.socket, data: bytes) -> None:
    sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)


either = pytest.mark.parametrize("connected", [listening, connecting], ids=["listen", "connect"])


# --- Both directions --------------------------------------------------------------------------------------------------


def test_what_is_typed_on_one_side_appears_on_the_other() -> None:
    with Command("listen", ANY_PORT, stdin=PIPE) as here:
        host, port = here.address()
        with Command("connect", f"{host}:{port}", stdin=PIPE) as there:
            for line in (b"hello\n", b"how are you?\n"):
                there.type_in(line)
                assert here.read(len(line)) == line
                here.type_in(line.upper())
                assert there.read(len(line)) == line.upper()
            there.end_input()
            assert here.finish() == (0, b"", "")
            assert there.finish() == (0, b"", "")


@either
def test_the_end_of_the_input_ends_one_direction_and_the_peer_may_go_on(connected: Callable[..., Any]) -> None:
    with connected(stdin=PIPE) as (command, peer):
        command.type_in(b"question")
        command.end_input()
        assert receive(peer) == b"question"
        peer.sendall(b"answer")
        assert command.read(6) == b"answer"
        peer.close()
        assert command.finish() == (0, b"", "")


@either
def test_the_end_of_the_peer_ends_one_direction_and_the_input_may_go_on(connected: Callable[..., Any]) -> None:
    with connected(stdin=PIPE) as (command, peer):
        peer.sendall(b"question")
        peer.shutdown(socket.SHUT_WR)
        assert command.read(8) == b"question"  # and no more: the output has not ended
        command.type_in(b"answer")
        assert receive(peer, 6) == b"answer"
        command.end_input()
        assert receive(peer) == b""
        assert command.finish() == (0, b"", "")


# --- All kinds of standard streams ------------------------------------------------------------------------------------


@contextmanager
def source(kind: str, data: bytes, folder: Path) -> Iterator[Any]:
    """Something to be a standard input, in which there is `data`."""
    if kind == "file":
        (folder / "input").write_bytes(data)
        with (folder / "input").open("rb") as file:
            yield file
        return
    if kind == "socket":
        far, near = socket.socketpair()
        with far, near:
            feeder = in_thread(send_and_end, far, data)
            yield near
            feeder.join()
        return
    with subprocess.Popen(["cat"], stdin=PIPE, stdout=PIPE) as cat:
        assert cat.stdin is not None
        feeder = in_thread(lambda pipe: (pipe.write(data), pipe.close()), cat.stdin)
        yield cat.stdout
        feeder.join()


@either
@pytest.mark.parametrize("kind", ["file", "pipe", "socket"])
def test_every_byte_of_the_input_arrives(connected: Callable[..., Any], kind: str, tmp_path: Path) -> None:
    with source(kind, LARGE, tmp_path) as stdin, connected(stdin=stdin) as (command, peer):
        assert receive(peer) == LARGE
        peer.close()
        assert command.finish() == (0, b"", "")


@either
def test_every_byte_reaches_a_pipe(connected: Callable[..., Any]) -> None:
    with connected() as (command, peer):
        in_thread(send_and_end, peer, LARGE)
        assert command.finish() == (0, LARGE, "")


@either
def test_every_byte_reaches_a_file(connected: Callable[..., Any], tmp_path: Path) -> None:
    with (tmp_path / "output").open("wb") as file, connected(stdout=file) as (command, peer):
        peer.sendall(LARGE)
        peer.close()
        assert command.finish() == (0, b"", "")
    assert (tmp_path / "output").read_bytes() == LARGE


@either
def test_every_byte_reaches_a_socket(connected: Callable[..., Any]) -> None:
    far, near = socket.socketpair()
    with far, connected(stdout=near) as (command, peer):
        near.close()
        in_thread(send_and_end, peer, LARGE)
        assert receive(far) == LARGE
        assert command.finish() == (0, b"", "")


def test_output_is_appended_to_a_file_that_is_opened_so(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"before ")
    with (tmp_path / "log").open("ab") as file, listening(stdout=file) as (command, peer):
        peer.sendall(b"after")
        peer.close()
        assert command.finish() == (0, b"", "")
    assert (tmp_path / "log").read_bytes() == b"before after"


@either
def test_the_null_device_is_no_input_and_takes_all_output(connected: Callable[..., Any]) -> None:
    with connected(stdin=DEVNULL, stdout=DEVNULL) as (command, peer):
        peer.sendall(LARGE)
        assert receive(peer) == b""
        peer.close()
        assert command.finish() == (0, b"", "")


def test_an_endless_file_does_not_keep_the_peer_from_being_heard() -> None:
    with open("/dev/zero", "rb") as zeros, connecting(stdin=zeros) as (command, peer):
        peer.sendall(EVERY_BYTE)
        assert command.read(len(EVERY_BYTE)) == EVERY_BYTE
        assert receive(peer, 1_000_000) == bytes(1_000_000)


@pytest.mark.parametrize("missing", ["<&-", "2>&-", "<&- 2>&-"])
def test_closed_streams_count_as_the_null_device(missing: str) -> None:
    with (
        Listening() as host,
        Command("connect", host.address, stdin=PIPE, redirections=missing) as command,
        host.accept() as peer,
    ):
        peer.sendall(b"hello")
        peer.shutdown(socket.SHUT_WR)
        command.end_input()
        assert receive(peer) == b""
        assert command.finish() == (0, b"hello", "")


def test_without_an_output_nothing_is_thrown_away() -> None:
    with Listening() as host, Command("connect", host.address, redirections=">&-") as command:
        status, _, said = command.finish()
    assert status == 1
    assert said == "python3 -m reactor connect: standard output is closed (to throw away what comes, say >/dev/null)\n"


# --- One peer, or one after the other ---------------------------------------------------------------------------------


def test_without_keep_the_first_peer_is_the_only_one() -> None:
    with Command("listen", ANY_PORT, stdin=PIPE) as command:
        address = command.address()
        with calling(address) as first:
            command.type_in(b"you are served")
            assert receive(first, 14) == b"you are served"
            with pytest.raises(ConnectionRefusedError):
                calling(address)
        assert command.finish() == (0, b"", "")


def test_with_keep_peers_are_served_one_after_the_other_and_wait_for_their_turn() -> None:
    with Command("listen", "--keep", ANY_PORT, stdin=PIPE) as command:
        address = command.address()
        peers = [calling(address) for _ in range(3)]
        for number, peer in reversed(list(enumerate(peers))):
            peer.sendall(b"I am number %d\n" % number)  # the last one says so first
        for number, peer in enumerate(peers):
            assert command.read(14) == b"I am number %d\n" % number
            command.type_in(b"hello %d" % number)
            assert receive(peer, 7) == b"hello %d" % number
            peer.close()
        command.interrupt()
        assert command.finish() == (130, b"", "interrupted\n")


def test_with_keep_a_peer_that_has_ended_gets_all_the_input_there_is(tmp_path: Path) -> None:
    with source("file", LARGE, tmp_path) as stdin, listening("--keep", stdin=stdin) as (command, peer):
        peer.shutdown(socket.SHUT_WR)
        assert receive(peer) == LARGE
        command.interrupt()
        assert command.finish()[0] == 130


def test_with_keep_a_peer_that_has_ended_does_not_wait_for_input_that_may_never_come() -> None:
    with listening("--keep", stdin=PIPE) as (command, peer):
        peer.shutdown(socket.SHUT_WR)
        assert receive(peer) == b""
        command.interrupt()
        assert command.finish()[0] == 130


def test_with_keep_what_one_peer_was_sent_the_next_one_does_not_get(tmp_path: Path) -> None:
    with source("file", b"only once", tmp_path) as stdin, Command("listen", "--keep", ANY_PORT, stdin=stdin) as command:
        address = command.address()
        for expected in (b"only once", b""):
            with calling(address) as peer:
                assert receive(peer) == expected
        command.interrupt()
        assert command.finish()[0] == 130


def test_with_keep_a_peer_that_resets_its_connection_is_reported_and_the_next_one_served() -> None:
    with Command("listen", "--keep", ANY_PORT, stdin=PIPE) as command:
        address = command.address()
        peer = calling(address)
        host, port = peer.getsockname()
        peer.sendall(b"hello")
        assert command.read(5) == b"hello"
        reset(peer)
        line = f"python3 -m reactor listen: {host}:{port}: Connection reset by peer\n"
        assert command.error_line() == line
        with calling(address) as peer:
            peer.sendall(b"world")
            assert command.read(5) == b"world"
        command.interrupt()
        assert command.finish()[0] == 130


def test_every_address_of_a_name_is_listened_at_until_somebody_comes() -> None:
    with Command("listen", "localhost:0") as command:
        addresses = command.error_line().removeprefix("listening at ").rstrip("\n").split(", ")
        with calling(listening_at(f"listening at {addresses[0]}")) as peer:
            peer.sendall(b"hello")
            peer.shutdown(socket.SHUT_WR)
            assert receive(peer) == b""
        assert command.finish() == (0, b"hello", "")

