"""What the tests of the network layer share: a reactor with its errors, and raw sockets as its peers.

A peer is a raw non-blocking socket in the same thread, so a test says at every moment who does what. Nobody sleeps:
`until` runs the loop until a condition holds, and fails if it does not for a long time.

A test that takes `net` runs in every world of `worlds.py`, and its text does not know in which. What is about the
operating system itself is marked with `system_only(reason)`.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from reactor import ConnectionOptions, Reactor, Server, listen
from reactor.kernel import Kernel
from tests.conformance.recorder import BufferedRecorder, Recorder
from tests.network.scripted import PassingSocket, ScriptedKernel, ScriptedSocket, inet
from tests.network.worlds import PATIENCE, World

__all__ = [
    "ROOT",
    "BufferedRecorder",
    "Network",
    "PassingSocket",
    "Recorder",
    "ScriptedKernel",
    "ScriptedSocket",
    "World",
    "inet",
    "port_of",
    "python",
    "state_of",
    "system_only",
]

ROOT = Path(__file__).parents[2]

SNDBUF, RCVBUF = 16 * 1024, 32 * 1024


def system_only(reason: str) -> pytest.MarkDecorator:
    """Run a test on the real kernel alone, because it is about `reason`."""
    return pytest.mark.system_only(reason)


def port_of(address: str) -> int:
    """The port in "host:port"."""
    return int(address.rpartition(":")[2])


def state_of(transport: Any) -> Any:
    """The state of a connection, by name."""
    return transport.describe()["state"]


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

    def __init__(self, world: World, kernel: Kernel | None = None) -> None:
        """`kernel` is what the reactor runs on, by default the kernel of the world."""
        self.world = world
        self.reactor = Reactor(kernel=kernel or world.kernel)
        self.contexts: list[dict[str, Any]] = []
        self.reactor.set_exception_handler(lambda reactor, context: self.contexts.append(context))
        self.peers: list[Any] = []

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
        clock = self.world.kernel.time
        deadline = clock() + PATIENCE
        while not condition():
            assert clock() < deadline, f"it never came; reported: {self.contexts}"
            self.reactor.run_once(0.01)

    def settle(self, ticks: int = 8) -> None:
        """Let everything happen that is ready to."""
        for _ in range(ticks):
            self.reactor.run_once(0)

    def listen(self, factory: Callable[[], Any], address: str = "127.0.0.1:0", **arguments: Any) -> Server:
        """Listen; a number of options may be given by name."""
        return listen(self.reactor, factory, address, **arguments)

    def raw_socket(self, family: int = socket.AF_INET) -> Any:
        """A raw non-blocking stream socket, which is closed at the end."""
        sock = self.world.raw_socket(family)
        self.peers.append(sock)
        return sock

    def call(self, address: str, *, small: bool = False) -> tuple[Any, int]:
        """A raw socket after its request for a connection to `address`; 0 or the errno that came of it."""
        host, _, port = address.rpartition(":")
        sock = self.raw_socket(socket.AF_INET6 if "[" in host else socket.AF_INET)
        if small:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RCVBUF)
        return sock, self.world.connect(sock, (host.strip("[]"), int(port)))

    def dial(self, server: Server, *, small: bool = False) -> Any:
        """A raw peer, connected to the first address of `server`."""
        sock, code = self.call(server.addresses[0], small=small)
        assert code == 0
        return sock

    def reset(self, sock: Any) -> None:
        """Close with a reset: linger for no time at all (socket(7), SO_LINGER)."""
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, self.world.kernel.RESET_ON_CLOSE)
        sock.close()

    @contextmanager
    def lower_numbers_taken(self, number: int) -> Iterator[None]:
        """No descriptor below `number` is free: who closes that one makes it the next to be given away."""
        fillers = [self.world.raw_socket()]
        while fillers[-1].fileno() < number:
            fillers.append(self.world.raw_socket())
        try:
            yield
        finally:
            for filler in fillers:
                filler.close()

    def pair(
        self, near: Any = None, options: ConnectionOptions | None = None, *, small: bool = False
    ) -> tuple[Any, Any]:
        """A connection with the protocol `near` (by default a new `Recorder`), and its raw peer. `small`: buffers."""
        near = near or Recorder()
        server = self.listen(lambda: near, options=options or ConnectionOptions())
        peer = self.dial(server, small=small)
        self.until(lambda: near.made)
        server.close()
        if small:
            near.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SNDBUF)
        return near, peer

    def clogged(self, near: Any = None, options: ConnectionOptions | None = None) -> tuple[Any, Any]:
        """As `pair`, and bytes are waiting that the peer does not take."""
        near, peer = self.pair(near, options, small=True)
        near.transport.write(bytes(1 << 20))
        self.settle()
        assert near.transport.get_write_buffer_size() > 0
        return near, peer

    def read(self, peer: Any, size: int) -> bytes:
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

    def read_to_the_end(self, peer: Any) -> bytes:
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

    def send_all(self, peer: Any, data: bytes) -> None:
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
