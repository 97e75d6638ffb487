"""`listen` and `connect`: whatever ends them is said in one line or not at all, and in the exit status."""

from __future__ import annotations

import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.cli.commands import ANY_PORT, LARGE, Command, Listening, calling, in_thread, receive, reset

PIPE = subprocess.PIPE


def outcome(*arguments: str) -> tuple[int, str]:
    """The exit status and the standard error of a command that prints nothing else."""
    with Command(*arguments) as command:
        status, out, err = command.finish()
    assert out == b""
    return status, err


def send_without_end(sock: socket.socket) -> None:
    """Until the peer is gone."""
    try:
        while True:
            sock.sendall(LARGE)
    except ConnectionError:
        pass


# --- Requests that come to nothing ------------------------------------------------------------------------------------


def test_a_refused_connection_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    line = f"python3 -m reactor connect: cannot connect to {address} ({address}: Connection refused)\n"
    assert outcome("connect", address) == (1, line)


def test_an_address_in_use_is_one_line() -> None:
    with Listening() as other:
        line = f"python3 -m reactor listen: cannot listen at {other.address}: Address already in use\n"
        assert outcome("listen", other.address) == (1, line)


@pytest.mark.parametrize("command", ["listen", "connect"])
@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:http", "127.0.0.1:70000", "::1:9000", ""])
def test_an_address_that_cannot_be_is_one_line(command: str, address: str) -> None:
    status, err = outcome(command, address)
    assert status == 2
    assert err.startswith(f"python3 -m reactor {command}: address {address!r}") and err.count("\n") == 1


@pytest.mark.parametrize("command", ["listen", "connect"])
def test_a_name_that_does_not_resolve_is_one_line(command: str) -> None:
    status, err = outcome(command, "no-such-host.invalid:9000")  # RFC 6761 section 6.4: nobody will ever have it
    assert status == 1
    assert err.startswith(f"python3 -m reactor {command}: cannot resolve no-such-host.invalid:9000: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("line", ["listen", "connect", "connect --keep 127.0.0.1:0", "listen 127.0.0.1:0 and more"])
def test_a_command_line_that_cannot_be_is_one_line(line: str) -> None:
    status, err = outcome(*line.split())
    assert status == 2
    assert err.startswith("python3 -m reactor") and err.count("\n") == 1


# --- Peers and streams that fail --------------------------------------------------------------------------------------


def test_a_peer_that_resets_the_connection_is_one_line_and_what_came_before_is_written() -> None:
    with Listening() as host, Command("connect", host.address, stdin=PIPE) as command:
        peer = host.accept()
        peer.sendall(b"hello")
        assert command.read(5) == b"hello"
        reset(peer)
        line = f"python3 -m reactor connect: {host.address}: Connection reset by peer\n"
        assert command.finish() == (1, b"", line)


def test_input_that_cannot_be_read_is_one_line_and_no_end_for_the_peer(tmp_path: Path) -> None:
    with (
        (tmp_path / "file").open("wb") as write_only,
        Listening() as host,
        Command("connect", host.address, stdin=write_only) as command,
        host.accept() as peer,
    ):
        with pytest.raises(ConnectionResetError):
            peer.recv(1)
        line = "python3 -m reactor connect: cannot read standard input: Bad file descriptor\n"
        assert command.finish() == (1, b"", line)


def test_with_keep_input_that_cannot_be_read_ends_the_listening(tmp_path: Path) -> None:
    with (
        (tmp_path / "file").open("wb") as write_only,
        Command("listen", "--keep", ANY_PORT, stdin=write_only) as command,
    ):
        address = command.address()
        with pytest.raises(ConnectionResetError), calling(address) as peer:  # the reset may be there before we are
            peer.recv(1)
        line = "python3 -m reactor listen: cannot read standard input: Bad file descriptor\n"
        assert command.finish() == (1, b"", line)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_output_that_cannot_be_written_is_one_line_and_a_reset_for_the_peer() -> None:
    with (
        open("/dev/full", "wb") as full,
        Listening() as host,
        Command("connect", host.address, stdin=PIPE, stdout=full) as command,
        host.accept() as peer,
    ):
        peer.sendall(b"hello")
        with pytest.raises(ConnectionResetError):
            peer.recv(1)
        line = "python3 -m reactor connect: cannot write standard output: No space left on device\n"
        assert command.finish() == (1, b"", line)


# --- Output that nobody reads any more --------------------------------------------------------------------------------


def test_a_closed_output_pipe_ends_it_quietly_even_if_the_peer_is_silent() -> None:
    with Listening() as host, Command("connect", host.address, stdin=PIPE) as command, host.accept() as peer:
        peer.sendall(b"enough\n")
        assert command.read(7) == b"enough\n"
        command.end_output()
        with pytest.raises(ConnectionResetError):
            peer.recv(1)
        assert command.finish() == (141, b"", "")


def test_a_closed_output_pipe_ends_it_quietly_while_the_peer_is_sending() -> None:
    with Listening() as host, Command("connect", host.address, stdin=PIPE) as command, host.accept() as peer:

        sending = in_thread(send_without_end, peer)
        command.read(100_000)
        command.end_output()
        assert command.finish() == (141, b"", "")
        sending.join()


def test_a_closed_output_socket_ends_it_quietly() -> None:
    far, near = socket.socketpair()
    with Listening() as host, Command("connect", host.address, stdin=PIPE, stdout=near) as command:
        near.close()
        with host.accept() as peer:
            peer.sendall(b"enough\n")
            assert receive(far, 7) == b"enough\n"
            far.close()
            peer.sendall(b"more\n")
            assert command.finish() == (141, b"", "")


def test_with_keep_a_closed_output_pipe_ends_the_listening() -> None:
    with Command("listen", "--keep", ANY_PORT) as command:
        command.address()
        command.end_output()
        assert command.finish() == (141, b"", "")


def test_errors_that_nobody_reads_do_not_change_the_exit_status() -> None:
    with Command("connect", "127.0.0.1", stdin=PIPE) as command:
        command.end_errors()
        assert command.process.wait() == 2


# --- Ctrl-C -----------------------------------------------------------------------------------------------------------


def test_ctrl_c_ends_the_listening() -> None:
    with Command("listen", ANY_PORT) as command:
        command.address()
        command.interrupt()
        assert command.finish() == (130, b"", "interrupted\n")


def test_ctrl_c_ends_a_conversation_and_the_peer_does_not_take_that_for_a_complete_one() -> None:
    with Listening() as host, Command("connect", host.address, stdin=PIPE) as command, host.accept() as peer:
        command.type_in(b"half a sent")
        assert receive(peer, 11) == b"half a sent"
        command.interrupt()
        assert command.finish() == (130, b"", "interrupted\n")
        with pytest.raises(ConnectionResetError):
            peer.recv(1)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_a_conversation_that_is_terminated_does_not_look_complete_either(signum: signal.Signals) -> None:
    with Listening() as host, Command("connect", host.address, stdin=PIPE) as command, host.accept() as peer:
        command.type_in(b"half a sent")
        assert receive(peer, 11) == b"half a sent"
        command.process.send_signal(signum)
        command.process.wait()
        assert command.finish() == (128 + signum, b"", "terminated\n")
        with pytest.raises(ConnectionResetError):
            peer.recv(1)


def test_a_reset_after_the_peers_end_is_not_a_success() -> None:
    with Listening() as host, Command("connect", host.address, stdin=PIPE) as command:
        peer = host.accept()
        peer.sendall(b"that is all")
        peer.shutdown(socket.SHUT_WR)
        assert command.read(11) == b"that is all"
        reset(peer)
        command.end_input()
        status, _, said = command.finish()
        assert status == 1 and ("Broken pipe" in said or "reset" in said)


def test_ctrl_c_does_not_wait_for_output_that_nobody_reads() -> None:
    with Command("listen", ANY_PORT) as command, calling(command.address()) as peer:
        sending = in_thread(send_without_end, peer)
        command.read(1)
        command.interrupt()
        assert command.process.returncode == 130
        sending.join()


def test_ctrl_c_does_not_wait_for_a_peer_that_takes_nothing() -> None:
    with (
        open("/dev/zero", "rb") as zeros,
        Listening() as host,
        Command("connect", host.address, stdin=zeros) as command,
        host.accept() as peer,
    ):
        peer.sendall(b"hello")
        assert command.read(5) == b"hello"
        command.interrupt()
        assert command.finish() == (130, b"", "interrupted\n")
