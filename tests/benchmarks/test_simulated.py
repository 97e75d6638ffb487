"""The simulation is measured while every heartbeat is sent and echoed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.benchmarks import virtual_hour
from tests.benchmarks.compiling import PYTHON_LOAD
from tests.benchmarks.processes import Cores, ProcessError
from tests.benchmarks.row import Bench
from tests.benchmarks.simulated import SIMULATION
from tests.benchmarks.virtual_hour import simulate


def test_a_part_of_the_hour_gives_the_figures_of_the_hour() -> None:
    scale = 3 / 36  # three heartbeats of each client
    measured = SIMULATION.measure("reactor", Bench(sys.executable, PYTHON_LOAD, Cores(None, None), scale))
    assert list(measured.figures) == [figure.key for figure in SIMULATION.figures]
    assert measured.figures["virtual"] == 30
    assert measured.figures["events"] > 3000 * 4
    assert min(measured.figures.values()) > 0
    assert list(measured.versions) == ["Python"]


def test_the_rate_is_by_cpu_time_and_the_hour_by_real_time(tmp_path: Path) -> None:
    python = tmp_path / "python"
    answer = {"virtual": 360, "events": 1000, "wall": 8, "cpu": 4}
    python.write_text(f"#!/bin/sh\necho '{json.dumps({'python': '3.x', 'measured': answer})}'\n")
    python.chmod(0o755)
    measured = SIMULATION.measure("reactor", Bench(str(python), PYTHON_LOAD, Cores(None, None)))
    assert measured.figures == {"rate": 250, "hour": 80, "virtual": 360, "events": 1000}
    assert measured.versions == {"Python": "3.x"}


def test_the_simulation_runs_until_every_heartbeat_is_echoed() -> None:
    measured = simulate(heartbeats=30, clients=10)
    assert measured["heartbeats"] == 30
    assert measured["virtual"] == 30
    assert measured["events"] > 30 * 4  # due, sent, arrived, and the same back
    assert min(measured["wall"], measured["cpu"]) > 0


def test_a_heartbeat_that_is_not_echoed_fails_the_simulation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual_hour.Echo, "data_received", lambda self, data: self.transport.write(data[:-1]))
    with pytest.raises(RuntimeError, match="30 bytes were not echoed"):
        simulate(heartbeats=30, clients=10)


def test_a_simulation_that_fails_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ProcessError, match="virtual_hour 36000"):
        SIMULATION.measure("reactor", Bench("false", PYTHON_LOAD, Cores(None, None)))
