"""Simulated sockets: the system calls, with the answers that Linux gives.

A socket is a descriptor and a role. It begins as neither, `bind` gives it an address, and then it becomes a listener
or one end of a connection. Every call checks whether its descriptor is open, whether a fault strikes, and asks the
role; what is not modelled says so.
"""

from __future__ import annotations

import errno
import socket
from typing import Any

from reactor.errors import UnmodelledError
from reactor.network.oserrors import os_error
from reactor.simulation.addresses import Address, any_address, family_of, is_any, is_loopback, loopback, normal
from reactor.simulation.backlog import Backlog
from reactor.simulation.descriptors import READ, WRITE, OpenFile
from reactor.simulation.end import End
from reactor.simulation.process import Process
from reactor.simulation.socket_options import KEEPALIVE, RCVBUF, REUSEADDR, SNDBUF, V6ONLY, SocketOptions
from reactor.simulation.tcp_states import IN_PROGRESS, State

__all__ = ["SimulatedSocket"]

_MOST_SHOWN = 16
"""Bytes of data in a line of the trace."""

_WRONG_FAMILY = getattr(socket, "EAI_ADDRFAMILY", socket.EAI_FAMILY)  # not every system has the first


class SimulatedSocket(OpenFile):
    """A non-blocking stream socket of a simulated host."""

    __slots__ = ("_backlog", "_end", "_local", "_may_ask_again", "_options", "family", "type")

    def __init__(self, process: Process, family: int, kind: int) -> None:
        """Made by the kernel. Raises `OSError` when there is no descriptor left."""
        if family not in (socket.AF_INET, socket.AF_INET6):
            raise UnmodelledError(f"the simulated kernel does not model sockets of family {family!r}")
        if kind != socket.SOCK_STREAM:
            raise UnmodelledError(f"the simulated kernel does not model sockets of type {kind!r}")
        super().__init__(process)
        self.family = family
        """The address family, AF_INET or AF_INET6."""
        self.type = kind
        """SOCK_STREAM."""
        self._options = SocketOptions()
        self._local: Address | None = None
        self._backlog: Backlog[End] | None = None
        self._end: End | None = None
        self._may_ask_again = False  # a further connect() is told how the first one ended, once

    def __getattr__(self, name: str) -> Any:
        """Name what a real socket has and this one has not."""
        if hasattr(socket.socket, name):
            raise UnmodelledError(f"the simulated kernel does not model socket.{name}()")
        raise AttributeError(f"a simulated socket has no {name!r}")

    def _join(self, end: End) -> None:
        self._end = end
        self._local = end.local
        end.changed = self.notify
        self._configure(end)

    # --- Addresses --------------------------------------------------------------------------------------------------

    def bind(self, address: Any) -> None:
        """Take a local address (bind(2)). Raises `OSError`: EADDRINUSE, EADDRNOTAVAIL, EINVAL."""
        process = self._enter()
        host, port = self._numeric(address)
        if host == "::" and not self._options.is_on(V6ONLY):
            raise UnmodelledError("the simulated kernel does not model dual-stack sockets: set IPV6_V6ONLY")
        if not is_any(host) and not process.machine.has(host):
            raise self._fail("bind", errno.EADDRNOTAVAIL)
        if self._local is not None:
            raise self._fail("bind", errno.EINVAL)
        port = port or process.machine.ports.free()
        if not process.machine.ports.take(self, (host, port), reuse=self._options.is_on(REUSEADDR)):
            raise self._fail("bind", errno.EADDRINUSE)
        self._local = (host, port)
        process.trace("bind", self._fd, f"{host}:{port}", answer=0)

    def getsockname(self) -> Any:
        """The local address (getsockname(2))."""
        self._enter()
        return self._as_tuple(self._local or (any_address(self.family), 0))

    def getpeername(self) -> Any:
        """The peer's address (getpeername(2)). Raises `OSError` (ENOTCONN)."""
        self._enter()
        if self._end is None or not self._end.is_connected():
            raise self._fail("getpeername", errno.ENOTCONN)
        return self._as_tuple(self._end.remote)

    def _as_tuple(self, address: Address) -> Any:
        return address if self.family == socket.AF_INET else (*address, 0, 0)

    def _numeric(self, address: Any) -> Address:
        if not (isinstance(address, tuple) and len(address) >= 2 and isinstance(address[0], str)):
            raise TypeError(f"an address is a tuple of host and port, not {address!r}")
        host, port = address[0] or any_address(self.family), address[1]
        family = family_of(host)
        if family is None:
            raise UnmodelledError(f"the simulated kernel does not look up {host!r} in bind() or connect()")
        if family != self.family:
            raise socket.gaierror(_WRONG_FAMILY, "Address family for hostname not supported")
        if not isinstance(port, int):
            raise TypeError(f"a port is an integer, not {port!r}")
        if not 0 <= port <= 65_535:
            raise OverflowError("port must be 0-65535")
        return normal(host), port

    # --- Connections ------------------------------------------------------------------------------------------------

    def listen(self, backlog: int) -> None:
        """Accept connections (listen(2)). Raises `OSError`: EADDRINUSE, EINVAL."""
        process = self._enter()
        backlog = max(0, backlog)
        if self._backlog is not None:
            self._backlog.limit = backlog
            return
        if self._end is not None:
            raise self._fail("listen", errno.EINVAL)
        if self._local is None:
            self.bind(("", 0))
        assert self._local is not None
        if not process.machine.ports.listen(self, self._local):
            raise self._fail("listen", errno.EADDRINUSE)
        self._backlog = Backlog(backlog, self.notify, self._configure)
        process.machine.streams.listening[self._local] = self._backlog
        process.trace("listen", self._fd, backlog, answer=0)
        self.notify()

    def accept(self) -> tuple[SimulatedSocket, Any]:
        """The next connection, and its peer's address (accept(2)). Raises `OSError`: EAGAIN, EINVAL, EMFILE, …."""
        process = self._enter()
        backlog = self._backlog
        if backlog is None:
            raise self._fail("accept", errno.EINVAL)
        if not backlog.ready:
            raise self._fail("accept", errno.EAGAIN)
        process.check_not_exhausted("accept")
        if process.strikes("aborted_accept") is not None:
            backlog.ready.popleft().abort()
            raise self._fail("accept", errno.ECONNABORTED)
        end = backlog.ready[0]
        try:
            sock = SimulatedSocket(process, self.family, self.type)
        except OSError as exc:  # the connection stays in the queue
            raise self._fail("accept", exc.errno or 0) from None
        backlog.ready.popleft()
        sock._options = self._options.copy()
        sock._join(end)
        process.trace("accept", self._fd, answer=f"{sock._fd} from {end.remote[0]}:{end.remote[1]}")
        return sock, sock._as_tuple(end.remote)

    def connect_ex(self, address: Any) -> int:
        """Begin to connect; the errno, EINPROGRESS if all is well (connect(2))."""
        if self._fd < 0:
            self._process.check_up()
            return errno.EBADF
        process = self._enter()
        host, port = self._numeric(address)
        if self._end is not None or self._backlog is not None:
            return self._connect_again()
        if is_any(host):
            host = loopback(host)
        code = process.machine.route(host)
        if code:
            self._fail("connect", code)
            return code
        local = self._local or (process.machine.source_for(host), 0)
        if is_any(local[0]):
            local = (process.machine.source_for(host), local[1])
        if is_loopback(local[0]) and not process.machine.has(host):
            return errno.EINVAL
        try:
            local = (local[0], local[1] or process.machine.ports.free())
        except OSError as exc:
            return exc.errno or 0
        if (local, (host, port)) in process.machine.streams.ends:
            return errno.EADDRNOTAVAIL
        self._join(process.machine.begin(local, (host, port), self._configure))
        self._may_ask_again = True
        process.trace("connect", self._fd, f"{host}:{port}", answer="EINPROGRESS")
        return errno.EINPROGRESS

    def connect(self, address: Any) -> None:
        """As `connect_ex`, but raising `OSError`."""
        code = self.connect_ex(address)
        if code:
            raise os_error(code)

    def _connect_again(self) -> int:
        end = self._end
        if end is None:
            return errno.EISCONN
        if end.state in IN_PROGRESS:
            return errno.EALREADY
        if not self._may_ask_again:
            return errno.EISCONN
        self._may_ask_again = False
        if end.is_connected():
            return 0
        self._end = None
        return end.take_error() or errno.ECONNABORTED

    def shutdown(self, how: int) -> None:
        """End one direction or both (shutdown(2)). Raises `OSError` (ENOTCONN)."""
        process = self._enter()
        if how not in (socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR):
            raise self._fail("shutdown", errno.EINVAL)
        if self._backlog is not None:
            raise UnmodelledError("the simulated kernel does not model shutdown() of a listening socket")
        if self._end is None:
            raise self._fail("shutdown", errno.ENOTCONN)
        try:
            self._end.shut(reading=how != socket.SHUT_WR, writing=how != socket.SHUT_RD)
        except OSError as exc:
            raise self._fail("shutdown", exc.errno or 0) from None
        process.trace("shutdown", self._fd, how, answer=0)
        self._may_ask_again = False

    # --- Data -------------------------------------------------------------------------------------------------------

    def recv(self, size: int, flags: int = 0) -> bytes:
        """What has arrived, up to `size` bytes; nothing at its end (recv(2)). Raises `OSError`."""
        _check_no_flags("recv", flags)
        if size <= 0:  # Python answers these by itself
            if size:
                raise ValueError("negative buffersize in recv")
            return b""
        process = self._enter()
        end = self._end
        if end is None:
            raise self._fail("recv", errno.ENOTCONN)
        available = min(size, end.unread())
        if available > 1 and (cut := process.strikes("short_read", 1, available - 1)) is not None:
            size = cut
        try:
            data = end.receive(size)
        except OSError as exc:
            raise self._fail("recv", exc.errno or 0) from None
        process.trace("recv", self._fd, size, answer=_shown(data))
        return data

    def recv_into(self, buffer: Any, size: int = 0) -> int:
        """As `recv`, into `buffer`; how many bytes."""
        with memoryview(buffer) as view, view.cast("B") as octets:
            if size > len(octets):
                raise ValueError("buffer too small for requested bytes")
            data = self.recv(size or len(octets))
            octets[: len(data)] = data
        return len(data)

    def send(self, data: Any, flags: int = 0) -> int:
        """How many bytes of `data` were taken (send(2)). Raises `OSError`: EAGAIN, ECONNRESET, EPIPE."""
        _check_no_flags("send", flags)
        process = self._enter()
        end = self._end
        if end is None:
            raise self._fail("send", errno.EPIPE)
        octets = data if type(data) is bytes else bytes(memoryview(data))
        if octets and end.state is State.ESTABLISHED:
            if process.strikes("refused_write") is not None:
                raise self._fail("send", errno.EAGAIN)
            room = min(len(octets), end.outflow.free())
            if room > 1 and (cut := process.strikes("short_write", 1, room - 1)) is not None:
                octets = octets[:cut]
        try:
            taken = end.send(octets)
        except OSError as exc:
            raise self._fail("send", exc.errno or 0) from None
        process.trace("send", self._fd, len(octets), answer=_shown(octets[:taken]))
        return taken

    # --- Options ----------------------------------------------------------------------------------------------------

    def setblocking(self, flag: bool) -> None:
        """Only non-blocking sockets are modelled: who waits in a call keeps the whole simulation waiting."""
        self._enter()
        if flag:
            raise UnmodelledError("the simulated kernel does not model blocking sockets")

    def getsockopt(self, level: int, option: int, size: int = 0) -> int:
        """An option's value (socket(7), tcp(7)). Raises `UnmodelledError` for one that is not modelled."""
        _check_no_flags("getsockopt", size)
        self._enter()
        key = (level, option)
        if key == (socket.SOL_SOCKET, socket.SO_ERROR):
            return 0 if self._end is None else self._end.take_error()
        if key == (socket.SOL_SOCKET, socket.SO_TYPE):
            return self.type
        if key == (socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return int(self.is_listening())
        host = self._process.machine
        return self._options.get(key, {SNDBUF: host.send_buffer, RCVBUF: host.receive_buffer})

    def setsockopt(self, level: int, option: int, value: Any) -> None:
        """Set an option. Raises `UnmodelledError` for one that is not modelled, and for what it does not do."""
        self._enter()
        self._options.set((level, option), value)
        if self._end is not None:
            self._configure(self._end)

    def _configure(self, end: End) -> None:
        end.outflow.size = self._options.values.get(SNDBUF, end.outflow.size)
        end.receive_buffer = self._options.values.get(RCVBUF, end.receive_buffer)
        end.keep_alive(self._options.is_on(KEEPALIVE))

    # --- As a descriptor --------------------------------------------------------------------------------------------

    def readiness(self) -> int:
        """What would not block, as a mask of the selector's bits."""
        if self._end is not None:
            return self._end.readiness()
        if self._backlog is not None:
            return READ if self._backlog.ready else 0
        return READ | WRITE  # neither: a hang-up

    def is_listening(self) -> bool:
        """Whether it accepts connections."""
        return self._backlog is not None

    def may_be_spurious(self) -> int:
        """What may be reported although it would block: not the end of a handshake, which is taken at its word."""
        if self._end is not None:
            return 0 if self._end.state in IN_PROGRESS else READ | WRITE
        return READ if self._backlog is not None else 0

    def close(self) -> None:
        """Give the descriptor up (close(2)); calling it twice is harmless."""
        if self._fd < 0:
            return
        process = self._process
        process.trace("close", self._fd, answer=0)
        self.release()
        process.machine.ports.give_back(self)
        if self._backlog is not None and self._local is not None:
            process.machine.streams.listening.pop(self._local, None)
            self._backlog.close()
        if self._end is not None:
            self._end.close(reset=self._options.reset_on_close)

    def __enter__(self) -> SimulatedSocket:
        """For `with`, which closes it at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def __repr__(self) -> str:
        """Whose it is, and what it is."""
        end = self._end
        role = "listening" if self._backlog is not None else "fresh" if end is None else end.state.value
        remote = "" if end is None else f" with {end.remote[0]}:{end.remote[1]}"
        return f"<simulated socket {self._fd} of {self._process.machine.name!r}: {role}{remote}>"

    def _enter(self) -> Process:
        """At the beginning of each call: the descriptor must be open, and its host alive."""
        process = self._process
        if process.ended is not None:
            process.check_up()
        if self._fd < 0:
            raise os_error(errno.EBADF)
        return process

    def _fail(self, call: str, code: int) -> OSError:
        self._process.trace(call, self._fd, answer=errno.errorcode.get(code, code))
        return os_error(code)


def _check_no_flags(call: str, flags: int) -> None:
    if flags:
        raise UnmodelledError(f"the simulated kernel does not model {call}() with {flags!r} as its last argument")


def _shown(data: bytes) -> str:
    """How many bytes, and the first of them."""
    return f"{len(data)} {data[:_MOST_SHOWN]!r}{'…' if len(data) > _MOST_SHOWN else ''}"
