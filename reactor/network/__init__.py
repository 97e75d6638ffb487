"""Sockets in motion: protocols, transports, servers and clients."""

from reactor.network.connector import Connector, connect
from reactor.network.framed import FramedProtocol
from reactor.network.interface import BaseProtocol, BufferedProtocol, Protocol, Transport
from reactor.network.options import ConnectionOptions, Overflow
from reactor.network.server import Server, listen

__all__ = [
    "BaseProtocol",
    "BufferedProtocol",
    "ConnectionOptions",
    "Connector",
    "FramedProtocol",
    "Overflow",
    "Protocol",
    "Server",
    "Transport",
    "connect",
    "listen",
]
