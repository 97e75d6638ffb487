from __future__ import annotations

import errno

import pytest

from reactor import HostDownError
from reactor.kernel import SystemKernel
from reactor.simulation import Host, Simulation
from reactor.simulation.process import FIRST_DESCRIPTOR
from tests.simulation.kit import CLIENT, SERVER, connecting, listening, raises, tcp


def test_the_lowest_free_number_is_given_to_the_next_one(host: Host) -> None:
    socks = [tcp(host) for _ in range(4)]
    assert [sock.fileno() - FIRST_DESCRIPTOR for sock in socks] == [0, 1, 2, 3]
    for number in (2, 0):
        socks[number].close()
    assert [tcp(host).fileno() - FIRST_DESCRIPTOR for _ in range(3)] == [0, 2, 4]


def test_a_program_has_so_many_descriptors_as_its_host_allows(sim: Simulation, host: Host) -> None:
    host.descriptor_limit = 3
    assert host.kernel.descriptor_limit() == 3
    listener = listening(host)
    sock = tcp(host)
    connecting(sim.hosts["client"], SERVER)
    sim.run_for(1)
    tcp(host)
    for call in (lambda: tcp(host), listener.accept, host.kernel.selector, host.kernel.wakeup):
        with raises(errno.EMFILE):
            call()
    sock.close()
    assert listener.accept()[1][0] == CLIENT


def test_a_machine_has_a_limit_of_its_own(host: Host) -> None:
    host.file_limit = 3
    for _ in range(3):
        tcp(host)
    with raises(errno.ENFILE):
        tcp(host)


def test_a_thread_is_the_real_one_or_a_simulated_one(host: Host) -> None:
    kernel = host.kernel
    assert kernel.thread_id() == SystemKernel.thread_id()
    assert kernel.process.in_main_thread()
    with kernel.process.as_thread(-1):
        assert kernel.thread_id() == -1
        assert not kernel.process.in_main_thread()
        with kernel.process.as_thread(-2, waited=3.0):
            assert kernel.thread_id() == -2
        assert kernel.thread_id() == -1
    assert kernel.process.in_main_thread()


def test_threads_have_numbers_that_no_real_one_has(host: Host) -> None:
    process = host.kernel.process
    numbers = [process.new_thread() for _ in range(3)]
    assert len(set(numbers)) == 3
    assert all(number < 0 for number in numbers)


def test_a_process_ends_once_and_its_first_end_is_the_one_that_is_told(host: Host) -> None:
    process = host.kernel.process
    tcp(host)
    process.end("it was killed", silently=False)
    process.end("it crashed", silently=True)
    assert (process.ended, process.up, process.files) == ("it was killed", False, {})
    with pytest.raises(HostDownError, match=r"it was killed; .*restart\(\)"):
        process.check_up()


def test_a_process_that_ends_without_power_closes_nothing(host: Host) -> None:
    process = host.kernel.process
    tcp(host)
    process.end("it crashed", silently=True)
    assert len(process.files) == 1
