"""Conversations between two protocols, held on a kernel.

Two ends, `near` (which connected) and `far` (which was accepted), belong to one reactor. A conversation is the manner
of each end, which is how it answers callbacks, and a list of steps such as `near.write small`: calls of the transport.
Nothing happens between two steps unless one says `settle`, which runs the loop until nothing moves any more.

What is compared is each end's story: its callbacks in order, with their arguments, adjacent `data_received` taken
together; at every `settle` also the state of its connection. The simulation goes first, and the real kernel is waited
for until it has told the same story, up to `PATIENCE`.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from typing import NamedTuple

from reactor import ConnectError, ConnectionOptions, MisuseError, Protocol, Reactor, Transport, connect, listen
from reactor.kernel import Kernel
from tests.simulation.differential.allowed import AMOUNT, PRESSURE
from tests.simulation.differential.steps import Step, script
from tests.simulation.differential.stream import pattern

__all__ = ["ANSWERS", "GREETINGS", "Chapter", "Conversation", "Manner", "hold"]

PATIENCE = 3.0
"""Seconds that the real kernel gets for what is expected at a `settle`."""

QUIET = 4
"""Ticks without any movement after which a simulated world has settled: it delivers what was sent at once."""

BUFFERS = {socket.SO_SNDBUF: 64 * 1024, socket.SO_RCVBUF: 128 * 1024}
"""Of both ends, in bytes. The kernel doubles them, and no longer changes them as it thinks best (tcp(7), tcp_rmem)."""

SIZES = {"nothing": 0, "small": 1000, "huge": 768 * 1024}
"""Bytes to write. What is small always fits into the kernel's buffers, what is huge never does."""

GREETINGS = ("wait", "write", "finish", "close", "abort")
"""What an end does in `connection_made`."""

ANSWERS = ("listen", "write", "pause", "finish", "close", "abort")
"""What an end does when the first input comes."""

# No deadlines: time does not pass in a conversation.
_OPTIONS = ConnectionOptions(connect_timeout=None, write_timeout=None, drain_timeout=None)


class Manner(NamedTuple):
    """How an end answers: in `connection_made`, to the first `data_received`, and what `eof_received` returns."""

    greeting: str = "wait"
    answer: str = "listen"
    keeps_open: bool = False


class Conversation(NamedTuple):
    """Two manners, and what is done."""

    near: Manner
    far: Manner
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        """On one line."""
        return f"{self.near}, {self.far}, {'; '.join(map(str, self.steps))}"


class Chapter(NamedTuple):
    """A step, and how it was answered; after `settle`, the two stories."""

    step: Step
    answer: str

    def __str__(self) -> str:
        """In columns."""
        return f"{self.step!s:<20} {self.answer}"


class End(Protocol):
    """One end: it keeps the story of its callbacks."""

    transport: Transport

    def __init__(self, manner: Manner) -> None:
        self.manner = manner
        self.story: list[str] = []
        self.peer: End
        self.written = 0  # bytes given to the transport
        self.received = 0
        self.largest = 0  # bytes of the largest write
        self.pressed: str | None = None  # the last of pause_writing and resume_writing

    # What happens.

    def connection_made(self, transport: Transport) -> None:
        self.transport = transport
        for option, size in BUFFERS.items():
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, option, size)
        self.story.append("made")
        self.act(self.manner.greeting)

    def data_received(self, data: bytes) -> None:
        assert data == pattern(self.received, len(data)), "not what was written"
        first = self.received == 0
        self.received += len(data)
        if self.story[-1] != "data":
            self.story.append("data")
        if first:
            self.act(self.manner.answer)

    def eof_received(self) -> bool:
        self.story.append("eof")
        return self.manner.keeps_open

    def pause_writing(self) -> None:
        assert self.pressed != "pause"
        self.pressed = "pause"

    def resume_writing(self) -> None:
        assert self.pressed == "pause"
        self.pressed = "resume"

    def connection_lost(self, exc: BaseException | None) -> None:
        if exc is None:
            how = "clean"
        elif isinstance(exc, OSError) and exc.errno:
            how = f"{type(exc).__name__} {errno.errorcode[exc.errno]}"
        else:
            how = repr(exc)
        self.story.append(f"lost: {how}")

    # What is done.

    def act(self, call: str, argument: str = "") -> str:
        """Call the transport, if there is one; the answer in words."""
        if not self.story:
            return "nobody"
        try:
            if call == "write":
                self.write(SIZES[argument or "small"])
            elif call == "finish":
                self.transport.write_eof()
            elif call in ("close", "abort"):
                getattr(self.transport, call)()
            elif call in ("pause", "resume"):
                getattr(self.transport, f"{call}_reading")()
        except MisuseError:
            return "misuse"
        return "done"

    def write(self, size: int) -> None:
        closing = self.transport.is_closing()
        self.transport.write(pattern(self.written, size))
        if not closing:  # else it is ignored
            self.written += size
            self.largest = max(self.largest, size)

    # What is told.

    @property
    def over(self) -> bool:
        return bool(self.story) and self.story[-1].startswith("lost")

    @property
    def unsent(self) -> int:
        return self.transport.get_write_buffer_size() if self.story and not self.over else 0

    def told(self) -> str:
        """The story so far, and how it stands."""
        words = list(self.story)
        if "data" in words:
            huge = self.peer.largest > SIZES["small"]
            whole = "all" if self.received == self.peer.written else AMOUNT.instead
            words.append(f"({whole if huge else self.received} received)")
        if self.story and not self.over:
            words.append(f"({self.transport.describe()['state']})")  # type: ignore[attr-defined]
            if self.pressed == "pause":
                words.append(PRESSURE.instead)
            elif self.unsent:
                words.append("(unsent)")
        return " ".join(words)


class Room:
    """The two ends, the server and their reactor."""

    def __init__(self, kernel: Kernel, conversation: Conversation) -> None:
        """Listen; `near` has not connected yet."""
        self.near, self.far = End(conversation.near), End(conversation.far)
        self.near.peer, self.far.peer = self.far, self.near
        self.errors: list[BaseException] = []
        self.refused: list[str] = []
        self.connected = False
        self.reactor = Reactor(kernel=kernel)
        self.reactor.set_exception_handler(lambda reactor, context: self.errors.append(context["exception"]))
        self.server = listen(self.reactor, lambda: self.far, "127.0.0.1:0", options=_OPTIONS)
        self.address = self.server.addresses[0]

    def do(self, step: Step, awaited: Chapter | None) -> Chapter:
        """Do one step."""
        if step.verb == "settle":
            if awaited is None:
                self._settle()
            else:
                self._await(awaited.answer)
            return Chapter(step, self._told())
        if step.who == "server":
            self.server.close()
            return Chapter(step, "done")
        if step.verb == "connect":
            return Chapter(step, self._connect())
        end: End = getattr(self, step.who)
        return Chapter(step, end.act(step.verb, step.argument))

    def _connect(self) -> str:
        if self.connected:
            return "nobody"
        self.connected = True
        connect(self.reactor, lambda: self.near, self.address, options=_OPTIONS, on_failure=self._failed)
        return "done"

    def _failed(self, error: ConnectError) -> None:
        codes = [errno.errorcode[exc.errno or 0] for _, exc in error.attempts]
        self.refused.append(f"{type(error).__name__} {' '.join(codes)}")

    def _told(self) -> str:
        return f"near: {self.near.told()} | far: {self.far.told()} {' '.join(self.refused)}".rstrip()

    def _settle(self) -> None:
        """Run the loop until nothing moves."""
        still, before = 0, None
        while still < QUIET:
            self.reactor.run_once(0)
            now = [(len(end.story), end.received, end.pressed, end.unsent) for end in (self.near, self.far)]
            still = still + 1 if now == before else 0
            before = now

    def _await(self, awaited: str) -> None:
        """Run the loop until everything is as expected, for some time."""
        deadline = self.reactor.time() + PATIENCE
        for _ in range(QUIET):
            self.reactor.run_once(0)
        while self._told() != awaited and self.reactor.time() < deadline:
            self.reactor.run_once(0.005)

    def close(self) -> None:
        """End everything. Raises the first error that was reported."""
        self.reactor.close()
        if self.errors:
            raise self.errors[0]


_END = script("near.abort; settle; far.abort; settle")


def hold(kernel: Kernel, conversation: Conversation, awaited: Sequence[Chapter] | None = None) -> list[Chapter]:
    """Hold a conversation on a kernel; if another one's protocol is `awaited`, up to the first chapter that differs."""
    room = Room(kernel, conversation)
    told: list[Chapter] = []
    try:
        for index, step in enumerate(conversation.steps + _END):
            chapter = room.do(step, None if awaited is None else awaited[index])
            told.append(chapter)
            if awaited is not None and chapter != awaited[index]:
                break
    finally:
        room.close()
    return told
