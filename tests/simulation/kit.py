"""What the tests of the simulation share: two machines, raw sockets on them, and a conversation through reactors.

With raw sockets a test says itself who calls what, and lets virtual time pass in between. A conversation is what a
correct program does, whatever the network does to it.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import reactor.simulation
from reactor import Protocol, Transport, connect, listen
from reactor.kernel import SystemKernel
from reactor.simulation import CALM, Host, Profile, Simulation
from reactor.simulation.sockets import SimulatedSocket

READ, WRITE = 1, 2

SERVER, CLIENT = "10.0.0.1", "10.0.0.2"


def two_hosts(seed: int = 0, *, profile: Profile = CALM, **arguments: Any) -> tuple[Simulation, Host, Host]:
    """A simulation with a server and a client; the `arguments` are the simulation's."""
    sim = Simulation(seed, profile=profile, **arguments)
    return sim, sim.host("server", SERVER), sim.host("client", CLIENT)


def tcp(host: Host, family: int = socket.AF_INET) -> SimulatedSocket:
    """A fresh socket."""
    return host.kernel.socket(family, socket.SOCK_STREAM)


def listening(host: Host, port: int = 9000, backlog: int = 16) -> SimulatedSocket:
    """A socket that listens at all addresses of `host`."""
    sock = tcp(host)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("0.0.0.0", port))
    sock.listen(backlog)
    return sock


def connecting(host: Host, to: str, port: int = 9000) -> SimulatedSocket:
    """A socket that has begun to connect."""
    sock = tcp(host)
    assert sock.connect_ex((to, port)) == errno.EINPROGRESS
    return sock


def connected(sim: Simulation, client: Host, server: Host, port: int = 9000) -> tuple[SimulatedSocket, SimulatedSocket]:
    """The two ends of a connection: the client's and the server's."""
    with listening(server, port) as listener:
        near = connecting(client, server.addresses[0], port)
        sim.run(until=lambda: listener.readiness() == READ)
        far, _ = listener.accept()
    return near, far


@contextmanager
def raises(code: int) -> Iterator[None]:
    """The block raises an `OSError` with this errno."""
    with pytest.raises(OSError) as caught:
        yield
    assert caught.value.errno == code, f"{caught.value!r}, and not {errno.errorcode[code]}"


def pending(sock: SimulatedSocket) -> int:
    """The error that waits in the socket."""
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def reset_on_close(sock: SimulatedSocket) -> None:
    """Let `close` send a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, SystemKernel.RESET_ON_CLOSE)


def fill(sock: SimulatedSocket, limit: int = 1 << 30) -> int:
    """Send until the kernel refuses; how many bytes that were."""
    total = 0
    while total < limit:
        try:
            total += sock.send(b"x" * 65_536)
        except BlockingIOError:
            return total
    raise AssertionError("the kernel takes everything")


def drain(sock: SimulatedSocket, size: int = 65_536) -> bytes:
    """Read until there is no more for now, or at all."""
    data = b""
    try:
        while piece := sock.recv(size):
            data += piece
    except BlockingIOError:
        pass
    return data


def take_all(sim: Simulation, sock: SimulatedSocket, size: int) -> bytes:
    """Read until `size` bytes have come, letting time pass."""
    data = b""
    while len(data) < size:
        sim.run(until=lambda: sock.readiness() & READ)
        piece = drain(sock)
        assert piece, f"it has ended after {len(data)} of {size} bytes"
        data += piece
    return data


class Log(Protocol):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.data = b""
        self.transport: Transport

    def connection_made(self, transport: Transport) -> None:
        self.transport = transport
        self.events.append("made")

    def data_received(self, data: bytes) -> None:
        self.data += data

    def eof_received(self) -> bool | None:
        self.events.append("eof")
        return None

    def connection_lost(self, exc: BaseException | None) -> None:
        self.events.append("lost")
        self.error = exc

    @property
    def is_over(self) -> bool:
        return "lost" in self.events


class Echo(Log):
    """Sends back what it gets, and closes when the other side does."""

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.transport.write(data)


class Caller(Log):
    """Sends all it has, ends its side, and listens to the end."""

    def __init__(self, chunks: list[bytes]) -> None:
        super().__init__()
        self.chunks = chunks

    def connection_made(self, transport: Transport) -> None:
        super().connection_made(transport)
        transport.writelines(self.chunks)
        transport.write_eof()


def converse(sim: Simulation, client: Host, server: Host, chunks: list[bytes], *, within: float = 3600.0) -> Caller:
    """Let `client` send the chunks, `server` echo them; returns the caller when all is over."""
    caller = Caller(chunks)
    listener = listen(server.reactor, Echo, f"{server.addresses[0]}:0")
    port = listener.port
    connect(client.reactor, lambda: caller, f"{server.addresses[0]}:{port}")
    sim.run(until=lambda: caller.is_over, within=within)
    listener.close()
    return caller


def in_callback(host: Host, function: Callable[..., object], *args: Any) -> None:
    """Have the program of `host` call `function(*args)` in its next tick."""
    host.reactor.call_soon(function, *args)


def talking(sim: Simulation, server: Host, client: Host) -> tuple[Log, Log]:
    """The client's and the server's protocol of a connection on which nobody says anything."""
    near, far = Log(), Log()
    listen(server.reactor, lambda: far, f"{SERVER}:9000")
    connect(client.reactor, lambda: near, f"{SERVER}:9000")
    sim.run(until=lambda: near.events and far.events)
    return near, far


def raising(error: BaseException) -> None:
    """Raises it."""
    raise error


def notes_of(error: BaseException) -> list[str]:
    """What an exception was told on its way."""
    return list(getattr(error, "__notes__", []))


def again(error: BaseException) -> str:
    """The line of Python in its notes that has the same run again."""
    (line,) = (note for note in notes_of(error) if note.startswith("again: "))
    assert "\n" not in line
    return line.removeprefix("again: ")


def simulation_again(error: BaseException) -> Simulation:
    """What that line makes, as somebody would who pastes it."""
    simulation = eval(again(error), dict(vars(reactor.simulation)))
    assert isinstance(simulation, Simulation)
    return simulation


def schedule_again(error: BaseException) -> list[tuple[str, int, int]]:
    """The schedule in that line."""
    arguments = eval(again(error), {**vars(reactor.simulation), "Simulation": dict})
    return list(arguments["schedule"])
