"""A connector: the client's half of connection establishment.

A non-blocking `connect` only begins the handshake and returns EINPROGRESS. The socket becomes writable when it is over,
one way or the other; which one, the socket option SO_ERROR tells (connect(2)). A name can stand for several addresses,
so a failure means: on to the next. Before all that the name must be resolved, for which there is only a call that
blocks; it runs in a thread.

The whole takes seconds in the worst case, so there is one deadline over everything, and `cancel` works at any moment.
Whatever happens, it ends in exactly one of three ways: the protocol is connected, `on_failure` gets a `ConnectError`,
or it was cancelled and nothing is called.
"""

from __future__ import annotations

import errno
import socket
from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, TypeAlias

from reactor.errors import ConnectError, ConnectTimeoutError, NameResolutionError, OptionError
from reactor.kernel import AddressInfo, Socket
from reactor.loop import Handle, Job, Reactor, TimerHandle
from reactor.network.acceptor import descriptor_closed
from reactor.network.address import check_is_socket, format_address, parse_address
from reactor.network.connection import Connection
from reactor.network.interface import AnyProtocol
from reactor.network.options import DEFAULT_OPTIONS, ConnectionOptions
from reactor.network.oserrors import os_error, pending_error

__all__ = ["Connecting", "Connector", "connect"]

FailureCallback: TypeAlias = Callable[[ConnectError], object]

_IN_PROGRESS = frozenset({0, errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EAGAIN, errno.EINTR})


class Connecting(Enum):
    """What a connector is doing."""

    RESOLVING = "resolving"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ENDED = "ended"  # was connected, and the connection is over


_PENDING = (Connecting.RESOLVING, Connecting.CONNECTING)


class Connector:
    """One request for a connection. Made by `connect`."""

    __slots__ = (
        "_attempts", "_candidates", "_factory", "_on_ended", "_on_failure", "_options", "_pending", "_reactor",
        "_socket", "_target", "_timer", "address", "connection", "state",
    )  # fmt: skip

    def __init__(
        self,
        reactor: Reactor,
        factory: Callable[[], AnyProtocol],
        address: str,
        options: ConnectionOptions,
        on_failure: FailureCallback | None,
        on_ended: Callable[[], object] | None = None,
    ) -> None:
        """Made by `connect`. `on_ended` is called when the connection that was made is over."""
        self._reactor = reactor
        self._factory: Callable[[], AnyProtocol] | None = factory
        self._options = options
        self._on_failure = on_failure
        self._on_ended = on_ended
        self._candidates: deque[AddressInfo] = deque()
        self._attempts: list[tuple[object, OSError]] = []
        self._pending: Job | Handle | None = None
        self._socket: Socket | None = None
        self._target: Any = None  # the socket address being tried
        self._timer: TimerHandle | None = None
        self.address = address
        """The address as it was given."""
        self.connection: Connection | None = None
        """The connection, while there is one."""
        self.state = Connecting.RESOLVING
        reactor.attach(self)
        if options.connect_timeout is not None:
            self._timer = reactor.call_later(options.connect_timeout, self._timed_out)

    def cancel(self) -> None:
        """Give up. Nothing is called any more. Does nothing once connected: use the transport then."""
        if self.state in _PENDING:
            self._reactor.check()
            self._settle(Connecting.CANCELLED)

    # --- From a name to a socket ------------------------------------------------------------------------------------

    def resolve(self) -> None:
        """Begin with a host name or numeric address."""
        host, port = parse_address(self.address)
        try:
            found = self._reactor.kernel.getaddrinfo(host, port, socket.AI_NUMERICHOST)
        except OSError:  # a name: who knows how long that takes
            self._pending = self._reactor.resolve(self._resolved, host, port)
        else:
            self._pending = self._reactor.call_soon(self._resolved, found, None)

    def adopt(self, sock: Socket, peername: Any) -> None:
        """Begin with a socket that is connected already."""
        self._socket = sock
        self._target = peername
        self.state = Connecting.CONNECTING
        self._pending = self._reactor.call_soon(self._connected)

    def _resolved(self, candidates: Sequence[AddressInfo], error: BaseException | None) -> None:
        self._pending = None
        if error is not None:
            self._fail(NameResolutionError(f"cannot resolve {self.address}: {error}", self.address), error)
            return
        self.state = Connecting.CONNECTING
        self._candidates.extend({info[4]: info for info in candidates}.values())
        self._try_next()

    def _try_next(self) -> None:
        while self._candidates:
            family, _, _, _, self._target = self._candidates.popleft()
            try:
                self._socket = self._reactor.kernel.socket(family, socket.SOCK_STREAM)
            except OSError as exc:
                self._attempts.append((self._target, exc))
                continue
            self._reactor.forget(self._socket.fileno())  # what somebody forgot to remove for a closed socket
            code = self._socket.connect_ex(self._target)
            if code in _IN_PROGRESS:
                self._reactor.add_writer(self._socket, self._writable)
                return
            self._attempt_failed(code)
        tried = "; ".join(f"{format_address(target)}: {exc.strerror}" for target, exc in self._attempts)
        cause = self._attempts[-1][1] if self._attempts else None
        self._fail(ConnectError(f"cannot connect to {self.address} ({tried})", self.address, self._attempts), cause)

    def _writable(self) -> None:
        """The handshake is over: with which result?"""
        assert self._socket is not None
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code == 0 and self._connected_to_itself():
            code = errno.ECONNREFUSED
        if code != 0:
            self._attempt_failed(code)
            self._try_next()
            return
        self._reactor.remove_writer(self._socket)
        self._connected()

    def _connected_to_itself(self) -> bool:
        """TCP's simultaneous open (RFC 9293 section 3.5): nobody listens at that local port, and we were given it."""
        assert self._socket is not None
        try:
            return bool(self._socket.getsockname() == self._socket.getpeername())
        except OSError:
            return False  # gone again already: the first read will say so

    def _attempt_failed(self, code: int) -> None:
        self._attempts.append((self._target, os_error(code)))
        self._drop_socket()

    # --- Three ends -------------------------------------------------------------------------------------------------

    def _connected(self) -> None:
        sock, factory = self._socket, self._factory
        assert sock is not None and factory is not None
        try:
            if self._options.no_delay and sock.family in (socket.AF_INET, socket.AF_INET6):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:  # reset already: EINVAL on some systems
            self._attempt_failed(pending_error(sock).errno or errno.ECONNRESET)
            self._try_next()
            return
        self._socket = None  # it is the connection's now
        try:
            connection = Connection(self._reactor, sock, self._target, factory(), self._options, self)
        except BaseException as exc:
            sock.close()
            if not isinstance(exc, Exception):  # KeyboardInterrupt, SystemExit
                self._settle(Connecting.CANCELLED)
                raise
            self._reactor.call_exception_handler(
                {"message": f"exception in the protocol factory of {self!r}", "exception": exc, "source": self}
            )
            if self.state is Connecting.CONNECTING:  # and not cancelled by the factory
                self._fail(ConnectError(f"connected to {self.address}, but no protocol: {exc}", self.address), exc)
            return
        if self.state is not Connecting.CONNECTING:
            sock.close()  # the factory has cancelled this request
            return
        self.connection = connection
        self._settle(Connecting.CONNECTED)
        connection.start()

    def _timed_out(self) -> None:
        self._timer = None
        tried = [format_address(target) for target, _ in self._attempts]
        if self._socket is not None:
            tried.append(format_address(self._target))
        doing = f"{self.state.value}; tried {', '.join(tried)}" if tried else self.state.value
        error = ConnectTimeoutError(
            f"no connection to {self.address} within connect_timeout={self._options.connect_timeout} s ({doing})",
            self.address,
            self._attempts,
        )
        self._reactor.observe("deadline", self, error)
        self._fail(error, self._attempts[-1][1] if self._attempts else None)

    def _fail(self, error: ConnectError, cause: BaseException | None) -> None:
        error.__cause__ = cause
        on_failure = self._on_failure
        self._settle(Connecting.FAILED)
        if on_failure is not None:
            on_failure(error)
        else:
            self._reactor.call_exception_handler({"message": str(error), "exception": error, "source": self})

    def _settle(self, state: Connecting) -> None:
        """The request has its answer: give up everything that was needed to get it."""
        self.state = state
        if self._timer is not None:
            self._timer.cancel()
        if self._pending is not None:
            self._pending.cancel()
        self._drop_socket()
        self._timer = self._pending = self._factory = self._on_failure = None
        self._candidates.clear()
        if state is not Connecting.CONNECTED:
            self._on_ended = None
            self._reactor.detach(self)

    def _drop_socket(self) -> None:
        if self._socket is not None:
            self._reactor.forget(self._socket.fileno())
            self._socket.close()
            self._socket = None
            descriptor_closed(self._reactor)

    # --- As an owner and a resource -----------------------------------------------------------------------------------

    def connection_ended(self, connection: Connection, reason: BaseException | None) -> None:
        """The connection is over, and so is this."""
        self.state = Connecting.ENDED
        self.connection = None
        self._reactor.detach(self)
        on_ended, self._on_ended = self._on_ended, None
        if on_ended is not None:
            on_ended()

    def shut(self) -> None:
        """The reactor is being closed: end at once, and tell the protocol if there is one."""
        self.cancel()
        if self.connection is not None:
            connection = self.connection
            connection.abort()
            connection.lose()

    def disown(self) -> None:
        """In a forked child: close the descriptor and touch nothing else."""
        if self._socket is not None:
            self._socket.close()
        if self.connection is not None:
            self.connection.disown()

    def forked(self) -> None:
        """In a forked child: what waits to be sent is the parent's to send."""
        if self.connection is not None:
            self.connection.forked()

    def describe(self) -> dict[str, Any]:
        """What was asked for, and how far it is."""
        return {
            "kind": "connector",
            "address": self.address,
            "state": self.state.value,
            "trying": None if self._socket is None else format_address(self._target),
            "failed": [(format_address(target), str(exc)) for target, exc in self._attempts],
            "connection": None if self.connection is None else self.connection.describe(),
        }

    def __repr__(self) -> str:
        """Where to, and its state."""
        return f"<connector to {self.address}, {self.state.value}>"


def connect(
    reactor: Reactor,
    factory: Callable[[], AnyProtocol],
    address: str | Socket,
    *,
    options: ConnectionOptions = DEFAULT_OPTIONS,
    on_failure: FailureCallback | None = None,
) -> Connector:
    """Request a connection to `address`, and give it the protocol `factory()` once it stands.

    `address` is `"host:port"` or a connected socket, which the connection then owns. The name is resolved in a thread,
    its addresses are tried one after the other, all within `options.connect_timeout`. If that fails,
    `on_failure(error)` is called with a `ConnectError` (`ConnectTimeoutError`, `NameResolutionError`); without
    `on_failure` the error goes to the reactor's exception handler.

    Raises `OptionError` for an address that cannot be, and a `MisuseError` if the reactor is closed or belongs to
    another thread. Whatever goes wrong with the network is reported later, never from here.
    """
    if isinstance(address, str):
        parse_address(address)
        connector = Connector(reactor, factory, address, options, on_failure)
        connector.resolve()
    else:
        check_is_socket(address)
        try:
            peername = address.getpeername()
        except OSError as exc:
            raise OptionError(f"the socket given to connect() is not connected: {exc}") from exc
        address.setblocking(False)
        connector = Connector(reactor, factory, format_address(peername), options, on_failure)
        connector.adopt(address, peername)
    return connector
