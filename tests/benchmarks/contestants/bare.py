"""The least that Python can do: epoll, recv, send, and nothing around them. The ceiling of the language.

No limits, no deadlines, no errors but the end of the stream. What a loop costs above this is what it gives for it.
"""

from __future__ import annotations

import select
import socket

from tests.benchmarks.contestants.announcing import Announce

__all__ = ["echo"]

READ_SIZE = 65536


def echo(announce: Announce) -> None:
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    poller = select.epoll()
    poller.register(listening.fileno(), select.EPOLLIN)
    announce(listening.getsockname()[1])
    clients: dict[int, socket.socket] = {}
    unsent: dict[int, bytes] = {}
    while True:
        for fd, events in poller.poll():
            client = clients.get(fd)
            if client is None:
                client = listening.accept()[0]
                client.setblocking(False)
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                clients[client.fileno()] = client
                poller.register(client.fileno(), select.EPOLLIN)
                continue
            data = unsent.pop(fd) if events & select.EPOLLOUT else receive(client)
            if not data:
                poller.unregister(fd)
                clients.pop(fd).close()
                continue
            # A connection with unsent bytes is watched for writing only, so every event means exactly one thing.
            sent = client.send(data)
            if sent < len(data):
                unsent[fd] = data[sent:]
                poller.modify(fd, select.EPOLLOUT)
            elif events & select.EPOLLOUT:
                poller.modify(fd, select.EPOLLIN)


def receive(client: socket.socket) -> bytes:
    try:
        return client.recv(READ_SIZE)
    except ConnectionError:
        return b""
