"""The table of questions, in plain words: who takes part in what."""

from __future__ import annotations

import pytest

from tests.benchmarks.exchanges import Exchange
from tests.benchmarks.rows import ROWS

EVERYBODY = {"reactor", "asyncio", "uvloop", "threads", "bare", "C"}
BY_HAND = {"asyncio-protocol", "uvloop-protocol"}
JOINED = {"asyncio-joined", "uvloop-joined"}
PYTHON = EVERYBODY - {"C"}
LOOPS = {"reactor", "asyncio", "uvloop"}
SIZES = {"64": 64, "1k": 1024, "10k": 10 * 1024, "100k": 100 * 1024}
CONTESTANTS = {
    **{f"echo-{size}-{connections}": EVERYBODY for size in SIZES for connections in (1, 50, 1000)},
    "idle": EVERYBODY,
    "lines": PYTHON | BY_HAND | JOINED,
    "prefixed": PYTHON | BY_HAND | JOINED,
    "frames": PYTHON | BY_HAND,
    "fanout": PYTHON | BY_HAND | JOINED,
    "fanout-burst": PYTHON | BY_HAND | JOINED,
    "bulk": EVERYBODY,
    "forward": EVERYBODY,
    "accept": EVERYBODY,
    "memory": EVERYBODY,
    "timers": LOOPS,
    "call_soon": LOOPS,
    "threadsafe": LOOPS,
    "start": LOOPS | {"python"},
    "redis": {"reactor", "redis-server"},
    "redis-pipelined": {"reactor", "redis-server"},
    "simulation": {"reactor"},
}


def test_everybody_takes_part_who_can() -> None:
    assert {name: set(row.contestants) for name, row in ROWS.items()} == CONTESTANTS


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("connections", [1, 50, 1000])
def test_an_echo_has_the_size_and_the_connections_that_its_name_says(size: str, connections: int) -> None:
    row = ROWS[f"echo-{size}-{connections}"]
    assert isinstance(row, Exchange)
    assert (row.frame, row.connections, row.pipeline, row.idle) == (SIZES[size], connections, 1, 0)
    assert row.messages >= 10 * connections


def test_every_row_has_a_headline_and_a_question_of_its_own() -> None:
    assert len({row.title for row in ROWS.values()}) == len(ROWS)
    for row in ROWS.values():
        headlines = [figure for figure in row.figures if figure.headline]
        assert headlines and all(figure.best for figure in headlines)
        assert len({figure.key for figure in row.figures}) == len(row.figures)
