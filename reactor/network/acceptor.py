"""An acceptor: one listening socket, from "the server listens" to "the server confirms and goes on listening".

The kernel completes connections by itself and keeps them in a queue, the *backlog*, until somebody accepts them. A
readable listening socket means that the queue is not empty.

**How many.** One accept for each readiness would cost a system call of the selector for each connection, all at once
would starve the established ones. So an acceptor takes up to 64 in a tick and comes back in the next.

**When there is no descriptor left** `accept` fails with EMFILE, and the connection stays in the queue, so the socket
stays readable: a loop that just tries again burns a whole core and fills the disk with its log. An acceptor stops
watching instead. It resumes as soon as this reactor closes any connection, and otherwise after a second, because other
parts of the process may have closed something.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any

from reactor.kernel import Socket
from reactor.network.address import format_address

if TYPE_CHECKING:
    from reactor.loop import Reactor, TimerHandle

__all__ = ["Accepting", "Acceptor", "descriptor_closed"]

_BATCH = 64
"""Accepts per tick."""

_RETRY = 1.0
"""Seconds until an acceptor tries again after the machine ran out of something."""

_REPORT_EVERY = 60.0
"""Seconds between two reports that the machine ran out of something."""

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

# accept(2): errors of the new connection that are reported by accept itself, "treat them like EAGAIN by retrying".
_CONNECTION_GONE = frozenset(
    getattr(errno, name)
    for name in (
        "ECONNABORTED", "EPROTO", "ENOPROTOOPT", "ENETDOWN", "EHOSTDOWN", "ENONET", "EHOSTUNREACH", "ENETUNREACH",
        "EOPNOTSUPP", "EPERM",
    )
    if hasattr(errno, name)
)  # fmt: skip


class Accepting(Enum):
    """What an acceptor is doing."""

    WATCHING = "watching"
    HELD = "held"  # its server wants no more for now
    EXHAUSTED = "exhausted"  # the machine has no more for now
    CLOSED = "closed"


class Acceptor:
    """One listening socket of a server."""

    __slots__ = ("_accepted", "_quiet_until", "_reactor", "_retry", "_socket", "address", "state")

    def __init__(self, reactor: Reactor, sock: Socket, accepted: Callable[[Socket, Any], None]) -> None:
        """`sock` listens already; each connection is given to `accepted(socket, peer address)`."""
        self._reactor = reactor
        self._socket = sock
        self._accepted = accepted
        self._retry: TimerHandle | None = None
        self._quiet_until = float("-inf")
        self.address = format_address(sock.getsockname())
        """Where it really listens."""
        self.state = Accepting.HELD
        reactor.forget(sock.fileno())  # what somebody forgot to remove for a closed socket of this number

    def watch(self) -> None:
        """Accept what comes."""
        if self.state is not Accepting.CLOSED:
            self._leave_exhaustion()
            self.state = Accepting.WATCHING
            self._reactor.add_reader(self._socket, self._readable)

    def hold(self) -> None:
        """Accept nothing for now: new connections wait in the backlog."""
        if self.state is not Accepting.CLOSED:
            self._leave_exhaustion()
            self.state = Accepting.HELD
            self._reactor.remove_reader(self._socket)

    def close(self) -> None:
        """Listen no longer: new connections are refused, and those in the backlog are reset."""
        if self.state is not Accepting.CLOSED:
            self.hold()
            self.state = Accepting.CLOSED
            self._reactor.forget(self._socket.fileno())
            self._socket.close()
            descriptor_closed(self._reactor)

    def disown(self) -> None:
        """In a forked child: close the descriptor and touch nothing else."""
        self._socket.close()

    def describe(self) -> dict[str, Any]:
        """Where it listens, and whether it accepts."""
        return {"kind": "acceptor", "address": self.address, "accepting": self.state.value}

    def _readable(self) -> None:
        for _ in range(_BATCH):
            try:
                sock, address = self._socket.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as exc:
                if exc.errno in _CONNECTION_GONE:
                    continue
                self._exhausted(exc)
                return
            self._accepted(sock, address)
            if self.state is not Accepting.WATCHING:
                return

    def _exhausted(self, exc: OSError) -> None:
        """Stop trying until something was closed."""
        self._reactor.remove_reader(self._socket)
        self.state = Accepting.EXHAUSTED
        self._retry = self._reactor.call_later(_RETRY, self.watch)
        _exhausted_acceptors(self._reactor)[self] = None
        now = self._reactor.time()
        if now >= self._quiet_until:
            self._quiet_until = now + _REPORT_EVERY
            what = "the machine ran out of descriptors or memory" if exc.errno in _EXHAUSTED else "accept failed"
            self._reactor.call_exception_handler(
                {
                    "message": f"{self.address}: {what}; accepting pauses until a connection ends",
                    "exception": exc,
                    "handled": True,
                }
            )

    def _leave_exhaustion(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
            _exhausted_acceptors(self._reactor).pop(self, None)


def _exhausted_acceptors(reactor: Reactor) -> dict[Acceptor, None]:
    return reactor.shared.setdefault(Acceptor, {})  # type: ignore[no-any-return]


def descriptor_closed(reactor: Reactor) -> None:
    """A connection gave up its descriptor: acceptors that wait for one try again."""
    for acceptor in list(reactor.shared.get(Acceptor, ())):
        acceptor.watch()
