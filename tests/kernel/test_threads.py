from __future__ import annotations

import gc
import os
import queue
import threading
import weakref
from typing import Any

import pytest

from reactor.kernel.threads import ThreadWorkers


class Outcomes:
    """What `done` was told; `next()` waits for it."""

    def __init__(self) -> None:
        self._queue: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue()

    def done(self, result: Any, error: BaseException | None) -> None:
        self._queue.put((result, error))

    def next(self) -> tuple[Any, BaseException | None]:
        return self._queue.get(timeout=30)

    def empty(self) -> bool:
        return self._queue.empty()


def test_a_result_and_an_error_are_told_in_the_workers_thread() -> None:
    workers, outcomes = ThreadWorkers("test", 1), Outcomes()
    workers.submit(divmod, (7, 3), outcomes.done)
    assert outcomes.next() == ((2, 1), None)
    workers.submit(divmod, (7, 0), outcomes.done)
    result, error = outcomes.next()
    assert result is None
    assert type(error) is ZeroDivisionError
    workers.submit(threading.get_ident, (), outcomes.done)
    assert outcomes.next()[0] != threading.get_ident()
    workers.close()


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_an_exit_belongs_to_the_one_who_asked_and_the_thread_goes_on(error: type[BaseException]) -> None:
    workers, outcomes = ThreadWorkers("test", 1), Outcomes()

    def leave() -> None:
        raise error

    workers.submit(leave, (), outcomes.done)
    assert type(outcomes.next()[1]) is error
    workers.submit(int, (), outcomes.done)
    assert outcomes.next() == (0, None)
    workers.close()


def test_there_are_never_more_threads_than_the_limit() -> None:
    workers, outcomes = ThreadWorkers("bounded", 3), Outcomes()
    go = threading.Event()
    for _ in range(20):
        workers.submit(go.wait, (), outcomes.done)
    names = [thread.name for thread in threading.enumerate() if thread.name.startswith("bounded-")]
    assert sorted(names) == ["bounded-1", "bounded-2", "bounded-3"]
    go.set()
    assert [outcomes.next() for _ in range(20)] == [(True, None)] * 20
    workers.close()


def test_as_many_can_block_at_once_as_the_limit_says() -> None:
    workers, outcomes = ThreadWorkers("test", 4), Outcomes()
    together = threading.Barrier(4)
    for _ in range(4):
        workers.submit(together.wait, (30,), outcomes.done)
    assert sorted(outcomes.next()[0] for _ in range(4)) == [0, 1, 2, 3]
    workers.close()


def test_an_idle_thread_is_used_again() -> None:
    workers, outcomes = ThreadWorkers("test", 8), Outcomes()
    idents = set()
    for _ in range(20):
        workers.submit(threading.get_ident, (), outcomes.done)
        idents.add(outcomes.next()[0])
        while workers._idle == 0:
            pass  # it has answered, and is on its way back to the queue
    assert len(idents) == 1
    workers.close()


def test_the_default_limit_grows_with_the_processors_and_is_bounded() -> None:
    assert ThreadWorkers("test")._limit == min(32, (os.cpu_count() or 1) + 4)


def test_close_drops_what_waits_and_lets_the_threads_end() -> None:
    workers, outcomes = ThreadWorkers("closing", 1), Outcomes()
    started, go = threading.Event(), threading.Event()

    def work() -> threading.Thread:
        started.set()
        go.wait()
        return threading.current_thread()

    workers.submit(work, (), outcomes.done)
    workers.submit(int, (), outcomes.done)
    started.wait()
    workers.close()
    workers.submit(int, (), outcomes.done)
    go.set()
    thread, _ = outcomes.next()
    thread.join()
    assert outcomes.empty()


def test_an_idle_thread_keeps_nothing_alive() -> None:
    class Load:
        def work(self, other: Load) -> Load:
            return self

        def done(self, result: Load, error: BaseException | None) -> None:
            finished.set()

    workers, finished = ThreadWorkers("test", 1), threading.Event()
    gc.disable()
    try:
        load = Load()
        reference = weakref.ref(load)
        workers.submit(load.work, (load,), load.done)
        finished.wait()
        del load
        while workers._idle == 0:
            pass
        assert reference() is None
    finally:
        gc.enable()
        workers.close()


def test_a_thread_does_not_keep_a_finished_program_from_ending() -> None:
    workers, outcomes = ThreadWorkers("test", 1), Outcomes()
    workers.submit(threading.current_thread, (), outcomes.done)
    assert outcomes.next()[0].daemon
    workers.close()


def test_when_no_thread_can_be_started_the_caller_is_told_and_nothing_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_more_threads(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    workers, outcomes = ThreadWorkers("test", 2), Outcomes()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_more_threads)
        workers.submit(int, ("7",), outcomes.done)
    result, error = outcomes.next()
    assert result is None
    assert "can't start" in str(error)
    workers.submit(int, ("8",), outcomes.done)
    assert outcomes.next() == (8, None)
    workers.close()
    assert outcomes.empty()


def test_when_no_further_thread_can_be_started_the_others_do_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_more_threads(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    workers, outcomes = ThreadWorkers("test", 2), Outcomes()
    go = threading.Event()
    workers.submit(go.wait, (), outcomes.done)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_more_threads)
        workers.submit(int, ("7",), outcomes.done)
    go.set()
    assert [outcomes.next() for _ in range(2)] == [(True, None), (7, None)]
    workers.close()
