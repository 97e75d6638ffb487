"""How a script is written: `"a.connect; l.accept; a.send 4"`."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Step", "script"]


class Step(NamedTuple):
    """One step: which socket, which call, and its argument."""

    who: str
    verb: str
    argument: str = ""

    def __str__(self) -> str:
        """As it is written in a script."""
        return f"{self.who}.{self.verb} {self.argument}".strip()


def script(text: str) -> tuple[Step, ...]:
    """The steps of `"a.connect; l.accept; a.send 4"`."""
    steps = []
    for part in filter(str.strip, text.split(";")):
        call, _, argument = part.strip().partition(" ")
        who, _, verb = call.rpartition(".")
        steps.append(Step(who, verb, argument.strip()))
    return tuple(steps)
