"""What one visitor is, however many addresses they have."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from authmw.signin.limits import network_of


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_one_visitor(address: ipaddress.IPv4Address) -> None:
    """RAT-03."""
    assert network_of(str(address)) == f"{address}/32"


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_the_last_half_of_an_ipv6_address_makes_no_other_visitor(address: ipaddress.IPv6Address, rest: int) -> None:
    """A250, RAT-03."""
    other = ipaddress.IPv6Address(int(address) >> 64 << 64 | rest)
    assume(address.ipv4_mapped is None and other.ipv4_mapped is None)  # of IPv4, as told below
    assert network_of(str(address)) == network_of(str(other))


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_inside_of_an_ipv6_one_is_the_visitor_it_was(address: ipaddress.IPv4Address) -> None:
    """Servers that listen on both call it so, and backends pass on what theirs says: all of IPv4 would be one network."""
    assert network_of(f"::ffff:{address}") == network_of(str(address))


@pytest.mark.parametrize("text", ["", "unix:", "testclient", "::1%eth0/64", "300.1.1.1", "1.2.3.4, 5.6.7.8"])
def test_what_is_no_address_stands_for_itself(text: str) -> None:
    assert network_of(text) == text
