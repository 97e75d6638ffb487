"""The main job, whole: a server listens, clients request, the server confirms, and both sides exchange data.

One reactor hosts the server and all its clients, over real sockets of this machine. That is twice the work of a server
alone, and it is the point: two thousand sockets, one thread, and nobody waits for anybody.

The clients do not all come at once. The kernel keeps only so many connections waiting until the server accepts them
(the backlog), and lets further requests time out and try again, a second later. So at most a hundred are on their way.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from reactor.buffering import Budget
from reactor.cli.exchange import ANSWER, HELLO, NEWS, REQUEST, START, Caller, Exchange, Serving
from reactor.cli.screen import Screen
from reactor.cli.trace import TracingKernel
from reactor.errors import ConnectError
from reactor.kernel import Kernel
from reactor.kernel.descriptors import raise_descriptor_limit
from reactor.loop import Describable, Reactor
from reactor.loop.interfaces import Agenda
from reactor.network import ConnectionOptions, connect, listen

__all__ = ["MOST_TRACED", "Unable", "run_demo"]

MOST_TRACED = 10
"""Clients. A trace of more is no longer read by anybody."""

_AT_ONCE = 100
"""Clients on their way: below every system's backlog (128 is the smallest that is common)."""

_SPARE_DESCRIPTORS = 64
"""Descriptors for all that is not a client: what `listen` keeps free by default is enough for us too."""

_MOST_BUFFERED = 1024 * 1024 * 1024
"""Bytes in all buffers together. Far more than is ever there: the budget is here to count."""

_LONGEST_SILENCE = 60.0
"""Seconds. If a message is lost, nobody waits for it any longer than that."""

_PROGRESS_EVERY = 0.1
"""Seconds."""


class Unable(Exception):  # noqa: N818 - a request that cannot be granted is no error of the program
    """The demo cannot be run as it was asked for; the message says what to do."""


def run_demo(clients: int | None = None, messages: int | None = None, *, trace: bool = False) -> int:
    """Run the demo, speaking on the standard output, and return its exit status: 0 only if everything arrived.

    `clients` defaults to 1,000 and `messages`, the requests of each, to 20; with `trace`, which prints every system
    call on a socket, both to 2. Raises `Unable`, and `KeyboardInterrupt` as it comes.
    """
    clients = clients or (2 if trace else 1000)
    messages = messages or (2 if trace else 20)
    if trace and clients > MOST_TRACED:
        raise Unable(f"--trace prints every system call; use it with --clients {MOST_TRACED} or less, not {clients}")
    screen = Screen()
    kernel = TracingKernel(lambda line: screen.say(f"        {line}")) if trace else None
    meter = TickMeter()
    try:
        with Reactor(kernel=kernel, instruments=meter) as reactor:
            _make_room(reactor.kernel, clients)
            demo = Demo(reactor, clients, messages, screen, meter)
            demo.start()
            reactor.run()
            demo.ended = time.perf_counter()
    finally:
        screen.clear()
    return demo.conclude()


def _make_room(kernel: Kernel, clients: int) -> None:
    """See to it that there are descriptors for `clients`: one at each end of a connection."""
    needed = 2 * clients + _SPARE_DESCRIPTORS
    raise_descriptor_limit(needed)
    limit = kernel.descriptor_limit()
    if needed > limit:
        possible = (limit - _SPARE_DESCRIPTORS) // 2
        raise Unable(
            f"{clients:,} clients need {needed:,} descriptors, and this process may open no more than {limit:,}: "
            + (f"use --clients {possible} or less, or " if possible > 0 else "")
            + "have the hard limit raised (ulimit -Hn)"
        )


class TickMeter:
    """What the summary says about ticks and buffers: an instrument, given to the reactor.

    Between two callbacks it looks at a counter that all the buffers share: bytes that were written and that the kernel
    has not taken, and parts of messages that were received. What a callback writes and the kernel takes when it returns
    is never waiting for anybody, and not seen.
    """

    def __init__(self) -> None:
        self.budget = Budget(_MOST_BUFFERED)
        self.ticks = 0
        self.largest = 0.0
        """Seconds that the largest tick took, the time in the selector not counted."""
        self.peak_buffered = 0
        """Bytes."""

    def watch(self, agenda: Agenda) -> Agenda:
        """Pass a tick's callbacks on."""
        began = time.perf_counter()
        for item in agenda:
            yield item
            self.peak_buffered = max(self.peak_buffered, self.budget.used)
        self.ticks += 1
        self.largest = max(self.largest, time.perf_counter() - began)

    def transition(self, source: Describable, before: str, event: str, after: str) -> None:
        """A connection changed its state."""

    def deadline(self, source: Describable, error: BaseException) -> None:
        """A deadline passed."""


class Demo:
    """One run: brings the clients in, prints what happens, and judges the result."""

    def __init__(self, reactor: Reactor, clients: int, messages: int, screen: Screen, meter: TickMeter) -> None:
        self.screen = screen
        self.meter = meter
        self.exchange = Exchange(clients, messages, self)
        self.failure: str | None = None  # the first; others follow from it
        self.requested = 0
        self.began = self.all_there = self.ended = time.perf_counter()
        self._reactor = reactor
        self._options = ConnectionOptions(budget=meter.budget, idle_timeout=_LONGEST_SILENCE)
        reactor.set_exception_handler(self._callback_raised)

    def start(self) -> None:
        """Listen, and let the first client come. Everything else follows."""
        self._server = listen(self._reactor, self._confirm, "127.0.0.1:0", options=self._options)
        self.screen.say(f"1. The server listens at {self._server.addresses[0]}, and knows none of its clients.")
        self._progress = self._reactor.call_every(_PROGRESS_EVERY, self._show_progress)
        self.screen.say("2. Client 1 requests a connection.")
        self._request()

    def _request(self) -> None:
        self.requested += 1
        factory = partial(Caller, self.exchange, self.requested)
        connect(
            self._reactor, factory, self._server.addresses[0], options=self._options, on_failure=self._not_connected
        )

    def _confirm(self) -> Serving:
        if self._server.accepted == 0:
            self.screen.say("3. The server confirms, and goes on listening.")
            self.screen.say("4. Both sides exchange data:")
        return Serving(self.exchange)

    # --- What the exchange tells ----------------------------------------------------------------------------------

    def first_arrived(self, kind: bytes, size: int) -> None:
        """Show it, by the example of client 1."""
        way = "client 1 to server" if kind in (HELLO, REQUEST) else "server to client 1"
        unasked = ", which nobody asked for" if kind in (START, NEWS) else ""
        self.screen.say(f"     {way}: {kind.decode()} of {size} bytes{unasked}")

    def introduced(self) -> None:
        """Let more clients come; when all are there, begin."""
        clients, there = self.exchange.clients, len(self.exchange.serving)
        if there == 1 < clients:
            self.screen.say(f"   Meanwhile, in the same thread: {clients - 1:,} more.")
        while self.requested < clients and self.requested - there < _AT_ONCE:
            self._request()
        if there == clients:
            self.all_there = time.perf_counter()
            self.exchange.begin()

    def finished(self) -> None:
        """When the last client has left, nothing keeps the reactor running."""
        if self.exchange.finished == self.exchange.clients:
            self._progress.cancel()
            self._server.close()

    def failed(self, what: str) -> None:
        """End it."""
        if self.failure is None:
            self.failure = what
            self._reactor.stop()

    def _not_connected(self, error: ConnectError) -> None:
        self.failed(str(error))

    def _callback_raised(self, reactor: Reactor, context: dict[str, Any]) -> None:
        self.failed(f"{context['message']}: {context.get('exception')!r}")

    # --- What is shown --------------------------------------------------------------------------------------------

    def _show_progress(self) -> None:
        there, clients = len(self.exchange.serving), self.exchange.clients
        arrived, all_messages = self.exchange.received.total(), self.exchange.expected().total()
        self.screen.progress(f"{there:,} of {clients:,} clients, {arrived:,} of {all_messages:,} messages")

    def conclude(self) -> int:
        """Print the summary, and return the exit status."""
        ended, accepted = self._server.ended, self._server.accepted
        if self.failure is None and not (self.exchange.complete() and ended["clean"] == accepted):
            self.failure = f"sent {dict(self.exchange.sent)}, received {dict(self.exchange.received)}, ended {ended}"
        self.screen.say()
        for label, figures in self._summary():
            self.screen.say(f"{label:<22}{figures}")
        if self.failure is not None:
            self.screen.say(f"FAILED: {self.failure}")
            return 1
        self.screen.say("Every byte arrived, in order, where it belonged.")
        return 0

    def _summary(self) -> list[tuple[str, str]]:
        exchanged = self.exchange.received.total() - self.exchange.received[HELLO]
        seconds = max(self.ended - self.all_there, 1e-9)
        return [
            ("connections", f"{self._server.accepted:,}, all there in {self.all_there - self.began:.2f} s"),
            ("clients to server", self._arrived(HELLO, REQUEST)),
            ("server to clients", self._arrived(START, ANSWER, NEWS)),
            ("messages per second", f"{exchanged / seconds:,.0f}, in {seconds:.2f} s after the last client came"),
            ("ticks", f"{self.meter.ticks:,}, the largest {self.meter.largest * 1000:.1f} ms"),
            ("peak buffered bytes", f"{self.meter.peak_buffered:,}, in all buffers of both sides, between callbacks"),
        ]

    def _arrived(self, *kinds: bytes) -> str:
        number = sum(self.exchange.received[kind] for kind in kinds)
        size = sum(self.exchange.received_bytes[kind] for kind in kinds)
        return f"{number:,} messages, {size:,} bytes"
