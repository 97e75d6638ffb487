from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from reactor import Reactor, SimulationError, listen
from reactor.simulation import Host, Simulation
from reactor.simulation.guard import inside
from tests.simulation.kit import SERVER, Log, connecting

REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "time.sleep": (lambda: time.sleep(0), "call_later"),
    "a socket": (socket.socket, "listen"),
    "a thread": (lambda: threading.Thread(target=int).start(), "run_in_executor"),
    "getaddrinfo": (lambda: socket.getaddrinfo("127.0.0.1", 1), r"Simulation\.name"),
    "gethostbyname": (lambda: socket.gethostbyname("127.0.0.1"), r"Simulation\.name"),
    "gethostbyaddr": (lambda: socket.gethostbyaddr("127.0.0.1"), r"Simulation\.name"),
    "getnameinfo": (lambda: socket.getnameinfo(("127.0.0.1", 1), 0), r"Simulation\.name"),
    "a child": (lambda: subprocess.Popen([sys.executable]), "child processes"),
    "system": (lambda: os.system("true"), "child processes"),
}
if hasattr(os, "fork"):
    REFUSED["fork"] = os.fork, "child processes"
if hasattr(os, "posix_spawn"):
    REFUSED["posix_spawn"] = (lambda: os.posix_spawn(sys.executable, [sys.executable], {}), "child processes")


@pytest.mark.parametrize("name", REFUSED)
def test_a_simulated_program_that_does_it_for_real_is_told_what_to_do_instead(
    sim: Simulation, host: Host, name: str
) -> None:
    function, instead = REFUSED[name]
    host.reactor.call_soon(function)
    with pytest.raises(SimulationError, match=rf"in the simulated program of host 'server': .*{instead}"):
        sim.run_for(1)


def test_it_is_refused_while_a_program_boots(sim: Simulation) -> None:
    with pytest.raises(SimulationError, match="'booting'"):
        sim.host("booting", program=lambda reactor: socket.socket())


def test_it_is_refused_in_a_worker(sim: Simulation, host: Host) -> None:
    outcomes: list[Any] = []
    host.reactor.run_in_executor(lambda *outcome: outcomes.append(outcome), socket.socket)
    sim.run(until=lambda: outcomes)
    assert isinstance(outcomes[0][1], SimulationError)


def test_it_is_refused_while_a_program_is_told_to_end(sim: Simulation, host: Host) -> None:
    class Late(Log):
        def connection_lost(self, exc: BaseException | None) -> None:
            socket.socket()

    listen(host.reactor, Late, f"{SERVER}:9000")
    connecting(sim.hosts["client"], SERVER)
    sim.run_for(1)
    host.reactor.call_soon(host.reactor.stop)
    with pytest.raises(SimulationError, match="'server'"):
        sim.run_for(1)


def test_outside_a_simulated_program_everything_is_allowed(sim: Simulation, host: Host) -> None:
    host.reactor.call_soon(int)
    sim.run_for(1)
    time.sleep(0)
    socket.socket().close()
    sim.call_at(2.0, time.sleep, 0)
    sim.run_for(5)


def test_another_real_thread_may_do_what_it_likes_meanwhile(sim: Simulation, host: Host) -> None:
    begin, done = threading.Event(), threading.Event()
    made: list[socket.socket] = []

    def elsewhere() -> None:
        begin.wait(30)
        made.append(socket.socket())
        done.set()

    def callback() -> None:
        begin.set()
        assert done.wait(30)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    host.reactor.call_soon(callback)
    sim.run_for(1)
    thread.join()
    made.pop().close()


def test_a_program_that_runs_another_one_is_named_again_afterwards() -> None:
    with inside("outer"):
        with inside("inner"), pytest.raises(SimulationError, match="'inner'"):
            socket.socket()
        with pytest.raises(SimulationError, match="'outer'"):
            socket.socket()
    socket.socket().close()


def test_virtual_time_is_what_a_program_gets_instead(sim: Simulation, host: Host) -> None:
    def program(reactor: Reactor) -> None:
        reactor.call_later(3600.0, reactor.stop)

    sim.host("sleeper", program=program)
    sim.run()
    assert sim.time() == 3600.0


def test_in_a_worker_the_advice_is_about_the_job(sim: Simulation, host: Host) -> None:
    outcomes: list[Any] = []
    host.reactor.run_in_executor(lambda *outcome: outcomes.append(outcome), time.sleep, 1)
    sim.run(until=lambda: outcomes)
    error = outcomes[0][1]
    assert isinstance(error, SimulationError)
    assert "give the executor a function that returns at once; Host.blocking_time says" in str(error)
    host.reactor.call_soon(time.sleep, 1)
    with pytest.raises(SimulationError, match=r"use call_later\(\)"):
        sim.run_for(1)


def test_simulations_in_two_threads_know_nothing_of_each_other() -> None:
    turn = threading.Barrier(2, timeout=30)
    problems: list[BaseException] = []

    def simulate(name: str, *, first: bool) -> None:
        try:
            sim = Simulation()
            host = sim.host(name)

            def callback() -> None:
                turn.wait()  # both are inside now
                if not first:
                    turn.wait()  # the first one has left
                with pytest.raises(SimulationError, match=f"'{name}'"):
                    socket.socket()

            host.reactor.call_soon(callback)
            sim.run_for(1)
            socket.socket().close()
            time.sleep(0)
            if first:
                turn.wait()
        except BaseException as error:
            problems.append(error)
            turn.abort()

    threads = [
        threading.Thread(target=simulate, args=("one",), kwargs={"first": True}),
        threading.Thread(target=simulate, args=("two",), kwargs={"first": False}),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert problems == []
    assert not any(thread.is_alive() for thread in threads)


def test_what_stands_in_for_a_real_call_is_put_there_once() -> None:
    with inside("first"):
        found = time.sleep, vars(threading).get("_start_new_thread")
    with inside("second"):
        assert (time.sleep, vars(threading).get("_start_new_thread")) == found
