"""A program of this repository, run as a user runs it: `python3 -m …` from the repository root, and watched."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).parents[2]

DEADLINE = 60.0
"""Seconds after which a program is killed: a test may fail, but not hang."""

ADDRESS = r"(127\.0\.0\.1:\d+)"


class Program:
    """A running `python3 -m module …`. Every warning is an error in it, so that a leaked socket shows on its stderr."""

    def __init__(self, module: str, *arguments: str, shell_setup: str = "") -> None:
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a background job of a shell; a child would inherit it
            signal.signal(signal.SIGINT, signal.default_int_handler)
        command = [sys.executable, "-W", "error", "-m", module, *arguments]
        if shell_setup:
            command = ["sh", "-c", f'{shell_setup}; exec "$@"', "sh", *command]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._watchdog = threading.Timer(DEADLINE, self.process.kill)
        self._watchdog.start()

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Read lines until one matches, and return the match."""
        assert self.process.stdout is not None
        seen = []
        for line in self.process.stdout:
            seen.append(line)
            match = re.search(pattern, line)
            if match:
                return match
        assert self.process.stderr is not None
        raise AssertionError(f"no {pattern!r} in {seen}, stderr: {self.process.stderr.read()}")

    def type_in(self, text: str) -> None:
        """Write to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def interrupt(self) -> None:
        """What the terminal does on Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def finish(self) -> tuple[int, str, str]:
        """Its exit status, and the rest of its standard output and standard error."""
        out, err = self.process.communicate()
        return self.process.returncode, out, err

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._watchdog.cancel()
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def run(module: str, *arguments: str, shell_setup: str = "") -> tuple[int, str, str]:
    """Run a program to its end: exit status, standard output, standard error."""
    with Program(module, *arguments, shell_setup=shell_setup) as program:
        return program.finish()


@contextmanager
def connected(address: str) -> Iterator[socket.socket]:
    """A plain client."""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=DEADLINE) as sock:
        yield sock
