"""Rows in which somebody else's load measures a real program: `redis-benchmark` and examples/key_value.

Beside the example stands the server that it imitates, in C, which is told to keep nothing on disk. Both get the same
requests over the same connections, on the same core. The load is Redis' own, so it was not made to suit us, and it
knows an error when it gets one: then there are no figures, but a `ProcessError`.

What a server has used is in /proc/PID/task/*/schedstat, in nanoseconds (/proc/PID/stat counts hundredths of a second).
It is read before and after the load, so the 50 connects are part of it.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.exchanges import LATENCY
from tests.benchmarks.processes import LinePeer, ProcessError, killed_after
from tests.benchmarks.row import LOAD_SHARE, SERVER_SHARE, Bench, Figure, LeftOutError, Round

__all__ = ["REDIS", "REDIS_PIPELINED", "Requests", "apply_load"]

COMMANDS = {"ping": "ping_mbulk", "set": "set", "get": "get"}
"""Our names, and those of `redis-benchmark` for the same requests. `get` gets what `set` set.

Its `-t ping` stands for two tests: `ping_mbulk` sends the command as an array of bulk strings, which is how client
libraries send every command, and `ping_inline` as a line of text, which is for people at a terminal. Only the first is
measured, so that all three commands come in the same form.
"""
CONNECTIONS = 50
WARMUP_SHARE = 10
SECONDS_PER_ROUND = 120
READY = {"reactor": "listens at", "redis-server": "Ready to accept connections"}
KEEPS_NOTHING = ("--appendonly", "no", "--save", "")
SCHEDSTAT = Path("/proc/self/schedstat")


class Daemon(LinePeer):
    """A server that is not one of ours: it says in its own words that it listens."""

    def cpu(self) -> float:
        """Seconds of CPU time that its threads have used so far (sched-stats in the kernel's documentation)."""
        threads = Path(f"/proc/{self._process.pid}/task").glob("*/schedstat")
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9

    def read_until(self, text: str) -> str:
        """Its next line with `text` in it. Raises `ProcessError` if there is none."""
        while text not in (line := self.read()):
            pass
        return line


@contextmanager
def serving(contestant: str, bench: Bench) -> Iterator[tuple[Daemon, int]]:
    """Run that server on the server's core; also its port. Raises `LeftOutError` if it is not installed."""
    port = free_port()
    if contestant == "reactor":
        command = [bench.python, "-m", "examples.key_value", f"127.0.0.1:{port}"]
    else:
        command = [required("redis-server"), "--bind", "127.0.0.1", "--port", str(port), *KEEPS_NOTHING]
    daemon = Daemon(command, bench.cores.server)
    with daemon, killed_after(SECONDS_PER_ROUND, daemon):
        daemon.read_until(READY[contestant])
        yield daemon, port


def free_port() -> int:
    """A port that nobody listens on at the moment: redis-server takes 0 for none at all."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def required(program: str) -> str:
    """Where it is. Raises `LeftOutError` if it is nowhere."""
    path = shutil.which(program)
    if path is None:
        raise LeftOutError(f"{program} is not installed")
    return path


def apply_load(bench: Bench, port: int, test: str, requests: int, pipeline: int) -> tuple[float, float]:
    """Let `redis-benchmark` send the requests of its `test`, on the load's core; p50 and p99 in seconds.

    Raises `ProcessError` if it complains about anything: an answer that is an error, a connection that is lost.
    """
    size = f"-n {requests} -c {CONNECTIONS} -P {pipeline}".split()
    command = [required("redis-benchmark"), "-p", str(port), "-t", test, *size, "--csv"]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as load:
        if bench.cores.load is not None:
            os.sched_setaffinity(load.pid, {bench.cores.load})
        try:
            output, complaints = load.communicate(timeout=SECONDS_PER_ROUND)
        except subprocess.TimeoutExpired:
            raise ProcessError(f"redis-benchmark -t {test} did not come to an end") from None
        finally:
            load.kill()  # it tries for ever to reach a server that is gone
    rows = list(csv.DictReader(output.splitlines()))
    if load.returncode or complaints or len(rows) != 1 or "p99_latency_ms" not in rows[0]:
        raise ProcessError(f"redis-benchmark -t {test}: {(complaints or output).strip()}")
    return float(rows[0]["p50_latency_ms"]) / 1e3, float(rows[0]["p99_latency_ms"]) / 1e3


def version(program: str) -> dict[str, str]:
    """What it says of itself, as an entry for `Round.versions`."""
    said = subprocess.run([required(program), "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\d+(\.\d+)+", said)
    return {program: found[0]} if found else {}


@dataclass(frozen=True)
class Requests:
    """Each command is sent `requests` times over 50 connections, `pipeline` at a time on each.

    A headline is the server's CPU time for a request of one command. The columns beside it are about all three
    together: `rate` is all their requests over all their seconds, `p50` and `p99` are those of the slowest command.
    """

    name: str
    title: str
    requests: int
    pipeline: int

    figures = (
        *(Figure(name, f"µs CPU/{name}", scale=1e6, best="least", headline=True) for name in COMMANDS),
        Figure("rate", "requests/s", digits=0),
        *LATENCY,
        SERVER_SHARE,
        LOAD_SHARE,
    )
    contestants = tuple(READY)

    def measure(self, contestant: str, bench: Bench) -> Round:
        if not SCHEDSTAT.exists():
            raise LeftOutError(f"there is no {SCHEDSTAT} to read the CPU time of another process from")
        versions = version("redis-benchmark") | (version(contestant) if contestant == "redis-server" else {})
        requests = self.pipeline * bench.amount(self.requests // self.pipeline, least=CONNECTIONS)
        with serving(contestant, bench) as (daemon, port):
            for test in COMMANDS.values():
                apply_load(bench, port, test, requests // WARMUP_SHARE, self.pipeline)
            return Round(self.measure_commands(daemon, port, requests, bench), versions)

    def measure_commands(self, daemon: Daemon, port: int, requests: int, bench: Bench) -> dict[str, float]:
        """One command after the other."""
        figures: dict[str, float] = {}
        p50s, p99s = [], []
        wall, times, cpu = time.perf_counter(), os.times(), daemon.cpu()
        for name, test in COMMANDS.items():
            before = daemon.cpu()
            p50, p99 = apply_load(bench, port, test, requests, self.pipeline)
            figures[name] = (daemon.cpu() - before) / requests
            p50s.append(p50)
            p99s.append(p99)
        wall, cpu = time.perf_counter() - wall, daemon.cpu() - cpu
        load_cpu = sum(os.times()[2:4]) - sum(times[2:4])  # of children that have ended: only the load has
        return figures | {
            "rate": len(COMMANDS) * requests / wall,
            "p50": max(p50s),
            "p99": max(p99s),
            "server_share": cpu / wall,
            "load_share": load_cpu / wall,
        }


TITLE = "PING, SET and GET from redis-benchmark, 50 connections"

REDIS = Requests("redis", TITLE, requests=30_000, pipeline=1)

REDIS_PIPELINED = Requests("redis-pipelined", f"{TITLE}, 16 requests at a time", requests=400_000, pipeline=16)
