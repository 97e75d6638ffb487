"""What is measured: one row is one question, put to several contestants.

To add a question, add a row; to add a contestant, write a server function in `contestants/` and name it here. `threads`
is a thread for each connection; `bare` is a loop around epoll with nothing around it, the ceiling of the language; `C`
is the same in C, the ceiling of the machine.

Where frames are read, the plain names of asyncio and uvloop are the streams that most programs use. `-protocol` and
`-joined` are a protocol by hand, which one writes when those are too slow: with a write for each frame, and with the
answers to one read joined into one write. reactor joins by itself, in a program that writes frame by frame: beside
`-protocol` stands what that is worth, beside `-joined` what it costs against a program that takes care of it. Where
requests come one at a time there is nothing to join, and no `-joined`. `bare` cuts out each frame, calls nothing for
it, and answers all of a read in one send.

`memory` counts resident pages of the server's process. What the kernel holds for a connection (the buffers of its
socket; for `threads` the kernel's stack of a thread as well) is in nobody's figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.benchmarks.connections import Accept, Memory
from tests.benchmarks.exchanges import Exchange, Fanout
from tests.benchmarks.in_process import CALL_SOON, THREADSAFE, TIMERS
from tests.benchmarks.redis import REDIS, REDIS_PIPELINED
from tests.benchmarks.row import Row
from tests.benchmarks.simulated import SIMULATION
from tests.benchmarks.starting import START
from tests.benchmarks.transfers import Forward, Send

__all__ = ["ROWS"]

KIB = 1024
GIB = 1 << 30


def servers(function: str) -> dict[str, str]:
    """Everybody's server of that name, in Python."""
    names = {"reactor": "with_reactor", "asyncio": "with_asyncio", "uvloop": "with_uvloop"}
    names |= {"threads": "with_threads", "bare": "bare"}
    return {contestant: f"{module}:{function}" for contestant, module in names.items()}


def everybody(function: str) -> dict[str, str]:
    """With the one in C."""
    return servers(function) | {"C": f"C:{function}"}


def framed(function: str, ways: Sequence[str] = ("protocol", "joined")) -> dict[str, str]:
    """Everybody's server in Python, and for asyncio and uvloop, where that is the streams, these `ways` by hand."""
    of = servers(function)
    return of | {f"{name}-{way}": f"{of[name]}_{way}" for way in ways for name in ("asyncio", "uvloop")}


def echoes() -> list[Row]:
    """Echo of each size over each number of connections."""
    messages = {64: 100_000, KIB: 100_000, 10 * KIB: 60_000, 100 * KIB: 12_000}
    rows: list[Row] = []
    for frame, count in messages.items():
        for connections in (1, 50, 1_000):
            short, long = (f"{frame}", f"{frame} B") if frame < KIB else (f"{frame // KIB}k", f"{frame // KIB} KiB")
            title = f"echo {long}, {connections:,} connection{'s' if connections > 1 else ''}"
            name = f"echo-{short}-{connections}"
            amount = count // 2 if connections == 1 else count
            rows.append(
                Exchange(name, title, everybody("echo"), connections=connections, frame=frame, messages=amount)
            )
    return rows


ALL: list[Row] = [
    *echoes(),
    Exchange(
        "idle",
        "echo 1 KiB, 50 connections among 10,000 idle",
        everybody("echo"),
        connections=50,
        idle=10_000,
        frame=KIB,
        messages=100_000,
    ),
    Exchange(
        "lines",
        "lines of 64 B, pipelined by 100",
        framed("lines"),
        connections=50,
        frame=64,
        messages=500_000,
        pipeline=100,
        kind="lines",
    ),
    Exchange(
        "prefixed",
        "length-prefixed frames of 64 B, pipelined by 100",
        framed("prefixed"),
        connections=50,
        frame=64,
        messages=500_000,
        pipeline=100,
        kind="prefixed",
    ),
    Exchange(
        "frames",
        "request and response, frames of 256 B",
        framed("prefixed", ways=["protocol"]),
        connections=50,
        frame=256,
        messages=100_000,
        kind="prefixed",
    ),
    Fanout(
        "fanout",
        "a line of 64 B to 1,000 connections",
        framed("fanout"),
        receivers=1_000,
        frame=64,
        burst=1,
        messages=200_000,
    ),
    Fanout(
        "fanout-burst",
        "ten lines at once to 1,000 connections",
        framed("fanout"),
        receivers=1_000,
        frame=64,
        burst=10,
        messages=500_000,
    ),
    Send("bulk", "1 GiB to a server", everybody("sink"), size=GIB),
    Forward("forward", "1 GiB through a forwarder", everybody("forward"), size=GIB),
    Accept(
        "accept", "connections accepted, served once and closed", everybody("echo"), concurrent=50, connections=10_000
    ),
    Memory("memory", "resident memory of a connection, 10,000 of them", everybody("echo"), connections=10_000),
    TIMERS,
    CALL_SOON,
    THREADSAFE,
    START,
    REDIS,
    REDIS_PIPELINED,
    SIMULATION,
]

ROWS: Mapping[str, Row] = {row.name: row for row in ALL}
