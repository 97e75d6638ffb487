"""The port forwarder: between real programs, and in the simulation, where it has to be as good as no forwarder."""

from __future__ import annotations

import hashlib
import random
import re
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.port_forwarder import OPTIONS, Client, Forwarder
from reactor import Connection, ConnectionOptions, OptionError, Protocol, Reactor, Transport, connect, listen
from reactor.simulation import CALM, HOSTILE, LOSSY_WIFI, Host, Profile, Simulation, check
from tests.cli.program import ADDRESS, DEADLINE, Program, connected, run

PROFILES = [CALM, LOSSY_WIFI, HOSTILE]
MOST_HELD = OPTIONS.high_water + OPTIONS.read_size
"""What a direction holds at most: beyond the mark nothing more is read, and one read was under way."""

# --- Between real programs --------------------------------------------------------------------------------------------


@contextmanager
def forwarding(target: str) -> Iterator[tuple[Program, str]]:
    with Program("examples.port_forwarder", "127.0.0.1:0", target) as program:
        yield program, program.wait_for(rf"port_forwarder listens at {ADDRESS}; Ctrl-C ends it")[1]


def total(program: Program, signum: int = signal.SIGINT) -> str:
    """End it with a signal; its last line."""
    program.process.send_signal(signum)
    status, out, err = program.finish()
    assert (status, err) == (0, "")
    return out.splitlines()[-1]


@contextmanager
def listening() -> Iterator[tuple[socket.socket, str]]:
    """A target that accepts when it is asked to."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE)
        yield listener, f"127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def accepted(listener: socket.socket) -> Iterator[socket.socket]:
    sock, _ = listener.accept()
    with sock:
        sock.settimeout(DEADLINE)
        yield sock


def read_all(sock: socket.socket) -> bytes:
    return b"".join(iter(lambda: sock.recv(1 << 16), b""))


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_each_connection_is_counted_and_all_of_them_at_the_end(signum: int) -> None:
    with listening() as (listener, target), forwarding(target) as (program, address):
        for question, answer in ((b"x" * 1_000, b"y" * 3_000_000), (b"", b"z")):
            with connected(address) as client, accepted(listener) as server:
                client.sendall(question)
                client.shutdown(socket.SHUT_WR)
                assert read_all(server) == question
                sending = threading.Thread(target=server.sendall, args=(answer,))
                sending.start()
                received = bytearray()
                while len(received) < len(answer):
                    received += client.recv(1 << 16)
                sending.join()
                assert received == answer
                server.shutdown(socket.SHUT_WR)
                assert client.recv(1) == b""
            counts = program.wait_for(r"^127\.0\.0\.1 port \d+: (.*)$")[1]
            assert counts == f"{len(question):,} bytes there, {len(answer):,} back"
        assert total(program, signum) == "2 connections: 1,000 bytes there, 3,000,001 back"


def test_ctrl_c_cuts_what_is_not_complete_and_counts_it() -> None:
    with (
        listening() as (listener, target),
        forwarding(target) as (program, address),
        connected(address) as client,
        accepted(listener) as server,
    ):
        client.sendall(b"12345")
        assert server.recv(100) == b"12345"
        server.sendall(b"678")
        assert client.recv(100) == b"678"
        assert total(program) == "1 connections: 5 bytes there, 3 back"
        for sock in (client, server):
            with pytest.raises(ConnectionResetError):
                sock.recv(1)


def test_a_target_that_is_not_there_ends_the_clients_connection() -> None:
    with listening() as (listener, target):
        listener.close()
        with forwarding(target) as (program, address):
            with pytest.raises(ConnectionResetError), connected(address) as client:  # perhaps as early as that
                client.recv(1)
            program.wait_for(rf"0 bytes there, 0 back \(cannot connect to {target} .*[Rr]efused")
            assert total(program) == "1 connections: 0 bytes there, 0 back"


def test_what_is_wrong_with_the_arguments_is_one_line() -> None:
    with listening() as (_, taken):
        for arguments, complaint in (
            (["127.0.0.1:0"], "usage: .* LISTEN TARGET"),
            (["127.0.0.1:0", "nowhere"], "port_forwarder: .*'nowhere'.*"),
            (["nowhere", taken], "port_forwarder: .*'nowhere'.*"),
            ([taken, taken], f"port_forwarder: .*{taken}.*"),
        ):
            status, out, err = run("examples.port_forwarder", *arguments)
            assert (status, out) == (1, "") and re.fullmatch(f"{complaint}\n", err)


PEERS = {"nc": ["nc", "-N", "{host}", "{port}"], "socat": ["socat", "-t", "30", "-", "TCP:{host}:{port}"]}


@pytest.mark.skipif(shutil.which("socat") is None, reason="socat is not installed, which runs sha256sum at the target")
@pytest.mark.parametrize(
    "peer",
    [pytest.param(peer, marks=pytest.mark.skipif(shutil.which(peer) is None, reason=f"{peer} is not installed"))
     for peer in PEERS],
)  # fmt: skip
def test_a_checksum_comes_back_after_the_end_of_what_was_sent(peer: str) -> None:
    sent = random.Random(1).randbytes(5_000_000)
    command = ["socat", "-d", "-d", "-t", "30", "TCP-LISTEN:0,bind=127.0.0.1", "EXEC:sha256sum"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            target = next(found[1] for line in server.stderr if (found := re.search(f"listening on .*{ADDRESS}", line)))
            with forwarding(target) as (program, address):
                host, port = address.split(":")
                client = [part.format(host=host, port=port) for part in PEERS[peer]]
                out = subprocess.run(client, input=sent, stdout=subprocess.PIPE, timeout=DEADLINE, check=True).stdout
                assert out.split()[0].decode() == hashlib.sha256(sent).hexdigest()
                assert total(program) == f"1 connections: 5,000,000 bytes there, {len(out)} back"
        finally:
            server.kill()


# --- In the simulation ------------------------------------------------------------------------------------------------


class Step(NamedTuple):
    """What one of the two does next: when it has received so much, it sends so much, or says that this was all."""

    needed: int
    size: int
    last: bool = False


class Talker(Protocol):
    """One of two who talk to each other, perhaps through a forwarder. It goes on sending after the other's end."""

    transport: Transport

    def __init__(self, host: Host, steps: list[Step], rest: float) -> None:
        self.host = host
        self.steps = list(steps)
        self.rest = rest  # seconds that it does not read after each read
        self.sent = random.Random(len(steps)).randbytes(sum(step.size for step in steps))
        self.position = 0
        self.received = bytearray()
        self.events: list[str] = []

    def connection_made(self, transport: Transport) -> None:
        self.transport = transport
        self.go_on()

    def data_received(self, data: bytes) -> None:
        self.received += data
        if self.rest:
            self.transport.pause_reading()
            self.host.reactor.call_later(self.rest, self.transport.resume_reading)
        self.go_on()

    def go_on(self) -> None:
        while self.steps and self.steps[0].needed <= len(self.received):
            step = self.steps.pop(0)
            self.transport.write(self.sent[self.position : self.position + step.size])
            self.position += step.size
            if step.last:
                self.transport.write_eof()

    def eof_received(self) -> bool:
        self.events.append("end of the stream")
        return True

    def connection_lost(self, exc: BaseException | None) -> None:
        self.events.append("over" if exc is None else type(exc).__name__)


class Conversation(NamedTuple):
    """Who does what: turns in which a side sends something, or ends its half; and how slowly each of them reads."""

    turns: list[tuple[int, int, bool]]
    """Side, bytes (0: the end), and whether it first waits for all that the other has sent in the turns before."""
    rests: tuple[float, float] = (0.0, 0.0)

    def steps(self) -> tuple[list[Step], list[Step]]:
        steps: tuple[list[Step], list[Step]] = ([], [])
        sent = [0, 0]
        ended = [False, False]
        for side, size, waits in [*self.turns, (0, 0, False), (1, 0, False)]:
            if not ended[side]:
                ended[side] = not size
                steps[side].append(Step(sent[1 - side] if waits else 0, size, ended[side]))
                sent[side] += size
        return steps


PATIENT = ConnectionOptions(write_timeout=None, drain_timeout=None)


class World:
    """A client, a target, and a forwarder between them."""

    def __init__(self, sim: Simulation, conversation: Conversation, *, buffers: int = 16 * 1024) -> None:
        self.sim = sim
        self.hosts = [sim.host("client", "10.0.0.1"), sim.host("target", "10.0.0.2")]
        self.between = sim.host("between", "10.0.0.3")
        for host in (*self.hosts, self.between):
            host.send_buffer = host.receive_buffer = buffers
        self.talkers = [
            Talker(host, steps, rest)
            for host, steps, rest in zip(self.hosts, conversation.steps(), conversation.rests, strict=True)
        ]
        self.log: list[str] = []
        self.most_held = 0
        self.client, self.target = self.talkers
        listen(self.hosts[1].reactor, lambda: self.target, "10.0.0.2:9000", options=PATIENT)

    def direct(self) -> None:
        connect(self.hosts[0].reactor, lambda: self.client, "target:9000", options=PATIENT)

    def forwarded(self) -> Forwarder:
        self.forwarder = Forwarder(self.between.reactor, "10.0.0.3:9000", "target:9000", self.log.append)
        connect(self.hosts[0].reactor, lambda: self.client, "between:9000", options=PATIENT)
        return self.forwarder

    def run(self, until: Callable[[], object]) -> None:
        """Until that is true, looking at each tick at what the forwarder keeps."""

        def watched() -> object:
            for connection in self.connections():
                self.most_held = max(self.most_held, connection.get_write_buffer_size())
            return until()

        self.sim.run(until=watched)

    def connections(self) -> Iterator[Connection]:
        for connection in self.forwarder.server.connections:
            yield connection
            client = connection.get_protocol()
            assert isinstance(client, Client)
            if client.connector.connection is not None:
                yield client.connector.connection

    def over(self) -> bool:
        return all(talker.events and talker.events[-1] != "end of the stream" for talker in self.talkers)

    def outcome(self) -> list[tuple[bytes, list[str]]]:
        return [(bytes(talker.received), talker.events) for talker in self.talkers]


def conversations() -> st.SearchStrategy[Conversation]:
    sizes = st.one_of(st.integers(0, 3), st.integers(1, 300_000))
    turns = st.lists(st.tuples(st.integers(0, 1), sizes, st.booleans()), max_size=8)
    rests = st.sampled_from([0.0, 0.0, 0.05])
    return st.builds(Conversation, turns, st.tuples(rests, rests))


@settings(max_examples=80, deadline=None)
@given(conversation=conversations(), profile=st.sampled_from(PROFILES), seed=st.integers(0, 1_000))
def test_any_conversation_through_it_is_the_direct_one(conversation: Conversation, profile: Profile, seed: int) -> None:
    with Simulation(seed, profile=profile) as sim:
        alone = World(sim, conversation)
        alone.direct()
        sim.run(until=alone.over)
    with Simulation(seed, profile=profile) as sim:
        world = World(sim, conversation)
        forwarder = world.forwarded()
        world.run(world.over)
        assert world.outcome() == alone.outcome()
        assert world.outcome() == [
            (world.target.sent, ["end of the stream", "over"]),
            (world.client.sent, ["end of the stream", "over"]),
        ]
        assert world.most_held <= MOST_HELD
        sim.run(until=lambda: world.log)
        there, back = len(world.client.sent), len(world.target.sent)
        assert world.log == [f"10.0.0.1 port 32768: {there:,} bytes there, {back:,} back"]
        assert forwarder.total() == f"1 connections: {there:,} bytes there, {back:,} back"
        sim.run_for(100)
        assert not list(world.connections())


@settings(max_examples=30, deadline=None)
@given(data=st.data(), conversation=conversations())
def test_any_conversation_survives_what_hypothesis_thinks_of(data: st.DataObject, conversation: Conversation) -> None:
    with Simulation(data=data, profile=HOSTILE) as sim:
        world = World(sim, conversation)
        world.forwarded()
        world.run(world.over)
        assert [received for received, _ in world.outcome()] == [world.target.sent, world.client.sent]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("reader", [0, 1])
def test_a_reader_that_rests_for_an_hour_gets_everything_and_memory_is_bounded(reader: int, profile: Profile) -> None:
    def conversation(sim: Simulation) -> None:
        world = World(sim, Conversation([(1 - reader, 1, False), (1 - reader, 2_000_000, False)]))
        world.forwarded()
        slow = world.talkers[reader]
        world.run(lambda: slow.received)
        slow.transport.pause_reading()
        sim.run_for(3_600)
        assert not world.over() and not world.log
        assert OPTIONS.high_water < max(connection.get_write_buffer_size() for connection in world.connections())
        slow.transport.resume_reading()
        world.run(world.over)
        assert slow.received == world.talkers[1 - reader].sent
        assert world.most_held <= MOST_HELD

    check(conversation, seeds=range(2), profile=profile)


def test_a_reader_that_rests_after_it_has_said_all_gets_the_end_as_well() -> None:
    with Simulation() as sim:
        world = World(sim, Conversation([(0, 0, False), (1, 70_000, False)]))
        world.forwarded()
        world.run(lambda: world.client.received)
        world.client.transport.pause_reading()
        sim.run_for(3_600)
        assert world.target.events == ["end of the stream", "over"]  # the forwarder has it all, and the client not
        world.client.transport.resume_reading()
        world.run(world.over)
        assert world.client.received == world.target.sent
        assert world.client.events == ["end of the stream", "over"]


BOTH_TALK = Conversation([(0, 1_000, False), (1, 1_000, False), (0, 500_000, True), (1, 500_000, False)], (0.01, 0.01))


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("ended", [False, True])
def test_a_connection_that_breaks_is_broken_on_the_other_side_as_well(
    side: int, ended: bool, profile: Profile
) -> None:
    def conversation(sim: Simulation) -> None:
        world = World(sim, BOTH_TALK)
        world.forwarded()
        breaks, other = world.talkers[side], world.talkers[1 - side]
        if ended:
            other.steps[1:] = [Step(0, 0, last=True)]  # half of it was complete
        world.run(lambda: len(breaks.received) >= 1_000 and len(other.received) >= 1_000)
        breaks.transport.abort()
        world.run(lambda: world.over() and world.log)
        assert other.events == ["ConnectionResetError"]
        assert breaks.sent.startswith(other.received)
        assert not list(world.connections())

    check(conversation, seeds=range(3), profile=profile)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("side", [0, 1])
def test_a_machine_that_crashes_is_noticed_when_tcp_gives_up(side: int, profile: Profile) -> None:
    def conversation(sim: Simulation) -> None:
        world = World(sim, Conversation([(0, 1_000, False), (1, 1_000, False)]))
        for talker in world.talkers:
            del talker.steps[1:]  # nobody has said that this was all
        world.forwarded()
        other = world.talkers[1 - side]
        world.run(lambda: all(len(talker.received) >= 1_000 for talker in world.talkers))
        world.hosts[side].crash()
        sim.run_for(60)
        other.transport.write(b"are you there?")
        world.run(lambda: other.events)
        assert other.events == ["ConnectionResetError"]
        sim.run(until=lambda: world.log)
        assert "timed out" in world.log[0]

    check(conversation, seeds=range(2), profile=profile)


@pytest.mark.parametrize("side", [0, 1])
def test_a_machine_that_crashes_in_silence_is_missed_by_the_next_day(side: int) -> None:
    with Simulation() as sim:
        world = World(sim, Conversation([(0, 1_000, False), (1, 1_000, False)]))
        for talker in world.talkers:
            del talker.steps[1:]  # nobody has said that this was all, and nobody says anything any more
        world.forwarded()
        world.run(lambda: all(len(talker.received) >= 1_000 for talker in world.talkers))
        sim.run_for(1)  # what was sent is acknowledged
        world.hosts[side].crash()
        sim.run_for(24 * 3600)
        assert world.talkers[1 - side].events == ["ConnectionResetError"]
        assert "timed out" in world.log[0]
        assert not list(world.connections())


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("obstacle", ["nobody listens", "no such name", "no way there"])
def test_a_target_that_cannot_be_reached_ends_the_clients_connection(obstacle: str, profile: Profile) -> None:
    def conversation(sim: Simulation) -> None:
        between, target = sim.host("between", "10.0.0.3"), sim.host("target", "10.0.0.2")
        sim.name("gone.example")
        log: list[str] = []
        address = "gone.example:9000" if obstacle == "no such name" else "10.0.0.2:9000"
        forwarder = Forwarder(between.reactor, "10.0.0.3:9000", address, log.append)
        if obstacle == "no way there":
            sim.partition(between, target)
        host = sim.host("client", "10.0.0.1")
        client = Talker(host, [Step(0, 10_000, last=True)], 0.0)
        connect(host.reactor, lambda: client, "10.0.0.3:9000")
        sim.run(until=lambda: client.events and log)
        assert client.events == ["ConnectionResetError"]
        assert f"0 bytes there, 0 back ({'cannot' if obstacle != 'no way there' else 'no connection'}" in log[0]
        assert forwarder.total() == "1 connections: 0 bytes there, 0 back"
        assert len(between.open_descriptors) == 4  # selector, wakeup, listener

    check(conversation, seeds=range(3), profile=profile)


def test_its_end_gives_up_a_target_that_does_not_answer() -> None:
    with Simulation() as sim:
        world = World(sim, Conversation([]))
        forwarder = world.forwarded()
        sim.partition(world.between, world.hosts[1])
        sim.run(until=lambda: forwarder.server.connections)
        world.between.reactor.stop()
        sim.run(until=lambda: world.client.events)
        assert world.client.events == ["ConnectionResetError"]
        assert world.log == ["10.0.0.1 port 32768: 0 bytes there, 0 back"]
        assert sim.time() < 1  # not after the connect timeout


def test_a_client_that_is_lost_before_the_target_answers_needs_no_target() -> None:
    with Simulation() as sim:
        world = World(sim, Conversation([]))
        forwarder = world.forwarded()
        sim.partition(world.between, world.hosts[1])
        sim.run(until=lambda: forwarder.server.connections)
        for connection in forwarder.server.connections:
            connection.abort()
        sim.run(until=lambda: world.log)
        assert len(world.between.open_descriptors) == 4  # selector, wakeup, listener
        sim.heal()
        sim.run_for(100)
        assert world.target.events == []


def test_there_are_no_more_clients_than_descriptors_for_two_each() -> None:
    with Simulation() as sim:
        between, target, crowd = (sim.host(name) for name in ("between", "target", "crowd"))
        between.descriptor_limit = 64 + 2 * 20
        log: list[str] = []
        forwarder = Forwarder(between.reactor, ":9000", "target:9000", log.append)
        talkers: list[Talker] = []

        def talker() -> Talker:
            talkers.append(Talker(target, [Step(0, 5)], 0.0))
            return talkers[-1]

        listen(target.reactor, talker, ":9000")
        clients = [Talker(crowd, [], 0.0) for _ in range(50)]
        for client in clients:
            connect(crowd.reactor, lambda client=client: client, "between:9000")  # type: ignore[misc]
        sim.run_for(10)
        assert len(forwarder.server.connections) == 20
        assert sum(bool(client.received) for client in clients) == 20
        for client in clients:
            client.transport.abort()
            sim.run_for(1)
        assert len(talkers) == 50 and not any("cannot" in line for line in log)


def test_a_target_that_is_no_address_is_refused_before_anybody_comes() -> None:
    with Reactor() as reactor, pytest.raises(OptionError, match="'nowhere'"):
        Forwarder(reactor, "127.0.0.1:0", "nowhere", print)
