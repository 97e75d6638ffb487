"""A client that stays connected: to a server that crashes, is away for a while, and returns.

The lesson: a server that has lost its power says nothing, neither goodbye nor an error, and looks like one that has
nothing to say. So the client asks, and takes silence for the end of the connection: that is what `idle_timeout` is for.
Then it tries again, after one second, two, four, and so on up to half a minute, so that a server that is in trouble
does not have its clients as well. (Where they are many, let chance vary the pauses, or they all come at once.)

Does that work? To see it for real takes a machine, somebody at the plug, and two minutes. So the same class, unchanged,
is run in a simulated network, where the server is switched off at the twentieth second and time does not take any.

    python3 -m examples.reconnecting_client                 the story, in virtual time
    python3 -m examples.reconnecting_client HOST:PORT       for real, at any server that answers lines: examples.shout
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from examples.shout import Shout
from reactor import ConnectionOptions, FramedProtocol, LineCodec, OptionError, Reactor, Transport, connect, listen
from reactor.simulation import Simulation

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
BETWEEN_QUESTIONS = 2.0  # all in seconds
OPTIONS = ConnectionOptions(connect_timeout=3.0, idle_timeout=BETWEEN_QUESTIONS + 3.0)


class Caller(FramedProtocol[bytes]):
    """One connection: asks, waits for the answer, and asks again after a while."""

    codec = LineCodec(max_length=4096)

    def __init__(self, client: ReconnectingClient) -> None:
        self.client = client

    def connection_made(self, transport: Transport) -> None:
        super().connection_made(transport)
        self.client.say("connected")
        self.ask()

    def ask(self) -> None:
        self.send(b"are you there?")  # ignored if the connection is over by now

    def frame_received(self, frame: bytes) -> None:
        self.client.answered()
        self.client.reactor.call_later(BETWEEN_QUESTIONS, self.ask)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self.client.try_later(exc)


class ReconnectingClient:
    """Sees to it that there is a connection to `address`, or the next attempt is near."""

    def __init__(self, reactor: Reactor, address: str) -> None:
        self.reactor = reactor
        self.address = address
        self.begin = reactor.time()
        self.pause = FIRST_PAUSE
        self.try_now()

    def try_now(self) -> None:
        connect(self.reactor, lambda: Caller(self), self.address, options=OPTIONS, on_failure=self.try_later)

    def try_later(self, error: BaseException | None) -> None:
        """An attempt came to nothing, or a connection to its end: two ways to be told the same."""
        self.say(f"{error or 'the server has left'}; again in {self.pause:g} s")
        self.reactor.call_later(self.pause, self.try_now)
        self.pause = min(2 * self.pause, LONGEST_PAUSE)

    def answered(self) -> None:
        """All is well. A connection alone would not say so: it is the kernel that makes it, not the server."""
        self.pause = FIRST_PAUSE

    def say(self, what: str) -> None:
        print(f"{self.reactor.time() - self.begin:6.1f} s  {what}", flush=True)


def serve(reactor: Reactor) -> None:
    """The server's program, which begins anew whenever its machine does."""
    listen(reactor, Shout, "10.0.0.1:9000")


def story() -> None:
    """Two minutes of virtual time."""

    def at(when: float, what: str, happens: Callable[[], object]) -> None:
        sim.call_at(when, print, f"{when:6.1f} s  * {what}")
        sim.call_at(when, happens)

    with Simulation() as sim:
        server = sim.host("server", "10.0.0.1", program=serve)
        client = sim.host("client", "10.0.0.2")
        ReconnectingClient(client.reactor, "server:9000")
        at(20.0, "the server's machine loses its power", server.crash)
        at(45.0, "it is back", server.restart)
        at(90.0, "the server's program is killed", server.kill)
        at(92.5, "it is started again", server.restart)
        sim.run_for(120.0)


def main() -> None:
    if len(sys.argv) < 2:
        story()
        return
    try:
        with Reactor() as reactor:
            ReconnectingClient(reactor, sys.argv[1])
            reactor.run()
    except KeyboardInterrupt:
        pass  # the way it ends, and no failure: status 0
    except OptionError as error:
        sys.exit(f"reconnecting_client: {error}")


if __name__ == "__main__":
    main()
