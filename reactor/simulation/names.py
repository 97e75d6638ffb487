"""Names: what a simulated resolver answers, when, and if at all."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import ip_address
from typing import NamedTuple

from reactor.kernel import AddressInfo

__all__ = ["Answer", "Names", "Pending", "family_of", "normal", "rows"]

_LOOPBACK = ("::1", "127.0.0.1")


class Answer(NamedTuple):
    """What a name stands for, in order of preference; nothing: it does not exist."""

    addresses: Sequence[str]
    delay: float
    """Seconds until the answer; infinite: it never comes."""


class Pending(BaseException):
    """A call in a worker thread blocks for `seconds` and is then to be made again."""

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

    def find(self, name: str) -> Answer:
        """What it stands for. Raises `socket.gaierror` (EAI_NONAME)."""
        answer = self._answers.get(name.lower(), Answer((), 0.0))
        if not answer.addresses and not answer.delay:
            raise socket.gaierror(socket.EAI_NONAME, f"Name or service not known: {name}")
        return answer


def rows(addresses: Sequence[str], port: int) -> list[AddressInfo]:
    """The answer of `getaddrinfo` for numeric addresses."""
    found: list[AddressInfo] = []
    for address in addresses:
        if ":" in address:
            found.append((socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port, 0, 0)))
        else:
            found.append((socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port)))
    return found


def normal(address: str) -> str:
    """A numeric address in its one proper spelling (RFC 5952)."""
    return str(ip_address(address))


def family_of(host: str) -> int | None:
    """The family of a numeric address; `None`: it is a name."""
    try:
        version = ip_address(host).version
    except ValueError:
        return None
    return socket.AF_INET if version == 4 else socket.AF_INET6
