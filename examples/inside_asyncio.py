"""A reactor inside an asyncio loop: one thread, two loops, and both go on.

The lesson: a loop that insists on being the outermost cannot be used by a program that has one already. A reactor asks
three things of its host, whichever that is (asyncio here; a desktop toolkit or a game's main loop elsewhere):

- watch one descriptor, `fileno()`: it is readable whenever any of the reactor's sockets has something to do
- come back at `next_deadline()`, and earlier if the hook says that something became due earlier
- then call `run_once(0)`: one tick, which does not wait

(Windows' selectors have no descriptor of their own; there a thread calls `wait()`, and the host `dispatch()`.)

Below, a server of the reactor is asked by an asyncio client, again and again, while a timer of the reactor ticks.

    python3 -m examples.inside_asyncio [ADDRESS]        then, elsewhere: nc 127.0.0.1 9000
"""

from __future__ import annotations

import asyncio
import sys

from examples.shout import Shout
from reactor import OptionError, Reactor, listen


class AsyncioHost:
    """Runs the ticks of a reactor in an asyncio loop: any that can watch a descriptor."""

    def __init__(self, reactor: Reactor, loop: asyncio.AbstractEventLoop) -> None:
        self.reactor = reactor
        self.loop = loop
        self.alarm: asyncio.TimerHandle | None = None
        loop.add_reader(reactor.fileno(), self.tick)
        reactor.set_deadline_hook(self.wake_at)
        self.wake_at(reactor.next_deadline())

    def tick(self) -> None:
        self.reactor.run_once(0)
        self.wake_at(self.reactor.next_deadline())

    def wake_at(self, when: float | None) -> None:
        """Come back at `when`, a time of the reactor's clock; the host's may be another one."""
        if self.alarm is not None:
            self.alarm.cancel()
        self.alarm = None if when is None else self.loop.call_later(max(0, when - self.reactor.time()), self.tick)

    def close(self) -> None:
        self.wake_at(None)
        self.reactor.set_deadline_hook(None)
        self.loop.remove_reader(self.reactor.fileno())


async def ask(address: str) -> None:
    """An ordinary asyncio client, which knows nothing of reactors."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host.strip("[]"), port)
    try:
        for number in range(1, 1_000_000):
            question = f"question {number}"
            writer.write(f"{question}\n".encode())
            answer = await reader.readline()
            print(f"asyncio: asked {question!r}, the reactor answered {answer.decode().rstrip()!r}", flush=True)
            await asyncio.sleep(1)
    finally:
        writer.close()


async def serve(address: str) -> None:
    with Reactor() as reactor:
        server = listen(reactor, Shout, address)
        host = AsyncioHost(reactor, asyncio.get_running_loop())
        print(f"shout listens at {server.addresses[0]}, inside asyncio; Ctrl-C ends it", flush=True)
        reactor.call_every(
            1.0, lambda: print(f"reactor: {len(server.connections)} of {server.accepted} clients are here", flush=True)
        )
        try:
            await ask(server.addresses[0])
        finally:
            host.close()


def main() -> None:
    try:
        asyncio.run(serve(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9000"))
    except KeyboardInterrupt:
        pass  # the way a server ends, and no failure: status 0
    except (OSError, OptionError) as error:
        sys.exit(f"inside_asyncio: {error}")


if __name__ == "__main__":
    main()
