"""Several reactors share the signals of one process, and need not end in the order in which they came."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterator
from itertools import permutations

import pytest

from reactor.kernel.signals import SystemSignals
from reactor.kernel.wakeup import SystemWakeup

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

SHARED = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


class Party:
    """One of those who want signals."""

    def __init__(self) -> None:
        self.wakeup = SystemWakeup()
        self.signals = SystemSignals(self.wakeup)

    def heard(self) -> list[int]:
        return self.signals.take(self.wakeup.drain())

    def close(self) -> None:
        self.signals.close()
        self.wakeup.close()


@pytest.fixture(autouse=True)
def before() -> Iterator[list[object]]:
    """The handlers of the process; afterwards they are these again, whatever the test did."""
    found: list[object] = [signal.getsignal(signum) for signum in SHARED]
    if found[0] is not signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have started us in the background
    yield [signal.getsignal(signum) for signum in SHARED]
    signal.set_wakeup_fd(-1)
    for signum, handler in zip(SHARED, found, strict=True):
        signal.signal(signum, handler)  # type: ignore[arg-type]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_in_whichever_order_they_end_every_handler_is_put_back(before: list[object], order: tuple[int, ...]) -> None:
    parties = [Party() for _ in order]
    for party in parties:
        party.signals.add(signal.SIGTERM)
        assert party.signals.guard_interrupt()
    for index in order:
        parties[index].close()
    assert [signal.getsignal(signum) for signum in SHARED] == before
    assert signal.set_wakeup_fd(-1) == -1


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_those_that_are_left_go_on_to_hear_their_signals(order: tuple[int, ...]) -> None:
    wanted = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
    parties = [Party() for _ in order]
    for party, signum in zip(parties, wanted, strict=True):
        party.signals.add(signum)
    for ended, index in enumerate(order):
        parties[index].close()
        for left in order[ended + 1 :]:
            os.kill(os.getpid(), wanted[left])
            assert parties[left].heard() == [wanted[left]]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_no_signals_byte_gets_into_a_stream_that_has_the_number_of_a_closed_wakeup(order: tuple[int, ...]) -> None:
    parties = [Party() for _ in order]
    for party in parties:
        party.signals.add(signal.SIGUSR1)
    streams: list[socket.socket] = []
    for ended, index in enumerate(order):
        parties[index].close()
        streams += socket.socketpair()
        for left in order[ended + 1 :]:
            os.kill(os.getpid(), signal.SIGUSR1)
            parties[left].heard()
    assert signal.set_wakeup_fd(-1) == -1
    for stream in streams:
        stream.setblocking(False)
        with pytest.raises(BlockingIOError):
            stream.recv(1)
    for stream in streams:
        stream.close()
