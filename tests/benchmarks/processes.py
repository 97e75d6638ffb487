"""The two processes of a measurement: each on its core, spoken to in lines, and sure to end.

A process that waits for another one can wait forever. So both are killed when their time is up, whatever they do; to
whoever is reading from them that looks like the end of the stream, and becomes a `ProcessError`. If this process dies,
the kernel ends them where it can be asked to (Linux); elsewhere the servers see the end of their stdin, the load has an
alarm, and what needs neither comes to its own end.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

__all__ = ["ROOT", "Cores", "LinePeer", "ProcessError", "choose_cores", "killed_after"]

ROOT = Path(__file__).parents[2]
"""The checkout: where `tests` and `reactor` can be imported from."""


class ProcessError(Exception):
    """A process ended before it had answered. Why is on stderr, which it shares with us."""


class Cores(NamedTuple):
    """The core of each process; `None` where processes cannot be pinned."""

    server: int | None
    load: int | None


def choose_cores() -> Cores:
    """The last core that we may use for the server, the first for the load; none if there are not two."""
    if hasattr(os, "sched_getaffinity"):  # Linux, some BSDs
        allowed = sorted(os.sched_getaffinity(0))
        if len(allowed) > 1:
            return Cores(server=allowed[-1], load=allowed[0])
    return Cores(None, None)


def ends_with_us() -> Sequence[str]:
    """The beginning of a command that the kernel kills when this process dies, where there is one: setpriv(1)."""
    return ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []


def surroundings() -> dict[str, str]:
    """The environment, without what would change some contestants more than others: PYTHONDEVMODE, and its kin."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


class LinePeer:
    """A child process that is written a line and answers with a line. A context manager that ends it."""

    def __init__(self, command: Sequence[str], core: int | None) -> None:
        self._name = shlex.join(command)
        self._process = subprocess.Popen(
            [*ends_with_us(), *command],
            cwd=ROOT,
            env=surroundings(),
            process_group=0,  # Ctrl-C is for us alone, who know what to keep and then end it
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        if core is not None:
            os.sched_setaffinity(self._process.pid, {core})  # threads it starts later inherit this

    def __enter__(self) -> LinePeer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()  # reaps it and closes the pipes

    def kill(self) -> None:
        """End it now, from any thread."""
        self._process.kill()

    def read(self) -> str:
        """Its next line. Raises `ProcessError` if there is none."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise ProcessError(f"ended before it answered: {self._name}")
        return line

    def read_json(self) -> Any:
        """What its next line says. Raises `ProcessError` if there is none, or if it is something else."""
        line = self.read()
        try:
            return json.loads(line)
        except ValueError:
            raise ProcessError(f"said {line.strip()!r}: {self._name}") from None

    def write(self, line: str) -> None:
        """Write it a line. One that has ended does not take it, and has no answer to it."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()

    def ask(self, line: str = "") -> str:
        """Write `line` and return the answer. Raises `ProcessError` if there is none."""
        self.write(line)
        return self.read()


@contextmanager
def killed_after(seconds: float, *peers: LinePeer) -> Iterator[None]:
    """Kill the `peers` if the block takes longer than `seconds`."""

    def kill() -> None:
        for peer in peers:
            peer.kill()

    timer = threading.Timer(seconds, kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
