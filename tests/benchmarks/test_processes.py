"""A process of the benchmark that fails, hangs or is left alone: all of that comes to an end."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys

import pytest

from tests.benchmarks.processes import ROOT, LinePeer, ProcessError, choose_cores, killed_after


def test_a_process_answers_line_by_line() -> None:
    upper = "import sys\nfor line in sys.stdin: print(line.strip().upper(), flush=True)"
    with LinePeer([sys.executable, "-c", upper], None) as peer:
        assert [peer.ask("one"), peer.ask("two")] == ["ONE\n", "TWO\n"]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="processes cannot be pinned here")
def test_a_process_is_pinned_to_its_core() -> None:
    cores = choose_cores()
    if cores.server is None:
        pytest.skip("there is one core")
    assert cores.server != cores.load
    program = "import os, sys\nfor _ in sys.stdin: print(os.sched_getaffinity(0), flush=True)"
    for core in cores:
        with LinePeer([sys.executable, "-c", program], core) as peer:
            assert peer.ask() == f"{{{core}}}\n"


def test_what_is_not_json_is_quoted() -> None:
    with LinePeer([sys.executable, "-c", "print('[1]'); print('hello')"], None) as peer:
        assert peer.read_json() == [1]
        with pytest.raises(ProcessError, match="said 'hello'"):
            peer.read_json()


def test_ctrl_c_on_the_terminal_is_not_for_the_children_and_neither_is_pythons_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONDEVMODE", "1")
    program = "import os, sys; print(os.getpgrp() == os.getpid(), sys.flags.dev_mode)"
    with LinePeer([sys.executable, "-c", program], None) as peer:
        assert peer.read() == "True False\n"


def test_a_process_that_ends_before_it_answers_is_an_error() -> None:
    with LinePeer([sys.executable, "-c", "pass"], None) as peer, pytest.raises(ProcessError, match="pass"):
        peer.ask()


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is not installed")
def test_a_process_does_not_outlive_the_benchmark() -> None:
    benchmark = (
        "import os, signal, sys\n"
        "from tests.benchmarks.processes import LinePeer\n"
        "program = 'import os, time; print(os.getpid(), flush=True); time.sleep(60)'\n"
        "peer = LinePeer([sys.executable, '-c', program], None)\n"
        "print(peer.read(), end='', flush=True)\n"
        "sys.stdin.readline()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", benchmark], cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        child = os.pidfd_open(int(process.stdout.readline()))
        process.communicate("now\n")
    assert select.select([child], [], [], 30)[0]  # a descriptor of a process that has ended is readable
    os.close(child)


def test_a_process_that_never_answers_is_killed() -> None:
    sleeper = LinePeer([sys.executable, "-c", "import time; time.sleep(20); print()"], None)
    with sleeper, pytest.raises(ProcessError), killed_after(0.01, sleeper):
        sleeper.read()
