from __future__ import annotations

import select
import signal
import threading

import pytest

from reactor.kernel.wakeup import SystemWakeup


def readable(wakeup: SystemWakeup) -> bool:
    return bool(select.select([wakeup], [], [], 0)[0])


def test_a_wakeup_is_readable_after_wake_until_it_is_drained() -> None:
    wakeup = SystemWakeup()
    assert not readable(wakeup)
    wakeup.wake()
    assert readable(wakeup)
    assert wakeup.drain() == b"\0"
    assert not readable(wakeup)
    wakeup.wake()
    assert readable(wakeup)
    wakeup.close()


def test_any_number_of_wakers_write_one_byte() -> None:
    wakeup = SystemWakeup()
    threads = [threading.Thread(target=wakeup.wake) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for _ in range(100_000):
        wakeup.wake()
    assert 1 <= len(wakeup.drain()) <= len(threads)
    assert not readable(wakeup)
    wakeup.close()


def test_draining_what_nobody_woke_is_harmless() -> None:
    wakeup = SystemWakeup()
    assert wakeup.drain() == b""
    wakeup.wake()
    assert readable(wakeup)
    wakeup.close()


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="POSIX signals")
def test_a_pair_full_of_unread_signals_is_readable_and_wake_does_not_block() -> None:
    wakeup = SystemWakeup()
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    signal.set_wakeup_fd(wakeup.signal_fileno(), warn_on_full_buffer=False)
    try:
        for _ in range(5_000):
            signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGUSR1, before)
    wakeup.wake()
    received = b""
    while readable(wakeup):
        received += wakeup.drain()
    assert set(received) <= {0, signal.SIGUSR1}
    assert signal.SIGUSR1 in received
    wakeup.close()


def test_a_late_wake_after_close_does_nothing() -> None:
    wakeup = SystemWakeup()
    wakeup.close()
    wakeup.wake()
    wakeup.close()
    assert wakeup.fileno() == -1
