"""A test over many seeds, and what is left of a failing run when all that does not matter is taken away.

A run that fails under thirty faults says little. Each fault is a line in a list (`Simulation.struck`), so the run can
be had again with fewer of them: first without half of the list, then without quarters, and so on, as long as it fails
(Zeller's delta debugging). What remains are the few that matter, at their mildest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from reactor.simulation.choices import Strike
from reactor.simulation.faults import CALM, HOSTILE, LOSSY_WIFI, Profile
from reactor.simulation.simulation import Simulation

__all__ = ["check"]

_MOST_RUNS = 400
"""Runs that are spent on making a failing one simpler."""

_NAMES = {id(CALM): "CALM", id(LOSSY_WIFI): "LOSSY_WIFI", id(HOSTILE): "HOSTILE"}


def check(
    test: Callable[[Simulation], object], *, seeds: Iterable[int] = range(100), profile: Profile = HOSTILE
) -> None:
    """Call `test(simulation)` with a new simulation for each of the `seeds`, under the conditions of `profile`.

    If it raises, the run is repeated with fewer faults as long as it fails in the same way (with an exception of the
    same class), and the exception of the simplest one is raised. Its notes say which faults are left, what they did,
    and how to have this run again. The last call of `test` is that run, with its trace.
    """
    for number, seed in enumerate(seeds, 1):
        failure, run = _attempt(test, seed, profile)
        if failure is None:
            continue
        shorter = _Shorter(test, seed, profile, type(failure))
        schedule = shorter.simplify(run.struck)
        simplest, again = _attempt(test, seed, profile, schedule, trace=True)
        if type(simplest) is not type(failure):
            simplest, schedule, again = failure, run.struck, run
        _explain(simplest, f"failed with seed {seed}, number {number} of those tried", run, again, profile)
        raise simplest


def _attempt(
    test: Callable[[Simulation], object],
    seed: int,
    profile: Profile,
    schedule: Sequence[Strike] | None = None,
    *,
    trace: bool = False,
) -> tuple[BaseException | None, Simulation]:
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


class _Shorter:
    """Makes the list of faults of one failing run shorter."""

    def __init__(
        self, test: Callable[[Simulation], object], seed: int, profile: Profile, kind: type[BaseException]
    ) -> None:
        """The run fails with a `kind` of exception, and has to go on doing so."""
        self._test = test
        self._seed = seed
        self._profile = profile
        self._kind = kind
        self._runs = 0

    def simplify(self, strikes: Sequence[Strike]) -> list[Strike]:
        """The fewest of them that are found to be enough, each as mild as can be."""
        left = list(strikes)
        size = len(left)
        while size >= 1:
            begin = 0
            while begin < len(left):
                fewer = left[:begin] + left[begin + size :]
                if self._fails(fewer):
                    left = fewer
                else:
                    begin += size
            size //= 2
        for index, strike in enumerate(left):
            mildest = [*left[:index], strike._replace(value=0), *left[index + 1 :]]
            if strike.value > 1 and self._fails(mildest):
                left = mildest
        return left

    def _fails(self, strikes: Sequence[Strike]) -> bool:
        if self._runs >= _MOST_RUNS:
            return False
        self._runs += 1
        error, _ = _attempt(self._test, self._seed, self._profile, strikes)
        return type(error) is self._kind


def _explain(
    error: BaseException, what: str, run: Simulation, again: Simulation, profile: Profile
) -> None:
    name = _NAMES.get(id(profile), repr(profile))
    plain = [tuple(strike) for strike in again.struck]
    if plain:
        error.add_note(f"{what}; of its {len(run.struck)} faults, {len(plain)} will do:")
    else:
        error.add_note(f"{what}; none of its {len(run.struck)} faults is needed:")
    for index, line in enumerate(again.trace):
        if " * " in line:
            host = line.split(" ")[1]
            follows = [after for after in again.trace[index + 1 :] if after.split(" ")[1] == host]
            error.add_note("\n".join(f"  {each}" for each in (line, *follows[:2])))
    error.add_note(f"again: Simulation(seed={again.seed}, profile={name}, schedule={plain})")
