"""A client that stays connected: it asks for signs of life, and comes back after each end.

The lesson: a server that has lost its power says nothing, neither goodbye nor an error, and looks just like one that
has nothing to say. So the client asks, and takes silence for the end: that is `idle_timeout`. What is sent counts as
traffic too, so a question follows only on an answer. Whoever asks on and on never finds out.

Then it connects again, and `reconnect` decides when: after about one second, two, four, and so on up to half a minute,
so that a server in trouble does not have its clients as well; and chance shortens each pause, so that they do not come
all at once. Only a connection that has lasted makes the pauses short again. One that was accepted says little: that is
done by the kernel, also for a program that hangs. Therefore `steady` is longer than `idle_timeout`.

    python3 -m examples.heartbeat [HOST:PORT]       at any server that answers lines: examples.echo, examples.shout

End that server and start it again, or stop it for a while with Ctrl-Z. Ctrl-C, or SIGTERM, ends the client in order.
What it does when machines crash is shown by `examples.reconnecting_client`, in virtual time.
"""

from __future__ import annotations

import signal
import sys

from examples.log import log
from reactor import Backoff, ConnectionOptions, FramedProtocol, LineCodec, OptionError, Reactor, Transport, reconnect

BETWEEN_BEATS = 2.0  # seconds, as all of these
OPTIONS = ConnectionOptions(connect_timeout=3.0, idle_timeout=BETWEEN_BEATS + 3.0, drain_timeout=2.0)
BACKOFF = Backoff(initial=1.0, factor=2.0, cap=30.0, jitter=0.5, steady=10.0)
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Beating(FramedProtocol[bytes]):
    """One connection: asks, waits for the answer, and asks again after a while."""

    codec = LineCodec(max_length=4096)

    def __init__(self, heartbeat: Heartbeat) -> None:
        self.heartbeat = heartbeat
        self.call_later = heartbeat.reactor.call_later
        self.answers = 0

    def connection_made(self, transport: Transport) -> None:
        super().connection_made(transport)
        self.heartbeat.say("connected")
        self.next_beat = self.call_later(0, self.beat)

    def beat(self) -> None:
        self.send(b"are you there?")

    def frame_received(self, frame: bytes) -> None:
        self.answers += 1
        self.next_beat.cancel()  # some servers say more than they are asked for
        self.next_beat = self.call_later(BETWEEN_BEATS, self.beat)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self.next_beat.cancel()  # run() would wait for it
        self.heartbeat.say(f"over after {self.answers} answers: {exc or 'an ordinary end'}")


class Heartbeat:
    """The program: stays connected to `address` until it is told to end."""

    def __init__(self, reactor: Reactor, address: str) -> None:
        self.reactor = reactor
        self.begin = reactor.time()
        self.reconnector = reconnect(
            reactor, lambda: Beating(self), address, options=OPTIONS, backoff=BACKOFF, on_failure=self.failed
        )
        for signum in SIGNALS:
            reactor.add_signal_handler(signum, self.stop)

    def failed(self, error: Exception, pause: float) -> None:
        self.say(f"{error}; again in {pause:.1f} s")

    def stop(self) -> None:
        for signum in SIGNALS:
            self.reactor.remove_signal_handler(signum)  # a second Ctrl-C does not wait for the server's goodbye
        self.reconnector.stop()  # and run() returns, because nothing is left

    def say(self, what: str) -> None:
        log(f"{self.reactor.time() - self.begin:6.1f} s  {what}")


def main() -> None:
    address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9000"
    try:
        with Reactor() as reactor:
            Heartbeat(reactor, address)
            reactor.run()
    except KeyboardInterrupt:
        sys.exit(130)  # the second one
    except OptionError as error:
        sys.exit(f"heartbeat: {error}")


if __name__ == "__main__":
    main()
