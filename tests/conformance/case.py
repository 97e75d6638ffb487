"""A case of the kit: a function that takes a world, and whose docstring is the sentence it tests.

Every function of a `cases_*` module whose name does not begin with an underscore is a case. Two decorators say more:
`reactor_only` for what asyncio does not have at all, `for_each` for one text that is a case for each of some values.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from tests.conformance.world import World

__all__ = ["Case", "cases_of", "for_each", "reactor_only"]


@dataclass(frozen=True, slots=True)
class Case:
    """One case: its name, its text, and whether asyncio has what it is about."""

    name: str
    sentence: str
    run: Callable[[World], None]
    reactor_only: bool


def reactor_only(function: Callable[..., None]) -> Callable[..., None]:
    """Mark a case about something that asyncio's transports do not have."""
    function.reactor_only = True  # type: ignore[attr-defined]
    return function


def for_each(*values: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function of a world and a value into one case for each of the values."""

    def mark(function: Callable[..., None]) -> Callable[..., None]:
        function.values = values  # type: ignore[attr-defined]
        return function

    return mark


def cases_of(modules: Iterable[ModuleType]) -> Iterator[Case]:
    """All cases of the modules, in the order of their text."""
    for module in modules:
        for name, function in vars(module).items():
            if inspect.isfunction(function) and function.__module__ == module.__name__ and name[0] != "_":
                yield from _expand(name, function)


def _expand(name: str, function: Callable[..., None]) -> Iterator[Case]:
    sentence, only_ours = inspect.getdoc(function) or "", getattr(function, "reactor_only", False)
    if not hasattr(function, "values"):
        yield Case(name, sentence, function, only_ours)
        return
    for value in function.values:
        yield Case(f"{name}[{getattr(value, '__name__', value)}]", sentence, _bind(function, value), only_ours)


def _bind(function: Callable[..., None], value: Any) -> Callable[[World], None]:
    return lambda world: function(world, value)
