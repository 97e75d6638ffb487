"""A key-value server that Redis' own tools and clients can talk to: values, expiry, publish and subscribe.

    python3 -m examples.key_value [ADDRESS]         then, elsewhere: redis-cli -p 6380
                                                    or redis-benchmark -p 6380 -t ping,set,get,incr,mset -q

Without such tools, `nc 127.0.0.1 6380` will do: type `set greeting "hello there"`, then `get greeting`. The Python
package `redis` has to be told that version 2 of the protocol is spoken, and that there are no transactions:
`redis.Redis(port=6380, protocol=2)`, and its `pipeline(transaction=False)`.

The lesson: a protocol of the real world takes a codec, which is `RespCodec`, and six small files:

    client.py       one client: requests in, answers out, and what becomes of those who are slow
    commands.py     what a command is: a function, and its number of arguments
    database.py     what the server knows, in bounded memory: values that may expire, and who listens
    values.py, channels.py, about.py       the commands

Here they are put together, and what a server owes to everybody is decided. Whoever connects takes some of its memory,
so each part of that has an end: what waits for one client, what is held for all of them, and what is stored. It has an
end in time as well: a request that was begun has to be complete within a minute (`client.py`). And when the server is
told to end, by Ctrl-C or SIGTERM, each client first gets the answers that are due, and the end of the stream.
"""

from __future__ import annotations

import signal
import sys

from examples.key_value import about, channels, values
from examples.key_value.client import Client
from examples.key_value.database import Database
from reactor import Budget, ConnectionOptions, OptionError, Reactor, Server, listen

COMMANDS = values.COMMANDS | channels.COMMANDS | about.COMMANDS
MOST_WAITING = 4 * 1024 * 1024  # bytes for one client; more than the longest answer
MOST_HELD = 64 * 1024 * 1024  # bytes for all of them: answers that wait, requests that are not complete
SWEEP_EVERY = 0.1  # seconds
LOOK_EVERY = 5.0  # seconds, for those who do not complete their request
GRACE = 5.0  # seconds to take the last answers
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve(reactor: Reactor, address: str) -> Server:
    """Listen, until a signal says to end."""
    database = Database(reactor.time)
    options = ConnectionOptions(hard_limit=MOST_WAITING, budget=Budget(MOST_HELD))
    server = listen(reactor, lambda: Client(COMMANDS, database), address, options=options)

    def look() -> None:
        for connection in list(server.connections):
            client = connection.get_protocol()
            if isinstance(client, Client):
                client.abort_if_late()

    chores = reactor.call_every(SWEEP_EVERY, database.sweep), reactor.call_every(LOOK_EVERY, look)

    def end() -> None:
        for signum in SIGNALS:
            reactor.remove_signal_handler(signum)  # a second Ctrl-C does not wait
        for chore in chores:
            chore.cancel()
        server.drain(GRACE)

    for signum in SIGNALS:
        reactor.add_signal_handler(signum, end)
    return server


def main() -> None:
    address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:6380"
    try:
        with Reactor() as reactor:
            server = serve(reactor, address)
            print(f"key_value listens at {server.addresses[0]}; Ctrl-C ends it", flush=True)
            reactor.run()
    except KeyboardInterrupt:
        sys.exit(130)  # the second one
    except (OSError, OptionError) as error:
        sys.exit(f"key_value: {error}")


if __name__ == "__main__":
    main()
