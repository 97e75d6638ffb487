"""Functions that block, in threads that wait for them, and the way back into the loop.

There are two pools. A name server that does not answer keeps a thread for half a minute; if it were one of those that
the user's functions need, everybody would wait for it. So name resolution has threads of its own, and they are only
made when the first function comes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reactor.kernel import Kernel, Workers

__all__ = ["Job", "Jobs"]


class Job:
    """A function that runs in a thread; its outcome is called back in the loop, unless the job is cancelled."""

    __slots__ = ("_callback", "_cancelled", "_forget", "_hand_over")

    def __init__(
        self,
        callback: Callable[[Any, BaseException | None], object],
        hand_over: Callable[..., object],
        forget: Callable[[Job], object],
    ) -> None:
        """Made by `run_in_executor` and `resolve`.

        `hand_over` calls back in the loop's thread; `forget` is told when there is nothing to wait for any more.
        """
        self._callback: Callable[[Any, BaseException | None], object] | None = callback
        self._cancelled = False
        self._hand_over = hand_over
        self._forget = forget

    def cancel(self) -> None:
        """Do not call back. A function that has begun runs on, unheard: no thread can be stopped from outside."""
        if self._callback is not None:
            self._cancelled = True
            self._callback = None
            self._forget(self)

    def cancelled(self) -> bool:
        """Whether it was cancelled before its outcome was called back."""
        return self._cancelled

    def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """In the worker's thread: call `function`, if anybody still wants to know."""
        return function(*args) if self._callback is not None else None

    def done(self, result: Any, error: BaseException | None) -> None:
        """In the worker's thread: carry the outcome over to the loop's, if anybody still wants to know."""
        if self._callback is not None:
            self._hand_over(self._deliver, result, error)

    def _deliver(self, result: Any, error: BaseException | None) -> None:
        callback, self._callback = self._callback, None
        if callback is not None:
            self._forget(self)
            callback(result, error)


class Jobs:
    """The jobs of one reactor whose outcome has not been called back yet."""

    __slots__ = ("_kernel", "_pending", "_workers")

    def __init__(self, kernel: Kernel) -> None:
        """Start no thread yet."""
        self._kernel = kernel
        self._workers: dict[str, Workers] = {}
        self._pending: set[Job] = set()

    def forget(self, job: Job) -> None:
        """It was cancelled, or its outcome was called back."""
        self._pending.discard(job)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._pending)

    def submit(self, pool: str, job: Job, function: Callable[..., Any], args: tuple[Any, ...]) -> Job:
        """Call `function(*args)` in a thread of `pool`; its outcome is the job's."""
        workers = self._workers.get(pool)
        if workers is None:
            workers = self._workers[pool] = self._kernel.workers(pool)
        workers.submit(job.run, (function, *args), job.done)
        self._pending.add(job)
        return job

    def close(self) -> None:
        """Cancel all, and let the threads end after what they are doing."""
        for workers in self._workers.values():
            workers.close()
        self._workers.clear()
        for job in list(self._pending):
            job.cancel()
