"""Which addresses may be dialled (AUD-03)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.outbound import is_public, may_dial

REFUSED = """
0.0.0.0 0.255.255.255 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1 127.255.255.254
168.63.129.16 169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.192 192.0.2.1 192.88.99.1
192.168.0.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
:: ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::ffff:0:127.0.0.1 64:ff9b::7f00:1 64:ff9b::808:808 64:ff9b:1::1 100::1
2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:2::1 2001:10::1 2001:20::1 2001:db8::1 2002:7f00:1::1 2002:808:808::1
3fff::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1 fe80::1%1 fec0::1 ff02::1 ff0e::1 4000::1 1000::1
""".split()
PUBLIC = """
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 168.63.129.17 172.15.255.255
172.32.0.0 192.0.1.0 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255 2001:200::1 2001:4860:4860::8888
2606:4700:4700::1111 2a00:1450::1 2003::1 2400::1
""".split()
NO_ADDRESS = [
    "",
    "example.com",
    "2130706433",
    "0x7f.1",
    "0177.0.0.1",
    "127.1",
    "[::1]",
    "1.1.1.1:80",
    "１.1.1.1",
    " 1.1.1.1",
]


@pytest.mark.parametrize("address", REFUSED)
def test_what_is_not_globally_routable_is_never_dialled(address: str) -> None:
    assert not is_public(ip_address(address))
    assert not may_dial([address])


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_dialled(address: str) -> None:
    assert may_dial([address])
    assert not may_dial([address], local=True)


@pytest.mark.parametrize("text", NO_ADDRESS)
def test_a_text_that_is_no_plain_address_is_never_dialled(text: str) -> None:
    assert not may_dial([text])
    assert not may_dial([text], local=True)


@pytest.mark.parametrize("bad", REFUSED)
def test_one_bad_address_among_good_ones_refuses_the_name(bad: str) -> None:
    assert not may_dial(["1.1.1.1", bad, "8.8.8.8"])


def test_a_name_without_addresses_is_refused() -> None:
    assert not may_dial([])
    assert not may_dial([], local=True)


def test_a_listed_origin_is_reached_on_this_machine_and_nowhere_else() -> None:
    assert may_dial(["127.0.0.1", "::1"], local=True)
    assert not may_dial(["127.0.0.1", "10.0.0.1"], local=True)
    assert not may_dial(["::ffff:127.0.0.1"], local=True)


@given(st.integers(0, 2**32 - 1).map(IPv4Address) | st.integers(0, 2**128 - 1).map(IPv6Address))
def test_nothing_is_called_public_that_the_standard_library_calls_otherwise(address: IPv4Address | IPv6Address) -> None:
    if is_public(address):
        assert address.is_global
        assert not (address.is_multicast or address.is_private or address.is_reserved)
