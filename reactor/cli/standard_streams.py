"""Standard input and output, each as one direction of a conversation with a peer.

Three descriptors are not ours. Standard input, output and error were opened by somebody else, mostly a shell, and are
shared with it and with every program that it started beside us: several descriptors, one *open file description*
(open(2)). Whether calls block is kept in that description. So a program that makes its standard input non-blocking
(O_NONBLOCK) does that to the shell too, and to the next program, which dies of an EAGAIN that it has never heard of.
All the rest of this library stands on that flag, and here it is not to be had. These descriptors are left as they are
found, and that has to do for two things:

**Reading.** A terminal, a pipe or a socket is readable when a `read` will not block: the selector says when, and one
`read` is made each time. A regular file has nothing to wait for. It is always ready, and epoll refuses it
(epoll_ctl(2), EPERM), as it does /dev/null. So it is read in pieces, one in each tick, and between two of them
everybody else gets a turn. Either way nothing is read while the peer does not keep up. (Where others read from the
same terminal, one of them may be quicker, and then our `read` does block, until there is more.)

**Writing.** That a descriptor is writable does not say how much it takes: a blocking `write` of more returns when all
of it is gone. For a pipe there is a size that never blocks then, PIPE_BUF, 4 KiB on Linux (pipe(7)); but a terminal can
be stopped at any time with Ctrl-S, a socket promises no size, and a file can be on a slow disk. So a thread writes, and
waits if it must. While it has more before it than it is writing, the peer is not read, so memory stays bounded however
slow the reader is. (A pipe is written by the thread as well: twice the throughput of 4 KiB for each readiness.)

Nothing is closed here: what ends is the process.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import Enum

from reactor.errors import OptionError
from reactor.kernel.descriptors import is_readable, tells_when_its_reader_is_gone, write_all
from reactor.loop import Handle, Job, Reactor
from reactor.network import Transport

__all__ = ["MOST_WAITING", "PIECE", "StandardInput", "StandardOutput"]

PIECE = 256 * 1024
"""Bytes that one read of the standard input asks for."""

MOST_WAITING = 256 * 1024
"""Bytes. When more are waiting to be written, the peer is not read; one more read can have come before."""


class Reading(Enum):
    """What a standard input is there for."""

    ALL = "what is there, and what will come"
    READY = "what is there"
    NOTHING = "nothing"


class StandardInput:
    """Carries what comes in to a transport, and at the end of it ends the transport's writing half.

    One of these serves one peer. The next one's goes on where this one stopped, and if that was the end, finds it
    again; but a terminal's end (Ctrl-D) is only that of what was typed so far.
    """

    def __init__(
        self, reactor: Reactor, transport: Transport, failed: Callable[[BaseException], object], descriptor: int = 0
    ) -> None:
        """Begin paused: see `resume_reading`. A read that fails is the last one, and `failed(error)` is called."""
        self.taken = 0
        """Bytes that were read."""
        self._reactor = reactor
        self._transport = transport
        self._failed = failed
        self._descriptor = descriptor
        self._reading = Reading.ALL
        self._next: Handle | None = None  # the next read, where no selector says when that is

    def resume_reading(self) -> None:
        """The peer keeps up: go on."""
        if self._reading is Reading.ALL:
            try:
                self._reactor.add_reader(self._descriptor, self._read)
                return
            except OptionError:
                pass  # the selector refuses what is always ready
        if self._reading is not Reading.NOTHING and self._next is None:
            self._next = self._reactor.call_soon(self._read_on)

    def pause_reading(self) -> None:
        """The peer does not keep up: leave the rest where it is."""
        self._reactor.remove_reader(self._descriptor)
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def finish(self) -> None:
        """Wait for nothing any more: what is there goes to the peer, and then comes the end."""
        if self._reading is Reading.ALL:
            self._reading = Reading.READY
            if self._reactor.remove_reader(self._descriptor):  # not while it is paused
                self.resume_reading()

    def close(self) -> None:
        """Read nothing any more: the connection is over."""
        self._reading = Reading.NOTHING
        self.pause_reading()

    def has_ended(self) -> bool:
        """Whether nothing will be read any more."""
        return self._reading is Reading.NOTHING

    def _read_on(self) -> None:
        """Read a piece in each tick, until told otherwise."""
        self._next = self._reactor.call_soon(self._read_on)
        self._read()

    def _read(self) -> None:
        if self._transport.is_closing():  # and will say so: what is read now would be lost
            self.pause_reading()
            return
        try:
            if self._reading is Reading.ALL or is_readable(self._descriptor):
                data = os.read(self._descriptor, PIECE)
            else:
                data = b""
        except (BlockingIOError, InterruptedError):  # somebody else has made it non-blocking, and was quicker
            return
        except OSError as exc:
            self.close()
            self._failed(exc)
            return
        if data:
            self.taken += len(data)
            self._transport.write(data)
        else:
            self.close()
            self._transport.write_eof()


class StandardOutput:
    """Writes what came from a transport, and pauses that transport while there is too much of it."""

    def __init__(self, reactor: Reactor, failed: Callable[[BaseException], object], descriptor: int = 1) -> None:
        """Begin with nothing to write. If a write fails, or would because nobody is left to read, `failed(error)`."""
        self.written = 0
        """Bytes that have left."""
        self._reactor = reactor
        self._failed = failed
        self._descriptor = descriptor
        self._source: Transport | None = None
        self._chunks: list[bytes] = []  # what comes after that which the thread is writing
        self._size = 0  # of both
        self._job: Job | None = None
        self._all_written: Callable[[], object] | None = None
        if tells_when_its_reader_is_gone(descriptor):
            reactor.add_reader(descriptor, self._reader_gone)

    def serve(self, source: Transport) -> None:
        """What is written from now on comes from `source`."""
        self._source = source
        if self._size > MOST_WAITING:
            source.pause_reading()

    def write(self, data: bytes) -> None:
        """Write `data` after all that came before. Never blocks."""
        self._chunks.append(data)
        self._size += len(data)
        if self._size > MOST_WAITING and self._source is not None:
            self._source.pause_reading()
        self._write_on()

    def finish(self, all_written: Callable[[], object]) -> None:
        """There will be no more: call `all_written()` when what there is has left."""
        self._all_written = all_written
        self._write_on()

    def _write_on(self) -> None:
        if self._job is not None:
            return
        if self._chunks:
            data = b"".join(self._chunks)
            self._chunks.clear()
            self._job = self._reactor.run_in_executor(self._wrote, write_all, self._descriptor, data)
        elif self._all_written is not None:
            self._reactor.remove_reader(self._descriptor)
            self._all_written()

    def _wrote(self, size: int, error: BaseException | None) -> None:
        self._job = None
        if error is not None:
            self._fail(error)
            return
        self._size -= size
        self.written += size
        if self._size <= MOST_WAITING and self._source is not None:
            self._source.resume_reading()
        self._write_on()

    def _reader_gone(self) -> None:
        self._fail(BrokenPipeError())

    def _fail(self, error: BaseException) -> None:
        self._reactor.remove_reader(self._descriptor)
        self._chunks.clear()
        self._failed(error)
