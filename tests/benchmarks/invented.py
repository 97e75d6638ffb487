"""A run that never took place, for the tests of what shows one. Every figure in it is made up."""

from __future__ import annotations

from collections.abc import Mapping

from tests.benchmarks.results import Measured, Run
from tests.benchmarks.row import LOAD_SHARE, SERVER_SHARE, Figure, Round

__all__ = ["CPU", "ROUND_FACTORS", "invented_row", "invented_run"]

CPU = Figure("cpu", "µs CPU/message", scale=1e6, digits=3, best="least", headline=True)
RATE = Figure("rate", "messages/s", digits=0)
EXCHANGED = (CPU, RATE, SERVER_SHARE, LOAD_SHARE)
ROUND_FACTORS = (1.0, 0.98, 1.03, 1.01, 0.99)

ECHO = {"reactor": 1.0, "asyncio": 0.7, "uvloop": 1.0, "threads": 0.6, "bare": 1.03, "C": 1.3}
FRAMED = {"reactor": 9.0, "asyncio": 0.8, "uvloop": 1.0, "threads": 1.4}
FRAMED |= {"asyncio-protocol": 1.2, "uvloop-protocol": 1.6, "asyncio-joined": 10.0, "uvloop-joined": 12.0}
LOOPS = {"reactor": 1.4, "asyncio": 0.8, "uvloop": 1.0}


def invented_row(
    name: str,
    title: str,
    figures: tuple[Figure, ...],
    costs: Mapping[str, float],
    efficiency: Mapping[str, float],
    rounds: int = len(ROUND_FACTORS),
) -> Measured:
    """`costs` are those of whoever has an `efficiency` of 1, by key; another needs that many times less."""
    row = Measured(name, title, figures)
    for contestant, share in efficiency.items():
        row.rounds[contestant] = [
            Round({key: cost / share * factor for key, cost in costs.items()}, {"Python": "3.13.0"})
            for factor in ROUND_FACTORS[:rounds]
        ]
        for each in row.rounds[contestant]:
            if RATE in figures:
                each.figures |= {"rate": 1 / each.figures["cpu"], "server_share": 0.99, "load_share": 0.4}
    return row


def invented_run() -> Run:
    """Rows of every kind: one headline and several, framed, without uvloop, and with nobody to compare with."""
    heading = {
        "machine": "Imaginary Processor 3000 @ 3.00GHz, 2 cores",
        "system": "Linux 6.0, x86_64",
        "Python": "CPython 3.13.0",
        "libraries": "reactor 0.1.0, uvloop 0.21.0",
        "revision": "0123abc",
        "pinned": "server on core 1, load on core 0",
        "load": "closed loop in C, every byte compared",
        "work": "the full amount of each row",
        "rounds": "5, interleaved; medians",
        "date": "2001-01-01 00:00 UTC",
        "command": "python3 -m tests.benchmarks --json figures.json",
    }
    run = Run(heading)
    for number, size in enumerate(("64 B", "1 KiB", "10 KiB", "100 KiB")):
        for connections, share in ((1, 0.94), (50, 0.99), (1000, 1.06)):
            name, title = f"echo-{size}-{connections}", f"echo {size}, {connections:,} connections"
            ours = {"reactor": share + number / 40}
            run.rows.append(invented_row(name, title, EXCHANGED, {"cpu": 7e-6 * 2**number}, ECHO | ours))
    run.rows += [
        invented_row("idle", "echo 1 KiB, 50 connections among 10,000 idle ones", EXCHANGED, {"cpu": 9e-6}, ECHO),
        invented_row("lines", "lines of 64 B, pipelined by 100", EXCHANGED, {"cpu": 3.3e-6}, FRAMED),
        invented_row("prefixed", "length-prefixed frames of 64 B, pipelined by 100", EXCHANGED, {"cpu": 4e-6}, FRAMED),
        invented_row("fanout", "a line of 64 B to 1,000 connections", EXCHANGED, {"cpu": 4e-6}, ECHO),
        invented_row("fanout-burst", "ten lines at once to 1,000 connections", EXCHANGED, {"cpu": 4e-6}, LOOPS),
        invented_row(
            "accept",
            "connections accepted, served once and closed",
            EXCHANGED,
            {"cpu": 3e-5},
            ECHO | {"reactor": 1.8, "threads": 0.2},
        ),
        invented_row(
            "memory",
            "resident memory of a connection that has been served, 10,000 of them",
            (Figure("bytes", "bytes/connection", digits=0, best="least", headline=True),),
            {"bytes": 1300},
            {"reactor": 1.7, "asyncio": 0.45, "uvloop": 1.0, "threads": 0.06, "bare": 2.5, "C": 8.0},
        ),
        invented_row(
            "timers",
            "timers, with 100,000 others alive",
            tuple(Figure(key, f"µs CPU/{key}", 1e6, 2, "least", True) for key in ("set", "cancel", "fire")),
            {"set": 1.3e-6, "cancel": 5e-7, "fire": 9e-7},
            {"reactor": 1.6, "asyncio": 0.7, "uvloop": 1.0},
        ),
        invented_row(
            "start",
            "import, and a process with a listening server",
            (Figure("resident", "MB resident", 1e-6, 1, "least", True),),
            {"resident": 2.4e7},
            {"reactor": 1.5, "asyncio": 1.1, "uvloop": 1.0, "python": 2.5},
        ),
        invented_row(
            "redis",
            "redis-benchmark, one command at a time",
            (Figure("set", "µs CPU/SET", 1e6, 2, "least", True), Figure("get", "µs CPU/GET", 1e6, 2, "least", True)),
            {"set": 1e-5, "get": 1e-5},
            {"reactor": 0.31, "redis-server": 1.0},
        ),
        invented_row(
            "simulation",
            "simulation: 1,000 clients with a heartbeat every 10 s",
            (Figure("rate", "events/CPU s", digits=0, best="most", headline=True), Figure("virtual", "virtual s")),
            {"rate": 300_000, "virtual": 3600},
            {"reactor": 1.0},
        ),
    ]
    run.rows[0].missing["gevent"] = "gevent is not installed"
    return run
