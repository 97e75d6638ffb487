"""`listen` and `connect`: what is typed on one side appears on the other.

A relay stands between the standard streams of this process and a peer. Both directions are open at once, and each ends
by itself:

    standard input   -->  the peer    the end of the input becomes the end of what the peer receives (TCP: FIN); what
                                      the peer still has to say is waited for
    standard output  <--  the peer    the peer's end ends the output; what is still to come from the input goes out

Only when both have ended is the conversation over. TCP does not tell a peer that has left from one that has said all it
had to say; that shows when something more is sent to it.

**One after the other.** Without `keep` the first peer is the only one: the listening socket is closed, and who comes
later is refused. With `keep` the others wait in the kernel's backlog. There an input that does not end must not make
them wait for ever, so a peer that has ended gets what input there is by then, and it is the next one's turn. The input
is one stream: what one peer was sent, the next one does not get.

**Bounds.** In each direction no more than half a megabyte is on its way in here. Whoever is slow makes the other side
wait, and may be so for as long as he likes: no deadline ends a transfer. Ctrl-C does.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from reactor.cli.progress import Progress
from reactor.cli.screen import complain
from reactor.cli.standard_streams import StandardInput, StandardOutput
from reactor.kernel.descriptors import is_open, occupy_standard_descriptors
from reactor.loop import Reactor
from reactor.network import ConnectionOptions, Protocol, Server, Transport, connect, listen
from reactor.network.address import format_address

__all__ = ["Relay", "run_connect", "run_listen"]

_PATIENT = ConnectionOptions(write_timeout=None, drain_timeout=None)

_ENDING = (signal.SIGTERM, signal.SIGHUP) if os.name == "posix" else ()
"""Besides Ctrl-C. The kernel's own way to end a program would close its sockets as if all had been said."""

_UNHEARD = 141
"""The exit status when nobody reads the output any more: 128 and the number of SIGPIPE, as shells have it."""


def run_listen(address: str, *, keep: bool = False, progress: bool = False) -> int:
    """Relay to the first peer that comes to `address`, or to one after the other, and return the exit status.

    Raises what `reactor.listen` does if it cannot listen there, and `KeyboardInterrupt` as it comes.
    """
    return _run("listen", lambda relay: relay.listen(address, keep), progress)


def run_connect(address: str, *, progress: bool = False) -> int:
    """Relay to the peer at `address`, and return the exit status.

    Raises `OptionError` for an address that cannot be, and `KeyboardInterrupt` as it comes.
    """
    return _run("connect", lambda relay: relay.connect(address), progress)


def _run(name: str, begin: Callable[[Relay], None], progress: bool) -> int:
    if os.name != "posix":  # select(2) on Windows is for sockets alone
        raise OSError("standard input and output cannot be watched on this system")
    if not is_open(1):
        raise OSError("standard output is closed (to throw away what comes, say >/dev/null)")
    occupy_standard_descriptors()
    with Reactor() as reactor:
        relay = Relay(reactor, f"python3 -m reactor {name}")
        begin(relay)
        for signum in _ENDING:
            if signal.getsignal(signum) is not signal.SIG_IGN:  # as under nohup(1)
                reactor.add_signal_handler(signum, relay.terminated, signum)
        if progress:
            relay.progress.start()
        try:
            reactor.run()
        finally:
            relay.progress.conclude()
    return relay.status


class Relay:
    """One run of a command: the standard streams, the peer whose turn it is, and what comes of it."""

    def __init__(self, reactor: Reactor, name: str) -> None:
        """What goes wrong is said on standard error, as `name`."""
        self.reactor = reactor
        self.output = StandardOutput(reactor, self._output_failed)
        self.progress = Progress(reactor, self._carried)
        self.status = 0
        """The exit status."""
        self._name = name
        self._keep = False
        self._server: Server | None = None  # while it listens
        self._turn: Turn | None = None
        self._sent_before = 0  # bytes, to the peers before this one

    def listen(self, address: str, keep: bool) -> None:
        """Wait for peers."""
        self._keep = keep
        self._server = listen(self.reactor, lambda: Turn(self), address, options=_PATIENT, max_connections=1)
        complain(f"listening at {', '.join(self._server.addresses)}")

    def connect(self, address: str) -> None:
        """Go to one."""
        connect(self.reactor, lambda: Turn(self), address, options=_PATIENT, on_failure=self._not_connected)

    def _carried(self) -> tuple[int, int]:
        """Bytes sent and received so far."""
        return self._sent_before + (0 if self._turn is None else self._turn.sent()), self.output.written

    # --- A peer's turn --------------------------------------------------------------------------------------------

    def begin(self, turn: Turn) -> None:
        """Somebody is there."""
        self._turn = turn
        self.output.serve(turn.transport)
        if not self._keep:
            self._listen_no_longer()

    def received(self, data: bytes) -> None:
        """The peer has sent something."""
        self.progress.make_way(data)
        self.output.write(data)

    def peer_ended(self, turn: Turn) -> None:
        """It will send no more."""
        if self._keep:
            turn.input.finish()
        elif os.isatty(0) and not turn.input.has_ended():
            self.progress.clear()
            complain("the peer has ended; Ctrl-D ends this side too")

    def end(self, turn: Turn, error: BaseException | None) -> None:
        """The turn is over."""
        self._sent_before += turn.input.taken
        self._turn = None
        if error is not None:
            self._fail(f"{turn.peer}: {_reason(error)}")
        if self._server is None:
            self.output.finish(self.reactor.stop)

    # --- What can go wrong ----------------------------------------------------------------------------------------

    def input_failed(self, error: BaseException) -> None:
        """There is no more to be had from standard input, and that was not its end: no peer must take it for that."""
        self._fail(f"cannot read standard input: {_reason(error)}")
        self._listen_no_longer()
        if self._turn is not None:
            self._turn.transport.abort()

    def terminated(self, signum: signal.Signals) -> None:
        """Somebody wants this to end now, and the peer must not take that for the end of what there is."""
        self.progress.clear()
        complain("terminated")
        self.status = 128 + signum
        self.reactor.stop()  # as in `_output_failed`

    def _output_failed(self, error: BaseException) -> None:
        if isinstance(error, BrokenPipeError):
            self.status = _UNHEARD
        else:
            self._fail(f"cannot write standard output: {_reason(error)}")
        self.reactor.stop()  # which leaves the rest of it to the end of the reactor: the peer sees a reset

    def _not_connected(self, error: BaseException) -> None:
        self._fail(_reason(error))
        self.reactor.stop()

    def _fail(self, what: str) -> None:
        self.progress.clear()
        complain(f"{self._name}: {what}")
        self.status = 1

    def _listen_no_longer(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None


class Turn(Protocol):
    """One peer's turn: what it sends goes to the standard output, and the standard input goes to it."""

    transport: Transport
    input: StandardInput
    peer: str

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def sent(self) -> int:
        """Bytes that have left for the peer."""
        return self.input.taken - self.transport.get_write_buffer_size()

    def connection_made(self, transport: Transport) -> None:
        self.transport = transport
        self.peer = format_address(transport.get_extra_info("peername"))
        self.input = StandardInput(self._relay.reactor, transport, self._relay.input_failed)
        self.input.resume_reading()
        self._relay.begin(self)

    def data_received(self, data: bytes) -> None:
        self._relay.received(data)

    def eof_received(self) -> bool:
        self._relay.peer_ended(self)
        return True

    def pause_writing(self) -> None:
        self.input.pause_reading()

    def resume_writing(self) -> None:
        self.input.resume_reading()

    def connection_lost(self, exc: BaseException | None) -> None:
        self.input.close()
        self._relay.end(self, exc)


def _reason(error: BaseException) -> str:
    """What an error says, without its number."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
