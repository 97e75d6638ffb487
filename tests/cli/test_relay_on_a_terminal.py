"""`listen` and `connect`, with a person at the keyboard."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator

import pytest

from tests.cli.commands import ANY_PORT, Command, Listening, Terminal, calling, listening_at, receive

CTRL_C, CTRL_D = b"\x03", b"\x04"


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with Terminal() as terminal:
        yield terminal


def on(terminal: Terminal, *arguments: str) -> Command:
    """A command whose standard streams, all three, are this terminal."""
    return Command(*arguments, terminal=terminal.path, redirections=f">{terminal.path} 2>{terminal.path}")


def listening_on(terminal: Terminal) -> tuple[str, int]:
    return listening_at(terminal.wait_for(rb"listening at [^\r\n]+")[0].decode())


def test_what_is_typed_goes_to_the_peer_and_what_it_sends_appears(terminal: Terminal) -> None:
    with Listening() as host, on(terminal, "connect", host.address) as command, host.accept() as peer:
        terminal.type_in(b"hello\n")
        assert receive(peer, 6) == b"hello\n"
        peer.sendall(b"how are you?\n")
        terminal.wait_for(rb"how are you\?\r\n")
        terminal.type_in(CTRL_D)
        assert receive(peer) == b""
        peer.sendall(b"goodbye\n")
        peer.close()
        terminal.wait_for(rb"goodbye\r\n")
        assert command.process.wait() == 0


def test_when_the_peer_has_ended_a_line_says_how_to_end_this_side(terminal: Terminal) -> None:
    with Listening() as host, on(terminal, "connect", host.address) as command, host.accept() as peer:
        peer.shutdown(socket.SHUT_WR)
        terminal.wait_for(rb"the peer has ended; Ctrl-D ends this side too\r\n")
        terminal.type_in(b"are you there?\n" + CTRL_D)
        assert receive(peer) == b"are you there?\n"
        assert command.process.wait() == 0


def test_the_line_is_not_for_those_who_have_ended_already_nor_for_files() -> None:
    with Terminal() as terminal, Listening() as host:
        with on(terminal, "connect", host.address) as command, host.accept() as peer:
            terminal.type_in(CTRL_D)
            assert receive(peer) == b""
            peer.close()
            assert command.process.wait() == 0
        assert b"the peer has ended" not in terminal.everything()
    with Listening() as host, Command("connect", host.address, stdin=subprocess.PIPE) as command:
        host.accept().close()
        assert command.finish() == (0, b"", "")


def test_ctrl_c_ends_it(terminal: Terminal) -> None:
    with on(terminal, "listen", ANY_PORT) as command, calling(listening_on(terminal)) as peer:
        peer.sendall(b"hello\n")
        terminal.wait_for(rb"hello\r\n")
        terminal.type_in(CTRL_C)
        assert command.process.wait() == 130
    assert terminal.wait_for(rb"interrupted\r\n")
    assert b"Traceback" not in terminal.everything()


def test_with_keep_ctrl_d_ends_the_input_of_one_peer_only(terminal: Terminal) -> None:
    with on(terminal, "listen", "--keep", ANY_PORT) as command:
        address = listening_on(terminal)
        for number in (b"one", b"two"):
            with calling(address) as peer:
                terminal.type_in(b"hello " + number + b"\n")
                assert receive(peer, 10) == b"hello " + number + b"\n"
                terminal.type_in(CTRL_D)
                assert receive(peer) == b""
        terminal.type_in(CTRL_C)
        assert command.process.wait() == 130


def test_with_keep_peers_come_and_go_without_a_key_being_pressed(terminal: Terminal) -> None:
    with on(terminal, "listen", "--keep", ANY_PORT) as command:
        address = listening_on(terminal)
        for number in (b"one", b"two", b"three"):
            with calling(address) as peer:
                peer.sendall(b"I am " + number + b"\n")
                terminal.wait_for(b"I am " + number)
        terminal.type_in(CTRL_C)
        assert command.process.wait() == 130


def test_progress_shows_bytes_and_rate_each_way_and_leaves_the_sums(terminal: Terminal) -> None:
    with Listening() as host, on(terminal, "connect", "--progress", host.address) as command, host.accept() as peer:
        terminal.type_in(b"hello\n")
        assert receive(peer, 6) == b"hello\n"
        peer.sendall(bytes(2047) + b"\n")
        terminal.wait_for(rb"\r\x1b\[Ksent 6 B, \S+ B/s; received 2\.0 KiB, \S+ \w+/s")
        terminal.type_in(CTRL_D)
        peer.close()
        assert command.process.wait() == 0
    assert re.search(rb"sent 6 B, \S+ B/s; received 2\.0 KiB, \S+ \w+/s\r\n$", terminal.everything())


def test_progress_is_for_terminals_only() -> None:
    with Listening() as host, Command("connect", "--progress", host.address) as command:
        host.accept().close()
        assert command.finish() == (0, b"", "")


def test_progress_does_not_mix_with_the_output(terminal: Terminal) -> None:
    redirections = f"2>{terminal.path}"
    with Listening() as host, Command("connect", "--progress", host.address, redirections=redirections) as command:
        with host.accept() as peer:
            peer.sendall(b"hello")
            terminal.wait_for(rb"received 5 B")
        assert command.finish() == (0, b"hello", "")
    terminal.wait_for(rb"received 5 B, \S+ B/s\r\n")


def test_progress_is_not_shown_in_the_middle_of_a_line_of_output(terminal: Terminal) -> None:
    with Listening() as host, on(terminal, "connect", "--progress", host.address) as command, host.accept() as peer:
        peer.sendall(b"one\ntwo, and no end of the line")
        terminal.type_in(CTRL_D)
        assert receive(peer) == b""
        peer.close()
        assert command.process.wait() == 0
    shown = terminal.wait_for(rb"one\r\ntwo(.*)line\r\nsent 0 B, 0 B/s; received 31 B, \S+ \w+/s\r\n")
    assert b"sent" not in shown[1]
