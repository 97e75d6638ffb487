"""The same programs as in `with_asyncio`, on uvloop."""

from __future__ import annotations

import asyncio
from importlib.metadata import version

import uvloop

from tests.benchmarks.contestants import with_asyncio
from tests.benchmarks.contestants.announcing import Announce

__all__ = ["echo", "lines", "lines_protocol"]


def run(start: with_asyncio.Start, announce: Announce) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(with_asyncio.serve(start, announce, uvloop=version("uvloop")))


def echo(announce: Announce) -> None:
    run(with_asyncio.start_echo, announce)


def lines(announce: Announce) -> None:
    run(with_asyncio.start_lines, announce)


def lines_protocol(announce: Announce) -> None:
    run(with_asyncio.start_lines_protocol, announce)
