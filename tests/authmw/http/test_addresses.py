"""Where a request came from: only the socket and trusted proxies are believed (RAT-03, A249, A250)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.http.addresses import UNKNOWN, client_ip, is_encrypted, prefix

PROXIES = (ip_network("10.0.0.0/8"), ip_network("2001:db8:f::/48"))


def test_by_default_the_header_is_ignored() -> None:
    assert client_ip("198.51.100.7", ["203.0.113.9"]) == "198.51.100.7"


def test_trusting_no_network_trusts_nobody() -> None:
    assert client_ip("10.0.0.1", ["203.0.113.9"], ()) == "10.0.0.1"


@pytest.mark.parametrize("trusted", [1, PROXIES])
@pytest.mark.parametrize("spoofed", ["", "1.1.1.1, ", "1.1.1.1, 2.2.2.2, ", "junk, ", "10.0.0.9, "])
def test_behind_one_proxy_the_right_most_hop_counts_whatever_stands_before_it(trusted: int, spoofed: str) -> None:
    assert client_ip("10.0.0.1", [spoofed + "203.0.113.9"], trusted) == "203.0.113.9"


def test_behind_two_proxies_the_hop_before_the_last_counts() -> None:
    assert client_ip("10.0.0.1", ["1.1.1.1, 203.0.113.9, 10.0.0.2"], 2) == "203.0.113.9"
    assert client_ip("10.0.0.1", ["1.1.1.1, 203.0.113.9, 10.0.0.2"], PROXIES) == "203.0.113.9"


def test_several_headers_are_one_chain() -> None:
    assert client_ip("10.0.0.1", ["1.1.1.1", "203.0.113.9", "10.0.0.2"], PROXIES) == "203.0.113.9"


def test_a_peer_outside_the_trusted_networks_speaks_for_itself_only() -> None:
    assert client_ip("198.51.100.7", ["203.0.113.9"], PROXIES) == "198.51.100.7"


def test_without_a_header_a_proxy_is_the_visitor() -> None:
    assert client_ip("10.0.0.1", [], 1) == "10.0.0.1"
    assert client_ip("10.0.0.1", [], PROXIES) == "10.0.0.1"


def test_when_all_hops_are_trusted_the_first_one_is_the_visitor() -> None:
    assert client_ip("10.0.0.1", ["10.0.0.3, 10.0.0.2"], PROXIES) == "10.0.0.3"


def test_when_the_chain_is_shorter_than_the_number_its_first_hop_is_the_visitor() -> None:
    assert client_ip("10.0.0.1", ["203.0.113.9"], 5) == "203.0.113.9"


@pytest.mark.parametrize(
    "junk",
    ["", "unknown", "_hidden", "203.0.113.256", "203.0.113", "x:y:z", "[2001:db8::1", "1.2.3.4:x", "\u0663.1.1.1"],
)
def test_junk_never_yields_a_fresh_address_to_count_by(junk: str) -> None:
    assert client_ip("10.0.0.1", [junk], 1) == "10.0.0.1"
    assert client_ip("10.0.0.1", [junk], PROXIES) == "10.0.0.1"


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("203.0.113.9:4711", "203.0.113.9"),
        (" 203.0.113.9\t", "203.0.113.9"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("::FFFF:cb00:7109", "203.0.113.9"),
        ("[::ffff:203.0.113.9]:1", "203.0.113.9"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_all_spellings_of_an_address_are_one(written: str, address: str) -> None:
    assert client_ip("10.0.0.1", [written], 1) == address
    assert client_ip(written.strip()) == address


def test_a_mapped_proxy_is_known_by_its_ipv4_network() -> None:
    assert client_ip("::ffff:10.0.0.1", ["203.0.113.9"], PROXIES) == "203.0.113.9"


def test_a_unix_socket_is_a_proxy_of_ours_once_proxies_are_trusted() -> None:
    assert client_ip(None, ["203.0.113.9"], 1) == "203.0.113.9"
    assert client_ip(None, ["203.0.113.9"], PROXIES) == "203.0.113.9"


def test_a_unix_socket_without_trusted_proxies_is_unknown() -> None:
    assert client_ip(None, ["203.0.113.9"]) == UNKNOWN
    assert client_ip(None, ["203.0.113.9"], ()) == UNKNOWN


def test_a_peer_that_is_no_address_is_unknown_and_forwards_nothing() -> None:
    assert client_ip("testclient", ["203.0.113.9"], 1) == UNKNOWN


def test_an_ipv4_address_is_counted_by_itself() -> None:
    assert prefix("203.0.113.9") == "203.0.113.9"


def test_a_mapped_address_is_counted_as_ipv4() -> None:
    assert prefix("::ffff:203.0.113.9") == "203.0.113.9"


def test_rotating_inside_a_64_changes_nothing() -> None:
    assert prefix("2001:db8:1:2::1") == prefix("2001:db8:1:2:ffff:ffff:ffff:ffff") == "2001:db8:1:2::/64"


def test_neighbouring_networks_are_counted_apart() -> None:
    assert prefix("2001:db8:1:2::1") != prefix("2001:db8:1:3::1")


def test_unknown_visitors_share_one_count() -> None:
    assert prefix(UNKNOWN) == UNKNOWN


def test_what_is_no_address_has_no_prefix() -> None:
    with pytest.raises(ValueError, match="Not an address"):
        prefix("203.0.113.9, 1.1.1.1")


addresses = st.ip_addresses().map(str)


@given(addresses, st.lists(st.text(max_size=20) | addresses, max_size=4), st.integers(0, 3) | st.just(PROXIES))
def test_the_answer_is_always_an_address_that_peer_or_header_named(peer: str, headers: list[str], trusted: int) -> None:
    answer = ip_address(client_ip(peer, headers, trusted))
    named: set[IPv4Address | IPv6Address] = {ip_address(client_ip(peer))}
    for hop in ",".join(headers).split(","):
        named.add(ip_address(client_ip(hop) or peer))
    assert answer in named


@given(addresses, addresses, st.lists(st.text(max_size=20) | addresses, max_size=4))
def test_nothing_before_the_last_trusted_hop_changes_the_answer(peer: str, visitor: str, spoofed: list[str]) -> None:
    assert client_ip(peer, [*spoofed, visitor], 1) == client_ip(visitor)


def test_an_address_with_a_long_zone_is_read_each_time_and_kept_nowhere() -> None:
    from authmw.http import addresses

    before = addresses._met.cache_info().currsize
    assert client_ip("fe80::1%" + "z" * 5000) == "fe80::1"
    assert addresses._met.cache_info().currsize == before


@pytest.mark.parametrize(
    ("scheme", "said", "trusted", "expected"),
    [
        ("https", [], 0, True),
        ("http", [], 0, False),
        ("", [], 0, False),
        ("http", ["https"], 0, False),
        ("https", ["http"], 0, True),
        ("http", ["https"], 1, True),
        ("http", ["HTTPS "], 1, True),
        ("https", ["http"], 1, False),
        ("http", ["https, http"], 1, False),
        ("http", ["http, https"], 1, True),
        ("http", ["http, https"], 2, False),
        ("http", ["https", "https"], 2, True),
        ("http", ["https"], 2, True),
        ("http", [""], 1, False),
        ("http", [], 1, False),
        ("https", [], 1, True),
    ],
)
def test_https_is_what_the_server_or_each_trusted_proxy_says(
    scheme: str, said: list[str], trusted: int, *, expected: bool
) -> None:
    """OPS-01."""
    assert is_encrypted(scheme, said, trusted) is expected
