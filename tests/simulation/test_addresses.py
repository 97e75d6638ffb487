from __future__ import annotations

import socket

import pytest

from reactor.simulation import addresses
from reactor.simulation.addresses import as_rows, family_of, is_any, is_loopback, normal


@pytest.mark.parametrize(
    ("host", "expected"),
    [("10.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6), ("x", None), ("", None), ("1.2.3", None)],
)
def test_the_family_of_an_address_is_told_by_its_form(host: str, expected: int | None) -> None:
    assert family_of(host) == expected


def test_an_address_has_one_proper_spelling() -> None:
    assert [normal(host) for host in ("FD00:0::0:1", "::ffff", "10.0.0.1")] == ["fd00::1", "::ffff", "10.0.0.1"]


def test_all_of_127_and_one_address_of_ipv6_are_loopback() -> None:
    assert all(is_loopback(host) for host in ("127.0.0.1", "127.9.9.9", "::1"))
    assert not any(is_loopback(host) for host in ("10.127.0.1", "::", "0.0.0.0", "::11"))


def test_each_family_has_an_address_for_all_of_a_machine_and_one_that_never_leaves_it() -> None:
    pairs = {"10.0.0.1": ("0.0.0.0", "127.0.0.1"), "fd00::1": ("::", "::1")}
    for host, (wildcard, loopback) in pairs.items():
        family = family_of(host)
        assert family is not None
        assert addresses.wildcard(host) == addresses.any_address(family) == wildcard
        assert addresses.loopback(host) == loopback
        assert (is_any(wildcard), is_any(host)) == (True, False)


def test_numeric_addresses_are_answered_as_by_getaddrinfo() -> None:
    given = ("10.0.0.1", "fd00::1")
    flags = socket.AI_NUMERICHOST
    for host, row in zip(given, as_rows(given, 80), strict=True):
        assert [row] == socket.getaddrinfo(host, 80, 0, socket.SOCK_STREAM, 0, flags)
