"""What the key-value server of `examples.key_value` knows: values that may expire, and who listens to which channel.

The lesson: expiry needs no timer for each key. Whoever asks for a key looks at its time first, so nobody ever sees a
value that has expired; and those that nobody asks for are swept up, a few at a time, because everybody waits meanwhile.
All that clients can make grow has an end: the memory of the values, and the channels of a client.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Protocol

MOST_MEMORY = 64 * 1024 * 1024  # bytes
OVERHEAD = 200  # bytes that a key takes beside its name and its value, about
SWEPT_AT_ONCE = 200  # keys


class CommandError(Exception):
    """What a client is told, in Redis' own words, and nothing has changed."""


class Listener(Protocol):
    """Who can listen to a channel."""

    def push(self, message: bytes) -> None: ...


class Database:
    """Values by key, and channels. `time` is the clock, in seconds."""

    def __init__(self, time: Callable[[], float]) -> None:
        self.time = time
        self.values: dict[bytes, bytes] = {}
        self.expiries: dict[bytes, float] = {}
        self.channels: dict[bytes, dict[Listener, None]] = {}
        self.memory = 0

    def check_memory(self) -> None:
        """To be asked before values are added: then a command is done as a whole or not at all."""
        if self.memory > MOST_MEMORY:
            raise CommandError("OOM command not allowed when used memory > 'maxmemory'.")

    def get(self, key: bytes) -> bytes | None:
        if key in self.expiries and self.expiries[key] <= self.time():
            self.delete(key)
        return self.values.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        """Set a value; when the one before was to expire, so is this."""
        before = self.values.get(key)
        self.memory += len(value) - len(before) if before is not None else len(value) + len(key) + OVERHEAD
        self.values[key] = value

    def delete(self, key: bytes) -> None:
        self.memory -= len(self.values.pop(key)) + len(key) + OVERHEAD
        self.expiries.pop(key, None)

    def expire(self, key: bytes, when: float | None) -> None:
        if when is not None:
            self.expiries[key] = when
        elif self.expiries:
            self.expiries.pop(key, None)

    def sweep(self) -> None:
        """Delete what has expired, among those that were not looked at for longest."""
        for key in list(islice(self.expiries, SWEPT_AT_ONCE)):
            if self.get(key) is not None:
                self.expiries[key] = self.expiries.pop(key)  # to the end of the queue

    # --- Channels -------------------------------------------------------------------------------------------------

    def join(self, channel: bytes, listener: Listener) -> None:
        self.channels.setdefault(channel, {})[listener] = None

    def leave(self, channel: bytes, listener: Listener) -> None:
        listeners = self.channels[channel]
        del listeners[listener]
        if not listeners:
            del self.channels[channel]

    def publish(self, channel: bytes, message: bytes) -> int:
        """Give a message to all who listen, and return how many they are. Nobody is waited for."""
        listeners = self.channels.get(channel, {})
        for listener in listeners:
            listener.push(message)
        return len(listeners)
