"""Addresses as people write them."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.errors import OptionError
from reactor.network.address import check_is_socket, format_address, parse_address

ports = st.integers(0, 65_535)
hosts = st.one_of(
    st.ip_addresses().map(str),
    st.from_regex(r"\A[a-z0-9]([a-z0-9.-]{0,60}[a-z0-9])?\Z"),
    st.just(""),
)


@given(hosts, ports)
def test_what_was_formatted_is_parsed_back(host: str, port: int) -> None:
    assert parse_address(format_address((host, port))) == (host, port)


@given(st.text())
def test_any_text_is_an_address_or_an_option_error_that_quotes_it(text: str) -> None:
    try:
        host, port = parse_address(text)
    except OptionError as error:
        assert repr(text) in str(error)
    else:
        assert 0 <= port <= 65_535
        assert host in text


@given(st.ip_addresses(v=6), ports, st.integers(0, 9), st.integers(0, 9))
def test_flow_and_scope_of_a_socket_address_are_left_out(
    host: ipaddress.IPv6Address, port: int, flow: int, scope: int
) -> None:
    assert format_address((str(host), port, flow, scope)) == f"[{host}]:{port}"


@pytest.mark.parametrize(
    "text, host, port",
    [
        ("127.0.0.1:9000", "127.0.0.1", 9000),
        ("[::1]:9000", "::1", 9000),
        ("example.org:80", "example.org", 80),
        (":0", "", 0),
        ("[fe80::1%eth0]:65535", "fe80::1%eth0", 65535),
    ],
)
def test_an_address_is_taken_apart(text: str, host: str, port: int) -> None:
    assert parse_address(text) == (host, port)


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("localhost", "has no port"),
        ("localhost:", "has no port"),
        ("localhost:http", "must be a number, not 'http'"),
        ("localhost:-1", "must be a number, not '-1'"),
        ("localhost:٣", "must be a number"),
        ("::1:9000", "in brackets"),
        ("localhost:65536", "from 0 to 65535"),
        ("localhost:" + "9" * 5000, "from 0 to 65535"),
        ("unix:/run/app.sock", "not supported"),
    ],
)
def test_what_is_no_address_is_refused_with_the_reason(text: str, complaint: str) -> None:
    with pytest.raises(OptionError, match=complaint):
        parse_address(text)


@pytest.mark.parametrize("address", [None, 80, b"127.0.0.1:80", ("127.0.0.1", 80)])
def test_neither_a_string_nor_a_socket_is_a_type_error(address: object) -> None:
    with pytest.raises(TypeError, match="an address is a string"):
        check_is_socket(address)


@pytest.mark.parametrize("address", ["/run/app.sock", ""])
def test_other_families_addresses_are_written_as_they_are(address: str) -> None:
    assert format_address(address) == address
