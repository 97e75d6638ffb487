"""What the loop asks of those who use it, and of those who watch it.

The loop does not know what a connection is. It knows that there are things which are alive, which can say what they
are, and which must be ended when the loop is closed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, TypeAlias

from reactor.loop.handles import Call

__all__ = ["Agenda", "Describable", "Instruments", "Resource"]

Agenda: TypeAlias = Iterator[Call]
"""What a tick calls, in order."""


class Describable(Protocol):
    """Something that can say what it is."""

    def describe(self) -> dict[str, Any]:
        """What this is and how it stands, as plain data; `"kind"` names the sort of thing."""


class Resource(Describable, Protocol):
    """Something that keeps the reactor running until it ends: a server, a connector."""

    def shut(self) -> None:
        """The reactor is being closed: end now, and call the last callbacks before returning."""

    def forked(self) -> None:
        """The process was forked, and this is the child: drop what waits to be sent, which the parent will send."""

    def disown(self) -> None:
        """In a forked child that closes the reactor: close the descriptors, which are the parent's as well."""


class Instruments(Protocol):
    """What an observer can learn that is not a system call. One object, or none; none costs one look-up."""

    def watch(self, agenda: Agenda) -> Agenda:
        """Pass on every item of a tick's agenda; between two items lies the time that the first one's callback took."""

    def transition(self, source: Describable, before: str, event: str, after: str) -> None:
        """A state machine took a step."""

    def deadline(self, source: Describable, error: BaseException) -> None:
        """A deadline passed; `error` is what the one concerned is told."""
