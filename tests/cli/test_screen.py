"""Lines that stay, and the one that changes."""

from __future__ import annotations

import pytest

from reactor.cli.screen import Screen, complain


def test_a_line_that_stays_wipes_the_progress_first(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    screen = Screen()
    screen.progress("half")
    screen.say("done")
    out, err = capsys.readouterr()
    assert out == "done\n"
    assert err == "\r\x1b[Khalf\r\x1b[K"


def test_progress_is_for_terminals_only(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    screen.progress("half")
    screen.say("done")
    assert capsys.readouterr() == ("done\n", "")


def test_a_line_that_changes_is_cut_to_the_width_of_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "10")
    Screen().progress("a line that is too long")
    assert capsys.readouterr().err == "\r\x1b[Ka line th"  # one column less: the last one may break the line


def test_complaints_go_to_the_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    complain("no")
    assert capsys.readouterr() == ("", "no\n")


def test_without_a_standard_error_nobody_hears_complaints_and_nothing_is_watched(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr", None)
    complain("no")
    assert not Screen().is_watched
    assert capsys.readouterr() == ("", "")
