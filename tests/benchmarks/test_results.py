"""A file of figures is read as it was written, and nothing else is taken for one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.invented import CPU, invented_run
from tests.benchmarks.results import Measured, Run, Spread, load, save, times_better
from tests.benchmarks.row import Figure, Round

RATE = replace(CPU, best="most")


def test_what_was_saved_is_loaded_again(tmp_path: Path) -> None:
    run = invented_run()
    save(run, tmp_path / "figures.json")
    loaded = load(tmp_path / "figures.json")
    assert loaded.heading == run.heading
    for row, same in zip(run.rows, loaded.rows, strict=True):
        assert same == replace(row, figures=list(row.figures))


def test_a_figure_that_is_not_a_number_is_not_saved(tmp_path: Path) -> None:
    run = Run({}, [Measured("row", "title", [CPU], {"reactor": [Round({"cpu": float("nan")})]})])
    with pytest.raises(ValueError, match="not JSON compliant"):
        save(run, tmp_path / "figures.json")
    assert not (tmp_path / "figures.json").exists()


def test_a_file_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nothing")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"[]", b'{"rows": []}', b'"text"', b"1"])
def test_a_file_that_holds_something_else_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "letter.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"letter\.txt: not "):
        load(path)


def change(*way: Any, to: Any) -> Callable[[Any], None]:
    """Set what is found on that way; nothing there if `to` is None."""

    def apply(content: Any) -> None:
        *before, last = way
        for step in before:
            content = content[step]
        if to is None:
            del content[last]
        else:
            content[last] = to

    return apply


ROUND = ("rows", 1, "contestants", "asyncio", 0)


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (change("version", to=True), "version True of the format; this benchmark reads 1"),
        (change("version", to=1.0), "version 1.0 of the format; this benchmark reads 1"),
        (change("version", to=2), "version 2 of the format; this benchmark reads 1"),
        (change("heading", to=None), "the file has no 'heading'"),
        (change("heading", "date", to=1), "the file: heading: date is int"),
        (change("rows", to={}), "the file: rows is dict"),
        (change("rows", 1, to=[]), "row 2 is list"),
        (change("rows", 1, "name", to=None), "row 2 has no 'name'"),
        (change("rows", 1, "name", to="idle"), "two rows have the same name"),
        (change("rows", 1, "title", to=5), "row echo-64 B-50: title is int"),
        (change("rows", 1, "figures", 0, "best", to="middle"), "row echo-64 B-50, figure cpu: best is 'middle'"),
        (change("rows", 1, "figures", 0, "digits", to=-1), "row echo-64 B-50, figure cpu: -1 digits"),
        (change("rows", 1, "figures", 0, "digits", to=True), "row echo-64 B-50, figure cpu: digits is bool"),
        (change("rows", 1, "figures", 0, "headline", to=1), "row echo-64 B-50, figure cpu: headline is int"),
        (change("rows", 1, "contestants", "asyncio", to={}), "row echo-64 B-50, asyncio is dict"),
        (change(*ROUND, to=3), "row echo-64 B-50, asyncio is int"),
        (change(*ROUND, "figures", to=None), "row echo-64 B-50, asyncio has no 'figures'"),
        (change(*ROUND, "figures", "cpu", to="fast"), "row echo-64 B-50, asyncio: cpu is str"),
        (change(*ROUND, "figures", "cpu", to=float("inf")), "row echo-64 B-50, asyncio: cpu is inf"),
        (change(*ROUND, "figures", "cpu", to=10**400), "row echo-64 B-50, asyncio: cpu is inf"),
        (change("rows", 1, "figures", 0, "scale", to=10**400), "row echo-64 B-50, figure cpu: scale is inf"),
        (change("heading", "date", to="\x1b[2J"), r"the file: heading: date holds what is not text: '\x1b[2J'"),
        (change("heading", "\n", to="x"), r"the file: a name in heading holds what is not text: '\n'"),
        (change("rows", 1, "name", to="\ud800"), r"row 2: name holds what is not text: '\ud800'"),
        (change("rows", 1, "title", to="a\u202eb"), r"row echo-64 B-50: title holds what is not text: 'a\u202eb'"),
        (
            change("rows", 1, "contestants", "\x07", to=[]),
            r"row echo-64 B-50: a name in contestants holds what is not text: '\x07'",
        ),
        (
            change("rows", 1, "figures", 0, "key", to="\r"),
            r"row echo-64 B-50: key holds what is not text: '\r'",
        ),
        (
            change("rows", 1, "figures", 0, "heading", to="\x9b"),
            r"row echo-64 B-50, figure cpu: heading holds what is not text: '\x9b'",
        ),
        (
            change(*ROUND, "figures", "\0", to=1),
            r"row echo-64 B-50, asyncio: a name in figures holds what is not text: '\x00'",
        ),
        (change(*ROUND, "versions", "Python", to=3.13), "row echo-64 B-50, asyncio: versions: Python is float"),
    ],
)
def test_a_damaged_file_is_refused_with_the_place(
    tmp_path: Path, damage: Callable[[Any], None], complaint: str
) -> None:
    path = tmp_path / "figures.json"
    save(invented_run(), path)
    content = json.loads(path.read_text(encoding="utf-8"))
    damage(content)
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ValueError) as raised:
        load(path)
    assert str(raised.value) == f"{path}: {complaint}"


def test_why_somebody_was_left_out_is_saved_as_it_can_be_printed(tmp_path: Path) -> None:
    save(Run({}, [Measured("row", "title", [CPU], {}, {"uvloop": "two\nlines"})]), tmp_path / "figures.json")
    assert load(tmp_path / "figures.json").rows[0].missing == {"uvloop": "two\N{REPLACEMENT CHARACTER}lines"}


def test_a_spread_is_of_those_rounds_that_have_the_figure() -> None:
    rounds = [Round({"cpu": value}) for value in (3.0, 1.0, 10.0)]
    row = Measured("row", "title", [CPU], {"reactor": [*rounds, Round({"other": 100.0})]})
    assert row.spread("reactor", "cpu") == Spread(3.0, 1.0, 10.0, 3)
    assert row.spread("reactor", "nothing") is None
    assert row.spread("nobody", "cpu") is None


def test_above_one_is_better_whichever_end_is_the_good_one() -> None:
    assert times_better(CPU, 1.0, 2.0) == 2.0
    assert times_better(RATE, 1.0, 2.0) == 0.5
    assert times_better(replace(CPU, best=None), 1.0, 2.0) is None
    assert times_better(CPU, 0.0, 2.0) is None
    assert times_better(CPU, 1.0, -2.0) is None
    assert times_better(CPU, 5e-324, 1e308) is None and times_better(RATE, 5e-324, 1e308) is None


@pytest.mark.parametrize(("figure", "order"), [(CPU, ["a", "b", "without"]), (RATE, ["b", "a", "without"])])
def test_the_ranking_begins_with_the_best_and_ends_with_who_has_no_figure(figure: Figure, order: list[str]) -> None:
    rounds = {"without": [Round({})], "b": [Round({"cpu": 2.0})], "absent": [], "a": [Round({"cpu": 1.0})]}
    assert Measured("row", "title", [figure], rounds).ranking(figure) == order


def test_more_than_one_version_is_told() -> None:
    rounds = [Round({}, {"Python": version}) for version in ("3.13.1", "3.12.0", "3.13.1")]
    assert Measured("row", "title", [], {"reactor": rounds}).versions == {"Python": "3.12.0 and 3.13.1"}
