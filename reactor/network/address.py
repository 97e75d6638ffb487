"""Addresses as people write them: `"127.0.0.1:9000"`, `"[::1]:9000"`, `"example.org:80"`, `":9000"`.

The colon that separates host and port also separates the groups of an IPv6 address, so that one stands in brackets
(RFC 3986 section 3.2.2). An empty host means every address of this machine, for those who listen, and this machine,
for those who connect.
"""

from __future__ import annotations

import socket
from typing import Any, NamedTuple

from reactor.errors import OptionError

__all__ = ["HostPort", "check_is_socket", "format_address", "parse_address"]


class HostPort(NamedTuple):
    """A host name or numeric address, and a port."""

    host: str
    port: int


def parse_address(text: str) -> HostPort:
    """Take a `"host:port"` apart. Raises `OptionError`, quoting it, if it is not one."""
    if text.startswith("unix:"):
        raise OptionError(f"address {text!r}: Unix sockets are not supported")
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise OptionError(f"address {text!r}: an IPv6 address stands in brackets, as in '[::1]:9000'")
    if not colon or not port:
        raise OptionError(f"address {text!r} has no port: write it as 'host:port'")
    if not (port.isascii() and port.isdigit()):
        raise OptionError(f"address {text!r}: the port must be a number, not {port!r}")
    if len(port) > 5 or int(port) > 65_535:
        raise OptionError(f"address {text!r}: the port must be from 0 to 65535")
    return HostPort(host, int(port))


def check_is_socket(address: object) -> None:
    """Raise `TypeError` if `address`, which is no string, is no socket, `OptionError` if it is no stream socket."""
    if not hasattr(address, "getsockopt"):
        raise TypeError(f"an address is a string such as '127.0.0.1:9000' or a socket, not {address!r}")
    if address.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) != socket.SOCK_STREAM:
        raise OptionError(f"{address!r} is no stream socket (SOCK_STREAM)")


def format_address(address: Any) -> str:
    """A socket address as a string that `parse_address` understands."""
    if isinstance(address, tuple) and len(address) >= 2:
        host, port = address[0], address[1]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return str(address)
