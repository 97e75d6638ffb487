"""Several reactors: in one thread, and one in the background."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from reactor import Protocol, Reactor, connect, listen
from tests.loop.kit import Log
from tests.loop.worlds import World, system_only


def two_reactors(world: World) -> tuple[Reactor, Reactor]:
    return Reactor(kernel=world.kernel), Reactor(kernel=world.kernel)


def test_two_reactors_in_one_thread_take_turns(world: World) -> None:
    log = Log()
    one, two = two_reactors(world)
    with one, two, world.pipe() as (reading, writing):

        def read() -> None:
            log.append(reading.recv(1).decode())
            two.remove_reader(reading)

        one.call_soon(writing.send, b"x")
        one.call_later(0.001, log.append, "timer of one")
        two.add_reader(reading, read)
        while one.alive() or two.alive():
            one.run_once(0.001)
            two.run_once(0.001)
    assert log in (["x", "timer of one"], ["timer of one", "x"])


def test_one_reactor_can_run_inside_a_callback_of_another(world: World) -> None:
    log = Log()
    outer, inner = two_reactors(world)
    with outer, inner:
        inner.call_soon(log("inner"))
        inner.call_later(0.001, outer.call_soon, log("outer, from the inner one"))
        outer.call_soon(inner.run)
        outer.call_soon(log("outer"))
        outer.run()
    assert log == ["inner", "outer", "outer, from the inner one"]


class Echo(Protocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


def test_a_server_and_its_client_can_have_a_reactor_each(world: World) -> None:
    class Client(Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport
            transport.write(b"ping")

        def data_received(self, data: bytes) -> None:
            log.append(data)
            self.transport.close()

    log = Log()
    here, there = two_reactors(world)
    with here, there:
        server = listen(here, Echo, "127.0.0.1:0")
        connect(there, Client, server.addresses[0])
        while there.alive():
            here.run_once(0.001)
            there.run_once(0.001)
    assert log == [b"ping"]


@contextmanager
def in_the_background() -> Iterator[Reactor]:
    reactor = Reactor()

    def work() -> None:
        with reactor:
            keeper = reactor.call_later(10_000, list)
            reactor.run()
            keeper.cancel()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield reactor
    finally:
        reactor.stop()
        thread.join(30)
        assert not thread.is_alive()


@system_only("a loop in a thread of its own")
def test_a_reactor_in_the_background_is_driven_from_the_main_thread() -> None:
    answers: queue.Queue[Any] = queue.Queue()
    with in_the_background() as reactor:
        for n in range(100):
            reactor.call_soon_threadsafe(answers.put, n)
        reactor.call_soon_threadsafe(lambda: answers.put(threading.get_ident()))
        assert [answers.get(timeout=30) for _ in range(100)] == list(range(100))
        assert answers.get(timeout=30) != threading.get_ident()


@system_only("a loop in a thread of its own")
def test_a_server_in_the_background_is_started_and_asked_from_the_main_thread() -> None:
    answers: queue.Queue[Any] = queue.Queue()
    with in_the_background() as reactor:
        reactor.call_soon_threadsafe(lambda: answers.put(listen(reactor, Echo, "127.0.0.1:0")))
        server = answers.get(timeout=30)

        class Client(Protocol):
            def connection_made(self, transport: Any) -> None:
                self.transport = transport
                transport.write(b"hello")

            def data_received(self, data: bytes) -> None:
                answers.put(data)
                self.transport.close()

        with Reactor() as mine:
            connect(mine, Client, server.addresses[0])
            mine.run()
        assert answers.get(timeout=30) == b"hello"
        reactor.call_soon_threadsafe(server.close)


@system_only("a loop in a thread of its own")
def test_each_thread_can_have_its_own() -> None:
    log: queue.Queue[int] = queue.Queue()
    together = threading.Barrier(4)

    def work(number: int) -> None:
        with Reactor() as reactor:
            reactor.call_soon(together.wait)
            reactor.call_later(0.001, log.put, number)
            reactor.run()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(log.get_nowait() for _ in range(4)) == [0, 1, 2, 3]
