"""What a transfer asks of its load, and what it makes of the clocks."""

from __future__ import annotations

import pytest

from tests.benchmarks import transfers
from tests.benchmarks.scripted import BENCH, Scripted
from tests.benchmarks.transfers import COLUMNS, WARMUP, Forward, Send

SERVERS = {"a": "module:function"}
GIB = 1 << 30


def test_what_is_sent_is_counted_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    both = Scripted(monkeypatch, transfers)
    figures = Send("x", "X", SERVERS, size=8000).measure("a", BENCH).figures
    assert both.started == [("module:function",), ("send", 4711, WARMUP, 8000)]
    assert (figures["cpu"], figures["rate"], figures["peak"]) == (2.0 / 8000, 8000 / 4.0, 70_000)


def test_a_forwarder_is_told_where_the_load_listens_and_the_load_where_the_forwarder_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both = Scripted(monkeypatch, transfers)
    figures = Forward("x", "X", SERVERS, size=8000).measure("a", BENCH).figures
    assert both.started == [("forward", WARMUP, 8000), ("module:function", "127.0.0.1:815")]
    assert both.told == ["4711", "go"]
    assert figures["cpu"] == 2.0 / 8000


def test_the_headings_have_the_units_of_the_figures() -> None:
    shown = {figure.heading: figure for figure in COLUMNS}
    assert shown["CPU s/GiB"].format(0.5 / GIB) == "0.500"
    assert shown["MB/s"].format(2_500_000) == "2"
    assert shown["peak MB"].format(17_300_000) == "17.3"
