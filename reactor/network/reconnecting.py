"""A connection that comes back: connect, and again after each end, with growing pauses.

A server that is down has clients that want it back. If each of them tries again at once, and again, the first thing
that the returning server meets is all of them together, and it goes down once more. So the pause between two attempts
doubles up to a cap, and chance shortens it (*jitter*), so that clients which lost the same server at the same moment do
not come back at the same moment.

The pause is short again only after a *good* connection: one that has lasted. The kernel completes a connection even if
the program behind it is in no state to serve, and a server that accepts and hangs up must not be asked ten times a
second.

Two things it leaves to others. That a silent peer is gone, only silence tells: see `ConnectionOptions.idle_timeout`.
And what was written to a connection that broke may have been read or not; whether to send it again, only the protocols
can know, so nothing is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from reactor.errors import ConnectError, OptionError
from reactor.loop import Reactor, TimerHandle
from reactor.network.address import parse_address
from reactor.network.connection import Connection
from reactor.network.connector import Connector
from reactor.network.interface import AnyProtocol
from reactor.network.options import DEFAULT_OPTIONS, ConnectionOptions

__all__ = ["Backoff", "Persistence", "Reconnector", "reconnect"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long to wait between two attempts. Times are seconds. Raises `OptionError` for values that cannot be."""

    initial: float = 0.5
    """The first pause, and that after a good connection."""
    factor: float = 2.0
    """How much longer each further one is."""
    cap: float = 60.0
    """The longest."""
    jitter: float = 0.5
    """Which part of a pause is left to chance, from 0 to 1: with 0.5 it is between half of it and all."""
    steady: float = 10.0
    """How long a connection must have lasted to be a good one."""

    def __post_init__(self) -> None:
        """Check the values."""
        if not 0 < self.initial <= self.cap < float("inf"):
            raise OptionError(
                f"initial ({self.initial}) must be positive and at most cap, and cap ({self.cap}) must be finite"
            )
        if not self.factor >= 1:
            raise OptionError(f"factor must be at least 1, not {self.factor}")
        if not 0 <= self.jitter <= 1:
            raise OptionError(f"jitter is a part of the pause, from 0 to 1, not {self.jitter}")
        if not self.steady >= 0:
            raise OptionError(f"steady must not be negative, but is {self.steady}")

    def next(self, pause: float) -> float:
        """The pause after one of `pause` seconds, before chance shortens it."""
        return min(pause * self.factor, self.cap)


class Persistence(Enum):
    """What a reconnector is doing."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    PAUSING = "pausing"
    STOPPED = "stopped"


class Reconnector:
    """Sees to it that there is a connection, or that the next attempt is near. Made by `reconnect`."""

    __slots__ = (
        "_address", "_backoff", "_connected_at", "_connector", "_factory", "_on_failure", "_options", "_pause",
        "_reactor", "_timer", "attempts",
    )  # fmt: skip

    def __init__(
        self,
        reactor: Reactor,
        factory: Callable[[], AnyProtocol],
        address: str,
        options: ConnectionOptions,
        backoff: Backoff,
        on_failure: Callable[[ConnectError, float], object] | None,
    ) -> None:
        """Made by `reconnect`."""
        self._reactor = reactor
        self._factory: Callable[[], AnyProtocol] | None = factory
        self._address = address
        self._options = options
        self._backoff = backoff
        self._on_failure = on_failure
        self._pause = backoff.initial  # the next one, before chance shortens it
        self._connector: Connector | None = None  # until it is stopped there is always
        self._timer: TimerHandle | None = None  # exactly one of these two
        self._connected_at = 0.0
        self.attempts = 0
        """How often it has tried so far."""
        reactor.attach(self)
        self._try()

    @property
    def state(self) -> Persistence:
        """What it is doing."""
        if self._connector is not None:
            return Persistence.CONNECTING if self.connection is None else Persistence.CONNECTED
        return Persistence.STOPPED if self._timer is None else Persistence.PAUSING

    @property
    def connection(self) -> Connection | None:
        """The connection, while there is one. To close it is to have a new one soon."""
        return None if self._connector is None else self._connector.connection

    def stop(self) -> None:
        """Try no more. A request is cancelled, a connection closed as by its `close()`. Harmless the second time.

        Works at any moment, inside any callback. Raises a `MisuseError` in a foreign thread.
        """
        if self.state is Persistence.STOPPED:
            return
        self._reactor.check()
        connection = self.connection
        self.shut()
        if connection is not None:
            connection.close()

    # --- Attempts and pauses ----------------------------------------------------------------------------------------

    def _try(self) -> None:
        self._timer = None
        self.attempts += 1
        self._connector = Connector(
            self._reactor, self._make, self._address, self._options, self._failed, on_ended=self._ended
        )
        self._connector.resolve()

    def _make(self) -> AnyProtocol:
        self._connected_at = self._reactor.time()
        assert self._factory is not None
        try:
            return self._factory()
        except (KeyboardInterrupt, SystemExit):  # that cancels the request, and nobody is told: so it is up to us
            if self.state is not Persistence.STOPPED:
                self._pause_for_a_while()
            raise

    def _failed(self, error: ConnectError) -> None:
        pause = self._pause_for_a_while()
        if self._on_failure is not None:
            self._on_failure(error, pause)

    def _ended(self) -> None:
        if self.state is Persistence.STOPPED:
            return
        if self._reactor.time() - self._connected_at >= self._backoff.steady:
            self._pause = self._backoff.initial
        self._pause_for_a_while()

    def _pause_for_a_while(self) -> float:
        pause = self._pause * (1 - self._backoff.jitter * self._reactor.kernel.random())
        self._pause = self._backoff.next(self._pause)
        self._connector = None
        self._timer = self._reactor.call_later(pause, self._try)
        return pause

    # --- As a resource ------------------------------------------------------------------------------------------------

    def shut(self) -> None:
        """Try no more. A connection is not touched: when the reactor is closed, it is ended by its connector."""
        self._reactor.detach(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._connector is not None:
            self._connector.cancel()
        self._let_go()

    def disown(self) -> None:
        """In a forked child there is nothing to close here: the request or connection is a resource of its own."""

    def forked(self) -> None:
        """In a forked child it is stopped: to try again is the parent's business."""
        self._let_go()

    def _let_go(self) -> None:
        """Refer to nothing that may refer to this, and be stopped thereby."""
        self._timer = self._connector = self._factory = self._on_failure = None

    def describe(self) -> dict[str, Any]:
        """Where to, how often it has tried, and when it will again."""
        return {
            "kind": "reconnector",
            "address": self._address,
            "state": self.state.value,
            "attempts": self.attempts,
            "next": None if self._timer is None else self._timer.when(),
        }

    def __repr__(self) -> str:
        """Where to, and its state."""
        return f"<reconnector to {self._address}, {self.state.value}>"


def reconnect(
    reactor: Reactor,
    factory: Callable[[], AnyProtocol],
    address: str,
    *,
    options: ConnectionOptions = DEFAULT_OPTIONS,
    backoff: Backoff = Backoff(),
    on_failure: Callable[[ConnectError, float], object] | None = None,
) -> Reconnector:
    """Stay connected to `address` (`"host:port"`): connect, and again after each failure and each end, until `stop()`.

    Each connection gets a new protocol from `factory()`. Between two attempts it waits as `backoff` says.
    `on_failure(error, pause)` is called when an attempt came to nothing and the next one is `pause` seconds away;
    without it nobody is told. A name is resolved anew for each attempt. The reactor runs on as long as this is not
    stopped.

    Raises `OptionError` for an address that cannot be, and a `MisuseError` if the reactor is closed or belongs to
    another thread.
    """
    parse_address(address)
    return Reconnector(reactor, factory, address, options, backoff, on_failure)
