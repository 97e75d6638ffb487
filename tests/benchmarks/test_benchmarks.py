"""The benchmark does what it says. How fast anything is, is no matter for a test."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks import __main__ as program
from tests.benchmarks.__main__ import main
from tests.benchmarks.processes import ROOT, ProcessError
from tests.benchmarks.results import Run, load, save
from tests.benchmarks.row import LeftOutError
from tests.benchmarks.rows import ROWS

TINY = ["--rounds", "1", "--scale", "0.0005"]


@pytest.mark.parametrize("name", ROWS)
def test_every_row_measures_every_contestant(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "figures.json"
    assert main([name, *TINY, "--json", str(file)]) == 0
    (row,) = load(file).rows
    assert row.name == name
    assert sorted([*row.rounds, *row.missing]) == sorted(ROWS[name].contestants)
    for contestant, reason in row.missing.items():
        assert contestant != "reactor" and any(word in reason for word in ("install", "need", "thread")), reason
    keys = {figure.key for figure in row.figures}
    for rounds in row.rounds.values():
        (measured,) = rounds
        assert set(measured.figures) <= keys | {"peak", "wall"}
        assert all(map(math.isfinite, measured.figures.values()))
        assert measured.versions
    assert set(keys) == {key for rounds in row.rounds.values() for key in rounds[0].figures if key in keys}
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("machine:", "Python", row.title, "reactor"))


def test_a_file_of_figures_can_be_shown_drawn_and_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, chart = tmp_path / "figures.json", tmp_path / "chart.svg"
    assert main(["call_soon", *TINY, "--only", "reactor", "asyncio", "--json", str(file), "--chart", str(chart)]) == 0
    measured = capsys.readouterr().out
    assert "<svg" in chart.read_text(encoding="utf-8")
    assert main(["--read", str(file)]) == 0
    assert capsys.readouterr().out == measured
    assert main(["--read", str(file), "--against", str(file)]) == 0
    compared = capsys.readouterr().out
    assert "too few rounds to tell" in compared and "NOT COMPARABLE" not in compared


def test_of_a_file_of_figures_only_what_is_asked_for_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "figures.json"
    assert main(["call_soon", "timers", *TINY, "--only", "reactor", "asyncio", "--json", str(file)]) == 0
    capsys.readouterr()
    assert main(["--read", str(file), "tim*", "--only", "asyncio"]) == 0
    shown = capsys.readouterr().out
    assert ROWS["timers"].title in shown and ROWS["call_soon"].title not in shown
    assert "asyncio" in shown and "\nreactor" not in shown


def test_a_row_that_fails_does_not_stop_the_others_and_is_not_forgotten(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fall_over(*arguments: object, **options: object) -> None:
        raise ProcessError("fell over")

    monkeypatch.setattr(type(ROWS["timers"]), "measure", fall_over)
    file = tmp_path / "figures.json"
    assert main(["timers", "echo-64-1", *TINY, "--only", "asyncio", "--json", str(file)]) == 1
    failed, well = load(file).rows
    assert failed.rounds == {} and failed.missing == {"asyncio": "it failed in round 1: fell over"}
    assert list(well.rounds) == ["asyncio"]
    assert capsys.readouterr().err == "timers, round 1, asyncio: ProcessError: fell over\n"


def test_an_interrupted_run_keeps_what_it_has(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(type(ROWS["timers"]), "measure", interrupt)
    file = tmp_path / "figures.json"
    assert main(["echo-64-1", "timers", *TINY, "--only", "asyncio", "--json", str(file)]) == 130
    first, second = load(file).rows
    assert list(first.rounds) == ["asyncio"] and not any(second.rounds.values())


def test_a_terminated_run_keeps_what_it_has_as_well(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    arguments = ["call_soon", "echo-64-1", "--only", "asyncio", "--json", str(file)]
    command = [sys.executable, "-m", "tests.benchmarks", *arguments, "--rounds", "1"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while "callbacks" not in process.stdout.readline():  # the first row is complete
            pass
        process.terminate()
        assert process.wait(60) == 130
    first, *_ = load(file).rows
    assert list(first.rounds) == ["asyncio"]


def test_rows_are_chosen_by_pattern_and_a_contestant_drops_those_that_it_is_not_in() -> None:
    rows = program.parse(["echo-1k-*", "lines", "echo-1k-1", "start", "--only", "uvloop-protocol", "python"]).rows
    assert rows == ["lines", "start"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "no row is called 'nothing'"),
        (["timers", "--only", "bare"], "nobody of these takes part"),
        (["--rounds", "0"], "--rounds"),
        (["--scale", "0"], "--scale"),
        (["--only", "nobody"], "nobody"),
        (["--read", "a", "--json", "b"], "--read measures nothing"),
    ],
)
def test_a_wrong_argument_is_named(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert message in capsys.readouterr().err


def test_files_that_cannot_be_used_are_one_line_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.json"
    other.write_text("[]")
    save(Run({}), good := tmp_path / "good.json")
    kept = tmp_path / "kept.json"
    kept.write_text("kept")
    for arguments, message in (
        (["--read", str(tmp_path / "absent")], "absent"),
        (["--against", str(other)], "other.json: not a file of figures"),
        (["--json", str(tmp_path / "no" / "place")], "place"),
        (["--chart", str(tmp_path / "no" / "place"), "--read", str(good)], "place"),
        (["--json", str(kept), "--python", str(tmp_path / "none")], "none"),
    ):
        assert main(["timers", *arguments]) == 1
        printed = capsys.readouterr()
        assert printed.out == "" and printed.err.count("\n") == 1 and message in printed.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["good.json", "kept.json", "other.json"]
    assert kept.read_text() == "kept"


def test_a_reason_to_be_left_out_is_in_the_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def lack(contestant: str, bench: object) -> None:
        raise LeftOutError("it needs a miracle")

    monkeypatch.setattr(type(ROWS["timers"]), "measure", lambda self, *rest: lack(*rest))
    assert main(["timers", *TINY, "--only", "uvloop"]) == 0
    assert "uvloop: left out, it needs a miracle" in capsys.readouterr().out
