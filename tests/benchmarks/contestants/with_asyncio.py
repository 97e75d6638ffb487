"""asyncio, on whatever loop the runner makes: by protocols and, for lines, by streams as most programs would.

The streams are given every advantage: no `drain()`, which would cost a call a line. asyncio and uvloop both set
TCP_NODELAY themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

from tests.benchmarks.contestants.announcing import Announce

__all__ = ["Start", "echo", "lines", "lines_protocol", "serve", "start_echo", "start_lines", "start_lines_protocol"]

Start = Callable[[], Awaitable[asyncio.Server]]


class Echo(asyncio.Protocol):
    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are not instances of it

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class Lines(Echo):
    """Lines as one would write them by hand when streams are too slow."""

    def __init__(self) -> None:
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        *lines, self.buffer = (self.buffer + data).split(b"\n")
        for line in lines:
            self.transport.write(line + b"\n")


async def echo_lines(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        async for line in reader:
            writer.write(line)
    except ConnectionError:
        pass
    writer.close()


async def start_echo() -> asyncio.Server:
    return await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)


async def start_lines_protocol() -> asyncio.Server:
    return await asyncio.get_running_loop().create_server(Lines, "127.0.0.1", 0)


async def start_lines() -> asyncio.Server:
    return await asyncio.start_server(echo_lines, "127.0.0.1", 0)


async def serve(start: Start, announce: Announce, **versions: str) -> None:
    server = await start()
    announce(server.sockets[0].getsockname()[1], **versions)
    await asyncio.Event().wait()  # until the process is told to end


def echo(announce: Announce) -> None:
    asyncio.run(serve(start_echo, announce))


def lines(announce: Announce) -> None:
    asyncio.run(serve(start_lines, announce))


def lines_protocol(announce: Announce) -> None:
    asyncio.run(serve(start_lines_protocol, announce))
