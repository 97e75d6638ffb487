"""A reactor refuses what would go wrong later, and says what to do instead."""

from __future__ import annotations

import os
import signal
import socket
import threading
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from reactor import Protocol, Reactor, connect, listen
from reactor.errors import ClosedError, ForkedError, MisuseError, ReentryError, WrongThreadError
from reactor.loop import Phase
from tests.loop.kit import READ, Errors, Log, ScriptedKernel
from tests.loop.test_running import Something
from tests.loop.worlds import World, system_only

Use = Callable[[Reactor], object]

RUNNING: dict[str, Use] = {
    "run": lambda reactor: reactor.run(),
    "run_once": lambda reactor: reactor.run_once(0),
    "dispatch": lambda reactor: reactor.dispatch([]),
}
USES: dict[str, Use] = RUNNING | {
    "call_soon": lambda reactor: reactor.call_soon(list),
    "call_later": lambda reactor: reactor.call_later(1, list),
    "call_at": lambda reactor: reactor.call_at(1, list),
    "call_every": lambda reactor: reactor.call_every(1, list),
    "add_reader": lambda reactor: reactor.add_reader(0, list),
    "add_writer": lambda reactor: reactor.add_writer(0, list),
    "remove_reader": lambda reactor: reactor.remove_reader(0),
    "remove_writer": lambda reactor: reactor.remove_writer(0),
    "next_deadline": lambda reactor: reactor.next_deadline(),
    "fileno": lambda reactor: reactor.fileno(),
    "call_at_tick_end": lambda reactor: reactor.call_at_tick_end(list),
    "forget": lambda reactor: reactor.forget(0),
    "set_deadline_hook": lambda reactor: reactor.set_deadline_hook(None),
    "set_exception_handler": lambda reactor: reactor.set_exception_handler(None),
    "run_in_executor": lambda reactor: reactor.run_in_executor(list, list),
    "resolve": lambda reactor: reactor.resolve(list, "localhost", 80),
    "add_signal_handler": lambda reactor: reactor.add_signal_handler(signal.SIGTERM, list),
    "remove_signal_handler": lambda reactor: reactor.remove_signal_handler(signal.SIGTERM),
    "attach": lambda reactor: Something(reactor),
    "listen": lambda reactor: listen(reactor, Protocol, "127.0.0.1:0"),
    "connect": lambda reactor: connect(reactor, Protocol, "127.0.0.1:1"),
}
FROM_ANYWHERE: dict[str, Use] = {
    "call_soon_threadsafe": lambda reactor: reactor.call_soon_threadsafe(list),
    "wait": lambda reactor: reactor.wait(0),
}


def caught(use: Use, reactor: Reactor) -> BaseException | None:
    try:
        use(reactor)
    except BaseException as exc:
        return exc
    return None


# --- Re-entry -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("use", [*RUNNING, "wait", "close"])
def test_a_callback_cannot_run_the_loop_that_calls_it(reactor: Reactor, use: str) -> None:
    errors = Errors(reactor)
    uses = RUNNING | FROM_ANYWHERE | {"close": Reactor.close}
    reactor.call_soon(lambda: uses[use](reactor))
    reactor.run()
    [error] = errors
    assert type(error) is ReentryError
    assert "dispatching already" in str(error)
    assert "stop()" in str(error)
    assert reactor.phase is Phase.IDLE


@system_only("a thread that waits in the selector while another one works")
@pytest.mark.parametrize("use", [*RUNNING, "wait", "close"])
def test_nothing_can_be_run_while_a_helper_thread_waits(reactor: Reactor, use: str) -> None:
    uses = RUNNING | FROM_ANYWHERE | {"close": Reactor.close}
    helper = threading.Thread(target=reactor.wait, args=(30,))
    helper.start()
    while reactor.phase is not Phase.WAITING:
        pass
    error = caught(uses[use], reactor)
    assert type(error) is ReentryError
    assert "waiting already" in str(error)
    reactor.stop()
    helper.join()
    reactor.run()  # heeds the stop


@pytest.mark.parametrize("use", [*RUNNING, "wait", "close", "attach", "connect"])
def test_the_last_callbacks_of_close_cannot_begin_anything(reactor: Reactor, use: str) -> None:
    seen: list[BaseException | None] = []

    class Last(Something):
        def shut(self) -> None:
            super().shut()
            seen.append(caught((USES | FROM_ANYWHERE | {"close": Reactor.close})[use], self.reactor))

    Last(reactor)
    reactor.close()
    [error] = seen
    assert type(error) is (ClosedError if use in ("attach", "connect") else ReentryError)
    assert "clos" in str(error)
    assert reactor.phase is Phase.CLOSED


@pytest.mark.parametrize(
    "schedule",
    [
        lambda reactor, callback: reactor.call_soon(callback),
        lambda reactor, callback: reactor.call_soon_threadsafe(callback),
        lambda reactor, callback: reactor.call_later(1, callback),
        lambda reactor, callback: reactor.call_every(1, callback),
        lambda reactor, callback: reactor.add_reader(0, callback),
        lambda reactor, callback: reactor.add_signal_handler(signal.SIGTERM, callback),
    ],
)
def test_a_callback_that_cannot_be_called_is_refused_where_it_is_given(
    reactor: Reactor, schedule: Callable[[Reactor, object], object]
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(TypeError, match="must be callable, and this is not: 'list'"):
        schedule(reactor, "list")
    assert not reactor.alive()
    assert signal.getsignal(signal.SIGTERM) == before


# --- Foreign threads ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("use", [*USES, "close"])
def test_a_foreign_thread_is_refused_and_shown_the_way(world: World, reactor: Reactor, use: str) -> None:
    reactor.run_once(0)  # from now on it is ours
    error = world.thread().call(caught, (USES | {"close": Reactor.close})[use], reactor)
    assert type(error) is WrongThreadError
    assert "call_soon_threadsafe()" in str(error)
    assert reactor.phase is Phase.IDLE
    assert not reactor.alive()


@pytest.mark.parametrize("use", USES)
def test_a_foreign_thread_is_refused_while_the_owner_sleeps(world: World, reactor: Reactor, use: str) -> None:
    seen: list[BaseException | None] = []

    def intrude() -> None:
        while reactor.phase is not Phase.WAITING:
            pass
        seen.append(caught(USES[use], reactor))
        reactor.stop()

    reactor.run_once(0)
    timer = reactor.call_later(10_000, list)
    thread = world.thread()
    thread.start(intrude)
    reactor.run()
    thread.join()
    timer.cancel()
    assert [type(error) for error in seen] == [WrongThreadError]
    assert not reactor.alive()


def test_a_reactor_belongs_to_the_first_thread_that_runs_it(world: World, reactor: Reactor) -> None:
    log = Log()
    reactor.call_soon(log("prepared here"))
    thread = world.thread()
    thread.call(reactor.run)
    try:
        assert log == ["prepared here"]
        with pytest.raises(WrongThreadError):
            reactor.call_soon(list)
    finally:
        thread.call(reactor.close)


def test_a_reactor_that_never_ran_belongs_to_whoever_prepares_it(world: World, reactor: Reactor) -> None:
    log = Log()
    world.thread().call(reactor.call_soon, log("there"))
    reactor.call_soon(log("here"))
    reactor.run()
    assert log == ["there", "here"]


# --- After the end ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("use", USES | FROM_ANYWHERE)
def test_a_closed_reactor_refuses_everything_and_says_so(world: World, reactor: Reactor, use: str) -> None:
    reactor.close()
    error = caught((USES | FROM_ANYWHERE)[use], reactor)
    assert type(error) is ClosedError
    assert "closed: make a new one" in str(error)
    assert type(world.thread().call(caught, (USES | FROM_ANYWHERE)[use], reactor)) is ClosedError


def test_every_refusal_is_a_misuse_and_a_runtime_error() -> None:
    for kind in (ReentryError, WrongThreadError, ClosedError, ForkedError):
        assert issubclass(kind, MisuseError)
        assert issubclass(kind, RuntimeError)


# --- After fork ---------------------------------------------------------------------------------------------------


def forked(work: Callable[[], object]) -> str:
    """What `work` returned in a forked child, as a string; an error as its name and message."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12: other threads may run here, of other tests
        child = os.fork()
    if child == 0:
        try:
            outcome = str(work())
        except BaseException as exc:
            outcome = f"{type(exc).__name__}: {exc}"
        os.write(writing, outcome.encode()[:60_000])
        os._exit(0)
    os.close(writing)
    with open(reading, encoding="utf-8") as pipe:
        outcome = pipe.read()
    os.waitpid(child, 0)
    return outcome


# Without a second process, on a kernel that only says that this is the child now.


@pytest.mark.parametrize("use", [*USES, *FROM_ANYWHERE, "stop"])
def test_a_child_is_refused(scripted: Reactor, kernel: ScriptedKernel, use: str) -> None:
    scripted.run_once(0)
    kernel.fork()
    assert type(caught((USES | FROM_ANYWHERE | {"stop": Reactor.stop})[use], scripted)) is ForkedError


def test_a_child_can_only_close_and_nothing_is_told_to_anybody(scripted: Reactor, kernel: ScriptedKernel) -> None:
    log = Log()
    resource = Something(scripted)
    scripted.call_soon(log("called"))
    kernel.fork()
    assert resource.ended == "forked"
    scripted.close()
    assert resource.ended == "disowned"
    assert log == []
    assert scripted.phase is Phase.CLOSED
    kernel.fork()
    assert scripted.phase is Phase.CLOSED


@pytest.mark.parametrize("step", ["readiness", "timer", "callback", "output"])
def test_a_batch_ends_in_the_child_whatever_its_step(scripted: Reactor, kernel: ScriptedKernel, step: str) -> None:
    log = Log()

    def work(here: str) -> None:
        log.append(here)
        if here == step:
            kernel.fork()

    for fd in (1001, 1002):
        scripted.add_reader(fd, work, "readiness")
        scripted.call_at(kernel.now, work, "timer")
        scripted.call_soon(work, "callback")
        scripted.call_at_tick_end(lambda: work("output"))
    kernel.report((1001, READ), (1002, READ))
    with pytest.raises(ForkedError):
        scripted.run()
    assert log.count(step) == 1
    assert log[-1] == step
    assert scripted.phase is Phase.FORKED


def test_a_child_gives_its_signals_back_at_once(scripted: Reactor, kernel: ScriptedKernel) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)

    def fork() -> None:
        assert signal.getsignal(signal.SIGINT) != before[1]
        kernel.fork()
        assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before

    scripted.add_signal_handler(signal.SIGTERM, list)
    scripted.call_soon(fork)
    scripted.run()  # and nothing is left to be refused
    assert signal.set_wakeup_fd(-1) == -1


# With one.

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork() here")


@needs_fork
@system_only("forks")
@pytest.mark.parametrize("use", [*USES, *FROM_ANYWHERE, "stop"])
def test_a_forked_child_is_refused_and_shown_the_way(reactor: Reactor, use: str) -> None:
    uses = USES | FROM_ANYWHERE | {"stop": Reactor.stop}
    outcome = forked(lambda: uses[use](reactor))
    assert outcome.startswith("ForkedError: ")
    assert "close() it here and make a new one" in outcome
    assert reactor.phase is Phase.NEW
    assert not reactor.alive()


@needs_fork
@system_only("forks")
def test_a_child_forked_before_it_was_made_uses_its_own_reactor() -> None:
    def work() -> object:
        log = Log()
        with Reactor() as reactor:
            reactor.call_soon(log("called"))
            reactor.run()
        return log

    assert forked(work) == "['called']"


@needs_fork
@system_only("forks")
def test_close_in_a_forked_child_leaves_the_parents_readiness_alone(world: World, reactor: Reactor) -> None:
    got: list[bytes] = []
    with world.pipe() as (reading, writing):

        def read() -> None:
            got.append(reading.recv(100))
            if len(got) == 2:
                reactor.remove_reader(reading)

        resource = Something(reactor)
        reactor.add_reader(reading, read)
        writing.send(b"before")
        reactor.run_once()

        def work() -> object:
            before = resource.ended
            reactor.close()
            reactor.close()
            return before, resource.ended, reactor.phase

        assert forked(work) == "('forked', 'disowned', <Phase.CLOSED: 'closed'>)"
        assert resource.ended == ""
        writing.send(b"after")
        reactor.run_once()
        assert got == [b"before", b"after"]
        reactor.call_soon_threadsafe(reactor.detach, resource)
        reactor.run()


@needs_fork
@system_only("forks")
def test_a_batch_ends_in_the_child_with_the_callback_that_forked(reactor: Reactor) -> None:
    """What waits behind it is the parent's to do: two processes that read one socket each get half of it."""
    log = Log()
    reading, writing = os.pipe()

    def fork() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            log.append(os.fork())

    reactor.call_soon(fork)
    reactor.call_soon(log("rest"))
    reactor.call_at_tick_end(log("output"))
    outcome = ""
    try:
        reactor.run()
    except ForkedError as exc:
        outcome = str(exc)
    if log[0] == 0:
        os.write(writing, f"{log[1:]} {outcome}".encode())
        os._exit(0)
    os.close(writing)
    with open(reading, encoding="utf-8") as pipe:
        assert pipe.read().startswith("[] this reactor belongs to the parent process")
    os.waitpid(log[0], 0)
    assert log[1:] == ["rest", "output"]
    assert outcome == ""


@needs_fork
@system_only("forks")
def test_a_child_that_closes_the_reactor_inside_a_callback_comes_out_of_run(reactor: Reactor) -> None:
    log = Log()
    errors = Errors(reactor)
    reading, writing = os.pipe()

    def fork() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            log.append(os.fork())
        if log[0] == 0:
            reactor.close()

    reactor.call_soon(fork)
    reactor.call_soon(log("rest"))
    reactor.run()
    if log[0] == 0:
        os.write(writing, f"{log[1:]} {errors} {reactor.phase}".encode())
        os._exit(0)
    os.close(writing)
    with open(reading, encoding="utf-8") as pipe:
        assert pipe.read() == "[] [] Phase.CLOSED"
    os.waitpid(log[0], 0)
    assert log[1:] == ["rest"]


@needs_fork
@system_only("forks")
def test_a_forked_child_has_the_signal_handling_of_before(reactor: Reactor) -> None:
    before = signal.getsignal(signal.SIGUSR1)
    reactor.add_signal_handler(signal.SIGUSR1, list)

    def work() -> object:
        return signal.getsignal(signal.SIGUSR1) == before, signal.set_wakeup_fd(-1)

    assert forked(work) == "(True, -1)"
    assert signal.getsignal(signal.SIGUSR1) != before


@needs_fork
@system_only("forks")
def test_servers_and_connections_are_closed_in_the_child_and_live_on_in_the_parent(reactor: Reactor) -> None:
    log = Log()

    class Shout(Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.transport.write(data.upper())

        def connection_lost(self, exc: BaseException | None) -> None:
            log.append(exc)

    server = listen(reactor, Shout, "127.0.0.1:0")
    host, port = server.addresses[0].rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=30) as client:
        while not server.connections:
            reactor.run_once()

        def work() -> object:
            reactor.close()
            return log, len(os.listdir("/proc/self/fd"))

        descriptors = len(os.listdir("/proc/self/fd"))
        outcome = forked(work)
        assert outcome.startswith("([], ")
        assert int(outcome.split()[1][:-1]) < descriptors
        client.sendall(b"still here?")
        client.setblocking(False)
        answer = b""
        while not answer:
            reactor.run_once(0.01)
            try:
                answer = client.recv(100)
            except BlockingIOError:
                pass
        assert answer == b"STILL HERE?"
    reactor.close()
    assert log == [None]
