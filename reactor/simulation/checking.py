"""A test over many seeds, and what is left of a failing run when all that does not matter is taken away.

A run that fails under thirty faults says little. Each fault is a line in a list (`Simulation.struck`), so the run can
be had again with fewer of them: first without half of the list, then without quarters, and so on, as long as it fails
(Zeller's delta debugging). What remains are the few that matter, at their mildest.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence

from reactor.errors import OptionError
from reactor.simulation.choices import Strike
from reactor.simulation.faults import HOSTILE, Profile
from reactor.simulation.simulation import Simulation

__all__ = ["check"]

_MOST_RUNS = 400
"""Runs that are spent on making a failing one simpler."""

_MOST_SHOWN = 6
"""Lines of the story that are shown before its end."""

_SHOW_IN_CALLS = ("short_read", "short_write", "refused_write", "aborted_accept", "exhausted")
"""Faults that strike one system call, which is worth seeing."""

Test = Callable[[Simulation], object]
Failure = tuple[BaseException | None, Simulation]


def check(test: Test, *, seeds: Iterable[int] = range(100), profile: Profile = HOSTILE) -> None:
    """Call `test(simulation)` with a new simulation for each of the `seeds`, under the conditions of `profile`.

    If it raises, the run is repeated with fewer faults as long as it fails in the same way (with an exception of the
    same class), and the exception of the simplest one is raised. Its notes say which faults are left, what they did,
    and how to have this run again. The last call of `test` is that run, with its trace.

    Raises `OptionError` without any seed, or for a `test` that is a coroutine function.
    """
    if inspect.iscoroutinefunction(test):
        raise OptionError("check() calls plain functions; this one is asynchronous, and nothing would run")
    number = 0
    for number, seed in enumerate(seeds, 1):
        failure, run = _attempt(test, seed, profile)
        if failure is not None:
            said = f"failed with seed {seed}, number {number} of those tried"
            raise _simplest(test, failure, run, said)
    if number == 0:
        raise OptionError("check() was given no seeds, so nothing was tried")


def _simplest(test: Test, failure: BaseException, run: Simulation, said: str) -> BaseException:
    """The failure of the simplest run that fails like `run`, explained."""

    def attempt(strikes: Sequence[Strike], *, trace: bool = False) -> Failure:
        return _attempt(test, run.seed, run.profile, strikes, trace=trace)

    schedule = list(run.struck)
    error, again = attempt(schedule)
    if type(error) is type(failure):
        schedule = _fewest(schedule, lambda strikes: type(attempt(strikes)[0]) is type(failure))
        error, again = attempt(schedule, trace=True)
    if error is None or type(error) is not type(failure):
        failure.add_note(
            f"{said}, and not when that was repeated with the same faults: the test or the program asks something "
            "outside of the simulation (random, the real clock, what an earlier call has left)"
        )
        return failure
    _explain(error, said, run, again)
    return error


def _attempt(
    test: Test, seed: int, profile: Profile, schedule: Sequence[Strike] | None = None, *, trace: bool = False
) -> Failure:
    """One run; what it raised."""
    simulation = Simulation(seed, profile=profile, schedule=schedule, trace=trace)
    try:
        with simulation:
            test(simulation)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # test frameworks have failures that are no Exception
        return error, simulation
    return None, simulation


def _fewest(strikes: Sequence[Strike], fails: Callable[[Sequence[Strike]], bool]) -> list[Strike]:
    """The fewest of them that are found to be enough, each as mild as can be."""
    runs = 0

    def still_fails(fewer: Sequence[Strike]) -> bool:
        nonlocal runs
        runs += 1
        return runs <= _MOST_RUNS and fails(fewer)

    left = list(strikes)
    size = len(left)
    while size >= 1:
        begin = 0
        while begin < len(left):
            fewer = left[:begin] + left[begin + size :]
            if still_fails(fewer):
                left = fewer
            else:
                begin += size
        size //= 2
    for index, strike in enumerate(left):
        milder = [*left[:index], strike._replace(value=0), *left[index + 1 :]]
        if strike.value > 1 and still_fails(milder):
            left = milder
    return left


def _explain(error: BaseException, said: str, run: Simulation, again: Simulation) -> None:
    """Tell an exception what its run was like: the faults with the calls they struck, and how it ended."""
    again_note = error.__notes__.pop()  # it stands last
    few, many = len(again.struck), len(run.struck)
    error.add_note(f"{said}; of its {many} faults, {few} will do:" if few else f"{said}, without any of its faults")
    trace = again.trace
    for index, line in enumerate(trace):
        if line.strike is not None:
            calls = [after for after in trace[index + 1 :] if after.host == line.host and after.strike is None]
            shown = [line, *calls[: 2 if line.what in _SHOW_IN_CALLS else 0]]
            error.add_note("\n".join(f"  {each}" for each in shown))
    error.add_note("how it ended:\n" + "\n".join(f"  {line}" for line in trace[-_MOST_SHOWN:]))
    error.add_note(again_note)
