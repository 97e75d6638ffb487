"""What stands in the tables."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks import report
from tests.benchmarks.invented import CPU, EXCHANGED, invented_row, invented_run
from tests.benchmarks.processes import Cores, ProcessError
from tests.benchmarks.report import WIDEST, describe_run, format_heading, format_row, format_run
from tests.benchmarks.results import Measured, Run
from tests.benchmarks.row import LOAD_SHARE, SERVER_SHARE, Figure, Round

COMMAND = ["python3", "-m", "tests.benchmarks", "--json", "a file"]
COST = replace(CPU, digits=1)
GIT = ("git", "-c", "user.name=somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false")
RATE = Figure("rate", "done/s", digits=0, best="most", headline=True)


def row_of(figures: list[Figure], **values: dict[str, float]) -> Measured:
    """Five equal rounds of each contestant."""
    return Measured("row", "title", figures, {name: [Round(each)] * 5 for name, each in values.items()})


def lines_of(row: Measured) -> list[list[str]]:
    """The cells of all lines but the title."""
    return [line.split() for line in format_row(row).splitlines()[1:]]


def test_the_heading_says_where_when_and_how() -> None:
    heading = describe_run(
        python=sys.executable, language="C", cores=Cores(1, 0), rounds=5, scale=1, command=COMMAND
    )
    assert heading["Python"].split()[1] == sys.version.split()[0]
    assert heading["libraries"].startswith("reactor ") and "uvloop" in heading["libraries"]
    assert heading["pinned"] == "server on core 1, load on core 0"
    assert heading["load"] == "closed loop in C, every byte compared"
    assert heading["command"] == "python3 -m tests.benchmarks --json 'a file'"
    assert all(heading[name] for name in ("machine", "system", "date"))
    assert "too few" not in heading["rounds"] and heading["work"] == "the full amount of each row"
    printed = format_heading(heading).splitlines()
    assert len(printed) == len(heading) and len({line.index(heading[line.partition(":")[0]]) for line in printed}) == 1


def test_the_heading_says_that_a_trial_is_one() -> None:
    heading = describe_run(
        python=sys.executable, language="Python", cores=Cores(None, None), rounds=4, scale=0.01, command=COMMAND
    )
    assert "(too few to trust)" in heading["rounds"]
    assert heading["work"] == "0.01 of each row's full amount"
    assert heading["pinned"] == "no"


def test_what_was_typed_is_in_the_heading_as_it_can_be_printed() -> None:
    heading = describe_run(
        python=sys.executable, language="C", cores=Cores(1, 0), rounds=5, scale=1, command=["\x1b", "\udcff"]
    )
    assert heading["command"] == "'\N{REPLACEMENT CHARACTER}' '\N{REPLACEMENT CHARACTER}'"


def test_the_revision_is_that_of_the_checkout_and_says_whether_it_was_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "ROOT", tmp_path)
    assert report.revision() is None  # no checkout
    try:
        subprocess.run([*GIT, "init", "-q"], cwd=tmp_path, check=True)
    except FileNotFoundError:
        pytest.skip("needs git")
    assert report.revision() is None  # no commit
    (tmp_path / "file").write_text("old", encoding="utf-8")
    for arguments in (["add", "file"], ["commit", "-q", "-m", "a file"]):
        subprocess.run([*GIT, *arguments], cwd=tmp_path, check=True)
    (tmp_path / "another").touch()  # changes nothing that is measured
    commit = report.revision()
    assert commit and len(commit) >= 4 and int(commit, 16) >= 0
    (tmp_path / "file").write_text("new", encoding="utf-8")
    assert report.revision() == f"{commit} with changes"
    (tmp_path / "copied").mkdir()
    with monkeypatch.context() as within:
        within.setattr(report, "ROOT", tmp_path / "copied")
        assert report.revision() is None  # somebody else's checkout
    monkeypatch.setenv("PATH", "")
    assert report.revision() is None  # no git


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ("", "it answers like something else"),
        ("-c\nimport platform", "it answers like something else"),
        ("CPython\n3.10.4\nno uvloop", r"is CPython 3\.10\.4; reactor needs 3\.11"),
        ("CPython\n2.7\nno uvloop", r"is CPython 2\.7; reactor needs 3\.11"),
    ],
)
def test_what_is_not_python_or_too_old_is_an_error(tmp_path: Path, answer: str, complaint: str) -> None:
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\ncat <<end\n{answer}\nend\n", encoding="utf-8")
    program.chmod(0o700)
    with pytest.raises(ProcessError, match=complaint):
        describe_run(python=str(program), language="C", cores=Cores(None, None), rounds=5, scale=1, command=COMMAND)


@pytest.mark.parametrize("python", ["/nonexistent/python", "false"])
def test_an_interpreter_that_cannot_be_run_is_an_error(python: str) -> None:
    with pytest.raises(ProcessError, match="cannot be run as Python"):
        describe_run(python=python, language="C", cores=Cores(None, None), rounds=5, scale=1, command=COMMAND)


def test_the_best_comes_first_with_median_range_and_ratios() -> None:
    row = row_of([COST, SERVER_SHARE], uvloop={"cpu": 2e-6}, asyncio={"cpu": 8e-6})
    row.rounds["reactor"] = [Round({"cpu": value * 1e-6, "server_share": 0.954}) for value in (1.2, 0.9, 1.0, 1.1, 1.0)]
    assert format_row(row).splitlines() == [
        "title",
        "         µs CPU/message  min-max  vs uvloop  vs asyncio  server core %",
        "reactor             1.0  0.9-1.2       2.00        8.00             95",
        "uvloop              2.0  2.0-2.0       1.00        4.00              -",
        "asyncio             8.0  8.0-8.0       0.25        1.00              -",
    ]


def test_a_rate_is_better_when_it_is_larger() -> None:
    first, second = lines_of(row_of([RATE], reactor={"rate": 50.0}, uvloop={"rate": 100.0}))[1:]
    assert (first[0], second[0], second[-1]) == ("uvloop", "reactor", "0.50")


def test_frames_are_compared_with_streams_and_with_a_protocol_by_hand() -> None:
    values = {name: {"cpu": cost} for name, cost in {"reactor": 1.0, "uvloop": 8.0, "uvloop-protocol": 4.0}.items()}
    values["uvloop-joined"] = {"cpu": 0.5}
    heading, _, reactor, *_ = format_row(row_of([COST], **values)).splitlines()[1:]
    assert heading.endswith("vs uvloop  vs uvloop-protocol  vs uvloop-joined")
    assert reactor.split() == ["reactor", "1,000,000.0", "1,000,000.0-1,000,000.0", "8.00", "4.00", "0.50"]


def test_several_headlines_have_a_table_and_an_order_each_and_share_the_plain_columns() -> None:
    plain = Figure("extra", "extra", digits=0)
    values = {"a": {"cpu": 1e-6, "rate": 1.0, "extra": 5.0}, "b": {"cpu": 2e-6, "rate": 2.0, "extra": 6.0}}
    row = row_of([COST, RATE, plain], **values)
    assert [line[0] for line in lines_of(row)] == ["µs", "a", "b", "done/s", "b", "a", "extra", "a", "b"]


def test_who_has_no_figure_has_no_cell_and_no_ratio() -> None:
    row = row_of([COST], reactor={"cpu": 1e-6}, uvloop={})
    assert lines_of(row)[1:] == [["reactor", "1.0", "1.0-1.0"], ["uvloop", "-", "-"]]


def test_too_little_work_to_be_measured_has_no_ratio() -> None:
    row = row_of([COST], reactor={"cpu": 0.0}, uvloop={"cpu": 1e-6})
    assert lines_of(row)[1:] == [["reactor", "0.0", "0.0-0.0", "-"], ["uvloop", "1.0", "1.0-1.0", "1.00"]]


def test_a_table_that_would_be_too_wide_goes_on_below() -> None:
    figures = [Figure(f"f{number}", f"the figure number {number}") for number in range(12)]
    row = row_of([COST, *figures], reactor={"cpu": 1e-6} | {figure.key: 1.0 for figure in figures})
    printed = format_row(row)
    assert max(map(len, printed.splitlines())) <= WIDEST
    assert printed.count("\nreactor ") > 1 and all(figure.heading in printed for figure in figures)


def test_a_table_that_is_too_wide_is_broken_where_the_figures_that_explain_begin() -> None:
    names = ("reactor", "uvloop", "uvloop-protocol", "uvloop-joined", "asyncio")
    lines = format_row(invented_row("row", "title", EXCHANGED, {"cpu": 1e-6}, dict.fromkeys(names, 1.0))).splitlines()
    assert lines[1].endswith("vs asyncio") and lines[7].split()[0] == "messages/s"


def test_one_round_has_no_range() -> None:
    row = row_of([COST], reactor={"cpu": 1e-6}, uvloop={"cpu": 2e-6})
    del row.rounds["uvloop"][1:]
    assert lines_of(row)[1:3] == [["reactor", "1.0", "1.0-1.0", "2.00"], ["uvloop", "2.0", "-", "1.00"]]
    del row.rounds["reactor"][1:]
    assert lines_of(row)[1:3] == [["reactor", "1.0", "2.00"], ["uvloop", "2.0", "1.00"]]


def test_under_a_load_in_python_what_says_more_about_the_load_is_left_out() -> None:
    figures = {"cpu": 1e-6, "rate": 1e6, "server_share": 0.3, "load_share": 0.9}
    row = row_of([*EXCHANGED], reactor=figures, uvloop=figures)
    in_python, in_c = (f"closed loop in {language}, every byte compared" for language in ("Python", "C"))
    *table, last = format_row(row, {"load": in_python}).splitlines()
    assert " ".join(table[1].split()) == "µs CPU/message min-max vs uvloop server core % load core %"
    assert last.startswith("the load is in Python") and "bound" not in format_row(row, {"load": in_python})
    assert format_row(row, {"load": in_c}) == format_row(row) and "messages/s" in format_row(row)
    run = Run({"load": in_python}, [row])
    assert format_run(run).endswith(last)
    redis = row_of([COST, Figure("rate", "requests/s"), SERVER_SHARE, LOAD_SHARE], reactor=figures)  # a load of its own
    assert "requests/s" in format_row(redis, {"load": in_python})


def test_who_was_left_out_is_told_with_the_reason_even_if_nobody_is_left() -> None:
    row = Measured("row", "title", [COST], {}, {"uvloop": "uvloop is not installed"})
    assert format_row(row) == "title\nuvloop: left out, uvloop is not installed"


@pytest.mark.parametrize(
    ("server", "load", "warning"),
    [
        (0.97, 0.91, None),
        (0.97, 0.85, None),
        (0.97, 0.95, "reactor: the load was as busy as the server; figures per second are lower bounds"),
        (0.85, 0.95, "reactor: the load was as busy as the server; figures per second are lower bounds"),
        (0.5, 0.5, "reactor: neither side was busy; they waited for each other or for something else"),
    ],
)
def test_a_server_that_had_to_wait_is_told(server: float, load: float, warning: str | None) -> None:
    figures = {"cpu": 1e-6, "server_share": server, "load_share": load}
    good = {"cpu": 1e-6, "server_share": 0.99, "load_share": 0.4}
    row = row_of([COST, SERVER_SHARE, LOAD_SHARE], reactor=figures, uvloop=good)
    assert format_row(row).splitlines()[4:] == ([warning] if warning else [])


def test_where_everybody_waited_nobody_is_told() -> None:
    figures = {"cpu": 1e-6, "server_share": 0.5, "load_share": 0.5}
    row = row_of([COST, SERVER_SHARE, LOAD_SHARE], reactor=figures, uvloop=figures, threads={"cpu": 1e-6})
    assert len(format_row(row).splitlines()) == 5


def test_too_few_rounds_are_told() -> None:
    row = invented_row("row", "title", EXCHANGED, {"cpu": 1e-6}, {"reactor": 1, "uvloop": 1, "C": 1}, rounds=4)
    assert format_row(row).splitlines()[-1] == "everybody: fewer than 5 rounds, too few to trust"
    row.rounds["C"] *= 2
    assert format_row(row).splitlines()[-1] == "reactor, uvloop: fewer than 5 rounds, too few to trust"


def test_a_whole_run_has_its_heading_and_every_row() -> None:
    run = invented_run()
    printed = format_run(run)
    assert all(text in printed for text in [*run.heading.values(), *(row.title for row in run.rows)])
    assert "too few" not in printed
    assert "(Python 3.13.0)" in printed
