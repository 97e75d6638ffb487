"""The README's programs are run as they stand there, but for the port; its tests are run, and fail as it says."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reactor.simulation import HOSTILE, LOSSY_WIFI, Profile
from tests.cli.program import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
*PROGRAMS, SIMULATED, DRAWN = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
SAID = re.findall(r"```text\n(.*?)```", README, re.DOTALL)
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


def outcome(directory: Path, *parts: str) -> tuple[int, str]:
    """The exit status of pytest for a file of these `parts`, and what it printed."""
    file = directory / "test_it.py"
    file.write_text("\n".join(parts))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)]
    done = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    return done.returncode, done.stdout


def without_numbers(text: str) -> list[str]:
    """Its lines; which seed is the first to fail, and when, is of no importance."""
    return re.sub(r"\d+(\.\d+)?", "N", text).splitlines()


def test_the_simulated_test_fails_as_the_guide_says_and_again_from_its_last_line(tmp_path: Path) -> None:
    status, printed = outcome(tmp_path, SIMULATED)
    assert status == 1
    (said,) = SAID
    assert said.count("\n") == 14
    assert [line for line in without_numbers(said) if line not in without_numbers(printed)] == []
    (again,) = set(re.findall(r"again: (Simulation\(.*\))$", printed, re.MULTILINE))  # under CI pytest repeats it
    pasted = f"def test_a_sum_is_right():\n    with {again} as sim:\n        conversation(sim)\n"
    imports = "from reactor.simulation import HOSTILE, Simulation\n"
    status, printed = outcome(tmp_path, SIMULATED, imports, pasted)
    assert status == 1 and "assert b'1' == b'42'" in printed


# Without the phase `explain`, which traces every line and takes longer than all the rest.
SETTINGS = """
from hypothesis import Phase, settings
settings.register_profile("quick", derandomize=True, deadline=None, phases=[Phase.generate, Phase.shrink])
settings.load_profile("quick")
"""


def test_hypothesis_finds_the_same_bug(tmp_path: Path) -> None:
    status, printed = outcome(tmp_path, SETTINGS, SIMULATED, DRAWN)
    assert status == 1 and "FAILED test_it.py::test_a_sum_is_right_whatever_hypothesis_draws" in printed


def test_both_tests_pass_when_the_server_has_a_codec(tmp_path: Path) -> None:
    repaired = """
class Adding(FramedProtocol):
    codec = LineCodec()
    def frame_received(self, line):
        self.send(b"%d" % sum(map(int, line.split())))
"""
    status, printed = outcome(tmp_path, SETTINGS, SIMULATED, DRAWN, repaired)
    assert (status, printed.splitlines()[-1][:8]) == (0, "2 passed")


@pytest.mark.parametrize(("name", "profile"), [("LOSSY_WIFI", LOSSY_WIFI), ("HOSTILE", HOSTILE)])
def test_the_table_of_profiles_has_their_figures(name: str, profile: Profile) -> None:
    (row,) = re.findall(rf"^\| `{name}`.*$", README, re.MULTILINE)
    link, faults = profile.link, profile.faults
    assert link.bandwidth is not None and faults.short_read == faults.short_write
    assert re.findall(r"(\d+) (?:ms|Mbit|%)", row)[:5] == [
        f"{figure:g}"
        for figure in (
            link.latency * 1000,
            link.jitter * 1000,
            link.bandwidth * 8 / 1e6,
            link.loss * 100,
            faults.short_read * 100,
        )
    ]


def test_the_test_command_installs_an_extra_that_exists() -> None:
    command = re.search(r"^python3 -m venv .*$", README, re.MULTILINE)
    assert command is not None
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert re.findall(r"'\.\[(\w+)\]'", command[0]) == ["test"]
    assert "test" in extras
