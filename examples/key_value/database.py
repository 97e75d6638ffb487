"""What the server knows: values that may expire, and who listens to which channel.

The lesson: expiry needs no timer for each key. Whoever asks for a key looks at its time first, so nobody ever sees a
value that has expired. Those that nobody asks for are swept up, a few at a time, because everybody waits meanwhile. As
long as most of these few had expired, there are more where they came from, so a few more follow, for some milliseconds.

All that clients can make grow is counted, where it grows and where it shrinks, in one number, which is looked at before
a command that takes more; so that is done as a whole or not at all. Only the last one so admitted passes the limit. And
nobody is refused for the sake of values that could be swept up.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Protocol

from examples.key_value.commands import CommandError

MOST_MEMORY = 64 * 1024 * 1024  # bytes
KEY_TAKES = 250  # bytes beside those of its name and its value; at most
CHANNEL_TAKES = 400  # bytes beside those of its name, for each who listens; at most
SWEPT_AT_ONCE = 200  # keys
SWEEP_LASTS = 0.005  # seconds, and then no more are begun


class Listener(Protocol):
    """Who can listen to a channel."""

    def push(self, message: bytes) -> None: ...


class Database:
    """Values by key, listeners by channel. `time` is the clock, in seconds."""

    def __init__(self, time: Callable[[], float]) -> None:
        self.time = time
        self.values: dict[bytes, bytes] = {}
        self.expiries: dict[bytes, int] = {}  # milliseconds, as Redis counts them
        self.listeners: dict[bytes, dict[Listener, None]] = {}
        self.memory = 0

    def check_memory(self) -> None:
        if self.memory > MOST_MEMORY:
            self.sweep()
        if self.memory > MOST_MEMORY:
            raise CommandError(b"OOM command not allowed when used memory > 'maxmemory'.")

    # --- Values -----------------------------------------------------------------------------------------------------

    def now(self) -> int:
        return int(self.time() * 1000)

    def get(self, key: bytes) -> bytes | None:
        if key in self.expiries and self.expiries[key] <= self.now():
            self.delete(key)
        return self.values.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        """Set a value; when the one before was to expire, so is this."""
        before = self.values.get(key)
        self.memory += len(value) - len(before) if before is not None else len(key) + len(value) + KEY_TAKES
        self.values[key] = value

    def delete(self, key: bytes) -> None:
        self.memory -= len(key) + len(self.values.pop(key)) + KEY_TAKES
        self.expiries.pop(key, None)

    def expire(self, key: bytes, milliseconds: int | None) -> None:
        """From now on; `None`: never."""
        if milliseconds is not None:
            self.expiries[key] = self.now() + milliseconds
        elif self.expiries:
            self.expiries.pop(key, None)

    def left(self, key: bytes) -> int | None:
        """Milliseconds until it expires; `None`: it never does."""
        return self.expiries[key] - self.now() if key in self.expiries else None

    def sweep(self) -> None:
        """Delete what has expired, among those that were not looked at for longest."""
        end = self.time() + SWEEP_LASTS
        while True:
            keys = list(islice(self.expiries, SWEPT_AT_ONCE))
            lasting = [key for key in keys if self.get(key) is not None]
            for key in lasting:
                self.expiries[key] = self.expiries.pop(key)  # to the end of the queue
            if 2 * len(lasting) >= len(keys) or self.time() >= end:
                break

    # --- Channels ---------------------------------------------------------------------------------------------------

    def join(self, channel: bytes, listener: Listener) -> None:
        self.listeners.setdefault(channel, {})[listener] = None
        self.memory += len(channel) + CHANNEL_TAKES

    def leave(self, channel: bytes, listener: Listener) -> None:
        listeners = self.listeners[channel]
        del listeners[listener]
        if not listeners:
            del self.listeners[channel]
        self.memory -= len(channel) + CHANNEL_TAKES

    def publish(self, channel: bytes, message: bytes) -> int:
        """Give a message to all who listen, and return how many they are. Nobody is waited for."""
        listeners = self.listeners.get(channel, {})
        for listener in listeners:
            listener.push(message)
        return len(listeners)
