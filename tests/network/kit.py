"""What the tests of the network layer share: a reactor with its errors, raw sockets as peers, kernels that misbehave.

A peer is a plain non-blocking socket in the same thread, so a test says at every moment who does what. Nobody sleeps:
`until` runs the loop until a condition holds, and fails if it does not for a long time.
"""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from reactor import ConnectionOptions, Reactor, Server, listen
from reactor.kernel import AddressInfo, SystemKernel
from tests.conformance.recorder import BufferedRecorder, Recorder

__all__ = [
    "ROOT",
    "BufferedRecorder",
    "CountingKernel",
    "Network",
    "Recorder",
    "ScriptedKernel",
    "inet",
    "open_descriptors",
    "port_of",
    "python",
    "reset",
    "state_of",
]

ROOT = Path(__file__).parents[2]

PATIENCE = 20.0  # seconds, on a busy machine too
SNDBUF, RCVBUF = 16 * 1024, 32 * 1024


def open_descriptors() -> set[int]:
    """The descriptors of this process."""
    found = set()
    for number in map(int, os.listdir("/dev/fd")):
        try:
            os.fstat(number)
        except OSError:
            continue  # the listing's own
        found.add(number)
    return found


def port_of(address: str) -> int:
    """The port in "host:port"."""
    return int(address.rpartition(":")[2])


def state_of(transport: Any) -> Any:
    """The state of a connection, by name."""
    return transport.describe()["state"]


def reset(sock: socket.socket) -> None:
    """Close with a reset: linger for no time at all (socket(7), SO_LINGER)."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def python(source: str) -> str:
    """Run `source` in a Python of its own, warnings being errors; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", source],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class Network:
    """A reactor, the errors that were reported to it, and raw sockets as peers."""

    def __init__(self, kernel: SystemKernel | None = None) -> None:
        self.reactor = Reactor(kernel=kernel)
        self.contexts: list[dict[str, Any]] = []
        self.reactor.set_exception_handler(lambda reactor, context: self.contexts.append(context))
        self.peers: list[socket.socket] = []

    @property
    def errors(self) -> list[BaseException]:
        """What was reported."""
        return [context["exception"] for context in self.contexts]

    def take_errors(self) -> list[BaseException]:
        """What was reported, which is thereby accounted for."""
        errors = self.errors
        self.contexts.clear()
        return errors

    def until(self, condition: Callable[[], object]) -> None:
        """Run the loop until `condition()` is true."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"it never came; reported: {self.contexts}"
            self.reactor.run_once(0.01)

    def settle(self, ticks: int = 8) -> None:
        """Let everything happen that is ready to."""
        for _ in range(ticks):
            self.reactor.run_once(0)

    def listen(self, factory: Callable[[], Any], address: str = "127.0.0.1:0", **arguments: Any) -> Server:
        """Listen; a number of options may be given by name."""
        return listen(self.reactor, factory, address, **arguments)

    def dial(self, server: Server, *, small: bool = False) -> socket.socket:
        """A raw non-blocking peer, connected to the first address of `server`."""
        host, _, port = server.addresses[0].rpartition(":")
        sock = socket.socket(socket.AF_INET6 if "[" in host else socket.AF_INET)
        self.peers.append(sock)
        if small:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RCVBUF)
        sock.settimeout(PATIENCE)
        sock.connect((host.strip("[]"), int(port)))
        sock.setblocking(False)
        return sock

    def pair(
        self, near: Any = None, options: ConnectionOptions | None = None, *, small: bool = False
    ) -> tuple[Any, socket.socket]:
        """A connection with the protocol `near` (by default a new `Recorder`), and its raw peer. `small`: buffers."""
        near = near or Recorder()
        server = self.listen(lambda: near, options=options or ConnectionOptions())
        peer = self.dial(server, small=small)
        self.until(lambda: near.made)
        server.close()
        if small:
            near.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SNDBUF)
        return near, peer

    def clogged(self, near: Any = None, options: ConnectionOptions | None = None) -> tuple[Any, socket.socket]:
        """As `pair`, and bytes are waiting that the peer does not take."""
        near, peer = self.pair(near, options, small=True)
        near.transport.write(bytes(1 << 20))
        self.settle()
        assert near.transport.get_write_buffer_size() > 0
        return near, peer

    def read(self, peer: socket.socket, size: int) -> bytes:
        """`size` bytes from the peer's end, running the loop meanwhile."""
        got = bytearray()

        def enough() -> bool:
            try:
                piece = peer.recv(size - len(got))
                assert piece, f"the end of the stream after {len(got)} of {size} bytes"
                got.extend(piece)
            except BlockingIOError:
                pass
            return len(got) == size

        self.until(enough)
        return bytes(got)

    def read_to_the_end(self, peer: socket.socket) -> bytes:
        """Everything until the end of the stream. Raises `ConnectionResetError` if it ends with a reset."""
        got = bytearray()

        def ended() -> bool:
            try:
                piece = peer.recv(1 << 16)
            except BlockingIOError:
                return False
            got.extend(piece)
            return not piece

        self.until(ended)
        return bytes(got)

    def send_all(self, peer: socket.socket, data: bytes) -> None:
        """Send everything from the peer's end, running the loop meanwhile."""
        rest = memoryview(data)

        def gone() -> bool:
            nonlocal rest
            try:
                rest = rest[peer.send(rest) :]
            except BlockingIOError:
                pass
            return not rest

        self.until(gone)

    def close(self) -> None:
        """Close everything, and assert that nothing was reported that no test asked for."""
        for peer in self.peers:
            peer.close()
        self.reactor.close()
        assert self.contexts == []


class CountingSocket(socket.socket):
    """A socket that counts its system calls."""

    calls: Counter[str]

    def recv(self, *args: Any) -> bytes:
        self.calls["recv"] += 1
        return super().recv(*args)

    def recv_into(self, *args: Any) -> int:
        self.calls["recv_into"] += 1
        return super().recv_into(*args)

    def send(self, *args: Any) -> int:
        self.calls["send"] += 1
        return super().send(*args)

    def accept(self) -> tuple[CountingSocket, Any]:
        self.calls["accept"] += 1
        fd, address = self._accept()  # type: ignore[attr-defined]
        sock = type(self)(self.family, self.type, self.proto, fileno=fd)
        sock.calls = Counter()
        return sock, address


class CountingKernel(SystemKernel):
    """A kernel whose sockets count what they are asked; each accepted one for itself."""

    def socket(self, family: int, kind: int) -> CountingSocket:
        sock = CountingSocket(family, kind)
        sock.calls = Counter()
        sock.setblocking(False)
        return sock


class ScriptedSocket(socket.socket):
    """A socket whose next `accept` fails as its kernel says."""

    kernel: ScriptedKernel

    def accept(self) -> tuple[socket.socket, Any]:
        self.kernel.accepts += 1
        if self.kernel.accept_fails:
            failure = self.kernel.accept_fails[0]
            if len(self.kernel.accept_fails) > 1 or not self.kernel.exhausted:
                self.kernel.accept_fails.pop(0)
            raise OSError(failure, os.strerror(failure))
        return super().accept()


class InlineWorkers:
    """Workers without threads: the outcome is there when `submit` returns, and called back in the next tick."""

    def submit(self, function: Callable[..., Any], args: tuple[Any, ...], done: Callable[..., None]) -> None:
        done(function(*args), None)

    def close(self) -> None:
        pass


class ScriptedKernel(SystemKernel):
    """The real kernel, except for what a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.names: dict[str, Sequence[AddressInfo] | Callable[[], Sequence[AddressInfo]]] = {}
        self.accept_fails: list[int] = []  # what the next accepts fail with,
        self.exhausted = False  # and whether the last of these stays
        self.accepts = 0
        self.made: list[socket.socket] = []
        self.make: Callable[[int, int], socket.socket] | None = None
        self.limit: int | None = None
        self.clock: float | None = None  # what the time is, if that is to be said
        self.inline = False  # whether blocking calls are made at once, in the calling thread

    def time(self) -> float:
        return time.monotonic() if self.clock is None else self.clock

    def after_fork(self, callback: Callable[[], None]) -> None:
        self.tell_forked = callback

    def workers(self, name: str, limit: int | None = None) -> Any:
        return InlineWorkers() if self.inline else super().workers(name, limit)

    def getaddrinfo(self, host: str, port: int, flags: int = 0) -> Sequence[AddressInfo]:
        scripted = self.names.get(host)
        if scripted is None:
            return super().getaddrinfo(host, port, flags)
        return scripted() if callable(scripted) else scripted

    def socket(self, family: int, kind: int) -> Any:
        if self.make is not None:
            sock = self.make(family, kind)
        else:
            sock = ScriptedSocket(family, kind)
            sock.kernel = self
        sock.setblocking(False)
        self.made.append(sock)
        return sock

    def descriptor_limit(self) -> int:
        return super().descriptor_limit() if self.limit is None else self.limit


def inet(port: int, host: str = "127.0.0.1") -> AddressInfo:
    """A row of `getaddrinfo`."""
    return (socket.AF_INET, socket.SOCK_STREAM, 0, "", (host, port))


