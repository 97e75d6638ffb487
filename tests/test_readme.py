"""The README's programs are run as they stand there, but for the port."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cli.program import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
DEADLINE = 30.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


@contextmanager
def running(program: str, port: int) -> Iterator[None]:
    """The program, with a line before its last wait that tells us that it has come so far."""
    program = program.replace("9000", str(port))
    waits = r"^( *)(reactor\.run\(\)|await asyncio\.sleep)"
    program = re.sub(waits, r"\1print('ready', flush=True)\n\1\2", program, flags=re.MULTILINE)
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield
        finally:
            process.kill()


def ask(port: int, question: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as sock:
        sock.sendall(question)
        return sock.makefile("rb").readline()


def test_it_has_the_programs_of_the_quick_start() -> None:
    assert len(PROGRAMS) == 4


@pytest.mark.parametrize(("number", "answer"), [(0, b"hello\n"), (1, b"HELLO\n"), (3, b"hello\n")])
def test_a_server_of_the_quick_start_answers(number: int, answer: bytes) -> None:
    port = free_port()
    with running(PROGRAMS[number], port):
        assert ask(port, b"hello\n") == answer


def test_the_client_of_the_quick_start_prints_the_answer() -> None:
    port = free_port()
    with running(PROGRAMS[1], port):
        client = PROGRAMS[2].replace("localhost:9000", f"127.0.0.1:{port}")
        done = subprocess.run(
            [sys.executable, "-c", client], cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE, check=False
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, "HELLO\n", "")


def test_the_test_command_installs_an_extra_that_exists() -> None:
    command = re.search(r"^python3 -m venv .*$", README, re.MULTILINE)
    assert command is not None
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert re.findall(r"'\.\[(\w+)\]'", command[0]) == ["test"]
    assert "test" in extras
