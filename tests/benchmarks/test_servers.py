"""Server and load meet, their clocks are read, and who cannot take part says why."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.benchmarks.compiling import PYTHON_LOAD
from tests.benchmarks.processes import ROOT, Cores
from tests.benchmarks.row import Bench, LeftOutError
from tests.benchmarks.rows import ROWS
from tests.benchmarks.servers import load_running, measure, require_c_load, require_descriptors, serving

WITHOUT_C = Bench(sys.executable, PYTHON_LOAD, Cores(None, None), 0.001)


def test_the_clocks_of_server_and_load_are_read_around_the_work() -> None:
    with (
        serving(WITHOUT_C, "with_asyncio:echo") as server,
        load_running(WITHOUT_C, "exchange", server.port, 2, 0, 64, 1, 2, 40, "bytes") as load,
    ):
        first = server.usage()
        figures = measure(server, load, 40)
        last = server.usage()
    assert 0 < figures["cpu"] * 40 <= last.cpu - first.cpu
    assert figures["rate"] > 0
    assert 0 < figures["p50"] <= figures["p99"]
    assert figures["server_share"] > 0 and figures["load_share"] > 0
    assert 0 < first.resident <= first.peak <= figures["peak"] <= last.peak


def test_without_a_compiler_echo_is_measured_and_what_needs_c_is_left_out() -> None:
    assert ROWS["echo-64-1"].measure("asyncio", WITHOUT_C).figures["cpu"] > 0
    with pytest.raises(LeftOutError, match="C compiler"):
        ROWS["echo-64-1"].measure("C", WITHOUT_C)
    with pytest.raises(LeftOutError, match="C compiler"):
        require_c_load(WITHOUT_C)
    for name in ("idle", "fanout", "bulk", "forward", "accept", "memory"):
        with pytest.raises(LeftOutError, match="C compiler"):
            ROWS[name].measure("asyncio", WITHOUT_C)


def test_more_connections_than_a_process_may_have_are_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda which: (256, 1_000))
    require_descriptors(900)
    with pytest.raises(LeftOutError, match="needs 1,000 connections, and the hard limit on descriptors is 1,000"):
        require_descriptors(1_000)
    with pytest.raises(LeftOutError, match="hard limit"):
        ROWS["echo-64-1000"].measure("asyncio", WITHOUT_C)


def test_a_library_that_is_not_installed_is_a_reason() -> None:
    with (
        pytest.raises(LeftOutError, match=r"tests\.benchmarks\.contestants\.nobody is not installed"),
        serving(WITHOUT_C, "nobody:echo"),
    ):
        pass


def test_a_server_exits_when_the_benchmark_is_gone() -> None:
    command = [sys.executable, "-m", "tests.benchmarks.contestants", "with_asyncio:echo"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as server:
        assert server.stdin is not None and server.stdout is not None
        try:
            assert json.loads(server.stdout.readline())["port"] > 0
            server.stdin.close()
            assert server.wait(20) == 0
        finally:
            server.kill()
