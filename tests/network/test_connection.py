"""What a connection does for its protocol beyond the ordinary: memory of one's own, input given back, odd callers."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from reactor import ConnectionOptions, MisuseError, Protocol, connect
from reactor.errors import IdleTimeoutError, WrongThreadError
from reactor.network.interface import BaseProtocol, BufferedProtocol
from tests.network.kit import BufferedRecorder, Network, Recorder, python, system_only

# --- Callbacks that are not as they should be -----------------------------------------------------------------------


@pytest.mark.parametrize("buffer", [b"readonly", bytearray(), "text", 5, None])
def test_a_buffer_that_cannot_be_written_ends_the_connection_and_is_reported_once(net: Network, buffer: Any) -> None:
    class Wrong(BufferedRecorder):
        def get_buffer(self, sizehint: int) -> Any:
            return buffer

    near, peer = net.pair(Wrong())
    net.send_all(peer, b"x")
    net.until(lambda: near.over)
    (error,) = net.take_errors()
    assert error is near.ended_with
    assert isinstance(error, (TypeError, MisuseError))


def test_memory_of_any_shape_is_filled(net: Network) -> None:
    import array  # noqa: PLC0415

    numbers = array.array("I", [0] * 4)

    class Wide(BufferedRecorder):
        def get_buffer(self, sizehint: int) -> Any:
            return memoryview(numbers)

        def buffer_updated(self, nbytes: int) -> None:
            self.received += memoryview(numbers).cast("B")[:nbytes]

    near, peer = net.pair(Wide())
    net.send_all(peer, bytes(range(100)))
    net.until(lambda: near.received == bytes(range(100)))


@pytest.mark.parametrize("hook", ["pause_reading", "abort", "close"])
def test_get_buffer_may_change_its_mind(net: Network, hook: str) -> None:
    asked: list[int] = []

    class Hesitant(BufferedRecorder):
        def get_buffer(self, sizehint: int) -> Any:
            asked.append(sizehint)
            if len(asked) == 1:
                getattr(self.transport, hook)()
            return bytearray(10)

    near, peer = net.pair(Hesitant())
    net.send_all(peer, b"hello")
    net.settle()
    assert asked == [-1]
    assert not near.saw("buffer_updated")
    if hook == "pause_reading":
        near.transport.resume_reading()
        net.until(lambda: near.saw("buffer_updated"))


def test_get_buffer_may_hand_over_to_another_protocol(net: Network) -> None:
    successor = Recorder()

    class Doorman(BufferedRecorder):
        def get_buffer(self, sizehint: int) -> Any:
            self.hand_over_to(successor)
            return bytearray(10)

    _near, peer = net.pair(Doorman())
    net.send_all(peer, b"hello")
    net.until(lambda: successor.received == b"hello")


def test_a_mistake_in_connection_made_is_known_before_anything_is_read(net: Network) -> None:
    mistake = ValueError("a mistake")

    def fail(me: Any) -> None:
        raise mistake

    near = Recorder(connection_made=fail)
    server = net.listen(lambda: near)
    peer = net.dial(server)
    peer.send(b"x")
    net.until(lambda: near.over)
    assert near.events == ["connection_made", "connection_lost"]
    assert near.ended_with is mistake
    assert net.take_errors() == [mistake]


def test_the_report_of_a_mistake_names_protocol_and_transport(net: Network) -> None:
    def fail(me: Any, data: bytes) -> None:
        raise ValueError("a mistake")

    near, peer = net.pair(Recorder(data_received=fail))
    transport = near.transport
    net.send_all(peer, b"x")
    net.until(lambda: near.over)
    (context,) = net.contexts
    assert context["transport"] is transport
    assert context["protocol"] is near
    assert "data_received" in context["message"]
    net.take_errors()


def test_a_mistake_after_a_change_of_hands_is_reported_all_the_same(net: Network) -> None:
    mistake = ValueError("a mistake")
    successor = BufferedRecorder()

    def fail(me: Any, data: bytes) -> None:
        me.hand_over_to(successor)
        raise mistake

    _near, peer = net.pair(Recorder(data_received=fail))
    net.send_all(peer, b"x")
    net.until(lambda: successor.over)
    assert successor.ended_with is mistake
    assert net.take_errors() == [mistake]


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_in_connection_lost_goes_through_and_the_connection_is_over_all_the_same(
    net: Network, interrupt: Any
) -> None:
    def fail(me: Any) -> None:
        raise interrupt

    near = Recorder(connection_lost=fail)
    server = net.listen(lambda: near)
    peer = net.dial(server)
    net.until(lambda: near.made)
    peer.close()
    with pytest.raises(interrupt):
        net.until(lambda: False)
    assert not server.connections
    server.close()
    net.reactor.run()
    net.reactor.close()
    assert near.events.count("connection_lost") == 1


def test_an_interrupt_while_the_reactor_closes_lets_it_be_closed_again_and_nobody_is_told_twice(net: Network) -> None:
    def fail(me: Any) -> None:
        raise KeyboardInterrupt

    nears = [Recorder(connection_lost=fail), Recorder()]
    waiting = iter(nears)
    server = net.listen(lambda: next(waiting))
    for _ in nears:
        net.dial(server)
    net.until(lambda: all(near.made for near in nears))
    with pytest.raises(KeyboardInterrupt):
        net.reactor.close()
    net.reactor.close()
    assert [near.events.count("connection_lost") for near in nears] == [1, 1]


def test_a_reactor_that_runs_on_after_an_interrupted_close_tells_nobody_twice(net: Network) -> None:
    def interrupt(me: Recorder) -> None:
        raise KeyboardInterrupt

    near, _peer = net.pair(Recorder(connection_lost=interrupt))
    with pytest.raises(KeyboardInterrupt):
        net.reactor.close()
    net.settle()
    near.check()


def test_an_interrupt_in_the_factory_leaves_no_socket(net: Network) -> None:
    def factory() -> Any:
        raise KeyboardInterrupt

    server = net.listen(factory)
    peer = net.dial(server)
    with pytest.raises(KeyboardInterrupt):
        net.until(lambda: False)
    assert net.read_to_the_end(peer) == b""


# --- Protocols ----------------------------------------------------------------------------------------------------


def test_the_base_classes_say_nothing_and_keep_nothing(net: Network) -> None:
    base, protocol, buffered = BaseProtocol(), Protocol(), BufferedProtocol()
    for one in (base, protocol, buffered):
        one.connection_made(None)  # type: ignore[arg-type]
        one.pause_writing()
        one.resume_writing()
        one.connection_lost(None)
    protocol.data_received(b"")
    buffered.buffer_updated(0)
    assert protocol.eof_received() is None
    assert buffered.eof_received() is None
    with pytest.raises(NotImplementedError, match="get_buffer"):
        buffered.get_buffer(-1)


def test_what_is_no_protocol_cannot_be_set(net: Network) -> None:
    near, peer = net.pair()
    with pytest.raises(TypeError, match="is no protocol"):
        near.transport.set_protocol(BaseProtocol())
    net.send_all(peer, b"still here")
    net.until(lambda: near.received == b"still here")


def test_a_protocol_that_is_set_after_close_is_told_of_the_end(net: Network) -> None:
    near, _peer = net.clogged()
    near.transport.close()
    successor = Recorder()
    near.hand_over_to(successor)
    near.transport.abort()
    net.until(lambda: successor.over)
    assert successor.events == ["connection_lost"]


# --- Read limits and input given back -----------------------------------------------------------------------------


def test_a_read_brings_no_more_than_the_limit(net: Network) -> None:
    sizes: list[int] = []
    near, peer = net.pair(Recorder(data_received=lambda me, data: sizes.append(len(data))))
    near.transport.set_read_limit(100)
    net.send_all(peer, bytes(1000))
    net.until(lambda: len(near.received) == 1000)
    assert max(sizes) == 100
    near.transport.set_read_limit(None)
    net.send_all(peer, bytes(1000))
    net.until(lambda: len(near.received) == 2000)
    assert sizes[-1] > 100


def test_the_option_bounds_every_read_and_what_a_protocol_asks_for(net: Network) -> None:
    sizes: list[int] = []
    near, peer = net.pair(
        Recorder(data_received=lambda me, data: sizes.append(len(data))), ConnectionOptions(read_size=50)
    )
    near.transport.set_read_limit(1000)
    net.send_all(peer, bytes(1000))
    net.until(lambda: len(near.received) == 1000)
    assert max(sizes) == 50


@pytest.mark.parametrize("size", [0, -1])
def test_a_limit_below_one_byte_is_not_taken_for_the_end_of_the_stream(net: Network, size: int) -> None:
    near, peer = net.pair()
    try:
        near.transport.set_read_limit(size)
    except MisuseError:
        return
    net.send_all(peer, b"hello")
    net.until(lambda: near.received == b"hello")
    assert not near.saw("eof_received")


def test_a_read_limit_does_not_outlive_its_protocol(net: Network) -> None:
    near, peer = net.pair()
    near.transport.set_read_limit(1)
    sizes: list[int] = []
    successor = Recorder(data_received=lambda me, data: sizes.append(len(data)))
    near.hand_over_to(successor)
    net.send_all(peer, bytes(1000))
    net.until(lambda: len(successor.received) == 1000)
    assert max(sizes) > 1


def test_however_often_reading_is_resumed_input_given_back_comes_once_in_a_tick(net: Network) -> None:
    def give_back(me: Any, data: bytes) -> None:
        ticks.append(tick)
        if len(ticks) < 5:
            me.transport.unread(data)

    tick = 0
    ticks: list[int] = []
    near, peer = net.pair(Recorder(data_received=give_back))
    net.send_all(peer, b"x")
    while len(ticks) < 5:
        for _ in range(3):
            near.transport.pause_reading()
            near.transport.resume_reading()
        tick += 1
        net.reactor.run_once(0.01)
    assert len(set(ticks)) == 5


def test_input_given_back_in_pieces_comes_in_order_into_small_memory(net: Network) -> None:
    def swap(me: Any, data: bytes) -> None:
        me.transport.unread(data[4:])
        me.transport.unread(data[:4])
        me.hand_over_to(successor)

    successor = BufferedRecorder(size=3)
    _near, peer = net.pair(Recorder(data_received=swap))
    net.send_all(peer, b"headbody")
    net.until(lambda: len(successor.received) == 8)
    net.send_all(peer, b" and tail")
    net.until(lambda: successor.received == b"headbody and tail")


def test_input_given_back_waits_for_who_was_paused_by_somebody_else(net: Network) -> None:
    given: list[bytes] = []

    def give_back(me: Any, data: bytes) -> None:
        given.append(data)
        if len(given) == 1:
            me.transport.unread(data)
            net.reactor.call_soon(me.transport.pause_reading)

    near, peer = net.pair(Recorder(data_received=give_back))
    net.send_all(peer, b"hello")
    net.until(lambda: given)
    net.settle()
    assert given == [b"hello"]
    near.transport.resume_reading()
    net.until(lambda: len(given) == 2)
    net.settle()
    assert given == [b"hello", b"hello"]


def test_a_request_to_be_called_again_is_nothing_to_a_protocol_with_its_own_memory(net: Network) -> None:
    def swap(me: Any, data: bytes) -> None:
        me.transport.unread(b"")
        me.hand_over_to(successor)

    successor = BufferedRecorder()
    near, peer = net.pair(Recorder(data_received=swap))
    net.send_all(peer, b"x")
    net.until(lambda: near.received)
    net.settle()
    assert successor.events == []
    net.send_all(peer, b"hello")
    net.until(lambda: successor.received == b"hello")


def test_input_given_back_waits_for_memory(net: Network) -> None:
    class Hesitant(BufferedRecorder):
        def get_buffer(self, sizehint: int) -> Any:
            if not self.saw("get_buffer"):
                self._call("get_buffer", sizehint)
                self.transport.pause_reading()
            return self.memory

    def swap(me: Any, data: bytes) -> None:
        me.transport.unread(data)
        me.hand_over_to(successor)

    successor = Hesitant()
    _near, peer = net.pair(Recorder(data_received=swap))
    net.send_all(peer, b"hello")
    net.until(lambda: successor.saw("get_buffer"))
    net.settle()
    assert successor.received == b""
    successor.transport.resume_reading()
    net.until(lambda: successor.received == b"hello")


# --- Odd callers ----------------------------------------------------------------------------------------------------


def test_a_write_from_another_thread_is_refused(net: Network) -> None:
    near, peer = net.pair()
    raised: list[BaseException] = []

    def write() -> None:
        try:
            near.transport.write(b"from somewhere else")
        except WrongThreadError as exc:
            raised.append(exc)

    net.world.in_another_thread(write)
    assert "call_soon_threadsafe" in str(raised[0])
    with pytest.raises(BlockingIOError):
        peer.recv(1)


def stale_number(net: Network, watch: str) -> int:
    """A descriptor that was closed without a word while it was watched: the next one will have its number."""
    forgotten = net.raw_socket()
    getattr(net.reactor, watch)(forgotten, pytest.fail, "called for somebody else's descriptor")
    number: int = forgotten.fileno()
    forgotten.close()
    return number


@pytest.mark.parametrize("watch", ["add_reader", "add_writer"])
def test_a_connection_is_heard_although_somebody_forgot_to_withdraw_its_number(net: Network, watch: str) -> None:
    near = Recorder(data_received=lambda me, data: me.transport.write(bytes(1 << 22)))
    server = net.listen(lambda: near)
    peer = net.dial(server, small=True)
    number = stale_number(net, watch)
    net.until(lambda: near.made)
    assert near.transport.get_extra_info("socket").fileno() == number
    peer.send(b"?")
    net.read(peer, 1 << 22)


@pytest.mark.parametrize("watch", ["add_reader", "add_writer"])
def test_a_server_is_heard_although_somebody_forgot_to_withdraw_its_number(net: Network, watch: str) -> None:
    number = stale_number(net, watch)
    server = net.listen(Recorder)
    assert server._acceptors[0]._socket.fileno() == number
    net.dial(server)
    net.until(lambda: server.accepted)


@pytest.mark.parametrize("watch", ["add_reader", "add_writer"])
def test_a_client_is_heard_although_somebody_forgot_to_withdraw_its_number(net: Network, watch: str) -> None:
    server = net.listen(Recorder)
    number = stale_number(net, watch)
    near = Recorder()
    connector = connect(net.reactor, lambda: near, server.addresses[0])
    net.until(lambda: connector.connection is not None)
    assert near.transport.get_extra_info("socket").fileno() == number
    net.until(lambda: near.made)


def test_a_foreign_thread_is_refused_while_the_connections_own_callback_runs(net: Network) -> None:
    raised: list[str] = []

    def from_a_thread(me: Recorder, _: bytes) -> None:
        me.transport.write(b"ours")
        uses: list[Callable[[], object]] = [
            lambda: me.transport.write(b"theirs"),
            lambda: me.transport.writelines([b"theirs"]),
            lambda: me.transport.set_write_buffer_limits(high=1),
            me.transport.write_eof,
            me.transport.close,
            me.transport.abort,
        ]

        def use_all() -> None:
            for use in uses:
                try:
                    use()
                except WrongThreadError as exc:
                    raised.append(str(exc))

        net.world.in_another_thread(use_all)
        assert len(raised) == len(uses)

    near, peer = net.pair(Recorder(data_received=from_a_thread))
    peer.send(b"go")
    assert net.read(peer, 4) == b"ours"
    near.transport.close()
    assert net.read_to_the_end(peer) == b""


@system_only("forks")
def test_a_fork_inside_a_callback_sends_nothing_from_the_child_and_nothing_twice() -> None:
    printed = python("""
import os, socket
from reactor import ForkedError, Protocol, Reactor, listen

class Forking(Protocol):
    def connection_made(self, transport):
        self.transport = transport
    def data_received(self, data):
        if data == b"write first":
            self.transport.write(b"parent,")
        if os.fork() == 0:
            in_child.append(True)
            self.transport.write(b"child,")
        if data == b"write later":
            self.transport.write(b"parent,")
    def connection_lost(self, exc):
        lost.append(exc)

in_child, lost, reports = [], [], []
reactor = Reactor()
reactor.set_exception_handler(lambda reactor, context: reports.append(context["exception"]))
server = listen(reactor, Forking, "127.0.0.1:0")
for how in (b"write first", b"write later"):
    peer = socket.create_connection(("127.0.0.1", int(server.addresses[0].rpartition(":")[2])))
    peer.sendall(how)
    peer.setblocking(False)
    got = b""
    while got != b"parent,":
        reactor.run_once(0.01)
        if in_child:
            os._exit(0 if [type(error) for error in reports] == [ForkedError] and not lost else 3)
        try:
            got += peer.recv(100)
        except BlockingIOError:
            pass
    assert os.wait()[1] == 0, "child"
    (connection,) = server.connections
    connection.close()
    while not lost:
        reactor.run_once(0.01)
        try:
            if not (piece := peer.recv(100)):
                peer.close()
            got += piece
        except OSError:
            pass
    assert (got, lost.pop()) == (b"parent,", None), got
assert not reports
reactor.close()
print("well")
""")
    assert printed == "well\n"


def test_an_interrupt_in_connection_made_leaves_a_connection_that_is_read_and_can_be_idle(net: Network) -> None:
    def interrupt(me: Recorder) -> None:
        raise KeyboardInterrupt

    near = Recorder(connection_made=interrupt)
    server = net.listen(lambda: near, options=ConnectionOptions(idle_timeout=0.05))
    peer = net.dial(server)
    with pytest.raises(KeyboardInterrupt):
        net.until(lambda: False)
    peer.send(b"still there?")
    net.until(lambda: near.over)
    assert near.received == b"still there?"
    assert isinstance(near.ended_with, IdleTimeoutError)


def test_a_write_after_write_eof_is_a_misuse(net: Network) -> None:
    near, _peer = net.pair()
    near.transport.write_eof()
    with pytest.raises(MisuseError, match=r"write\(\) after write_eof\(\)"):
        near.transport.write(b"too late")


def test_the_socket_can_be_looked_at_and_not_taken_away(net: Network) -> None:
    near, peer = net.pair()
    sock = near.transport.get_extra_info("socket")
    assert not {"close", "detach", "shutdown", "send", "recv", "setblocking"} & set(dir(sock))
    assert sock.family == socket.AF_INET
    assert sock.fileno() == near.transport.describe()["descriptor"]
    assert (sock.getsockname(), sock.getpeername()) == (peer.getpeername(), peer.getsockname())
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert repr(sock) == f"<socket of a connection, descriptor {sock.fileno()}>"
    near.transport.abort()
    assert sock.fileno() == -1


def test_what_can_be_asked_of_a_transport(net: Network) -> None:
    near, peer = net.pair()
    transport = near.transport
    assert transport.can_write_eof()
    assert transport.get_extra_info("peername") == peer.getsockname()
    assert transport.get_extra_info("sockname") == peer.getpeername()
    assert transport.get_extra_info("socket").getpeername() == peer.getsockname()
    assert not hasattr(transport.get_extra_info("socket"), "close")  # it is the connection's
    assert isinstance(transport.get_extra_info("options"), ConnectionOptions)
    assert transport.get_extra_info("cipher") is None
    assert transport.get_extra_info("cipher", "none") == "none"
    assert transport.get_protocol() is near
    assert transport.get_write_buffer_limits() == (16 << 10, 64 << 10)
    seen = transport.describe()
    assert (seen["kind"], seen["state"], seen["reading"], seen["unsent"]) == ("connection", "open", True, 0)
    assert repr(transport) == f"<connection with 127.0.0.1:{peer.getsockname()[1]}, open>"
