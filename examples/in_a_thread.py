"""A reactor in a background thread: what you type is sent to everybody who is connected.

The lesson: reading the keyboard blocks, so it cannot be done in a loop's thread, and a reactor belongs to one thread
alone. The two meet at exactly one door. `call_soon_threadsafe` puts a call into the reactor's queue and wakes it; the
call is then made in the reactor's thread, where it may touch connections like any other callback. Nothing else of the
reactor is touched from here, and no lock is needed.

    python3 -m examples.in_a_thread [ADDRESS]           then, elsewhere: nc 127.0.0.1 9000

Ctrl-D (the end of the input) and Ctrl-C end it: the server says goodbye, and the thread is waited for.
"""

from __future__ import annotations

import sys
import threading

from examples.log import log
from reactor import EncodeError, FramedProtocol, LineCodec, OptionError, Reactor, Transport, listen


class Listener(FramedProtocol[bytes]):
    """Somebody who is connected. Lives in the reactor's thread, as does all that its methods call."""

    codec = LineCodec(max_length=4096)

    def __init__(self, everybody: set[Listener]) -> None:
        self.everybody = everybody

    def connection_made(self, transport: Transport) -> None:
        super().connection_made(transport)
        self.everybody.add(self)
        log(f"{len(self.everybody)} connected")

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self.everybody.discard(self)
        log(f"{len(self.everybody)} connected")


def say(everybody: set[Listener], line: bytes) -> None:
    for listener in everybody:
        try:
            listener.send(line)
        except EncodeError as error:
            log(f"not sent: {error}")
            return


def in_the_background(reactor: Reactor) -> None:
    with reactor:
        reactor.run()  # until nothing is left to wait for: no server, no connection


def read_aloud(reactor: Reactor, everybody: set[Listener]) -> None:
    """The main thread's work: it blocks, and nobody else minds."""
    sys.stdin.reconfigure(errors="replace")  # type: ignore[union-attr]
    for line in sys.stdin:
        reactor.call_soon_threadsafe(say, everybody, line.rstrip("\r\n").encode())


def main() -> None:
    address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9000"
    everybody: set[Listener] = set()
    reactor = Reactor()
    try:
        server = listen(reactor, lambda: Listener(everybody), address)  # before the thread exists: still ours
    except (OSError, OptionError) as error:
        reactor.close()
        sys.exit(f"in_a_thread: {error}")
    thread = threading.Thread(target=in_the_background, args=(reactor,))
    thread.start()
    try:
        log(f"listening at {server.addresses[0]}; type lines, Ctrl-D ends it")
        read_aloud(reactor, everybody)
    except KeyboardInterrupt:
        pass  # as good an end as Ctrl-D: status 0
    reactor.call_soon_threadsafe(say, everybody, b"goodbye")
    reactor.call_soon_threadsafe(server.drain, 1.0)  # close all; whoever is not gone in a second is cut off
    thread.join()


if __name__ == "__main__":
    main()
