"""What two runs are said to differ in."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.benchmarks.comparing import format_comparison, judge
from tests.benchmarks.invented import CPU, EXCHANGED, invented_row, invented_run
from tests.benchmarks.results import Run, Spread
from tests.benchmarks.row import Figure

RATE = replace(CPU, best="most")
OLD = Spread(2.0, 1.8, 2.2, 5)
LOWER, HIGHER = Spread(1.5, 1.4, 1.7, 5), Spread(2.5, 2.3, 2.6, 5)
OVERLAPPING = Spread(3.0, 2.2, 4.0, 5)


@pytest.mark.parametrize(
    ("figure", "new", "verdict"),
    [
        (CPU, LOWER, "better beyond the noise"),
        (CPU, HIGHER, "WORSE beyond the noise"),
        (RATE, LOWER, "WORSE beyond the noise"),
        (RATE, HIGHER, "better beyond the noise"),
        (CPU, OVERLAPPING, "within the noise"),
        (RATE, OVERLAPPING, "within the noise"),
        (CPU, OLD, "within the noise"),
        (replace(CPU, best=None), LOWER, "beyond the noise"),
    ],
)
def test_a_change_counts_where_the_ranges_do_not_overlap(figure: Figure, new: Spread, verdict: str) -> None:
    assert judge(figure, OLD, new) == verdict


@pytest.mark.parametrize("spreads", [(OLD, LOWER._replace(rounds=4)), (OLD._replace(rounds=1), LOWER)])
def test_few_rounds_say_nothing_however_far_apart_they_are(spreads: tuple[Spread, Spread]) -> None:
    assert judge(CPU, *spreads) == "too few rounds to tell"


def test_each_contestant_and_headline_is_compared_by_its_median() -> None:
    old, new = invented_run(), invented_run()
    assert "better" not in format_comparison(old, new) and "WORSE" not in format_comparison(old, new)
    for each in new.rows[0].rounds["reactor"]:
        each.figures["cpu"] /= 2
    lines = [line.split() for line in format_comparison(old, new).splitlines()]
    assert lines[lines.index(["echo", "64", "B,", "1", "connections"]) + 2] == [
        *("reactor", "7.447", "3.723", "-50.0%"),
        *("better", "beyond", "the", "noise"),
    ]
    assert sum(line[-4:] == ["better", "beyond", "the", "noise"] for line in lines) == 1
    assert "\nfigures of reactor: 1 better beyond the noise, 25 within the noise\n" in format_comparison(old, new)
    assert sum(line[:2] == ["µs", "CPU/fire"] for line in lines) == 1


def test_what_is_in_one_file_only_is_told() -> None:
    old, new = invented_run(), invented_run()
    del old.rows[1], new.rows[2]
    del new.rows[0].rounds["asyncio"], old.rows[0].rounds["C"]
    new.rows[0].missing["asyncio"] = "gone"
    timers = next(row for row in new.rows if row.name == "timers")
    timers.figures = timers.figures[1:]
    printed = format_comparison(old, new)
    assert "echo-64 B-50: only in the new file\necho-64 B-1000: only in the old file" in printed
    assert "asyncio: left out of the new run, gone" in printed
    assert "µs CPU/set: only in the old file" in printed
    words = [" ".join(line.split()) for line in printed.splitlines()]
    assert "asyncio 10.000 - - only in the old file" in words
    assert "C - 5.385 - only in the new file" in words


def test_the_same_surroundings_need_no_word() -> None:
    old, new = invented_run(), invented_run()
    del old.heading["revision"]
    new.heading |= {"date": "2002-02-02 00:00 UTC", "command": "another", "rounds": "7"}
    new.heading["revision"] = "4567def with changes"
    old.rows[0].rounds["reactor"][0].versions["reactor"] = "0.1"
    new.rows[0].rounds["reactor"][0].versions["reactor"] = "0.2"
    printed = format_comparison(old, new)
    assert printed.startswith(
        "old: 2001-01-01 00:00 UTC\nnew: 2002-02-02 00:00 UTC, revision 4567def with changes\nbeyond the noise:"
    )
    assert "NOT COMPARABLE" not in printed


def test_another_machine_and_other_versions_come_first() -> None:
    old, new = invented_run(), invented_run()
    new.heading["machine"] = "Another Processor"
    for row in new.rows:
        for rounds in row.rounds.values():
            for each in rounds:
                each.versions["Python"] = "3.14.0"
    printed = format_comparison(old, new)
    beginning, _, rest = printed.partition("\n\n")
    assert "NOT COMPARABLE" in beginning and "NOT COMPARABLE" not in rest
    assert f"  machine: {old.heading['machine']} -> Another Processor\n  Python: 3.13.0 -> 3.14.0\n" in beginning


def test_the_same_name_for_another_question_is_told() -> None:
    rows = [invented_row("echo", title, EXCHANGED, {"cpu": 1e-6}, {"reactor": 1}) for title in ("of old", "of new")]
    assert "\nof new\nNOT COMPARABLE: the old file asked another question, of old\n" in format_comparison(
        Run({}, rows[:1]), Run({}, rows[1:])
    )


def test_a_median_of_zero_has_no_change_in_percent() -> None:
    old, new = (invented_row("echo", "title", (CPU,), {"cpu": cost}, {"reactor": 1}) for cost in (0.0, 1e-6))
    last = format_comparison(Run({}, [old]), Run({}, [new])).splitlines()[-1]
    assert last.split()[:4] == ["reactor", "0.000", "1.000", "-"]
