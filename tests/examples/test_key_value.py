"""The key-value server: as Redis' own tools see it, word by word, and on networks that are not kind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from examples import key_value_data
from examples.key_value import MOST_WAITING, serve
from examples.key_value_commands import MOST_CHANNELS
from reactor import FramedProtocol, Reactor, RespCodec, RespError, RespStatus, RespValue, Server, Transport, connect
from reactor.simulation import CALM, HOSTILE, LOSSY_WIFI, Host, Profile, Simulation, check
from tests.cli.program import ADDRESS, DEADLINE, Program, connected, run

each_profile = pytest.mark.parametrize("profile", [CALM, LOSSY_WIFI, HOSTILE], ids=["calm", "wifi", "hostile"])
OK = RespStatus(b"OK")


def error(text: str) -> RespError:
    return RespError(text.encode())


# --- Word by word -----------------------------------------------------------------------------------------------------

NOT_AN_INTEGER = error("ERR value is not an integer or out of range")
SYNTAX = error("ERR syntax error")
IN_A_SUBSCRIPTION = "only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
CONVERSATION: list[tuple[str, Any]] = [
    ("PING", RespStatus(b"PONG")),
    ("ping hello", b"hello"),
    ("PING a b", error("ERR wrong number of arguments for 'ping' command")),
    ("ECHO x", b"x"),
    ("ECHO", error("ERR wrong number of arguments for 'echo' command")),
    ("Nonsense", error("ERR unknown command 'Nonsense', with args beginning with: ")),
    ("nonsense a b", error("ERR unknown command 'nonsense', with args beginning with: 'a' 'b' ")),
    ("GET k", None),
    ("SET k v", OK),
    ("GET k", b"v"),
    ("SET k", error("ERR wrong number of arguments for 'set' command")),
    ("SET k v NX", None),
    ("SET other v XX", None),
    ("SET k w XX", OK),
    ("GET k", b"w"),
    ("SET k v NX XX", SYNTAX),
    ("SET k v EX 1 PX 1", SYNTAX),
    ("SET k v nonsense", SYNTAX),
    ("SET k v EX", SYNTAX),
    ("SET k v EX x", NOT_AN_INTEGER),
    ("SET k v EX 99999999999999999999", NOT_AN_INTEGER),
    ("SET k v PX 0", error("ERR invalid expire time in 'set' command")),
    ("SET k v EX 9223372036854775807", error("ERR invalid expire time in 'set' command")),
    ("TTL k", -1),
    ("TTL nothing", -2),
    ("EXPIRE k 100", 1),
    ("TTL k", 100),
    ("EXPIRE nothing 100", 0),
    ("EXPIRE k x", NOT_AN_INTEGER),
    ("EXPIRE k 9223372036854775807", error("ERR invalid expire time in 'expire' command")),
    ("SET k v ex 50 xx", OK),
    ("TTL k", 50),
    ("SET k v PX 70000", OK),
    ("TTL k", 70),
    ("SET k v", OK),
    ("TTL k", -1),
    ("EXPIRE k -1", 1),
    ("EXISTS k", 0),
    ("INCR n", 1),
    ("INCRBY n 10", 11),
    ("DECR n", 10),
    ("DECRBY n 20", -10),
    ("GET n", b"-10"),
    ("EXPIRE n 100", 1),
    ("INCR n", -9),
    ("TTL n", 100),
    ("SET n 9223372036854775807", OK),
    ("INCR n", error("ERR increment or decrement would overflow")),
    ("SET n 01", OK),
    ("INCR n", NOT_AN_INTEGER),
    ("SET n word", OK),
    ("DECR n", NOT_AN_INTEGER),
    ("MSET a 1 b 2", OK),
    ("MSET a", error("ERR wrong number of arguments for 'mset' command")),
    ("MSET a 1 b", error("ERR wrong number of arguments for 'mset' command")),
    ("MGET a nothing b", [b"1", None, b"2"]),
    ("EXISTS a a nothing", 2),
    ("DEL a a nothing b n", 3),
    ("DEL", error("ERR wrong number of arguments for 'del' command")),
    ("MGET a b", [None, None]),
    ("CONFIG GET save", [b"save", b""]),
    ("CONFIG GET nonsense*", []),
    ("CONFIG GET", error("ERR wrong number of arguments for 'config|get' command")),
    ("CONFIG nonsense", error("ERR unknown subcommand 'nonsense'. Try CONFIG HELP.")),
    ("COMMAND nonsense", error("ERR unknown subcommand 'nonsense'. Try COMMAND HELP.")),
    ("INFO nonsense", b""),
    ("HELLO 9", error("NOPROTO unsupported protocol version")),
    ("PUBLISH news hello", 0),
    ("UNSUBSCRIBE", [b"unsubscribe", None, 0]),
    ("UNSUBSCRIBE x", [b"unsubscribe", b"x", 0]),
    ("SUBSCRIBE a b a", [b"subscribe", b"a", 1]),
    ("", [b"subscribe", b"b", 2]),
    ("", [b"subscribe", b"a", 2]),
    ("GET k", error(f"ERR Can't execute 'get': {IN_A_SUBSCRIPTION}")),
    ("PING", [b"pong", b""]),
    ("PING x", [b"pong", b"x"]),
    ("UNSUBSCRIBE a", [b"unsubscribe", b"a", 1]),
    ("UNSUBSCRIBE", [b"unsubscribe", b"b", 0]),
    ("GET k", None),
    ("QUIT", OK),
]
"""What is asked, in words, and what is answered; an empty question: one more answer to the last one."""

CODEC = RespCodec()


@contextmanager
def key_value() -> Iterator[str]:
    """The example, running; the address."""
    with Program("examples.key_value", "127.0.0.1:0") as program:
        yield program.wait_for(rf"key_value listens at {ADDRESS}")[1]
        program.interrupt()
        assert program.finish() == (0, "", "")


@contextmanager
def redis_server(directory: Path) -> Iterator[str]:
    """The real one, if there is one. It listens at a Unix socket: then no port can be taken."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    path = str(directory / "redis.sock")
    command = [program, "--port", "0", "--unixsocket", path, "--save", "", "--dir", str(directory)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert any("eady to accept connections" in line for line in process.stdout)
        yield path
    finally:
        process.kill()
        process.communicate()


@contextmanager
def any_server(which: str, directory: Path) -> Iterator[Callable[[], socket.socket]]:
    """A way to connect to the server."""
    if which == "key_value":
        with key_value() as address:
            host, port = address.split(":")
            yield lambda: socket.create_connection((host, int(port)), timeout=DEADLINE)
    else:
        with redis_server(directory) as path:

            def connect_there() -> socket.socket:
                sock = socket.socket(socket.AF_UNIX)
                sock.settimeout(DEADLINE)
                sock.connect(path)
                return sock

            yield connect_there


@pytest.fixture(params=["key_value", "redis-server"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], socket.socket]]:
    with any_server(request.param, tmp_path) as there:
        yield there


def answers(sock: socket.socket, count: int | None = None) -> list[RespValue]:
    """The next answers; without a number, all until the server ends."""
    decoder = CODEC.decoder()
    values: list[RespValue] = []
    while count is None or len(values) < count:
        data = sock.recv(65536)
        if not data:
            assert count is None, f"the server ended after {values}"
            decoder.finish()
            break
        decoder.feed(data)
        while found := decoder.decode():
            values += found
            decoder.consume(len(found))
    return values


def requests() -> list[bytes]:
    """The questions, as arrays of strings."""
    return [CODEC.encode(list[RespValue](words.encode().split())) for words, _ in CONVERSATION if words]


def test_every_command_is_answered_as_redis_does(server: Callable[[], socket.socket]) -> None:
    """Sent one by one, so that a failure shows where."""
    with server() as sock:
        for words, expected in CONVERSATION:
            if words:
                sock.sendall(CODEC.encode(list[RespValue](words.encode().split())))
                due = 3 if words == "SUBSCRIBE a b a" else 1
                said = answers(sock, due)
            assert (words, said.pop(0)) == (words, expected)
        assert sock.recv(1) == b""


def test_requests_may_come_all_at_once(server: Callable[[], socket.socket]) -> None:
    with server() as sock:
        sock.sendall(b"".join(requests()) + b"PING\r\n")  # after QUIT, nothing is answered
        assert answers(sock) == [expected for _, expected in CONVERSATION]


def test_requests_may_come_byte_by_byte(server: Callable[[], socket.socket]) -> None:
    with server() as sock:
        if sock.family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"".join(requests()):
            sock.send(bytes([byte]))
        assert answers(sock) == [expected for _, expected in CONVERSATION]


def test_requests_may_be_typed(server: Callable[[], socket.socket]) -> None:
    with server() as sock:
        sock.sendall(b'\r\n\n  set "a key"  \'it\\\'s\' \r\n*0\r\n*-1\r\nGET "a\\x20key"\n')
        assert answers(sock, 2) == [OK, b"it's"]
        sock.sendall("".join(f"{words}\r\n" for words, _ in CONVERSATION).encode())
        assert answers(sock) == [expected for _, expected in CONVERSATION]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (b"*1\r\n$x\r\n", "invalid bulk length"),
        (b"*x\r\n", "invalid multibulk length"),
        (b'get "\r\n', "unbalanced quotes in request"),
        (b"x" * 70_000, "too big inline request"),
        (b"*1\r\n:1\r\n", "expected '$', got ':'"),
        (b"*2\r\n$4\r\nECHO\r\n*1\r\n$1\r\na\r\n", "expected '$', got '*'"),
    ],
)
def test_what_is_no_request_is_named_and_ends_the_connection(
    server: Callable[[], socket.socket], wrong: bytes, words: str, request: pytest.FixtureRequest
) -> None:
    with server() as sock:
        sock.sendall(b"PING\r\n" + wrong)
        try:
            assert answers(sock) == [RespStatus(b"PONG"), error(f"ERR Protocol error: {words}")]
        except ConnectionResetError:  # it closes with input unread, and then what it said can get lost
            assert request.node.callspec.params["server"] == "redis-server"


def test_a_value_that_is_no_array_is_no_request() -> None:
    with key_value() as address, connected(address) as sock:
        sock.sendall(b"$4\r\nPING\r\n")
        assert answers(sock) == [error("ERR Protocol error: expected '*', got '$'")]


def test_bytes_that_are_no_text_are_named_in_one_line(server: Callable[[], socket.socket]) -> None:
    with server() as sock:
        sock.sendall(CODEC.encode([b"a\r\nb", b"c'd"]))
        assert answers(sock, 1) == [error("ERR unknown command 'a  b', with args beginning with: 'c'd' ")]
        key = b"\xff\r\n\x00"
        sock.sendall(CODEC.encode([b"SET", key, bytes(range(256))]) + CODEC.encode([b"GET", key]))
        assert answers(sock, 2) == [OK, bytes(range(256))]


# --- With the tools and the client of Redis ---------------------------------------------------------------------------


def tool(name: str, address: str, *arguments: str, text: str | None = None) -> str:
    """What a program of Redis prints."""
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    host, port = address.split(":")
    done = subprocess.run(
        [name, "-h", host, "-p", port, *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=True,
        env=os.environ | {"REDISCLI_HISTFILE": os.devnull},
    )
    assert done.stderr == ""
    return done.stdout


def test_redis_cli_is_a_client() -> None:
    with key_value() as address:
        assert tool("redis-cli", address, "set", "greeting", "hello there", "EX", "100") == "OK\n"
        assert tool("redis-cli", address, "--no-raw", "mget", "greeting", "nothing") == '1) "hello there"\n2) (nil)\n'
        script = "set n 41\nincr n\nnonsense x\n"
        said = tool("redis-cli", address, "--no-raw", text=script).splitlines()
        assert said[:2] == ["OK", "(integer) 42"] and said[2].startswith("(error) ERR unknown command 'nonsense'")
        assert tool("redis-cli", address, "--pipe", text="SET a 1\r\n" * 1000).endswith("errors: 0, replies: 1000\n")
        assert "keys=3,expires=1" in tool("redis-cli", address, "info", "keyspace")


@pytest.mark.parametrize("pipeline", [1, 16])
def test_redis_benchmark_runs_without_an_error(pipeline: int) -> None:
    with key_value() as address:
        options = ["-t", "ping,set,get,incr,mset", "-n", "2000", "-P", str(pipeline), "-r", "100", "--csv"]
        lines = tool("redis-benchmark", address, *options).splitlines()
    names = [line.split(",")[0].strip('"') for line in lines]
    assert names == ["test", "PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "MSET (10 keys)"]


def test_the_redis_package_is_a_client() -> None:
    redis = pytest.importorskip("redis", reason="the redis package is not installed")
    with key_value() as address:
        host, port = address.split(":")
        with redis.Redis(host=host, port=int(port), protocol=2, socket_timeout=DEADLINE) as client:
            assert client.ping() and client.set("a", b"\x00\r\n", ex=100) and client.get("a") == b"\x00\r\n"
            assert client.set("a", "x", nx=True) is None and client.ttl("a") == 100
            assert (client.incr("n"), client.incr("n", 5), client.decr("n")) == (1, 6, 5)
            assert client.mset({"u": 1, "v": 2}) and client.mget("u", "v", "w") == [b"1", b"2", None]
            assert client.delete("u", "w") == 1 and client.exists("v", "v") == 2 and client.expire("v", 10)
            assert client.info()["db0"]["keys"] == 3 and client.config_get("append*") == {"appendonly": "no"}
            pipe = client.pipeline(transaction=False)
            for number in range(1000):
                pipe.set(f"k{number}", number).get(f"k{number}")
            assert pipe.execute() == [said for number in range(1000) for said in (True, b"%d" % number)]
            with pytest.raises(redis.ResponseError, match="unknown command 'nonsense'"):
                client.execute_command("nonsense")
            with client.pubsub() as listening:
                listening.subscribe("news")
                assert listening.get_message(timeout=DEADLINE)["data"] == 1
                assert client.publish("news", "hello") == 1
                assert listening.get_message(timeout=DEADLINE)["data"] == b"hello"


# --- Its end ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_everybody_gets_what_is_due(signum: signal.Signals) -> None:
    with Program("examples.key_value", "127.0.0.1:0") as program:
        address = program.wait_for(ADDRESS)[1]
        with connected(address) as busy, connected(address) as idle:
            busy.sendall(b"SET a %b\r\n" % (b"x" * 60_000) + b"GET a\r\n" * 16)
            assert busy.recv(5) == b"+OK\r\n"
            program.process.send_signal(signum)
            assert answers(busy) == [b"x" * 60_000] * 16
            assert idle.recv(1) == b""
        assert program.finish() == (0, "", "")


def test_a_second_signal_ends_it_at_once() -> None:
    with Program("examples.key_value", "127.0.0.1:0") as program:
        address = program.wait_for(ADDRESS)[1]
        with connected(address) as client:
            program.interrupt()
            assert client.recv(1) == b""
            program.interrupt()  # while this one has not closed
            assert program.finish() == (0, "", "")


def test_an_address_that_is_none_is_one_line() -> None:
    status, out, err = run("examples.key_value", "nowhere")
    assert (status, out) == (1, "") and err.count("\n") == 1
    assert err.startswith("key_value: ") and "'nowhere'" in err


def test_an_address_in_use_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        status, out, err = run("examples.key_value", address)
    assert (status, out) == (1, "") and err.count("\n") == 1 and address in err


# --- On simulated networks --------------------------------------------------------------------------------------------


class Asking(FramedProtocol[RespValue]):
    """A client that asks as much as it is told to, at once, and keeps the answers."""

    codec = RespCodec()

    def __init__(self, *requests: str | list[bytes]) -> None:
        self.requests = [words.encode().split() if isinstance(words, str) else words for words in requests]
        self.answers: list[RespValue] = []
        self.lost: list[BaseException | None] = []

    def connection_made(self, transport: Transport) -> None:
        super().connection_made(transport)
        for request in self.requests:
            self.send(list[RespValue](request))

    def frame_received(self, frame: RespValue) -> None:
        self.answers.append(frame)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self.lost.append(exc)

    def all_answered(self) -> bool:
        return len(self.answers) == len(self.requests)


class Town:
    """A server, and a host for each client."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.servers: list[Server] = []
        self.server = sim.host("server", "10.0.0.1", program=self.serve)

    def serve(self, reactor: Reactor) -> None:
        self.servers.append(serve(reactor, "10.0.0.1:6380"))

    def client(self, *requests: str | list[bytes]) -> Asking:
        return self.client_at(self.sim.host(f"client{len(self.sim.hosts)}"), *requests)

    def client_at(self, host: Host, *requests: str | list[bytes]) -> Asking:
        asking = Asking(*requests)
        connect(host.reactor, lambda: asking, "server:6380")
        return asking

    def ask(self, *requests: str | list[bytes]) -> list[RespValue]:
        """What a new client is answered."""
        asking = self.client(*requests)
        self.sim.run(until=asking.all_answered)
        asking.close()
        return asking.answers

    def unsent(self) -> int:
        """The bytes that wait for clients."""
        return sum(connection.get_write_buffer_size() for connection in self.servers[-1].connections)


@each_profile
def test_nothing_acknowledged_is_lost_and_answers_come_in_order(profile: Profile) -> None:
    def scenario(sim: Simulation) -> None:
        town = Town(sim)
        keys = {name: [f"{name}{step}" for step in range(40)] for name in "abc"}
        clients = [
            town.client(*(words for key in keys[name] for words in (f"SET {key} {key}", "INCR n", f"GET {key}")))
            for name in keys
        ]
        sim.run(until=lambda: all(client.all_answered() for client in clients))
        stored = {name: [key.encode() for key in keys[name]] for name in keys}
        for name, client in zip(keys, clients, strict=True):
            assert client.answers[0::3] == [OK] * 40
            assert client.answers[2::3] == stored[name]
        counted = [answer for client in clients for answer in client.answers[1::3]]
        assert sorted(counted) == list(range(1, 121))  # type: ignore[type-var]
        for name, mine in keys.items():
            assert town.ask("GET n", *(f"GET {key}" for key in mine)) == [b"120", *stored[name]]

    check(scenario, seeds=range(8), profile=profile)


def test_what_was_acknowledged_before_a_connection_broke_is_there() -> None:
    def scenario(sim: Simulation) -> None:
        town = Town(sim)
        clients = [town.client(*(["INCR n"] * 200)) for _ in range(4)]
        sim.run(until=lambda: all(client.all_answered() or client.lost for client in clients))
        sim.profile = HOSTILE
        last = max(answer for client in clients for answer in [0, *client.answers])  # type: ignore[type-var]
        (value,) = town.ask("GET n")
        assert int(value or b"0") >= int(last)  # type: ignore[arg-type]

    check(scenario, seeds=range(10), profile=HOSTILE.but(reset=0.02))


@each_profile
def test_who_listens_gets_every_message_in_order_and_once(profile: Profile) -> None:
    def scenario(sim: Simulation) -> None:
        town = Town(sim)
        listeners = [town.client("SUBSCRIBE news sports"), town.client("SUBSCRIBE news")]
        sim.run(until=lambda: len(listeners[0].answers) == 2 and len(listeners[1].answers) == 1)
        for listener in listeners:
            listener.answers.clear()
        said = town.ask(*(f"PUBLISH {'news' if number % 2 else 'sports'} {number}" for number in range(60)))
        assert said == [1, 2] * 30
        sim.run(until=lambda: len(listeners[0].answers) == 60 and len(listeners[1].answers) == 30)
        assert [answer[2] for answer in listeners[0].answers] == [b"%d" % number for number in range(60)]  # type: ignore[index]
        assert [answer[2] for answer in listeners[1].answers] == [b"%d" % number for number in range(1, 60, 2)]  # type: ignore[index]

    check(scenario, seeds=range(8), profile=profile)


@each_profile
def test_a_subscriber_that_stopped_is_cut_off_and_nobody_else_notices(profile: Profile) -> None:
    def scenario(sim: Simulation) -> None:
        town = Town(sim)
        town.server.send_buffer = 16 * 1024
        stopped, reading = town.client("SUBSCRIBE news"), town.client("SUBSCRIBE news")
        sim.run(until=lambda: stopped.answers and reading.answers)
        assert stopped.transport is not None
        stopped.transport.pause_reading()
        text = b"x" * 100_000
        most, published = 0, 0
        ended = town.servers[0].ended
        while not ended["SendBufferFullError"]:
            assert town.ask([b"PUBLISH", b"news", text]) == [2]
            published += 1
            sim.run(until=lambda: len(reading.answers) == 1 + published)  # noqa: B023
            assert not reading.lost
            most = max(most, town.unsent())
        assert set(ended) == {"clean", "SendBufferFullError"}
        assert MOST_WAITING / 2 < most < MOST_WAITING + len(text) + 100
        assert town.ask([b"PUBLISH", b"news", text]) == [1]

    check(scenario, seeds=range(2), profile=profile)


@each_profile
def test_who_asks_faster_than_it_reads_is_waited_for_and_loses_nothing(profile: Profile) -> None:
    def scenario(sim: Simulation) -> None:
        town = Town(sim)
        town.server.send_buffer = 16 * 1024
        text = b"x" * 100_000
        greedy = town.client([b"SET", b"a", text], *(["GET a"] * 100))
        sim.run(until=lambda: greedy.answers)
        assert greedy.transport is not None
        greedy.transport.pause_reading()
        for _ in range(20):
            sim.run_for(0.5)
            assert town.unsent() < 64 * 1024 + 2 * len(text)
        greedy.transport.resume_reading()
        sim.run(until=greedy.all_answered)
        assert greedy.answers == [OK, *[text] * 100]

    check(scenario, seeds=range(2), profile=profile)


def test_a_value_expires_in_time_whether_somebody_asks_or_not() -> None:
    with Simulation() as sim:
        town = Town(sim)
        town.ask("SET a 1 EX 10", "SET b 1 PX 10000", "SET c 1", "EXPIRE c 10", "SET d 1 EX 10", "SET d 2", "MSET e 1")
        sim.run_for(9.5)
        assert town.ask("MGET a b c d e", "TTL a") == [[b"1", b"1", b"1", b"2", b"1"], 0]
        sim.run_for(0.6)
        assert b"keys=2,expires=0" in town.ask("INFO keyspace")[0]  # type: ignore[operator]
        assert town.ask("MGET a b c d e", "TTL a") == [[None, None, None, b"2", b"1"], -2]


def test_an_expired_value_is_gone_before_it_is_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_value_data, "SWEPT_AT_ONCE", 0)
    with Simulation() as sim:
        town = Town(sim)
        town.ask("SET a 1 PX 500", "SET b 1 PX 500", "SET c 1 PX 500", "SET d 5 PX 500")
        sim.run_for(0.6)
        assert town.ask("SET a 2 XX", "SET b 2 NX", "DEL c", "INCR d", "TTL d") == [None, OK, 0, 1, -1]


def test_many_expired_values_are_swept_a_few_at_a_time_behind_those_that_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_value_data, "SWEPT_AT_ONCE", 3)
    with Simulation() as sim:
        town = Town(sim)
        town.ask(*(f"SET lasts{number} 1 EX 1000" for number in range(10)))
        town.ask(*(f"SET k{number} 1 PX 100" for number in range(30)))
        sim.run_for(3)
        assert b"keys=10,expires=10" in town.ask("INFO keyspace")[0]  # type: ignore[operator]


def test_memory_has_an_end_and_deleting_gives_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_value_data, "MOST_MEMORY", 10_000)
    full = error("OOM command not allowed when used memory > 'maxmemory'.")
    with Simulation() as sim:
        town = Town(sim)
        said = town.ask(*(f"SET k{number} {'x' * 800}" for number in range(20)))
        stored = said.count(OK)
        assert 5 < stored < 12 and said == [OK] * stored + [full] * (20 - stored)
        assert town.ask("SET k0 y", "MSET a 1", "INCR n", "GET k0") == [full, full, full, b"x" * 800]
        assert town.ask(*(f"DEL k{number}" for number in range(stored)), "INFO memory")[:-1] == [1] * stored
        assert b"used_memory:0\r\n" in town.ask("INFO memory")[0]  # type: ignore[operator]
        assert town.ask("SET k0 y", "SET k0 yyy", "DEL k0") == [OK, OK, 1]
        assert b"used_memory:0\r\n" in town.ask("INFO memory")[0]  # type: ignore[operator]


def test_an_answer_that_is_too_long_is_an_error_and_the_connection_goes_on() -> None:
    with Simulation() as sim:
        text = b"x" * 400_000
        said = Town(sim).ask([b"MSET", b"a", text, b"b", text], "MGET a b a b", "MGET a b")
        assert said[0] == OK and said[2] == [text, text]
        assert isinstance(said[1], RespError) and b"max_length" in said[1].text


def test_a_client_has_no_more_channels_than_it_may() -> None:
    with Simulation() as sim:
        town = Town(sim)
        names = [b"%d" % number for number in range(MOST_CHANNELS + 1)]
        many = town.client([b"SUBSCRIBE", *names[:-1]], [b"SUBSCRIBE", names[-1]])
        sim.run(until=lambda: len(many.answers) == MOST_CHANNELS + 1)
        assert isinstance(many.answers[-1], RespError)
        assert town.ask("PUBLISH 0 x", [b"PUBLISH", names[-1], b"x"]) == [1, 0]


@pytest.mark.parametrize("end", ["close", "abort", "crash"])
def test_who_is_gone_listens_no_more(end: str) -> None:
    with Simulation() as sim:
        town = Town(sim)
        host = sim.host("listener")
        listener = town.client_at(host, "SUBSCRIBE news", "SUBSCRIBE sports")
        sim.run(until=listener.all_answered)
        assert listener.transport is not None
        {"close": listener.transport.close, "abort": listener.transport.abort, "crash": host.crash}[end]()
        sim.run_for(1)
        expected = 1 if end == "crash" else 0  # nobody is told of that, until what was sent is not taken for too long
        assert town.ask("PUBLISH news x") == [expected]
        sim.run_for(3600)
        assert town.ask("PUBLISH news x", "INFO stats") == [0, b"# Stats\r\npubsub_channels:0\r\n"]


@each_profile
def test_a_signal_drains_it_and_then_nothing_is_left(profile: Profile) -> None:
    def scenario(sim: Simulation) -> None:
        town = Town(sim)
        clients = [town.client(*(["INCR n"] * 50), "SUBSCRIBE news") for _ in range(3)]
        sim.run(until=lambda: all(client.all_answered() for client in clients))
        town.server.signal(signal.SIGTERM)
        sim.run()  # until nobody waits for anything
        assert [client.lost for client in clients] == [[None]] * 3
        assert town.servers[0].ended == {"clean": 3}

    check(scenario, seeds=range(5), profile=profile)
