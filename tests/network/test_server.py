"""A server: where it listens, whom it lets in, and how it ends."""

from __future__ import annotations

import errno
import socket
from collections import Counter
from typing import Any

import pytest

from reactor import BaseProtocol, ConnectionOptions, Overflow, Reactor, connect, listen
from reactor.errors import ClosedError, DrainTimeoutError, OptionError, WrongThreadError
from reactor.network.server import ServerState
from tests.network.kit import (
    Network,
    PassingSocket,
    Recorder,
    ScriptedKernel,
    World,
    inet,
    port_of,
    python,
    state_of,
    system_only,
)

GRACELESS = ConnectionOptions(drain_timeout=None)


@pytest.fixture
def ipv6(world: World) -> None:
    """Skips a test where there is no such thing."""
    if not world.has_ipv6():
        pytest.skip("this machine has no IPv6 address")


needs_ipv6 = pytest.mark.usefixtures("ipv6")


def answers(net: Network, address: str) -> bool:
    """Whether somebody can really connect to `address`."""
    sock, code = net.call(address.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]"))
    sock.close()
    return code == 0


# --- Addresses ------------------------------------------------------------------------------------------------------


def test_port_0_becomes_a_real_port(net: Network) -> None:
    server = net.listen(Recorder)
    assert port_of(server.addresses[0]) > 0
    assert answers(net, server.addresses[0])
    assert server.addresses[0] in repr(server)


@needs_ipv6
@pytest.mark.parametrize("address", [":0", "somewhere:0"])
def test_all_families_get_one_port(net: Network, kernel: ScriptedKernel, address: str) -> None:
    v6 = (socket.AF_INET6, socket.SOCK_STREAM, 0, "", ("::1", 0, 0, 0))
    kernel.names["somewhere"] = [inet(0), v6, inet(0)]  # an address that is named twice is listened at once
    server = net.listen(Recorder, address)
    assert len(server.addresses) == 2
    assert len({port_of(one) for one in server.addresses}) == 1
    assert all(answers(net, one) for one in server.addresses)
    net.until(lambda: server.accepted == 2)


@needs_ipv6
def test_an_ipv6_address_is_listened_at(net: Network) -> None:
    server = net.listen(Recorder, "[::1]:0")
    peer = net.dial(server)
    net.until(lambda: server.accepted == 1)
    (connection,) = server.connections
    assert connection.get_extra_info("peername")[:2] == peer.getsockname()[:2]
    assert connection.describe()["peer"].startswith("[::1]:")


def test_localhost_is_listened_at(net: Network) -> None:
    server = net.listen(Recorder, "localhost:0")
    assert all(answers(net, address) for address in server.addresses)


def test_a_family_that_the_machine_does_not_have_costs_nothing(net: Network, kernel: ScriptedKernel) -> None:
    kernel.names["both"] = [
        (socket.AF_INET6, socket.SOCK_STREAM, 0, "", ("2001:db8::1", 0, 0, 0)),  # EADDRNOTAVAIL, RFC 3849
        inet(0),
    ]
    server = net.listen(Recorder, "both:0")
    assert [address.rpartition(":")[0] for address in server.addresses] == ["127.0.0.1"]


def test_an_address_that_is_not_ours_is_refused_by_name(net: Network, kernel: ScriptedKernel) -> None:
    with pytest.raises(OSError, match=r"cannot listen at 192\.0\.2\.1:80: .*assign") as caught:  # RFC 5737
        net.listen(Recorder, "192.0.2.1:80")
    assert caught.value.errno == errno.EADDRNOTAVAIL


def test_an_address_in_use_is_refused_by_name(net: Network) -> None:
    taken = net.listen(Recorder).addresses[0]
    with pytest.raises(OSError, match=f"cannot listen at {taken}: .*in use") as caught:
        net.listen(Recorder, taken)
    assert caught.value.errno == errno.EADDRINUSE
    assert isinstance(caught.value.__cause__, OSError)


def test_a_port_that_another_family_has_taken_is_tried_anew(net: Network, kernel: ScriptedKernel) -> None:
    # Two IPv4 addresses take the part of two families: the port of the first is taken at the second, once.
    kernel.names["two"] = [inet(0, "127.0.0.1"), inet(0, "127.0.0.2")]
    rivals: list[Any] = []

    class Raced(PassingSocket):
        def bind(self, address: Any) -> None:
            self.inner.bind(address)
            if address[0] == "127.0.0.1" and not rivals:
                rivals.append(net.raw_socket())
                rivals[0].bind(("127.0.0.2", self.getsockname()[1]))

    kernel.make = Raced
    server = net.listen(Recorder, "two:0")
    assert len({port_of(one) for one in server.addresses}) == 1
    assert port_of(server.addresses[0]) != rivals[0].getsockname()[1]


def test_a_port_that_is_always_taken_is_given_up(net: Network, kernel: ScriptedKernel) -> None:
    class Unlucky(PassingSocket):
        def bind(self, address: Any) -> None:
            raise OSError(errno.EADDRINUSE, "in use")

    kernel.make = Unlucky
    with pytest.raises(OSError, match=r"cannot listen at 127\.0\.0\.1:0"):
        net.listen(Recorder)
    assert 1 < len(kernel.made) < 100
    assert all(sock.fileno() == -1 for sock in kernel.made)


def test_a_name_that_does_not_resolve_is_said_so(net: Network, kernel: ScriptedKernel) -> None:
    def fail() -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    kernel.names["nowhere"] = fail
    with pytest.raises(socket.gaierror):
        net.listen(Recorder, "nowhere:80")


def test_a_bound_socket_can_be_given(net: Network) -> None:
    sock = net.world.foreign_socket()
    sock.bind(("127.0.0.1", 0))
    server = net.listen(Recorder, sock)
    assert port_of(server.addresses[0]) == sock.getsockname()[1]
    assert answers(net, server.addresses[0])
    assert not net.world.blocks(sock)
    server.close()
    assert sock.fileno() == -1


@system_only("Unix addresses, which the simulation does not have")
@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this machine has no Unix sockets")
def test_a_bound_socket_of_another_family_can_be_given(net: Network, tmp_path: Any) -> None:
    near = Recorder()
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(tmp_path / "sock"))
    net.listen(lambda: near, sock)  # type: ignore[arg-type]
    peer = socket.socket(socket.AF_UNIX)
    net.peers.append(peer)
    peer.connect(str(tmp_path / "sock"))
    peer.setblocking(False)
    net.send_all(peer, b"hello")
    net.until(lambda: near.received == b"hello")
    near.transport.write(b"hello yourself")
    assert net.read(peer, 14) == b"hello yourself"


@pytest.mark.parametrize("arguments", [{"max_connections": 0}, {"max_connections": -1}, {"backlog": -1}])
def test_numbers_that_cannot_be_are_refused_by_name(net: Network, arguments: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=next(iter(arguments))):
        net.listen(Recorder, **arguments)


def test_what_is_no_address_is_refused(net: Network) -> None:
    with pytest.raises(TypeError, match="an address is a string"):
        net.listen(Recorder, ("127.0.0.1", 0))  # type: ignore[arg-type]


def test_the_backlog_is_the_kernels(net: Network, kernel: ScriptedKernel) -> None:
    asked: list[int] = []

    class Listener(PassingSocket):
        def listen(self, backlog: int) -> None:
            asked.append(backlog)
            self.inner.listen(backlog)

    kernel.make = Listener
    net.listen(Recorder)
    net.listen(Recorder, backlog=7)
    assert asked == [socket.SOMAXCONN, 7]


def test_listening_on_a_closed_reactor_leaves_no_socket_behind(kernel: ScriptedKernel) -> None:
    closed = Reactor(kernel=kernel)
    closed.close()
    with pytest.raises(ClosedError):
        listen(closed, Recorder, "127.0.0.1:0")
    assert [sock.fileno() for sock in kernel.made] == [-1]


@pytest.mark.parametrize("no_delay", [True, False])
def test_small_segments_are_sent_at_once_unless_told_otherwise(net: Network, no_delay: bool) -> None:
    near, _peer = net.pair(options=ConnectionOptions(no_delay=no_delay))
    sock = near.transport.get_extra_info("socket")
    assert bool(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)) is no_delay


# --- Whom it lets in ----------------------------------------------------------------------------------------------


def test_max_connections_leaves_room_for_other_descriptors(net: Network, kernel: ScriptedKernel) -> None:
    kernel.limit = 1000
    assert net.listen(Recorder).max_connections == 936
    kernel.limit = 10
    assert net.listen(Recorder).max_connections == 1


def test_who_is_too_many_waits_and_comes_in_when_somebody_leaves(net: Network) -> None:
    ends: list[Recorder] = []

    def factory() -> Recorder:
        ends.append(Recorder())
        return ends[-1]

    server = net.listen(factory, max_connections=2)
    peers = [net.dial(server) for _ in range(4)]
    net.until(lambda: len(ends) == 2)
    net.settle()
    assert len(server.connections) == server.accepted == 2
    assert server.describe()["acceptors"][0]["accepting"] == "held"
    ends[0].transport.abort()
    net.until(lambda: len(ends) == 3)
    net.settle()
    assert len(server.connections) == 2
    peers[1].close()
    net.until(lambda: len(ends) == 4)
    net.settle()
    assert (len(server.connections), server.accepted) == (2, 4)


def test_a_raised_limit_is_heeded_when_the_next_one_leaves(net: Network) -> None:
    ends: list[Recorder] = []

    def factory() -> Recorder:
        ends.append(Recorder())
        return ends[-1]

    server = net.listen(factory, max_connections=2)
    for _ in range(5):
        net.dial(server)
    net.until(lambda: len(ends) == 2)
    server.max_connections = 10
    ends[0].transport.abort()
    net.until(lambda: len(ends) == 5)
    assert len(server.connections) == 4


def test_a_restarted_server_gets_its_port_back_although_an_old_connection_is_in_time_wait(net: Network) -> None:
    near = Recorder()
    server = net.listen(lambda: near)
    peer = net.dial(server)
    net.until(lambda: near.made)
    near.transport.close()  # who ends first has the TIME-WAIT
    assert net.read_to_the_end(peer) == b""
    peer.close()
    server.close()
    net.until(lambda: near.over)
    again = net.listen(Recorder, server.addresses[0])
    assert again.addresses == server.addresses


@pytest.mark.parametrize(
    ("before", "method"),
    [
        ("listening", "stop_accepting"),
        ("listening", "close"),
        ("listening", "drain"),
        ("not accepting", "start_accepting"),
        ("closed", "drain"),
    ],
)
def test_a_server_is_refused_to_a_foreign_thread_and_stays_as_it_is(net: Network, before: str, method: str) -> None:
    server = net.listen(Recorder)
    net.dial(server)
    net.until(lambda: server.connections)
    if before == "not accepting":
        server.stop_accepting()
    elif before == "closed":
        server.close()
    raised: list[BaseException] = []

    def use() -> None:
        try:
            getattr(server, method)(*[1] if method == "drain" else [])
        except WrongThreadError as exc:
            raised.append(exc)

    net.world.in_another_thread(use)
    assert "call_soon_threadsafe" in str(raised[0])
    assert server.state is ServerState(before)
    server.drain(5)
    assert server.state is ServerState.DRAINING


def test_a_server_that_has_ended_with_its_reactor_can_be_closed_again(net: Network) -> None:
    server = net.listen(Recorder)
    net.close()
    server.close()
    server.stop_accepting()
    assert server.state is ServerState.ENDED


def test_the_deadline_of_a_drain_does_not_reset_whom_everything_was_sent_to(net: Network) -> None:
    drained = Drained()
    near = Recorder()
    server = net.listen(lambda: near, options=GRACELESS)
    peer = net.dial(server)
    net.until(lambda: near.made)
    near.transport.write(b"goodbye")
    server.drain(0.01, drained)
    net.until(lambda: drained.accounts)
    assert drained.accounts == [{"clean": 1}]
    assert net.read_to_the_end(peer) == b"goodbye"
    assert near.ended_with is None


def test_a_server_knows_its_port(net: Network) -> None:
    server = net.listen(Recorder, "localhost:0")
    assert [port_of(address) for address in server.addresses] == [server.port] * len(server.addresses)


def test_a_server_that_stopped_accepting_starts_again_even_after_its_last_connection_left(net: Network) -> None:
    server = net.listen(Recorder)
    first = net.dial(server)
    net.until(lambda: server.connections)
    server.stop_accepting()
    server.stop_accepting()
    net.dial(server)
    net.settle()
    assert server.accepted == 1
    first.close()
    net.until(lambda: not server.connections)
    assert server.state is ServerState.STOPPED
    server.start_accepting()
    net.until(lambda: server.accepted == 2)


def test_the_account_says_how_each_connection_ended(net: Network) -> None:
    ends: list[Recorder] = []

    def factory() -> Recorder:
        ends.append(Recorder())
        return ends[-1]

    server = net.listen(factory)
    peers = [net.dial(server) for _ in range(3)]
    net.until(lambda: server.accepted == 3)
    peers[0].close()
    ends[1].transport.abort(KeyError("mine"))
    ends[2].transport.abort()
    net.until(lambda: not server.connections)
    assert server.ended == {"clean": 2, "KeyError": 1}
    assert server.describe()["ended"] == {"clean": 2, "KeyError": 1}


def test_a_factory_that_raises_costs_that_client_only(net: Network) -> None:
    mistake = ValueError("no protocol today")
    mistakes = [mistake]

    def factory() -> Recorder:
        if mistakes:
            raise mistakes.pop()
        return Recorder()

    server = net.listen(factory)
    unlucky, lucky = net.dial(server), net.dial(server)
    net.until(lambda: server.accepted == 1)
    net.read_to_the_end(unlucky)
    assert net.contexts[0]["source"] is server
    assert net.take_errors() == [mistake]
    (connection,) = server.connections
    assert connection.get_extra_info("peername") == lucky.getsockname()


@pytest.mark.parametrize("made", [None, 42, BaseProtocol()], ids=repr)
def test_what_is_no_protocol_is_reported_once_and_costs_that_client_only(net: Network, made: Any) -> None:
    ends = iter([made, Recorder()])
    server = net.listen(lambda: next(ends))
    unlucky, lucky = net.dial(server), net.dial(server)
    net.read_to_the_end(unlucky)
    net.until(lambda: len(server.connections) == 1)
    assert len(net.take_errors()) == 1
    (connection,) = server.connections
    assert connection.get_extra_info("peername") == lucky.getsockname()


def test_a_client_that_is_gone_when_it_is_accepted_is_forgotten(net: Network, kernel: ScriptedKernel) -> None:
    class Gone(PassingSocket):
        def setblocking(self, flag: bool) -> None:
            raise OSError(errno.EINVAL, "Invalid argument")

    class Listener(PassingSocket):
        def accept(self) -> Any:
            sock, address = self.inner.accept()
            return Gone(sock), address

    kernel.make = Listener
    server = net.listen(Recorder)
    peer = net.dial(server)
    assert net.read_to_the_end(peer) == b""
    assert server.accepted == 0


# --- How it ends --------------------------------------------------------------------------------------------------


def test_a_closed_server_refuses_new_clients_and_keeps_the_old_ones(net: Network) -> None:
    near = Recorder(data_received=lambda me, data: me.transport.write(data))
    server = net.listen(lambda: near)
    peer = net.dial(server)
    net.until(lambda: near.made)
    server.close()
    server.close()
    assert not answers(net, server.addresses[0])
    net.send_all(peer, b"still here?")
    assert net.read(peer, 11) == b"still here?"
    with pytest.raises(ClosedError, match="closed: listen"):
        server.start_accepting()
    server.stop_accepting()
    assert server.state.value == "closed"
    peer.close()
    net.reactor.run()  # returns: nothing is left
    assert near.over
    assert server.state.value == "ended"


def test_a_closed_server_without_connections_lets_run_return(net: Network) -> None:
    server = net.listen(Recorder)
    net.reactor.call_soon(server.close)
    net.reactor.run()
    assert server.state is ServerState.ENDED


@pytest.mark.parametrize("where", ["factory", "connection_made", "data_received", "connection_lost"])
def test_a_server_can_be_closed_from_inside_a_callback(net: Network, where: str) -> None:
    def close(*_: object) -> None:
        servers[0].close()

    def factory() -> Recorder:
        if where == "factory":
            close()
        return near

    near = Recorder(**({where: close} if where != "factory" else {}))
    server = net.listen(factory)
    servers = [server]
    peer = net.dial(server)
    peer.send(b"x")
    peer.close()
    net.reactor.run()
    assert server.state is ServerState.ENDED
    assert near.events == [] if where == "factory" else near.over


class Drained:
    """Notes what `drain` tells at the end."""

    def __init__(self) -> None:
        self.accounts: list[Counter[str]] = []

    def __call__(self, account: Counter[str]) -> None:
        self.accounts.append(account)


def test_a_drained_server_closes_its_connections_and_counts_how_they_ended(net: Network) -> None:
    drained = Drained()
    nears: list[Recorder] = []

    def factory() -> Recorder:
        nears.append(Recorder())
        return nears[-1]

    server = net.listen(factory)
    peers = [net.dial(server) for _ in range(3)]
    net.until(lambda: server.accepted == 3)
    peers[2].close()
    net.until(lambda: server.ended["clean"] == 1)
    for near in nears[:2]:
        near.transport.write(b"the last word")
    server.drain(5, drained)
    assert server.state.value == "draining"
    for peer in peers[:2]:
        assert net.read_to_the_end(peer) == b"the last word"
        peer.close()
    net.until(lambda: drained.accounts)
    assert drained.accounts == [{"clean": 2}]  # since drain(), not in all
    assert server.state.value == "ended"
    assert net.reactor.describe()["timers"] == 0
    with pytest.raises(ClosedError, match="ended already"):
        server.drain(1)


def test_who_does_not_end_within_the_deadline_is_cut_off_and_not_before(net: Network) -> None:
    drained = Drained()
    nears = [Recorder(), Recorder()]
    waiting = iter(nears)
    server = net.listen(lambda: next(waiting), options=GRACELESS)
    good, bad = net.dial(server), net.dial(server, small=True)
    net.until(lambda: server.accepted == 2)
    nears[1].transport.write(bytes(8 << 20))
    began = net.reactor.time()
    server.drain(0.05, drained)
    with pytest.raises(ClosedError, match="draining already"):
        server.drain(1)
    with pytest.raises(ClosedError, match="draining"):
        server.start_accepting()
    net.read_to_the_end(good)
    good.close()
    net.until(lambda: drained.accounts)
    assert net.reactor.time() >= began + 0.05
    assert drained.accounts == [{"clean": 1, "DrainTimeoutError": 1}]
    assert isinstance(nears[1].ended_with, DrainTimeoutError)
    assert "drain(0.05)" in str(nears[1].ended_with)
    bad.close()


def test_drain_0_cuts_off_at_once_in_the_next_tick(net: Network) -> None:
    drained = Drained()
    near = Recorder()
    server = net.listen(lambda: near, options=GRACELESS)
    net.dial(server)
    net.until(lambda: near.made)
    server.drain(0, drained)
    assert not near.over
    net.settle()
    assert drained.accounts == [{"clean": 1}]  # everything had been sent


def test_drain_without_connections_is_done_in_the_next_tick(net: Network) -> None:
    drained = Drained()
    server = net.listen(Recorder)
    server.drain(30, drained)
    assert drained.accounts == []
    net.reactor.run()
    assert drained.accounts == [{}]


def test_a_closed_server_can_still_be_drained(net: Network) -> None:
    drained = Drained()
    near = Recorder()
    server = net.listen(lambda: near)
    peer = net.dial(server)
    net.until(lambda: near.made)
    server.close()
    server.drain(5, drained)
    peer.close()
    net.until(lambda: drained.accounts)
    assert drained.accounts == [{"clean": 1}]


def test_drain_without_a_callback_ends_as_well(net: Network) -> None:
    server = net.listen(Recorder)
    server.drain(1)
    net.reactor.run()
    assert server.state is ServerState.ENDED


@pytest.mark.parametrize("deadline", [-1, float("nan")])
def test_a_deadline_that_cannot_be_is_refused(net: Network, deadline: float) -> None:
    server = net.listen(Recorder)
    with pytest.raises(OptionError, match="deadline of drain"):
        server.drain(deadline)
    assert server.state is ServerState.LISTENING


def test_a_reactor_that_is_closed_in_the_middle_of_a_drain_tells_nobody_that_it_was_drained(world: World) -> None:
    net = Network(world)
    drained = Drained()
    near = Recorder()
    server = net.listen(lambda: near)
    net.dial(server)
    net.until(lambda: near.made)
    server.drain(5, drained)
    net.close()
    assert near.over
    assert drained.accounts == []


@system_only("forks")
def test_a_forked_child_closes_its_copies_and_the_parent_goes_on() -> None:
    # In a process of its own: a fork beside the threads of other tests would be a gamble.
    printed = python("""
import os, socket
from reactor import ForkedError, Protocol, Reactor, connect, listen

class Echo(Protocol):
    def connection_made(self, transport):
        self.transport = transport
    def data_received(self, data):
        self.transport.write(data)
    def connection_lost(self, exc):
        lost.append(exc)

lost = []
reactor = Reactor()
server = listen(reactor, Echo, "127.0.0.1:0")
port = int(server.addresses[0].rpartition(":")[2])
peer = socket.create_connection(("127.0.0.1", port))
connector = connect(reactor, Echo, server.addresses[0])
while len(server.connections) < 2 or connector.connection is None:
    reactor.run_once(1)
pending = connect(reactor, Echo, server.addresses[0])
while pending.describe()["trying"] is None:
    reactor.run_once(1)

child = os.fork()
if child == 0:
    mine = {int(number) for number in os.listdir("/dev/fd")}
    try:
        reactor.run_once(0)
    except ForkedError:
        peer.close()
        reactor.close()
        left = [n for n in map(int, os.listdir("/dev/fd")) if n > 2]
        os._exit(0 if len(left) <= 1 and not lost else 3)
    os._exit(2)
assert os.waitpid(child, 0)[1] == 0, "child"

peer.sendall(b"still there?")
peer.setblocking(False)
got = b""
while got != b"still there?":
    reactor.run_once(1)
    try:
        got += peer.recv(100)
    except BlockingIOError:
        pass
assert not lost
reactor.close()
peer.close()
print("well")
""")
    assert printed == "well\n"


def test_a_forked_child_calls_nobody_and_resets_nobody(
    world: World, kernel: ScriptedKernel, mute_port: int
) -> None:
    """As in the child above, but in this process: the kernel is made to say that this is a child."""
    before = world.open_descriptors()
    net = Network(world, kernel)
    nears = [Recorder() for _ in range(3)]  # two that are accepted, one that connects
    waiting = iter(nears)
    server = net.listen(lambda: next(waiting))
    peer = net.dial(server)
    connect(net.reactor, lambda: next(waiting), server.addresses[0])
    connecting = connect(net.reactor, Recorder, f"127.0.0.1:{mute_port}", on_failure=lambda error: told.append(error))
    told: list[BaseException] = []
    net.until(lambda: all(near.made for near in nears) and connecting.describe()["trying"])
    kernel.tell_forked()
    net.reactor.close()
    assert [near.events for near in nears] == [["connection_made"]] * 3
    assert told == []
    assert peer.recv(1) == b""  # an ordinary end, because nobody else has this descriptor here
    peer.close()
    assert world.open_descriptors() == before


@pytest.mark.parametrize("fails", [False, True])
def test_what_waits_in_a_callback_that_forks_is_the_parents_to_send(
    world: World, kernel: ScriptedKernel, fails: bool
) -> None:
    """As above: from the middle of the callback on, this is the child."""
    sent: list[bytes] = []

    class Watched(PassingSocket):
        def send(self, data: Any) -> int:
            sent.append(bytes(data))
            return len(data)

    def fork(me: Recorder, _: bytes) -> None:
        for _turn in range(2):  # the first is held, the second is with the sender
            me.transport.write(b"from the parent")
        kernel.tell_forked()
        if fails:
            raise ValueError("in the child")

    net = Network(world, kernel)
    near, peer = net.pair(Recorder(data_received=fork))
    near.transport.socket = Watched(near.transport.socket)
    peer.send(b"go")
    net.reactor.run_once(5)
    assert sent == []
    assert [str(error) for error in net.take_errors()] == (["in the child"] if fails else [])
    assert near.events == ["connection_made", "data_received"]
    net.close()


def test_where_an_address_can_be_stolen_it_is_claimed_exclusively(
    net: Network, kernel: ScriptedKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Windows has an option for that, and SO_REUSEADDR means something else there.
    monkeypatch.setattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_KEEPALIVE, raising=False)
    net.listen(Recorder)
    (sock,) = kernel.made
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert not sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)


def test_a_server_describes_itself_and_its_connections(net: Network) -> None:
    near = Recorder()
    server = net.listen(lambda: near, max_connections=5, options=ConnectionOptions(overflow=Overflow.CLOSE))
    net.dial(server)
    net.until(lambda: near.made)
    seen = server.describe()
    assert seen["kind"] == "server"
    assert seen["state"] == "listening"
    assert (seen["accepted"], seen["max_connections"]) == (1, 5)
    assert [one["state"] for one in seen["connections"]] == ["open"]
    assert [one["address"] for one in seen["acceptors"]] == server.addresses
    assert state_of(near.transport) == "open"


def test_a_socket_that_a_closed_reactor_refuses_stays_its_owners() -> None:
    with Reactor() as reactor:
        pass
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        with pytest.raises(ClosedError):
            listen(reactor, Recorder, sock)
        assert sock.fileno() >= 0
