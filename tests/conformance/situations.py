"""How to bring a connection into each of its callbacks: one recipe a callback, for the cases that need them all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.conformance.recorder import Recorder
from tests.conformance.world import World

__all__ = ["STREAM_CALLBACKS", "let_read", "provoke"]

STREAM_CALLBACKS = (
    "connection_made",
    "data_received",
    "eof_received",
    "pause_writing",
    "resume_writing",
    "connection_lost",
)


def provoke(world: World, callback: str, action: Callable[..., Any]) -> tuple[Any, Any]:
    """Run `action` inside the near end's `callback`; return the ends when that has happened.

    After `pause_writing` the far end has paused reading, otherwise it reads. After an abort inside
    `connection_made` the far end may never have been connected, only refused (`World.refused`).
    """
    near, far = world.pair(near=Recorder(**{callback: action}), far=Recorder())
    if callback == "data_received":
        far.transport.write(b"x")
    elif callback == "eof_received":
        far.transport.write_eof()
    elif callback == "connection_lost":
        far.transport.close()
    elif callback in ("pause_writing", "resume_writing"):
        near.transport.set_write_buffer_limits(high=300_000, low=100_000)
        world.clog(near, far)
        if callback == "resume_writing":
            far.transport.resume_reading()
    world.run_until(lambda: near.saw(callback))
    world.settle()
    return near, far


def let_read(far: Recorder) -> None:
    """Let the far end read again, unless the near end's action was so quick that it was never connected."""
    if far.made:
        far.transport.resume_reading()
