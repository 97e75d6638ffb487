"""The key-value server and, to compare it with, the real one: both as programs of their own."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.cli.program import ADDRESS, DEADLINE, Program

Connect: TypeAlias = Callable[[], socket.socket]


@contextmanager
def key_value() -> Iterator[str]:
    """The example, running; the address."""
    with Program("examples.key_value", "127.0.0.1:0") as program:
        yield program.wait_for(rf"key_value listens at {ADDRESS}")[1]
        program.interrupt()
        assert program.finish() == (0, "", "")


@contextmanager
def ours() -> Iterator[Connect]:
    """A way to connect to the example."""
    with key_value() as address:
        host, port = address.split(":")
        yield lambda: socket.create_connection((host, int(port)), timeout=DEADLINE)


@contextmanager
def theirs(directory: Path) -> Iterator[Connect]:
    """A way to connect to the real one, if there is one. It listens at a Unix socket: then no port can be taken."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    path = str(directory / "redis.sock")
    command = [program, "--port", "0", "--unixsocket", path, "--save", "", "--dir", str(directory)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def connect_there() -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(DEADLINE)
        sock.connect(path)
        return sock

    try:
        assert process.stdout is not None
        assert any("eady to accept connections" in line for line in process.stdout)
        yield connect_there
    finally:
        process.kill()
        process.communicate()
