"""The smallest server: it sends back whatever it receives.

The lesson: a server is a class that says what happens *when* something happens. Nothing here waits, not even for the
first client; `reactor.run()` is the only line that takes time, and it serves any number of clients in this one thread.

    python3 -m examples.echo [ADDRESS]          then, elsewhere: nc 127.0.0.1 9000
"""
# mypy: allow-untyped-defs

import sys

from reactor import OptionError, Protocol, Reactor, listen


class Echo(Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


def main() -> None:
    address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9000"
    try:
        with Reactor() as reactor:
            server = listen(reactor, Echo, address)
            print(f"echo listens at {server.addresses[0]}; Ctrl-C ends it", flush=True)
            reactor.run()
    except KeyboardInterrupt:
        pass  # the way a server ends, and no failure: status 0
    except (OSError, OptionError) as error:
        sys.exit(f"echo: {error}")  # the address is in use, or is none: status 1


if __name__ == "__main__":
    main()
