"""The key-value server as Redis' own tools and clients see it, and word by word."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from examples.key_value.__main__ import MOST_WAITING
from reactor import RespCodec, RespError, RespStatus, RespValue
from tests.cli.program import ADDRESS, DEADLINE, Program, connected, run
from tests.examples.key_value_servers import Connect, key_value, ours, theirs

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
    ("SET k v PX 9223372036854775807", error("ERR invalid expire time in 'set' command")),
    ("SET k v EX 9223372036854775807", error("ERR invalid expire time in 'set' command")),
    ("TTL k", -1),
    ("TTL nothing", -2),
    ("EXPIRE k 100", 1),
    ("TTL k", 100),
    ("EXPIRE nothing 100", 0),
    ("EXPIRE k x", NOT_AN_INTEGER),
    ("EXPIRE k 9223372036854775", error("ERR invalid expire time in 'expire' command")),
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
    ("HELLO x", error("ERR Protocol version is not an integer or out of range")),
    ("HELLO 2 AUTH ann secret", error("WRONGPASS invalid username-password pair or user is disabled.")),
    ("HELLO 2 NONSENSE", error("ERR Syntax error in HELLO option 'NONSENSE'")),
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


@pytest.fixture(params=["key_value", "redis-server"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Connect]:
    with ours() if request.param == "key_value" else theirs(tmp_path) as connect_there:
        yield connect_there


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


def test_every_command_is_answered_as_redis_does(server: Connect) -> None:
    """Sent one by one, so that a failure shows where."""
    with server() as sock:
        for words, expected in CONVERSATION:
            if words:
                sock.sendall(CODEC.encode(list[RespValue](words.encode().split())))
                due = 3 if words == "SUBSCRIBE a b a" else 1
                said = answers(sock, due)
            assert (words, said.pop(0)) == (words, expected)
        assert sock.recv(1) == b""


def test_requests_may_come_all_at_once(server: Connect) -> None:
    with server() as sock:
        sock.sendall(b"".join(requests()) + b"PING\r\n")  # after QUIT, nothing is answered
        assert answers(sock) == [expected for _, expected in CONVERSATION]


def test_requests_may_come_byte_by_byte(server: Connect) -> None:
    with server() as sock:
        if sock.family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"".join(requests()):
            sock.send(bytes([byte]))
        assert answers(sock) == [expected for _, expected in CONVERSATION]


def test_requests_may_be_typed(server: Connect) -> None:
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
        (b"*9999999999\r\n", "invalid multibulk length"),
        (b"*1\r\n$9999999999\r\n", "invalid bulk length"),
        (b'get "\r\n', "unbalanced quotes in request"),
        (b"x" * 70_000, "too big inline request"),
        (b"*1\r\n:1\r\n", "expected '$', got ':'"),
        (b"*2\r\n$4\r\nECHO\r\n*1\r\n$1\r\na\r\n", "expected '$', got '*'"),
    ],
)
def test_what_is_no_request_is_named_and_ends_the_connection(
    server: Connect, wrong: bytes, words: str, request: pytest.FixtureRequest
) -> None:
    with server() as sock:
        sock.sendall(b"PING\r\n" + wrong)
        try:
            assert answers(sock) == [RespStatus(b"PONG"), error(f"ERR Protocol error: {words}")]
        except ConnectionResetError:  # it closes with input unread, and then what it said can get lost
            assert request.node.callspec.params["server"] == "redis-server"


def test_a_request_of_http_ends_the_connection_and_its_body_is_not_carried_out(server: Connect) -> None:
    for first in (b"POST / HTTP/1.1\r\n", b"Host: somewhere\r\n", CODEC.encode([b"post"])):
        with server() as sock:
            sock.sendall(first + b"Host: somewhere\r\n\r\nSET pwned yes\r\nGET pwned\r\n")
            with contextlib.suppress(ConnectionResetError):  # with input unread
                assert answers(sock) == []
        with server() as sock:
            sock.sendall(b"GET pwned\r\n")
            assert answers(sock, 1) == [None]


def test_a_value_that_is_no_array_is_no_request() -> None:
    with key_value() as address, connected(address) as sock:
        sock.sendall(b"$4\r\nPING\r\n")
        assert answers(sock) == [error("ERR Protocol error: expected '*', got '$'")]


def test_bytes_that_are_no_text_are_named_in_one_line(server: Connect) -> None:
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
        with (
            redis.Redis(host=host, port=int(port), protocol=3, socket_timeout=DEADLINE) as modern,
            pytest.raises(redis.ResponseError, match="NOPROTO unsupported protocol version"),
        ):
            modern.ping()
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


# --- With somebody who does not read ----------------------------------------------------------------------------------


def peak_memory(program: Program) -> int:
    """The most bytes that it has ever taken (proc(5))."""
    try:
        status = Path(f"/proc/{program.process.pid}/status").read_text()
    except FileNotFoundError:
        pytest.skip("there is no /proc to tell how much memory a program takes")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def test_somebody_who_stopped_reading_is_cut_off_and_costs_no_memory() -> None:
    with Program("examples.key_value", "127.0.0.1:0") as program:
        address = program.wait_for(ADDRESS)[1]
        with connected(address) as stopped, connected(address) as publisher:
            stopped.sendall(b"SUBSCRIBE news\r\n")
            assert answers(stopped, 1) == [[b"subscribe", b"news", 1]]
            publisher.sendall(CODEC.encode([b"ECHO", b"x" * 500_000]))
            answers(publisher, 1)
            before = peak_memory(program)
            published = 0
            while True:
                publisher.sendall(CODEC.encode([b"PUBLISH", b"news", b"%05d" % published + b"x" * 500_000]))
                if answers(publisher, 1) == [0]:
                    break
                published += 1
                assert published < 500
            assert peak_memory(program) < before + 3 * MOST_WAITING
            taken = CODEC.decoder()
            with pytest.raises(ConnectionResetError):  # what it was sent is not all, and does not look so
                while True:
                    taken.feed(stopped.recv(65536))
            numbers = [message[2][:5] for message in taken.decode()]  # type: ignore[index]
            assert numbers == [b"%05d" % number for number in range(len(numbers))] and len(numbers) < published
        program.interrupt()
        assert program.finish() == (0, "", "")


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
            assert program.finish() == (130, "", "")


def test_an_address_that_is_none_is_one_line() -> None:
    status, out, err = run("examples.key_value", "nowhere")
    assert (status, out) == (1, "") and err.count("\n") == 1
    assert err.startswith("key_value: ") and "'nowhere'" in err


def test_an_address_in_use_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        status, out, err = run("examples.key_value", address)
    assert (status, out) == (1, "") and err.count("\n") == 1 and address in err
