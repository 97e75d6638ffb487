"""Numeric addresses: what they look like, and what they stand for."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import ip_address
from typing import TypeAlias

from reactor.kernel import AddressInfo

__all__ = [
    "Address",
    "any_address",
    "as_rows",
    "family_of",
    "is_any",
    "is_loopback",
    "loopback",
    "normal",
    "wildcard",
]

Address: TypeAlias = tuple[str, int]
"""A numeric address and a port."""


def family_of(host: str) -> int | None:
    """AF_INET or AF_INET6 for a numeric address; `None`: it is a name."""
    try:
        version = ip_address(host).version
    except ValueError:
        return None
    return socket.AF_INET if version == 4 else socket.AF_INET6


def normal(host: str) -> str:
    """A numeric address in its one proper spelling (RFC 5952)."""
    return str(ip_address(host))


def any_address(family: int) -> str:
    """The address that stands for all of a machine's."""
    return "::" if family == socket.AF_INET6 else "0.0.0.0"


def is_any(host: str) -> bool:
    """Whether it is such an address."""
    return host in ("0.0.0.0", "::")


def wildcard(host: str) -> str:
    """The address that stands for all of the same family."""
    return "::" if ":" in host else "0.0.0.0"


def loopback(host: str) -> str:
    """The loopback address of the same family."""
    return "::1" if ":" in host else "127.0.0.1"


def is_loopback(host: str) -> bool:
    """Whether it is every machine's own (RFC 1122 section 3.2.1.3)."""
    return host.startswith("127.") or host == "::1"


def as_rows(hosts: Sequence[str], port: int) -> list[AddressInfo]:
    """The answer of `getaddrinfo` for numeric addresses."""
    rows: list[AddressInfo] = []
    for host in hosts:
        if ":" in host:
            rows.append((socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port, 0, 0)))
        else:
            rows.append((socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port)))
    return rows
