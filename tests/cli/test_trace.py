"""The trace: what was asked, and what the kernel answered."""

from __future__ import annotations

import os
import re
import socket

import pytest

from reactor.cli.trace import TracingKernel
from tests.cli.program import ADDRESS, run


@pytest.fixture(scope="module")
def trace() -> str:
    status, out, err = run("reactor", "demo", "--clients", "2", "--trace")
    assert (status, err) == (0, "")
    return out


@pytest.mark.parametrize(
    "line",
    [
        rf"listener  getsockname\(\) -> {ADDRESS}",
        r"listener  listen\(\d+\) -> done",
        rf"client 1  connect\({ADDRESS}\) -> EINPROGRESS",
        rf"client 2  connect\({ADDRESS}\) -> EINPROGRESS",
        r"selector  select\(\) -> .*listener readable",
        r"selector  select\(\) -> .*client 1 writable",
        rf"listener  accept\(\) -> server 1 for {ADDRESS}",
        r"listener  accept\(\) -> EAGAIN",
        r"client 1  getsockopt\(SO_ERROR\) -> 0",
        r"client 1  setsockopt\(TCP_NODELAY, 1\) -> done",
        r"client 1  send\((\d+) bytes\) -> \1$",
        r"server 1  recv\(65536\) -> \d+ bytes",
        r"server 2  send\((\d+) bytes\) -> \1$",
        r"client 2  shutdown\(SHUT_WR\) -> done",
        r"server 1  recv\(65536\) -> 0 bytes, the end of the stream",
        r"server 2  close\(\) -> done",
        r"listener  close\(\) -> done",
    ],
)
def test_a_demo_for_two_shows(trace: str, line: str) -> None:
    assert re.search(rf"^ +{line}", trace, re.M)


def test_a_number_is_the_same_at_both_ends(trace: str) -> None:
    address = re.search(rf"client 1  getsockname\(\) -> {ADDRESS}", trace)
    assert address is not None
    assert f"accept() -> server 1 for {address[1]}" in trace


def test_what_is_sent_is_what_is_received(trace: str) -> None:
    for sender, receiver in (("client 1", "server 1"), ("server 1", "client 1"), ("client 2", "server 2")):
        sent = sum(map(int, re.findall(rf"{sender}  send\(\d+ bytes\) -> (\d+)", trace)))
        received = sum(map(int, re.findall(rf"{receiver}  recv\(\d+\) -> (\d+) bytes", trace)))
        assert sent == received > 0


def test_a_refusal_is_shown_and_passed_on() -> None:
    lines: list[str] = []
    sock = TracingKernel(lines.append).socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        with pytest.raises(OSError):
            sock.send(b"to nobody")
        with pytest.raises(OSError):
            sock.getpeername()
    finally:
        sock.close()
    assert lines[1] in ("a socket  send(9 bytes) -> EPIPE", "a socket  send(9 bytes) -> ENOTCONN")
    assert lines[2] == "a socket  getpeername() -> ENOTCONN"


@pytest.mark.skipif(os.name != "posix", reason="select() with nothing to watch")
def test_a_wait_that_ends_with_the_time_is_shown() -> None:
    lines: list[str] = []
    with TracingKernel(lines.append).selector() as selector:
        selector.select(0)
    assert lines == ["selector  select() -> nothing, the time is up"]
