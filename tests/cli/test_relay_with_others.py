"""`listen` and `connect` with other people's programs at the other end."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from tests.cli.commands import ANY_PORT, LARGE, Command, in_thread
from tests.cli.program import DEADLINE

PIPE = subprocess.PIPE

needs_nc = pytest.mark.skipif(shutil.which("nc") is None, reason="nc is not installed")
needs_socat = pytest.mark.skipif(shutil.which("socat") is None, reason="socat is not installed")


def nc_options() -> list[str]:
    """What makes nc end its sending half at the end of its input; where there is no -N, it just does so."""
    usage = subprocess.run(["nc", "-h"], capture_output=True, check=False)
    return ["-N"] if b"N" in usage.stderr.partition(b"[-")[2].partition(b"]")[0] else []


def output_of(command: list[str], data: bytes = b"") -> bytes:
    """What a program prints that is given `data`."""
    return subprocess.run(command, input=data, stdout=PIPE, timeout=DEADLINE, check=True).stdout


@contextmanager
def large_file(folder: Path) -> Iterator[IO[bytes]]:
    """A file with LARGE in it."""
    (folder / "large").write_bytes(LARGE)
    with (folder / "large").open("rb") as file:
        yield file


@contextmanager
def waiting(*command: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A program that listens and says so on its standard error, and its address."""
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE) as process:
        try:
            assert process.stderr is not None
            match = re.search(rb"[Ll]istening on .*?(\d+)$", process.stderr.readline().rstrip())
            assert match is not None
            yield process, f"127.0.0.1:{match[1].decode()}"
        finally:
            process.kill()


@needs_nc
def test_nc_sends_to_listen() -> None:
    with Command("listen", ANY_PORT, stdin=PIPE) as command:
        host, port = command.address()
        with subprocess.Popen(["nc", *nc_options(), host, str(port)], stdin=PIPE) as nc:
            sending = in_thread(nc.communicate, LARGE)
            assert command.read(len(LARGE)) == LARGE
            command.end_input()  # nc waits for that as well
            sending.join()
            assert nc.wait() == 0
        assert command.finish() == (0, b"", "")


@needs_nc
def test_nc_receives_from_listen(tmp_path: Path) -> None:
    with large_file(tmp_path) as stdin, Command("listen", ANY_PORT, stdin=stdin) as command:
        host, port = command.address()
        assert output_of(["nc", *nc_options(), host, str(port)]) == LARGE
        assert command.finish() == (0, b"", "")


@needs_nc
def test_nc_is_served_by_listen_keep_again_and_again() -> None:
    with Command("listen", "--keep", ANY_PORT, stdin=PIPE) as command:
        host, port = command.address()
        for number in range(3):
            line = b"number %d\n" % number
            assert output_of(["nc", *nc_options(), host, str(port)], line) == b""
            assert command.read(len(line)) == line
        command.interrupt()
        assert command.finish() == (130, b"", "interrupted\n")


@needs_nc
def test_connect_talks_to_nc_both_ways() -> None:
    with (
        waiting("nc", "-v", "-l", "127.0.0.1", "0") as (nc, address),
        Command("connect", address, stdin=PIPE) as command,
    ):
        command.type_in(b"hello\n")
        assert nc.stdout is not None and nc.stdin is not None
        assert nc.stdout.readline() == b"hello\n"
        nc.stdin.write(b"world\n")
        nc.stdin.flush()
        assert command.read(6) == b"world\n"
        command.end_input()
        assert command.finish() == (0, b"", "")


@needs_socat
def test_socat_echoes_everything_that_connect_sends(tmp_path: Path) -> None:
    with (
        waiting("socat", "-d", "-d", "TCP-LISTEN:0,bind=127.0.0.1", "EXEC:cat") as (_, address),
        large_file(tmp_path) as stdin,
        Command("connect", address, stdin=stdin) as command,
    ):
        assert command.finish() == (0, LARGE, "")


@needs_socat
def test_socat_exchanges_large_data_with_listen_both_ways_at_once(tmp_path: Path) -> None:
    with large_file(tmp_path) as stdin, Command("listen", ANY_PORT, stdin=stdin) as command:
        host, port = command.address()
        received: list[bytes] = []
        receiving = in_thread(lambda: received.append(command.read(len(LARGE))))
        # -t: how long it goes on in one direction when the other has ended
        assert output_of(["socat", "-t", str(DEADLINE), "STDIO", f"TCP:{host}:{port}"], LARGE) == LARGE
        receiving.join()
        assert received == [LARGE]
        assert command.finish() == (0, b"", "")
