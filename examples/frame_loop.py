"""A game that owns its loop, and gives the network the time between two frames.

The lesson: a game does not wait for something to happen. Sixty times a second its world takes a step and is shown, so
its loop is the outermost one, and the reactor a part of it: `run_once(left)` is one tick, which sleeps no longer than
until the next frame. What the network has to say ends the sleep early, and the next tick gets what is still left.

- *Time is counted in steps* of 1/60 s, however long they took to compute, so the same commands at the same steps make
  the same world on every machine. Frames are due on a grid; no delay is added to the next.
- *A frame is late* if it begins when a further one is due. The missed steps are caught up, a few of them; the others
  are dropped, and the world is behind. Without that bound, steps that take too long would be more each time.
- *While a frame is computed* nobody reads. What arrives waits in the kernel, and is read a frame later.
- *The network makes no frame late.* A tick takes a few short lines from each player, and players are few; a flood waits
  in the kernel, and then at its sender. And lines say where a player wants to go; how fast, the steps say.
- *What is sent is state, not news.* Who has not taken the last one gets none now and a newer one later, so nothing
  piles up for the slow. Who takes nothing for five seconds is dropped.

    python3 -m examples.frame_loop [ADDRESS]        then, elsewhere, and more than once: nc 127.0.0.1 9000

Ctrl-C, or SIGTERM, ends the game.
"""

from __future__ import annotations

import signal
import sys
from dataclasses import dataclass
from socket import SO_SNDBUF, SOL_SOCKET

from examples.log import log
from reactor import ConnectionOptions, FramedProtocol, LineCodec, OptionError, Reactor, Transport, listen

RATE = 60  # frames a second, and steps
MOST_STEPS = 5  # in one frame
WIDTH, HEIGHT = 60, 20  # cells
SPEED = 8  # cells a second. Places are counted in sixtieths of a cell, so that is also what one step adds.
COMMANDS = {b"left": (-1, 0), b"right": (1, 0), b"up": (0, -1), b"down": (0, 1), b"stop": (0, 0)}
WORDS = b", ".join(COMMANDS)
MOST_PLAYERS = 32  # the next one waits until somebody leaves
KERNEL_KEEPS = 8 * 1024  # bytes on the way to a player. By default it is megabytes, of what was true a while ago.
OPTIONS = ConnectionOptions(read_size=512, high_water=4096, low_water=0, hard_limit=4096, write_timeout=5.0)
GRACE = 2.0  # seconds to take the goodbye
SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(slots=True)
class Point:
    """What a player is in the world. It knows steps, and neither a clock nor a network."""

    x: int = WIDTH * RATE // 2
    y: int = HEIGHT * RATE // 2
    going: tuple[int, int] = (0, 0)

    def step(self) -> None:
        x, y = self.going
        self.x = min(max(self.x + x * SPEED, 0), WIDTH * RATE - 1)
        self.y = min(max(self.y + y * SPEED, 0), HEIGHT * RATE - 1)


class Player(FramedProtocol[bytes]):
    """Who is connected."""

    codec = LineCodec(max_length=1024)  # for the state of all
    frames_per_tick = 8  # lines, that is, of one player

    def __init__(self, game: Game) -> None:
        self.game = game
        self.point = Point()
        self.shown = b""  # the state that was sent last

    def connection_made(self, transport: Transport) -> None:
        super().connection_made(transport)
        transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_SNDBUF, KERNEL_KEEPS)
        self.number = self.game.server.accepted
        self.game.players[self.number] = self
        self.send(b"* you are %d; say %s" % (self.number, WORDS))

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        del self.game.players[self.number]

    def frame_received(self, frame: bytes) -> None:
        if frame in COMMANDS:
            self.point.going = COMMANDS[frame]
        else:
            self.send(b"* say " + WORDS)

    def show(self, state: bytes) -> None:
        if state != self.shown and self.transport is not None and not self.transport.get_write_buffer_size():
            self.shown = state
            self.send(state)


class Game:
    """The main loop."""

    def __init__(self, reactor: Reactor, address: str) -> None:
        self.reactor = reactor
        self.players: dict[int, Player] = {}
        self.frames = self.late = self.dropped = 0
        self.server = listen(reactor, lambda: Player(self), address, options=OPTIONS, max_connections=MOST_PLAYERS)
        self.playing = True
        for signum in SIGNALS:
            reactor.add_signal_handler(signum, self.stop)

    def stop(self) -> None:
        for signum in SIGNALS:
            self.reactor.remove_signal_handler(signum)  # a second Ctrl-C does not wait
        self.playing = False

    def play(self) -> None:
        """Frames in time, until `stop`; then goodbye."""
        time, run_once = self.reactor.time, self.reactor.run_once
        begin, beat = time(), 0
        while self.playing:
            beat += 1
            due = begin + beat / RATE
            run_once(max(0.0, due - time()))  # a tick even if there is no time, or a slow game would hear nothing
            while (left := due - time()) > 0:
                run_once(left)
            missed = int((time() - due) * RATE)
            self.frame(missed)
            beat += missed  # caught up or dropped
        rate = self.frames / (time() - begin)
        log(f"{self.frames:,} frames, {rate:.1f}/s: {self.late:,} late, {self.dropped:,} steps dropped")
        for player in self.players.values():
            player.send(b"* the game is over")
        self.server.drain(GRACE)
        self.reactor.run()  # no frame is due any more, so it may have the loop until all have the goodbye

    def frame(self, missed: int) -> None:
        steps = min(1 + missed, MOST_STEPS)
        self.frames += 1
        self.late += missed > 0
        self.dropped += 1 + missed - steps
        points = {number: player.point for number, player in self.players.items()}
        for point in points.values():
            for _ in range(steps):
                point.step()
        state = b"  ".join(b"%d:%d,%d" % (number, point.x // RATE, point.y // RATE) for number, point in points.items())
        for player in self.players.values():
            player.show(state)


def main() -> None:
    try:
        with Reactor() as reactor:
            game = Game(reactor, sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9000")
            log(f"frame_loop listens at {game.server.addresses[0]}; Ctrl-C ends it")
            game.play()
    except KeyboardInterrupt:
        sys.exit(130)  # the second one
    except (OSError, OptionError) as error:
        sys.exit(f"frame_loop: {error}")


if __name__ == "__main__":
    main()
