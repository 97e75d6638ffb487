"""What must not happen in a simulated program: real sockets, real waiting, real threads, real children.

Each of them would make a run depend on this machine, and no two runs would be the same. Python announces such calls to
audit hooks (PEP 578, `sys.addaudithook`), so a program that makes one while a simulated host is ticking gets an error
that says what to do instead. Older versions announce fewer; what they leave out is replaced by a function that does.
Reading the real clock is announced to nobody, and cannot be refused; use `reactor.time()`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from reactor.errors import SimulationError
from reactor.kernel import SystemKernel

__all__ = ["inside"]

_INSTEAD = {
    "time.sleep": "real time does not pass here: use call_later()",
    "socket.__new__": "use listen() and connect() with the host's reactor",
    **dict.fromkeys(
        ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"),
        "names are given with Simulation.name()",
    ),
    **dict.fromkeys(("_thread.start_new_thread", "_thread.start_joinable_thread"), "use run_in_executor()"),
    **dict.fromkeys(
        ("subprocess.Popen", "os.fork", "os.forkpty", "os.system", "os.posix_spawn", "os.spawn", "os.exec"),
        "a simulated program has no child processes",
    ),
}
"""The audited calls that are refused."""

_IN_A_WORKER = "give the executor a function that returns at once; Host.blocking_time says how long it takes"

_UNANNOUNCED = [
    (module, name, event)
    for version, module, name, event in (
        ((3, 13), "time", "sleep", "time.sleep"),
        ((3, 12), "threading", "_start_new_thread", "_thread.start_new_thread"),
    )
    if sys.version_info < version
]
"""Which calls no audit hook is told of in this version of Python."""

_inside: dict[int, list[tuple[str, bool]]] = {}  # for each thread, what is running in it, the innermost last
_watching = False


@contextmanager
def inside(host: str, *, worker: bool = False) -> Iterator[None]:
    """Within this block, the program of `host` runs in this thread. Real I/O raises `SimulationError`.

    In a `worker` of the program it is not the reactor that helps, but a stand-in for what would block.
    """
    global _watching
    if not _watching:
        _watching = True
        sys.addaudithook(_audit)  # for ever: there is no way to remove one
        for module_name, name, event in _UNANNOUNCED:
            _announce(module_name, name, event)
    thread = SystemKernel.thread_id()
    running = _inside.setdefault(thread, [])
    running.append((host, worker))
    try:
        yield
    finally:
        running.pop()
        if not running:
            del _inside[thread]


def _audit(event: str, args: tuple[object, ...]) -> None:
    if _inside and event in _INSTEAD:
        running = _inside.get(SystemKernel.thread_id())
        if running:
            host, worker = running[-1]
            instead = _IN_A_WORKER if worker else _INSTEAD[event]
            raise SimulationError(f"{event} in the simulated program of host {host!r}: {instead}")


def _announce(module_name: str, name: str, event: str) -> None:
    """Put a function in the place of one that no audit hook is told of."""
    module = sys.modules[module_name]  # the real kernel has imported it
    original = getattr(module, name)

    @wraps(original)
    def announced(*args: Any, **kwargs: Any) -> Any:
        _audit(event, args)
        return original(*args, **kwargs)

    setattr(module, name, announced)
