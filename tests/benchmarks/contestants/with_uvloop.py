"""The same programs as in `with_asyncio`, on uvloop."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.metadata import version

import uvloop

from tests.benchmarks.contestants import with_asyncio
from tests.benchmarks.contestants.announcing import Announce

__all__ = [
    "echo",
    "fanout",
    "fanout_joined",
    "fanout_protocol",
    "forward",
    "lines",
    "lines_joined",
    "lines_protocol",
    "prefixed",
    "prefixed_joined",
    "prefixed_protocol",
    "sink",
]


def on_uvloop(program: Callable[..., None]) -> Callable[..., None]:
    def serve(announce: Announce, *arguments: str) -> None:
        announce_both = partial(announce, uvloop=version("uvloop"))
        program(announce_both, *arguments, loop_factory=uvloop.new_event_loop)

    return serve


echo = on_uvloop(with_asyncio.echo)
lines = on_uvloop(with_asyncio.lines)
lines_protocol = on_uvloop(with_asyncio.lines_protocol)
lines_joined = on_uvloop(with_asyncio.lines_joined)
prefixed = on_uvloop(with_asyncio.prefixed)
prefixed_protocol = on_uvloop(with_asyncio.prefixed_protocol)
prefixed_joined = on_uvloop(with_asyncio.prefixed_joined)
fanout = on_uvloop(with_asyncio.fanout)
fanout_protocol = on_uvloop(with_asyncio.fanout_protocol)
fanout_joined = on_uvloop(with_asyncio.fanout_joined)
sink = on_uvloop(with_asyncio.sink)
forward = on_uvloop(with_asyncio.forward)
