"""The rounds of one row, interleaved: A B C, A B C, ... as `row` explains."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.benchmarks.results import Measured
from tests.benchmarks.row import Bench, LeftOutError, Row

__all__ = ["run_row"]


def run_row(
    row: Row,
    bench: Bench,
    measured: Measured,
    *,
    rounds: int,
    contestants: Sequence[str] = (),
    progress: Callable[[str], object] = lambda _: None,
    complain: Callable[[str], object] = lambda _: None,
) -> None:
    """Measure `row` into `measured`: so many `rounds` of each of the `contestants` (default: all of the row's).

    Who cannot take part is left out; so is who fails, whatever it was, and that is complained about. The others go on:
    their processes are their own.
    """
    for number in range(1, rounds + 1):
        for name in row.contestants:
            if name in measured.missing or (contestants and name not in contestants):
                continue
            progress(f"{row.name}: round {number} of {rounds}, {name}")
            try:
                measured.rounds.setdefault(name, []).append(row.measure(name, bench))
            except LeftOutError as why:
                measured.missing[name] = str(why)
                del measured.rounds[name]
            except Exception as error:
                complain(f"{row.name}, round {number}, {name}: {type(error).__name__}: {error}")
                measured.missing[name] = f"it failed in round {number}: {error}"
                del measured.rounds[name]
