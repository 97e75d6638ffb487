"""The frame of every server process: `python -m tests.benchmarks.contestants MODULE:FUNCTION [ARGUMENT]`.

The server function owns the main thread. A second thread sleeps in a read of stdin and wakes only when the benchmark
asks something: a line is answered with what this process has used so far, and the end of the stream, which is also
what the death of the benchmark looks like, ends the process. A sleeping thread does not hold the interpreter's lock,
so it costs the server nothing while it is measured; and no server needs code of its own for any of this.

All servers start with the same state of the heap. glibc serves large blocks by `mmap` until the first such block has
been freed, then raises its threshold (mallopt(3), M_MMAP_THRESHOLD). A loop that reads with `recv(262144)`, as
asyncio does, pays for an `mmap` at every read until then: 26 µs instead of 7.6 for an echo of 1 KiB. Whether that
happens in a real program depends on what it did before; here it happens to nobody.

All may have as many descriptors as this machine gives to anybody. The soft limit of RLIMIT_NOFILE is mostly 1,024, for
the sake of select(2), and a program is expected to raise it if it does not use that (getrlimit(2)); there are rows with
10,000 connections.

The first line on stdout is JSON: the `port` and `versions`, or what is `missing`.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import threading
import time
from contextlib import suppress
from importlib import import_module

if sys.platform != "win32":
    import resource

LARGE_BLOCK = 4 << 20


def allow_descriptors() -> None:
    """Raise the soft limit of descriptors to the hard one."""
    if sys.platform != "win32":
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with suppress(OSError, ValueError):  # macOS allows less than the "unlimited" that it reports
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def resident_memory() -> int:
    """Bytes of this process that are in memory; 0 where that cannot be known."""
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")
    except FileNotFoundError:
        return 0


def peak_memory() -> int:
    """The most bytes that were in memory; 0 where that cannot be known.

    On Linux not from getrusage(2): its ru_maxrss survives execve(2), and a child of a process that was once large would
    report its parent's peak.
    """
    try:
        with open("/proc/self/status", encoding="utf-8", errors="replace") as status:
            return next((int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:")), 0)
    except FileNotFoundError:
        if sys.platform == "win32":
            return 0
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def answer_until_abandoned() -> None:
    """Answer every line with the seconds of CPU time, user and system, and the memory; exit when there are no more."""
    for _ in sys.stdin:
        say(resident=resident_memory(), peak=peak_memory(), cpu=time.process_time())
    os._exit(0)  # the main thread is in somebody's loop, and may be anywhere in it


def say(**facts: object) -> None:
    """Tell the benchmark, in one line."""
    print(json.dumps(facts), flush=True)


def announce(port: int, **versions: str) -> None:
    """The server listens on `port` of 127.0.0.1; `versions` of the libraries that it stands on."""
    say(port=port, versions={"Python": platform.python_version(), **versions})


def main() -> None:
    where, *arguments = sys.argv[1:]
    module, _, function = where.partition(":")
    bytearray(LARGE_BLOCK)  # allocated and freed
    allow_descriptors()
    threading.Thread(target=answer_until_abandoned, daemon=True).start()
    try:
        serve = getattr(import_module(f"tests.benchmarks.contestants.{module}"), function)
    except ModuleNotFoundError as error:
        say(missing=f"{error.name} is not installed")
        return
    serve(announce, *arguments)


if __name__ == "__main__":
    main()
