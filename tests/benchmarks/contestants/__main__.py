"""The frame of every server process: `python -m tests.benchmarks.contestants MODULE:FUNCTION`.

The server function owns the main thread. A second thread sleeps in a read of stdin and wakes only when the benchmark
asks something: a line is answered with the CPU time of this process so far, and the end of the stream, which is also
what the death of the benchmark looks like, ends the process. A sleeping thread does not hold the interpreter's lock,
so it costs the server nothing while it is measured; and no server needs code of its own for any of this.

All servers start with the same state of the heap. glibc serves large blocks by `mmap` until the first such block has
been freed, then raises its threshold (mallopt(3), M_MMAP_THRESHOLD). A loop that reads with `recv(262144)`, as
asyncio does, pays for an `mmap` at every read until then: 26 µs instead of 7.6 for an echo of 1 KiB. Whether that
happens in a real program depends on what it did before; here it happens to nobody.

The first line on stdout is JSON: the `port`, or what is `missing`.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import threading
import time
from importlib import import_module

LARGE_BLOCK = 4 << 20


def answer_until_abandoned() -> None:
    """Answer every line with the nanoseconds of CPU time, user and system; exit when there are no more lines."""
    for _ in sys.stdin:
        print(time.process_time_ns(), flush=True)
    os._exit(0)  # the main thread is in somebody's loop, and may be anywhere in it


def say(**facts: object) -> None:
    """Tell the benchmark, in one line."""
    print(json.dumps(facts), flush=True)


def announce(port: int, **versions: str) -> None:
    """The server listens on `port` of 127.0.0.1; `versions` of the libraries that it stands on."""
    say(port=port, versions={"Python": platform.python_version(), **versions})


def main() -> None:
    module, _, function = sys.argv[1].partition(":")
    bytearray(LARGE_BLOCK)  # allocated and freed
    threading.Thread(target=answer_until_abandoned, daemon=True).start()
    try:
        serve = getattr(import_module(f"tests.benchmarks.contestants.{module}"), function)
    except ModuleNotFoundError as error:
        say(missing=f"{error.name} is not installed")
        return
    serve(announce)


if __name__ == "__main__":
    main()
