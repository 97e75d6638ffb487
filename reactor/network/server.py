"""A server: listens without knowing its clients, and keeps account of how each of them left.

`listen` opens one socket for each address that a name stands for: `":9000"` is every address of the machine, in both
families, `"localhost:9000"` usually is 127.0.0.1 and ::1. With port 0 the kernel picks a free port, and it is the same
one for all of them.

A server never has more connections than `max_connections`. At the limit it stops accepting, so that further clients
wait in the kernel's backlog, where they cost us nothing, and go on when somebody leaves.
"""

from __future__ import annotations

import errno
import socket
from collections import Counter
from collections.abc import Callable
from enum import Enum
from typing import Any, TypeAlias

from reactor.errors import ClosedError, DrainTimeoutError, MisuseError, OptionError
from reactor.kernel import Kernel, Socket
from reactor.loop import Reactor, TimerHandle
from reactor.network.acceptor import Accepting, Acceptor
from reactor.network.address import check_is_socket, parse_address
from reactor.network.connection import Connection
from reactor.network.interface import AnyProtocol
from reactor.network.options import DEFAULT_OPTIONS, ConnectionOptions

__all__ = ["Server", "ServerState", "listen"]

Factory: TypeAlias = Callable[[], AnyProtocol]

_RESERVED = 64
"""Descriptors that `max_connections` leaves to the rest of the program: files, pipes, resolvers, other sockets."""

_PORT_ATTEMPTS = 16
"""How often port 0 is tried anew when the port that one family got is taken in the other."""

_INTERNET = (socket.AF_INET, socket.AF_INET6)

_NOT_HERE = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})
"""What this machine says of an address family that it does not have: IPv6, in many containers."""


class ServerState(Enum):
    """What a server is doing."""

    LISTENING = "listening"
    STOPPED = "not accepting"  # stop_accepting() was called
    CLOSED = "closed"  # listens no longer; its connections may go on
    DRAINING = "draining"  # listens no longer, and asked its connections to end
    ENDED = "ended"  # listens no longer, and its last connection is gone


_OPEN = (ServerState.LISTENING, ServerState.STOPPED)


class Server:
    """The listening sockets of one address, and the connections that came in through them. Made by `listen`.

    `connections` holds the open ones. `accepted` counts all there were. `ended` counts how they ended: `"clean"`, or
    the name of the error's class.
    """

    def __init__(
        self,
        reactor: Reactor,
        factory: Factory,
        sockets: list[Socket],
        options: ConnectionOptions,
        max_connections: int,
    ) -> None:
        """Made by `listen`."""
        self._reactor = reactor
        self._factory = factory
        self._options = options
        self.max_connections = max_connections
        self.connections: dict[Connection, None] = {}
        self.accepted = 0
        self.ended: Counter[str] = Counter()
        self.state = ServerState.STOPPED
        self._no_delay = options.no_delay and all(sock.family in _INTERNET for sock in sockets)
        self._on_drained: Callable[[Counter[str]], object] | None = None
        self._drain_timer: TimerHandle | None = None
        self._ended_before_drain: Counter[str] = Counter()
        self._acceptors = [Acceptor(reactor, sock, self._accept) for sock in sockets]
        self.addresses = [acceptor.address for acceptor in self._acceptors]
        """Where it really listens, as strings: `["127.0.0.1:40123"]`."""
        self.port = parse_address(self.addresses[0]).port if ":" in self.addresses[0] else 0
        """The port, which is the same for all addresses."""
        reactor.attach(self)
        self.start_accepting()

    # --- Accepting ------------------------------------------------------------------------------------------------

    def start_accepting(self) -> None:
        """Accept connections (again). Raises `ClosedError` after `close()` or `drain()`."""
        self._reactor.check()
        if self.state not in _OPEN:
            raise ClosedError(f"this server is {self.state.value}: listen() anew")
        self.state = ServerState.LISTENING
        self._admit()

    def stop_accepting(self) -> None:
        """Leave new clients waiting in the kernel's backlog. Established connections go on."""
        if self.state is ServerState.LISTENING:
            self._reactor.check()
            self.state = ServerState.STOPPED
            self._admit()

    def _admit(self) -> None:
        """Accept or hold, as the state and the number of connections say."""
        if self.state is ServerState.LISTENING and len(self.connections) < self.max_connections:
            for acceptor in self._acceptors:
                acceptor.watch()
        else:
            for acceptor in self._acceptors:
                acceptor.hold()

    def _accept(self, sock: Socket, address: Any) -> None:
        try:
            sock.setblocking(False)
            if self._no_delay:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            sock.close()  # reset while it waited in the backlog (EINVAL on some systems)
            return
        try:
            connection = Connection(self._reactor, sock, address, self._factory(), self._options, self)
        except BaseException as exc:
            sock.close()
            if not isinstance(exc, Exception):
                raise  # KeyboardInterrupt, SystemExit
            self._reactor.call_exception_handler(
                {"message": f"exception in the protocol factory of {self!r}", "exception": exc, "source": self}
            )
            return
        if self.state not in _OPEN:
            sock.close()  # the factory has closed this server
            return
        self.accepted += 1
        self.connections[connection] = None
        if len(self.connections) >= self.max_connections:
            self._admit()
        connection.start()

    def connection_ended(self, connection: Connection, reason: BaseException | None) -> None:
        """One of the connections is over: account for it, and let the next one in."""
        del self.connections[connection]
        self.ended["clean" if reason is None else type(reason).__name__] += 1
        if self.state is ServerState.LISTENING:
            if self._acceptors[0].state is Accepting.HELD:
                self._admit()
        else:
            self._end_if_done()

    # --- Ending ---------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Listen no longer. Established connections go on, and keep the reactor running until they end."""
        if self.state in _OPEN:
            self._reactor.check()
            self.state = ServerState.CLOSED
            for acceptor in self._acceptors:
                acceptor.close()
            self._acceptors.clear()  # they refer to this server
            self._end_if_done()

    def drain(self, deadline: float, on_drained: Callable[[Counter[str]], object] | None = None) -> None:
        """Listen no longer, close every connection, and cut off those that are still there after `deadline` seconds.

        When the last one is gone `on_drained(account)` is called: how many ended in which way since this call, as in
        `ended`. One that was cut off with bytes unsent counts as `"DrainTimeoutError"`. Raises `ClosedError` if the
        server is draining or ended already, `OptionError` for a negative deadline.
        """
        self._reactor.check()
        if not deadline >= 0:
            raise OptionError(f"the deadline of drain() is in seconds from now, not {deadline!r}")
        if self.state in (ServerState.DRAINING, ServerState.ENDED):
            raise ClosedError(f"this server is {self.state.value} already")
        self.close()
        self.state = ServerState.DRAINING
        self._on_drained = on_drained
        self._ended_before_drain = self.ended.copy()
        for connection in list(self.connections):
            connection.close()
        self._drain_timer = self._reactor.call_later(deadline, self._drain_deadline, deadline)
        if not self.connections:
            self._reactor.call_soon(self._end_if_done)

    def _drain_deadline(self, deadline: float) -> None:
        self._drain_timer = None
        for connection in list(self.connections):
            connection.cut_off(DrainTimeoutError(f"{connection} did not end within drain({deadline})"))

    def _end_if_done(self) -> None:
        if self.connections or self.state not in (ServerState.CLOSED, ServerState.DRAINING):
            return
        draining = self.state is ServerState.DRAINING
        self.state = ServerState.ENDED
        self._reactor.detach(self)
        if self._drain_timer is not None:
            self._drain_timer.cancel()
        if draining and self._on_drained is not None:
            self._reactor.call_soon(self._on_drained, self.ended - self._ended_before_drain)
            self._on_drained = None

    def shut(self) -> None:
        """The reactor is being closed: end at once, and tell every protocol."""
        self._on_drained = None
        self.close()
        for connection in list(self.connections):
            connection.abort()
            connection.lose()

    def disown(self) -> None:
        """In a forked child: close the descriptors and touch nothing else."""
        for acceptor in self._acceptors:
            acceptor.disown()
        for connection in self.connections:
            connection.disown()

    def forked(self) -> None:
        """In a forked child: what waits to be sent is the parent's to send."""
        for connection in self.connections:
            connection.forked()

    def describe(self) -> dict[str, Any]:
        """Where it listens, and its connections."""
        return {
            "kind": "server",
            "state": self.state.value,
            "acceptors": [acceptor.describe() for acceptor in self._acceptors],
            "accepted": self.accepted,
            "ended": dict(self.ended),
            "max_connections": self.max_connections,
            "connections": [connection.describe() for connection in self.connections],
        }

    def __repr__(self) -> str:
        """Where it listens, and its state."""
        return f"<server on {', '.join(self.addresses)}, {self.state.value}>"


def listen(
    reactor: Reactor,
    factory: Factory,
    address: str | Socket,
    *,
    options: ConnectionOptions = DEFAULT_OPTIONS,
    max_connections: int | None = None,
    backlog: int = socket.SOMAXCONN,
) -> Server:
    """Listen at `address`, and make a connection with the protocol `factory()` for each client.

    `address` is `"host:port"` or a bound socket, which the server then owns. A host name is resolved here and now,
    which may block; use a numeric address where that matters. `max_connections` defaults to what RLIMIT_NOFILE leaves
    room for. `backlog` is how many clients the kernel keeps waiting (listen(2)).

    Raises `OptionError` for an address or option that cannot be, `OSError` if the address cannot be listened at (in
    use, not ours, not permitted; the message names it), `socket.gaierror` if the name does not resolve.
    """
    if max_connections is None:
        max_connections = max(1, reactor.kernel.descriptor_limit() - _RESERVED)
    if max_connections < 1:
        raise OptionError(f"max_connections must be at least 1, not {max_connections}")
    if backlog < 0:
        raise OptionError(f"backlog must not be negative, but is {backlog}")
    if isinstance(address, str):
        sockets = _bind(reactor.kernel, address, backlog)
    else:
        check_is_socket(address)
        address.setblocking(False)
        address.listen(backlog)
        sockets = [address]
    try:
        return Server(reactor, factory, sockets, options, max_connections)
    except MisuseError:  # a reactor that is closed or another thread's: nobody will own these
        if isinstance(address, str):
            for sock in sockets:
                sock.close()
        raise


def _bind(kernel: Kernel, address: str, backlog: int) -> list[Socket]:
    """Listen at every address that `address` stands for and this machine has, at one port."""
    host, port = parse_address(address)
    try:
        found = {info[4]: info for info in kernel.getaddrinfo(host, port, socket.AI_PASSIVE)}  # each once
    except OSError as exc:  # which name it was, it does not say
        raise type(exc)(exc.errno, f"cannot resolve {address}: {exc.strerror}") from exc
    for attempt in range(_PORT_ATTEMPTS):
        sockets: list[Socket] = []
        chosen = port
        missing: OSError | None = None
        try:
            for family, _, _, _, target in found.values():
                try:
                    sock = _listen_at(kernel, family, (target[0], chosen, *target[2:]), backlog)
                except OSError as exc:
                    if exc.errno not in _NOT_HERE:
                        raise
                    missing = exc
                else:
                    sockets.append(sock)
                    chosen = sock.getsockname()[1]
            if missing is not None and not sockets:
                raise missing
            return sockets
        except OSError as exc:
            for sock in sockets:
                sock.close()
            taken = exc.errno == errno.EADDRINUSE and port == 0
            if not taken or attempt == _PORT_ATTEMPTS - 1:
                raise type(exc)(exc.errno, f"cannot listen at {address}: {exc.strerror}") from exc
    raise AssertionError("unreachable")


def _listen_at(kernel: Kernel, family: int, target: tuple[Any, ...], backlog: int) -> Socket:
    sock = kernel.socket(family, socket.SOCK_STREAM)
    try:
        _configure(sock, family)
        sock.bind(target)
        sock.listen(backlog)
    except OSError:
        sock.close()
        raise
    return sock


def _configure(sock: Socket, family: int) -> None:
    if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows, where SO_REUSEADDR would let anybody steal the port
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    else:  # a restarted server must not wait for the old connections' TIME-WAIT (RFC 9293 section 3.6.1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # IPv4 has a socket of its own
