"""Timers and callbacks are measured in the numbers that the figures are divided by."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reactor import Reactor
from tests.benchmarks.compiling import PYTHON_LOAD
from tests.benchmarks.in_process import CALL_SOON, THREADSAFE, TIMERS, InProcess
from tests.benchmarks.in_process_program import BATCHES, CHAINS, FAR, MEASUREMENTS, NEAR, Cancellable, main, run
from tests.benchmarks.processes import Cores, ProcessError
from tests.benchmarks.row import Bench, LeftOutError

ROWS = [TIMERS, CALL_SOON, THREADSAFE]
BENCH = Bench(sys.executable, PYTHON_LOAD, Cores(None, None), 0.001)
GIVEN_UP_AFTER = 60


class Watched:
    """A loop that remembers what was asked of it."""

    def __init__(self) -> None:
        self.reactor = Reactor()
        self.timers: list[tuple[float, Any]] = []
        self.fired = self.most_alive = 0
        self.called_soon = 0
        self.threads: list[int] = []

    def call_soon(self, callback: Callable[..., object], /, *args: Any) -> Cancellable:
        self.called_soon += 1
        return self.reactor.call_soon(callback, *args)

    def call_soon_threadsafe(self, callback: Callable[..., object], /, *args: Any) -> Cancellable:
        self.threads.append(threading.get_ident())
        return self.reactor.call_soon_threadsafe(callback, *args)

    def call_later(self, delay: float, callback: Callable[..., object], /, *args: Any) -> Cancellable:
        def fire() -> None:
            self.fired += 1
            callback(*args)

        handle = self.reactor.call_later(delay, fire)
        self.timers.append((delay, handle))
        return handle

    def stop(self) -> None:
        self.reactor.stop()

    def measure(self, name: str, amount: int) -> dict[str, float]:
        self.reactor.call_later(GIVEN_UP_AFTER, self.reactor.stop)
        return run(self, self.reactor.run, MEASUREMENTS[name], amount)


@pytest.fixture
def loop() -> Iterator[Watched]:
    watched = Watched()
    with watched.reactor:
        yield watched


@pytest.fixture
def each_look_at_the_clock_takes_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(1_000_000))
    monkeypatch.setattr(time, "process_time", lambda: next(now))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
@pytest.mark.parametrize("contestant", InProcess.contestants)
def test_every_row_has_all_its_figures(row: InProcess, contestant: str) -> None:
    if contestant == "uvloop":
        pytest.importorskip("uvloop")
    measured = row.measure(contestant, BENCH)
    assert [*measured.figures] == [figure.key for figure in row.figures]
    assert min(measured.figures.values()) > 0
    assert [*measured.versions] == [*(["uvloop"] if contestant == "uvloop" else []), "Python"]


def test_the_program_is_told_whom_to_measure_and_how_much(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("""#!/bin/sh\necho '{"figures": {}, "versions": {"arguments": "'"$*"'"}}'\n""")
    python.chmod(0o755)
    measured = CALL_SOON.measure("asyncio", Bench(str(python), PYTHON_LOAD, Cores(None, None), 0.001))
    assert measured.versions["arguments"] == "-m tests.benchmarks.in_process_program asyncio call_soon 1000"


@pytest.mark.usefixtures("each_look_at_the_clock_takes_a_second")
def test_timers_are_set_cancelled_and_fired_while_as_many_are_alive(loop: Watched) -> None:
    figures = loop.measure("timers", 50)
    far = [handle for delay, handle in loop.timers if delay >= FAR]
    near = [handle for delay, handle in loop.timers if delay <= NEAR]
    assert len(loop.timers) == len(far) + len(near)
    assert sum(handle.cancelled() for handle in far) == BATCHES * 50
    assert sum(not handle.cancelled() for handle in far) == 50 + 1  # the last keeps the loop running
    assert len(near) == loop.fired == 50
    assert figures == {"set": 1 / 50, "cancel": 1 / 50, "fire": 1 / 50}


@pytest.mark.usefixtures("each_look_at_the_clock_takes_a_second")
@pytest.mark.parametrize("amount", [1, CHAINS - 1, CHAINS, 2 * CHAINS + 50])
def test_chains_of_callbacks_end_when_their_number_is_reached(loop: Watched, amount: int) -> None:
    figures = loop.measure("call_soon", amount)
    ticks = max(1, amount // 10)
    assert loop.called_soon == 1 + amount + ticks  # the first began the measurement
    assert figures == {"callback": 1 / amount, "tick": 1 / ticks}


@pytest.mark.usefixtures("each_look_at_the_clock_takes_a_second")
def test_callbacks_are_handed_over_by_other_threads(loop: Watched) -> None:
    figures = loop.measure("threadsafe", 100)
    assert len(loop.threads) == 100 + 5 + 1  # the last goes on with the measurement
    assert threading.get_ident() not in loop.threads
    assert figures["callback"] == 1 / 100
    assert 0 < figures["latency"] <= figures["p99"]


@pytest.mark.parametrize("after_a_tick", [False, True])
def test_what_goes_wrong_in_a_measurement_is_not_swallowed_by_the_loop(loop: Watched, after_a_tick: bool) -> None:
    def broken(_: object, resume: Callable[[], None], __: int) -> Iterator[None]:
        if after_a_tick:
            loop.call_soon(resume)
            yield
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(loop, loop.reactor.run, broken, 1)  # type: ignore[arg-type]


def test_a_program_that_fails_is_an_error() -> None:
    with pytest.raises(ProcessError, match="in_process_program reactor nothing"):
        InProcess("row", "title", "nothing", 1, ()).measure("reactor", BENCH)


def test_a_library_that_is_not_installed_is_a_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    monkeypatch.setattr(sys, "argv", ["in_process_program", "uvloop", "timers", "1"])
    main()
    said = capsys.readouterr().out
    assert json.loads(said) == {"missing": "uvloop is not installed"}
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['uvloop'] = None")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    with pytest.raises(LeftOutError, match="uvloop is not installed"):
        TIMERS.measure("uvloop", replace(BENCH, python=str(python)))
