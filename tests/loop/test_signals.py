"""Signals through the loop. What could end the test run by accident happens in a process of its own."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import pytest

from reactor import Reactor
from reactor.errors import MisuseError, OptionError
from reactor.loop import Phase
from tests.loop.kit import Errors, Log, in_turn
from tests.loop.worlds import World, system_only

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    watched = (signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM)
    before = [signal.getsignal(signum) for signum in watched]
    yield
    assert [signal.getsignal(signum) for signum in watched] == before
    assert signal.set_wakeup_fd(-1) == -1


def test_a_signal_that_comes_while_it_waits_is_called_back_in_the_loop(world: World, reactor: Reactor) -> None:
    log = Log()
    timer = reactor.call_later(10_000, list)

    def handle(argument: str) -> None:
        log.append((argument, reactor.phase.value))
        timer.cancel()

    def send() -> None:
        while reactor.phase is not Phase.WAITING:
            pass
        world.kill(signal.SIGUSR1)

    reactor.add_signal_handler(signal.SIGUSR1, handle, "USR1")
    sender = world.thread()
    sender.start(send)
    reactor.run()
    sender.join()
    reactor.close()
    assert log == [("USR1", "dispatching")]


def test_a_signal_that_comes_in_a_callback_is_called_back_after_it(world: World, reactor: Reactor) -> None:
    log = Log()

    def work() -> None:
        world.kill(signal.SIGUSR1)
        log.append("worked on")
        reactor.call_later(10_000, list)

    def handle() -> None:
        log.append("handled")
        reactor.stop()

    reactor.add_signal_handler(signal.SIGUSR1, handle)
    reactor.call_soon(work)
    reactor.run()
    reactor.close()
    assert log == ["worked on", "handled"]


def test_several_signals_are_called_back_in_their_order(world: World, reactor: Reactor) -> None:
    log = Log()
    reactor.add_signal_handler(signal.SIGUSR1, log("USR1"))
    reactor.add_signal_handler(signal.SIGUSR2, log("USR2"))
    reactor.call_soon(world.kill, signal.SIGUSR2, signal.SIGUSR1, signal.SIGUSR2)
    while len(log) < 3:
        reactor.run_once()
    reactor.close()
    assert log == ["USR2", "USR1", "USR2"]


def test_a_signal_handler_does_not_keep_it_running(reactor: Reactor) -> None:
    reactor.add_signal_handler(signal.SIGUSR1, list)
    assert not reactor.alive()
    reactor.run()
    reactor.close()


def test_a_signal_that_came_before_run_is_called_back_in_it(world: World, reactor: Reactor) -> None:
    log = Log()
    reactor.add_signal_handler(signal.SIGUSR1, log("handled"))
    world.kill(signal.SIGUSR1)
    reactor.run_once()
    reactor.run_once(0)
    reactor.close()
    assert log == ["handled"]


def test_a_second_handler_replaces_the_first(world: World, reactor: Reactor) -> None:
    log = Log()
    reactor.add_signal_handler(signal.SIGUSR1, log("first"))
    reactor.add_signal_handler(signal.SIGUSR1, log("second"))
    world.kill(signal.SIGUSR1)
    reactor.run_once()
    reactor.run_once(0)
    reactor.close()
    assert log == ["second"]


@system_only("the process's handlers")
def test_a_removed_handler_gives_the_signal_back_to_whoever_had_it(world: World, reactor: Reactor) -> None:
    log = Log()
    before = signal.signal(signal.SIGUSR1, log("theirs"))
    try:
        reactor.add_signal_handler(signal.SIGUSR1, log("ours"))
        reactor.add_signal_handler(signal.SIGUSR1, log("ours again"))
        assert reactor.remove_signal_handler(signal.SIGUSR1)
        assert not reactor.remove_signal_handler(signal.SIGUSR1)
        world.kill(signal.SIGUSR1)
        reactor.run_once(0)
        assert log == ["theirs"]
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_signal_noted_before_its_handler_was_removed_is_dropped(world: World, reactor: Reactor) -> None:
    log = Log()
    reactor.add_signal_handler(signal.SIGUSR1, log("removed"))
    reactor.add_signal_handler(signal.SIGUSR2, list)
    world.kill(signal.SIGUSR1)
    reactor.remove_signal_handler(signal.SIGUSR1)
    reactor.run_once()
    reactor.run_once(0)
    reactor.close()
    assert log == []


def test_removing_a_handler_that_was_never_added_is_harmless(reactor: Reactor) -> None:
    assert not reactor.remove_signal_handler(signal.SIGUSR1)


@system_only("the process's handlers")
def test_a_handler_put_there_by_somebody_else_meanwhile_stays(reactor: Reactor) -> None:
    before = signal.getsignal(signal.SIGUSR1)
    log = Log()
    theirs = log("theirs")
    try:
        reactor.add_signal_handler(signal.SIGUSR1, log("ours"))
        signal.signal(signal.SIGUSR1, theirs)
        reactor.remove_signal_handler(signal.SIGUSR1)
        assert signal.getsignal(signal.SIGUSR1) is theirs
    finally:
        signal.signal(signal.SIGUSR1, before)


@system_only("the process's handlers")
def test_close_gives_every_signal_back(reactor: Reactor) -> None:
    before = [signal.getsignal(signum) for signum in (signal.SIGUSR1, signal.SIGTERM)]
    reactor.add_signal_handler(signal.SIGUSR1, list)
    reactor.add_signal_handler(signal.SIGTERM, list)
    reactor.close()
    assert [signal.getsignal(signum) for signum in (signal.SIGUSR1, signal.SIGTERM)] == before


def test_an_error_in_a_signal_handler_is_reported(world: World, reactor: Reactor) -> None:
    errors = Errors(reactor)

    def fail() -> None:
        raise LookupError

    reactor.add_signal_handler(signal.SIGUSR1, fail)
    world.kill(signal.SIGUSR1)
    reactor.run_once()
    reactor.run_once(0)
    reactor.close()
    assert [type(error) for error in errors] == [LookupError]


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGSTOP, 0, 12345])
def test_a_signal_that_cannot_be_caught_is_refused_and_leaves_nothing_behind(reactor: Reactor, signum: int) -> None:
    with pytest.raises(OptionError, match=f"signal {int(signum)} cannot be handled"):
        reactor.add_signal_handler(signum, list)
    assert signal.set_wakeup_fd(-1) == -1
    assert not reactor.remove_signal_handler(signum)


@pytest.mark.skipif(not hasattr(signal, "SIGRTMIN"), reason="no real-time signals here")
def test_a_real_time_signal_is_a_signal(world: World, reactor: Reactor) -> None:
    log = Log()
    reactor.add_signal_handler(signal.SIGRTMIN + 1, log("handled"))
    world.kill(signal.SIGRTMIN + 1)
    reactor.run_once()
    reactor.run_once(0)
    reactor.close()
    assert log == ["handled"]


def test_signals_are_for_the_main_thread(world: World) -> None:
    def work() -> None:
        with Reactor(kernel=world.kernel) as reactor, pytest.raises(MisuseError, match="main thread"):
            reactor.add_signal_handler(signal.SIGUSR1, list)

    world.thread().call(work)


@system_only("the process's wakeup descriptor")
def test_a_previous_wakeup_descriptor_gets_each_byte_and_is_put_back(world: World, reactor: Reactor) -> None:
    ours, theirs = socket.socketpair()
    log = Log()
    with ours, theirs:
        for end in (ours, theirs):
            end.setblocking(False)
        signal.set_wakeup_fd(theirs.fileno())
        reactor.add_signal_handler(signal.SIGUSR1, log("USR1"))
        reactor.add_signal_handler(signal.SIGUSR2, log("USR2"))
        world.kill(signal.SIGUSR1, signal.SIGUSR2)
        reactor.run_once()
        reactor.run_once(0)
        assert ours.recv(100) == bytes([signal.SIGUSR1, signal.SIGUSR2])
        assert log == ["USR1", "USR2"]
        reactor.call_soon_threadsafe(list)
        reactor.run()
        with pytest.raises(BlockingIOError):
            ours.recv(100)  # a wakeup that is no signal is not theirs
        reactor.remove_signal_handler(signal.SIGUSR1)
        assert signal.set_wakeup_fd(theirs.fileno()) != theirs.fileno(), "the other handler still needs ours"
        reactor.remove_signal_handler(signal.SIGUSR2)
        assert signal.set_wakeup_fd(-1) == theirs.fileno()


@system_only("the process's wakeup descriptor")
def test_a_previous_wakeup_descriptor_that_is_full_or_gone_does_no_harm(world: World, reactor: Reactor) -> None:
    ours, theirs = socket.socketpair()
    log = Log()
    with ours:
        with theirs:
            theirs.setblocking(False)
            signal.set_wakeup_fd(theirs.fileno())
            reactor.add_signal_handler(signal.SIGUSR1, log("handled"))
        world.kill(signal.SIGUSR1)
        reactor.run_once()
        reactor.run_once(0)
        assert log == ["handled"]
        reactor.close()
        assert signal.set_wakeup_fd(-1) == -1


@system_only("the process's wakeup descriptor")
def test_a_wakeup_descriptor_set_after_ours_stays(reactor: Reactor) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        reactor.add_signal_handler(signal.SIGUSR1, list)
        signal.set_wakeup_fd(theirs.fileno())
        reactor.close()
        assert signal.set_wakeup_fd(-1) == theirs.fileno()


def test_two_reactors_in_one_thread_have_their_own_signals(world: World) -> None:
    log = Log()
    with Reactor(kernel=world.kernel) as one, Reactor(kernel=world.kernel) as two:
        one.add_signal_handler(signal.SIGUSR1, log("one"))
        two.add_signal_handler(signal.SIGUSR2, log("two"))
        world.kill(signal.SIGUSR1, signal.SIGUSR2)
        for reactor in (two, one):
            reactor.run_once()
            reactor.run_once(0)
        assert log == ["two", "one"]
        one.close()
        world.kill(signal.SIGUSR2)
        two.run_once()
        two.run_once(0)
        assert log == ["two", "one", "two"]


def test_of_two_reactors_that_want_one_signal_the_second_has_it_alone(world: World) -> None:
    log = Log()
    with Reactor(kernel=world.kernel) as one, Reactor(kernel=world.kernel) as two:
        one.add_signal_handler(signal.SIGUSR1, log("one"))
        two.add_signal_handler(signal.SIGUSR1, log("two"))
        world.kill(signal.SIGUSR1)
        for reactor in (one, two):
            reactor.run_once(0)
            reactor.run_once(0)
        assert log == ["two"]


def test_two_reactors_that_want_one_signal_do_not_take_it_from_each_other_at_the_end(world: World) -> None:
    log = Log()
    with Reactor(kernel=world.kernel) as one, Reactor(kernel=world.kernel) as two:
        one.add_signal_handler(signal.SIGUSR1, log("one"))
        two.add_signal_handler(signal.SIGUSR1, log("two"))
        two.remove_signal_handler(signal.SIGUSR1)
        world.kill(signal.SIGUSR1)
        one.run_once()
        one.run_once(0)
        assert log == ["one"]


# --- Ctrl-C -------------------------------------------------------------------------------------------------------


def ctrl_c_raises(world: World) -> bool:
    """Whether it raises `KeyboardInterrupt` where it strikes, as it does while no loop runs."""
    try:
        world.kill(signal.SIGINT)
    except KeyboardInterrupt:
        return True
    return False


def test_ctrl_c_in_a_callback_is_held_until_it_has_returned_and_nothing_is_lost(world: World, reactor: Reactor) -> None:
    log = Log()

    def work() -> None:
        world.kill(signal.SIGINT)
        log.append("worked on")

    reactor.call_soon(work)
    reactor.call_soon(log("same tick"))
    reactor.call_soon(lambda: reactor.call_soon(log("next tick")))
    with pytest.raises(KeyboardInterrupt):
        reactor.run()
    assert log == ["worked on", "same tick"]
    reactor.run()
    assert log == ["worked on", "same tick", "next tick"]
    assert ctrl_c_raises(world)


def test_ctrl_c_while_it_waits_is_raised_by_run(world: World, reactor: Reactor) -> None:
    def send() -> None:
        while reactor.phase is not Phase.WAITING:
            pass
        world.kill(signal.SIGINT)

    reactor.call_later(10_000, list)
    sender = world.thread()
    sender.start(send)
    with pytest.raises(KeyboardInterrupt):
        reactor.run()
    sender.join()


def test_ctrl_c_in_a_reactor_that_runs_inside_another_ones_callback_ends_both(world: World) -> None:
    log = Log()
    with Reactor(kernel=world.kernel) as outer, Reactor(kernel=world.kernel) as inner:

        def work() -> None:
            world.kill(signal.SIGINT)
            log.append("worked on")
            inner.call_later(10_000, list)

        inner.call_soon(work)
        outer.call_soon(inner.run)
        outer.call_soon(log("the rest of the outer one"))
        with pytest.raises(KeyboardInterrupt):
            outer.run()
        assert log == ["worked on"]
        assert ctrl_c_raises(world)
        outer.run()
        assert log == ["worked on", "the rest of the outer one"]


def test_a_second_ctrl_c_is_raised_at_once(world: World, reactor: Reactor) -> None:
    log = Log()

    def hang() -> None:
        world.kill(signal.SIGINT)
        log.append("after the first")
        world.kill(signal.SIGINT)
        log.append("after the second")

    reactor.call_soon(hang)
    with pytest.raises(KeyboardInterrupt):
        reactor.run()
    assert log == ["after the first"]
    reactor.call_soon(log("and on"))
    reactor.run()
    assert log == ["after the first", "and on"]


def test_ctrl_c_in_the_last_callback_is_not_lost_as_run_returns(world: World, reactor: Reactor) -> None:
    def last() -> None:
        world.kill(signal.SIGINT)
        reactor.stop()

    reactor.call_soon(last)
    with pytest.raises(KeyboardInterrupt):
        reactor.run()
    reactor.run()


def test_signals_noted_together_with_ctrl_c_are_called_back_when_it_runs_again(world: World, reactor: Reactor) -> None:
    log = Log()
    reactor.add_signal_handler(signal.SIGUSR1, in_turn(log("handled"), reactor.stop))
    reactor.call_soon(world.kill, signal.SIGUSR1, signal.SIGINT)
    reactor.call_later(10_000, list)
    with pytest.raises(KeyboardInterrupt):
        reactor.run()
    reactor.run()
    reactor.close()
    assert log == ["handled"]


def test_a_handler_for_ctrl_c_is_called_instead(world: World, reactor: Reactor) -> None:
    log = Log()
    reactor.add_signal_handler(signal.SIGINT, in_turn(log("handled"), reactor.stop))
    reactor.call_soon(world.kill, signal.SIGINT)
    reactor.call_later(10_000, list)
    reactor.run()
    assert log == ["handled"]
    reactor.remove_signal_handler(signal.SIGINT)
    assert ctrl_c_raises(world)


def test_a_handler_for_ctrl_c_set_inside_run_does_not_outlive_it(world: World, reactor: Reactor) -> None:
    log = Log()

    def begin() -> None:
        reactor.add_signal_handler(signal.SIGINT, in_turn(log("handled"), reactor.stop))
        world.kill(signal.SIGINT)

    reactor.call_soon(begin)
    reactor.call_later(10_000, list)
    reactor.run()
    assert log == ["handled"]
    reactor.close()
    assert ctrl_c_raises(world)


@pytest.mark.parametrize("set_inside", [True, False])
def test_a_handler_for_ctrl_c_removed_inside_run_leaves_ctrl_c_held_until_the_callback_returns(
    world: World, reactor: Reactor, set_inside: bool
) -> None:
    log = Log()

    def end() -> None:
        if set_inside:
            reactor.add_signal_handler(signal.SIGINT, log("handled"))
        reactor.remove_signal_handler(signal.SIGINT)
        world.kill(signal.SIGINT)
        log.append("worked on")

    if not set_inside:
        reactor.add_signal_handler(signal.SIGINT, log("handled"))
    reactor.call_soon(end)
    with pytest.raises(KeyboardInterrupt):
        reactor.run()
    assert log == ["worked on"]


@system_only("the process's handlers")
def test_somebody_elses_ctrl_c_handler_is_left_alone(world: World, reactor: Reactor) -> None:
    log = Log()
    before = signal.signal(signal.SIGINT, log("theirs"))
    try:
        reactor.call_soon(world.kill, signal.SIGINT)
        reactor.run()
        assert log == ["theirs"]
    finally:
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_goes_to_the_main_thread_when_the_loop_is_in_another(world: World, reactor: Reactor) -> None:
    def work() -> None:
        reactor.call_soon(list)
        reactor.run()
        reactor.close()

    world.thread().call(work)
    assert ctrl_c_raises(world)


def run_script(script: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@system_only("a process of its own")
def test_a_program_is_ended_by_ctrl_c_as_any_other() -> None:
    process = run_script("""
        from reactor import Reactor
        with Reactor() as reactor:
            reactor.call_later(10_000, list)
            reactor.call_soon(lambda: print("running", flush=True))
            reactor.run()
    """)
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT
    assert errors.rstrip().endswith("KeyboardInterrupt")
