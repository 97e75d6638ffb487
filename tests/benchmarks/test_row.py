"""What every row is run with."""

from __future__ import annotations

from dataclasses import replace

from tests.benchmarks.row import Figure
from tests.benchmarks.scripted import BENCH


def test_the_scale_is_a_share_of_the_work_and_there_is_always_some() -> None:
    small = replace(BENCH, scale=0.01)
    assert [bench.amount(1000) for bench in (BENCH, small)] == [1000, 10]
    assert small.amount(10) == 1
    assert small.amount(1000, least=50) == 50


def test_more_work_has_more_time_and_less_work_no_less() -> None:
    assert [replace(BENCH, scale=scale).seconds(120) for scale in (0.01, 1, 10)] == [120, 120, 1200]


def test_a_figure_is_scaled_for_people() -> None:
    assert Figure("cpu", "µs", scale=1e6, digits=1).format(0.001_234_56) == "1,234.6"
