"""`listen` and `connect`: whoever is slow makes the other side wait, and costs no memory."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reactor import ConnectionOptions, Reactor
from reactor.cli import relay
from tests.cli.commands import ANY_PORT, LARGE, Command, Listening, calling, in_thread

PIPE = subprocess.PIPE

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc to ask for memory")

TIMES = 20
"""How often LARGE is sent: 61 MB, of which the kernel holds 10 at most."""

ALLOWED = 4 * 1024 * 1024
"""Bytes. For each direction half a megabyte is kept, and allocators round up."""


def send_all(write: Callable[[bytes], Any]) -> None:
    """Write it all."""
    for _ in range(TIMES):
        write(LARGE)


def checksum_read_slowly(read: Callable[[int], bytes]) -> bytes:
    """The checksum of all of it, by a reader that takes longer for each piece than the sender does."""
    digest = hashlib.blake2b()
    for _ in range(TIMES):
        piece = read(len(LARGE))
        digest.update(piece)
        for _ in range(10):
            hashlib.blake2b(piece).digest()
    return digest.digest()


CHECKSUM = hashlib.blake2b(LARGE * TIMES).digest()


def test_a_slow_reader_of_the_output_makes_the_peer_wait() -> None:
    with Command("listen", ANY_PORT, stdin=PIPE) as command, calling(command.address()) as peer:
        before = command.peak_memory()
        sending = in_thread(send_all, peer.sendall)
        assert checksum_read_slowly(command.read) == CHECKSUM
        sending.join()
        assert command.peak_memory() - before < ALLOWED


@pytest.mark.parametrize("kind", ["pipe", "file"])
def test_a_slow_peer_makes_the_input_wait(kind: str, tmp_path: Path) -> None:
    with (tmp_path / "input").open("wb") as filling:
        send_all(filling.write)
    with (
        (tmp_path / "input").open("rb") as file,
        Listening() as host,
        subprocess.Popen(["cat"] if kind == "pipe" else ["true"], stdin=file, stdout=PIPE) as filled,
    ):
        stdin = filled.stdout if kind == "pipe" else file
        with Command("connect", host.address, stdin=stdin) as command, host.accept() as peer:
            before = command.peak_memory()
            with peer.makefile("rb") as received:
                assert checksum_read_slowly(received.read) == CHECKSUM
                assert command.peak_memory() - before < ALLOWED
                assert received.read() == b""


def test_no_deadline_ends_a_transfer(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[ConnectionOptions] = []

    def begin(*_: Any, options: ConnectionOptions, **__: Any) -> SimpleNamespace:
        given.append(options)
        return SimpleNamespace(addresses=[])

    monkeypatch.setattr(relay, "listen", begin)
    monkeypatch.setattr(relay, "connect", begin)
    with Reactor() as reactor:
        command = relay.Relay(reactor, "the test")
        command.listen(ANY_PORT, keep=False)
        command.connect(ANY_PORT)
    for options in given:
        assert (options.write_timeout, options.drain_timeout, options.idle_timeout) == (None, None, None)
    assert len(given) == 2
