"""Scripts of system calls, played on a kernel.

A script is a list of steps such as `a.send 4`: the letters name sockets, the words system calls. `l` listens on the
loopback. `a`, `b` and `c` are fresh sockets that may connect to it, and `A`, `B` and `C` are the other ends, which
exist from the moment they have been accepted. Whatever order the steps have, each has an outcome: the number of bytes,
the name of an error, a few words. After each step a selector is asked which sockets can be read and written. Both
together are a line of the transcript.

The simulation is played first. The real kernel is then played *against* its transcript: the loopback is very nearly
synchronous, but a busy machine may deliver a segment later, so what has not come yet is waited for, up to `PATIENCE`.
What is there and is not what was expected is a difference, and so is what never comes.

The bytes of a stream are numbered. Whoever receives them asserts that they come in order, with none lost or doubled.
"""

from __future__ import annotations

import errno
import selectors
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from reactor.kernel import Kernel
from tests.simulation.differential.allowed import AMOUNT, LEFT_OUT, TRUNCATED, USED, WRITABLE, Allowed
from tests.simulation.differential.steps import Step
from tests.simulation.differential.stream import pattern

__all__ = ["Line", "play"]

CLIENTS = ("a", "b", "c")

PATIENCE = 0.5
"""Seconds that the real kernel gets to do what is expected."""

SEND_BUFFER = 64 * 1024
"""SO_SNDBUF of every socket, in bytes: what fills it is a few hundred kilobytes."""

FILLING = 64 * 1024
"""Bytes of one `send` of a `fill`."""

EARLY, RESET = "early", "reset"

_HOW = {"RD": socket.SHUT_RD, "WR": socket.SHUT_WR, "RDWR": socket.SHUT_RDWR}

_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Line(NamedTuple):
    """A line of a transcript: the step, its outcome, and which sockets are ready for what afterwards."""

    step: Step
    outcome: str
    ready: str

    def __str__(self) -> str:
        """In columns."""
        return f"{self.step!s:<16} {self.outcome:<32} {self.ready}"


@dataclass(slots=True)
class End:
    """One socket, and what has become of the two streams through it."""

    socket: Any
    sent: int = 0  # bytes that its kernel has taken
    received: int = 0  # bytes that have been read from it
    shut: set[str] = field(default_factory=set)  # "RD", "WR": these halves; EARLY: that was before it was connected;
    # RESET: by a reset of which this end was told
    joined: bool = False  # it has been one end of a connection
    clogged: bool = False  # what it sent has filled the buffers, and the peer has not read all of it


class Desk:
    """The sockets of one play, on one kernel."""

    def __init__(self, kernel: Kernel) -> None:
        """Open the listener and the clients."""
        self.kernel = kernel
        self.selector = kernel.selector()
        self.ends: dict[str, End] = {}
        self.names: dict[Any, str] = {}  # which client has which address
        listener = self._open("l")
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
        listener.bind(("127.0.0.1", 0))
        listener.listen(2)
        self.address = listener.getsockname()
        for name in CLIENTS:
            self._open(name)

    def _open(self, name: str) -> Any:
        sock = self.kernel.socket(socket.AF_INET, socket.SOCK_STREAM)
        # Without Nagle's algorithm (RFC 9293 section 3.7.4) nothing waits for an acknowledgement. An accepted socket
        # inherits both options from the listener.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self._seat(name, sock)
        return sock

    def _seat(self, name: str, sock: Any) -> None:
        sock.setblocking(False)
        self.ends[name] = End(sock)
        self.selector.register(sock, _READ | _WRITE, name)

    def close(self) -> None:
        """Close whatever is open."""
        for end in self.ends.values():
            end.socket.close()
        self.selector.close()

    def line(self, step: Step, awaited: Line | None) -> Line:
        """Do one step, and give the kernel some time for what is `awaited`."""
        deadline = self.kernel.time() + PATIENCE
        outcome = self._do(step)
        if awaited is None:
            return Line(step, outcome, self._ready())
        while outcome == "EAGAIN" != awaited.outcome and self.kernel.time() < deadline:
            self.selector.select(0.005)
            outcome = self._do(step)
        while (ready := self._ready()) != awaited.ready and self.kernel.time() < deadline:
            self.selector.select(0.005)
        return Line(step, outcome, ready)

    def _do(self, step: Step) -> str:
        end = self.ends.get(step.who)
        if end is None:
            return "nobody"
        row = self._left_out(step, end)
        if row is not None:
            return row.instead
        try:
            return VERBS[step.verb](self, step.who, end, step.argument)
        except OSError as exc:
            return _failed(end, exc)

    def _left_out(self, step: Step, end: End) -> Allowed | None:
        """The row of the table, if there is one, that keeps this step from being done."""
        peer = self._peer(step.who)
        clogged = peer is not None and peer.clogged
        closed = peer is not None and (peer.socket.fileno() < 0 or {"RD", "WR"} <= peer.shut)
        match step.verb:
            case "connect" | "listen":
                used = bool(end.shut) or (end.joined and not self._is_connecting(end) and not self._is_connected(end))
                return USED if used else None
            case "bind":
                return USED if end.shut or end.joined else None
            case "recv" | "drain" | "sockname":
                return USED if EARLY in end.shut else None
            case "send" | "fill" if clogged and closed and end.received:
                return LEFT_OUT
            case "fill" if peer is not None and "RD" in peer.shut:
                return LEFT_OUT
            case "shutdown" if clogged and "RD" in step.argument:
                return LEFT_OUT
        return None

    def _is_connected(self, end: End) -> bool:
        try:
            end.socket.getpeername()
        except OSError:
            return False
        return True

    def _is_connecting(self, end: End) -> bool:
        """It is, if it has begun to, and is ready for nothing."""
        if not end.joined or self._is_connected(end):
            return False
        return all(key.fileobj is not end.socket for key, _ in self.selector.select(0))

    def _ready(self) -> str:
        """Which of the open sockets can be read and written now."""
        found = {key.data: events for key, events in self.selector.select(0)}
        words = []
        for name, end in self.ends.items():
            if end.socket.fileno() >= 0:
                events = found.get(name, 0)
                writable = "w" if events & _WRITE else "-"
                if end.clogged and "WR" not in end.shut:
                    writable = WRITABLE.instead
                words.append(f"{name}:{'r' if events & _READ else '-'}{writable}")
        return " ".join(words)

    def _peer(self, name: str) -> End | None:
        """The other end, if it was accepted."""
        return self.ends.get(name.swapcase())

    # --- Connecting -----------------------------------------------------------------------------------------------

    def connect(self, name: str, end: End, _: str) -> str:
        """connect(2) to the listener's address."""
        code: int = end.socket.connect_ex(self.address)
        if code == errno.EINPROGRESS:
            end.joined = True
            self.names[end.socket.getsockname()] = name
        elif code not in (0, errno.EALREADY, errno.EISCONN):
            end.shut.add("WR")
        return _word(code)

    def accept(self, _name: str, end: End, _: str) -> str:
        """accept(2); the outcome is the name of the new end."""
        sock, address = end.socket.accept()
        name = self.names[address].swapcase()
        self._seat(name, sock)
        self.ends[name].joined = True
        return name

    def listen(self, _name: str, end: End, backlog: str) -> str:
        """listen(2)."""
        end.socket.listen(int(backlog))
        return "ok"

    def bind(self, _name: str, end: End, where: str) -> str:
        """bind(2): to `any` port of the loopback, to the `taken` one, to a `foreign` address (RFC 5737)."""
        end.socket.bind({"any": ("127.0.0.1", 0), "taken": self.address, "foreign": ("203.0.113.1", 0)}[where])
        return "ok"

    # --- The two streams ------------------------------------------------------------------------------------------

    def send(self, _name: str, end: End, size: str) -> str:
        """send(2) of so many bytes."""
        if not end.clogged:
            return str(self._offer(end, int(size)))
        try:
            self._offer(end, int(size))
        except BlockingIOError:
            pass
        return AMOUNT.instead

    def fill(self, name: str, end: End, _argument: str) -> str:
        """send(2) until the kernel takes no more, and the selector says so too."""
        before = end.sent
        for _ in range(100):
            try:
                while True:
                    self._offer(end, FILLING)
            except BlockingIOError:
                if end.sent == before and not end.clogged:
                    raise
                end.clogged = True
            if not any(key.data == name and events & _WRITE for key, events in self.selector.select(0)):
                return "full"
        return "full, and yet writable"

    def recv(self, name: str, end: End, size: str) -> str:
        """recv(2) of at most so many bytes."""
        peer = self._peer(name)
        if peer is not None and peer.clogged and size != "0":
            return self.drain(name, end, "")
        return str(self._take(end, int(size)))

    def drain(self, name: str, end: End, _: str) -> str:
        """recv(2) until there is nothing: how much it was, and what came then."""
        peer = self._peer(name)
        before, loose = end.received, peer is not None and peer.clogged
        while True:
            try:
                ended = not self._take(end, 1 << 20)
            except BlockingIOError as exc:
                if peer is not None and end.received < peer.sent and self._comes_more(end):
                    continue
                ending = _failed(end, exc)
            except OSError as exc:
                ending = _failed(end, exc)
            else:
                if not ended:
                    continue
                ending = "the end"
            break
        amount = str(end.received - before)
        if peer is not None and loose:
            whole = end.received == peer.sent and RESET not in end.shut
            amount = "all of it" if whole else TRUNCATED.instead
            peer.clogged = False
        return f"{amount}, then {ending}"

    def _offer(self, end: End, size: int) -> int:
        taken: int = end.socket.send(pattern(end.sent, size))
        end.sent += taken
        return taken

    def _take(self, end: End, size: int) -> int:
        data = end.socket.recv(size)
        assert data == pattern(end.received, len(data)), "not what was sent"
        end.received += len(data)
        return len(data)

    def _comes_more(self, end: End) -> bool:
        with self.kernel.selector() as selector:
            selector.register(end.socket, _READ)
            return bool(selector.select(PATIENCE))

    def shutdown(self, _name: str, end: End, how: str) -> str:
        """shutdown(2)."""
        if not end.joined or self._is_connecting(end):
            end.shut.add(EARLY)
        end.shut |= {"RD", "WR"} if how == "RDWR" else {how}  # also where it fails: the socket is a used one then
        end.socket.shutdown(_HOW[how])
        return "ok"

    # --- The ends of it, and questions ----------------------------------------------------------------------------

    def close_end(self, _name: str, end: End, _: str) -> str:
        """close(2)."""
        if end.socket.fileno() >= 0:
            self.selector.unregister(end.socket)
        end.socket.close()
        return "ok"

    def reset(self, name: str, end: End, _: str) -> str:
        """close(2) after SO_LINGER with no time at all: socket(7)."""
        end.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, self.kernel.RESET_ON_CLOSE)
        return self.close_end(name, end, "")

    def error(self, _name: str, end: End, _: str) -> str:
        """getsockopt(2), SO_ERROR."""
        code: int = end.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code == errno.ECONNRESET:
            end.shut |= {"WR", RESET}
        return _word(code)

    def peername(self, _name: str, end: End, _: str) -> str:
        """getpeername(2)."""
        return self._place(end.socket.getpeername())

    def sockname(self, _name: str, end: End, _: str) -> str:
        """getsockname(2)."""
        return self._place(end.socket.getsockname())

    def get(self, _name: str, end: End, option: str) -> str:
        """getsockopt(2)."""
        return str(end.socket.getsockopt(*_option(option)))

    def set(self, _name: str, end: End, argument: str) -> str:
        """setsockopt(2)."""
        option, _, value = argument.partition(" ")
        end.socket.setsockopt(*_option(option), int(value))
        return "ok"

    def _place(self, address: Any) -> str:
        """An address in words, because ports differ from play to play."""
        if address == self.address:
            return "the listener's"
        return self.names.get(address, f"{address[0]}:{'port' if address[1] else 0}")


def _option(name: str) -> tuple[int, int]:
    level = socket.IPPROTO_TCP if name.startswith("TCP_") else socket.SOL_SOCKET
    return level, getattr(socket, name)


def _word(code: int) -> str:
    return errno.errorcode[code] if code else "ok"


def _failed(end: End, exc: OSError) -> str:
    """The error's name. A connection's error is the end of sending."""
    if isinstance(exc, ConnectionError) and end.joined:
        end.shut |= {"WR", RESET} if isinstance(exc, ConnectionResetError) else {"WR"}
    return _word(exc.errno or 0)


VERBS: dict[str, Callable[[Desk, str, End, str], str]] = {
    "connect": Desk.connect,
    "accept": Desk.accept,
    "listen": Desk.listen,
    "bind": Desk.bind,
    "send": Desk.send,
    "fill": Desk.fill,
    "recv": Desk.recv,
    "drain": Desk.drain,
    "shutdown": Desk.shutdown,
    "close": Desk.close_end,
    "reset": Desk.reset,
    "error": Desk.error,
    "peername": Desk.peername,
    "sockname": Desk.sockname,
    "get": Desk.get,
    "set": Desk.set,
}


def play(kernel: Kernel, steps: Sequence[Step], awaited: Sequence[Line] | None = None) -> list[Line]:
    """Play a script on a kernel; if another play's transcript is `awaited`, up to the first line that differs."""
    desk = Desk(kernel)
    transcript: list[Line] = []
    try:
        for index, step in enumerate(steps):
            line = desk.line(step, None if awaited is None else awaited[index])
            transcript.append(line)
            if awaited is not None and line != awaited[index]:
                break
    finally:
        desk.close()
    return transcript
