"""What the examples tell whoever watches them: nobody who is connected pays for it."""

from __future__ import annotations

import errno
import io
import select
import socket
import sys

import pytest

from examples.log import log
from tests.cli.program import ADDRESS, DEADLINE, Program, connected
from tests.examples.test_line_chat import chat_program, person


@pytest.fixture(autouse=True)
def buffered(monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be written stays in a program's buffer, and may fail once more at its end."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


def nobody_reads(program: Program) -> None:
    assert program.process.stdout is not None
    program.process.stdout.close()


def ends_in_order(program: Program) -> None:
    program.interrupt()
    status, _, err = program.finish()
    assert (status, err) == (0, "")


def test_members_of_a_chat_whose_log_nobody_reads_notice_nothing() -> None:
    with chat_program() as (program, address):
        nobody_reads(program)
        with person(address, "ann") as ann, person(address, "bob") as bob:
            ann.hears("* bob has joined")
            ann.says("hello")
            bob.hears("<ann> hello")


def test_a_name_that_the_logs_encoding_lacks_is_one_like_others() -> None:
    with Program("examples.line_chat", "127.0.0.1:0", shell_setup="export PYTHONIOENCODING=latin-1") as program:
        with person(program.wait_for(ADDRESS)[1], "名前") as somebody:
            somebody.says("hello")
            somebody.hears("<名前> hello")
            program.wait_for(r"^\\u540d\\u524d has joined$")
        ends_in_order(program)


def test_a_forwarder_whose_log_nobody_reads_goes_on() -> None:
    with (
        Program("examples.echo", "127.0.0.1:0") as echo,
        Program("examples.port_forwarder", "127.0.0.1:0", echo.wait_for(ADDRESS)[1]) as program,
    ):
        address = program.wait_for(ADDRESS)[1]
        nobody_reads(program)
        for _ in range(3):
            with connected(address) as sock:
                sock.sendall(b"x")
                sock.shutdown(socket.SHUT_WR)
                assert sock.recv(1) == b"x" and sock.recv(1) == b""
        ends_in_order(program)


def test_a_heartbeat_whose_log_nobody_reads_goes_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(DEADLINE)
        with Program("examples.heartbeat", f"127.0.0.1:{server.getsockname()[1]}") as program:
            program.wait_for("connected")
            nobody_reads(program)
            server.accept()[0].close()  # the end is logged, and the next connection
            with server.accept()[0] as sock:
                sock.settimeout(DEADLINE)
                assert sock.recv(100) == b"are you there?\n"
                program.interrupt()
                assert sock.recv(1) == b""
            assert program.finish()[0::2] == (0, "")


def test_a_game_whose_log_nobody_reads_says_goodbye_as_well() -> None:
    with Program("examples.frame_loop", "127.0.0.1:0") as program:
        address = program.wait_for(ADDRESS)[1]
        nobody_reads(program)
        with connected(address) as sock, sock.makefile("rb") as heard:
            heard.readline()
            program.interrupt()
            assert heard.readlines()[-1] == b"* the game is over\n"
        assert program.finish()[0::2] == (0, "")


def test_listeners_of_a_thread_whose_log_nobody_reads_hear_what_is_typed() -> None:
    with Program("examples.in_a_thread", "127.0.0.1:0") as program:
        address = program.wait_for(ADDRESS)[1]
        nobody_reads(program)
        with connected(address) as sock, sock.makefile("rb") as heard:
            while not select.select([sock], [], [], 0.1)[0]:  # it may not have been accepted so far
                program.type_in("hello\n")
            program.interrupt()
            assert heard.readlines()[-1] == b"goodbye\n"
        assert program.finish()[0::2] == (0, "")


def test_a_line_for_which_there_is_no_room_is_lost_and_the_next_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", Full())
        log("lost")
        patch.setattr(sys, "stdout", None)
        log("lost as well")
        patch.setattr(sys, "stdout", room := io.StringIO())
        log("there")
    assert room.getvalue() == "there\n"
