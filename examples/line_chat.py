"""A chat: everybody reads what anybody writes, and nobody waits for the slowest.

The lesson: one line comes in, a thousand go out, and one of the thousand readers does not read. To wait for that one
would stop the chat for all. To keep its lines until it returns would fill the memory. So there is a bound, in
`OPTIONS`: whoever leaves too much untaken, or takes nothing for too long, is dropped, and `connection_lost` is told
why. `write` itself never waits, so nobody notices anything of the others but what they say.

And anybody may connect. Lines that are too long or not UTF-8 get an answer, and of a line no more is kept than it takes
to see that it is too long.

    python3 -m examples.line_chat [ADDRESS]         then, elsewhere, and more than once: nc 127.0.0.1 9000

The first line you send is your name. What you write comes back to you as well: then it went to everybody, in the same
order. There are /who, /msg NAME TEXT and /quit. Ctrl-C, or SIGTERM, says goodbye to all, and waits until they have it.
"""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Callable
from unicodedata import normalize

from examples.log import log
from reactor import ConnectionOptions, FramedProtocol, LineCodec, OptionError, Reactor, ReactorError, Transport, listen

LONGEST = 400  # bytes of a line
NAME = re.compile(r"(?=.*[^\W_\u0640])[\w-]{1,20}")  # one letter or digit at least; U+0640 only draws letters out
# What would move the cursor of somebody else's terminal, or turn its line around.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f]")
GRACE = 3.0  # seconds to take the goodbye
SIGNALS = (signal.SIGINT, signal.SIGTERM)

OPTIONS = ConnectionOptions(
    hard_limit=256 * 1024,  # bytes that one member may leave untaken, beside what the kernel keeps for it
    write_timeout=20.0,  # seconds without taking any of them
    read_size=4 * 1024,  # bytes at a time from each: somebody who pastes a book does not have the chat for itself
)


class Member(FramedProtocol[bytes]):
    """Somebody who is connected; once there is a name, in the chat."""

    codec = LineCodec(LONGEST, oversize="discard")

    def __init__(self, chat: Chat) -> None:
        self.chat = chat
        self.name = ""

    def connection_made(self, transport: Transport) -> None:
        super().connection_made(transport)
        self.tell("* welcome; what is your name?")

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self.chat.leave(self, exc)

    def eof_received(self) -> bool | None:
        self.data_received(b"\n")  # the last line may be without; and an empty one is none
        return super().eof_received()

    def frames_discarded(self, count: int) -> None:
        self.tell(f"* not sent: that line has more than {LONGEST} bytes")

    def frame_received(self, frame: bytes) -> None:
        try:
            text = CONTROL.sub(" ", frame.decode()).strip()
        except UnicodeDecodeError:
            self.tell("* not sent: that line is not UTF-8")
            return
        match text.split(maxsplit=2):
            case []:
                pass
            case ["/quit"]:
                self.tell("* goodbye")
                self.chat.leave(self)  # now, and not when the other program hangs up as well
                self.close()
            case _ if not self.name:
                self.chat.enter(self, normalize("NFKC", text))  # what looks the same is the same, mostly
            case ["/who"]:
                self.tell(f"* here are: {', '.join(member.name for member in self.chat.members.values())}")
            case ["/msg", name, message]:
                self.chat.whisper(self, normalize("NFKC", name), message)
            case [word, *_] if word.startswith("/"):
                self.tell("* there are /who, /msg NAME TEXT and /quit")
            case _:
                self.chat.say(f"<{self.name}> {text}")

    def tell(self, text: str) -> None:
        self.write(f"{text}\n".encode())

    def write(self, line: bytes) -> None:
        if self.transport is not None:  # what is said may be longer, by the name, than what may be sent
            self.transport.write(line)


class Chat:
    """The server, and its members by name."""

    def __init__(self, reactor: Reactor, address: str, log: Callable[[str], object]) -> None:
        self.reactor = reactor
        self.log = log
        self.members: dict[str, Member] = {}
        self.server = listen(reactor, lambda: Member(self), address, options=OPTIONS)
        for signum in SIGNALS:
            reactor.add_signal_handler(signum, self.close)

    def say(self, text: str) -> None:
        """To everybody. Who is dropped for it leaves `members` later: `connection_lost` is not called from `write`."""
        line = f"{text}\n".encode()
        for member in self.members.values():
            member.write(line)

    def whisper(self, sender: Member, name: str, message: str) -> None:
        recipient = self.members.get(name.casefold())
        if recipient is None:
            sender.tell(f"* there is no {name} here")
        else:
            recipient.tell(f"[{sender.name}] {message}")
            sender.tell(f"[to {recipient.name}] {message}")

    def enter(self, member: Member, name: str) -> None:
        if not NAME.fullmatch(name):
            member.tell("* a name has up to 20 letters, digits, _ and -; what is yours?")
        elif name.casefold() in self.members:
            member.tell(f"* there is a {name} already; what else are you called?")
        else:
            member.name = name
            self.members[name.casefold()] = member
            self.say(f"* {name} has joined")
            self.log(f"{name} has joined")

    def leave(self, member: Member, exc: BaseException | None = None) -> None:
        name, member.name = member.name, ""  # somebody else may have it from now on
        if self.members.pop(name.casefold(), None) is None:
            return  # never had a name, or has left already
        too_slow = isinstance(exc, ReactorError)  # a limit or deadline of ours; the network's are plain OSErrors
        self.say(f"* {name} has left" + (", too slow a reader" if too_slow else ", cut off" if exc else ""))
        self.log(f"{name} has left" + (f": {type(exc).__name__}: {exc}" if exc else ""))

    def close(self) -> None:
        """Say goodbye, and end when everybody has it; those who do not take it are cut off, and counted as such."""
        for signum in SIGNALS:
            self.reactor.remove_signal_handler(signum)  # a second Ctrl-C does not wait
        self.members.clear()  # who leaves is no news any more
        for connection in self.server.connections:
            connection.write(b"* the chat is closing; goodbye\n")
        self.server.drain(GRACE, lambda account: self.log(f"closed: {dict(account)}"))


def main() -> None:
    address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9000"
    try:
        with Reactor() as reactor:
            chat = Chat(reactor, address, log)
            log(f"line_chat listens at {chat.server.addresses[0]}; Ctrl-C ends it")
            reactor.run()
    except KeyboardInterrupt:
        sys.exit(130)  # the second one: somebody did not want to wait
    except (OSError, OptionError) as error:
        sys.exit(f"line_chat: {error}")


if __name__ == "__main__":
    main()
