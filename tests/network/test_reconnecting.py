"""A connection that comes back: after which pauses, and that it stops whenever it is told to."""

from __future__ import annotations

import gc
import socket
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor import (
    Backoff,
    ConnectionOptions,
    Connector,
    Protocol,
    Reactor,
    Reconnector,
    Transport,
    listen,
    reconnect,
)
from reactor.errors import (
    ClosedError,
    ConnectError,
    ConnectTimeoutError,
    ForkedError,
    NameResolutionError,
    OptionError,
    WrongThreadError,
)
from reactor.network.connection import Connection
from reactor.simulation import Simulation
from tests.network.kit import Network, Recorder, ScriptedKernel, World, inet, port_of

PLAIN = Backoff(initial=1, cap=10, jitter=0)
"""Pauses of 1, 2, 4, 8, 10, 10, … seconds."""

QUICK = Backoff(initial=0.001, cap=0.01)
LONG = Backoff(initial=1000, cap=1000)

STATES = ["resolving", "connecting", "connected", "pausing"]


class Clock:
    """The time of a scripted kernel. It stands still until somebody moves it."""

    def __init__(self, kernel: ScriptedKernel) -> None:
        self.kernel = kernel
        kernel.clock = 1000.0

    @property
    def time(self) -> float:
        assert self.kernel.clock is not None
        return self.kernel.clock

    def advance(self, seconds: float) -> None:
        self.kernel.clock = self.time + seconds


class Client:
    """Wants to stay connected, and keeps what came of it."""

    def __init__(self, net: Network, address: str, **arguments: Any) -> None:
        self.net = net
        self.nears: list[Recorder] = []
        self.hooks: dict[str, Callable[..., Any]] = {}  # of all recorders to come
        self.before_made: Callable[[], object] | None = None  # called in the factory
        self.failures: list[ConnectError] = []
        self.announced: list[float] = []  # the pauses that on_failure was told
        arguments.setdefault("on_failure", self.failed)
        arguments.setdefault("backoff", QUICK)
        self.reconnector = reconnect(net.reactor, self.make, address, **arguments)

    def make(self) -> Recorder:
        if self.before_made is not None:
            self.before_made()
        self.nears.append(Recorder(**self.hooks))
        return self.nears[-1]

    def failed(self, error: ConnectError, pause: float) -> None:
        self.failures.append(error)
        self.announced.append(pause)

    @property
    def state(self) -> str:
        return self.reconnector.state.value

    def next_pause(self, clock: Clock) -> float:
        """Wait until this attempt or connection is over, and the pause behind it as well; how long that one was."""
        self.net.until(lambda: self.state == "pausing")
        pause: float = self.reconnector.describe()["next"] - clock.time
        clock.advance(pause)
        self.net.until(lambda: self.state != "pausing")
        return pause


def requests(net: Network) -> list[str]:
    """What the requests under way are doing."""
    resources = [each for each in net.reactor.describe()["resources"] if each["kind"] == "connector"]
    return ["connecting" if each["trying"] else each["state"] for each in resources]


def reach(net: Network, reconnector: Reconnector, state: str) -> None:
    """Run the loop until the only request there is stands as `state` says, or there is none because it pauses."""
    net.until(lambda: (requests(net) or [reconnector.state.value]) == [state])


def nothing_is_left(net: Network) -> None:
    """Nothing but servers."""
    seen = net.reactor.describe()
    assert [each for each in seen["resources"] if each["kind"] != "server"] == []
    assert (seen["timers"], seen["ready"], seen["jobs"]) == (0, 0, 0)


@pytest.fixture
def clock(kernel: ScriptedKernel) -> Clock:
    return Clock(kernel)


@pytest.fixture
def refusing(world: World) -> Iterator[str]:
    """An address where nobody listens, and that nobody else gets meanwhile."""
    sock = world.raw_socket()
    sock.bind(("127.0.0.1", 0))
    yield f"127.0.0.1:{sock.getsockname()[1]}"
    sock.close()


@pytest.fixture
def place(kernel: ScriptedKernel, refusing: str) -> list[str]:
    """What the name `place` stands for just now; at first an address where nobody listens."""
    place = [refusing]
    kernel.names["place"] = lambda: [inet(port_of(place[0]))]
    kernel.job = lambda question: question()
    return place


class Target(NamedTuple):
    """An address that leads to a state, and no further."""

    state: str
    address: str


@pytest.fixture(params=STATES)
def target(
    request: pytest.FixtureRequest, net: Network, kernel: ScriptedKernel, mute_port: int, refusing: str
) -> Target:
    kernel.names["hanging"] = []
    questions: list[Callable[[], None]] = []
    kernel.job = questions.append  # a name server that does not answer
    if request.param == "connected":
        return Target(request.param, net.listen(Recorder).addresses[0])
    leading = {"resolving": "hanging:80", "connecting": f"127.0.0.1:{mute_port}", "pausing": refusing}
    return Target(request.param, leading[request.param])


# --- It comes back ----------------------------------------------------------------------------------------------------


def test_each_connection_that_ends_is_followed_by_a_new_one_with_a_new_protocol(net: Network) -> None:
    fars: list[Recorder] = []

    def accept() -> Recorder:
        fars.append(Recorder())
        return fars[-1]

    client = Client(net, net.listen(accept).addresses[0])
    for number, (side, how) in enumerate([(fars, "close"), (fars, "abort"), (client.nears, "close")], 1):
        net.until(lambda: len(fars) == len(client.nears) == number and fars[-1].made and client.nears[-1].made)  # noqa: B023
        assert client.reconnector.connection is client.nears[-1].transport
        getattr(side[-1].transport, how)()
    net.until(lambda: len(client.nears) == 4)
    assert (client.reconnector.attempts, client.failures) == (4, [])
    for near in client.nears[:3]:
        near.check()
    assert [near.ending for near in client.nears] == ["clean", "ConnectionResetError", "clean", "open"]


def test_it_connects_to_a_server_that_comes_later(net: Network, place: list[str]) -> None:
    client = Client(net, "place:80")
    net.until(lambda: len(client.failures) == 3)
    assert all(isinstance(error.__cause__, ConnectionRefusedError) for error in client.failures)
    assert client.reconnector.connection is None
    place[0] = net.listen(Recorder).addresses[0]
    net.until(lambda: client.nears and client.nears[0].made)
    assert client.reconnector.attempts == len(client.failures) + 1


def test_a_name_that_does_not_resolve_for_a_while_is_a_failure_like_any_other(
    net: Network, kernel: ScriptedKernel, place: list[str]
) -> None:
    def not_now() -> Any:
        kernel.names["place"] = found
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    found, kernel.names["place"] = kernel.names["place"], not_now
    kernel.job = None  # in a thread, which carries the exception over
    place[0] = net.listen(Recorder).addresses[0]
    client = Client(net, "place:80")
    reach(net, client.reconnector, "connected")
    assert [type(error) for error in client.failures] == [NameResolutionError]


def test_its_options_are_those_of_every_attempt(net: Network, mute_port: int) -> None:
    client = Client(net, f"127.0.0.1:{mute_port}", options=ConnectionOptions(connect_timeout=0.01))
    net.until(lambda: len(client.failures) == 2)
    assert {type(error) for error in client.failures} == {ConnectTimeoutError}


def test_it_keeps_the_loop_running_through_the_pauses_and_not_after_stop(net: Network, refusing: str) -> None:
    def failed(error: ConnectError, pause: float) -> None:
        client.failed(error, pause)
        states.append(client.state)
        if len(client.failures) == 3:
            client.reconnector.stop()

    states: list[str] = []
    client = Client(net, refusing, on_failure=failed)
    net.until(lambda: not net.reactor.alive())
    net.reactor.run()  # returns
    assert states == ["pausing"] * 3
    assert (client.reconnector.attempts, client.state) == (3, "stopped")
    nothing_is_left(net)


# --- How long the pauses are ------------------------------------------------------------------------------------------


def test_pauses_grow_by_the_factor_up_to_the_cap(net: Network, clock: Clock, refusing: str) -> None:
    client = Client(net, refusing, backoff=PLAIN)
    assert [client.next_pause(clock) for _ in range(7)] == client.announced[:7] == [1, 2, 4, 8, 10, 10, 10]
    steep = Client(net, refusing, backoff=Backoff(initial=1, cap=50, factor=3, jitter=0))
    assert [steep.next_pause(clock) for _ in range(6)] == [1, 3, 9, 27, 50, 50]


def test_no_attempt_comes_before_its_pause_is_over(net: Network, clock: Clock, refusing: str) -> None:
    client = Client(net, refusing, backoff=PLAIN)
    reach(net, client.reconnector, "pausing")
    clock.advance(0.999)
    net.settle()
    assert client.reconnector.attempts == 1
    clock.advance(0.001)
    net.settle()
    assert client.reconnector.attempts == 2


@pytest.mark.parametrize(
    ("jitter", "chance", "pauses"),
    [
        (0.5, 0.0, [1, 2, 4, 8, 10, 10]),
        (0.5, 0.5, [0.75, 1.5, 3, 6, 7.5, 7.5]),  # that chance has shortened one pause does not shorten the next
        (0.25, 0.5, [0.875, 1.75, 3.5, 7, 8.75, 8.75]),
        (1.0, 0.75, [0.25, 0.5, 1, 2, 2.5, 2.5]),
        (0.0, 0.75, [1, 2, 4, 8, 10, 10]),
    ],
)
def test_chance_shortens_a_pause_by_up_to_the_jitter(
    net: Network, clock: Clock, refusing: str, monkeypatch: pytest.MonkeyPatch,
    jitter: float, chance: float, pauses: list[float],
) -> None:  # fmt: skip
    monkeypatch.setattr(clock.kernel, "random", lambda: chance)
    client = Client(net, refusing, backoff=Backoff(initial=1, cap=10, jitter=jitter))
    assert [client.next_pause(clock) for _ in pauses] == pytest.approx(pauses)
    assert client.announced[: len(pauses)] == pytest.approx(pauses)


def test_the_kernels_own_chance_stays_within_the_jitter_and_varies(net: Network, clock: Clock, refusing: str) -> None:
    client = Client(net, refusing, backoff=Backoff(initial=1, cap=1, jitter=0.5))
    pauses = [client.next_pause(clock) for _ in range(30)]
    assert all(0.4999 < pause < 1.0001 for pause in pauses)
    assert len(set(pauses)) > 20


@pytest.mark.parametrize(("lasts", "pauses"), [(0, [4, 8, 10]), (4.99, [4, 8, 10]), (5, [1, 1, 1]), (60, [1, 1, 1])])
def test_only_a_connection_that_has_lasted_makes_the_next_pause_short_again(
    net: Network, clock: Clock, place: list[str], lasts: float, pauses: list[float]
) -> None:
    client = Client(net, "place:80", backoff=Backoff(initial=1, cap=10, jitter=0, steady=5))
    assert client.next_pause(clock) == 1
    reach(net, client.reconnector, "pausing")
    place[0] = net.listen(Recorder).addresses[0]
    assert client.next_pause(clock) == 2
    got = []
    for _ in pauses:
        reach(net, client.reconnector, "connected")
        assert client.reconnector.describe()["next"] is None
        clock.advance(lasts)
        client.nears[-1].transport.abort()
        got.append(client.next_pause(clock))
    assert got == pytest.approx(pauses)


def test_failures_after_a_good_connection_begin_where_its_own_pause_left_off(
    net: Network, clock: Clock, place: list[str], refusing: str
) -> None:
    place[0] = net.listen(Recorder).addresses[0]
    client = Client(net, "place:80", backoff=PLAIN)
    reach(net, client.reconnector, "connected")
    clock.advance(PLAIN.steady)
    place[0] = refusing
    client.nears[0].transport.close()
    assert [client.next_pause(clock) for _ in range(4)] == [1, 2, 4, 8]
    assert client.announced[:3] == [2, 4, 8]  # the first pause followed a connection, and no failure


def test_a_server_that_accepts_and_hangs_up_is_asked_less_and_less(net: Network, clock: Clock) -> None:
    server = net.listen(lambda: Recorder(connection_made=lambda me: me.transport.close()))
    client = Client(net, server.addresses[0], backoff=PLAIN)
    assert [client.next_pause(clock) for _ in range(6)] == [1, 2, 4, 8, 10, 10]
    assert client.failures == []


def test_clients_that_lost_the_same_server_do_not_come_back_together() -> None:
    def most_at_once(backoff: Backoff) -> int:
        arrivals: list[float] = []

        class Serving(Protocol):
            def connection_made(self, transport: Transport) -> None:
                arrivals.append(sim.time())

        with Simulation() as sim:
            server = sim.host("server", program=lambda reactor: listen(reactor, Serving, ":9000"))
            for number in range(50):
                reconnect(sim.host(f"client{number}").reactor, Recorder, "server:9000", backoff=backoff)
            sim.run(until=lambda: len(arrivals) == 50)
            arrivals.clear()
            server.kill()
            sim.run_for(5)
            server.restart()
            sim.run(until=lambda: len(arrivals) == 50)
        return max(sum(begin <= when < begin + 0.01 for when in arrivals) for begin in arrivals)

    assert most_at_once(Backoff(jitter=0)) == 50
    assert most_at_once(Backoff()) < 10


@given(
    initial=st.floats(1e-3, 1e3),
    cap=st.floats(1e-3, 1e6),
    factor=st.floats(1, 1e9) | st.just(float("inf")),
)
def test_pauses_never_fall_and_never_pass_the_cap(initial: float, cap: float, factor: float) -> None:
    backoff = Backoff(initial=min(initial, cap), cap=cap, factor=factor)
    pause = backoff.initial
    for _ in range(50):
        following = backoff.next(pause)
        assert pause <= following <= cap
        pause = following


# --- It stops, whatever it is doing -----------------------------------------------------------------------------------


def test_it_can_be_stopped_in_every_state(net: Network, target: Target) -> None:
    client = Client(net, target.address, backoff=LONG)
    reach(net, client.reconnector, target.state)
    client.reconnector.stop()
    client.reconnector.stop()
    assert client.state == "stopped"
    assert requests(net) == (["connected"] if target.state == "connected" else [])
    assert not any(near.over for near in client.nears)  # connection_lost is not called from inside
    net.until(lambda: requests(net) == [])
    for near in client.nears:
        near.check()
        assert near.ending == "clean"
    net.settle()
    assert (client.reconnector.attempts, len(client.failures)) == (1, target.state == "pausing")
    nothing_is_left(net)


def test_what_was_written_before_stop_still_arrives(net: Network) -> None:
    def write_and_stop(me: Recorder) -> None:
        me.transport.write(bytes(300_000))
        client.reconnector.stop()

    far = Recorder()
    client = Client(net, net.listen(lambda: far).addresses[0])
    client.hooks["connection_made"] = write_and_stop
    net.until(lambda: far.over)
    assert (len(far.received), far.ending) == (300_000, "clean")


@pytest.mark.parametrize("callback", ["connection_made", "data_received", "eof_received", "connection_lost"])
def test_it_can_be_stopped_inside_each_callback(net: Network, callback: str) -> None:
    greeting = {"connection_made": lambda me: (me.transport.write(b"hello"), me.transport.close())}
    server = net.listen(lambda: Recorder(**greeting))
    client = Client(net, server.addresses[0])
    client.hooks[callback] = lambda *_: client.reconnector.stop()
    net.until(lambda: client.nears and client.nears[0].over and not server.connections)
    client.nears[0].check()
    net.settle()
    assert (client.reconnector.attempts, client.state) == (1, "stopped")
    nothing_is_left(net)


@pytest.mark.parametrize("mistake", [None, ValueError("in the factory"), KeyboardInterrupt()])
def test_it_can_be_stopped_inside_the_factory(net: Network, mistake: BaseException | None) -> None:
    def stop() -> None:
        client.reconnector.stop()
        if mistake is not None:
            raise mistake

    server = net.listen(Recorder)
    client = Client(net, server.addresses[0])
    client.before_made = stop
    if isinstance(mistake, KeyboardInterrupt):
        with pytest.raises(KeyboardInterrupt):
            net.until(lambda: False)
    net.until(lambda: sum(server.ended.values()) == 1)
    assert (client.reconnector.attempts, client.state, client.failures) == (1, "stopped", [])
    assert all(near.events == [] for near in client.nears)
    assert (mistake in net.take_errors()) is isinstance(mistake, Exception)
    nothing_is_left(net)


def test_a_reactor_can_be_closed_in_every_state(net: Network, target: Target) -> None:
    client = Client(net, target.address, backoff=LONG)

    def stop_as_well(me: Recorder) -> None:
        client.reconnector.stop()

    client.hooks["connection_lost"] = stop_as_well
    reach(net, client.reconnector, target.state)
    net.reactor.close()
    assert client.state == "stopped"
    assert client.reconnector.describe()["next"] is client.reconnector.connection is None
    assert [near.events for near in client.nears] == [["connection_made", "connection_lost"]] * len(client.nears)
    assert (client.reconnector.attempts, len(client.failures)) == (1, target.state == "pausing")
    client.reconnector.stop()  # harmless


def test_a_close_that_is_interrupted_leaves_nobody_who_tries_again(
    net: Network, place: list[str], mute_port: int
) -> None:
    def interrupt(me: Recorder) -> None:
        raise KeyboardInterrupt

    trying = Client(net, "place:80")
    reach(net, trying.reconnector, "pausing")
    connected = Client(net, net.listen(Recorder).addresses[0])
    connected.hooks["connection_lost"] = interrupt
    place[0] = f"127.0.0.1:{mute_port}"
    net.until(lambda: sorted(requests(net)) == ["connected", "connecting"])
    with pytest.raises(KeyboardInterrupt):
        net.reactor.close()  # when it has come to the one, and not yet to the request of the other
    assert (trying.state, connected.state) == ("stopped", "stopped")
    assert requests(net) == []


def test_a_foreign_thread_cannot_stop_it(net: Network, refusing: str) -> None:
    def stop() -> None:
        with pytest.raises(WrongThreadError, match="call_soon_threadsafe"):
            client.reconnector.stop()

    client = Client(net, refusing, backoff=LONG)
    reach(net, client.reconnector, "pausing")
    net.world.in_another_thread(stop)
    assert client.state == "pausing"


def test_in_a_forked_child_it_is_stopped_and_tells_nobody(
    net: Network, kernel: ScriptedKernel, target: Target
) -> None:
    client = Client(net, target.address, backoff=LONG)
    reach(net, client.reconnector, target.state)
    kernel.tell_forked()
    client.reconnector.stop()
    assert client.state == "stopped"
    net.reactor.close()
    assert all(near.events == ["connection_made"] for near in client.nears)
    assert len(client.failures) == (target.state == "pausing")


def test_a_connection_that_ends_in_a_forked_child_is_not_replaced(net: Network, kernel: ScriptedKernel) -> None:
    client = Client(net, net.listen(Recorder).addresses[0])
    client.hooks["connection_lost"] = lambda me: kernel.tell_forked()  # from here on this is the child
    reach(net, client.reconnector, "connected")
    client.nears[0].transport.abort()
    with pytest.raises(ForkedError):
        net.until(lambda: False)
    assert (client.state, client.reconnector.attempts) == ("stopped", 1)


# --- When callbacks raise ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mistake", [ValueError("no protocol today"), KeyboardInterrupt()])
def test_after_a_factory_that_raised_or_was_interrupted_it_tries_again(net: Network, mistake: BaseException) -> None:
    def fail() -> None:
        client.before_made = None
        raise mistake

    client = Client(net, net.listen(Recorder).addresses[0])
    client.before_made = fail
    if isinstance(mistake, KeyboardInterrupt):
        with pytest.raises(KeyboardInterrupt):
            net.until(lambda: False)
        assert (client.state, client.failures) == ("pausing", [])
    reach(net, client.reconnector, "connected")
    assert client.reconnector.attempts == 2
    assert [error.__cause__ for error in client.failures] == net.take_errors()
    assert (len(client.failures) == 1) is isinstance(mistake, Exception)


@pytest.mark.parametrize("mistake", [ValueError("a mistake"), KeyboardInterrupt()])
@pytest.mark.parametrize("callback", ["connection_made", "connection_lost"])
def test_after_a_callback_that_raised_or_was_interrupted_it_tries_again(
    net: Network, callback: str, mistake: BaseException
) -> None:
    def fail(me: Recorder) -> None:
        if len(client.nears) == 1:
            raise mistake

    server = net.listen(lambda: Recorder(connection_made=lambda me: me.transport.close()))
    client = Client(net, server.addresses[0])
    client.hooks[callback] = fail
    if isinstance(mistake, KeyboardInterrupt):
        with pytest.raises(KeyboardInterrupt):
            net.until(lambda: False)
    net.until(lambda: len(client.nears) == 3)
    assert (client.reconnector.attempts, client.failures) == (3, [])
    assert net.take_errors() == ([mistake] if isinstance(mistake, Exception) else [])


@pytest.mark.parametrize("mistake", [ValueError("in on_failure"), KeyboardInterrupt()])
def test_an_on_failure_that_raises_or_is_interrupted_does_not_end_it(
    net: Network, refusing: str, mistake: BaseException
) -> None:
    def failed(error: ConnectError, pause: float) -> None:
        client.failed(error, pause)
        if len(client.failures) == 1:
            raise mistake

    client = Client(net, refusing, on_failure=failed)
    if isinstance(mistake, KeyboardInterrupt):
        with pytest.raises(KeyboardInterrupt):
            net.until(lambda: False)
    net.until(lambda: len(client.failures) == 3)
    assert net.take_errors() == ([mistake] if isinstance(mistake, Exception) else [])


def test_without_on_failure_nobody_is_told(net: Network, refusing: str) -> None:
    client = Client(net, refusing, on_failure=None)
    net.until(lambda: client.reconnector.attempts == 3)
    assert net.contexts == []


# --- Looking at it, and what cannot be --------------------------------------------------------------------------------


def test_it_says_what_it_is_doing(net: Network, clock: Clock, target: Target) -> None:
    client = Client(net, target.address, backoff=PLAIN)
    reach(net, client.reconnector, target.state)
    doing = "connecting" if target.state == "resolving" else target.state
    seen = client.reconnector.describe()
    assert seen == {
        "kind": "reconnector",
        "address": target.address,
        "state": doing,
        "attempts": 1,
        "next": clock.time + 1 if target.state == "pausing" else None,
    }
    assert seen in net.reactor.describe()["resources"]
    assert repr(client.reconnector) == f"<reconnector to {target.address}, {doing}>"
    client.reconnector.stop()
    assert repr(client.reconnector) == f"<reconnector to {target.address}, stopped>"


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"initial": 0}, "initial .0."),
        ({"initial": -1}, "initial .-1."),
        ({"initial": float("nan")}, "initial .nan."),
        ({"initial": 61}, "initial .61."),
        ({"cap": 0.25}, "cap .0.25."),
        ({"cap": float("inf")}, "cap .inf. must be finite"),
        ({"cap": float("nan")}, "cap .nan."),
        ({"factor": 0.99}, "factor .* not 0.99"),
        ({"factor": float("nan")}, "factor .* not nan"),
        ({"jitter": -0.01}, "jitter .* not -0.01"),
        ({"jitter": 1.01}, "jitter .* not 1.01"),
        ({"jitter": float("nan")}, "jitter .* not nan"),
        ({"steady": -1}, "steady .* -1"),
        ({"steady": float("nan")}, "steady .* nan"),
    ],
)
def test_a_backoff_that_cannot_be_is_refused_by_name(wrong: dict[str, float], named: str) -> None:
    with pytest.raises(OptionError, match=named):
        Backoff(**wrong)


def test_a_backoff_may_be_at_its_limits() -> None:
    assert Backoff(initial=60, cap=60, factor=1, jitter=1, steady=0).next(60) == 60
    assert Backoff(cap=60, factor=float("inf"), jitter=0, steady=float("inf")).next(0.5) == 60


@pytest.mark.parametrize("address", ["nowhere", "::1:80", "unix:/run/app.sock"])
def test_an_address_that_cannot_be_is_refused_at_once(net: Network, address: str) -> None:
    with pytest.raises(OptionError):
        reconnect(net.reactor, Recorder, address)
    nothing_is_left(net)


def test_a_closed_reactor_connects_nobody(world: World) -> None:
    reactor = Reactor(kernel=world.kernel)
    reactor.close()
    with pytest.raises(ClosedError):
        reconnect(reactor, Recorder, "127.0.0.1:80")


# --- What it leaves behind --------------------------------------------------------------------------------------------


@pytest.fixture
def no_collector() -> Iterator[None]:
    """The garbage collector is off, and what was garbage before is gone."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Program:
    """Refers to its reconnector, which refers to what the program gave it."""

    def __init__(self, net: Network, address: str, backoff: Backoff = QUICK) -> None:
        self.connections = 0
        self.reconnector = reconnect(net.reactor, self.make, address, backoff=backoff, on_failure=self.failed)

    def make(self) -> Recorder:
        self.connections += 1
        return Recorder(connection_made=lambda me: self.reconnector)

    def failed(self, error: ConnectError, pause: float) -> None:
        pass


def alive() -> int:
    """How many objects of these classes there are, reachable or not."""
    return sum(type(thing) in (Connection, Connector, Reconnector, Recorder, Program) for thing in gc.get_objects())


@pytest.mark.parametrize("end", ["stop", "close"])
def test_no_object_waits_for_the_garbage_collector(
    net: Network, target: Target, no_collector: None, end: str
) -> None:
    before = alive()
    program = Program(net, target.address)
    reach(net, program.reconnector, target.state)
    if end == "stop":
        program.reconnector.stop()
        net.until(lambda: requests(net) == [])
        net.settle()
        nothing_is_left(net)
    else:
        net.reactor.close()
    gone = weakref.ref(program)
    del program
    assert gone() is None
    assert alive() == before


def test_a_thousand_connections_leave_no_descriptor_and_no_object(net: Network, no_collector: None) -> None:
    def use_them() -> None:
        program = Program(net, server.addresses[0], Backoff(initial=1e-6, cap=1e-6))
        net.until(lambda: program.connections == 1000)
        program.reconnector.stop()
        net.until(lambda: requests(net) == [] and not server.connections)
        net.settle()

    server = net.listen(lambda: Recorder(connection_made=lambda me: me.transport.close()))
    before, descriptors = alive(), net.world.open_descriptors()
    use_them()
    nothing_is_left(net)
    assert alive() == before
    assert net.world.open_descriptors() == descriptors
