"""The chat: as people use it, and in the simulation with members who stop reading, crash, or send anything at all."""

from __future__ import annotations

import random
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.line_chat import CONTROL, GRACE, LONGEST, OPTIONS, Chat, Member
from reactor import FramedProtocol, LineCodec, Transport, connect
from reactor.simulation import CALM, HOSTILE, LOSSY_WIFI, Host, Profile, Simulation, check
from tests.cli.program import ADDRESS, DEADLINE, Program, connected, run

PROFILES = [CALM, LOSSY_WIFI, HOSTILE]
GOODBYE = "* the chat is closing; goodbye"

# --- As people use it -------------------------------------------------------------------------------------------------


class Person:
    """Somebody at a socket. What is read next has to be what is expected next."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._lines = sock.makefile("rb")

    def says(self, *lines: str | bytes) -> None:
        self.sock.sendall(b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines))

    def hears(self, *lines: str) -> None:
        assert [self.hear() for _ in lines] == list(lines)

    def hear(self) -> str:
        return self._lines.readline().decode().removesuffix("\n")

    def hears_no_more(self) -> None:
        assert self._lines.read() == b""

    def close(self) -> None:
        self._lines.close()


@contextmanager
def person(address: str, name: str | None = None) -> Iterator[Person]:
    with connected(address) as sock:
        one = Person(sock)
        one.hears("* welcome; what is your name?")
        if name is not None:
            one.says(name)
            one.hears(f"* {name} has joined")
        yield one
        one.close()


@contextmanager
def chat_program() -> Iterator[tuple[Program, str]]:
    with Program("examples.line_chat", "127.0.0.1:0") as program:
        yield program, program.wait_for(rf"line_chat listens at {ADDRESS}; Ctrl-C ends it")[1]
        program.interrupt()
        status, _, err = program.finish()
        assert (status, err) == (0, "")



def test_everybody_hears_who_comes_and_goes_and_what_is_said() -> None:
    with chat_program() as (_, address), person(address, "ann") as ann, person(address, "bob") as bob:
        ann.hears("* bob has joined")
        ann.says("hello")
        bob.says("gr\u00fc\u00df dich \U0001f600")
        assert {ann.hear(), ann.hear()} == {bob.hear(), bob.hear()} == {"<ann> hello", "<bob> grüß dich 😀"}
        with person(address, "cid") as cid:
            for other in (ann, bob):
                other.hears("* cid has joined")
            cid.says("/quit", "nobody hears this")
            cid.hears("* goodbye")
            cid.hears_no_more()
        for other in (ann, bob):
            other.hears("* cid has left")
        bob.says("/who")
        bob.hears("* here are: ann, bob")


def test_a_name_is_asked_for_until_there_is_one() -> None:
    with chat_program() as (_, address), person(address, "Ann") as ann, person(address) as other:
        other.says("", "two words", "x" * 21, "<b>", "/who", b"\xff", "aNN")
        other.hears(
            *["* a name has up to 20 letters, digits, _ and -; what is yours?"] * 4,
            "* not sent: that line is not UTF-8",
            "* there is a aNN already; what else are you called?",
        )
        other.says("bo-b_2")
        other.hears("* bo-b_2 has joined")
        ann.hears("* bo-b_2 has joined")
        other.says("/quit")
        ann.hears("* bo-b_2 has left")
        with person(address, "bo-b_2"):  # free again
            ann.hears("* bo-b_2 has joined")


def test_names_that_look_the_same_are_the_same() -> None:
    refused = "* a name has up to 20 letters, digits, _ and -; what is yours?"
    with chat_program() as (_, address), person(address, "ann") as ann, person(address) as other:
        other.says("ａNN", "\U0001d51e\U0001d52b\U0001d52b", "-", "_-_", "\u0640\u0640", "a\u202eb", "e\u0301va")
        other.hears(
            *[f"* there is a {name} already; what else are you called?" for name in ("aNN", "ann")],
            *[refused] * 4,
            "* éva has joined",
        )
        ann.hears("* éva has joined")
        ann.says("/msg E\u0301VA psst")
        ann.hears("[to éva] psst")
        other.hears("[ann] psst")
        other.says("/quit")
        ann.hears("* éva has left")
        with person(address, "éva"):  # free again
            ann.hears("* éva has joined")


@pytest.mark.parametrize(
    ("last", "answers"),
    [
        (b"last words", ["<ann> last words"]),
        (b"/quit", ["* goodbye"]),
        (b"cut in a letter \xc3", ["* not sent: that line is not UTF-8"]),
        (b"x" * (LONGEST + 1), [f"* not sent: that line has more than {LONGEST} bytes"]),
        (b"x" * 5_000, [f"* not sent: that line has more than {LONGEST} bytes"]),
        (b"\r", []),
        (b"", []),
    ],
)
def test_the_last_line_may_be_without_a_newline(last: bytes, answers: list[str]) -> None:
    with chat_program() as (_, address), person(address, "bob") as bob:
        with person(address, "ann") as ann:
            ann.sock.sendall(last)
            ann.sock.shutdown(socket.SHUT_WR)
            ann.hears(*answers)
            ann.hears_no_more()
        bob.hears("* ann has joined", *[said for said in answers if said.startswith("<")], "* ann has left")


def test_who_never_had_a_name_is_no_news() -> None:
    with chat_program() as (_, address), person(address, "ann") as ann:
        with person(address) as nobody:
            nobody.says("/quit")
            nobody.hears("* goodbye")
        ann.says("alone")
        ann.hears("<ann> alone")


def test_a_message_to_one_is_heard_by_two() -> None:
    with chat_program() as (_, address), person(address, "ann") as ann, person(address, "bob") as bob:
        with person(address, "cid") as cid:
            ann.hears("* bob has joined", "* cid has joined")
            ann.says("/msg BOB  psst,  you", "/msg dan hello?", "/msg bob", "/nonsense", "aloud")
            ann.hears(
                "[to bob] psst,  you",
                "* there is no dan here",
                *["* there are /who, /msg NAME TEXT and /quit"] * 2,
                "<ann> aloud",
            )
            cid.hears("<ann> aloud")
        bob.hears("* cid has joined", "[ann] psst,  you", "<ann> aloud", "* cid has left")


def test_lines_that_cannot_be_are_answered_and_the_next_one_is_heard() -> None:
    with chat_program() as (_, address), person(address, "ann") as ann:
        too_long = f"* not sent: that line has more than {LONGEST} bytes"
        fits = "x" * LONGEST
        ann.says(fits + "x", fits, fits + "\r", b"\xc3\x28", "y" * 1_000_000, "still here")
        ann.hears(
            too_long,
            *[f"<ann> {fits}"] * 2,
            "* not sent: that line is not UTF-8",
            too_long,
            "<ann> still here",
        )
        ann.says("", "   ", "\r", "a\x1b[2Jb\x00\tc", "typed by telnet\r")
        ann.hears("<ann> a [2Jb  c", "<ann> typed by telnet")
        ann.says("a\u202eb\u2066c\u200fd", "one\u2028two\u0085three", "👩\u200d👧 are joined")
        ann.hears("<ann> a b c d", "<ann> one two three", "<ann> 👩\u200d👧 are joined")


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_says_goodbye_to_everybody(signum: signal.Signals) -> None:
    with Program("examples.line_chat", "127.0.0.1:0") as program:
        address = program.wait_for(rf"line_chat listens at {ADDRESS}; Ctrl-C ends it")[1]
        with person(address, "ann") as ann, person(address, "bob") as bob, person(address) as nameless:
            ann.hears("* bob has joined")
            ann.says("a last word")
            ann.hears("<ann> a last word")
            program.process.send_signal(signum)
            bob.hears("<ann> a last word")
            for one in (ann, bob, nameless):
                one.hears(GOODBYE)
                one.hears_no_more()
        assert program.finish() == (0, "ann has joined\nbob has joined\nclosed: {'clean': 3}\n", "")


def test_a_member_that_stops_reading_is_dropped_and_the_others_are_told() -> None:
    with chat_program() as (program, address), person(address, "ann") as ann, person(address, "slow") as slow:
        ann.hears("* slow has joined")
        line = "x" * LONGEST
        heard: list[str] = []
        for _ in range(1_000):  # 20 KB at a time: the kernels of both ends take some megabytes for who does not read
            heard.clear()
            ann.says(*[line] * 50)
            while heard.count(f"<ann> {line}") < 50:
                heard.append(ann.hear())
            if len(heard) > 50:
                break
        assert set(heard) == {f"<ann> {line}", "* slow has left, too slow a reader"}
        assert "hard_limit=262144" in program.wait_for("slow has left: SendBufferFullError: .*")[0]
        with pytest.raises(ConnectionResetError):
            while slow.sock.recv(1 << 20):
                pass


PEERS = {"nc": ["nc", "{host}", "{port}"], "socat": ["socat", "-", "TCP:{host}:{port}"]}


@pytest.mark.parametrize(
    "peer",
    [pytest.param(peer, marks=pytest.mark.skipif(shutil.which(peer) is None, reason=f"{peer} is not installed"))
     for peer in PEERS],
)  # fmt: skip
def test_a_terminal_program_is_a_client(peer: str) -> None:
    with chat_program() as (_, address), person(address, "ann") as ann:
        host, port = address.split(":")
        command = [part.format(host=host, port=port) for part in PEERS[peer]]
        typed = b"zoe\nhello from a pipe\n/msg ann for you\n/quit\n"
        printed = subprocess.run(command, input=typed, stdout=subprocess.PIPE, timeout=DEADLINE, check=True).stdout
        assert printed.decode().splitlines() == [
            "* welcome; what is your name?",
            "* zoe has joined",
            "<zoe> hello from a pipe",
            "[to ann] for you",
            "* goodbye",
        ]
        ann.hears("* zoe has joined", "<zoe> hello from a pipe", "[zoe] for you", "* zoe has left")


def test_an_address_that_is_taken_or_none_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        for wrong in (address, "nowhere"):
            status, out, err = run("examples.line_chat", wrong)
            assert (status, out) == (1, "") and re.fullmatch(rf"line_chat: .*{wrong}.*\n", err)


# --- In the simulation ------------------------------------------------------------------------------------------------


class Friend(FramedProtocol[bytes]):
    """A member at the other end of a simulated network."""

    codec = LineCodec(4096)

    def __init__(self, host: Host, name: str) -> None:
        self.host = host
        self.name = name
        self.heard: list[tuple[float, str]] = []
        self.ended: BaseException | str | None = "not yet"
        connect(host.reactor, lambda: self, "server:9000")

    def connection_made(self, transport: Transport) -> None:
        super().connection_made(transport)
        self.send(self.name.encode())

    def frame_received(self, frame: bytes) -> None:
        self.heard.append((self.host.reactor.time(), frame.decode()))

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self.ended = exc

    def says(self, line: str) -> None:
        self.send(line.encode())

    def ended_by(self, kind: type[BaseException]) -> bool:
        return isinstance(self.ended, kind)

    @property
    def said(self) -> list[str]:
        """What members said, without the notices."""
        return [line for _, line in self.heard if line.startswith("<")]

    def has_heard(self, line: str) -> bool:
        return any(line == heard for _, heard in self.heard)


class Party:
    """A chat in a simulation, its members, and the most that it ever had to keep for one of them."""

    def __init__(self, sim: Simulation, *names: str, send_buffer: int = 16 * 1024) -> None:
        self.sim = sim
        self.log: list[str] = []
        self.most_unsent = 0
        self.server = sim.host("server", "10.0.0.1")
        self.server.send_buffer = send_buffer
        self.chat = Chat(self.server.reactor, "10.0.0.1:9000", self.log.append)
        self.friends: list[Friend] = []
        for name in names:  # one after the other, so that all hear of the last
            host = sim.host(name)
            host.receive_buffer = 32 * 1024
            self.friends.append(Friend(host, name))
            self.run(partial(self.all_have_heard, f"* {name} has joined"))

    def all_have_heard(self, line: str) -> bool:
        return all(friend.has_heard(line) for friend in self.friends)

    def run(self, until: Callable[[], object]) -> None:
        """Until that is true, looking at each tick at what the server keeps."""

        def watched() -> object:
            for connection in self.chat.server.connections:
                self.most_unsent = max(self.most_unsent, connection.get_write_buffer_size())
                member = connection.get_protocol()
                assert isinstance(member, Member) and member.buffered <= LONGEST + 2
            return until()

        self.sim.run(until=watched, within=2_000)


@pytest.mark.parametrize("profile", PROFILES)
def test_what_has_come_back_to_its_author_comes_to_everybody_in_the_same_order(profile: Profile) -> None:
    def conversation(sim: Simulation) -> None:
        chance = random.Random(sim.seed)
        party = Party(sim, "ann", "bob", "cid", "dan")
        *staying, leaving = party.friends
        for friend in party.friends:
            for number in range(20):
                line = f"{number} {'x' * chance.randint(0, 300)}"
                friend.host.reactor.call_later(chance.uniform(0, 3), friend.says, line)
        sim.call_at(sim.time() + 1.5, leaving.host.kill)
        party.run(lambda: all(any("dan has left" in line for _, line in friend.heard) for friend in staying))
        sim.run_for(100)
        first = staying[0].said
        for friend in staying:
            assert friend.said == first
            assert sum(line.startswith(f"<{friend.name}>") for line in first) == 20
        came_back = leaving.said
        assert came_back == first[: len(came_back)]

    check(conversation, seeds=range(15), profile=profile)


def talk(sim: Simulation, *, one_stops: bool) -> tuple[Party, list[tuple[float, str]]]:
    """Ann says a thousand long lines in twenty seconds; when Bob heard them. Perhaps one of three stops reading."""
    party = Party(sim, "ann", "bob", "slow")
    ann, bob, slow = party.friends
    if one_stops:
        assert slow.transport is not None
        slow.transport.pause_reading()
    for number in range(1_000):
        ann.host.reactor.call_later(number / 50, ann.says, f"{number:05} {'x' * 390}")
    party.run(lambda: bob.heard[-1][1].startswith("<ann> 00999"))
    return party, [(when, line) for when, line in bob.heard if line.startswith("<")]


def test_a_member_that_stops_reading_slows_nobody_by_a_microsecond() -> None:
    with Simulation() as sim:
        _, undisturbed = talk(sim, one_stops=False)
    with Simulation() as sim:
        party, heard = talk(sim, one_stops=True)
    assert party.log[-1].startswith("slow has left: SendBufferFullError: ")
    assert heard == undisturbed


@pytest.mark.parametrize("profile", PROFILES)
def test_a_member_that_stops_reading_is_dropped_for_that_and_memory_is_bounded(profile: Profile) -> None:
    with Simulation(profile=profile) as sim:
        party, heard = talk(sim, one_stops=True)
        ann, bob, slow = party.friends
        assert len(heard) == 1_000
        assert party.chat.server.ended == {"SendBufferFullError": 1}
        assert list(party.chat.members) == ["ann", "bob"]
        assert OPTIONS.hard_limit // 2 < party.most_unsent <= OPTIONS.hard_limit
        sim.run(until=lambda: ann.has_heard("* slow has left, too slow a reader"))
        assert slow.transport is not None
        slow.transport.resume_reading()
        sim.run(until=lambda: slow.ended != "not yet")
        assert slow.ended_by(ConnectionResetError)
        assert slow.said == bob.said[: len(slow.said)]


@pytest.mark.parametrize(
    ("buffer", "reason", "notice"),
    [
        (4 * 1024, "WriteTimeoutError", "too slow a reader"),  # its kernel's buffer is full: 20 s
        (256 * 1024, "TimeoutError", "cut off"),  # it is not: TCP itself gives up, after many tries
    ],
)
def test_a_member_whose_machine_crashed_is_dropped_in_the_end(buffer: int, reason: str, notice: str) -> None:
    def conversation(sim: Simulation) -> None:
        party = Party(sim, "ann", "bob", send_buffer=buffer)
        ann, bob = party.friends
        bob.host.crash()
        speaking = ann.host.reactor.call_every(4.0, ann.says, "x" * 200)
        party.run(lambda: ann.has_heard(f"* bob has left, {notice}"))
        speaking.cancel()
        assert party.chat.server.ended == {reason: 1}
        assert len(party.chat.server.connections) == 1

    for profile in PROFILES:
        check(conversation, seeds=range(3), profile=profile)


@pytest.mark.parametrize("profile", PROFILES)
def test_the_goodbye_is_the_last_that_everybody_hears_and_nothing_before_it_is_lost(profile: Profile) -> None:
    def conversation(sim: Simulation) -> None:
        party = Party(sim, "ann", "bob", "cid")
        for friend in party.friends:
            for number in range(30):
                friend.host.reactor.call_later(number / 10, friend.says, str(number))
        sim.run_for(1.5)
        party.server.signal(signal.SIGTERM)
        sim.run()
        first = party.friends[0].said
        for friend in party.friends:
            assert friend.ended is None
            assert friend.heard[-1][1] == GOODBYE
            assert friend.said == first
        assert party.log[-1] == "closed: {'clean': 3}"

    check(conversation, seeds=range(10), profile=profile)


@pytest.mark.parametrize("patient", [True, False])
def test_who_does_not_take_the_goodbye_is_cut_off_and_a_second_ctrl_c_does_not_wait(patient: bool) -> None:
    with Simulation() as sim:
        party = Party(sim, "ann", "slow")
        ann, slow = party.friends
        assert slow.transport is not None
        slow.transport.pause_reading()
        for number in range(750):  # 300 KB: more than the kernels take, less than the limit allows besides
            ann.host.reactor.call_later(number / 1000, ann.says, "x" * LONGEST)
        party.run(lambda: len(ann.said) == 750)
        began = sim.time()
        party.server.signal(signal.SIGINT)
        sim.run_for(GRACE - 1)
        assert ann.ended is None and ann.heard[-1][1] == GOODBYE
        assert slow.ended == "not yet"
        if patient:
            sim.run(until=lambda: party.log[-1].startswith("closed"))
            assert party.log[-1] == "closed: {'clean': 1, 'DrainTimeoutError': 1}"
            assert GRACE <= sim.time() - began <= GRACE + 1
        else:
            party.server.signal(signal.SIGINT)
        sim.run_for(0.5)
        slow.transport.resume_reading()
        sim.run(until=lambda: slow.ended != "not yet")
        assert slow.ended_by(ConnectionResetError)


def test_who_quits_has_left_even_if_the_other_program_does_not_hang_up() -> None:
    class Lingering(Friend):
        def eof_received(self) -> bool:
            return True

    with Simulation() as sim:
        party = Party(sim, "ann")
        ann = party.friends[0]
        zoe = Lingering(sim.host("zoe"), "zoe")
        sim.run_for(1)
        zoe.says("/quit")
        sim.run_for(1)
        assert [line for _, line in ann.heard[-2:]] == ["* zoe has joined", "* zoe has left"]
        other = Friend(sim.host("other"), "Zoe")
        sim.run(until=lambda: len(party.chat.server.connections) == 3)
        sim.run(until=lambda: len(party.chat.server.connections) == 2)  # the first is cut off
        ann.says("/who")
        sim.run_for(1)
        assert [line for _, line in ann.heard[-2:]] == ["* Zoe has joined", "* here are: ann, Zoe"]
        assert other.ended == "not yet"


def test_a_book_that_is_pasted_does_not_keep_the_others_waiting() -> None:
    with Simulation() as sim:
        party = Party(sim, "ann", "bob")
        ann, bob = party.friends
        assert ann.transport is not None
        ann.transport.write(b"line of a book\n" * 5_000)
        bob.says("wait")
        party.run(lambda: len(bob.said) == 5_001)
        assert bob.said.index("<bob> wait") < 300  # of 5,000


@pytest.mark.parametrize("profile", PROFILES)
def test_of_a_line_without_end_no_more_is_kept_than_shows_that_it_is_too_long(profile: Profile) -> None:
    with Simulation(profile=profile) as sim:
        party = Party(sim, "ann", "bob")
        ann, bob = party.friends
        assert ann.transport is not None
        for _ in range(100):
            ann.transport.write(b"x" * 5_000)
        ann.transport.write(b"\nwell\n")
        party.run(lambda: ann.said and bob.said)  # which looks at what is kept
        assert [line for _, line in ann.heard[-2:]] == [
            f"* not sent: that line has more than {LONGEST} bytes",
            "<ann> well",
        ]
        assert bob.said == ["<ann> well"]


@settings(max_examples=60, deadline=None)
@given(
    pieces=st.lists(
        st.one_of(
            st.binary(max_size=30),
            st.sampled_from([b"\n", b"\r\n", b"\r", b"x" * LONGEST, b"x" * (LONGEST - 1), b"y" * 9_000, b"/who", b"/"]),
        ),
        max_size=20,
    )
)
def test_whatever_is_sent_in_whatever_pieces_each_line_has_one_answer(pieces: list[bytes]) -> None:
    *lines, rest = b"".join(pieces).split(b"\n")
    expected = [answer for answer in map(expected_answer, [*lines, rest + b"end"]) if answer]
    with Simulation() as sim:
        party = Party(sim, "ann")
        ann = party.friends[0]
        before = len(ann.heard)
        for piece in [*pieces, b"end\n"]:
            assert ann.transport is not None
            ann.transport.write(piece)
            sim.run_for(0.01)  # so that each piece arrives by itself
        party.run(lambda: len(ann.heard) - before >= len(expected))
        sim.run_for(1)
        assert [line.partition(":")[0] if line.startswith("*") else line for _, line in ann.heard[before:]] == expected
        assert ann.ended == "not yet"


def expected_answer(line: bytes) -> str:
    """What is heard for a line: all of what was said, or the beginning of a notice."""
    line = line.removesuffix(b"\r")
    if len(line) > LONGEST:
        return "* not sent"
    try:
        text = CONTROL.sub(" ", line.decode()).strip()
    except UnicodeDecodeError:
        return "* not sent"
    if text.split() == ["/who"]:
        return "* here are"
    return "* there are /who, /msg NAME TEXT and /quit" if text.startswith("/") else text and f"<ann> {text}"
