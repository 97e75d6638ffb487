"""One client: its requests are carried out in their order, and so are the answers.

The lesson: what stands between a codec and the commands is one screen of code, and most of it is about what goes wrong.
What is no command is answered with an error, and the conversation goes on. What is no request is answered as well, but
then it is over, since nobody knows where the next one begins.

Then, some clients are slow. Whoever asks faster than it reads the answers is not read from for a while; that is what
`pause_writing` is for. A subscriber that has stopped reading cannot be slowed down in this way, since others do the
talking. What waits for it is bounded, and at the limit it is cut off, with a `SendBufferFullError`. Whoever takes
nothing at all for a minute is cut off too (`write_timeout`), and nobody else notices.

Others are slow to ask. The first part of a request is kept until the last one comes, at the cost of what all may hold
together. So each request has a minute from its first byte, however it trickles in, and then its connection is reset.
Who has begun none may be silent for ever.
"""

from __future__ import annotations

from typing import TypeGuard

from examples.key_value.commands import Command, CommandError, unknown_command, wrong_number
from examples.key_value.database import Database
from reactor import (
    DeadlineError,
    EncodeError,
    FramedProtocol,
    FramingError,
    IncompleteFrameError,
    RespCodec,
    RespError,
    RespValue,
)

STRINGS = {bytes}
REQUEST_LASTS = 60.0  # seconds, at most: from its first byte to its last


class Client(FramedProtocol[RespValue]):
    """A connection, the commands that it may give, and what they are about."""

    codec = RespCodec(inline=True)

    def __init__(self, commands: dict[bytes, Command], database: Database) -> None:
        self.commands = commands
        self.database = database
        self.channels: dict[bytes, None] = {}  # that it listens to
        self.begun: float | None = None  # when the request began that is not complete

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.begun is None and self.buffered:
            self.begun = self.database.time()

    def frame_received(self, frame: RespValue) -> None:
        self.begun = None  # what came behind it is the next one
        if is_request(frame):
            try:
                self.send(self.answer(frame))
            except EncodeError as error:  # many long values, asked for at once
                self.send(RespError(f"ERR {error}".encode()))
        elif frame != [] and frame is not None:  # these two are ignored
            self.framing_failed(FramingError(self.fault(frame)))

    def answer(self, request: list[bytes]) -> RespValue:
        """Carry out a request."""
        name, *arguments = request
        command = self.commands.get(name.upper())
        try:
            if command is None:
                raise unknown_command(name, arguments)
            if not command.least <= len(arguments) <= command.most:
                raise wrong_number(name.lower())
            if self.channels and not command.while_subscribed:
                raise CommandError(
                    b"ERR Can't execute '%b': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are "
                    b"allowed in this context" % name.lower()
                )
            return command.run(self, *arguments)
        except CommandError as error:
            return error.answer

    def push(self, message: bytes) -> None:
        """Somebody has published this, encoded already. Never waits: at its limit, the connection is cut off."""
        if self.transport is not None:
            self.transport.write(message)

    # --- What goes wrong --------------------------------------------------------------------------------------------

    def fault(self, frame: RespValue) -> str:
        """What is wrong with a value that is no request, as Redis says it where it knows of such a thing."""
        if type(frame) is not list:
            return f"expected '*', got '{self.kind(frame)}'"
        odd = next(value for value in frame if type(value) is not bytes)
        return "invalid bulk length" if odd is None else f"expected '$', got '{self.kind(odd)}'"

    def kind(self, value: RespValue) -> str:
        return chr(self.codec.encode(value)[0])

    def framing_failed(self, error: FramingError) -> None:
        if not isinstance(error, IncompleteFrameError):  # that one is not waiting for an answer
            fault, _, _bound = str(error).partition(": ")  # how much it may be is not among Redis' words
            self.send(RespError(f"ERR Protocol error: {fault}".encode()))
        super().framing_failed(error)

    def abort_if_late(self) -> None:
        """Asked now and then. Whoever is not read from, because it has answers to read first, cannot be late."""
        if self.transport is None or self.begun is None or not self.transport.is_reading():
            return
        if self.database.time() - self.begun >= REQUEST_LASTS:
            self.transport.abort(DeadlineError(f"a request was not complete after REQUEST_LASTS={REQUEST_LASTS} s"))

    def pause_writing(self) -> None:
        if self.transport is not None:
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.transport is not None:
            self.transport.resume_reading()
        if self.begun is not None:
            self.begun = self.database.time()

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        for channel in self.channels:
            self.database.leave(channel, self)
        self.channels.clear()


def is_request(frame: RespValue) -> TypeGuard[list[bytes]]:
    """Whether it is an array of strings. Everything else can be written, and means nothing."""
    return type(frame) is list and {*map(type, frame)} == STRINGS
