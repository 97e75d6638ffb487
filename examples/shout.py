"""A server that understands lines: it answers each with the same line in upper case.

The lesson: TCP carries a stream of bytes and knows no messages. What a client sent as one line may arrive in three
pieces, and three lines in one. A codec puts the pieces together, and holds the line length within a limit, so that a
client that never ends its line cannot fill the memory. The protocol sees nothing but whole lines.

    python3 -m examples.shout [ADDRESS]         then, elsewhere: nc 127.0.0.1 9000
"""
# mypy: allow-untyped-defs

import sys

from reactor import FramedProtocol, LineCodec, OptionError, Reactor, listen


class Shout(FramedProtocol[bytes]):
    codec = LineCodec(max_length=4096)

    def frame_received(self, line):
        self.send(line.upper())


def main() -> None:
    address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9000"
    try:
        with Reactor() as reactor:
            server = listen(reactor, Shout, address)
            print(f"shout listens at {server.addresses[0]}; Ctrl-C ends it", flush=True)
            reactor.run()
    except KeyboardInterrupt:
        pass  # the way a server ends, and no failure: status 0
    except (OSError, OptionError) as error:
        sys.exit(f"shout: {error}")


if __name__ == "__main__":
    main()
