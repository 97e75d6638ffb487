"""A key-value server that Redis' own tools and clients can talk to: values, expiry, publish and subscribe.

The lesson: a protocol of the real world is a codec, a table of commands, and a class of one screen between them. The
codec is `RespCodec`; the commands are in `examples.key_value_commands`, the data in `examples.key_value_data`.

And some clients are slow. Whoever asks faster than it reads the answers is not read from for a while: that is what
`pause_writing` is for. A subscriber that has stopped reading cannot be slowed down in this way, since others do the
talking; what waits for it is bounded, and at the limit it is cut off. Nobody else notices.

    python3 -m examples.key_value [ADDRESS]         then, elsewhere: redis-cli -p 6380, or redis-benchmark -p 6380 -q

Without such tools, `nc 127.0.0.1 6380` will do: type `set greeting "hello there"`, then `get greeting`.
Ctrl-C and SIGTERM end it: everybody gets the answers that are due, and the end of the stream.
"""

from __future__ import annotations

import signal
import sys
from typing import TypeGuard

from examples.key_value_commands import COMMANDS, unknown_command, wrong_number
from examples.key_value_data import CommandError, Database
from reactor import (
    Budget,
    ConnectionOptions,
    EncodeError,
    FramedProtocol,
    FramingError,
    OptionError,
    Reactor,
    RespCodec,
    RespError,
    RespValue,
    Server,
    listen,
)

MOST_WAITING = 4 * 1024 * 1024  # bytes for one client; more than the longest answer
MOST_WAITING_IN_ALL = 64 * 1024 * 1024
SWEEP_EVERY = 0.1  # seconds
STRINGS = {bytes}


class Client(FramedProtocol[RespValue]):
    """One client: its requests are carried out in their order, and so are the answers."""

    codec = RespCodec(inline=True)

    def __init__(self, database: Database) -> None:
        self.database = database
        self.channels: dict[bytes, None] = {}

    def frame_received(self, frame: RespValue) -> None:
        if is_request(frame):
            try:
                self.send(self.answer(frame))
            except EncodeError as error:  # many long values, asked for at once
                self.send(RespError(f"ERR {error}".encode()))
        elif type(frame) is list and frame:
            odd = next(value for value in frame if type(value) is not bytes)
            self.framing_failed(FramingError(f"expected '$', got '{self.kind(odd)}'"))
        elif frame != [] and frame is not None:  # these two are ignored
            self.framing_failed(FramingError(f"expected '*', got '{self.kind(frame)}'"))

    def kind(self, value: RespValue) -> str:
        return chr(self.codec.encode(value)[0])

    def answer(self, request: list[bytes]) -> RespValue:
        """Carry out a request."""
        name, *arguments = request
        command = COMMANDS.get(name.upper())
        try:
            if command is None:
                raise unknown_command(name, arguments)
            if not command.least <= len(arguments) <= command.most:
                raise wrong_number(name.decode().lower())
            if self.channels and not command.while_subscribed:
                raise CommandError(
                    f"ERR Can't execute '{name.decode().lower()}': only (P|S)SUBSCRIBE / "
                    "(P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
                )
            return command.run(self, *arguments)
        except CommandError as error:
            return RespError(str(error).encode())

    def push(self, message: bytes) -> None:
        """Somebody has published this, encoded already. Never waits: at its limit, the connection is cut off."""
        if self.transport is not None:
            self.transport.write(message)

    def framing_failed(self, error: FramingError) -> None:
        self.send(RespError(f"ERR Protocol error: {error}".encode()))
        super().framing_failed(error)

    def pause_writing(self) -> None:
        if self.transport is not None:
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.transport is not None:
            self.transport.resume_reading()

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        for channel in self.channels:
            self.database.leave(channel, self)
        self.channels.clear()


def is_request(frame: RespValue) -> TypeGuard[list[bytes]]:
    """Whether it is an array of strings. Everything else can be written, and means nothing."""
    return type(frame) is list and {*map(type, frame)} == STRINGS


def serve(reactor: Reactor, address: str) -> Server:
    """Listen, until a signal says to end."""
    database = Database(reactor.time)
    options = ConnectionOptions(hard_limit=MOST_WAITING, budget=Budget(MOST_WAITING_IN_ALL))
    server = listen(reactor, lambda: Client(database), address, options=options)
    sweeping = reactor.call_every(SWEEP_EVERY, database.sweep)

    def end() -> None:
        for signum in (signal.SIGINT, signal.SIGTERM):
            reactor.remove_signal_handler(signum)  # the next one ends it at once
        sweeping.cancel()
        server.drain(5.0)  # close all; whoever is not gone in five seconds is cut off

    for signum in (signal.SIGINT, signal.SIGTERM):
        reactor.add_signal_handler(signum, end)
    return server


def main() -> None:
    try:
        with Reactor() as reactor:
            server = serve(reactor, sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:6380")
            print(f"key_value listens at {server.addresses[0]}; Ctrl-C ends it", flush=True)
            reactor.run()
    except KeyboardInterrupt:
        pass  # the second one
    except (OSError, OptionError) as error:
        sys.exit(f"key_value: {error}")


if __name__ == "__main__":
    main()
