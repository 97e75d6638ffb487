"""A start is measured with nothing of the measurement in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks import starting
from tests.benchmarks.compiling import PYTHON_LOAD
from tests.benchmarks.processes import ROOT, Cores
from tests.benchmarks.row import Bench, LeftOutError
from tests.benchmarks.starting import PROGRAM, START

BENCH = Bench(sys.executable, PYTHON_LOAD, Cores(None, None), 0.001)

needs_proc = pytest.mark.skipif(not starting.STATM.exists(), reason="there is no /proc")


@needs_proc
@pytest.mark.parametrize("contestant", ["reactor", "asyncio", "uvloop"])
def test_whoever_is_imported_takes_time_and_memory(contestant: str) -> None:
    if contestant == "uvloop":
        pytest.importorskip("uvloop")
    measured = START.measure(contestant, BENCH)
    assert [*measured.figures] == ["import", "resident"]
    assert measured.figures["import"] > 0
    assert measured.figures["resident"] > START.measure("python", BENCH).figures["resident"]
    assert ("uvloop" in measured.versions) is (contestant == "uvloop")


@needs_proc
def test_the_interpreter_alone_imports_nothing() -> None:
    measured = START.measure("python", BENCH)
    assert [*measured.figures] == ["resident"]
    assert measured.figures["resident"] % os.sysconf("SC_PAGE_SIZE") == 0
    assert [*measured.versions] == ["Python"]


def test_each_round_is_the_median_of_several_starts_after_one_that_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds = iter([1000.0, 5.0, 1.0, 4.0, 2.0, 3.0])
    monkeypatch.setattr(starting, "STATM", PROGRAM)  # it exists
    monkeypatch.setattr(starting, "start", lambda *_: {"figures": {"import": next(seconds)}, "versions": {}})
    assert START.measure("reactor", Bench(sys.executable, PYTHON_LOAD, Cores(None, None))).figures == {"import": 3.0}


def test_the_program_loads_nothing_that_the_interpreter_has_not_loaded() -> None:
    script = """
import sys
before = set(sys.modules)
with open(sys.argv[1], encoding="utf-8") as file:
    exec(compile(file.read(), "program", "exec"), {"__name__": "program"})
print(*set(sys.modules) - before)
"""
    command = [sys.executable, "-I", "-c", script, str(PROGRAM)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@needs_proc
def test_the_library_comes_from_the_checkout_and_one_that_is_not_there_is_a_reason(tmp_path: Path) -> None:
    (tmp_path / "reactor.py").write_text("import nowhere_to_be_found")
    command = [sys.executable, "-I", str(PROGRAM), str(tmp_path), "reactor"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == '{"missing": "nowhere_to_be_found is not installed"}\n'


def test_what_is_missing_leaves_a_contestant_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "program.py"
    program.write_text("""print('{"missing": "uvloop is not installed"}')""")
    monkeypatch.setattr(starting, "PROGRAM", program)
    with pytest.raises(LeftOutError, match="uvloop is not installed"):
        starting.start("uvloop", BENCH)
    monkeypatch.setattr(starting, "STATM", ROOT / "not here")
    with pytest.raises(LeftOutError, match="not here"):
        START.measure("reactor", BENCH)
