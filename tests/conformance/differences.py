"""Where the reactor and asyncio differ: the one list of it.

The reactor speaks asyncio's vocabulary, so whoever knows that has to learn only this page. Each entry names the cases
of the kit that show the difference, and what they see when they run on asyncio's transports. The kit asserts that
they see exactly this: an entry that is no longer true fails, and a difference that is not listed here fails as well.
The table in the README is made from this list.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

__all__ = ["AGREES", "DIFFERENCES", "STALLED", "Difference", "listed", "markdown"]

STALLED = "nothing happens any more"
"""What a case has seen that waited for something in vain."""

AGREES = "what the reactor promises"
"""What a case has seen that passed: in the entries of what some release of asyncio has repaired, or may repair."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One row: who does what, why, and how the kit sees it.

    `seen` are the outcomes that releases of asyncio from `since` on are known to have; those before agree with the
    reactor.
    """

    cases: tuple[str, ...]
    seen: tuple[object, ...]
    asyncio: str
    reactor: str
    why: str
    since: tuple[int, int] = (3, 11)

    @property
    def applies(self) -> bool:
        """Whether this Python's asyncio is one that differs."""
        return sys.version_info >= self.since


DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        cases=("abort_shows_the_peer_a_reset",),
        seen=("clean",),
        asyncio="`abort()` closes the socket, which the peer takes for a clean end of the stream",
        reactor="`abort()` sends a reset; the peer gets `ConnectionResetError`",
        why="a cut stream must not look complete (RFC 9293, ABORT)",
    ),
    Difference(
        cases=("close_with_unread_input_loses_nothing",),
        seen=("ConnectionResetError",),
        asyncio="`close()` with unread input in the kernel resets the connection, and can destroy the last answer",
        reactor="`close()` ends the write side, discards input until the peer ends too, or the drain timeout passes",
        why="RFC 1122 section 4.2.2.13 makes the kernel reset otherwise",
    ),
    Difference(
        cases=(
            "two_ended_streams_are_an_ended_connection[the peer first]",
            "two_ended_streams_are_an_ended_connection[the near end first]",
        ),
        seen=(STALLED,),
        asyncio="when both directions have ended, the transport waits for `close()`",
        reactor="when both directions have ended, `connection_lost(None)` comes by itself",
        why="nothing can happen any more, and a forgotten `close()` would keep the descriptor",
    ),
    Difference(
        cases=tuple(
            f"a_mistake_ends_the_connection_with_itself[{callback}]"
            for callback in ("connection_made", "pause_writing", "resume_writing")
        ),
        seen=(STALLED,),
        asyncio="an exception in `connection_made`, `pause_writing` or `resume_writing` is reported, "
        "and the connection goes on",
        reactor="an exception in any callback is reported and ends the connection with that exception",
        why="a protocol that failed half-way cannot be trusted with the next callback",
    ),
    Difference(
        cases=("an_os_error_of_the_users_is_a_mistake_too",),
        seen=([],),
        asyncio="an `OSError` that a callback raises is taken for a network error, and not reported",
        reactor="whatever a callback raises is reported",
        why="a file that is missing is not a connection that was lost",
    ),
    Difference(
        cases=("nothing_is_being_read_after_the_end_of_the_stream",),
        seen=(True,),
        asyncio="`is_reading()` stays true after the end of the stream",
        reactor="`is_reading()` is false once nothing more can be delivered",
        why="it answers whether input can come",
    ),
    Difference(
        cases=("the_end_of_the_stream_is_told_once",),
        seen=(2,),
        asyncio="`pause_reading()` and `resume_reading()` after the end of the stream call `eof_received` again",
        reactor="`eof_received` comes at most once",
        why="a stream ends once",
    ),
    Difference(
        cases=("write_eof_to_a_peer_that_has_reset_does_not_raise",),
        seen=("OSError",),
        asyncio="`write_eof()` raises `OSError` if the peer has reset meanwhile",
        reactor="`write_eof()` returns; `connection_lost` tells",
        why="a network failure has one way to the protocol",
    ),
    Difference(
        cases=("a_write_after_close_is_ignored_while_bytes_wait",),
        seen=(5,),
        asyncio="a `write()` after `close()` is still sent if earlier bytes wait, otherwise dropped",
        reactor="a `write()` after `close()` is ignored",
        why="what happens must not depend on the peer's speed",
    ),
    Difference(
        cases=("every_method_is_harmless_after_the_end[slow close]",),
        seen=("AttributeError", AGREES),
        asyncio="`write()` and `abort()` raise `AttributeError` after a `close()` that had to wait for a slow peer",
        reactor="every method is harmless after `connection_lost`",
        why="the end comes from outside; nobody can check for it before each call",
    ),
    Difference(
        cases=("abort_inside[resume_writing]",),
        seen=(["AttributeError"], AGREES),
        asyncio="`abort()` inside `resume_writing` ends the connection twice, and reports an `AttributeError`",
        reactor="every method may be called inside every callback",
        why="that is where they are called",
    ),
    Difference(
        cases=("what_a_callback_writes_leaves_when_it_returns",),
        seen=([0, 0],),
        asyncio="`write()` inside a callback offers the bytes to the kernel at once",
        reactor="the writes of a connection's own callback leave together when it returns; "
        "`abort()` or an exception in the same callback drops them",
        why="ten answers to ten requests are one system call",
    ),
    Difference(
        cases=("marks_above_the_hard_limit_are_refused",),
        seen=(None,),
        asyncio="`set_write_buffer_limits()` takes any high-water mark; nothing bounds what waits",
        reactor="a high-water mark above `hard_limit` raises `OptionError`",
        why="memory is bounded, also for those who do not listen to `pause_writing`",
    ),
    Difference(
        cases=("a_reset_while_closing_is_told",),
        seen=("clean",),
        asyncio="`connection_lost(None)` follows `close()` as soon as the kernel has taken the last bytes",
        reactor="`connection_lost` waits for the peer's end, and tells a reset that comes instead",
        why="a reset can mean that the last bytes never arrived",
    ),
    Difference(
        cases=("a_mistake_after_a_close_is_told_too",),
        seen=("clean",),
        asyncio="an exception after `close()` in the same callback is reported, and `connection_lost` is told `None`",
        reactor="an exception is told, before `close()` or after it",
        why="one rule",
    ),
    Difference(
        cases=tuple(f"there_is_no_protocol_after_the_end[{method}]" for method in ("get_protocol", "set_protocol")),
        seen=(None,),
        asyncio="after `connection_lost`, `get_protocol()` is `None` and `set_protocol()` is ignored",
        reactor="after `connection_lost`, both raise `RuntimeError`",
        why="a protocol that would never be called is a mistake worth seeing",
    ),
    Difference(
        cases=("the_sockname_goes_with_the_descriptor",),
        seen=(False,),
        asyncio="`get_extra_info('sockname')` is kept after the end",
        reactor="`get_extra_info('sockname')` is asked from the kernel, and is the default after the end",
        why="memory: every connection would keep what few ask for",
    ),
    Difference(
        cases=tuple(f"a_view_with_gaps_is_sent_as_its_bytes[{method}]" for method in ("write", "writelines")),
        seen=("BufferError", "TypeError", AGREES),
        asyncio="a `memoryview` with gaps ends the connection with `BufferError`, or is refused with `TypeError`",
        reactor="a `memoryview` of any shape is sent as `tobytes()`",
        why="the type is allowed, so its values are",
    ),
    Difference(
        cases=("what_waits_is_never_aliased[write]", "what_waits_is_never_aliased[writelines]"),
        seen=(b"WRONG",),
        asyncio="a `bytearray` that waits is sent as it is when the kernel takes it",
        reactor="what `write()` was given is what is sent",
        why="a buffer that may be reused only at an unknown time cannot be reused",
        since=(3, 12),
    ),
    Difference(
        cases=("writelines_pauses_the_writer_too",),
        seen=(False, AGREES),
        asyncio="`writelines()` never calls `pause_writing` (3.12.0 to 3.12.8, 3.13.0 and 3.13.1)",
        reactor="`writelines()` is one `write()`",
        why="one way into the buffer, one check",
        since=(3, 12),
    ),
    Difference(
        cases=("writelines_after_close_is_ignored",),
        seen=("TypeError", 5, AGREES),
        asyncio="`writelines()` while a `close()` waits for a slow peer raises `TypeError` (3.11: is still sent)",
        reactor="`writelines()` after `close()` is ignored",
        why="as `write()` is",
    ),
    Difference(
        cases=("an_empty_chunk_among_lines_is_harmless",),
        seen=(STALLED, AGREES),
        asyncio="an empty chunk in `writelines()` is never sent off: the loop spins, and `close()` does not end",
        reactor="an empty chunk is nothing to send",
        why="it is nothing to send",
        since=(3, 12),
    ),
)


def listed(case: str) -> Difference | None:
    """The difference that `case` shows on this Python, if it shows one."""
    found = [difference for difference in DIFFERENCES if case in difference.cases and difference.applies]
    assert len(found) <= 1, f"{case} is listed more than once"
    return found[0] if found else None


def markdown() -> str:
    """The README's table."""
    rows = ["| asyncio | reactor | why |", "|---|---|---|"]
    for difference in DIFFERENCES:
        versions = f" (since {'.'.join(map(str, difference.since))})" if difference.since > (3, 11) else ""
        rows.append(f"| {difference.asyncio}{versions} | {difference.reactor} | {difference.why} |")
    return "\n".join(rows)
