"""Names: what a simulated resolver answers, when, and if at all."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Answer", "Names", "Pending"]

_LOOPBACK = ("::1", "127.0.0.1")


class Answer(NamedTuple):
    """What a name stands for, in order of preference; nothing: it does not exist."""

    addresses: Sequence[str]
    delay: float
    """Seconds until the answer; infinite: it never comes."""


class Pending(BaseException):
    """A look-up in the resolver's thread blocks for `seconds` and is then to be made again."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Names:
    """The names of a simulation: those of its hosts, and those it was given. Case does not matter (RFC 4343)."""

    def __init__(self) -> None:
        """Know none but `localhost`."""
        self._answers: dict[str, Answer] = {"localhost": Answer(_LOOPBACK, 0.0)}

    def add(self, name: str, addresses: Sequence[str], delay: float) -> None:
        """From now on `name` stands for these."""
        self._answers[name.lower()] = Answer(tuple(addresses), delay)

    def knows(self, name: str) -> bool:
        """Whether it stands for anything."""
        return name.lower() in self._answers

    def find(self, name: str) -> Answer:
        """What it stands for. Raises `socket.gaierror` (EAI_NONAME)."""
        answer = self._answers.get(name.lower(), Answer((), 0.0))
        if not answer.addresses and not answer.delay:
            raise socket.gaierror(socket.EAI_NONAME, f"Name or service not known: {name}")
        return answer
