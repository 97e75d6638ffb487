"""One send is not one receive: a bug that waits for a bad day, found on a good one.

The lesson: TCP carries a stream. A request that left in one piece may arrive in two, and a server that takes each piece
for a request gives two answers, both wrong. On a developer's machine that never happens: requests are short, loopback
is fast, and every test passes. So the test runs the unchanged protocol where it does happen, in a simulated network,
under a hundred seeds. One of them fails; of all that went wrong in it, what did not matter is taken away, and two
events are left: the part that arrived, and the rest.

    python3 -m examples.find_the_split

With Hypothesis the same test is `conversation(Simulation(data=data, profile=HOSTILE), Adding)` below
`@given(data=st.data())`, and it is Hypothesis that takes away: see tests/examples/test_simulations.py.
"""

from __future__ import annotations

import sys
from textwrap import indent

from reactor import FramedProtocol, LineCodec, Protocol, Transport, connect, listen
from reactor.simulation import CALM, HOSTILE, Simulation, check


class Adding(Protocol):
    """A server that adds up the numbers of a line. Wrong: it takes what one read brought for one request."""

    def connection_made(self, transport: Transport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(b"%d\n" % sum(map(int, data.split())))


class AddingLines(FramedProtocol[bytes]):
    """The same, repaired: a codec puts the pieces together, and the server sees nothing but whole lines."""

    codec = LineCodec(max_length=4096)

    def frame_received(self, frame: bytes) -> None:
        self.send(b"%d" % sum(map(int, frame.split())))


class Asking(FramedProtocol[bytes]):
    """A client with one question."""

    codec = LineCodec(max_length=4096)
    answer: bytes | None = None

    def connection_made(self, transport: Transport) -> None:
        super().connection_made(transport)
        self.send(b"12 30")

    def frame_received(self, frame: bytes) -> None:
        self.answer = frame
        self.close()


def conversation(sim: Simulation, adding: type[Protocol]) -> None:
    """The test: two hosts, one question, the right answer. It knows nothing of what may go wrong in between."""
    server = sim.host("server", "10.0.0.1")
    client = sim.host("client", "10.0.0.2")
    asking = Asking()
    listen(server.reactor, adding, "10.0.0.1:9000")
    connect(client.reactor, lambda: asking, "server:9000")
    sim.run(until=lambda: asking.answer is not None)
    assert asking.answer == b"42", f"12 + 30 = {asking.answer!r}"


def main() -> None:
    check(lambda sim: conversation(sim, Adding), profile=CALM)
    print("A hundred seeds on a quiet network: every sum is right. So far every test would pass.\n")

    runs: list[Simulation] = []

    def recorded(sim: Simulation) -> None:
        runs.append(sim)
        conversation(sim, Adding)

    try:
        check(recorded, profile=HOSTILE)
    except AssertionError as failure:
        print("The same hundred seeds on a hostile one:\n")
        print(indent("\n".join([f"AssertionError: {failure}", *failure.__notes__]), "  "))
    else:
        sys.exit("find_the_split: no seed has found it")

    print("\nAnd this is all that the server read then:\n")
    shortest = runs[-1]  # check() ends with it, and has it traced
    reads = [line for line in shortest.trace if line.host == "server" and line.what.startswith("recv(")]
    print(*(f"  {line}" for line in reads), sep="\n")
    print("\nThe part that arrived, and the rest. It gave each an answer: 1, and 2 + 30.\n")

    check(lambda sim: conversation(sim, AddingLines), profile=HOSTILE)
    print("The repaired server, on the hostile network, with the same hundred seeds: every sum is right.")


if __name__ == "__main__":
    main()
