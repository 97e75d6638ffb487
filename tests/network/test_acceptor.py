"""An acceptor: many at once but not too many, and calm when the machine has run out of something."""

from __future__ import annotations

import errno

import pytest

from reactor import Server, connect
from reactor.network import acceptor as module
from tests.network.kit import Network, Recorder, ScriptedKernel, python, system_only


def test_at_most_a_batch_is_accepted_in_one_tick_and_the_rest_in_the_next(net: Network) -> None:
    server = net.listen(Recorder)
    for _ in range(70):
        net.dial(server)
    counts = []
    while server.accepted < 70:
        net.reactor.run_once(1)
        counts.append(server.accepted)
    assert counts == [64, 70]


@pytest.mark.parametrize("gone", [errno.ECONNABORTED, errno.EPROTO, errno.ENETUNREACH])
def test_a_client_that_left_the_backlog_is_skipped(net: Network, kernel: ScriptedKernel, gone: int) -> None:
    server = net.listen(Recorder)
    kernel.accept_fails = [gone, gone]
    net.dial(server)
    net.reactor.run_once(1)
    assert server.accepted == 1


def test_an_interrupted_accept_is_repeated_in_the_next_tick(net: Network, kernel: ScriptedKernel) -> None:
    server = net.listen(Recorder)
    kernel.accept_fails = [errno.EINTR]
    net.dial(server)
    net.reactor.run_once(1)
    assert server.accepted == 0
    net.until(lambda: server.accepted == 1)


EXHAUSTED = [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM]


@pytest.mark.parametrize("failure", EXHAUSTED)
def test_out_of_descriptors_an_acceptor_stops_trying_and_says_so_once(
    net: Network, kernel: ScriptedKernel, failure: int
) -> None:
    server = net.listen(Recorder)
    kernel.accept_fails = [failure]
    kernel.exhausted = True
    net.dial(server)
    net.until(lambda: net.contexts)
    tried = kernel.accepts
    for _ in range(50):
        net.reactor.run_once(0)
    assert kernel.accepts == tried  # the connection still waits, but nobody looks
    assert server.describe()["acceptors"][0]["accepting"] == "exhausted"
    assert net.reactor.describe()["timers"] == 1
    (message,) = [context["message"] for context in net.contexts]
    assert "ran out of descriptors or memory" in message
    assert server.addresses[0] in message
    assert [error.errno for error in net.take_errors()] == [failure]  # type: ignore[attr-defined]


def test_an_exhausted_acceptor_sleeps_until_the_retry(
    net: Network, kernel: ScriptedKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RETRY", 0.02)
    server = net.listen(Recorder)
    kernel.accept_fails = [errno.EMFILE]
    kernel.exhausted = True
    net.dial(server)
    net.until(lambda: kernel.accepts == 1)
    since = net.reactor.time()
    ticks = 0
    while kernel.accepts < 4:
        net.reactor.run_once(1)
        ticks += 1
    assert net.reactor.time() >= since + 0.04  # three retries, of which the first may have been under way
    assert ticks <= 3 * 4  # a timer, a readiness, a refusal, and not thousands
    assert len(net.take_errors()) == 1  # though it failed four times
    kernel.accept_fails.clear()
    net.until(lambda: server.accepted == 1)
    assert net.reactor.describe()["timers"] == 0


def test_another_report_comes_after_a_while(
    net: Network, kernel: ScriptedKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RETRY", 0.001)
    monkeypatch.setattr(module, "_REPORT_EVERY", 0.0)
    server = net.listen(Recorder)
    kernel.accept_fails = [errno.EMFILE, errno.EMFILE]
    net.dial(server)
    net.until(lambda: server.accepted == 1)
    assert len(net.take_errors()) == 2


def test_an_own_close_ends_the_exhaustion_at_once(net: Network, kernel: ScriptedKernel) -> None:
    ends: list[Recorder] = []

    def factory() -> Recorder:
        ends.append(Recorder())
        return ends[-1]

    server = net.listen(factory)
    net.dial(server)
    net.until(lambda: ends)
    kernel.accept_fails = [errno.EMFILE]
    net.dial(server)
    net.until(lambda: net.contexts)
    net.take_errors()
    ends[0].transport.abort()
    net.reactor.run_once(0)
    net.reactor.run_once(0)
    assert server.accepted == 2
    assert net.reactor.describe()["timers"] == 0


def exhaust(net: Network, kernel: ScriptedKernel) -> Server:
    """A server that ran out of descriptors, and a client that waits."""
    server = net.listen(Recorder)
    kernel.accept_fails = [errno.EMFILE]
    net.dial(server)
    net.until(lambda: net.contexts)
    net.take_errors()
    return server


def test_the_close_of_another_server_ends_the_exhaustion_at_once(net: Network, kernel: ScriptedKernel) -> None:
    other = net.listen(Recorder)
    server = exhaust(net, kernel)
    other.close()
    net.reactor.run_once(0)
    net.reactor.run_once(0)
    assert server.accepted == 1
    assert net.reactor.describe()["timers"] == 0


def test_a_failed_request_ends_the_exhaustion_at_once(net: Network, kernel: ScriptedKernel, mute_port: int) -> None:
    request = connect(net.reactor, Recorder, f"127.0.0.1:{mute_port}")
    net.until(lambda: request.describe()["trying"])
    server = exhaust(net, kernel)
    request.cancel()
    net.reactor.run_once(0)
    net.reactor.run_once(0)
    assert server.accepted == 1
    assert net.reactor.describe()["timers"] == 0


def test_a_machine_that_stays_exhausted_is_reported_once_a_minute(net: Network, kernel: ScriptedKernel) -> None:
    kernel.clock = 1000.0
    exhaust(net, kernel)
    kernel.accept_fails = [errno.EMFILE]
    kernel.exhausted = True
    for report in range(1, 4):
        for second in range(60):
            assert len(net.contexts) < report, second
            accepts = kernel.accepts
            kernel.clock += 1.01
            net.settle(2)
            assert kernel.accepts > accepts
        assert len(net.contexts) == report
    net.take_errors()


@pytest.mark.parametrize("how", ["stop_accepting", "close"])
def test_an_exhausted_server_can_be_stopped_for_good(net: Network, kernel: ScriptedKernel, how: str) -> None:
    server = net.listen(Recorder)
    kernel.accept_fails = [errno.EMFILE]
    net.dial(server)
    net.until(lambda: net.contexts)
    net.take_errors()
    getattr(server, how)()
    module.descriptor_closed(net.reactor)
    net.settle()
    assert server.accepted == 0
    assert net.reactor.describe()["timers"] == 0


def test_an_unknown_failure_of_accept_is_reported_and_does_not_spin(net: Network, kernel: ScriptedKernel) -> None:
    server = net.listen(Recorder)
    kernel.accept_fails = [errno.EINVAL]
    net.dial(server)
    net.until(lambda: net.contexts)
    assert "accept failed" in net.contexts[0]["message"]
    assert [error.errno for error in net.take_errors()] == [errno.EINVAL]  # type: ignore[attr-defined]
    assert server.describe()["acceptors"][0]["accepting"] == "exhausted"


def test_a_closed_acceptor_stays_closed(net: Network) -> None:
    server = net.listen(Recorder)
    (acceptor,) = server._acceptors
    server.close()
    acceptor.watch()
    acceptor.hold()
    acceptor.close()
    assert acceptor.state is module.Accepting.CLOSED


@system_only("RLIMIT_NOFILE, in a process of its own")
def test_a_process_without_descriptors_waits_calmly_and_goes_on_when_it_has_some() -> None:
    """The real thing, in a process with a low RLIMIT_NOFILE: no spinning, one report, and a way out of it."""
    printed = python("""
import resource, socket
from reactor import Protocol, Reactor, listen

class Near(Protocol):
    def connection_made(self, transport):
        transports.append(transport)

transports, reports = [], []
reactor = Reactor()
reactor.set_exception_handler(lambda reactor, context: reports.append(context["exception"]))
server = listen(reactor, Near, "127.0.0.1:0", max_connections=1000)
port = int(server.addresses[0].rpartition(":")[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
peers = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
while not reports:
    reactor.run_once(5)
print(type(reports[0]).__name__, reports[0].strerror)
accepted = server.accepted

beats = []
reactor.call_later(0.2, beats.append, 1)
ticks = 0
while not beats:
    reactor.run_once(5)
    ticks += 1
print("calm" if ticks < 5 and server.accepted == accepted else ticks)

transports[0].abort()                   # an own close: at once
reactor.run_once(0)
reactor.run_once(0)
print("one more" if server.accepted == accepted + 1 else server.accepted)

while server.accepted < 20:             # somebody else's: by the timer
    peers.pop(0).close()
    reactor.run_once(5)
print("all", len(reports))
reactor.close()
for peer in peers:
    peer.close()
""")
    assert printed.splitlines() == ["OSError Too many open files", "calm", "one more", "all 1"]


