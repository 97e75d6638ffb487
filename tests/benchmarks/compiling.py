"""The programs in C: the load, so that it is never what is being measured, and a server that shows the machine's limit.

They are compiled on the spot, into a directory that is gone afterwards. Where that does not work (no compiler, no
epoll) a load in Python takes the place of the one in C for the rows that it can serve, and the C server is left out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

__all__ = ["PYTHON_LOAD", "Programs", "compiled_programs"]

HERE = Path(__file__).parent
FLAGS = ("-O2", "-pthread")


@dataclass(frozen=True)
class Programs:
    """The programs that this machine can run, each as the beginning of a command."""

    load: Sequence[str]
    language: str = "C"
    epoll: Sequence[str] | None = None


PYTHON_LOAD = Programs([sys.executable, str(HERE / "load.py")], "Python")


@contextmanager
def compiled_programs() -> Iterator[Programs]:
    """The programs in C if they can be compiled, `PYTHON_LOAD` if not. Yields once; the programs are gone after it."""
    compiler = shutil.which("cc")
    if sys.platform != "linux" or compiler is None:
        yield PYTHON_LOAD
        return
    with TemporaryDirectory() as directory:
        load, epoll = f"{directory}/load", f"{directory}/epoll"
        if not compiled(compiler, load, *sorted((HERE / "load").glob("*.c"))):
            yield PYTHON_LOAD
            return
        server = [epoll] if compiled(compiler, epoll, HERE / "contestants" / "epoll.c") else None
        yield Programs([load], "C", server)


def compiled(compiler: str, program: str, *sources: Path) -> bool:
    """Whether there is a `program` now that can be run: a directory may forbid even that (mount(8), noexec)."""
    done = subprocess.run([compiler, *FLAGS, "-o", program, *sources], check=False)
    return done.returncode == 0 and os.access(program, os.X_OK)
