"""A client of `examples.shout`: sends a line, prints the answer, and leaves.

The lesson: the client's half of the story is the same kind of object as the server's. It too never waits. What shall
happen once the connection stands is in `connection_made`, what to do with the answer in `frame_received`, and a
connection that cannot be made is one more thing that happens: it is told to `on_failure`. `run()` returns by itself
when the connection is over, because then nothing is left to wait for.

    python3 -m examples.client [ADDRESS] [LINE]
"""

from __future__ import annotations

import sys

from reactor import ConnectError, FramedProtocol, LineCodec, OptionError, Reactor, Transport, connect


class Asking(FramedProtocol[bytes]):
    codec = LineCodec(max_length=4096)

    def __init__(self, line: str) -> None:
        self.line = line
        self.failure: str | None = "the server left without an answer"

    def connection_made(self, transport: Transport) -> None:
        super().connection_made(transport)
        self.send(self.line.encode())

    def frame_received(self, frame: bytes) -> None:
        print(frame.decode(errors="replace"), flush=True)
        self.failure = None
        if self.transport is not None:
            self.transport.close()

    def connection_failed(self, error: ConnectError) -> None:
        self.failure = str(error)


def main() -> None:
    address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9000"
    asking = Asking(sys.argv[2] if len(sys.argv) > 2 else "hello")
    try:
        with Reactor() as reactor:
            connect(reactor, lambda: asking, address, on_failure=asking.connection_failed)
            reactor.run()
    except KeyboardInterrupt:
        sys.exit(130)  # nobody waits for an answer any more
    except OptionError as error:
        sys.exit(f"client: {error}")
    if asking.failure is not None:
        sys.exit(f"client: {asking.failure}")


if __name__ == "__main__":
    main()
