"""What an exchange asks of its load, and what it makes of the clocks."""

from __future__ import annotations

import pytest

from tests.benchmarks import exchanges
from tests.benchmarks.exchanges import COLUMNS, Exchange, Fanout
from tests.benchmarks.scripted import BENCH, Scripted

SERVERS = {"a": "module:function"}


def test_a_message_is_a_frame_and_not_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    both = Scripted(monkeypatch, exchanges)
    row = Exchange(
        "x", "X", SERVERS, connections=5, idle=7, frame=64, messages=1000, pipeline=10, kind="lines"
    )
    measured = row.measure("a", BENCH)
    assert both.started == [("module:function",), ("exchange", 4711, 5, 7, 64, 10, 10, 100, "lines")]
    assert measured.versions == {"Python": "3"}
    assert measured.figures == {
        "cpu": 2.0 / 1000,
        "rate": 1000 / 4.0,
        "server_share": 2.0 / 4.0,
        "load_share": 1.0 / 4.0,
        "peak": 70_000,
        "p50": 0.5,
        "p99": 0.9,
    }


def test_a_message_of_a_fan_out_is_a_line_that_has_arrived_at_somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    both = Scripted(monkeypatch, exchanges)
    row = Fanout("x", "X", SERVERS, receivers=10, frame=64, burst=5, messages=5000)
    figures = row.measure("a", BENCH).figures
    assert both.started == [("module:function",), ("fanout", 4711, 10, 64, 5, 10, 100)]
    assert (figures["cpu"], figures["rate"]) == (2.0 / 5000, 5000 / 4.0)


def test_the_headings_have_the_units_of_the_figures() -> None:
    assert [figure.format(0.000_002_5) for figure in COLUMNS if "µs" in figure.heading] == ["2.500", "2", "2"]
    assert [figure.format(0.25) for figure in COLUMNS if "%" in figure.heading] == ["25", "25"]
