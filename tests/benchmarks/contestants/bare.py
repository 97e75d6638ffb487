"""The least that Python can do: epoll, recv, send, and nothing around them. The ceiling of the language.

No limits, no deadlines, no errors but the end of the stream. What a loop costs above this is what it gives for it.

Each server is one loop that does one thing, with every trick that it allows. All read into one buffer, since nothing is
kept of what was read: against an object for each read that saves 0.1 µs. It has 256 KiB: with 64, an echo of 100 KiB
takes a fourth more. Where frames are read, each of them is cut out as an object, as a program needs it that does
anything with frames; but nothing is called for it, and all of a read are answered in one send. And `forward` connects
with a blocking call, which only a forwarder to the same machine may do.
"""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Callable

from tests.benchmarks.contestants.announcing import BACKLOG, HOST, Announce

__all__ = ["echo", "fanout", "forward", "lines", "prefixed", "sink"]

if not hasattr(select, "epoll"):
    raise ModuleNotFoundError(name="epoll")

READ_SIZE = 256 * 1024
PREFIX = struct.Struct(">I")  # read where it lies: against a slice and `int.from_bytes` that saves 0.08 µs a frame
IN, OUT = select.EPOLLIN, select.EPOLLOUT

Clients = dict[int, socket.socket]
Cut = Callable[[bytes], tuple[bytes, bytes]]


def listen(announce: Announce) -> tuple[socket.socket, select.epoll]:
    listening = socket.create_server((HOST, 0), backlog=BACKLOG)
    listening.setblocking(False)
    poller = select.epoll()
    poller.register(listening.fileno(), IN)
    announce(listening.getsockname()[1])
    return listening, poller


def accept_all(listening: socket.socket) -> list[socket.socket]:
    """All who wait."""
    accepted = []
    try:
        while True:
            client = listening.accept()[0]
            client.setblocking(False)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            accepted.append(client)
    except (BlockingIOError, ConnectionError):
        return accepted


def admit(listening: socket.socket, poller: select.epoll, clients: Clients) -> None:
    for client in accept_all(listening):
        clients[client.fileno()] = client
        poller.register(client.fileno(), IN)


def echo(announce: Announce) -> None:
    listening, poller = listen(announce)
    clients: Clients = {}
    unsent: dict[int, bytes] = {}
    buffer = bytearray(READ_SIZE)
    view = memoryview(buffer)
    while True:
        for fd, events in poller.poll():
            client = clients.get(fd)
            if client is None:
                admit(listening, poller, clients)
                continue
            # A connection with unsent bytes is watched for writing only, so every event means exactly one thing.
            writing = events & OUT
            try:
                data = unsent.pop(fd) if writing else view[: client.recv_into(buffer)]
                sent = client.send(data)
            except BlockingIOError:  # from send
                sent = 0
            except ConnectionError:
                data = b""
            if not data:
                poller.unregister(fd)
                clients.pop(fd).close()
            elif sent < len(data):
                unsent[fd] = bytes(data[sent:])
                if not writing:
                    poller.modify(fd, OUT)
            elif writing:
                poller.modify(fd, IN)


def cut_lines(data: bytes) -> tuple[bytes, bytes]:
    """Cut out each line: all of them together, and the one that has only begun."""
    lines = data.split(b"\n")
    rest, lines[-1] = lines[-1], b""  # so that every line ends when they are joined
    return b"\n".join(lines), rest


def cut_prefixed(data: bytes) -> tuple[bytes, bytes]:
    """Cut out each frame, with its prefix: all of them together, and the one that has only begun."""
    frames = []
    position, available = 0, len(data)
    while (begin := position + PREFIX.size) <= available:
        end = begin + PREFIX.unpack_from(data, position)[0]
        if end > available:
            break
        frames.append(data[position:end])
        position = end
    return b"".join(frames), data[position:]


def echo_frames(announce: Announce, cut: Cut) -> None:
    """As `echo`, but of whole frames."""
    listening, poller = listen(announce)
    clients: Clients = {}
    unfinished: dict[int, bytes] = {}
    unsent: dict[int, bytes] = {}
    buffer = bytearray(READ_SIZE)
    view = memoryview(buffer)
    while True:
        for fd, events in poller.poll():
            client = clients.get(fd)
            if client is None:
                admit(listening, poller, clients)
                continue
            writing = events & OUT
            ended = False
            try:
                if writing:
                    frames = unsent.pop(fd)
                elif size := client.recv_into(buffer):
                    frames, unfinished[fd] = cut(unfinished.get(fd, b"") + view[:size])
                else:
                    frames, ended = b"", True
                sent = client.send(frames) if frames else 0
            except BlockingIOError:  # from send
                sent = 0
            except ConnectionError:
                ended = True
            if ended:
                poller.unregister(fd)
                clients.pop(fd).close()
                unfinished.pop(fd, None)
            elif sent < len(frames):
                unsent[fd] = frames[sent:]
                if not writing:
                    poller.modify(fd, OUT)
            elif writing:
                poller.modify(fd, IN)


def lines(announce: Announce) -> None:
    echo_frames(announce, cut_lines)


def prefixed(announce: Announce) -> None:
    echo_frames(announce, cut_prefixed)


def sink(announce: Announce) -> None:
    listening, poller = listen(announce)
    clients: Clients = {}
    counts: dict[int, int] = {}
    buffer = bytearray(READ_SIZE)
    while True:
        for fd, _ in poller.poll():
            client = clients.get(fd)
            if client is None:
                admit(listening, poller, clients)
                continue
            try:
                size = client.recv_into(buffer)
                if size:
                    counts[fd] = counts.get(fd, 0) + size
                    continue
                client.send(b"%d\n" % counts.get(fd, 0))
            except ConnectionError:
                pass
            counts.pop(fd, None)
            poller.unregister(fd)
            clients.pop(fd).close()


def fanout(announce: Announce) -> None:
    listening, poller = listen(announce)
    clients: Clients = {}
    unfinished: dict[int, bytes] = {}  # the line that has begun
    unsent: dict[int, bytes] = {}
    buffer = bytearray(READ_SIZE)
    view = memoryview(buffer)
    while True:
        for fd, events in poller.poll():
            client = clients.get(fd)
            if client is None:
                admit(listening, poller, clients)
                continue
            try:
                if events & OUT:
                    rest = unsent.pop(fd)
                    if not send_or_keep(fd, client, rest, unsent):
                        poller.modify(fd, IN)
                if not events & ~OUT:
                    continue
                size = client.recv_into(buffer)
            except ConnectionError:
                size = 0
            if not size:
                poller.unregister(fd)
                clients.pop(fd).close()
                unfinished.pop(fd, None)
                unsent.pop(fd, None)
                continue
            lines, unfinished[fd] = cut_lines(unfinished.get(fd, b"") + view[:size])
            if lines:
                share(lines, poller, clients, unsent)


def share(lines: bytes, poller: select.epoll, clients: Clients, unsent: dict[int, bytes]) -> None:
    for fd, client in clients.items():
        if fd in unsent:
            unsent[fd] += lines
            continue
        try:
            if send_or_keep(fd, client, lines, unsent):
                poller.modify(fd, IN | OUT)
        except ConnectionError:
            pass  # it will be readable, and be closed


def send_or_keep(fd: int, client: socket.socket, data: bytes, unsent: dict[int, bytes]) -> bool:
    """Send `data`, keep what does not fit; whether there is such a rest."""
    try:
        sent = client.send(data)
    except BlockingIOError:
        sent = 0
    if sent < len(data):
        unsent[fd] = data[sent:]
        return True
    return False


class Side:
    """One of the two connections of a forwarder."""

    __slots__ = ("ended", "fd", "other", "socket", "unsent", "watched")

    other: Side

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.fd = sock.fileno()
        self.ended = False  # all it had to say was read
        self.unsent = b""  # what the other side said, and this one has not taken
        self.watched = 0

    def watch(self, poller: select.epoll) -> None:
        """Read while the other side takes it; write while something waits. To be watched for nothing would not stop
        epoll from telling of a hang-up, again and again.
        """
        wanted = 0 if self.ended or self.other.unsent else IN
        if self.unsent:
            wanted |= OUT
        if wanted == self.watched:
            return
        if not self.watched:
            poller.register(self.fd, wanted)
        elif wanted:
            poller.modify(self.fd, wanted)
        else:
            poller.unregister(self.fd)
        self.watched = wanted

    def send(self, data: bytes | memoryview) -> None:
        """Send `data`, keep what does not fit."""
        try:
            sent = self.socket.send(data)
        except BlockingIOError:
            sent = 0
        self.unsent = bytes(data[sent:])


def forward(announce: Announce, target: str) -> None:
    host, _, port = target.rpartition(":")
    listening, poller = listen(announce)
    sides: dict[int, Side] = {}
    buffer = bytearray(READ_SIZE)
    view = memoryview(buffer)
    while True:
        for fd, events in poller.poll():
            side = sides.get(fd)
            if side is None:
                for client in accept_all(listening):
                    pair(client, (host, int(port)), poller, sides)
                continue
            other = side.other
            try:
                if events & OUT:
                    side.send(side.unsent)
                elif size := side.socket.recv_into(buffer):
                    other.send(view[:size])
                else:
                    side.ended = True  # and nothing of it is unsent, or it would not have been read
                    other.socket.shutdown(socket.SHUT_WR)
            except BlockingIOError:  # from recv: what was reported of another socket, which had this number before
                continue
            except OSError:  # one of the two is gone: so is the other
                side.ended = other.ended = True
                side.unsent = other.unsent = b""
            side.watch(poller)
            other.watch(poller)
            if not (side.watched or other.watched):
                for each in (side, other):
                    del sides[each.fd]
                    each.socket.close()


def pair(client: socket.socket, address: tuple[str, int], poller: select.epoll, sides: dict[int, Side]) -> None:
    target = socket.create_connection(address)
    target.setblocking(False)
    target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    one, two = Side(client), Side(target)
    one.other, two.other = two, one
    for side in (one, two):
        sides[side.fd] = side
        side.watch(poller)
