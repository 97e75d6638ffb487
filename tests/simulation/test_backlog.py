from __future__ import annotations

from reactor.simulation.backlog import Backlog


def nothing(*_: object) -> None:
    pass


class Waiting:
    def __init__(self) -> None:
        self.aborted = 0

    def abort(self) -> None:
        self.aborted += 1


def test_it_is_full_with_one_more_than_its_limit() -> None:
    backlog: Backlog[Waiting] = Backlog(1, nothing, nothing)
    for _ in range(2):
        assert not backlog.is_full()
        backlog.ready.append(Waiting())
    assert backlog.is_full()


def test_when_it_is_closed_all_that_wait_are_aborted_and_it_is_empty() -> None:
    backlog: Backlog[Waiting] = Backlog(5, nothing, nothing)
    complete, half_open = Waiting(), Waiting()
    backlog.ready.append(complete)
    backlog.half_open[half_open] = None
    backlog.close()
    assert (complete.aborted, half_open.aborted) == (1, 1)
    assert (len(backlog.ready), backlog.half_open) == (0, {})
