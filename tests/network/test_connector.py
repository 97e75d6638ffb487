"""A connector: from a name to a connection, or to exactly one failure, or to nothing at all."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from reactor import ConnectionOptions, Connector, Reactor, connect, listen
from reactor.errors import (
    ClosedError,
    ConnectError,
    ConnectTimeoutError,
    NameResolutionError,
    OptionError,
    WrongThreadError,
)
from reactor.network.connector import Connecting
from tests.network.kit import (
    Network,
    PassingSocket,
    Recorder,
    ScriptedKernel,
    World,
    inet,
    port_of,
    system_only,
)

QUICK = ConnectionOptions(connect_timeout=0.05)


class Attempt:
    """One request, and what came of it."""

    def __init__(self, net: Network, address: Any, **arguments: Any) -> None:
        self.near = Recorder()
        self.failures: list[ConnectError] = []
        self.before_made: Callable[[], object] | None = None  # called in the factory
        arguments.setdefault("on_failure", self.failures.append)
        self.connector: Connector = connect(net.reactor, self._make, address, **arguments)

    def _make(self) -> Recorder:
        if self.before_made is not None:
            self.before_made()
        return self.near

    @property
    def state(self) -> str:
        return self.connector.state.value

    @property
    def untold(self) -> bool:
        return not self.near.events and not self.failures


@pytest.fixture
def refused_port(world: World) -> Iterator[int]:
    """A port where nobody listens, and that nobody else gets meanwhile."""
    sock = world.raw_socket()
    sock.bind(("127.0.0.1", 0))
    yield sock.getsockname()[1]
    sock.close()


@pytest.fixture
def questions(kernel: ScriptedKernel) -> list[Callable[[], None]]:
    """What the name server was asked. It answers when a question is called, and not before."""
    questions: list[Callable[[], None]] = []
    kernel.names["hanging"] = []
    kernel.job = questions.append
    return questions


# --- Success ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", ""])
def test_a_request_becomes_a_connection(net: Network, host: str) -> None:
    far = Recorder(data_received=lambda me, data: me.transport.write(data.upper()))
    server = net.listen(lambda: far)
    attempt = Attempt(net, f"{host}:{port_of(server.addresses[0])}")
    assert attempt.state == "resolving"
    net.until(lambda: attempt.near.made)
    assert (attempt.state, attempt.connector.connection) == ("connected", attempt.near.transport)
    assert attempt.near.transport.get_extra_info("peername") == ("127.0.0.1", port_of(server.addresses[0]))
    attempt.near.transport.write(b"hello")
    net.until(lambda: attempt.near.received == b"HELLO")
    attempt.near.transport.close()
    server.close()
    net.reactor.run()  # returns: nothing is left
    assert attempt.state == "ended"
    assert attempt.connector.connection is None
    assert attempt.failures == []
    assert far.over
    attempt.near.check()


def test_the_next_address_is_tried_when_one_refuses(net: Network, kernel: ScriptedKernel, refused_port: int) -> None:
    server = net.listen(Recorder)
    kernel.names["several"] = [inet(refused_port), inet(refused_port), inet(port_of(server.addresses[0]))]
    attempt = Attempt(net, "several:1")
    net.until(lambda: attempt.near.made)
    assert attempt.failures == []
    assert attempt.connector.describe()["failed"][0][0] == f"127.0.0.1:{refused_port}"
    assert len(attempt.connector.describe()["failed"]) == 1  # an address that is named twice is tried once


def test_a_connected_socket_can_be_given(net: Network) -> None:
    ours, theirs = net.world.foreign_pair()
    net.peers.append(theirs)
    theirs.setblocking(False)
    attempt = Attempt(net, ours)
    assert attempt.untold  # never from inside connect()
    net.until(lambda: attempt.near.made)
    net.send_all(theirs, b"hello")
    net.until(lambda: attempt.near.received == b"hello")
    assert not net.world.blocks(ours)


def test_small_segments_are_sent_at_once_unless_told_otherwise(net: Network) -> None:
    server = net.listen(Recorder)
    for no_delay in (True, False):
        attempt = Attempt(net, server.addresses[0], options=ConnectionOptions(no_delay=no_delay))
        net.until(lambda attempt=attempt: attempt.near.made)  # type: ignore[misc]
        sock = attempt.near.transport.get_extra_info("socket")
        assert bool(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)) is no_delay


# --- Failure ------------------------------------------------------------------------------------------------------


def test_a_refusal_is_told_once_with_every_address_that_was_tried(
    net: Network, kernel: ScriptedKernel, refused_port: int
) -> None:
    kernel.names["several"] = [inet(refused_port), inet(refused_port, "127.0.0.2")]
    attempt = Attempt(net, "several:80")
    net.reactor.run()
    (error,) = attempt.failures
    assert error.address == "several:80"
    assert [target for target, _ in error.attempts] == [("127.0.0.1", refused_port), ("127.0.0.2", refused_port)]
    assert isinstance(error.__cause__, ConnectionRefusedError)
    assert f"127.0.0.2:{refused_port}: Connection refused" in str(error)
    assert attempt.near.events == []
    assert attempt.state == "failed"
    attempt.connector.cancel()
    assert attempt.state == "failed"


def test_without_on_failure_the_error_is_reported(net: Network, refused_port: int) -> None:
    attempt = Attempt(net, f"127.0.0.1:{refused_port}", on_failure=None)
    net.reactor.run()
    assert net.contexts[0]["source"] is attempt.connector
    (error,) = net.take_errors()
    assert isinstance(error, ConnectError)


def test_a_name_that_does_not_resolve_is_told_as_such(net: Network, kernel: ScriptedKernel) -> None:
    def fail() -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    kernel.names["nowhere"] = fail
    attempt = Attempt(net, "nowhere:80")
    net.reactor.run()
    (error,) = attempt.failures
    assert isinstance(error, NameResolutionError)
    assert isinstance(error.__cause__, socket.gaierror)
    assert "nowhere:80" in str(error)


def test_no_descriptor_left_is_a_failure_like_any_other(net: Network, kernel: ScriptedKernel) -> None:
    def fail(sock: Any) -> Any:
        raise OSError(errno.EMFILE, "Too many open files")

    kernel.make = fail
    attempt = Attempt(net, "127.0.0.1:80")
    net.reactor.run()
    (error,) = attempt.failures
    assert "Too many open files" in str(error)
    assert error.attempts[0][1].errno == errno.EMFILE


def test_a_connection_to_itself_is_a_refusal(net: Network, kernel: ScriptedKernel) -> None:
    # TCP's simultaneous open: the port that we are given is the one that we want (RFC 9293 section 3.5).
    class Narcissus(PassingSocket):
        def connect_ex(self, address: Any) -> int:
            self.bind(("127.0.0.1", 0))
            return self.inner.connect_ex(self.getsockname())

    kernel.make = Narcissus
    attempt = Attempt(net, "127.0.0.1:80")
    net.reactor.run()
    (error,) = attempt.failures
    assert isinstance(error.__cause__, ConnectionRefusedError)
    assert attempt.near.events == []


def test_a_peer_that_is_gone_before_it_can_be_named_is_connected_and_lost(
    net: Network, kernel: ScriptedKernel
) -> None:
    class Nameless(PassingSocket):
        def getpeername(self) -> Any:
            raise OSError(errno.ENOTCONN, "not connected")

    server = net.listen(Recorder)
    kernel.make = Nameless
    attempt = Attempt(net, server.addresses[0])
    net.until(lambda: attempt.near.made)


def test_a_request_that_fails_at_once_needs_no_selector(net: Network, kernel: ScriptedKernel) -> None:
    class Unreachable(PassingSocket):
        def connect_ex(self, address: Any) -> int:
            return errno.ENETUNREACH

    kernel.make = Unreachable
    attempt = Attempt(net, "127.0.0.1:80")
    net.reactor.run()
    assert "unreachable" in str(attempt.failures[0])


def test_a_factory_that_raises_is_a_failure_with_that_as_its_cause(net: Network) -> None:
    mistake = ValueError("no protocol today")

    def factory() -> Any:
        raise mistake

    server = net.listen(Recorder)
    failures: list[ConnectError] = []
    connect(net.reactor, factory, server.addresses[0], on_failure=failures.append)
    net.until(lambda: failures)
    assert failures[0].__cause__ is mistake
    assert net.take_errors() == [mistake]  # a mistake of the user's is no failure of the network: reported as well


def test_an_interrupt_in_the_factory_leaves_no_socket(net: Network) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    server = net.listen(Recorder)
    attempt = Attempt(net, server.addresses[0])
    attempt.before_made = interrupt
    with pytest.raises(KeyboardInterrupt):
        net.until(lambda: False)
    net.until(lambda: server.ended["clean"])
    assert attempt.untold


@pytest.mark.parametrize("made", [None, 42])
def test_what_is_no_protocol_is_a_failure(net: Network, made: Any) -> None:
    server = net.listen(Recorder)
    failures: list[ConnectError] = []
    connect(net.reactor, lambda: made, server.addresses[0], on_failure=failures.append)
    net.until(lambda: failures)
    assert net.take_errors() == [failures[0].__cause__]
    assert isinstance(failures[0].__cause__, TypeError)


def test_an_on_failure_that_raises_is_reported(net: Network, refused_port: int) -> None:
    mistake = ValueError("in on_failure")

    def fail(error: ConnectError) -> None:
        raise mistake

    Attempt(net, f"127.0.0.1:{refused_port}", on_failure=fail)
    net.reactor.run()
    assert net.take_errors() == [mistake]


@pytest.mark.parametrize("address", ["nowhere", "::1:80", "unix:/run/app.sock"])
def test_an_address_that_cannot_be_is_refused_at_once(net: Network, address: str) -> None:
    with pytest.raises(OptionError):
        connect(net.reactor, Recorder, address)
    assert not net.reactor.alive()


def test_what_is_no_address_is_refused_at_once(net: Network) -> None:
    with pytest.raises(TypeError, match="an address is a string"):
        connect(net.reactor, Recorder, ("127.0.0.1", 80))  # type: ignore[arg-type]


def test_a_socket_that_is_not_connected_is_refused_at_once(net: Network) -> None:
    sock = net.world.foreign_socket()
    net.peers.append(sock)
    before = net.world.blocks(sock)
    with pytest.raises(OptionError, match="not connected"):
        connect(net.reactor, Recorder, sock)
    assert net.world.blocks(sock) is before
    assert not net.reactor.alive()


def test_a_closed_reactor_connects_nobody(world: World) -> None:
    reactor = Reactor(kernel=world.kernel)
    reactor.close()
    with pytest.raises(ClosedError):
        connect(reactor, Recorder, "127.0.0.1:80")


# --- The deadline ---------------------------------------------------------------------------------------------------


def test_a_peer_that_does_not_answer_ends_with_the_connect_timeout_and_not_before(
    net: Network, mute_port: int
) -> None:
    began = net.reactor.time()
    attempt = Attempt(net, f"127.0.0.1:{mute_port}", options=QUICK)
    net.reactor.run()
    assert net.reactor.time() >= began + 0.05
    (error,) = attempt.failures
    assert isinstance(error, ConnectTimeoutError)
    assert isinstance(error, TimeoutError)
    assert "connect_timeout=0.05 s" in str(error)
    assert f"connecting; tried 127.0.0.1:{mute_port}" in str(error)


def test_the_deadline_is_one_over_all_addresses(
    net: Network, kernel: ScriptedKernel, mute_port: int, refused_port: int
) -> None:
    kernel.names["several"] = [inet(refused_port), inet(mute_port)]
    attempt = Attempt(net, "several:80", options=QUICK)
    net.reactor.run()
    (error,) = attempt.failures
    assert isinstance(error, ConnectTimeoutError)
    assert isinstance(error.__cause__, ConnectionRefusedError)
    assert f"tried 127.0.0.1:{refused_port}, 127.0.0.1:{mute_port}" in str(error)


def test_a_name_server_that_does_not_answer_ends_with_the_connect_timeout(
    net: Network, questions: list[Callable[[], None]]
) -> None:
    attempt = Attempt(net, "hanging:80", options=QUICK)
    net.until(lambda: attempt.failures)
    assert isinstance(attempt.failures[0], ConnectTimeoutError)
    assert "(resolving)" in str(attempt.failures[0])
    assert len(questions) == 1
    assert not net.reactor.alive()


def test_instruments_are_told_of_a_connect_timeout(net: Network, mute_port: int) -> None:
    told: list[tuple[Any, BaseException]] = []

    class Watcher:
        def watch(self, agenda: Any) -> Any:
            return agenda

        def transition(self, *_: Any) -> None: ...

        def deadline(self, source: Any, error: BaseException) -> None:
            told.append((source, error))

    net.reactor.instruments = Watcher()
    attempt = Attempt(net, f"127.0.0.1:{mute_port}", options=QUICK)
    net.reactor.run()
    assert told == [(attempt.connector, attempt.failures[0])]


def test_there_may_be_no_deadline(net: Network, mute_port: int) -> None:
    attempt = Attempt(net, f"127.0.0.1:{mute_port}", options=ConnectionOptions(connect_timeout=None))
    net.until(lambda: attempt.state == "connecting")
    assert net.reactor.describe()["timers"] == 0
    attempt.connector.cancel()


# --- Cancelling -----------------------------------------------------------------------------------------------------


def cancelled(net: Network, attempt: Attempt, when: Callable[[], object]) -> None:
    """Cancel when `when()` holds; then nothing may be called, and nothing be left."""
    net.until(when)
    attempt.connector.cancel()
    attempt.connector.cancel()
    net.settle()
    assert attempt.untold
    assert attempt.state == "cancelled"
    assert attempt.connector.describe()["trying"] is None
    assert net.reactor.describe()["resources"] == []
    assert net.reactor.describe()["timers"] == net.reactor.describe()["jobs"] == 0
    assert not net.reactor.alive()


def test_a_request_can_be_cancelled_at_once(net: Network, mute_port: int) -> None:
    cancelled(net, Attempt(net, f"127.0.0.1:{mute_port}"), lambda: True)


def test_a_request_can_be_cancelled_while_its_name_is_resolved(
    net: Network, questions: list[Callable[[], None]]
) -> None:
    attempt = Attempt(net, "hanging:80")
    cancelled(net, attempt, lambda: questions)
    questions[0]()
    net.settle()
    assert attempt.untold


def test_a_request_can_be_cancelled_while_it_is_connecting(net: Network, mute_port: int) -> None:
    before = net.world.open_descriptors()
    attempt = Attempt(net, f"127.0.0.1:{mute_port}")
    cancelled(net, attempt, lambda: attempt.connector.describe()["trying"] is not None)
    assert net.world.open_descriptors() == before
    assert "cancelled" in repr(attempt.connector)


def test_a_given_socket_can_be_cancelled_before_it_is_begun(net: Network) -> None:
    ours, theirs = net.world.foreign_pair()
    net.peers.append(theirs)
    cancelled(net, Attempt(net, ours), lambda: True)
    assert ours.fileno() == -1


def test_a_request_can_be_cancelled_in_the_tick_in_which_it_succeeds(net: Network, kernel: ScriptedKernel) -> None:
    """The socket is writable, and in the same batch another callback cancels."""
    kernel.job = lambda question: question()
    server = net.listen(Recorder)
    attempts = [Attempt(net, server.addresses[0]), Attempt(net, server.addresses[0])]
    attempts[0].before_made = attempts[1].connector.cancel
    attempts[1].before_made = attempts[0].connector.cancel
    net.until(lambda: all(attempt.connector.describe()["trying"] for attempt in attempts))
    net.until(lambda: any(attempt.near.made for attempt in attempts))
    net.settle()
    assert sorted(attempt.state for attempt in attempts) == ["cancelled", "connected"]
    assert sum(attempt.untold for attempt in attempts) == 1


def test_a_request_can_be_cancelled_by_its_own_factory(net: Network) -> None:
    server = net.listen(Recorder)
    attempt = Attempt(net, server.addresses[0])
    attempt.before_made = attempt.connector.cancel
    net.until(lambda: attempt.state == "cancelled")
    net.settle()
    assert attempt.untold
    assert net.reactor.describe()["resources"] == [server.describe()]


def test_cancelling_does_nothing_to_a_connection(net: Network) -> None:
    server = net.listen(Recorder)
    attempt = Attempt(net, server.addresses[0])
    net.until(lambda: attempt.near.made)
    attempt.connector.cancel()
    net.settle()
    assert attempt.state == "connected"
    assert not attempt.near.over
    attempt.near.transport.abort()
    net.until(lambda: attempt.near.over)
    attempt.connector.cancel()
    assert attempt.state == "ended"


def test_a_reactor_that_is_closed_drops_what_is_under_way(world: World, mute_port: int) -> None:
    before = world.open_descriptors()
    net = Network(world)
    server = net.listen(Recorder)
    connected = Attempt(net, server.addresses[0])
    net.until(lambda: connected.near.made)
    connecting = Attempt(net, f"127.0.0.1:{mute_port}")
    net.until(lambda: connecting.connector.describe()["trying"])
    resolving = Attempt(net, "127.0.0.1:1")
    net.close()
    assert connecting.untold and resolving.untold
    assert [connecting.state, resolving.state, connected.state] == ["cancelled", "cancelled", "ended"]
    assert connected.near.ended_with is None
    connected.near.check()
    assert world.open_descriptors() == before


def test_a_connector_describes_its_connection(net: Network) -> None:
    server = net.listen(Recorder)
    attempt = Attempt(net, server.addresses[0])
    assert attempt.connector.describe()["connection"] is None
    net.until(lambda: attempt.near.made)
    seen = attempt.connector.describe()
    assert (seen["kind"], seen["state"], seen["address"]) == ("connector", "connected", server.addresses[0])
    assert seen["connection"]["peer"] == server.addresses[0]


def test_a_peer_that_has_reset_before_it_is_served_is_a_failed_attempt_and_the_next_address_is_tried(
    net: Network, kernel: ScriptedKernel
) -> None:
    class Gone(PassingSocket):
        def setsockopt(self, *args: Any) -> None:
            if args[:2] == (socket.IPPROTO_TCP, socket.TCP_NODELAY):
                raise OSError(errno.EINVAL, "what some systems say of a socket that was reset")
            self.inner.setsockopt(*args)

    server = net.listen(Recorder)
    port = port_of(server.addresses[0])
    kernel.names["twice"] = [inet(port), inet(port, "127.0.0.2")]
    kernel.job = lambda question: question()
    kernel.make = Gone
    attempt = Attempt(net, f"twice:{port}")
    net.until(lambda: attempt.failures)
    assert [error.errno for _, error in attempt.failures[0].attempts] == [errno.ECONNRESET, errno.ECONNREFUSED]
    assert attempt.near.events == []


def test_a_numeric_address_needs_no_resolver(net: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    server = net.listen(Recorder)
    monkeypatch.setattr(net.reactor, "resolve", None)
    attempt = Attempt(net, server.addresses[0])
    net.until(lambda: attempt.near.made)


@system_only("a thread that cannot be started")
def test_a_machine_without_threads_fails_a_request_later_and_not_from_inside_connect(
    net: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    attempt = Attempt(net, "localhost:1")
    assert attempt.untold
    net.until(lambda: attempt.failures)
    assert isinstance(attempt.failures[0], NameResolutionError)
    assert isinstance(attempt.failures[0].__cause__, RuntimeError)


def test_a_foreign_thread_cannot_cancel_a_request(net: Network, mute_port: int) -> None:
    attempt = Attempt(net, f"127.0.0.1:{mute_port}")
    net.until(lambda: attempt.connector.describe()["trying"])
    raised: list[BaseException] = []

    def cancel() -> None:
        try:
            attempt.connector.cancel()
        except WrongThreadError as exc:
            raised.append(exc)

    net.world.in_another_thread(cancel)
    assert "call_soon_threadsafe" in str(raised[0])
    assert attempt.state == "connecting"


def test_a_request_that_was_dropped_with_its_reactor_can_be_cancelled_again(net: Network, mute_port: int) -> None:
    attempt = Attempt(net, f"127.0.0.1:{mute_port}")
    net.settle()
    net.close()
    attempt.connector.cancel()
    assert attempt.untold


@system_only("datagrams, which the simulation does not have")
def test_a_socket_that_carries_no_stream_is_refused(net: Network) -> None:
    datagrams = net.world.foreign_socket(socket.SOCK_DGRAM)
    net.peers.append(datagrams)
    datagrams.connect(("127.0.0.1", 9))
    with pytest.raises(OptionError, match="SOCK_STREAM"):
        connect(net.reactor, Recorder, datagrams)
    with pytest.raises(OptionError, match="SOCK_STREAM"):
        listen(net.reactor, Recorder, datagrams)


def test_a_factory_that_cancels_its_request_and_raises_is_reported_once(net: Network) -> None:
    failures: list[ConnectError] = []

    def factory() -> Any:
        request.cancel()
        raise ValueError("changed my mind")

    server = net.listen(Recorder)
    request = connect(net.reactor, factory, server.addresses[0], on_failure=failures.append)
    net.until(lambda: net.contexts)
    net.settle()
    (error,) = net.take_errors()
    assert isinstance(error, ValueError)
    assert (failures, request.state) == ([], Connecting.CANCELLED)
