"""Lines that stay, and the one that changes."""

from __future__ import annotations

import pytest

from reactor.cli.screen import Screen


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
