"""A server and a load that say what a test has written down, so that what is made of it can be compared exactly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest

from tests.benchmarks.compiling import Programs
from tests.benchmarks.processes import Cores
from tests.benchmarks.row import Bench
from tests.benchmarks.servers import Usage

__all__ = ["BENCH", "Scripted"]

BENCH = Bench("python", Programs(["load"]), Cores(None, None))


class Scripted:
    """Stands for both. The server uses 2 s of CPU and grows by 50,000 bytes; the load takes 4 s, and 1 s of CPU."""

    port = 4711
    versions = {"Python": "3"}  # noqa: RUF012 - nobody changes it

    def __init__(self, monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> None:
        self.started: list[tuple[Any, ...]] = []  # what was run, with its arguments
        self.told: list[str] = []  # lines to the load
        self.usages = [Usage(1.0, 10_000, 20_000), Usage(3.0, 60_000, 70_000)]
        self.measured = {"wall": 4.0, "cpu": 1.0, "p50": 0.5, "p99": 0.9}
        monkeypatch.setattr(module, "serving", self.serving)
        monkeypatch.setattr(module, "load_running", self.load_running)

    @contextmanager
    def serving(self, bench: Bench, where: str, *arguments: str) -> Iterator[Scripted]:
        self.started.append((where, *arguments))
        yield self

    @contextmanager
    def load_running(self, bench: Bench, mode: str, *arguments: object) -> Iterator[Scripted]:
        self.started.append((mode, *arguments))
        yield self

    def usage(self) -> Usage:
        return self.usages.pop(0)

    def read(self) -> str:
        return '{"warm": true}\n'

    def write(self, line: str) -> None:
        self.told.append(line)

    def read_json(self) -> dict[str, Any]:
        return self.measured if "go" in self.told else {"listening": 815}
