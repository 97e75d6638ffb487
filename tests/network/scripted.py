"""A kernel that does what a test says: any kernel underneath, and a script for some of its answers.

The answers that send(2), recv(2), accept(2) and their kin may give, and rarely do on a quiet loopback. What a script
does not mention is passed on.
"""

from __future__ import annotations

import os
import selectors
import socket
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from reactor.kernel import AddressInfo, Kernel, Signals, Socket, Wakeup, Workers

__all__ = ["PassingSocket", "ScriptedKernel", "ScriptedSocket", "inet"]


class PassingSocket:
    """A socket that passes everything on to another one, for those that do something differently."""

    def __init__(self, inner: Socket) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class ScriptedSocket(PassingSocket):
    """A socket that counts its calls, and whose next ones answer with what stands in `surprises`.

    That is an errno, negative, or how many bytes `send` takes. The sockets that it accepts are of this kind too.
    """

    def __init__(self, inner: Socket, kernel: ScriptedKernel) -> None:
        super().__init__(inner)
        self.kernel = kernel
        self.calls: Counter[str] = Counter()
        self.surprises: dict[str, list[int]] = defaultdict(list)

    def _surprise(self, call: str) -> int | None:
        waiting = self.surprises[call]
        if not waiting:
            return None
        answer = waiting.pop(0)
        if answer < 0:
            raise OSError(-answer, os.strerror(-answer))
        return answer

    def recv(self, size: int) -> bytes:
        self.calls["recv"] += 1
        self._surprise("recv")
        return self.inner.recv(size)

    def recv_into(self, buffer: Any, size: int = 0) -> int:
        self.calls["recv_into"] += 1
        self._surprise("recv_into")
        return self.inner.recv_into(buffer, size)

    def send(self, data: Any) -> int:
        self.calls["send"] += 1
        most = self._surprise("send")
        return self.inner.send(data if most is None else memoryview(data)[:most])

    def shutdown(self, how: int) -> None:
        self._surprise("shutdown")
        self.inner.shutdown(how)

    def setsockopt(self, level: int, option: int, value: Any) -> None:
        self._surprise("setsockopt")
        self.inner.setsockopt(level, option, value)

    def accept(self) -> tuple[ScriptedSocket, Any]:
        self.kernel.accepting()
        sock, address = self.inner.accept()
        return ScriptedSocket(sock, self.kernel), address


class ScriptedWorkers:
    """Workers without threads: what becomes of a blocking call is decided by its kernel's `job`."""

    def __init__(self, job: Callable[[Callable[[], None]], object]) -> None:
        self.job = job

    def submit(self, function: Callable[..., Any], args: tuple[Any, ...], done: Callable[..., None]) -> None:
        self.job(lambda: done(function(*args), None))

    def close(self) -> None:
        pass


class ScriptedKernel(Kernel):
    """The kernel `inner`, except for what a test says."""

    def __init__(self, inner: Kernel) -> None:
        self.inner = inner
        self.RESET_ON_CLOSE = inner.RESET_ON_CLOSE
        self.names: dict[str, Sequence[AddressInfo] | Callable[[], Sequence[AddressInfo]]] = {}
        self.accept_fails: list[int] = []  # what the next accepts fail with,
        self.exhausted = False  # and whether the last of these stays
        self.accepts = 0
        self.made: list[Any] = []
        self.make: Callable[[Socket], Any] | None = None  # what is made of the sockets that somebody asks for
        self.limit: int | None = None
        self.clock: float | None = None  # what the time is, if that is to be said
        self.job: Callable[[Callable[[], None]], object] | None = None  # takes blocking calls, in place of threads

    def time(self) -> float:
        return self.inner.time() if self.clock is None else self.clock

    def selector(self) -> selectors.BaseSelector:
        selector = self.inner.selector()
        self.selector_is_live = self.inner.selector_is_live
        return selector

    def socket(self, family: int, kind: int) -> Any:
        inner = self.inner.socket(family, kind)
        try:
            sock = ScriptedSocket(inner, self) if self.make is None else self.make(inner)
        except OSError:
            inner.close()
            raise
        self.made.append(sock)
        return sock

    def accepting(self) -> None:
        """One of the sockets is about to accept."""
        self.accepts += 1
        if self.accept_fails:
            failure = self.accept_fails[0]
            if len(self.accept_fails) > 1 or not self.exhausted:
                self.accept_fails.pop(0)
            raise OSError(failure, os.strerror(failure))

    def getaddrinfo(self, host: str, port: int, flags: int = 0) -> Sequence[AddressInfo]:
        scripted = self.names.get(host)
        if scripted is None:
            return self.inner.getaddrinfo(host, port, flags)
        if flags & socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")  # not a number
        return scripted() if callable(scripted) else scripted

    def random(self) -> float:
        return self.inner.random()

    def wakeup(self) -> Wakeup:
        return self.inner.wakeup()

    def signals(self, wakeup: Wakeup) -> Signals:
        return self.inner.signals(wakeup)

    def workers(self, name: str, limit: int | None = None) -> Workers:
        return self.inner.workers(name, limit) if self.job is None else ScriptedWorkers(self.job)

    def thread_id(self) -> int:
        return self.inner.thread_id()

    def after_fork(self, callback: Callable[[], None]) -> None:
        self.tell_forked = callback

    def descriptor_limit(self) -> int:
        return self.inner.descriptor_limit() if self.limit is None else self.limit


def inet(port: int, host: str = "127.0.0.1") -> AddressInfo:
    """A row of `getaddrinfo`."""
    return (socket.AF_INET, socket.SOCK_STREAM, 0, "", (host, port))
