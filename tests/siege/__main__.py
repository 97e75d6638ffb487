"""`python3 -m tests.siege`: besiege the engine, for as long as you like.

Each seed is a siege of its own. One that finds something prints what, the story so far, and the command that repeats
it.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.siege.planted import hunt_all
from tests.siege.world import STEPS, Outcome, besiege


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 -m tests.siege", description="Random users against the engine.")
    add = parser.add_argument
    add("--seeds", type=int, default=100, metavar="N", help="how many sieges (default: %(default)s)")
    add("--first", type=int, default=1, metavar="S", help="the first one's seed (default: %(default)s)")
    add("--steps", type=int, default=STEPS, metavar="K", help="steps of each (default: %(default)s)")
    add("--planted", action="store_true", help="see how soon the planted faults are found")
    add("--go-on", action="store_true", help="go on after a find")
    return parser.parse_args(arguments)


def tell(outcome: Outcome, steps: int) -> None:
    print(f"\nseed {outcome.seed}, step {outcome.steps}: {outcome.failure}")
    print("the story so far:")
    for line in outcome.story:
        print("  " + line)
    print(f"again: python3 -m tests.siege --seeds 1 --first {outcome.seed} --steps {steps}", flush=True)


def show_planted() -> int:
    """A table: which planted fault was found after how many steps, and by what."""
    missed = 0
    for found in hunt_all():
        missed += not found.seed
        steps = f"{found.steps:6}" if found.seed else "     -"
        by = found.by or f"NOT FOUND: {found.fault.breaks}"
        print(f"{steps} steps  {found.fault.name:32}  {by:.110}", flush=True)
    return 1 if missed else 0


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    if options.planted:
        return show_planted()
    begun = time.perf_counter()
    done = steps = ticks = finds = 0
    for seed in range(options.first, options.first + options.seeds):
        outcome = besiege(seed, options.steps)
        done, steps, ticks = done + 1, steps + outcome.steps, ticks + outcome.ticks
        if outcome.failure:
            finds += 1
            tell(outcome, options.steps)
            if not options.go_on:
                break
    seconds = time.perf_counter() - begun
    print(f"{done} seeds, {steps} steps, {ticks} ticks, {finds} finds; {steps / seconds:.0f} steps/s")
    return 1 if finds else 0


if __name__ == "__main__":
    sys.exit(main())
