"""Raising the limit of descriptors, against a stand-in for the system's."""

from __future__ import annotations

import sys

import pytest

from reactor.kernel.descriptors import raise_descriptor_limit


class Limits:
    """The module `resource`, with limits of its own."""

    RLIMIT_NOFILE = 7
    RLIM_INFINITY = -1

    def __init__(self, soft: int, hard: int, refusal: Exception | None = None) -> None:
        self.limits = (soft, hard)
        self.refusal = refusal

    def getrlimit(self, which: int) -> tuple[int, int]:
        assert which == self.RLIMIT_NOFILE
        return self.limits

    def setrlimit(self, which: int, limits: tuple[int, int]) -> None:
        assert which == self.RLIMIT_NOFILE
        if self.refusal is not None:
            raise self.refusal
        self.limits = limits


@pytest.mark.parametrize(
    ("limits", "wanted", "then"),
    [
        ((100, 1000), 500, (500, 1000)),
        ((100, 1000), 5000, (1000, 1000)),
        ((100, -1), 5000, (5000, -1)),
        ((100, 1000), 50, (100, 1000)),
        ((100, 1000), 100, (100, 1000)),
        ((-1, -1), 5000, (-1, -1)),
    ],
)
def test_the_soft_limit_is_raised_as_far_as_wanted_and_allowed_and_never_lowered(
    limits: tuple[int, int], wanted: int, then: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    system = Limits(*limits)
    monkeypatch.setitem(sys.modules, "resource", system)
    raise_descriptor_limit(wanted)
    assert system.limits == then


@pytest.mark.parametrize("refusal", [ValueError("above the hard one"), PermissionError("no")])
def test_a_system_that_refuses_all_the_same_is_left_alone(
    refusal: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = Limits(100, -1, refusal)
    monkeypatch.setitem(sys.modules, "resource", system)
    raise_descriptor_limit(5000)
    assert system.limits == (100, -1)


def test_where_there_are_no_limits_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)
    raise_descriptor_limit(5000)
