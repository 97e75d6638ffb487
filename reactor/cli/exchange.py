"""What the demo's clients and its server say to each other, and how every byte of it is checked.

    client n -> server     hello     once: I am client n
    server   -> client n   start     once all have said hello, to everybody; nobody has asked for it
    client n -> server     request   M of them, each after the answer to the one before
    server   -> client n   answer    one to each request
    server   -> client n   news      one for each request of client n-1: something happened, nobody has asked for it

The content of a message follows from its kind, the client's number and the message's number. So the receiver needs no
copy of what was sent: it makes the message that must come next and compares. A byte that is lost, changed, doubled or
out of order, on whichever side, is noticed with the first message that it touches.
"""

from __future__ import annotations

from collections import Counter
from typing import Protocol

from reactor.framing import LengthPrefixedCodec
from reactor.network import FramedProtocol, Transport

__all__ = ["ANSWER", "HELLO", "NEWS", "REQUEST", "START", "Audience", "Caller", "Exchange", "Serving", "message"]

HELLO, START, REQUEST, ANSWER, NEWS = b"hello", b"start", b"request", b"answer", b"news"

_FILLING = b"".join(number.to_bytes(2, "big") for number in range(4096))
"""No two pieces of it are equal, and every byte value occurs."""

_LONGEST = 600
"""Bytes of filling in the longest message."""


def message(kind: bytes, client: int, number: int) -> bytes:
    """The content of the `number`-th message of this kind to or from this client."""
    begin = (client * 127 + number * 31) % (len(_FILLING) - _LONGEST)
    length = (client * 53 + number * 211) % _LONGEST
    return b"%s %d %d " % (kind, client, number) + _FILLING[begin : begin + length]


class Audience(Protocol):
    """Who is told what happens."""

    def first_arrived(self, kind: bytes, size: int) -> None:
        """The first message of this kind to or from client 1 arrived; `size` is in bytes."""

    def introduced(self) -> None:
        """One more client has said hello."""

    def finished(self) -> None:
        """One more client has received everything and closed its connection."""

    def failed(self, what: str) -> None:
        """Something is not as it should be."""


class Exchange:
    """What happened so far: the account that the demo is judged by. Each client sends `messages` requests."""

    def __init__(self, clients: int, messages: int, audience: Audience) -> None:
        self.clients = clients
        self.messages = messages
        self.audience = audience
        self.serving: dict[int, Serving] = {}  # the server's ends, by client
        self.finished = 0
        self.sent: Counter[bytes] = Counter()  # messages, by kind
        self.received: Counter[bytes] = Counter()
        self.received_bytes: Counter[bytes] = Counter()

    def begin(self) -> None:
        """Everybody is there: the server tells them so."""
        for serving in self.serving.values():
            serving.say(START)

    def expected(self) -> Counter[bytes]:
        """How many messages of each kind there must be in the end."""
        requests = self.clients * self.messages
        return Counter({HELLO: self.clients, START: self.clients, REQUEST: requests, ANSWER: requests, NEWS: requests})

    def complete(self) -> bool:
        """Whether everything that was to be sent was sent, and arrived."""
        return self.sent == self.received == self.expected() and self.finished == self.clients


class _End(FramedProtocol[bytes]):
    """One end of a conversation: sends messages, and checks those that arrive."""

    codec = LengthPrefixedCodec(max_length=4096)
    role: str
    expects: tuple[bytes, ...]

    def __init__(self, exchange: Exchange, client: int) -> None:
        self.exchange = exchange
        self.client = client
        self.said: Counter[bytes] = Counter()
        self.heard: Counter[bytes] = Counter()

    def say(self, kind: bytes) -> None:
        """Send the next message of this kind."""
        self.send(message(kind, self.client, self.said[kind]))
        self.said[kind] += 1
        self.exchange.sent[kind] += 1

    def hear(self, frame: bytes) -> bytes | None:
        """Compare what came with what must come next, and return its kind; `None` if it is wrong."""
        kind = frame.partition(b" ")[0]
        if kind not in self.expects or frame != message(kind, self.client, self.heard[kind]):
            self.fail(f"received what nobody sent: {frame[:40]!r}")
            return None
        if self.client == 1 and not self.heard[kind]:
            self.exchange.audience.first_arrived(kind, len(frame))
        self.heard[kind] += 1
        self.exchange.received[kind] += 1
        self.exchange.received_bytes[kind] += len(frame)
        return kind

    def fail(self, what: str) -> None:
        """Say what went wrong here."""
        self.exchange.audience.failed(f"{self.role} {self.client} {what}")

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        if exc is not None:
            self.fail(f"lost its connection: {exc!r}")


class Caller(_End):
    """A client."""

    role = "client"
    expects = (START, ANSWER, NEWS)

    def connection_made(self, transport: Transport) -> None:
        super().connection_made(transport)
        self.say(HELLO)

    def frame_received(self, frame: bytes) -> None:
        if self.hear(frame) in (START, ANSWER) and self.said[REQUEST] < self.exchange.messages:
            self.say(REQUEST)
        if self.has_everything() and self.transport is not None:
            self.transport.close()

    def has_everything(self) -> bool:
        """Whether the server has nothing more to say."""
        return self.heard[ANSWER] == self.heard[NEWS] == self.exchange.messages

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        if self.has_everything():
            self.exchange.finished += 1
            self.exchange.audience.finished()
        elif exc is None:
            self.fail("was left by the server before it had everything")


class Serving(_End):
    """The server's end of one connection."""

    role = "the server's end of client"
    expects = (HELLO, REQUEST)

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(exchange, client=0)  # the server does not know its clients: see hello

    def frame_received(self, frame: bytes) -> None:
        if self.client == 0:
            self.client = _number_in(frame)
        kind = self.hear(frame)
        if kind == HELLO:
            self.exchange.serving[self.client] = self
            self.exchange.audience.introduced()
        elif kind == REQUEST:
            self.say(ANSWER)
            self.exchange.serving[self.client % self.exchange.clients + 1].say(NEWS)


def _number_in(hello: bytes) -> int:
    words = hello.split(b" ", 2)
    return int(words[1]) if len(words) == 3 and words[1].isdigit() else 0
