"""What the siege has found in the engine: the smallest case of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reactor import BufferedProtocol, ConnectionOptions, Protocol, Transport, connect, listen
from reactor.simulation import Simulation


class Plain(Protocol):
    """Keeps what it is told."""

    transport: Transport

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.lost: list[BaseException | None] = []

    def connection_made(self, transport: Transport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received.append(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.lost.append(exc)


class Memory(BufferedProtocol):
    """Keeps what it is told; the first time it is asked for memory it does something else as well."""

    transport: Transport

    def __init__(self, first: Callable[[Memory], object]) -> None:
        self.first: Callable[[Memory], object] | None = first
        self.received: list[bytes] = []
        self.buffer = bytearray()

    def connection_made(self, transport: Transport) -> None:
        self.transport = transport

    def get_buffer(self, sizehint: int) -> bytearray:
        first, self.first = self.first, None
        if first is not None:
            first(self)
        self.buffer = bytearray(100)
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.received.append(bytes(self.buffer[:nbytes]))


class Interrupted(Plain):
    """Ctrl-C strikes the first time that one of its callbacks is called."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.where = where
        self.called: list[str] = []

    def eof_received(self) -> None:
        self._strike("eof_received")

    def resume_writing(self) -> None:
        self._strike("resume_writing")

    def _strike(self, where: str) -> None:
        self.called.append(where)
        if self.where == where and self.called.count(where) == 1:
            raise KeyboardInterrupt


def pair(sim: Simulation, near: Plain | Memory) -> Plain:
    """Connect `near`, a server's, with another end."""
    host, far = sim.host("here", "10.0.0.1"), Plain()
    server = listen(host.reactor, lambda: near, "127.0.0.1:0", options=ConnectionOptions(drain_timeout=None))
    connect(host.reactor, lambda: far, f"127.0.0.1:{server.port}")
    sim.run(until=lambda: hasattr(near, "transport") and hasattr(far, "transport"))
    return far


@pytest.mark.parametrize("arriving", [True, False], ids=["while new input waits", "while old input is redelivered"])
def test_what_is_given_back_in_get_buffer_comes_before_what_is_newer(arriving: bool) -> None:
    near = Memory(lambda memory: memory.transport.unread(b"1"))
    with Simulation() as sim:
        far = pair(sim, near)

        if arriving:
            far.transport.write(b"2")
        else:
            near.transport.unread(b"2")
        sim.run_for(1.0)

    assert b"".join(near.received) == b"12"


def test_close_after_write_eof_is_clean_while_the_peers_end_waits_unread() -> None:
    near = Plain()
    with Simulation() as sim:
        far = pair(sim, near)

        far.transport.pause_reading()
        far.transport.write_eof()
        sim.run(until=lambda: near.lost)
        far.transport.close()
        sim.run(until=lambda: far.lost)

    assert near.lost == far.lost == [None]


def run_through_ctrl_c(sim: Simulation, until: Callable[[], object]) -> None:
    """Run the one host by hand until that holds, through one Ctrl-C."""
    reactor = sim.hosts["here"].reactor
    with pytest.raises(KeyboardInterrupt):
        while True:
            reactor.run_once(1.0)
    for _ in range(1000):
        if until():
            return
        reactor.run_once(1.0)
    raise AssertionError("it never came")


def test_the_end_of_a_stream_is_told_once_although_ctrl_c_went_through_that() -> None:
    near = Interrupted("eof_received")
    with Simulation() as sim:
        far = pair(sim, near)

        far.transport.write_eof()
        run_through_ctrl_c(sim, lambda: near.lost and far.lost)

    assert near.called == ["eof_received"]
    assert near.lost == far.lost == [None]


def test_what_was_given_back_arrives_although_ctrl_c_went_through_get_buffer() -> None:
    def interrupt(memory: Memory) -> None:
        raise KeyboardInterrupt

    near = Memory(interrupt)
    with Simulation() as sim:
        far = pair(sim, near)

        near.transport.unread(b"1")
        far.transport.write(b"2")
        run_through_ctrl_c(sim, lambda: b"".join(near.received) == b"12")


def test_a_closing_connection_ends_although_ctrl_c_went_through_resume_writing() -> None:
    near = Interrupted("resume_writing")
    with Simulation() as sim:
        far = pair(sim, near)

        near.transport.write(bytes(1_000_000))
        near.transport.close()
        run_through_ctrl_c(sim, lambda: near.lost and far.lost)

    assert sum(map(len, far.received)) == 1_000_000
    assert near.lost == far.lost == [None]


def test_a_request_ends_although_ctrl_c_went_through_its_factory() -> None:
    def factory() -> Protocol:
        raise KeyboardInterrupt

    with Simulation() as sim:
        pair(sim, Plain())
        reactor = sim.hosts["here"].reactor
        server = listen(reactor, Plain, "127.0.0.1:0")
        connector = connect(
            reactor, factory, f"127.0.0.1:{server.port}", options=ConnectionOptions(connect_timeout=None)
        )
        run_through_ctrl_c(sim, lambda: connector.state.value in ("cancelled", "failed"))


def test_a_heartbeat_that_was_in_time_counts_although_the_tick_is_late() -> None:
    class Beating(Protocol):
        transport: Any = None
        received = b""
        ended = False

        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.received += data

        def connection_lost(self, exc: BaseException | None) -> None:
            self.ended = True

    with Simulation() as sim:
        near, far = sim.host("near", "10.0.0.1"), sim.host("far", "10.0.0.2")
        beating, peer = Beating(), Beating()
        server = listen(far.reactor, lambda: peer, "10.0.0.2:0")
        connect(near.reactor, lambda: beating, server.addresses[0], options=ConnectionOptions(idle_timeout=1.0))
        sim.run(until=lambda: beating.transport and peer.transport)
        near.reactor.call_later(0.9, lambda: beating.transport.write(b"alive"))  # before the idle deadline
        near.pace = 1.1  # but the tick comes after both
        near.reactor.call_soon(int)
        sim.run_for(1.5)
        assert (beating.ended, peer.received) == (False, b"alive")
