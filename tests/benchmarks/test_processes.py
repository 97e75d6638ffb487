"""A process of the benchmark that fails, hangs or is left alone: all of that comes to an end."""

from __future__ import annotations

import sys

import pytest

from tests.benchmarks.processes import LinePeer, ProcessError, killed_after


def test_a_process_answers_line_by_line() -> None:
    upper = "import sys\nfor line in sys.stdin: print(line.strip().upper(), flush=True)"
    with LinePeer([sys.executable, "-c", upper], None) as peer:
        assert [peer.ask("one"), peer.ask("two")] == ["ONE\n", "TWO\n"]


def test_a_process_that_ends_before_it_answers_is_an_error() -> None:
    with LinePeer([sys.executable, "-c", "pass"], None) as peer, pytest.raises(ProcessError, match="pass"):
        peer.ask()


def test_a_process_that_never_answers_is_killed() -> None:
    sleeper = LinePeer([sys.executable, "-c", "import time; time.sleep(20); print()"], None)
    with sleeper, pytest.raises(ProcessError), killed_after(0.01, sleeper):
        sleeper.read()
