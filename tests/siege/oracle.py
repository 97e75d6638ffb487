"""What must hold: the oracle that is asked after every tick and after every step.

It compares what the engine says of itself (its counters, what it watches, its timers, its descriptors) with what can be
counted from outside, and what was asked with what was answered. It looks into the engine's private parts on purpose: a
counter that is wrong today loses a connection tomorrow, and tomorrow is hard to explain.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from reactor import Connection, LimitError
from reactor.network.acceptor import Accepting, Acceptor
from reactor.network.connector import Connecting
from reactor.network.receiver import Intake, Receiver
from reactor.network.sender import Flow, Sender
from reactor.network.server import ServerState
from reactor.network.states import State
from reactor.network.sweep import Sweep
from tests.siege.peers import End, Framed, Link

if TYPE_CHECKING:
    from tests.siege.machine import Machine
    from tests.siege.world import World

__all__ = ["Oracle"]

LATE = 1.0  # seconds within which everything is done that is due, on a slow machine too
PATIENCE = {"soon": LATE, "signal": LATE, "timer": LATE, "job": 120.0}
FRUITLESS = 300  # ticks in a row that change nothing, while no time passes
# Spelled out, not imported: a mistake in the engine's own sets must not be the oracle's as well.
DELIVERING = (State.OPEN, State.ENDING, State.ENDED)
DISCARDING = (State.FLUSHING, State.DRAINING)
RETRY = 1.0  # seconds after which an acceptor without descriptors tries again, whatever happens
OF_EVENTS = ("_readable", "_readable_into", "_discard", "flush")
LEAVING = (State.ENDING, State.FLUSHING, State.FINISHING)  # once all that waits has left
REFUSED = (Flow.BLOCKED, Flow.CONGESTED)


class Oracle:
    """Knows what must hold in one siege."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.must, self.violated = world.must, world.violated

    # --- After a tick, and after each step --------------------------------------------------------------------------

    def tick(self, machine: Machine) -> None:
        """A tick is over."""
        self.look(machine)
        for connection in connections(machine):
            if connection.state is not State.CLOSED and connection._sender is not None:
                gathered = connection._sender.flow is Flow.GATHERED and not machine.reactor._tick_end
                self.must(not gathered, f"{connection}: gathered output was left behind")
        self.must(not machine.reactor._timers._due, f"{machine.name}: timers that are due were left behind")
        fingerprint = (machine.calls, machine.now(), sum(end.left for end in machine.ends), len(machine.ends))
        machine.fruitless = machine.fruitless + 1 if fingerprint == machine.fingerprint else 0
        machine.fingerprint = fingerprint
        self.must(machine.fruitless < FRUITLESS, f"{machine.name} spins: {FRUITLESS} ticks changed nothing")

    def look(self, machine: Machine) -> None:
        """Everything that must hold between two callbacks."""
        if machine.up:
            machine.ends = [end for end in machine.ends if end.stage not in ("over", "dead")]
            for end in machine.ends:
                self._observe(end)
            for connection in connections(machine):
                self._connection(connection)
            self._servers(machine)
            self._interest(machine)
            self._timers(machine)
            self._budgets(machine)

    def dispatched(self, call: Any) -> None:
        """A callback is about to be called: an event must not reach a connection that has closed its descriptor."""
        half = getattr(call, "__self__", None)
        if isinstance(half, Receiver | Sender) and call.__name__ in OF_EVENTS:
            connection = getattr(half, "_connection", None)
            closed = connection is None or connection.state is State.CLOSED
            self.must(not closed, f"{connection} is closed, and {call.__name__} is called")

    def step(self) -> None:
        """A step is over, and time has passed: nobody may be late."""
        for machine in self.world.machines:
            if machine.up:
                self.look(machine)
                self._latecomers(machine)

    def _observe(self, end: End) -> None:
        """Take down what happened since, for the deadlines."""
        transport, now = end.transport, end.machine.now()
        if transport is None or end.link is None:
            return
        assert isinstance(transport, Connection)
        unsent = transport.get_write_buffer_size()
        left = end.outgoing.written - unsent
        if left > end.left:
            end.last_output = end.progress = now
        elif unsent and not end.unsent:
            end.progress = now
        end.left, end.unsent = max(left, end.left), unsent
        chunk, copy = end.chunk
        end.must(chunk == copy, "a chunk was changed after it was given")
        if end.kept and transport.is_closing() and transport._reason is None and not end.asked:
            aborted = any("aborted" in taint for taint in end.link.taints)
            end.must(aborted, "the peer has ended, and this end may not go on, as it wished to")
        held = decoded(transport)
        if held > end.held:
            end.last_input = now  # a part of a frame, of which nobody was told
        end.held = held
        waiting = transport._receiver.is_waiting()
        if waiting and not end.waiting:
            end.not_waiting = now
        end.waiting = waiting
        if not end.closing:
            end.closing, end.closing_since = transport.is_closing(), now

    def _connection(self, connection: Connection) -> None:
        sender, receiver, options = connection._sender, connection._receiver, connection.options
        end: End = connection.get_protocol().end  # type: ignore[attr-defined]
        if connection.state in LEAVING:
            end.must(connection._waiting() > 0, f"{connection} has nothing to wait for")
        if receiver._unread is not None and connection.recipient is not None:
            end.must(receiver._redelivering, "input that was given back waits for nothing")
        held = len(receiver._unread or b"") + decoded(connection)
        if end.link is not None:
            most = max(options.read_size, end.link.codec.max_size + 7) + end.extra
            end.must(held <= most, f"{held} bytes of input are held, at most {most} may be")
        if sender is None:
            return
        buffer, flow = sender.buffer, sender.flow
        end.must(buffer.size == len(buffer._head) + sum(map(len, buffer._later or ())), f"{buffer} counts wrong")
        if connection.state is State.CLOSED:
            end.must(buffer.size == 0, f"{buffer.size} bytes are kept behind the end")
            return
        end.must((flow is Flow.CONGESTED) == end.congested, f"{flow}, and pause_writing was {end.congested}")
        if flow in REFUSED:
            end.must(buffer.size > 0, "waits for room, with nothing to send")
            if not connection.is_closing():
                low, high = (0, sender.marks.high) if flow is Flow.BLOCKED else (sender.marks.low + 1, 1 << 40)
                end.must(low <= buffer.size <= high, f"{flow} with {buffer.size} bytes, {sender.marks}")
                end.must(buffer.size <= options.hard_limit, f"{buffer.size} bytes, hard_limit={options.hard_limit}")
        elif flow is Flow.FREE:
            end.must(buffer.size == 0, f"{buffer.size} bytes wait for nothing")

    def _servers(self, machine: Machine) -> None:
        for service in list(machine.services):
            server = service.server
            ended = sum(server.ended.values())
            count = len(server.connections)
            if server.accepted != ended + count:
                self.violated(f"{server} has lost count: {server.accepted}, {ended}, {count}")
            if count > server.max_connections:
                self.violated(f"{server} has {count} connections, at most {server.max_connections} are allowed")
            if server.ended != service.lost:
                self.violated(f"{server} counts {server.ended}, and its protocols were told {service.lost}")
            wants = server.state is ServerState.LISTENING and count < server.max_connections
            for acceptor in server._acceptors:
                self._exhaustion(machine, acceptor)
                if wants != (acceptor.state in (Accepting.WATCHING, Accepting.EXHAUSTED)):
                    self.violated(f"{server} with {count} connections: {acceptor.state}")
            if server.state is ServerState.ENDED and (service.drain_at is None or service.drained):
                machine.services.remove(service)

    def _exhaustion(self, machine: Machine, acceptor: Acceptor) -> None:
        """Without descriptors an acceptor waits: for a second, or until one comes free."""
        timer, now = acceptor._retry, machine.now()
        if acceptor.state is not Accepting.EXHAUSTED:
            machine.exhausted.pop(acceptor, None)
        elif machine.exhausted.get(acceptor, (None, 0.0))[0] is not timer:
            machine.exhausted[acceptor] = (timer, now)
        self.must((acceptor, timer) not in machine.freed or timer is None, f"{acceptor.address} did not try again")

    def descriptor_comes_free(self, machine: Machine) -> None:
        """A connection gives up its descriptor: who waits for one tries again."""
        acceptors = [acceptor for service in machine.services for acceptor in service.server._acceptors]
        machine.freed = [(each, each._retry) for each in acceptors if each.state is Accepting.EXHAUSTED]

    # --- The reactor's own books --------------------------------------------------------------------------------------

    def _interest(self, machine: Machine) -> None:
        """What is watched is what is wanted; what is open is what belongs to somebody."""
        reactor = machine.reactor
        wanted = {reactor._wakeup.fileno(): (True, False)}
        opened: list[int] = []
        for connection in connections(machine):
            if connection.state is State.CLOSED:
                continue
            fd = connection.socket.fileno()
            opened.append(fd)
            reads = connection.state in DISCARDING or (
                connection.state in DELIVERING
                and connection._receiver.intake is not Intake.PAUSED
                and connection._receiver._unread is None
            )
            writes = connection._sender is not None and connection._sender.flow in REFUSED
            wanted[fd] = (reads, writes)
        for service in machine.services:
            for acceptor in service.server._acceptors:
                opened.append(acceptor._socket.fileno())
                wanted[opened[-1]] = (acceptor.state is Accepting.WATCHING, False)
        for attempt in machine.attempts:
            connector = attempt.connector
            if connector is None:
                continue
            sock = connector._socket
            if connector.state in (Connecting.RESOLVING, Connecting.CONNECTING):
                self.must(sock is not None or connector._pending is not None, f"{connector} waits for nothing")
            if sock is not None:
                opened.append(sock.fileno())
                wanted[opened[-1]] = (False, True)
        for watch in machine.raws:
            opened.append(watch.sock.fileno())
            wanted[opened[-1]] = (watch.reading, watch.writing)
            if watch.partner is not None:
                opened.append(watch.partner.fileno())
        keys = reactor._readiness._keys
        watched = {fd: (key.data.reader is not None, key.data.writer is not None) for fd, key in keys.items()}
        told = {fd: (bool(key.events & 1), bool(key.events & 2)) for fd, key in keys.items()}
        wanted = {fd: interest for fd, interest in wanted.items() if any(interest)}
        if watched != wanted:
            self.violated(f"{machine.name} watches {watched}, and wants {wanted}")
        if told != wanted:
            self.violated(f"{machine.name}'s selector watches {told}, and wants {wanted}")
        files = sorted(machine.host.kernel.process.files.keys() - machine.opened_at_boot)
        if files != sorted(opened):
            self.violated(f"{machine.name} has {files} open, and knows of {sorted(opened)}")

    def _timers(self, machine: Machine) -> None:
        queue = machine.reactor._timers
        heap = queue._heap
        empty = sum(entry[2]._queue is None for entry in heap)
        self.must(queue._cancelled == empty, f"{queue._cancelled} timers are cancelled, {empty} in the heap")
        self.must(all(heap[(i - 1) // 2][:2] <= heap[i][:2] for i in range(1, len(heap))), "the heap is none")
        known = sum(request.kind == "timer" for request in machine.waiting.values()) + len(machine.beats)
        known += sum(attempt.connector is not None and attempt.connector._timer is not None
                     for attempt in machine.attempts)  # fmt: skip
        for service in machine.services:
            known += service.server.state is ServerState.DRAINING and service.server._drain_timer is not None
            known += sum(acceptor._retry is not None for acceptor in service.server._acceptors)
        for key, sweep in machine.reactor.shared.items():
            known += isinstance(key, tuple) and key[0] is Sweep and sweep._timer is not None
        self.must(len(queue) == known, f"{machine.name} has {len(queue)} timers, {known} were set")

    def _budgets(self, machine: Machine) -> None:
        held = dict.fromkeys(map(id, machine.budgets), 0)
        for connection in connections(machine):
            budget = connection.options.budget
            if budget is not None:
                unread = len(connection._receiver._unread or b"")
                held[id(budget)] += connection._waiting() + unread + decoded(connection)
        for budget in machine.budgets:
            self.must(budget.used == held[id(budget)], f"{budget}, and {held[id(budget)]} are held")
            self.must(budget.used <= budget.limit, f"{budget} is overdrawn")

    # --- Who is late --------------------------------------------------------------------------------------------------

    def _latecomers(self, machine: Machine) -> None:
        now = machine.now()
        for request in machine.waiting.values():
            late = now - request.due
            patience = PATIENCE[request.kind]
            self.must(late <= patience, f"{request.kind} {request.number} on {machine.name}: {late} s late")
        for attempt in list(machine.attempts):
            timeout = attempt.options.connect_timeout
            if attempt.state == "pending":
                waited = now - attempt.since
                self.must(timeout is None or waited <= timeout + LATE, f"{attempt.connector} after {waited} s")
            elif attempt.connector is None or attempt.connector.connection is None:
                machine.attempts.remove(attempt)
        for service in machine.services:
            late = now - (service.drain_at or now)
            self.must(late <= 2 * LATE or service.drained, f"{service.server} is not drained, {late} s late")
        for acceptor, (_, since) in machine.exhausted.items():
            waits = acceptor.state is Accepting.EXHAUSTED
            self.must(not waits or now - since <= RETRY + LATE, f"{acceptor.address} waits since {since}")
        for end in machine.ends:
            self._deadlines(end, now)

    def _deadlines(self, end: End, now: float) -> None:
        transport, options = end.transport, end.options
        if transport is None:
            return
        assert isinstance(transport, Connection)
        if transport.is_closing():
            late = now - end.closing_since - 1.1 * (options.drain_timeout or 1e9)
            end.must(late <= LATE, f"drain_timeout={options.drain_timeout} is {late} s late")
            return
        if options.idle_timeout is not None and end.waiting:
            late = now - max(end.last_input, end.last_output, end.not_waiting) - 1.1 * options.idle_timeout
            end.must(late <= LATE, f"idle_timeout={options.idle_timeout} is {late} s late")
        if options.write_timeout is not None and end.unsent:
            late = now - end.progress - 1.1 * options.write_timeout
            end.must(late <= LATE, f"write_timeout={options.write_timeout} is {late} s late")

    # --- The end of a stream, and of a link ---------------------------------------------------------------------------

    def eof(self, end: End) -> None:
        """The end of a stream came: so must have all of it."""
        assert end.link is not None
        writer = end.link.ends.get("client" if end.role == "server" else "server")
        if writer is None or writer.stage == "dead":
            return
        stream = end.incoming
        self_ended = writer.transport is None or writer.transport.is_closing() or "write_eof" in writer.asked
        end.must(self_ended, "received the end of a stream that has none")
        ends = {stream.written}
        reason = writer.lost_with if writer.transport is None else writer.transport._reason  # type: ignore[attr-defined]
        if isinstance(reason, LimitError):
            ends.update(stream.cuts)  # what was too much was not taken
        if end.framed():
            ends = {stream.boundary_before(position) for position in ends}
        whole = stream.received in ends
        end.must(whole, f"the stream ended after {stream.received} of {stream.written} bytes; {end.link.taints}")

    def ended(self, end: End) -> None:
        """connection_lost was called: if this was the second one, judge the link."""
        if end.link is not None and len(end.link.ends) == 2 and end.link.over() and not end.link.taints:
            self.judge(end.link)

    def judge(self, link: Link) -> None:
        """Nothing was done to it that may cost a byte: has it ended as it should?"""
        for end in link.ends.values():
            fine = end.lost_with is None or end.lost_with in end.reasons
            end.must(fine, f"ended with {end.lost_with!r}, and nobody did anything to it")
            end.must(end.saw_eof or "close" in end.asked, "ended without the end of its stream")


def decoded(connection: Connection) -> int:
    """Bytes that a decoder holds: counted, not believed."""
    protocol = connection.get_protocol()
    if not isinstance(protocol, Framed) or protocol._decoder is None:
        return 0
    buffer = protocol._decoder._buffer  # type: ignore[attr-defined]
    size: int = len(buffer._data) - buffer._start
    protocol.end.must(buffer.size == size, f"{buffer} counts wrong: {size}")
    return size


def connections(machine: Machine) -> Iterator[Connection]:
    """All that are not over, `connection_lost` included."""
    for service in machine.services:
        yield from service.server.connections
    for attempt in machine.attempts:
        if attempt.connector is not None and attempt.connector.connection is not None:
            yield attempt.connector.connection


