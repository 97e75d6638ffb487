from __future__ import annotations

import errno
import signal

import pytest

from reactor import OptionError, Reactor
from reactor.simulation import Host, Simulation
from reactor.simulation.descriptors import OpenFile
from reactor.simulation.signals import SimulatedWakeup
from tests.simulation.kit import READ, raises, tcp

SIGINT, SIGTERM, SIGUSR1 = signal.SIGINT, signal.SIGTERM, signal.SIGUSR1


# --- Being woken ----------------------------------------------------------------------------------------------------


def test_a_wakeup_is_readable_from_wake_to_drain(host: Host) -> None:
    wakeup = host.kernel.wakeup()
    assert wakeup.readiness() == 0
    wakeup.wake()
    wakeup.wake()
    assert (wakeup.readiness(), wakeup.drain(), wakeup.readiness()) == (READ, b"\0", 0)
    wakeup.close()
    wakeup.wake()
    assert wakeup.drain() == b""


def test_the_numbers_of_signals_come_out_of_the_wakeup(host: Host) -> None:
    wakeup = host.kernel.wakeup()
    signals = host.kernel.signals(wakeup)
    signals.add(SIGUSR1)
    host.signal(SIGUSR1)
    assert wakeup.drain() == bytes([SIGUSR1])
    assert signals.take(b"") == [SIGUSR1]
    assert signals.take(b"") == []


def test_the_other_end_of_a_wakeup_is_never_ready(host: Host) -> None:
    wakeup = host.kernel.wakeup()
    (writer,) = (file for file in host.kernel.process.files.values() if file is not wakeup)
    with host.kernel.selector() as selector:
        assert isinstance(writer, OpenFile)
        selector.register(writer.fileno(), READ)
        wakeup.wake()
        assert selector.select(0) == []
    writer.close()
    writer.close()
    assert isinstance(wakeup, SimulatedWakeup)


def test_a_wakeup_for_which_there_is_but_one_descriptor_takes_none(host: Host) -> None:
    host.descriptor_limit = 3
    socks = [tcp(host), tcp(host)]
    with raises(errno.EMFILE):
        host.kernel.wakeup()
    assert host.open_descriptors == [sock.fileno() for sock in socks]


# --- Signals --------------------------------------------------------------------------------------------------------


def test_a_handler_is_called_in_the_loop_at_the_time_of_the_signal(sim: Simulation, host: Host) -> None:
    heard: list[tuple[float, str]] = []
    host.reactor.add_signal_handler(SIGTERM, lambda: heard.append((sim.time(), "TERM")))
    host.reactor.add_signal_handler(SIGUSR1, lambda: heard.append((sim.time(), "USR1")))
    sim.call_at(2.0, host.signal, SIGUSR1)
    sim.call_at(3.0, host.signal, SIGTERM)
    sim.run_for(10)
    assert heard == [(2.0, "USR1"), (3.0, "TERM")]


@pytest.mark.parametrize("signum", [SIGTERM, SIGUSR1, signal.SIGKILL])
def test_without_a_handler_a_signal_kills(sim: Simulation, host: Host, signum: int) -> None:
    host.reactor.add_signal_handler(SIGTERM, int)
    host.reactor.remove_signal_handler(SIGTERM)
    kernel = host.kernel
    host.signal(signum)
    assert kernel.process.ended == "the program of host 'server' was killed at 0.000000 s"
    assert host.up


@pytest.mark.parametrize("signum", [signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH])
def test_some_signals_are_ignored_without_a_handler(host: Host, signum: int) -> None:
    host.signal(signum)
    assert host.kernel.process.up


def test_ctrl_c_ends_a_driven_program_in_order(sim: Simulation, host: Host) -> None:
    kernel = host.kernel
    host.reactor.call_later(99.0, int)
    sim.run_for(1)
    host.signal(SIGINT)
    assert kernel.process.ended == "the program of host 'server' was interrupted at 1.000000 s"
    assert kernel.process.files == {}


def test_ctrl_c_in_a_callback_lets_the_callback_come_to_its_end(sim: Simulation, host: Host) -> None:
    log: list[str] = []

    def callback() -> None:
        host.signal(SIGINT)
        log.append("went on")

    kernel = host.kernel
    host.reactor.call_soon(callback)
    sim.run_for(1)
    assert log == ["went on"]
    assert not kernel.process.up


def test_a_handler_for_ctrl_c_takes_it_from_the_program(sim: Simulation, host: Host) -> None:
    heard: list[str] = []
    host.reactor.add_signal_handler(SIGINT, heard.append, "INT")
    host.signal(SIGINT)
    sim.run_for(1)
    assert heard == ["INT"]
    assert host.kernel.process.up


def test_ctrl_c_strikes_whoever_runs_a_reactor_by_hand(sim: Simulation, host: Host) -> None:
    with pytest.raises(KeyboardInterrupt):
        host.signal(SIGINT)
    with Reactor(kernel=host.kernel) as by_hand:
        sim.call_at(1.0, host.signal, SIGINT)
        by_hand.call_later(5.0, int)
        with pytest.raises(KeyboardInterrupt):
            by_hand.run()
    assert sim.time() == 1.0


def test_a_second_ctrl_c_does_not_wait(host: Host) -> None:
    log: list[str] = []

    def callback() -> None:
        host.signal(SIGINT)
        log.append("held back")
        host.signal(SIGINT)
        log.append("too far")

    with Reactor(kernel=host.kernel) as by_hand:
        by_hand.call_soon(callback)
        with pytest.raises(KeyboardInterrupt):
            by_hand.run()
    assert log == ["held back"]


def test_a_ctrl_c_in_the_last_callback_is_raised_when_the_loop_ends(host: Host) -> None:
    log: list[str] = []

    def last() -> None:
        by_hand.stop()
        host.signal(SIGINT)
        log.append("went on")

    with Reactor(kernel=host.kernel) as by_hand:
        by_hand.call_soon(last)
        with pytest.raises(KeyboardInterrupt):
            by_hand.run()
    assert log == ["went on"]


def test_of_two_loops_one_inside_the_other_the_inner_one_gets_ctrl_c(host: Host) -> None:
    log: list[str] = []

    def callback() -> None:
        host.signal(SIGINT)
        log.append("held back")

    with Reactor(kernel=host.kernel) as outer, Reactor(kernel=host.kernel) as inner:
        inner.call_soon(callback)

        def run_inner() -> None:
            with pytest.raises(KeyboardInterrupt):
                inner.run()
            log.append("outer goes on")

        outer.call_soon(run_inner)
        outer.run()
    assert log == ["held back", "outer goes on"]


def test_a_loop_whose_program_handles_ctrl_c_leaves_it_to_the_handler(host: Host) -> None:
    heard: list[str] = []
    with Reactor(kernel=host.kernel) as by_hand:
        for what in ("first", "second"):
            by_hand.add_signal_handler(SIGINT, heard.append, what)
        by_hand.call_soon(host.signal, SIGINT)
        by_hand.call_later(1.0, int)
        by_hand.run()
        with Reactor(kernel=host.kernel) as other:
            other.call_soon(host.signal, SIGINT)
            other.run()
        by_hand.run_once(0)
    assert heard == ["second", "second"]


def test_ctrl_c_is_held_back_in_a_loop_while_another_one_handles_another_signal(host: Host) -> None:
    log: list[str] = []

    def callback() -> None:
        host.signal(SIGINT)
        log.append("held back")

    with Reactor(kernel=host.kernel) as one, Reactor(kernel=host.kernel) as other:
        one.add_signal_handler(SIGUSR1, int)
        other.call_soon(callback)
        with pytest.raises(KeyboardInterrupt):
            other.run()
    assert log == ["held back"]


def test_a_handler_that_is_removed_in_the_loop_leaves_ctrl_c_held_back(host: Host) -> None:
    log: list[str] = []

    def callback() -> None:
        by_hand.add_signal_handler(SIGINT, log.append, "handled")
        by_hand.remove_signal_handler(SIGINT)
        host.signal(SIGINT)
        log.append("went on")

    with Reactor(kernel=host.kernel) as by_hand:
        by_hand.call_soon(callback)
        by_hand.call_later(9.0, int)
        with pytest.raises(KeyboardInterrupt):
            by_hand.run()
    assert log == ["went on"]


def test_to_release_what_was_not_held_back_does_nothing(host: Host) -> None:
    host.kernel.signals(host.kernel.wakeup()).release_interrupt()


def test_who_asked_last_gets_a_signal_alone(host: Host) -> None:
    heard: list[str] = []
    with Reactor(kernel=host.kernel) as one, Reactor(kernel=host.kernel) as other:
        one.add_signal_handler(SIGUSR1, heard.append, "one")
        other.add_signal_handler(SIGUSR1, heard.append, "other")
        for _ in range(2):
            host.signal(SIGUSR1)
            one.run_once(0)
            other.run_once(0)
            other.remove_signal_handler(SIGUSR1)
    assert heard == ["other", "one"]


def test_a_held_back_ctrl_c_leaves_noted_signals_to_the_next_look(host: Host) -> None:
    heard: list[str] = []

    def callback() -> None:
        host.signal(SIGUSR1)
        host.signal(SIGINT)

    with Reactor(kernel=host.kernel) as by_hand:
        by_hand.add_signal_handler(SIGUSR1, heard.append, "USR1")
        by_hand.call_soon(callback)
        by_hand.call_later(9.0, int)
        with pytest.raises(KeyboardInterrupt):
            by_hand.run()
        by_hand.run_once(0)
        by_hand.run_once(0)
    assert heard == ["USR1"]


@pytest.mark.parametrize("signum", [0, -1, 65, 9, 19])
def test_what_is_no_signal_or_cannot_be_caught_cannot_be_handled(host: Host, signum: int) -> None:
    with pytest.raises(OptionError, match=f"signal {signum}"):
        host.reactor.add_signal_handler(signum, int)


@pytest.mark.parametrize("signum", [0, -1, 65])
def test_what_is_no_signal_cannot_be_sent(host: Host, signum: int) -> None:
    with pytest.raises(OptionError, match=f"signal {signum}"):
        host.signal(signum)
