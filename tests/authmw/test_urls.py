"""The strict URL parser: what it reads, it reads as other parsers do; what they would repair, it refuses (RED-02)."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.urls import MAXIMUM_URL, Malformed, parameters_by_name, split_url


def test_a_url_comes_apart_as_written() -> None:
    parts = split_url("https://app.example.com:8443/a/b?c=d?e")
    assert (parts.scheme, parts.authority, parts.host, parts.port, parts.path, parts.query) == (
        "https",
        "app.example.com:8443",
        "app.example.com",
        "8443",
        "/a/b",
        "c=d?e",
    )


def test_an_empty_query_is_not_the_absence_of_one() -> None:
    assert split_url("https://app.example.com?").query == ""
    assert split_url("https://app.example.com").query is None


def test_an_empty_path_and_a_slash_are_one_place_for_the_web_only() -> None:
    assert split_url("http://a.example").place == split_url("http://a.example/").place
    assert split_url("app://a.example").place != split_url("app://a.example/").place


def test_no_authority_is_another_place_than_an_empty_one() -> None:
    assert split_url("app:/cb").place != split_url("app:///cb").place


def test_a_wildcard_stands_in_entries_only() -> None:
    assert split_url("https://*.example.com", entry=True).host == "*.example.com"
    with pytest.raises(Malformed):
        split_url("https://*.example.com")


def test_a_url_of_2048_characters_is_read_and_a_longer_one_is_not() -> None:
    url = "https://a.example/".ljust(MAXIMUM_URL, "x")
    assert split_url(url).host == "a.example"
    with pytest.raises(Malformed):
        split_url(url + "x")


@pytest.mark.parametrize(
    "host", ["a" * 64 + ".example", "a-.example", "-a.example", "a..example", "a.example.", "a_b.example"]
)
def test_a_host_that_is_no_dns_name_is_refused(host: str) -> None:
    with pytest.raises(Malformed):
        split_url(f"https://{host}/")


def test_a_host_of_more_than_253_characters_is_refused() -> None:
    with pytest.raises(Malformed):
        split_url("https://" + "a." * 124 + "example/")


@pytest.mark.parametrize(
    "host", ["1.2.3", "1.2.3.04", "1.2.3.256", "0x7f000001", "2130706433", "a.1", "a.0x", "a.0x1f"]
)
def test_a_host_that_browsers_read_as_a_number_is_refused(host: str) -> None:
    with pytest.raises(Malformed):
        split_url(f"http://{host}/")


@pytest.mark.parametrize("host", ["[1::2::3]", "[]", "[:]", "[1.2.3.4]", "[2001:db8::1", "2001:db8::1]", "[v1.x]"])
def test_brackets_hold_an_ipv6_address_or_the_host_is_refused(host: str) -> None:
    with pytest.raises(Malformed):
        split_url(f"https://{host}/")


def test_the_message_of_a_fault_holds_nothing_of_the_text() -> None:
    with pytest.raises(Malformed) as fault:
        split_url("https://canary.example/canary#canary")
    assert "canary" not in str(fault.value)


@pytest.mark.parametrize("query", ["", "a=1&", "&a=1", "a=1&&b=2", "a=1&a=2", "=1", "%61=1", "a[]=1", "a+b=1"])
def test_a_query_whose_names_could_be_read_differently_is_refused(query: str) -> None:
    with pytest.raises(Malformed):
        parameters_by_name(query)


def test_parameters_keep_their_raw_values() -> None:
    assert parameters_by_name("a=b=%2F&c&d=") == {"a": "b=%2F", "c": None, "d": ""}
    assert parameters_by_name(None) is None


hosts = st.from_regex(r"[a-z0-9.\[\]:@%*-]{0,24}", fullmatch=True) | st.ip_addresses(v=6).map(lambda ip: f"[{ip}]")
paths = st.from_regex(r"(/[a-zA-Z0-9.%;@:!*'-]{0,6}){0,4}", fullmatch=True)


@given(
    st.sampled_from(["https", "http", "app", "HTTPS"]), hosts, paths, st.sampled_from(["", "?a=b", "?", "#", "?a#b"])
)
def test_what_is_read_is_read_alike_by_another_parser(scheme: str, host: str, path: str, rest: str) -> None:
    try:
        parts = split_url(f"{scheme}://{host}{path}{rest}")
    except Malformed:
        return
    there = urlsplit(f"{scheme}://{host}{path}{rest}")
    assert parts.scheme == there.scheme
    assert parts.host.strip("[]") == (there.hostname or "")
    assert parts.port == (None if there.port is None else str(there.port))
    assert parts.path == there.path
    assert (parts.query or "") == there.query
    assert there.username is None
    assert there.fragment == ""


@given(st.text(max_size=50))
def test_no_text_breaks_the_parser(text: str) -> None:
    try:
        parts = split_url(text)
    except Malformed:
        return
    assert text.startswith(parts.scheme + ":")
