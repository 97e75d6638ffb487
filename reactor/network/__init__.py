"""Sockets in motion: protocols, transports, servers and clients."""

from reactor.network.connection import Connection
from reactor.network.connector import Connecting, Connector, connect
from reactor.network.framed import FramedProtocol
from reactor.network.interface import BaseProtocol, BufferedProtocol, Protocol, Transport
from reactor.network.options import ConnectionOptions, Overflow
from reactor.network.reconnecting import Backoff, Persistence, Reconnector, reconnect
from reactor.network.server import Server, ServerState, listen

__all__ = [
    "Backoff",
    "BaseProtocol",
    "BufferedProtocol",
    "Connecting",
    "Connection",
    "ConnectionOptions",
    "Connector",
    "FramedProtocol",
    "Overflow",
    "Persistence",
    "Protocol",
    "Reconnector",
    "Server",
    "ServerState",
    "Transport",
    "connect",
    "listen",
    "reconnect",
]
