"""The two ends of a connection under test: protocols that write down what happens to them.

A `Recorder` is a protocol that keeps every callback's name in `events` and every byte in `received`. What a case
wants to happen inside a callback is a function with that callback's name:

    Recorder(data_received=lambda me, data: me.transport.write(data))

A recorder also knows the promises that hold for every connection, whatever the case is about (`check`): so each
case of the kit tests them again, in the situation it has made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from reactor.network.interface import BufferedProtocol, Protocol, Transport

__all__ = ["BufferedRecorder", "Recorder"]

Hook = Callable[..., Any]

MAY_NEST = "pause_writing"
"""It answers a `write`, so it may come while the callback that writes still runs. No other callback may."""


class _Witness:
    """What both kinds of recorder share: the diary, and the promises it is held against."""

    transport: Transport

    def __init__(self, **hooks: Hook) -> None:
        self.events: list[str] = []
        self.received = bytearray()
        self.ended_with: BaseException | None = None
        self.successor: _Witness | None = None
        self.hooks = hooks
        self._running: list[str] = []
        self._broken: list[str] = []

    # What happened.

    @property
    def made(self) -> bool:
        """Whether `connection_made` was called."""
        return "connection_made" in self.events

    @property
    def over(self) -> bool:
        """Whether `connection_lost` was called."""
        return "connection_lost" in self.events

    @property
    def ending(self) -> str:
        """How the connection ended: "clean", the name of an exception's class, or "open"."""
        if not self.over:
            return "open"
        return "clean" if self.ended_with is None else type(self.ended_with).__name__

    def saw(self, callback: str, times: int = 1) -> bool:
        """Whether `callback` was called at least `times` times."""
        return self.events.count(callback) >= times

    def hand_over_to(self, successor: _Witness) -> None:
        """Give the connection to another recorder, which from now on answers for it."""
        successor.transport = self.transport
        self.successor = successor
        self.transport.set_protocol(successor)

    def check(self) -> None:
        """Assert the promises that hold for every connection that has ended."""
        story = " ".join(self.events)
        assert not self._broken, f"{self._broken}; {story}"
        assert self.events.count("eof_received") <= 1, f"the end of the stream told twice: {story}"
        if self.made:
            assert self.events.index("connection_made") == 0, f"connection_made is not the first: {story}"
            assert self.events.count("connection_made") == 1, f"connection_made called again: {story}"
        if self.successor is None:
            assert self.events[-1:] == ["connection_lost"], f"connection_lost is not the last: {story}"
            assert self.events.count("connection_lost") == 1, f"connection_lost called again: {story}"
        else:
            assert not self.over, f"connection_lost told to a protocol that was replaced: {story}"
        brakes = [event for event in self.events if event.endswith("_writing")]
        for event, following in pairwise(brakes):
            assert event != following, f"two {event} in a row: {story}"

    # What the transport calls.

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._call("connection_made")

    def pause_writing(self) -> None:
        self._call("pause_writing")

    def resume_writing(self) -> None:
        self._call("resume_writing")

    def eof_received(self) -> bool | None:
        return bool(self._call("eof_received"))

    def connection_lost(self, exc: BaseException | None) -> None:
        self.ended_with = exc
        self._call("connection_lost")

    def _call(self, callback: str, *arguments: object) -> Any:
        if self._running and callback != MAY_NEST:
            self._broken.append(f"{callback} was called from inside {self._running[-1]}")
        self.events.append(callback)
        hook = self.hooks.get(callback)
        if hook is None:
            return None
        self._running.append(callback)
        try:
            return hook(self, *arguments)
        finally:
            self._running.pop()


class Recorder(_Witness, Protocol):
    """An end of a connection that is given its input as bytes."""

    def data_received(self, data: bytes) -> None:
        if type(data) is not bytes:
            self._broken.append(f"data_received was given {type(data).__name__}")
        self.received += data
        self._call("data_received", data)


class BufferedRecorder(_Witness, BufferedProtocol, asyncio.BufferedProtocol):
    """An end of a connection that brings its own memory.

    It inherits from both worlds' classes because asyncio tells the two kinds of protocol apart by their base class.
    """

    def __init__(self, size: int = 65536, **hooks: Hook) -> None:
        super().__init__(**hooks)
        self.memory = bytearray(size)

    def get_buffer(self, sizehint: int) -> bytearray | memoryview:
        replaced = self._call("get_buffer", sizehint)
        return self.memory if replaced is None else replaced

    def buffer_updated(self, nbytes: int) -> None:
        if nbytes < 1:
            self._broken.append(f"buffer_updated was given {nbytes}")
        self.received += self.memory[:nbytes]
        self._call("buffer_updated", nbytes)
