"""The key-value server beside the real one: whatever both are asked, both answer the same bytes.

Left out is what differs on purpose: commands and options that only the real one has (SET's GET, KEEPTTL, EXAT and PXAT,
EXPIRE's conditions of version 7); what is said about the server itself (INFO, COMMAND, CONFIG, HELLO), but for errors;
version 3 of the protocol, which HELLO refuses here; the order in which UNSUBSCRIBE leaves all channels; values that are
no arrays, which the real one takes for words; zero bytes in the name of an unknown command or option, at which its C
strings end; what is due before POST or Host:, which is sent here and lost there; and times to live that end between
2039 and now before 64 bits of milliseconds since 1970 do, which are too long here.

Some of what is no request ends the connection here with words of our own: an argument that begins with no sign of a
kind, that is an array of nothing or of many levels, or that is not followed by CRLF (there, two bytes of anything will
do). And the bounds are lower here, though the words at them are the same.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from itertools import chain, product
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor import RespCodec, RespValue
from tests.examples.key_value_servers import Connect, ours, theirs

Both: TypeAlias = tuple[Connect, Connect]
Words: TypeAlias = list[bytes]

KEYS = [b"k", b"n", b"other"]
NUMBERS = [
    b"0", b"-0", b"00", b"01", b"1", b"-1", b"+1", b"1.5", b"1e3", b"0x10", b"1_0", b"abc", b"", b"-", b" 1", b"1 ",
    b"1\n", b"1\x00", b"\xb2", "٣".encode(), b"10", b"1" * 100,
    *(b"%d" % (sign * (edge + step)) for edge in (2**63, 2**63 // 1000) for sign in (1, -1) for step in (-2, -1, 0, 1)),
]  # fmt: skip
"""Where a number begins or ends to be one, or to be too large for something."""
CODEC = RespCodec()
LAST = b"that is all"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with theirs(tmp_path_factory.mktemp("redis")) as real, ours() as example:
        yield real, example


def request(words: Iterable[bytes]) -> bytes:
    return CODEC.encode(list[RespValue](words))


def typed(words: Iterable[bytes]) -> bytes:
    """An inline command."""
    return b" ".join(word if word.isalnum() else b'"%b"' % escaped(word) for word in words) + b"\r\n"


def escaped(word: bytes) -> bytes:
    return b"".join(bytes([byte]) if chr(byte).isalnum() and byte < 128 else b"\\x%02x" % byte for byte in word)


def read_until(sock: socket.socket, end: bytes) -> bytes:
    """What is said, up to `end` or to the end of the connection."""
    said = b""
    while not said.endswith(end):
        try:
            data = sock.recv(65536)
        except ConnectionResetError:  # the real one closes with input unread; what it said before comes all the same
            break
        if not data:
            break
        said += data
    return said


def answers(connect: Connect, *chunks: bytes) -> list[bytes]:
    """The lines that a server answers to all that is sent to it, with no value known to it before."""
    with connect() as sock:
        for chunk in request([b"DEL", *KEYS]) + request([b"PING", LAST]), b"".join(chunks) + request([b"PING", LAST]):
            sock.sendall(chunk)
            said = read_until(sock, b"%b\r\n" % LAST)
    return said.split(b"\r\n")


def compare(both: Both, *commands: Words) -> None:
    """Give them all at once, both ways. The answer to the PING before each says where it goes wrong."""
    for way in (request, typed):
        chunks = [way([b"PING", typed(words)]) + way(words) for words in commands]
        real, example = (answers(connect, *chunks) for connect in both)
        assert example == real


def passes_or_is_endless(time: bytes) -> bool:
    """Whether something that lasts for so long may be over before we have looked at it; or is too long here, and may
    not be for the real one, which begins to count in 1970.
    """
    if not time.isdigit():
        return False
    nearly = range(2**63 - 2**41, 2**63 - 2**40)
    return 0 < int(time) < 10**5 or any(int(time) * unit in nearly for unit in (1, 1000))


def said_at_its_end(connect: Connect, chunk: bytes) -> bytes:
    """What a server says to this, before it closes."""
    with connect() as sock:
        sock.sendall(chunk)
        sock.shutdown(socket.SHUT_WR)
        return read_until(sock, b"never")


def words(text: str) -> Words:
    return text.encode().split()


# --- Lists of commands ------------------------------------------------------------------------------------------------

VALUES = ["GET", "SET", "MGET", "MSET", "INCR", "DECR", "INCRBY", "DECRBY", "DEL", "EXISTS", "EXPIRE", "TTL"]
OTHERS = ["PING", "ECHO", "PUBLISH", "SUBSCRIBE", "UNSUBSCRIBE", "QUIT", "NONSENSE", "COMMAND NONSENSE", "CONFIG NO"]
STATES = [[], [words("MSET k 5 n 6")], [words("SET k word EX 100")]]
"""What a command finds."""
SEEN = [words("MGET k n other 5"), words("TTL k"), words("EXISTS k n k")]
"""What it has left."""


@pytest.mark.parametrize("command", [*VALUES, *OTHERS])
def test_any_number_of_arguments(both: Both, command: str) -> None:
    for state, arguments in product(STATES, ("", "k", "k 5", "k 5 n", "k 5 n 6", "k 5 n 6 k", "k 5 k 6 k 7")):
        if command != "EXPIRE" or arguments.count(" ") < 2:
            compare(both, *state, words(f"{command} {arguments}"), *SEEN, words("UNSUBSCRIBE k 5"))


@pytest.mark.parametrize("command", [b"INCRBY", b"DECRBY"])
def test_any_number_to_add(both: Both, command: bytes) -> None:
    for value in (0, 1, -1, -(2**63), 2**63 - 1):
        set_ = [b"SET", b"k", b"%d" % value]
        compare(both, *chain(*([set_, [command, b"k", number], [b"GET", b"k"]] for number in NUMBERS)))


@pytest.mark.parametrize("command", ["INCR", "DECR", "INCRBY 5", "DECRBY 5", "INCRBY -5", "INCRBY x"])
def test_any_value_to_count_with(both: Both, command: str) -> None:
    name, *amount = words(command)
    compare(both, *chain(*([[b"SET", b"n", number], [name, b"n", *amount], [b"GET", b"n"]] for number in NUMBERS)))


@pytest.mark.parametrize("command", ["SET k v EX", "SET k v PX", "EXPIRE k", "EXPIRE n"])
def test_any_time_to_live(both: Both, command: str) -> None:
    start = [[b"DEL", b"n"], [b"SET", b"k", b"v"]]
    after = [[b"EXISTS", b"k"], [b"TTL", b"k"]]
    for number in [*NUMBERS, *(b"%d" % (sign * 10**power) for sign in (1, -1) for power in range(3, 16))]:
        if not passes_or_is_endless(number):
            compare(both, *start, [*words(command), number], *after)


def test_options_in_any_combination(both: Both) -> None:
    for state in STATES:
        for count in (1, 2, 3):
            compare(
                both,
                *chain(
                    *(
                        [*state, words(f"SET k v {' '.join(options)}"), *SEEN, words("DEL k")]
                        for options in product(("NX", "xx", "EX", "Px", "90000", "0"), repeat=count)
                    )
                ),
            )
    for options in ("EX 100000 EX 200000", "EX 90000 NX EX 200000", "PX x PX 20000000 XX", "EX x BAD", "NX XX NX"):
        compare(both, words(f"SET k v {options}"), *SEEN)


def test_what_is_unknown_is_named_as_far_as_it_fits(both: Both) -> None:
    for size in (1, 100, 126, 127, 128, 129, 200):
        long = b"x" * size
        compare(both, [long], [long, b"a", b"b"], [b"nonsense", long, b"b"], [b"nonsense", b"a", b"b", long, b"c"])
        compare(both, [b"nonsense", *[b"x" * 9] * size], [b"CONFIG", long], [b"COMMAND", long])
    compare(both, [b""], [b"", b""], [b"a\r\nb", b"c'd", b"\xff\n"], [b"CONFIG", b"\r\n\xff"], [b"S\xc9T", b"k", b"v"])
    compare(both, words("sEt k v"), words("gEt k"), words("pINg"), words("NoNsense"))


def test_keys_and_values_are_any_bytes(both: Both) -> None:
    for value in (b"", b"\r\n", bytes(range(256)), b"$5\r\nhello\r\n", b'"', b"'", b"\\", b"\xff" * 3_000):
        compare(both, [b"SET", b"k", value], [b"GET", b"k"], [b"ECHO", value], [b"PING", value], [b"INCR", b"k"])
        compare(both, [b"MSET", value, b"v", b"k", value], [b"MGET", value, b"k"], [b"DEL", value], [b"EXISTS", value])


def test_a_subscriber_may_give_a_few_commands(both: Both) -> None:
    for command, arguments in product([*VALUES, *OTHERS], ("", "k", "k 5")):
        asked = words(f"{command} {arguments}")
        if asked[0] not in (b"COMMAND", b"CONFIG"):
            compare(both, words("SUBSCRIBE a"), asked, words("PING"), words("UNSUBSCRIBE a"), asked, *SEEN)
    for lines in (
        ("SUBSCRIBE a b a", "SUBSCRIBE b c", "UNSUBSCRIBE x a a", "GET k", "UNSUBSCRIBE b c", "GET k"),
        ("UNSUBSCRIBE", "UNSUBSCRIBE x y", "SUBSCRIBE a", "UNSUBSCRIBE", "QUIT now", "GET k"),
    ):
        compare(both, *map(words, lines))


def test_messages_go_to_those_who_listen(both: Both) -> None:
    said = []
    for connect in both:
        with connect() as one, connect() as two, connect() as publisher:
            for sock, channels in ((one, b"a b"), (two, b"b c")):
                sock.sendall(b"SUBSCRIBE %b\r\nPING %b\r\n" % (channels, typed([LAST])))
                said.append(read_until(sock, b"%b\r\n" % LAST))
            for text in (b"hello\r\nthere", b"bye"):
                publisher.sendall(b"".join(request([b"PUBLISH", channel, text]) for channel in words("a b c d b")))
                publisher.sendall(request([b"PING", LAST]))
                said.append(read_until(publisher, b"%b\r\n" % LAST))
                one.sendall(b"UNSUBSCRIBE b\r\n")
                said.append(read_until(one, b":1\r\n"))
            for sock in (one, two):
                sock.sendall(request([b"PING", LAST]))
                said.append(read_until(sock, b"%b\r\n" % LAST))
    assert len(said) == 16 and said[:8] == said[8:]


@pytest.mark.parametrize(
    "wrong",
    [
        b"*1\r\n$x\r\n",
        b"*1\r\n$\r\n",
        b"*1\r\n$-1\r\n",
        b"*2\r\n$4\r\nECHO\r\n$-1\r\n",
        b"*x\r\n",
        b"*\r\n",
        b"*1x\r\n",
        b"*1\r\n:1\r\n",
        b"*1\r\n+PING\r\n",
        b"*1\r\n-PING\r\n",
        b"*2\r\n$4\r\nECHO\r\n*1\r\n$1\r\na\r\n",
        b'get "\r\n',
        b'get "a"b\r\n',
        b"get 'a\r\n",
        b"x" * 70_000,
        b"*1\r\n$4\r\nPI",
        b"GET k",
        b"*",
        b"*9999999999\r\n",
        b"*1\r\n$9999999999\r\n",
        b"*-9223372036854775809\r\n",
        b"*-0\r\n",
        b"*--5\r\n",
        b"*2\r\n$4\r\nECHO\r\n$-5\r\n",
        b"*%b\r\n" % (b"1" * 30),
        b"*1\r\n$%b\r\n" % (b"1" * 30),
    ],
)
def test_what_is_no_request_ends_the_connection(both: Both, wrong: bytes) -> None:
    real, example = (said_at_its_end(connect, b"PING\r\n*0\r\n*-1\r\n*-5\r\n\r\n" + wrong) for connect in both)
    assert example == real != b""


@pytest.mark.parametrize("subscribed", [b"", b"SUBSCRIBE a\r\n"])
@pytest.mark.parametrize("first", [b"POST / HTTP/1.1\r\nHost: a\r\n", b"Host: a\r\n", b"hOST:\r\n", request([b"post"])])
def test_a_request_of_http_ends_the_connection_without_an_answer(both: Both, first: bytes, subscribed: bytes) -> None:
    for connect in both:
        with connect() as sock:
            if subscribed:
                sock.sendall(subscribed)
                read_until(sock, b":1\r\n")
            sock.sendall(first + b"\r\nSET k pwned\r\nGET k\r\n")
            assert read_until(sock, b"never") == b""
        assert b"pwned" not in said_at_its_end(connect, b"GET k\r\nDEL k\r\n")


def test_what_is_wrong_with_hello(both: Both) -> None:
    options = (
        *("NOSUCH", "AUTH", "AUTH a", "AUTH a b", "AUTH default b AUTH a b", "AUTH a b NOSUCH", "SETNAME"),
        *("setname x X", "auth default b nosuch", "AUTH Default b", "SETNAME x AUTH a b"),
    )
    compare(both, *(words(f"HELLO 2 {each}") for each in options))
    for name in (b"a b", b"\n", b"\x7f", b"\xe9", b"\t"):
        compare(both, [b"HELLO", b"2", b"SETNAME", name], [b"HELLO", b"2", b"SETNAME", name, b"X"])
    compare(both, *([b"HELLO", number, *more] for number in NUMBERS for more in ([], [b"X"])))
    compare(both, words("SUBSCRIBE a"), words("HELLO x"))
    for each in ("", "2", "2 SETNAME ''", "2 AUTH default x", "2 SETNAME x", "2 setname x auth default y"):
        assert all(b"server" in said_at_its_end(connect, f"HELLO {each}\r\n".encode()) for connect in both)


# --- Whatever Hypothesis thinks of ------------------------------------------------------------------------------------

ARGUMENTS = st.sampled_from([*KEYS, *NUMBERS, b"NX", b"xx", b"EX", b"pX", b"100000"]) | st.binary(max_size=5)
COMMANDS = st.builds(
    lambda name, arguments, lower: [(name.lower() if lower else name).encode(), *arguments],
    st.sampled_from([*VALUES, *OTHERS]).filter(str.isalpha),
    st.lists(ARGUMENTS, max_size=5),
    st.booleans(),
)


def is_compared(command: Words) -> bool:
    """Not what differs on purpose, see above, and not what passes while we look at it."""
    name, *arguments = command
    match name.upper():
        case b"SET":
            return not any(passes_or_is_endless(time) for time in arguments[2:])
        case b"EXPIRE":
            return len(arguments) < 3 and not any(passes_or_is_endless(time) for time in arguments[1:])
        case b"UNSUBSCRIBE":
            return bool(arguments)
        case b"NONSENSE":
            return b"\x00" not in b"".join(arguments)
    return True


@settings(max_examples=150, deadline=None)
@given(commands=st.lists(COMMANDS.filter(is_compared), max_size=20))
def test_any_commands(both: Both, commands: list[Words]) -> None:
    compare(both, *commands)
