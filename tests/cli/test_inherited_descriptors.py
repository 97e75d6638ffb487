"""The descriptors of others: what is asked of them, and that they are left as they were found."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from reactor.kernel.descriptors import is_readable, tells_when_its_reader_is_gone, write_all
from tests.cli.commands import LARGE, Command, Listening, Terminal, in_thread, receive


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Both ends; whoever closes one of them here puts a -1 in its place."""
    ends = os.pipe()
    with ExitStack() as stack:
        for end in ends:
            stack.callback(close, end)
        yield ends


def close(descriptor: int) -> None:
    try:
        os.close(descriptor)
    except OSError:
        pass  # the test has done so


def flags(descriptor: int) -> int:
    """The flags of the open file description, which all share who have inherited it (fcntl(2), F_GETFL)."""
    return fcntl.fcntl(descriptor, fcntl.F_GETFL)


def read_all(descriptor: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += os.read(descriptor, size - len(data))
    return data


# --- The whole program ------------------------------------------------------------------------------------------------


def two_pipes(folder: Path, stack: ExitStack) -> tuple[int, int, int]:
    """Descriptors for standard input, standard output, and one to feed the former by."""
    stdin, feed = os.pipe()
    output, stdout = os.pipe()
    for descriptor in (stdin, feed, output, stdout):
        stack.callback(close, descriptor)
    return stdin, stdout, feed


def two_sockets(folder: Path, stack: ExitStack) -> tuple[int, int, int]:
    near, far = (stack.enter_context(sock) for sock in socket.socketpair())
    return near.fileno(), near.fileno(), far.fileno()


def two_files(folder: Path, stack: ExitStack) -> tuple[int, int, int]:
    (folder / "input").write_bytes(b"hello\n")
    stdin = stack.enter_context((folder / "input").open("rb"))
    stdout = stack.enter_context((folder / "output").open("wb"))
    return stdin.fileno(), stdout.fileno(), -1


def a_terminal(folder: Path, stack: ExitStack) -> tuple[int, int, int]:
    terminal = stack.enter_context(Terminal())
    return terminal.program_end, terminal.program_end, terminal.keyboard


@pytest.mark.parametrize("streams", [two_pipes, two_sockets, two_files, a_terminal])
@pytest.mark.parametrize("found", [0, os.O_NONBLOCK])
def test_the_flags_of_standard_input_and_output_are_never_changed(
    streams: Callable[[Path, ExitStack], tuple[int, int, int]], found: int, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        stdin, stdout, feed = streams(tmp_path, stack)
        for descriptor in (stdin, stdout):
            fcntl.fcntl(descriptor, fcntl.F_SETFL, flags(descriptor) & ~os.O_NONBLOCK | found)
        before = flags(stdin), flags(stdout)
        host = stack.enter_context(Listening())
        command = stack.enter_context(Command("connect", host.address, stdin=stdin, stdout=stdout))
        peer = stack.enter_context(host.accept())
        assert (flags(stdin), flags(stdout)) == before
        if feed >= 0:
            os.write(feed, b"hello\n")
        peer.sendall(b"world\n")
        assert receive(peer, 6) == b"hello\n"
        assert (flags(stdin), flags(stdout)) == before
        command.interrupt()
        assert command.process.returncode == 130
        assert (flags(stdin), flags(stdout)) == before


def test_streams_that_are_found_non_blocking_carry_every_byte() -> None:
    far, near = socket.socketpair()
    near.setblocking(False)
    with (
        far,
        near,
        Listening() as host,
        Command("connect", host.address, stdin=near, stdout=near) as command,
        host.accept() as peer,
    ):
        sending = [in_thread(far.sendall, LARGE), in_thread(peer.sendall, LARGE)]
        assert receive(peer, len(LARGE)) == LARGE
        assert receive(far, len(LARGE)) == LARGE
        for thread in sending:
            thread.join()
        far.shutdown(socket.SHUT_WR)
        peer.close()
        assert command.finish() == (0, b"", "")


# --- The parts --------------------------------------------------------------------------------------------------------


def test_write_all_writes_more_than_fits_and_says_how_much(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    written: list[int] = []
    writing = in_thread(lambda: written.append(write_all(writer, LARGE)))
    assert read_all(reader, len(LARGE)) == LARGE
    writing.join()
    assert written == [len(LARGE)]


def test_write_all_waits_also_where_the_descriptor_is_non_blocking(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.set_blocking(writer, False)
    writing = in_thread(write_all, writer, LARGE)
    assert read_all(reader, len(LARGE)) == LARGE
    writing.join()


def test_write_all_raises_what_the_system_says(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        write_all(writer, b"hello")


def test_is_readable_says_whether_a_read_would_give_something(pipe: tuple[int, int], tmp_path: Path) -> None:
    reader, writer = pipe
    assert not is_readable(reader)
    os.write(writer, b"hello")
    assert is_readable(reader)
    os.read(reader, 5)
    assert not is_readable(reader)
    os.close(writer)
    assert is_readable(reader)  # the end
    (tmp_path / "empty").touch()
    with (tmp_path / "empty").open("rb") as file:
        assert is_readable(file.fileno())


def test_only_the_writing_end_of_a_pipe_tells_when_its_reader_is_gone(pipe: tuple[int, int], tmp_path: Path) -> None:
    reader, writer = pipe
    assert tells_when_its_reader_is_gone(writer)
    assert not tells_when_its_reader_is_gone(reader)
    with (tmp_path / "file").open("wb") as file:
        assert not tells_when_its_reader_is_gone(file.fileno())
    near, far = socket.socketpair()
    with near, far:
        assert not tells_when_its_reader_is_gone(near.fileno())
    os.mkfifo(tmp_path / "fifo")
    both_ends = os.open(tmp_path / "fifo", os.O_RDWR)  # is readable when something was written
    try:
        assert not tells_when_its_reader_is_gone(both_ends)
    finally:
        os.close(both_ends)
