"""Seams for programs that do not know they have them.

`Reactor(kernel=…, instruments=…)` says explicitly what a reactor runs on and who watches it. A script that just calls
`Reactor()` can be given both from outside:

    with defaults(kernel=TracingKernel(SystemKernel())):
        runpy.run_path("somebody's_script.py")

The value lives in one `ContextVar`; there is no other ambient state in the library.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from reactor.kernel import Kernel
from reactor.loop.interfaces import Instruments

__all__ = ["current_defaults", "defaults"]

_defaults: ContextVar[tuple[Kernel | None, Instruments | None]] = ContextVar("reactor_defaults", default=(None, None))


@contextmanager
def defaults(kernel: Kernel | None = None, instruments: Instruments | None = None) -> Iterator[None]:
    """Within this block, a `Reactor` made without a kernel or instruments gets these; `None` leaves the outer ones."""
    outer_kernel, outer_instruments = _defaults.get()
    token = _defaults.set((kernel or outer_kernel, outer_instruments if instruments is None else instruments))
    try:
        yield
    finally:
        _defaults.reset(token)


def current_defaults() -> tuple[Kernel | None, Instruments | None]:
    """The kernel and the instruments for a reactor that was given none."""
    return _defaults.get()
