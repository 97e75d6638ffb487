"""The command line itself: help, and requests that cannot be."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from reactor.cli import relay
from reactor.cli.main import main
from tests.cli.program import run


def test_without_a_command_it_says_which_there_are() -> None:
    status, out, err = run("reactor")
    assert (status, err) == (0, "")
    assert "python3 -m reactor" in out and "demo" in out


def test_help_names_the_options_of_the_demo() -> None:
    status, out, err = run("reactor", "demo", "--help")
    assert (status, err) == (0, "")
    assert all(option in out for option in ("--clients", "--messages", "--trace"))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["dmeo"], "dmeo"),
        (["--fast"], "--fast"),
        (["demo", "--fast"], "--fast"),
        (["demo", "--clients", "many"], "'many'"),
        (["demo", "--clients", "0"], "'0'"),
        (["demo", "--messages", "-1"], "-1"),
        (["demo", "--clients", "11", "--trace"], "11"),
    ],
)
def test_a_request_that_cannot_be_is_one_line_and_status_2(arguments: list[str], named: str) -> None:
    status, out, err = run("reactor", *arguments)
    assert (status, out) == (2, "")
    assert err.count("\n") == 1 and named in err and err.startswith("python3 -m reactor")


def test_help_names_the_options_of_listen_and_connect() -> None:
    for command, options in (("listen", ("ADDRESS", "--keep", "--progress")), ("connect", ("ADDRESS", "--progress"))):
        status, out, err = run("reactor", command, "--help")
        assert (status, err) == (0, "")
        assert all(option in out for option in options)


@pytest.mark.parametrize("command", ["listen", "connect"])
def test_where_standard_streams_cannot_be_watched_the_commands_say_so(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(relay, "os", SimpleNamespace(name="nt"))
    assert main([command, "127.0.0.1:0"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"python3 -m reactor {command}: standard input and output cannot be watched on this system\n"
