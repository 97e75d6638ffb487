"""Redis' own load meets both servers, and whatever it complains about is an error."""

from __future__ import annotations

import re
import shutil
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks import redis
from tests.benchmarks.compiling import PYTHON_LOAD
from tests.benchmarks.processes import Cores, ProcessError
from tests.benchmarks.redis import COMMANDS, CONNECTIONS, REDIS, REDIS_PIPELINED, Requests, apply_load, serving
from tests.benchmarks.row import Bench, LeftOutError

BENCH = Bench(sys.executable, PYTHON_LOAD, Cores(None, None), 0.001)

pytestmark = pytest.mark.skipif(not redis.SCHEDSTAT.exists(), reason="there is no /proc/PID/schedstat")


def need(*programs: str) -> None:
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")


@pytest.mark.parametrize("row", [REDIS, REDIS_PIPELINED], ids=lambda row: row.name)
@pytest.mark.parametrize("contestant", Requests.contestants)
def test_each_server_is_measured_with_each_command(row: Requests, contestant: str) -> None:
    need("redis-benchmark", *([contestant] if contestant != "reactor" else []))
    measured = row.measure(contestant, BENCH)
    assert set(measured.figures) == {figure.key for figure in row.figures}
    assert min(measured.figures[name] for name in (*COMMANDS, "rate", "server_share")) > 0
    assert 0 < measured.figures["p50"] <= measured.figures["p99"]
    assert all(re.fullmatch(r"\d+(\.\d+)+", version) for version in measured.versions.values())
    assert set(measured.versions) == {"redis-benchmark"} | {contestant} - {"reactor"}


class Ticking:
    """A server that uses a second of CPU time between two looks at it."""

    def __init__(self) -> None:
        self.seconds = 0

    def cpu(self) -> float:
        self.seconds += 1
        return self.seconds


def test_a_figure_is_the_cpu_time_of_one_command_for_one_request(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int, int]] = []

    @contextmanager
    def serving(contestant: str, bench: Bench) -> Iterator[tuple[Ticking, int]]:
        yield Ticking(), 6380

    def apply_load(bench: Bench, port: int, test: str, requests: int, pipeline: int) -> tuple[float, float]:
        asked.append((test, requests, pipeline))
        return len(asked), 10 * len(asked)

    monkeypatch.setattr(redis, "version", lambda program: {program: "7"})
    monkeypatch.setattr(redis, "serving", serving)
    monkeypatch.setattr(redis, "apply_load", apply_load)
    figures = REDIS_PIPELINED.measure("redis-server", replace(BENCH, scale=0.004)).figures
    assert asked[: len(COMMANDS)] == [(test, 160, 16) for test in COMMANDS.values()]  # the warm-up
    assert asked[len(COMMANDS) :] == [(test, 1600, 16) for test in COMMANDS.values()]
    assert [figures[name] for name in COMMANDS] == [1 / 1600] * len(COMMANDS)
    assert (figures["p50"], figures["p99"]) == (6, 60)
    asked.clear()
    REDIS_PIPELINED.measure("redis-server", replace(BENCH, scale=0.0001))
    assert asked[-1] == ("get", 16 * CONNECTIONS, 16)  # no connection is left without a request


@pytest.mark.parametrize("pipeline", [1, 16])
def test_a_server_gets_as_many_requests_as_the_figures_are_divided_by(pipeline: int) -> None:
    need("redis-benchmark", "redis-server")
    requests = pipeline * CONNECTIONS * 2
    with serving("redis-server", BENCH) as (_, port), socket.create_connection(("127.0.0.1", port)) as client:
        for test in COMMANDS.values():
            apply_load(BENCH, port, test, requests, pipeline)
        client.sendall(b"INFO commandstats\r\n")
        with client.makefile("rb") as answers:
            statistics = answers.read(int(answers.readline()[1:])).decode()
    for name in COMMANDS:
        assert f"cmdstat_{name}:calls={requests}," in statistics


def test_the_cpu_time_of_a_server_grows_with_its_work() -> None:
    need("redis-benchmark")
    with serving("reactor", BENCH) as (daemon, port):
        idle = daemon.cpu()
        apply_load(BENCH, port, "set", 500, 1)
        assert 0 < idle < daemon.cpu()


@pytest.mark.parametrize("answer", [b"-ERR I would rather not\r\n", b""])
def test_a_server_that_answers_with_errors_or_not_at_all_gives_no_figures(
    answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def serve(client: socket.socket) -> None:
        with client:
            try:
                while client.recv(65536):
                    client.sendall(answer)
            except ConnectionError:
                pass

    def accept() -> None:
        while True:
            try:
                client = listening.accept()[0]
            except OSError:
                return
            threading.Thread(target=serve, args=[client], daemon=True).start()

    need("redis-benchmark")
    monkeypatch.setattr(redis, "SECONDS_PER_ROUND", 60 if answer else 0.1)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, daemon=True).start()
        port = listening.getsockname()[1]
        with pytest.raises(ProcessError, match="I would rather not" if answer else "did not come to an end"):
            apply_load(BENCH, port, "get", 100, 1)
        listening.shutdown(socket.SHUT_RDWR)  # ends the accept


def test_a_load_that_says_something_unexpected_gives_no_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = tmp_path / "redis-benchmark"
    load.write_text("#!/bin/sh\necho GET: 1 request per second\n")
    load.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProcessError, match="1 request per second"):
        apply_load(BENCH, 1, "get", 100, 1)


def test_what_is_not_installed_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LeftOutError, match="redis-benchmark is not installed"):
        REDIS.measure("reactor", BENCH)
    with pytest.raises(LeftOutError, match="redis-server is not installed"), serving("redis-server", BENCH):
        pass
    monkeypatch.setattr(redis, "SCHEDSTAT", tmp_path / "schedstat")
    with pytest.raises(LeftOutError, match="schedstat"):
        REDIS.measure("reactor", BENCH)
