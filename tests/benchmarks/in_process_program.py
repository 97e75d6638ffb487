"""What the parts of a loop cost that know no sockets: timers, callbacks, hand-overs from another thread.

    python -m tests.benchmarks.in_process_program CONTESTANT MEASUREMENT AMOUNT        prints one line of JSON

The loops of reactor, asyncio and uvloop have the same names for these things, so one program measures all of them, and
everything in it is called from inside the running loop, as in a real program. A measurement is a generator: at each
`yield` it gives the loop back until somebody calls `resume` there, and what it returns are its figures.

Times are CPU time of the whole process, other threads included, if nothing else is said. The callbacks do next to
nothing; what little they do costs everybody the same. The garbage collector is on, as it is in the programs that this
is to say something about, but begins each phase with nothing to do: whose turn it is to pay is no matter of chance.
"""

from __future__ import annotations

import asyncio
import gc
import json
import platform
import random
import sys
import threading
import time
from collections.abc import Callable, Generator
from importlib.metadata import version
from statistics import median, quantiles
from typing import Any, Protocol, TypeAlias

from reactor import Reactor

__all__ = ["BATCHES", "CHAINS", "MEASUREMENTS", "Cancellable", "Loop", "run"]

BATCHES = 4
"""So often as many timers are set and cancelled as are alive. Those who let cancelled ones lie until they outnumber
the others have paid for that within so many."""
FAR = 3_600.0
"""Seconds. What is due then at the earliest is not due in this program."""
NEAR = 0.010
"""Seconds. What is due then at the latest is waited for."""
CHAINS = 100
PERCENT = 100


class Cancellable(Protocol):
    def cancel(self) -> None: ...


class Loop(Protocol):
    """What all three have."""

    def call_soon(self, callback: Callable[..., object], /, *args: Any) -> Cancellable: ...
    def call_soon_threadsafe(self, callback: Callable[..., object], /, *args: Any) -> Cancellable: ...
    def call_later(self, delay: float, callback: Callable[..., object], /, *args: Any) -> Cancellable: ...
    def stop(self) -> None: ...


Resume: TypeAlias = Callable[[], None]
Steps: TypeAlias = Generator[None, None, dict[str, float]]
Measurement: TypeAlias = Callable[[Loop, Resume, int], Steps]


def nothing() -> None:
    """A callback."""


def countdown(count: int, end: Resume) -> Callable[[], None]:
    """A callback that calls `end` when it is called for the last of `count` times."""

    def called() -> None:
        nonlocal count
        count -= 1
        if not count:
            end()

    return called


def start_clock() -> float:
    gc.collect()
    return time.process_time()


def timers(loop: Loop, resume: Resume, amount: int) -> Steps:
    """With `amount` timers alive: seconds to `set` one, to `cancel` it, and to `fire` one.

    Cancelling ends where the next tick has begun, because some loops only take a note of it before.
    """
    chance = random.Random(1)
    alive = [loop.call_later(chance.uniform(FAR, 2 * FAR), nothing) for _ in range(amount)]
    delays = [chance.uniform(FAR, 2 * FAR) for _ in range(amount)]
    setting = cancelling = 0.0
    for _ in range(BATCHES):
        begun = start_clock()
        handles = [loop.call_later(delay, nothing) for delay in delays]
        setting += time.process_time() - begun
        begun = start_clock()
        for handle in handles:
            handle.cancel()
        handles.clear()
        loop.call_soon(resume)
        yield
        cancelling += time.process_time() - begun

    fired = countdown(amount, resume)
    for _ in range(amount):
        loop.call_later(chance.uniform(NEAR / 10, NEAR), fired)
    time.sleep(2 * NEAR)  # all are due now, and none could fire
    begun = start_clock()
    yield
    firing = time.process_time() - begun
    assert len(alive) == amount  # they were, all the time
    return {"set": setting / (BATCHES * amount), "cancel": cancelling / (BATCHES * amount), "fire": firing / amount}


def call_soon(loop: Loop, resume: Resume, amount: int) -> Steps:
    """Seconds for a `callback` of `amount` in a hundred chains, in which each calls the next; and for one in a `tick`.

    A hundred chains are a hundred callbacks in each tick. A tenth of the amount is then called in one chain: every
    callback needs a tick of its own, with the system call that asks for readiness.
    """
    figures = {}
    for key, chains, count in (("callback", CHAINS, amount), ("tick", 1, max(1, amount // 10))):
        chained = min(chains, count)
        left = count

        def link(chained: int = chained) -> None:
            nonlocal left
            left -= 1
            if left >= chained:  # the other chains have a call waiting each
                loop.call_soon(link)
            elif not left:
                resume()

        begun = start_clock()
        for _ in range(chained):
            loop.call_soon(link)
        yield
        figures[key] = (time.process_time() - begun) / count
    return figures


def threadsafe(loop: Loop, resume: Resume, amount: int) -> Steps:
    """Seconds for a `callback` of `amount` that one thread hands over in a burst, its own time included.

    Then one at a time, a twentieth of the amount: wall-clock seconds until it runs (`latency`, the median, and `p99`).
    The thread hands over the next only when that one has run.
    """
    called = countdown(amount, resume)

    def burst() -> None:
        for _ in range(amount):
            loop.call_soon_threadsafe(called)

    thread = threading.Thread(target=burst, daemon=True)
    begun = start_clock()
    thread.start()
    yield
    cpu = time.process_time() - begun
    thread.join()

    latencies: list[float] = []
    has_run = threading.Semaphore(0)

    def arrived(begun: float) -> None:
        latencies.append(time.perf_counter() - begun)
        has_run.release()

    def one_by_one() -> None:
        for _ in range(max(2, amount // 20)):
            loop.call_soon_threadsafe(arrived, time.perf_counter())
            has_run.acquire()
        loop.call_soon_threadsafe(resume)

    thread = threading.Thread(target=one_by_one, daemon=True)
    thread.start()
    yield
    thread.join()
    p99 = quantiles(latencies, n=PERCENT, method="inclusive")[-1]
    return {"callback": cpu / amount, "latency": median(latencies), "p99": p99}


MEASUREMENTS: dict[str, Measurement] = {"timers": timers, "call_soon": call_soon, "threadsafe": threadsafe}


def run(loop: Loop, run_loop: Callable[[], object], measurement: Measurement, amount: int) -> dict[str, float]:
    """Run `measurement` in `loop` and return its figures. What goes wrong in it is raised here, not in the loop."""
    figures: dict[str, float] = {}
    errors: list[BaseException] = []

    def resume() -> None:
        try:
            next(steps)
        except StopIteration as end:
            figures.update(end.value)
            loop.stop()
        except BaseException as error:
            errors.append(error)
            loop.stop()

    steps = measurement(loop, resume, amount)
    loop.call_soon(resume)
    loop.call_later(FAR, nothing)  # a loop with something to wait for does not end by itself
    run_loop()
    if errors:
        raise errors[0]
    return figures


def open_loop(contestant: str) -> tuple[Loop, Callable[[], object], dict[str, str]]:
    """The loop of `contestant`, how to run it, and the version of its library. Raises `ModuleNotFoundError`."""
    if contestant == "reactor":
        reactor = Reactor()
        return reactor, reactor.run, {}
    if contestant == "uvloop":
        import uvloop  # noqa: PLC0415 -- most people who run this for the others do not have it

        loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        return loop, loop.run_forever, {"uvloop": version("uvloop")}
    loop = asyncio.new_event_loop()
    return loop, loop.run_forever, {}


def main() -> None:
    contestant, measurement, amount = sys.argv[1:]
    try:
        loop, run_loop, versions = open_loop(contestant)
    except ModuleNotFoundError as error:
        print(json.dumps({"missing": f"{error.name} is not installed"}), flush=True)
        return
    figures = run(loop, run_loop, MEASUREMENTS[measurement], int(amount))
    versions["Python"] = platform.python_version()
    print(json.dumps({"figures": figures, "versions": versions}), flush=True)


if __name__ == "__main__":
    main()
