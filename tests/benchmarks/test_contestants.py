"""Every server function of every contestant does what its row takes for granted, in a process of its own.

Here the other side is a plain blocking socket. Where a server is not installed, its tests are skipped.
"""

from __future__ import annotations

import asyncio
import json
import platform
import random
import select
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.benchmarks.contestants import with_asyncio
from tests.benchmarks.processes import ROOT, LinePeer, killed_after
from tests.benchmarks.rows import ROWS
from tests.benchmarks.servers import ServerRow

COMMAND = [sys.executable, "-m", "tests.benchmarks.contestants"]
EVERYBODY = ("with_reactor", "with_asyncio", "with_uvloop", "with_threads", "bare")
BY_HAND = ("with_asyncio", "with_uvloop")
SECONDS = 30
MIB = 1 << 20

ECHO = [f"{module}:echo" for module in EVERYBODY]
SINK = [f"{module}:sink" for module in EVERYBODY]
FORWARD = [f"{module}:forward" for module in EVERYBODY]
LINES, PREFIXED, FANOUT = (
    [f"{module}:{function}" for module in EVERYBODY]
    + [f"{module}:{function}_{way}" for module in BY_HAND for way in ("protocol", "joined")]
    for function in ("lines", "prefixed", "fanout")
)


class Contestant:
    """A server process that has announced its port."""

    def __init__(self, peer: LinePeer, port: int) -> None:
        self.peer = peer
        self.port = port

    def usage(self) -> dict[str, float]:
        usage: dict[str, float] = json.loads(self.peer.ask())
        return usage


@contextmanager
def running(where: str, *arguments: str) -> Iterator[Contestant]:
    with LinePeer([*COMMAND, where, *arguments], None) as peer, killed_after(SECONDS, peer):
        hello = json.loads(peer.read())
        if "missing" in hello:
            pytest.skip(hello["missing"])
        yield Contestant(peer, hello["port"])


def connect(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def receive(client: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size and (more := client.recv(min(size - len(data), MIB))):
        data += more
    return bytes(data)


def receive_all(client: socket.socket) -> bytes:
    data = bytearray()
    while more := client.recv(MIB):
        data += more
    return bytes(data)


def exchange(client: socket.socket, request: bytes, size: int) -> bytes:
    """Send and receive at the same time, so that neither side has to keep all of it."""
    sender = threading.Thread(target=client.sendall, args=(request,))
    sender.start()
    answer = receive(client, size)
    sender.join()
    return answer


def assert_echoed_however_it_is_cut(port: int, stream: bytes) -> None:
    """Once in two parts, cut at any of the first places, and then in parts of all sizes at once."""
    with connect(port) as client:
        for cut in range(1, 80):
            client.sendall(stream[:cut])
            client.sendall(stream[cut:])
            assert receive(client, len(stream)) == stream
    dice = random.Random(1)
    with connect(port) as client:
        position = 0
        while position < len(stream):
            size = dice.randint(1, 50)
            client.sendall(stream[position : position + size])
            position += size
        assert receive(client, len(stream)) == stream
        many = stream * 500
        assert exchange(client, many, len(many)) == many


def test_every_server_function_that_a_row_names_is_tested_here() -> None:
    named = {where for row in ROWS.values() if isinstance(row, ServerRow) for where in row.servers.values()}
    in_python = {where for where in named if not where.startswith("C:")}
    assert in_python == {*ECHO, *SINK, *LINES, *PREFIXED, *FANOUT, *FORWARD}


# --- The frame of every server ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", [*ECHO, *SINK, *FANOUT, *LINES, *PREFIXED, *FORWARD])
def test_a_server_says_what_it_stands_on_and_ends_when_the_benchmark_is_gone(where: str) -> None:
    arguments = ["127.0.0.1:1"] if where in FORWARD else []
    command = [*COMMAND, where, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as server:
        try:
            assert server.stdin is not None and server.stdout is not None
            hello = json.loads(server.stdout.readline())
            if "missing" in hello:
                pytest.skip(hello["missing"])
            assert set(hello["versions"]) == {"Python", "uvloop"} if "uvloop" in where else {"Python"}
            assert hello["versions"]["Python"] == platform.python_version()
            assert hello["port"] > 0
            server.stdin.close()
            assert server.wait(SECONDS) == 0
        finally:
            server.kill()


def test_a_server_answers_with_what_it_has_used_so_far() -> None:
    with running("with_reactor:echo") as server:
        first = server.usage()
        assert set(first) == {"cpu", "resident", "peak"}
        with connect(server.port) as client:
            for _ in range(2_000):
                client.sendall(b"x")
                assert client.recv(1) == b"x"
        second = server.usage()
    assert 0 < first["cpu"] < second["cpu"] < SECONDS
    if Path("/proc/self/statm").exists():
        assert MIB < first["resident"] < first["peak"] + MIB < 500 * MIB


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")
def test_the_peak_of_a_server_is_its_own_and_not_that_of_who_started_it() -> None:
    ballast = bytearray(b"x") * (200 * MIB)
    with running("bare:echo") as server:
        assert server.usage()["peak"] < len(ballast)


def test_a_library_that_is_not_installed_is_said_to_be_missing() -> None:
    # None in sys.modules: an import says the same where there is none.
    program = f"import runpy, sys; sys.modules['uvloop'] = None; runpy.run_module({COMMAND[-1]!r}, run_name='__main__')"
    with LinePeer([sys.executable, "-c", program, "with_uvloop:echo"], None) as peer, killed_after(SECONDS, peer):
        assert json.loads(peer.read()) == {"missing": "uvloop is not installed"}


# --- Bytes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ECHO)
def test_an_echo_gives_back_every_byte_to_who_sent_it(where: str) -> None:
    with running(where) as server, ExitStack() as stack:
        clients = [stack.enter_context(connect(server.port)) for _ in range(20)]
        for number, client in enumerate(clients):
            client.sendall(b"%d" % (100 + number) * 30)
        for number, client in enumerate(clients):
            assert receive(client, 90) == b"%d" % (100 + number) * 30
        large = random.Random(2).randbytes(8 * MIB)  # more than the buffers between us hold
        clients[0].sendall(large[:100_000])
        assert receive(clients[0], 100_000) == large[:100_000]
        assert exchange(clients[0], large, len(large)) == large


@pytest.mark.parametrize("where", [*ECHO, *SINK, *FANOUT, *LINES, *PREFIXED])
def test_a_client_that_resets_is_no_end_for_the_others(where: str, capfd: pytest.CaptureFixture[str]) -> None:
    with running(where) as server, connect(server.port) as other:
        for _ in range(3):
            with connect(server.port) as client:
                client.sendall(b"\0\0\0\7begin")
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        whole = b"\0\0\0\1\n"  # a frame and a line
        other.sendall(whole)
        if where in SINK:
            other.shutdown(socket.SHUT_WR)
            whole = b"5\n"
        assert receive(other, len(whole)) == whole
        for _ in range(50):
            server.usage()  # meanwhile its threads say what they have to say
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("where", SINK)
def test_a_sink_counts_to_the_end_and_says_how_many(where: str) -> None:
    with running(where) as server:
        for size in (0, 1, 3 * MIB + 1, 64 * MIB):
            with connect(server.port) as client:
                for position in range(0, size, MIB):
                    client.sendall(bytes(min(MIB, size - position)))
                client.shutdown(socket.SHUT_WR)
                assert receive_all(client) == b"%d\n" % size


# --- Frames -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", LINES)
def test_lines_come_back_whole_however_they_are_cut(where: str) -> None:
    dice = random.Random(3)
    lines = [bytes(dice.choices(b"abcdefghijkl ", k=dice.randint(0, 100))) + b"\n" for _ in range(40)]
    with running(where) as server:
        assert_echoed_however_it_is_cut(server.port, b"".join(lines))


@pytest.mark.parametrize("where", PREFIXED)
def test_prefixed_frames_come_back_whole_however_they_are_cut(where: str) -> None:
    dice = random.Random(4)
    frames = [dice.randbytes(dice.randint(0, 300)) for _ in range(40)]
    with running(where) as server:
        assert_echoed_however_it_is_cut(
            server.port, b"".join(len(frame).to_bytes(4, "big") + frame for frame in frames)
        )


@pytest.mark.parametrize("where", [*LINES, *PREFIXED])
def test_what_is_not_yet_a_frame_is_not_answered(where: str) -> None:
    begin, end = (b"half a li", b"ne\n") if where in LINES else (b"\0\0\0\5fr", b"ame")
    with running(where) as server, connect(server.port) as client, connect(server.port) as other:
        for part in (begin[:2], begin[2:]):
            client.sendall(part)
            other.sendall(begin + end)  # its answer comes after the server has read the part
            assert receive(other, len(begin + end)) == begin + end
        assert select.select([client], [], [], 0)[0] == []
        client.sendall(end)
        assert receive(client, len(begin + end)) == begin + end


@pytest.mark.parametrize("where", [*LINES, *PREFIXED, *FANOUT])
def test_what_a_client_has_begun_is_not_continued_by_the_next_one(where: str) -> None:
    begun, whole = (b"\0\0\0\5fr", b"\0\0\0\3ame") if where in PREFIXED else (b"half a li", b"ne\n")
    with running(where) as server:
        for _ in range(3):
            with connect(server.port) as client, suppress(ConnectionError):
                client.sendall(begun)
                client.shutdown(socket.SHUT_WR)
                receive_all(client)  # until the server has closed it
        with connect(server.port) as client:  # whose descriptor has the same number there
            client.sendall(whole)
            assert receive(client, len(whole)) == whole


@pytest.mark.parametrize("where", [*LINES, *PREFIXED])
def test_frames_come_back_whole_when_the_kernel_takes_only_a_part(where: str) -> None:
    dice = random.Random(7)
    bodies = [dice.randbytes(500).hex().encode() for _ in range(8_000)]  # more than buffers hold; below limits
    stream = b"".join(body + b"\n" if where in LINES else len(body).to_bytes(4, "big") + body for body in bodies)
    with running(where) as server, connect(server.port) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        client.setblocking(False)
        sent = 0
        while sent < len(stream) and select.select([], [client], [], 0.5)[1]:  # until nothing moves, or all is inside
            sent += client.send(memoryview(stream)[sent:])
        client.settimeout(SECONDS)
        rest = threading.Thread(target=client.sendall, args=(stream[sent:],))
        rest.start()
        received = receive(client, len(stream))
        rest.join()
        assert received == stream


class Writes(asyncio.Transport):
    """A transport that remembers what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))


@pytest.mark.parametrize(
    ("alone", "joined", "frames"),
    [
        (with_asyncio.Lines, with_asyncio.LinesJoined, [b"one\n", b"\n", b"three\n"]),
        (lambda: with_asyncio.FanOut(set()), lambda: with_asyncio.FanOutJoined(set()), [b"one\n", b"\n", b"three\n"]),
        (with_asyncio.Prefixed, with_asyncio.PrefixedJoined, [b"\0\0\0\3one", b"\0\0\0\0", b"\0\0\0\5three"]),
    ],
    ids=["lines", "fanout", "prefixed"],
)
def test_a_protocol_writes_each_frame_by_itself_and_a_joined_one_those_of_a_read_at_once(
    alone: Callable[[], asyncio.Protocol], joined: Callable[[], asyncio.Protocol], frames: list[bytes]
) -> None:
    one, two, three = frames
    for factory, expected in ((alone, [one, two]), (joined, [one + two])):
        protocol, transport = factory(), Writes()
        protocol.connection_made(transport)
        protocol.data_received(one + two + three[:3])
        assert transport.writes == expected
        protocol.data_received(three[3:5])
        assert transport.writes == expected  # what was answered is not answered again
        protocol.data_received(three[5:])
        assert transport.writes == [*expected, three]


def test_the_bare_loop_cuts_at_the_last_frame_that_is_whole() -> None:
    bare = pytest.importorskip("tests.benchmarks.contestants.bare")
    for cut, whole, begun in (
        (bare.cut_lines, b"one\n\nthree\n", b"fo"),
        (bare.cut_prefixed, b"\0\0\0\3one\0\0\0\0", b"\0\0\0\5thr"),
        (bare.cut_prefixed, b"\0\0\0\1x", b"\0\0\0"),
    ):
        assert cut(whole + begun) == (whole, begun)
        assert cut(whole) == (whole, b"")
        assert cut(begun) == (b"", begun)


@pytest.mark.parametrize("where", FANOUT)
def test_every_line_goes_to_all_and_to_its_sender(where: str) -> None:
    with running(where) as server, ExitStack() as stack:
        clients: list[socket.socket] = []
        for number in range(50):  # one after the other, so that it is known who is there
            clients.append(stack.enter_context(connect(server.port)))
            clients[-1].sendall(b"%d " % number)
            clients[-1].sendall(b"is here\n")
            expected = b"%d is here\n" % number
            for receiver in clients:
                assert receive(receiver, len(expected)) == expected
        burst = b"".join(b"line %d\n" % number for number in range(10))
        clients[7].sendall(burst)
        for receiver in clients:
            assert receive(receiver, len(burst)) == burst
        for client in clients[:5]:
            client.close()
        clients[5].sendall(burst)
        for receiver in clients[5:]:
            assert receive(receiver, len(burst)) == burst


@pytest.mark.parametrize("where", FANOUT)
def test_lines_are_shared_whole_when_the_kernel_takes_only_a_part(where: str) -> None:
    lines = b"".join(b"%999d\n" % number for number in range(6_000))  # more than buffers hold; below limits
    with running(where) as server, ExitStack() as stack:
        clients: list[socket.socket] = []
        for _ in range(3):
            clients.append(stack.enter_context(connect(server.port)))
            clients[-1].sendall(b"here\n")
            assert [receive(client, 5) for client in clients] == [b"here\n"] * len(clients)
        received = [b""] * 3

        def take(number: int) -> None:
            received[number] = receive(clients[number], len(lines))

        takers = [threading.Thread(target=take, args=(number,)) for number in range(3)]
        for taker in takers:
            taker.start()
        clients[0].sendall(lines)
        for taker in takers:
            taker.join()
        assert received == [lines] * 3


# --- The forwarder ----------------------------------------------------------------------------------------------------


@contextmanager
def forwarding(where: str, buffer_size: int = 0) -> Iterator[tuple[Contestant, socket.socket, socket.socket]]:
    """A forwarder and the two who talk through it: who has connected, and who was connected to."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(SECONDS)
        if buffer_size:  # inherited by what is accepted
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_size)
        with running(where, f"127.0.0.1:{listening.getsockname()[1]}") as server, connect(server.port) as client:
            client.sendall(b"first")  # before there is anybody to whom it could be passed on
            target, _ = listening.accept()
            with target:
                target.settimeout(SECONDS)
                assert receive(target, 5) == b"first"
                yield server, client, target


@pytest.mark.parametrize("where", FORWARD)
def test_a_forwarder_passes_on_both_directions_and_each_end_by_itself(where: str) -> None:
    data = random.Random(5).randbytes(4 * MIB)
    for reverse in (False, True):
        with forwarding(where) as (_, client, target):
            one, two = (target, client) if reverse else (client, target)
            one.sendall(b"ping")
            assert receive(two, 4) == b"ping"
            two.sendall(b"pong")
            assert receive(one, 4) == b"pong"
            assert all_of(one, data, two) == data
            two.sendall(b"still here")  # its own direction goes on
            assert receive(one, 10) == b"still here"
            assert all_of(two, data, one) == data


def all_of(one: socket.socket, data: bytes, two: socket.socket) -> bytes:
    """What `two` receives to the end when `one` sends `data` and ends."""
    sender = threading.Thread(target=send_rest, args=(one, data, 0, len(data)))
    sender.start()
    received = receive_all(two)
    sender.join()
    return received


@pytest.mark.parametrize("where", FORWARD)
@pytest.mark.parametrize("question", [b"question", b""], ids=["something", "nothing"])
def test_a_forwarder_passes_on_what_was_said_and_ended_before_there_was_anybody(where: str, question: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(SECONDS)
        with running(where, f"127.0.0.1:{listening.getsockname()[1]}") as server, connect(server.port) as client:
            client.sendall(question)
            client.shutdown(socket.SHUT_WR)
            target, _ = listening.accept()
            with target:
                target.settimeout(SECONDS)
                assert receive_all(target) == question
                target.sendall(b"answer")
            assert receive_all(client) == b"answer"


@pytest.mark.parametrize("where", FORWARD)
@pytest.mark.parametrize("back", [False, True], ids=["there", "back"])
def test_a_forwarder_holds_no_more_than_a_few_reads_for_a_slow_reader(where: str, back: bool) -> None:
    block = random.Random(6).randbytes(MIB)
    total = 64 * MIB  # more than the kernel's buffers hold
    with forwarding(where, buffer_size=64 * 1024) as (server, client, target):
        before = server.usage()["peak"]
        fast, slow = (target, client) if back else (client, target)
        fast.setblocking(False)
        sent = 0
        while sent < total and select.select([], [fast], [], 0.5)[1]:  # until nothing moves, or all of it is inside
            sent += fast.send(memoryview(block)[sent % MIB :])
        assert server.usage()["peak"] - before < 16 * MIB
        fast.settimeout(SECONDS)
        received = 0
        rest = threading.Thread(target=send_rest, args=(fast, block, sent, total))
        rest.start()
        while data := slow.recv(MIB):
            start = received % MIB
            assert data == (block + block)[start : start + len(data)]
            received += len(data)
        rest.join()
        assert received == total
        assert server.usage()["peak"] - before < 16 * MIB


def send_rest(fast: socket.socket, block: bytes, sent: int, total: int) -> None:
    while sent < total:
        sent += fast.send(memoryview(block)[sent % len(block) :])
    fast.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("where", FORWARD)
def test_a_forwarder_lets_go_of_one_side_when_the_other_is_gone(where: str) -> None:
    for reverse in (False, True):
        with forwarding(where) as (server, client, target):
            one, two = (target, client) if reverse else (client, target)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.close()
            try:
                assert two.recv(1) == b""
            except ConnectionResetError:
                pass
            assert server.usage()["cpu"] > 0  # it was not killed for taking too long
