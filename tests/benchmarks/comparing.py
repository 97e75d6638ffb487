"""Two runs side by side: what has changed, and whether that is more than chance.

The rule is simple enough to be checked by eye. A change is *beyond the noise* if both runs have at least five rounds
and their ranges do not overlap: the worst round of one is better than the best round of the other. If nothing had
changed, ten rounds would fall apart like that, into the first five and the last five, in 2 of 252 orders, which is 1
in 126. A whole run compares more than a hundred figures, so one of them will look changed without being so: measure
again what surprises.

Chance is not all there is. A machine that is slower today is slower for everybody. That is what the other contestants
are for, whose code has not changed between the two runs: what happened to them happened to the machine. And on another
machine, or with another Python, figures say nothing about this library; such differences come first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from tests.benchmarks.report import lay_out
from tests.benchmarks.results import FEWEST_ROUNDS, OURS, Measured, Run, Spread, times_better
from tests.benchmarks.row import Figure

__all__ = ["RULE", "format_comparison", "judge"]

RULE = (
    f"beyond the noise: {FEWEST_ROUNDS} rounds or more in both files, and the ranges of old and new do not overlap\n"
    "(by chance alone: 1 in 126 with 5 rounds each); what changed for everybody alike is the machine"
)
MAY_DIFFER = {"date", "revision", "command", "rounds", "Python", "libraries"}
"""Parts of the heading that do not make figures incomparable; versions are taken from the rounds themselves."""
VERDICT_WIDTH = 23
ABSENT = "-"


def format_comparison(old: Run, new: Run) -> str:
    """What is different in `new`, row by row; first what makes the two hard to compare."""
    before, after = {row.name: row for row in old.rows}, {row.name: row for row in new.rows}
    pairs = [(before[name], row) for name, row in after.items() if name in before]
    blocks = ["\n".join([f"old: {when(old)}", f"new: {when(new)}", *differences(old, new), RULE, count(pairs)])]
    blocks += [format_pair(*pair) for pair in pairs]
    only = [f"{row.name}: only in the new file" for row in new.rows if row.name not in before]
    only += [f"{row.name}: only in the old file" for row in old.rows if row.name not in after]
    return "\n\n".join([*blocks, *(["\n".join(only)] if only else [])])


def count(pairs: Sequence[tuple[Measured, Measured]]) -> str:
    """How many figures of how many changed in which way, for those of this library alone."""
    verdicts = Counter(
        judge(figure, before, after)
        for old, new in pairs
        for figure in new.headlines
        if (before := old.spread(OURS, figure.key)) and (after := new.spread(OURS, figure.key))
    )
    told = ", ".join(f"{number} {verdict}" for verdict, number in sorted(verdicts.items())) or "none in both files"
    return f"figures of {OURS}: {told}"


def when(run: Run) -> str:
    """When it took place and, if known, what was checked out."""
    date, revision = run.heading.get("date", "no date"), run.heading.get("revision")
    return f"{date}, revision {revision}" if revision else date


def differences(old: Run, new: Run) -> Iterator[str]:
    """What differs between the surroundings of the two; nothing if only the library under test can have changed."""
    names = [name for name in old.heading | new.heading if name not in MAY_DIFFER]
    found = [(name, old.heading.get(name, ABSENT), new.heading.get(name, ABSENT)) for name in names]
    before, after = old.versions, new.versions
    found += [(name, before[name], after[name]) for name in before if name in after and name != OURS]
    lines = [f"  {name}: {was} -> {is_}" for name, was, is_ in found if was != is_]
    if lines:
        yield "NOT COMPARABLE as they stand, for these differ:"
        yield from lines


def format_pair(old: Measured, new: Measured) -> str:
    """A row that is in both files: each contestant and each headline figure."""
    lines = [new.title]
    if new.title != old.title:
        lines.append(f"NOT COMPARABLE: the old file asked another question, {old.title}")
    before, after = {figure.key for figure in old.headlines}, {figure.key for figure in new.headlines}
    for figure in new.headlines:
        if figure.key in before:
            lines += lay_out([(figure.heading, "old", "new", "change", ""), *cells(figure, old, new)])
    lines += [f"{figure.heading}: only in the new file" for figure in new.headlines if figure.key not in before]
    lines += [f"{figure.heading}: only in the old file" for figure in old.headlines if figure.key not in after]
    for which, row in (("old", old), ("new", new)):
        lines += [f"{name}: left out of the {which} run, {why}" for name, why in row.missing.items()]
    return "\n".join(lines)


def cells(figure: Figure, old: Measured, new: Measured) -> Iterator[tuple[str, ...]]:
    """A line of the table for everybody who has this figure in one of the files."""
    for contestant in dict.fromkeys([*new.rounds, *old.rounds]):
        before, after = old.spread(contestant, figure.key), new.spread(contestant, figure.key)
        shown = [figure.format(spread.median) if spread else ABSENT for spread in (before, after)]
        change, verdict = ABSENT, f"only in the {'new' if after else 'old'} file"
        if before and after:
            verdict = judge(figure, before, after)
            if before.median > 0:
                change = f"{after.median / before.median - 1:+.1%}"
        if before or after:
            yield contestant, *shown, change, verdict.ljust(VERDICT_WIDTH)


def judge(figure: Figure, old: Spread, new: Spread) -> str:
    """What the change from `old` to `new` is, in words; see the theory of this module for the rule."""
    if min(old.rounds, new.rounds) < FEWEST_ROUNDS:
        return "too few rounds to tell"
    if old.least <= new.most and new.least <= old.most:
        return "within the noise"
    ratio = times_better(figure, new.median, old.median)
    if ratio is None:
        return "beyond the noise"
    return "better beyond the noise" if ratio > 1 else "WORSE beyond the noise"
