"""A thread for each connection: how one writes a server who does not want to know about readiness.

The main thread accepts; each connection has a thread that reads and writes with blocking calls, and its state is where
it is in its program. Lines come through `makefile`, answers leave by `sendall`. The advantages: TCP_NODELAY, no lock
where nothing is shared, reads as large as everybody's where bytes only pass through, and small stacks, so that 10,000
of them fit. `sink` and `forward` read into a buffer that is made once; `echo` does not, since such a buffer would be
resident for every connection, and what `recv` allocates is not where it is not filled. A blocking program cannot know
whether there is more to come when it has read a line, so it sends each answer at once.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

from tests.benchmarks.contestants.announcing import BACKLOG, HOST, Announce

__all__ = ["echo", "fanout", "forward", "lines", "prefixed", "sink"]

STACK_SIZE = 256 * 1024
"""Bytes of address space for each thread, instead of 8 MiB. What is never touched takes no memory."""

READ_SIZE = 256 * 1024

PREFIX_SIZE = 4

Conversation = Callable[[socket.socket], None]


def serve(conversation: Conversation, announce: Announce) -> None:
    """Accept for ever; each client gets a thread of its own for the `conversation`."""

    def talk(client: socket.socket) -> None:
        with client:
            try:
                conversation(client)
            except ConnectionError:
                pass

    threading.stack_size(STACK_SIZE)
    listening = socket.create_server((HOST, 0), backlog=BACKLOG)
    announce(listening.getsockname()[1])
    while True:
        client, _ = listening.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=talk, args=(client,), daemon=True).start()


def echo_bytes(client: socket.socket) -> None:
    while data := client.recv(READ_SIZE):
        client.sendall(data)


def echo_lines(client: socket.socket) -> None:
    with client.makefile("rb") as reader:
        for line in reader:
            client.sendall(line)


def echo_prefixed(client: socket.socket) -> None:
    with client.makefile("rb") as reader:
        while len(prefix := reader.read(PREFIX_SIZE)) == PREFIX_SIZE:
            client.sendall(prefix + reader.read(int.from_bytes(prefix, "big")))


def sharing() -> Conversation:
    """A conversation that takes place among all who have it: under one lock, so that lines stay whole."""
    lock = threading.Lock()
    everybody: set[socket.socket] = set()

    def share_lines(client: socket.socket) -> None:
        with lock:
            everybody.add(client)
        try:
            with client.makefile("rb") as reader:
                for line in reader:
                    with lock:
                        for receiver in everybody:
                            send_whole(receiver, line)
        finally:
            with lock:
                everybody.discard(client)

    return share_lines


def send_whole(receiver: socket.socket, line: bytes) -> None:
    try:
        receiver.sendall(line)
    except ConnectionError:
        pass  # its own thread will notice


def count_bytes(client: socket.socket) -> None:
    count, buffer = 0, bytearray(READ_SIZE)
    while size := client.recv_into(buffer):
        count += size
    client.sendall(b"%d\n" % count)


def forward_to(address: tuple[str, int]) -> Conversation:
    """A conversation with somebody at `address`: one more thread for the way back."""

    def forward_client(client: socket.socket) -> None:
        with socket.create_connection(address) as target:
            target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=pump, args=(target, client), daemon=True)
            back.start()
            pump(client, target)
            back.join()

    return forward_client


def pump(source: socket.socket, destination: socket.socket) -> None:
    """Pass on all bytes and the end. `sendall` waits for who is slower: this is the whole back-pressure."""
    buffer = bytearray(READ_SIZE)
    view = memoryview(buffer)
    try:
        while size := source.recv_into(buffer):
            destination.sendall(view[:size])
        destination.shutdown(socket.SHUT_WR)
    except OSError:  # one of the two is gone: wake up the thread that waits for the other
        for sock in (source, destination):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def echo(announce: Announce) -> None:
    serve(echo_bytes, announce)


def lines(announce: Announce) -> None:
    serve(echo_lines, announce)


def prefixed(announce: Announce) -> None:
    serve(echo_prefixed, announce)


def fanout(announce: Announce) -> None:
    serve(sharing(), announce)


def sink(announce: Announce) -> None:
    serve(count_bytes, announce)


def forward(announce: Announce, target: str) -> None:
    host, _, port = target.rpartition(":")
    serve(forward_to((host, int(port))), announce)
