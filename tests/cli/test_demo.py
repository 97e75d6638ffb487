"""The demo, run as a user runs it; and what it says when something is wrong."""

from __future__ import annotations

import errno
import os
import re
import selectors
import socket
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from reactor import defaults
from reactor.cli.exchange import NEWS, REQUEST, message
from reactor.cli.main import main
from reactor.kernel import Socket, SystemKernel
from tests.cli.program import ADDRESS, ROOT, Program, run

needs_ulimit = pytest.mark.skipif(os.name != "posix", reason="descriptor limits are POSIX's")


@pytest.mark.parametrize("clients", [1, 2, 3, 200])
def test_everything_arrives(clients: int) -> None:
    status, out, err = run("reactor", "demo", "--clients", str(clients), "--messages", "5")
    assert (status, err) == (0, "")
    assert re.search(rf"^connections +{clients},", out, re.M)
    assert re.search(rf"^clients to server +{clients * 6:,} messages, [\d,]+ bytes", out, re.M)
    assert re.search(rf"^server to clients +{clients * 11:,} messages, [\d,]+ bytes", out, re.M)
    assert re.search(r"^messages per second +[\d,]+", out, re.M)
    assert re.search(r"^ticks +[\d,]+, the largest [\d.]+ ms", out, re.M)
    assert re.search(r"^peak buffered bytes +[\d,]+", out, re.M)


def test_it_counts_the_bytes_that_the_messages_have() -> None:
    _, out, _ = run("reactor", "demo", "--clients", "1", "--messages", "1")
    size = len(message(b"hello", 1, 0)) + len(message(b"request", 1, 0))
    assert re.search(rf"^clients to server +2 messages, {size} bytes$", out, re.M)


def test_the_steps_of_the_first_client_come_in_order() -> None:
    _, out, _ = run("reactor", "demo", "--clients", "3")
    steps = [
        r"1\. The server listens at " + ADDRESS,
        r"2\. Client 1 requests",
        r"3\. The server confirms, and goes on listening",
        r"4\. Both sides exchange data",
        r"client 1 to server: hello",
        r"2 more",
        r"server to client 1: start .* nobody asked for",
        r"client 1 to server: request",
        r"server to client 1: answer",
        r"^connections",
    ]
    positions = [match.start() if (match := re.search(step, out, re.M)) else -1 for step in steps]
    assert positions == sorted(positions) and positions[0] == 0


def test_without_a_terminal_there_is_no_progress() -> None:
    _, out, err = run("reactor", "demo", "--clients", "50")
    assert err == "" and "\r" not in out and "\x1b" not in out


@pytest.mark.skipif(os.name != "posix", reason="there are no pseudo-terminals")
def test_on_a_terminal_there_is_progress_and_nothing_of_it_remains() -> None:
    terminal, its_end = os.openpty()
    try:
        command = [sys.executable, "-m", "reactor", "demo", "--clients", "300", "--messages", "30"]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=its_end) as process:
            assert process.stdout is not None
            assert b"\x1b" not in process.stdout.read()
        shown = os.read(terminal, 65536).decode()
    finally:
        os.close(terminal)
        os.close(its_end)
    assert process.returncode == 0
    assert re.search(r"[\d,]+ of 300 clients, [\d,]+ of 27,600 messages", shown)
    assert shown.endswith("\r\x1b[K")


def test_ctrl_c_ends_it_with_one_line() -> None:
    with Program("reactor", "demo", "--clients", "100", "--messages", "100000") as program:
        program.wait_for("server to client 1: answer")
        program.interrupt()
        status, out, err = program.finish()
    assert (status, err) == (130, "interrupted\n") and "connections" not in out


def test_a_reader_that_has_had_enough_is_no_error() -> None:
    with Program("reactor", "demo", "--clients", "2", "--trace") as program:
        program.wait_for("1. The server listens")
        assert program.process.stdout is not None
        program.process.stdout.close()
        assert program.process.stderr is not None
        assert program.process.stderr.read() == ""
        assert program.process.wait() == 0


@needs_ulimit
def test_a_low_soft_limit_of_descriptors_is_raised() -> None:
    status, out, _ = run("reactor", "demo", "--clients", "100", "--messages", "1", shell_setup="ulimit -Sn 80")
    assert status == 0 and "in order, where it belonged" in out


@needs_ulimit
def test_more_clients_than_the_hard_limit_allows_are_refused_with_the_number_that_works() -> None:
    limit = "ulimit -n 164"
    status, out, err = run("reactor", "demo", "--clients", "200", shell_setup=limit)
    assert (status, out) == (2, "") and err.count("\n") == 1
    assert "464 descriptors" in err and "164" in err and "ulimit -Hn" in err
    possible = re.search(r"--clients (\d+)", err)
    assert possible is not None
    assert run("reactor", "demo", "--clients", possible[1], "--messages", "1", shell_setup=limit)[0] == 0


@needs_ulimit
def test_where_not_even_one_client_is_possible_it_does_not_say_so() -> None:
    status, _, err = run("reactor", "demo", shell_setup="ulimit -n 20")
    assert status == 2 and err.count("\n") == 1 and "use --clients" not in err


# --- What must not pass ---------------------------------------------------------------------------------------------


class Meddling(SystemKernel):
    """The operating system, with sockets of clients that change the bytes they receive."""

    def __init__(self, meddle: Callable[[bytes], bytes]) -> None:
        super().__init__()
        self.meddle = meddle

    def socket(self, family: int, kind: int) -> Socket:
        sock: Any = _MeddlingSocket(family, kind)
        sock.setblocking(False)
        sock.meddle = self.meddle
        return sock  # type: ignore[no-any-return]


class _MeddlingSocket(socket.socket):
    meddle: Callable[[bytes], bytes]

    def recv(self, size: int, flags: int = 0) -> bytes:
        return self.meddle(super().recv(size, flags))


def changed_byte(data: bytes) -> bytes:
    """One bit of the last byte of a message is wrong."""
    last = message(NEWS, 1, 1)
    return data.replace(last, last[:-1] + bytes([last[-1] ^ 1]))


def of_another_client(data: bytes) -> bytes:
    """A message that somebody else should have received."""
    return data.replace(b"news 2 0 ", b"news 1 0 ")


def out_of_order(data: bytes) -> bytes:
    """The second message of a kind, before the first."""
    return data.replace(b"news 2 0 ", b"news 2 1 ")


def of_no_kind(data: bytes) -> bytes:
    """A message that is none of ours."""
    return data.replace(b"answer 1 0 ", b"anther 1 0 ")


def never_ends(data: bytes) -> bytes:
    """A length that no message has."""
    return b"\xff" * len(data)


def ends_early(data: bytes) -> bytes:
    """The end of the stream, too soon."""
    return b""


@pytest.mark.parametrize(
    "meddle", [changed_byte, of_another_client, out_of_order, of_no_kind, never_ends, ends_early]
)
def test_one_wrong_byte_is_a_failure(meddle: Callable[[bytes], bytes], capsys: pytest.CaptureFixture[str]) -> None:
    with defaults(kernel=Meddling(meddle)):
        assert main(["demo", "--clients", "3", "--messages", "2"]) == 1
    out = capsys.readouterr().out
    assert re.search(r"^FAILED: client \d ", out, re.M)
    assert "Every byte arrived" not in out


def test_an_exception_inside_is_a_failure_too(capsys: pytest.CaptureFixture[str]) -> None:
    def meddle(data: bytes) -> bytes:
        raise ArithmeticError("out of the blue")

    with defaults(kernel=Meddling(meddle)):
        assert main(["demo", "--clients", "1"]) == 1
    assert re.search(r"^FAILED: exception in .*out of the blue", capsys.readouterr().out, re.M)


class Unreachable(SystemKernel):
    """The operating system of a machine whose loopback interface is down."""

    def socket(self, family: int, kind: int) -> Socket:
        sock: Any = _Unconnectable(family, kind)
        sock.setblocking(False)
        return sock  # type: ignore[no-any-return]


class _Unconnectable(socket.socket):
    def connect_ex(self, address: Any, /) -> int:
        return errno.ENETUNREACH


def test_a_client_that_cannot_connect_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    with defaults(kernel=Unreachable()):
        assert main(["demo", "--clients", "2"]) == 1
    assert re.search(rf"^FAILED: cannot connect to {ADDRESS}", capsys.readouterr().out, re.M)


class Exhausted(SystemKernel):
    """The operating system, without a descriptor left."""

    def selector(self) -> selectors.BaseSelector:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_what_the_machine_refuses_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with defaults(kernel=Exhausted()):
        assert main(["demo", "--clients", "2"]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and os.strerror(errno.EMFILE) in err


def test_the_same_without_meddling_passes(capsys: pytest.CaptureFixture[str]) -> None:
    with defaults(kernel=Meddling(lambda data: data)):
        assert main(["demo", "--clients", "3", "--messages", "2"]) == 0
    assert "FAILED" not in capsys.readouterr().out


def test_no_two_messages_are_equal() -> None:
    triples = list(product((REQUEST, NEWS), range(30), range(9)))
    assert len({message(*triple) for triple in triples}) == len(triples)
