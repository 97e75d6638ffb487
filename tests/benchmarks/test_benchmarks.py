"""The benchmark does what it says. How fast anything is, is no matter for a test."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks import virtual_hour
from tests.benchmarks.__main__ import main
from tests.benchmarks.processes import ROOT, Cores, LinePeer, ProcessError, killed_after
from tests.benchmarks.report import format_row
from tests.benchmarks.rows import ROWS
from tests.benchmarks.runner import LoadProgram, Measurement, Results, available_load, run_row
from tests.benchmarks.virtual_hour import simulate

NO_CORES = Cores(None, None)
PYTHON_LOAD = LoadProgram("Python", [sys.executable, str(Path(__file__).with_name("load.py"))])


def test_the_command_measures_every_contestant_with_the_same_number_of_messages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "figures.json"
    arguments = ["--rounds", "1", "--messages", "5000", "--only", "reactor", "asyncio", "--json", str(file)]
    assert main(arguments) == 0
    *rows, simulation = json.loads(file.read_text())["rows"]
    assert [row["name"] for row in rows] == ["echo", "lines"]
    assert (simulation["name"], list(simulation["contestants"])) == ("simulation", ["reactor"])
    for row in rows:
        assert set(row["contestants"]) == {"reactor", "asyncio"}
        for (measured,) in row["contestants"].values():
            assert measured["messages"] == 5000
            assert min(measured["wall"], measured["server_cpu"], measured["load_cpu"]) > 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("machine:", "Python ", "reactor", "asyncio"))


def test_the_simulation_runs_until_every_heartbeat_is_echoed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulation", "--rounds", "2", "--messages", "3999"]) == 0
    cells = capsys.readouterr().out.splitlines()[-1].split()
    assert cells[0] == "reactor" and cells[4] == "30"  # 1,000 clients: three heartbeats each
    measured = simulate(heartbeats=30, clients=10)
    assert measured["heartbeats"] == 30
    assert measured["events"] > 30 * 4  # due, sent, arrived, and the same back
    assert min(measured["wall"], measured["cpu"]) > 0


def test_a_heartbeat_that_is_not_echoed_fails_the_simulation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual_hour.Echo, "data_received", lambda self, data: self.transport.write(data[:-1]))
    with pytest.raises(RuntimeError, match="30 bytes were not echoed"):
        simulate(heartbeats=30, clients=10)


def test_who_takes_part_in_no_row_that_was_asked_for_is_a_wrong_argument(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["simulation", "--only", "uvloop"])
    assert "nobody of these takes part" in capsys.readouterr().err


def test_the_load_in_python_takes_the_place_of_the_one_in_c() -> None:
    results = run_row(
        ROWS["lines"],
        rounds=2,
        messages=5000,
        python=sys.executable,
        load=PYTHON_LOAD,
        cores=NO_CORES,
        contestants=["asyncio-protocol"],
    )
    assert [measured.messages for measured in results.rounds["asyncio-protocol"]] == [5000, 5000]


@pytest.mark.parametrize("language", ["C", "Python"])
@pytest.mark.parametrize("echoes", [True, False])
def test_the_load_finds_out_a_server_that_answers_something_else(
    language: str, echoes: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    def answer_once() -> None:
        client, _ = listening.accept()
        with client:
            request = client.recv(64, socket.MSG_WAITALL)
            client.sendall(request if echoes else request[:-1] + bytes([request[-1] ^ 1]))
            client.recv(1)  # until the load is gone

    with available_load() as load, socket.create_server(("127.0.0.1", 0)) as listening:
        command = load.command if language == "C" else PYTHON_LOAD.command
        server = threading.Thread(target=answer_once, daemon=True)
        server.start()
        port = listening.getsockname()[1]
        with LinePeer([*command, *map(str, (port, 1, 64, 1, 1, 1, 0, 60))], None) as generator:
            if echoes:
                assert generator.read() == "warm\n"
            else:
                with pytest.raises(ProcessError):
                    generator.read()
        server.join(60)
    assert ("something else than it was given" in capfd.readouterr().err) is not echoes


def test_efficiency_is_the_cpu_time_of_the_reference_over_ones_own() -> None:
    results = Results(ROWS["echo"])
    for name, cpu in (("reactor", 0.5), ("uvloop", 1.0), ("asyncio", 2.0)):
        results.rounds[name] = [Measurement(1000, wall=2.0, server_cpu=cpu, load_cpu=0.1)]
    lines = {line.split()[0]: line.split() for line in format_row(results).splitlines()[2:]}
    assert [lines[name][-2:] for name in ("reactor", "uvloop", "asyncio")] == [
        ["2.00", "4.00"],
        ["1.00", "2.00"],
        ["0.50", "1.00"],
    ]


def test_a_process_that_ends_before_it_answers_is_an_error() -> None:
    with LinePeer([sys.executable, "-c", "pass"], None) as peer, pytest.raises(ProcessError, match="pass"):
        peer.ask()


def test_a_server_exits_when_the_benchmark_is_gone() -> None:
    command = [sys.executable, "-m", "tests.benchmarks.contestants", ROWS["echo"].server("asyncio")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as server:
        assert server.stdin is not None and server.stdout is not None
        try:
            assert json.loads(server.stdout.readline())["port"] > 0
            server.stdin.close()
            assert server.wait(20) == 0
        finally:
            server.kill()


def test_a_contestant_that_is_not_installed_is_left_out_and_said_so() -> None:
    row = replace(ROWS["echo"], contestants={"nobody": "nobody:echo"})
    results = run_row(row, rounds=2, messages=1, python=sys.executable, load=PYTHON_LOAD, cores=NO_CORES)
    assert "nobody: left out, tests.benchmarks.contestants.nobody is not installed" in format_row(results)


def test_a_process_that_never_answers_is_killed() -> None:
    sleeper = LinePeer([sys.executable, "-c", "import time; time.sleep(20); print()"], None)
    with sleeper, pytest.raises(ProcessError), killed_after(0.01, sleeper):
        sleeper.read()
