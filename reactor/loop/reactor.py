"""The reactor: one thread, one selector, every descriptor, every deadline.

A program that serves many peers has nothing to do most of the time, and then something for one of them. The kernel
can say for all descriptors at once which of them would not block just now; so one thread waits for that answer, does
the little there is to do for each, and waits again. One such round is a *tick*. Its order is a contract:

    1. timeout    0 if something is ready to be called, else until the next deadline, else without end
    2. wait       in the selector
    3. clock      read once; `now` is the time of this tick
    4. readiness  each event, looked at again just before it is dispatched
    5. timers     those that are due, by deadline, ties in the order they were set
    6. callbacks  those that were ready when this step began; newcomers wait for the next tick
    7. output     what was written in this tick and has not left yet leaves

Steps 4 to 7 are the *agenda*, a generator: what to call next is decided only after the previous callback returned, so
each decision sees the world as it is. All callbacks are called in one place, `_call_out`.

A reactor belongs to one thread: the first that runs it. Everything but `call_soon_threadsafe`, `stop` and `wait` is
for that thread alone, and says so when it is called from another one. There is no lock in here.

The loop can also live inside another loop. `wait` and `dispatch` are the two halves of a tick, `fileno` and
`next_deadline` say when a tick is due, and `set_deadline_hook` tells a sleeping host that it is due earlier.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Hashable, Sequence
from functools import partial
from math import isnan
from types import TracebackType
from typing import Any, Protocol, TypeAlias, TypeVarTuple

from reactor.errors import ClosedError, OptionError
from reactor.kernel import AddressInfo, Kernel, SystemKernel
from reactor.loop.defaults import current_defaults
from reactor.loop.handles import Call, Handle, bind, unbound
from reactor.loop.interfaces import Agenda, Instruments, Resource
from reactor.loop.jobs import Job, Jobs
from reactor.loop.ownership import Ownership, Phase
from reactor.loop.readiness import READ, WRITE, Events, Readiness
from reactor.loop.repeating import Missed, RepeatingTimer
from reactor.loop.reports import report
from reactor.loop.signal_handlers import SignalHandlers
from reactor.loop.timers import TimerHandle, TimerQueue

__all__ = ["Reactor"]

Args = TypeVarTuple("Args")

_LONGEST_WAIT = 86_400.0
"""Seconds. Selectors pass the timeout on as an int of milliseconds, which ends at 24 days."""

# Named here because they are looked up for each tick: through their class that takes 15 ns more, 50 ns on 3.11.
_IDLE, _WAITING, _DISPATCHING = Phase.IDLE, Phase.WAITING, Phase.DISPATCHING



class _HasFileno(Protocol):
    def fileno(self) -> int: ...


Descriptor: TypeAlias = int | _HasFileno
ExceptionHandler: TypeAlias = Callable[["Reactor", dict[str, Any]], object]


class Reactor:
    """An event loop. Any number of them may exist, in any thread.

    `kernel` is what it runs on, by default the operating system (`SystemKernel`). `instruments` is told what happens
    inside. What is left out comes from `reactor.defaults`.
    """

    def __init__(self, *, kernel: Kernel | None = None, instruments: Instruments | None = None) -> None:
        """Open a selector and a wakeup: three descriptors. Raises `OSError` when there are none left."""
        default_kernel, default_instruments = current_defaults()
        self.kernel = kernel or default_kernel or SystemKernel()
        self.instruments = default_instruments if instruments is None else instruments
        self.now = self.kernel.time()
        """The time of this tick, in seconds of the reactor's clock."""
        self.shared: dict[Hashable, Any] = {}
        """What the layers above keep once per reactor."""
        self._wakeup = self.kernel.wakeup()
        try:
            self._selector = self.kernel.selector()
        except OSError:
            self._wakeup.close()
            raise
        self._readiness = Readiness(self._selector)
        self._readiness.set_reader(self._wakeup.fileno(), self._woken)
        self._timers = TimerQueue()
        self._ready: deque[Handle] = deque()
        self._tick_end: deque[Callable[[], object]] = deque()
        self._resources: dict[Resource, None] = {}
        self._jobs = Jobs(self.kernel)
        self._signals = SignalHandlers(self.kernel, self._wakeup)
        self._exception_handler: ExceptionHandler | None = None
        self._deadline_hook: Callable[[float], object] | None = None
        self._announced: float | None = None  # the deadline that the host was told last
        self._stopping = False
        self._outdated = False  # a wait is under way with an interest that has changed since
        self.time: Callable[[], float] = self.kernel.time
        """The clock, in seconds: monotonic, and unrelated to the time of day."""
        self._ownership = Ownership(self.kernel.thread_id)
        self.check = self._ownership.check
        """Refuse (raise a `MisuseError`) anybody but the owning thread."""
        self._batch: Generator[Call] | None = None  # the agenda under way
        self.kernel.after_fork(self._forked)

    # --- Scheduling ---------------------------------------------------------------------------------------------

    def call_soon(self, callback: Callable[[*Args], object], *args: *Args) -> Handle:
        """Call `callback(*args)` in the next tick (or in this one's step 6, if that has not begun)."""
        self.check()
        handle = Handle(callback, args)
        self._ready.append(handle)
        if self._ownership.phase is not _DISPATCHING:
            self._due_earlier(self.time())
        return handle

    def call_soon_threadsafe(self, callback: Callable[[*Args], object], *args: *Args) -> Handle:
        """As `call_soon`, from any thread or signal handler; wakes the loop if it sleeps."""
        self._ownership.check_usable()
        return self.hand_over(callback, *args)

    def call_later(
        self, delay: float, callback: Callable[[*Args], object], *args: *Args
    ) -> TimerHandle:
        """Call `callback(*args)` after `delay` seconds: never earlier, and as soon after as the loop is free."""
        return self.call_at(self.time() + delay, callback, *args)

    def call_at(self, when: float, callback: Callable[[*Args], object], *args: *Args) -> TimerHandle:
        """Call `callback(*args)` when `time()` has reached `when`. Raises `OptionError` if that is not a number."""
        self.check()
        if isnan(when):
            raise OptionError("a timer cannot be due at nan seconds")
        handle = self._timers.push(when, callback, args)
        if self._ownership.phase is not _DISPATCHING:
            self._due_earlier(when)
        return handle

    def call_every(
        self,
        interval: float,
        callback: Callable[[*Args], object],
        *args: *Args,
        missed: Missed | str = Missed.SKIP,
    ) -> RepeatingTimer:
        """Call `callback(*args)` every `interval` seconds, first after one, without drift.

        `missed` says what becomes of beats that pass while the loop is busy: see `Missed`. Raises `OptionError` if
        `interval` is not positive.
        """
        if not 0 < interval < float("inf"):
            raise OptionError(f"a repeating timer needs a positive interval in seconds, not {interval!r}")
        return RepeatingTimer(self.time, self.call_at, interval, callback, args, Missed(missed))

    def call_at_tick_end(self, callback: Callable[[], object]) -> None:
        """Call `callback` in step 7 of this tick: for output that was gathered."""
        self.check()
        self._tick_end.append(callback)

    # --- Readiness ----------------------------------------------------------------------------------------------

    def add_reader(
        self, fd: Descriptor, callback: Callable[[*Args], object], *args: *Args
    ) -> None:
        """Call `callback(*args)` whenever `fd` is readable, instead of what was called before.

        Any descriptor that the selector takes will do. It is not changed: whether it is non-blocking is its owner's
        business. Raises `OptionError` for a regular file, which epoll refuses, or what is no descriptor at all.
        """
        self.check()
        self._readiness.set_reader(_fileno(fd), bind(callback, args))
        self._interest_changed()

    def add_writer(
        self, fd: Descriptor, callback: Callable[[*Args], object], *args: *Args
    ) -> None:
        """Call `callback(*args)` whenever `fd` is writable; otherwise as `add_reader`."""
        self.check()
        self._readiness.set_writer(_fileno(fd), bind(callback, args))
        self._interest_changed()

    def remove_reader(self, fd: Descriptor) -> bool:
        """Watch `fd` no longer for reading; whether it was watched."""
        self.check()
        removed = self._readiness.set_reader(_fileno(fd), None)
        self._interest_changed()
        return removed

    def remove_writer(self, fd: Descriptor) -> bool:
        """Watch `fd` no longer for writing; whether it was watched."""
        self.check()
        removed = self._readiness.set_writer(_fileno(fd), None)
        self._interest_changed()
        return removed

    # --- Running ------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Tick until `stop()` is called, or until nothing registered, scheduled or submitted remains.

        In the main thread, Ctrl-C is held back until the running callback has returned and is then raised here as
        `KeyboardInterrupt`; a second one raises at once.
        """
        self._ownership.enter()
        guarded = self._signals.guard_interrupt()
        try:
            while not self._stopping and self.alive():
                self._tick(None)
        finally:
            self._stopping = False
            if guarded:
                self._signals.release_interrupt()

    def run_once(self, timeout: float | None = None) -> None:
        """One tick. Waits until something is ready or due, but no longer than `timeout` seconds (`None`: no limit).

        Signals are the caller's: Ctrl-C raises wherever it strikes, as everywhere in Python. Only `run` holds it back.
        `stop()` ends no more than this tick: a loop that calls `run_once` has a condition of its own.
        """
        self._ownership.enter()
        self._tick(timeout)
        self._stopping = False  # there is nothing to be stopped but this tick

    def stop(self) -> None:
        """Let `run()` return at the end of this tick; if none is under way, let the next one return at once.

        From any thread. A host that calls `dispatch` has no `run` to be stopped: it stops calling.
        """
        if self._ownership.phase is Phase.FORKED:
            self._ownership.refuse()  # the wakeup is the parent's as well
        self._stopping = True
        self._wakeup.wake()

    @property
    def stopping(self) -> bool:
        """Whether `stop()` was called and no `run()` has returned because of it yet: for hosts that call `dispatch`."""
        return self._stopping

    def alive(self) -> bool:
        """Whether anything registered, scheduled or submitted remains: what `run()` waits for."""
        return bool(
            self._ready
            or self._resources
            or self._timers
            or self._jobs
            or len(self._readiness) > 1  # the wakeup does not count
            or self._tick_end
        )

    def close(self) -> None:
        """End everything that is left, give up the descriptors. Calling it twice is harmless.

        Connections are aborted and told so; servers stop listening; timers, callbacks and jobs are dropped. In a
        forked child nothing is told to anybody: the descriptors are closed, and the parent does not notice.
        """
        if self._ownership.phase is Phase.CLOSED:
            return
        if self._ownership.phase is Phase.FORKED:
            for resource in list(self._resources):
                resource.disown()
        else:
            self._ownership.enter()
            self._ownership.phase = Phase.CLOSING
            try:
                self._shut()
            except BaseException:  # Ctrl-C in a last callback: close() again goes on with those that are left
                self._ownership.phase = _IDLE
                raise
        self._ownership.close()
        self._timers.clear()
        self._readiness.clear()
        for queue in (self._ready, self._tick_end, self._resources, self.shared):
            queue.clear()
        self._deadline_hook = self._exception_handler = None
        self._selector.close()  # not one by one: epoll_ctl(2) in a forked child would edit the parent's set
        self._wakeup.close()

    def __enter__(self) -> Reactor:
        """For `with Reactor() as reactor:`, which closes it at the end."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    # --- Inside another loop --------------------------------------------------------------------------------------

    def fileno(self) -> int:
        """A descriptor that is readable whenever a tick has something to do; its host watches it.

        It stays readable until that tick: a host whose callbacks may run the host's loop inside themselves (as Tk's
        `update()` and dialogs do) has to stop watching it for the time of a tick.

        Raises `OptionError` where the selector has none (poll, select); use `wait` in a thread there.
        """
        self.check()
        fileno = getattr(self._selector, "fileno", None)
        if fileno is None:
            raise OptionError(f"{type(self._selector).__name__} has no descriptor of its own: wait() in a thread")
        return int(fileno())

    def next_deadline(self) -> float | None:
        """When the next tick is due at the latest, in seconds of `time()`; `None`: only when something is ready."""
        self.check()
        self._announced = self.time() if self._has_ready() else self._timers.next_deadline()
        return self._announced

    def set_deadline_hook(self, hook: Callable[[float], object] | None) -> None:
        """Call `hook(when)` when something outside a tick makes the next one due earlier than `next_deadline` said."""
        self.check()
        self._deadline_hook = hook

    def wait(self, timeout: float | None = None) -> Events:
        """The waiting half of a tick: what is ready within `timeout` seconds (`None`: without end), for `dispatch`.

        May be called in a helper thread; it touches nothing but the selector. What the owning thread does meanwhile
        (interest, callbacks, timers) ends the wait if the wait would not notice otherwise.
        """
        ownership = self._ownership
        before = ownership.phase
        if before is not _IDLE and before is not Phase.NEW:
            ownership.refuse_anybody()
        if timeout is not None and timeout > _LONGEST_WAIT:
            timeout = _LONGEST_WAIT
        ownership.phase = _WAITING
        try:
            return self._selector.select(timeout)
        except OSError:
            if not self._outdated:
                raise
            return []  # select(2) in a helper thread got a descriptor that was forgotten and closed in this moment
        finally:
            self._outdated = False
            if ownership.phase is _WAITING:
                ownership.phase = before

    def dispatch(self, events: Events | None = None) -> None:
        """The calling half of a tick: steps 3 to 7, with what `wait` returned."""
        self._ownership.enter()
        self._ownership.phase = _DISPATCHING
        try:
            self.now = self.time()
            self._batch = self._agenda(events or [])
            self._call_out(self._batch)
        finally:
            self._batch = None
            if self._ownership.phase is _DISPATCHING:  # neither forked meanwhile nor, in the fork, closed
                self._ownership.phase = _IDLE

    # --- Threads and signals --------------------------------------------------------------------------------------

    def run_in_executor(
        self,
        callback: Callable[[Any, BaseException | None], object],
        function: Callable[[*Args], Any],
        *args: *Args,
    ) -> Job:
        """Call `function(*args)` in a thread, then `callback(result, error)` here; `error` is `None` on success."""
        self.check()
        job = Job(callback, self.hand_over, self._jobs.forget)
        return self._jobs.submit("executor", job, function, args)

    def resolve(
        self, callback: Callable[[Sequence[AddressInfo], BaseException | None], object], host: str, port: int
    ) -> Job:
        """Resolve a host name, in threads that do nothing else, then `callback(addresses, error)` here."""
        self.check()
        job = Job(callback, self.hand_over, self._jobs.forget)
        return self._jobs.submit("resolver", job, self.kernel.getaddrinfo, (host, port))

    def add_signal_handler(
        self, signum: int, callback: Callable[[*Args], object], *args: *Args
    ) -> None:
        """Call `callback(*args)` in the loop when the process gets `signum`, instead of what was done about it.

        Does not keep `run()` running. Raises `MisuseError` outside the main thread, `OptionError` for a signal that
        cannot be caught.
        """
        self.check()
        self._signals.add(signum, bind(callback, args))

    def remove_signal_handler(self, signum: int) -> bool:
        """Handle `signum` as before; whether there was a handler."""
        self.check()
        return self._signals.remove(signum)

    # --- Errors ---------------------------------------------------------------------------------------------------

    def set_exception_handler(self, handler: ExceptionHandler | None) -> None:
        """Report errors of callbacks to `handler(reactor, context)`; `None`: to the log `"reactor"`.

        `context` has `"message"`, mostly `"exception"`, and what helps to find the place: `"callback"`, `"source"`.
        `"handled"` is true for a shortage that the library deals with by itself: nothing is wrong in the program.
        """
        self.check()
        self._exception_handler = handler

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Report an error. Never raises."""
        handler = self._exception_handler
        report(None if handler is None else partial(handler, self), context)

    def observe(self, what: str, *args: Any) -> None:
        """Tell the instruments. Those that raise are taken away, and that is reported."""
        if self.instruments is not None:
            try:
                getattr(self.instruments, what)(*args)
            except Exception as exc:
                self.instruments = None
                self.call_exception_handler({"message": f"instruments raised in {what}()", "exception": exc})

    # --- For the layers above -------------------------------------------------------------------------------------

    @property
    def phase(self) -> Phase:
        """What the reactor is doing."""
        return self._ownership.phase

    def attach(self, resource: Resource) -> None:
        """Keep running for `resource`, and end it in `close()`. Raises `ClosedError` when that is under way."""
        self.check()
        if self._ownership.phase is Phase.CLOSING:
            raise ClosedError("this reactor is being closed: what begins now would never be ended")
        self._resources[resource] = None

    def detach(self, resource: Resource) -> None:
        """`resource` has ended."""
        self._resources.pop(resource, None)

    def forget(self, fd: int) -> None:
        """Withdraw all interest in `fd`: to be called before it is closed."""
        self.check()
        self._readiness.forget(fd)
        self._interest_changed()

    def hand_over(self, callback: Callable[..., object], *args: Any) -> Handle:
        """As `call_soon_threadsafe`, but after the end it does nothing: for what threads finish late."""
        handle = Handle(callback, args)
        self._ready.append(handle)
        self._wakeup.wake()
        return handle

    def describe(self) -> dict[str, Any]:
        """How the reactor stands: its phase, and how much of what is waiting."""
        return {
            "kind": "reactor",
            "phase": self._ownership.phase.value,
            "descriptors": len(self._readiness),
            "timers": len(self._timers),
            "ready": len(self._ready),
            "jobs": len(self._jobs),
            "resources": [resource.describe() for resource in self._resources],
        }

    # --- The tick -------------------------------------------------------------------------------------------------

    def _tick(self, limit: float | None) -> None:
        self.dispatch(self.wait(self._timeout(limit)))

    def _timeout(self, limit: float | None) -> float | None:
        """Step 1."""
        if self._has_ready():
            return 0
        deadline = self._timers.next_deadline()
        if deadline is None:
            return limit
        wait = max(0, deadline - self.time())
        return wait if limit is None else min(wait, limit)

    def _has_ready(self) -> bool:
        return bool(self._ready or self._tick_end)

    def _agenda(self, events: Events) -> Generator[Call]:
        """Steps 4 to 7: what to call, each decided when its turn has come."""
        for key, mask in events:
            registration = key.data
            if mask & READ:
                reader = registration.reader
                if reader is not None:
                    yield reader
            if mask & WRITE:
                writer = registration.writer
                if writer is not None:
                    yield writer

        timers = self._timers
        timers.collect(self.now)
        while (call := timers.pop()) is not None:
            yield call

        ready = self._ready
        for _ in range(len(ready)):
            call = ready.popleft().take()
            if call is not None:
                yield call

        tick_end = self._tick_end
        for _ in range(len(tick_end)):
            yield tick_end.popleft()

    def _call_out(self, agenda: Agenda) -> None:
        """The one place where callbacks are called. Their errors are reported, and the agenda goes on behind them."""
        if self.instruments is not None:
            agenda = self._watched(agenda)
        call: Call | None = None
        while True:
            try:
                for call in agenda:
                    call()
                return
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as exc:
                self.call_exception_handler(
                    {"message": "exception in a callback", "exception": exc, "callback": unbound(call)}
                )

    def _watched(self, agenda: Agenda) -> Agenda:
        assert self.instruments is not None
        try:
            return self.instruments.watch(agenda)
        except Exception as exc:
            self.instruments = None
            self.call_exception_handler({"message": "instruments raised in watch()", "exception": exc})
            return agenda

    # --- Small parts ----------------------------------------------------------------------------------------------

    def _shut(self) -> None:
        for resource in list(self._resources):
            try:
                resource.shut()
            except Exception as exc:
                self.call_exception_handler({"message": "exception in shut()", "exception": exc, "source": resource})
        self._signals.close()
        self._jobs.close()

    def _forked(self) -> None:
        """In a forked child: what waits is the parent's, so a batch under way ends with the callback that forked."""
        self._ownership.forked()
        for resource in self._resources:
            resource.forked()
        if self._batch is not None:
            self._batch.close()
        self._signals.close()

    def _due_earlier(self, when: float) -> None:
        """Outside a tick something was scheduled: whoever sleeps, or is about to, must know."""
        announced = self._announced
        earlier = announced is None or when < announced
        if earlier:
            self._announced = when
        if self._ownership.phase is _WAITING or (earlier and self._deadline_hook is None):
            self._wakeup.wake()
        if earlier and self._deadline_hook is not None:
            self._deadline_hook(when)

    def _interest_changed(self) -> None:
        if self._ownership.phase is _WAITING and not self.kernel.selector_is_live:
            self._outdated = True
            self._wakeup.wake()

    def _woken(self) -> None:
        """The wakeup's reader: signals become callbacks; for other wakers, having woken is all."""
        for call in self._signals.due(self._wakeup.drain()):
            self._ready.append(Handle(call, ()))


def _fileno(fd: Descriptor) -> int:
    return fd if isinstance(fd, int) else fd.fileno()
