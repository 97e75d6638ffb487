"""The key-value server on simulated networks: nothing acknowledged is lost, and nobody pays for the slowest."""

from __future__ import annotations

import re
import signal
import tracemalloc
from collections.abc import Callable
from itertools import chain, repeat
from itertools import count as numbers

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.key_value import __main__ as program
from examples.key_value import database
from examples.key_value.__main__ import MOST_WAITING, serve
from reactor import FramedProtocol, Reactor, RespCodec, RespError, RespStatus, RespValue, Server, Transport, connect
from reactor.simulation import CALM, HOSTILE, LOSSY_WIFI, Host, Profile, Simulation, check

each_profile = pytest.mark.parametrize("profile", [CALM, LOSSY_WIFI, HOSTILE], ids=["calm", "wifi", "hostile"])
OK = RespStatus(b"OK")
FULL = RespError(b"OOM command not allowed when used memory > 'maxmemory'.")


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
        self.most_unsent = 0
        self.server = sim.host("server", "10.0.0.1", program=self.serve)

    def serve(self, reactor: Reactor) -> None:
        self.servers.append(serve(reactor, "10.0.0.1:6380"))

    def client(self, *requests: str | list[bytes]) -> Asking:
        return self.client_at(self.sim.host(f"client{len(self.sim.hosts)}"), *requests)

    def client_at(self, host: Host, *requests: str | list[bytes]) -> Asking:
        asking = Asking(*requests)
        connect(host.reactor, lambda: asking, "server:6380")
        return asking

    def client_in_parts(self, trickling: Trickling) -> Trickling:
        connect(self.sim.host(f"client{len(self.sim.hosts)}").reactor, lambda: trickling, "server:6380")
        return trickling

    def ask(self, *requests: str | list[bytes]) -> list[RespValue]:
        """What a new client is answered."""
        asking = self.client(*requests)
        self.run(asking.all_answered)
        asking.close()
        return asking.answers

    def unsent(self) -> int:
        """The bytes that wait for clients."""
        return sum(connection.get_write_buffer_size() for connection in self.servers[-1].connections)

    def run(self, until: Callable[[], object]) -> None:
        """Until that is true, looking at each moment at what waits for clients."""

        def watched() -> object:
            self.most_unsent = max(self.most_unsent, self.unsent())
            return until()

        self.sim.run(until=watched)


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


KEYS = st.sampled_from(["a", "b", "n"])
REQUESTS = st.one_of(
    st.builds("SET {} {}".format, KEYS, st.integers(-5, 5)),
    st.builds("SET {} {} {}".format, KEYS, st.integers(-5, 5), st.sampled_from(["NX", "XX", "EX 1000", "x"])),
    st.builds("{} {}".format, st.sampled_from(["GET", "INCR", "DECR", "DEL", "MSET", "NONSENSE"]), KEYS),
    st.builds("{} {} {}".format, st.sampled_from(["MGET", "EXISTS", "INCRBY", "MSET", "DEL", "EXPIRE"]), KEYS, KEYS),
)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), requests=st.lists(st.lists(REQUESTS, max_size=30), min_size=1, max_size=3))
def test_answers_are_the_same_as_alone_on_a_kind_network(data: st.DataObject, requests: list[list[str]]) -> None:
    """Each client has keys of its own, so neither the others nor what becomes of its packets are any of its concern."""
    mine = [[re.sub(r"\b[abn]\b", rf"\g<0>{client}", words) for words in each] for client, each in enumerate(requests)]
    with Simulation(data=data, profile=HOSTILE) as sim:
        town = Town(sim)
        clients = [town.client(*each) for each in mine]
        sim.run(until=lambda: all(client.all_answered() for client in clients))
    for client, each in zip(clients, mine, strict=True):
        with Simulation() as sim:
            assert client.answers == Town(sim).ask(*each)


def test_what_was_acknowledged_before_a_connection_broke_is_there_and_nothing_happened_twice() -> None:
    broken = 0

    def scenario(sim: Simulation) -> None:
        nonlocal broken
        town = Town(sim)
        town.server.receive_buffer = 512  # so that the requests come in many parts
        keys = [f"n{client}" for client in range(4)]
        clients = [town.client(*(words for _ in range(100) for words in (f"INCR {key}", "INCR all"))) for key in keys]
        sim.run(until=lambda: all(client.all_answered() or client.lost for client in clients))
        broken += sum(not client.all_answered() for client in clients)
        sim.profile = HOSTILE
        *counts, total = map(number, town.ask(*(f"GET {key}" for key in keys), "GET all"))
        for client, count in zip(clients, counts, strict=True):
            acknowledged = client.answers[0::2]
            assert acknowledged == list(range(1, len(acknowledged) + 1))
            assert len(acknowledged) <= count <= 100
        assert sum(counts) - len(keys) <= total <= sum(counts)
        assert len({number(answer) for client in clients for answer in client.answers[1::2]}) == sum(
            len(client.answers[1::2]) for client in clients
        )

    check(scenario, seeds=range(10), profile=HOSTILE.but(reset=0.02))
    assert broken > 5


def number(answer: RespValue) -> int:
    """What was counted to; a key that nobody has come to is nothing."""
    assert answer is None or isinstance(answer, bytes | int)
    return int(answer or 0)


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


def test_who_listens_misses_nothing_until_its_connection_breaks() -> None:
    broken = 0

    def scenario(sim: Simulation) -> None:
        nonlocal broken
        town = Town(sim)
        listeners = [town.client("SUBSCRIBE news") for _ in range(4)]
        sim.run(until=lambda: all(listener.answers or listener.lost for listener in listeners))
        acknowledged = []
        for message in range(50):
            publisher = town.client(f"PUBLISH news {message}")
            sim.run(until=lambda: publisher.answers or publisher.lost)  # noqa: B023
            publisher.close()
            if publisher.answers:
                acknowledged.append(message)
        sim.run_for(100)
        broken += sum(bool(listener.lost) for listener in listeners)
        heard = [[number(said[2]) for said in listener.answers[1:]] for listener in listeners]  # type: ignore[index]
        longest = max(heard, key=len)
        assert longest == sorted(set(longest))
        for messages in heard:
            assert messages == longest[: len(messages)]
            assert all(message in messages for message in acknowledged if message < max(messages, default=0))

    check(scenario, seeds=range(5), profile=HOSTILE.but(reset=0.02))
    assert broken > 5


@each_profile
def test_a_subscriber_that_stopped_is_cut_off_and_nobody_else_notices(profile: Profile) -> None:
    def scenario(sim: Simulation) -> None:
        town = Town(sim)
        town.server.send_buffer = 16 * 1024
        stopped, reading = town.client("SUBSCRIBE news"), town.client("SUBSCRIBE news")
        sim.run(until=lambda: stopped.answers and reading.answers)
        published: list[RespValue] = []
        ended = town.servers[0].ended
        while not ended["SendBufferFullError"]:
            if len(published) == 3:
                assert stopped.transport is not None
                stopped.transport.pause_reading()
            text = b"%d " % len(published) + b"x" * 100_000
            assert town.ask([b"PUBLISH", b"news", text]) == [2]
            published.append([b"message", b"news", text])
            town.run(lambda: len(reading.answers) == 1 + len(published))  # in time, whatever becomes of the other
            if len(published) <= 3:
                sim.run(until=lambda: len(stopped.answers) == 1 + len(published))
            assert not reading.lost
        assert dict(ended) == {"clean": len(published), "SendBufferFullError": 1}
        assert MOST_WAITING * 0.9 < town.most_unsent < MOST_WAITING + 300_000
        assert reading.answers[1:] == published
        assert stopped.transport is not None
        stopped.transport.resume_reading()
        sim.run(until=lambda: stopped.lost)
        assert isinstance(stopped.lost[0], ConnectionResetError)  # what it has is not all, and does not look so
        assert 3 <= len(stopped.answers[1:]) < len(published)
        assert stopped.answers[1:] == published[: len(stopped.answers) - 1]
        assert town.ask([b"PUBLISH", b"news", b"more"]) == [1]

    check(scenario, seeds=range(2), profile=profile)


def test_many_that_stopped_have_one_bound_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "MOST_HELD", 3_000_000)
    with Simulation() as sim:
        town = Town(sim)
        town.server.send_buffer = 16 * 1024
        listeners = [town.client("SUBSCRIBE news") for _ in range(20)]
        sim.run(until=lambda: all(listener.answers for listener in listeners))
        for listener in listeners:
            assert listener.transport is not None
            listener.transport.pause_reading()
        left = 20
        while left:
            (left,) = map(number, town.ask([b"PUBLISH", b"news", b"x" * 100_000]))
        assert 2_500_000 < town.most_unsent <= 3_000_000
        assert set(town.servers[0].ended) == {"clean", "BudgetExceededError"}
        assert town.ask("SET a 1", "GET a") == [OK, b"1"]


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
    monkeypatch.setattr(database, "SWEPT_AT_ONCE", 0)
    with Simulation() as sim:
        town = Town(sim)
        town.ask("SET a 1 PX 500", "SET b 1 PX 500", "SET c 1 PX 500", "SET d 5 PX 500")
        sim.run_for(0.6)
        assert town.ask("SET a 2 XX", "SET b 2 NX", "DEL c", "INCR d", "TTL d") == [None, OK, 0, 1, -1]


def test_many_expired_values_are_swept_a_few_at_a_time_behind_those_that_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "SWEPT_AT_ONCE", 3)
    with Simulation() as sim:
        town = Town(sim)
        town.ask(*(f"SET lasts{number} 1 EX 1000" for number in range(10)))
        town.ask(*(f"SET k{number} 1 PX 100" for number in range(30)))
        sim.run_for(3)
        assert b"keys=10,expires=10" in town.ask("INFO keyspace")[0]  # type: ignore[operator]


def test_sweeping_goes_on_while_most_have_expired_but_not_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "SWEPT_AT_ONCE", 10)

    def swept(lasting: int, a_look_takes: float = 0.0) -> int:
        moments = chain(repeat(0.0, 1000), numbers(1.0, a_look_takes))
        data = database.Database(lambda: next(moments))
        for key in range(1000):
            data.put(b"%d" % key, b"")
            data.expire(b"%d" % key, 10_000 if key % 10 < lasting else 0)
        data.sweep()
        return 1000 - len(data.values)

    assert [swept(lasting) for lasting in (0, 1, 4, 5, 9, 10)] == [1000, 900, 600, 5, 1, 0]
    assert swept(0, database.SWEEP_LASTS / 35) == 40  # the clock is read once for each key, and once for each ten


def test_nobody_is_refused_while_values_that_expired_take_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "MOST_MEMORY", 50_000)
    monkeypatch.setattr(program, "SWEEP_EVERY", 1000.0)
    with Simulation() as sim:
        town = Town(sim)
        assert FULL in town.ask(*(f"SET k{number} v PX 100" for number in range(300)))
        sim.run_for(1)
        assert town.ask("SET other v", "MGET other k1", "INFO memory") == [
            OK,
            [b"v", None],
            b"# Memory\r\nused_memory:256\r\nmaxmemory:50000\r\n",
        ]


def test_memory_has_an_end_and_deleting_gives_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "MOST_MEMORY", 10_000)
    with Simulation() as sim:
        town = Town(sim)
        said = town.ask(*(f"SET k{number} {'x' * 800}" for number in range(20)))
        stored = said.count(OK)
        assert 5 < stored < 12 and said == [OK] * stored + [FULL] * (20 - stored)
        assert town.ask("SET k0 y", "MSET a 1", "INCR n", "GET k0") == [FULL, FULL, FULL, b"x" * 800]
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


def test_channels_take_memory_as_well_and_who_leaves_gives_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "MOST_MEMORY", 10_000)
    with Simulation() as sim:
        town = Town(sim)
        many = town.client("SUBSCRIBE a a b", *(f"SUBSCRIBE {channel}{'x' * 800}" for channel in range(20)))
        sim.run(until=lambda: FULL in many.answers)
        assert town.ask("SET k v", "PUBLISH a x") == [FULL, 1]
        many.send([b"UNSUBSCRIBE", b"a", b"b", b"no"])
        sim.run_for(1)
        listening = sum(isinstance(answer, list) and answer[0] == b"subscribe" for answer in many.answers) - 3
        taken = listening * (801 + database.CHANNEL_TAKES) + sum(len(str(channel)) - 1 for channel in range(listening))
        assert town.ask("INFO memory")[0] == b"# Memory\r\nused_memory:%d\r\nmaxmemory:10000\r\n" % taken
        many.close()
        sim.run_for(1)
        assert b"used_memory:0\r\n" in town.ask("INFO memory")[0]  # type: ignore[operator]


class Nobody:
    """Who listens, and does not hear."""

    def push(self, message: bytes) -> None:
        pass


@pytest.mark.parametrize("size", [10, 1000])
@pytest.mark.parametrize("count", [100, 11_000])  # with so many, the tables have just been made larger
def test_no_more_memory_is_taken_than_is_counted(size: int, count: int) -> None:
    tracemalloc.start()
    try:
        for kind in ("values", "values that expire", "channels"):
            data, listener, listens = database.Database(lambda: 0.0), Nobody(), dict[bytes, None]()
            before, _ = tracemalloc.get_traced_memory()
            for entry in range(count):
                name = b"%0*d" % (size, entry)
                if kind == "channels":
                    listens[name] = None
                    data.join(name, listener)
                else:
                    data.put(name, name * 2)
                    data.expire(name, 10**9 + entry if "expire" in kind else None)
            after, _ = tracemalloc.get_traced_memory()
            assert data.memory / 4 < after - before < data.memory
    finally:
        tracemalloc.stop()


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


class Trickling(Asking):
    """Sends some bytes at once, and then some more whenever it is told to."""

    def __init__(self, first: bytes, *rest: bytes) -> None:
        super().__init__()
        self.first, self.rest = first, iter(rest)

    def connection_made(self, transport: Transport) -> None:
        super().connection_made(transport)
        transport.write(self.first)

    def trickle(self) -> None:
        if self.transport is not None:
            self.transport.write(next(self.rest, b""))


PART = b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1000\r\n"


@pytest.mark.parametrize("before", [b"", b"PING\r\n", b"SUBSCRIBE news\r\n"])
@pytest.mark.parametrize("rest", [[], [b"x"] * 1000])
def test_who_does_not_complete_a_request_is_cut_off_after_a_minute(before: bytes, rest: list[bytes]) -> None:
    with Simulation() as sim:
        town = Town(sim)
        slow = town.client_in_parts(Trickling(before + PART, *rest))
        others = [
            town.client_in_parts(Trickling(*parts))
            for parts in ((b"SUBSCRIBE news\r\n",), (b"PING\r\n",), (b"",), (b"P", *[b"ING\nP"] * 10))
        ]
        for _ in range(5):
            sim.run_for(10)
            for client in (slow, *others):
                client.trickle()
        sim.run_for(9)
        assert not slow.lost
        sim.run_for(7)
        assert isinstance(slow.lost[0], ConnectionResetError)
        assert town.servers[0].ended == {"DeadlineError": 1}
        for _ in range(5):
            sim.run_for(10)
            others[-1].trickle()
        assert not any(client.lost for client in others)
        sim.run_for(3600)
        assert [bool(client.lost) for client in others] == [False, False, False, True]  # its last request has begun


def has_more_or_is_lost(client: Asking) -> Callable[[], object]:
    seen = len(client.answers)
    return lambda: client.lost or len(client.answers) > seen


def test_who_is_not_read_from_is_not_late() -> None:
    with Simulation() as sim:
        town = Town(sim)
        town.server.send_buffer = 16 * 1024
        busy = town.client_in_parts(Trickling(b"SUBSCRIBE news\r\nPI", b"NG\r\n"))
        sim.run(until=lambda: busy.answers)
        assert busy.transport is not None
        (connection,) = town.servers[0].connections
        busy.transport.pause_reading()
        assert town.ask(*([[b"PUBLISH", b"news", b"x" * 100_000]] * 20)) == [1] * 20
        times = 0
        while not connection.is_reading():
            times += 1
            busy.transport.pause_reading()
            for _ in range(50):
                if not connection.is_reading():
                    sim.run_for(1)
            busy.transport.resume_reading()
            sim.run(until=has_more_or_is_lost(busy))
            assert not busy.lost
        assert times > 3
        sim.run_for(50)
        busy.trickle()
        sim.run(until=lambda: busy.lost or busy.answers[-1] == [b"pong", b""])
        assert not busy.lost


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
