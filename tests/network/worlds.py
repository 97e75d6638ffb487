"""The two worlds that the tests of the network layer run in: this machine, and a simulated one.

Everything that a test must not know is here: where descriptors are counted, what another thread is, how two sockets are
connected with each other. Raw sockets come from the kernel of the world, as those of the reactor do. Whatever happens
does so within one host, on its loopback.
"""

from __future__ import annotations

import errno
import os
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack
from selectors import EVENT_WRITE
from typing import Any

from reactor.kernel import Kernel, SystemKernel
from reactor.simulation import SimulatedKernel, Simulation

__all__ = ["PATIENCE", "WORLDS", "SimulatedWorld", "SystemWorld", "World"]

PATIENCE = 20.0  # seconds, on a busy machine too


class World(ABC):
    """A machine with a loopback interface."""

    kernel: Kernel
    """What a reactor runs on here."""

    @abstractmethod
    def open_descriptors(self) -> set[int]:
        """The descriptors of the process under test."""

    @abstractmethod
    def in_another_thread(self, function: Callable[[], object]) -> None:
        """Call `function` in another thread, and return when it has returned."""

    @abstractmethod
    def foreign_socket(self, kind: int = socket.SOCK_STREAM) -> Any:
        """An IPv4 socket as made by somebody who has never heard of us: blocking, where there is such a thing."""

    @abstractmethod
    def foreign_pair(self) -> tuple[Any, Any]:
        """Two of those, connected with each other."""

    @abstractmethod
    def blocks(self, sock: Any) -> bool:
        """Whether calls of `sock` block."""

    @abstractmethod
    def close(self) -> None:
        """Give the world up."""

    def raw_socket(self, family: int = socket.AF_INET) -> Any:
        """A raw non-blocking stream socket."""
        return self.kernel.socket(family, socket.SOCK_STREAM)

    def connect(self, sock: Any, address: Any) -> int:
        """Connect a raw socket, without running any loop, and wait for it; returns 0 or the errno."""
        code = sock.connect_ex(address)
        if code != errno.EINPROGRESS:
            return int(code)
        with self.kernel.selector() as selector:
            selector.register(sock, EVENT_WRITE)
            assert selector.select(PATIENCE), f"no answer from {address}"
        return int(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

    def has_ipv6(self) -> bool:
        """Whether the machine has an IPv6 address."""
        try:
            sock = self.raw_socket(socket.AF_INET6)
        except OSError:
            return False
        try:
            sock.bind(("::1", 0))
        except OSError:
            return False
        finally:
            sock.close()
        return True


def real_descriptors() -> set[int]:
    """The descriptors of this process."""
    found = set()
    for number in map(int, os.listdir("/dev/fd")):
        try:
            os.fstat(number)
        except OSError:
            continue  # the listing's own
        found.add(number)
    return found


class SystemWorld(World):
    """This machine."""

    def __init__(self) -> None:
        self.kernel = SystemKernel()

    def open_descriptors(self) -> set[int]:
        return real_descriptors()

    def in_another_thread(self, function: Callable[[], object]) -> None:
        raised: list[BaseException] = []

        def run() -> None:
            try:
                function()
            except BaseException as exc:
                raised.append(exc)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        if raised:
            raise raised[0]

    def foreign_socket(self, kind: int = socket.SOCK_STREAM) -> Any:
        return socket.socket(socket.AF_INET, kind)

    def foreign_pair(self) -> tuple[Any, Any]:
        return socket.socketpair()

    def blocks(self, sock: Any) -> bool:
        return bool(sock.getblocking())

    def close(self) -> None:
        pass


class SimulatedWorld(World):
    """A machine in memory, under virtual time."""

    def __init__(self) -> None:
        self._open = ExitStack()
        simulation = self._open.enter_context(Simulation())
        self.kernel: SimulatedKernel = simulation.host("here", "10.0.0.1").kernel

    def open_descriptors(self) -> set[int]:
        """Those of the simulated program, and the real ones, of which it must not open any."""
        return real_descriptors() | set(self.kernel.process.files)

    def in_another_thread(self, function: Callable[[], object]) -> None:
        with self.kernel.process.as_thread(-1):
            function()

    def foreign_socket(self, kind: int = socket.SOCK_STREAM) -> Any:
        return self.kernel.socket(socket.AF_INET, kind)

    def foreign_pair(self) -> tuple[Any, Any]:
        with self.raw_socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(1)
            one = self.raw_socket()
            assert self.connect(one, listener.getsockname()) == 0
            return one, listener.accept()[0]

    def blocks(self, sock: Any) -> bool:
        return False

    def close(self) -> None:
        self._open.close()


WORLDS: dict[str, Callable[[], World]] = {"system": SystemWorld, "simulation": SimulatedWorld}
