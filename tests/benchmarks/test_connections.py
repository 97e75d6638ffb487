"""What the rows about connections ask of their load, and what they make of clocks and memory."""

from __future__ import annotations

import pytest

from tests.benchmarks import connections
from tests.benchmarks.connections import Accept, Memory
from tests.benchmarks.scripted import BENCH, Scripted

SERVERS = {"a": "module:function"}


def test_a_connection_is_what_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    both = Scripted(monkeypatch, connections)
    row = Accept("x", "X", SERVERS, concurrent=5, connections=100)
    figures = row.measure("a", BENCH).figures
    assert both.started == [("module:function",), ("connect", 4711, 5, 10, 100)]
    assert (figures["cpu"], figures["rate"]) == (2.0 / 100, 100 / 4.0)
    assert row.figures[0].format(0.000_04) == "40.0"  # µs


def test_memory_is_what_the_connections_have_added(monkeypatch: pytest.MonkeyPatch) -> None:
    both = Scripted(monkeypatch, connections)
    figures = Memory("x", "X", SERVERS, connections=100).measure("a", BENCH).figures
    assert both.started == [("module:function",), ("hold", 4711, 1), ("hold", 4711, 100)]
    assert figures == {"bytes": (60_000 - 10_000) / 100}
