"""Redirect URLs that a project registers: what may be an entry, and what may be a default (RED-01 to RED-06)."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from authmw.redirects import (
    InvalidRedirectURL,
    RedirectList,
    RedirectType,
    RedirectURL,
)
from tests.authmw.test_redirects import CORPUS, LOGIN, registered


def refusal_of(url: str, environment: Literal["test", "live"] = "test") -> str | None:
    try:
        registered(url, environment=environment)
    except InvalidRedirectURL as refusal:
        return refusal.error_type if refusal.position == 0 else "wrong position"
    return None


@pytest.mark.parametrize("case", CORPUS["config_cases"], ids=lambda case: case["why"])
def test_an_entry_of_the_corpus_comes_out_as_marked(case: dict[str, Any]) -> None:
    try:
        urls = registered(case["entry"], environment=case["env"])
    except InvalidRedirectURL:
        assert case["expected"] == "config_error"
    else:
        assert case["expected"] == "config_warning"
        assert len(urls.warnings) == 1


@pytest.mark.parametrize(
    ("url", "environment", "error_type"),
    [
        ("http://localhost:3000", "live", "redirect_url_must_use_https"),
        ("https://*.example.com", "live", "no_wildcards_in_live_redirect_url"),
        ("javascript:alert(1)", "test", "redirect_url_cannot_use_protocol"),
        ("JavaScript://app.example.com/%0aalert(1)", "test", "redirect_url_cannot_use_protocol"),
        ("vbscript:x", "live", "redirect_url_cannot_use_protocol"),
        ("file:///etc/passwd", "live", "redirect_url_cannot_use_protocol"),
        ("blob:https://app.example.com/x", "live", "redirect_url_cannot_use_protocol"),
        ("intent://app.example.com/auth", "live", "redirect_url_cannot_use_protocol"),
        ("ftp://app.example.com/", "test", "redirect_url_cannot_use_protocol"),
        ("https://localhost/cb", "live", "invalid_url"),
        ("https://app.localhost/cb", "live", "invalid_url"),
        ("https://127.0.0.1/cb", "live", "invalid_url"),
        ("https://[::1]/cb", "live", "invalid_url"),
        ("https://app.example.com/cb#x", "test", "invalid_url"),
        ("https://user@app.example.com/cb", "test", "invalid_url"),
        ("https://App.example.com/cb", "test", "invalid_url"),
        ("HTTPS://app.example.com/cb", "test", "invalid_url"),
        ("https://app.example.com./cb", "test", "invalid_url"),
        ("https://app.example.com:0/cb", "test", "invalid_url"),
        ("https://2130706433/cb", "test", "invalid_url"),
        ("https://0x7f.1/cb", "test", "invalid_url"),
        ("https://127.1/cb", "test", "invalid_url"),
        ("https://0177.0.0.1/cb", "test", "invalid_url"),
        ("https://[::ffff:192.0.2.1]/cb", "test", "invalid_url"),
        ("https://[2001:DB8::1]/cb", "test", "invalid_url"),
        ("https://[2001:db8:0::1]/cb", "test", "invalid_url"),
        ("https://[fe80::1%25eth0]/cb", "test", "invalid_url"),
        ("https://m\u00fcnchen.example/cb", "test", "invalid_url"),
        ("https://app.example.com/a/../cb", "test", "invalid_url"),
        ("https://app.example.com//cb", "test", "invalid_url"),
        ("https://app.example.com/*", "test", "invalid_url"),
        ("https://app.*.example.com/", "test", "invalid_url"),
        ("https://*.*.example.com/", "test", "invalid_url"),
        ("https://**.example.com/", "test", "invalid_url"),
        ("https://*/", "test", "invalid_url"),
        ("https://*.com/", "test", "invalid_url"),
        ("https://*.localhost/", "test", "invalid_url"),
        ("https://*.com.au/", "test", "invalid_url"),
        ("https://*.or.jp/", "test", "invalid_url"),
        ("https://*.anything.ck/", "test", "invalid_url"),
        ("https://*.192.0.2.1/", "test", "invalid_url"),
        ("https://*.[2001:db8::1]/", "test", "invalid_url"),
        ("slack://*.auth.example/callback", "test", "invalid_url"),
        ("https://app.example.com:{}/cb", "test", "invalid_url"),
        ("https://app.example.com/cb?a=*", "test", "invalid_url"),
        ("https://app.example.com/cb?*=a", "test", "invalid_url"),
        ("https://app.example.com/cb?{}=a", "test", "invalid_url"),
        ("https://app.example.com/cb?a=x{}", "test", "invalid_url"),
        ("https://app.example.com/cb?a={}{}", "test", "invalid_url"),
        ("https://app.example.com/cb?a={b}", "test", "invalid_url"),
        ("https://app.example.com/cb?", "test", "invalid_url"),
        ("https://app.example.com/cb?a={};b={}", "test", "invalid_url"),
        ("https://app.example.com/cb?token={}", "test", "invalid_url"),
        ("https://app.example.com/cb?Token=x", "test", "invalid_url"),
        ("https://app.example.com/cb?a={}&state={}", "test", "invalid_url"),
        ("https://app.example.com/cb?stytch_token_type=x", "test", "invalid_url"),
        ("https://app.example.com/cb?%74oken={}", "test", "invalid_url"),
        ("com.example.app:", "test", "invalid_url"),
        ("com.example.app:cb", "test", "invalid_url"),
        ("1app://cb", "test", "invalid_url"),
        ("app.example.com/cb", "test", "invalid_url"),
        ("https://a.example.com/" + "x" * 2048, "test", "invalid_url"),
    ],
)
def test_an_entry_that_could_lead_elsewhere_cannot_be_registered(
    url: str, environment: Literal["test", "live"], error_type: str
) -> None:
    assert refusal_of(url, environment) == error_type


@pytest.mark.parametrize(
    "url",
    [
        "https://192.0.2.1/cb",
        "https://[2001:db8::1]:8443/cb",
        "https://a-b.example.co.uk/cb?a={}&b=%2F",
        "myapp://",
        "myapp:///cb",
        "exp+my-app://cb/x?y={}",
        "com.example.app:/cb",
        "https://intranet/cb",
    ],
)
def test_a_canonical_entry_can_be_registered_in_live(url: str) -> None:
    assert refusal_of(url, "live") is None


@pytest.mark.parametrize(
    "url", ["http://app.example.com", "http://localhost", "http://[::1]:8000/x", "https://*.example.co.uk"]
)
def test_http_local_hosts_and_wildcards_can_be_registered_in_test(url: str) -> None:
    assert refusal_of(url, "test") is None


def test_a_wildcard_over_ones_own_domain_gives_no_warning() -> None:
    assert registered("https://*.example.com", environment="test").warnings == ()


def parse(*entries: RedirectURL) -> str:
    with pytest.raises(InvalidRedirectURL) as refused:
        RedirectList.parse(entries, "test")
    assert refused.value.position == len(entries) - 1
    return refused.value.error_type


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("https://a.example.com/x", "https://a.example.com/x"),
        ("https://a.example.com", "https://a.example.com/"),
        ("https://a.example.com/?x={}&y=1", "https://a.example.com/?y=1&x={}"),
    ],
)
def test_two_entries_that_accept_the_same_are_a_duplicate(first: str, second: str) -> None:
    assert parse(RedirectURL(first, [LOGIN]), RedirectURL(second, [RedirectType.SIGNUP])) == "duplicate_redirect_url"


def test_a_wildcard_cannot_be_a_default() -> None:
    assert (
        parse(RedirectURL("https://*.example.com", [LOGIN], [LOGIN])) == "redirect_url_with_wildcard_cannot_be_default"
    )


def test_a_placeholder_cannot_be_a_default() -> None:
    error_type = parse(RedirectURL("https://a.example.com?x={}", [LOGIN], [LOGIN]))
    assert error_type == "redirect_url_with_query_param_placeholder_cannot_be_default"


def test_a_url_is_a_default_only_of_its_own_types() -> None:
    assert parse(RedirectURL("https://a.example.com", [LOGIN], [RedirectType.INVITE])) == "invalid_default_url"


def test_a_type_has_one_default() -> None:
    first = RedirectURL("https://a.example.com", [LOGIN], [LOGIN])
    assert parse(first, RedirectURL("https://b.example.com", [LOGIN], [LOGIN])) == "invalid_default_url"


def test_an_entry_without_a_type_cannot_be_registered() -> None:
    assert parse(RedirectURL("https://a.example.com", [])) == "invalid_redirect_url_type"


def test_an_entry_of_an_unknown_type_cannot_be_registered() -> None:
    url = RedirectURL("https://a.example.com", ["LOGOUT"])  # type: ignore[list-item]  # what an untyped caller can do
    assert parse(url) == "invalid_redirect_url_type"
