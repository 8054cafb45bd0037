"""What an app of each type may be, and where its people may be sent back to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.errors import Refused
from authmw.people.apps import ConnectedApp
from authmw.platform.connected_apps.rules import (
    MAXIMUM_URLS,
    TYPES,
    assures_identity,
    check_app,
    check_redirect_url,
    check_urls,
    is_loopback,
    matches,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
APP = ConnectedApp(client_id="app", client_type="third_party", created_at=NOW)
URL = "connected_app_redirect_url_"


def refusal(rule: Any, *args: Any, **named: Any) -> str:
    try:
        rule(*args, **named)
    except Refused as refused:
        return refused.error_type
    return ""


@given(
    kind=st.sampled_from([*TYPES, "fourth_party", ""]),
    full=st.booleans(),
    bypass=st.booleans(),
    minutes=st.sampled_from([-1, 0, 4, 5, 60, 1440, 1441]),
)
def test_an_app_is_checked_in_the_order_of_the_model(kind: str, full: bool, bypass: bool, minutes: int) -> None:
    """Only the project's own apps act as the person, or keep access without asking."""
    app = attrs.evolve(
        APP,
        client_type=kind,
        full_access_allowed=full,
        bypass_consent_for_offline_access=bypass,
        access_token_expiry_minutes=minutes,
    )
    third = kind.startswith("third")
    wanted = (
        "invalid_connected_app_type"
        if kind not in TYPES
        else "third_party_clients_cannot_use_full_access"
        if full and third
        else "third_party_clients_require_consent_for_offline_access"
        if bypass and third
        else ""
        if 5 <= minutes <= 1440
        else "idp_invalid_access_token_expiry_minutes"
    )
    assert refusal(check_app, app, live=True) == wanted


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"access_token_custom_audience": "https://api.example.org/"}, ""),
        ({"access_token_custom_audience": "x" * 512}, ""),
        ({"access_token_custom_audience": "x" * 513}, "idp_invalid_access_token_custom_audience"),
        ({"access_token_custom_audience": ""}, "idp_invalid_access_token_custom_audience"),
        ({"access_token_custom_audience": "two words"}, "idp_invalid_access_token_custom_audience"),
        ({"redirect_urls": ("https://a.example/", "http://b.example/")}, URL + "http_scheme_must_use_loopback"),
        ({"post_logout_redirect_urls": ("https://a.example/", "/bye")}, URL + "must_include_scheme"),
        ({"redirect_urls": ("https://a.example/",), "post_logout_redirect_urls": ("https://a.example/bye",)}, ""),
        ({"logo_url": "https://a.example/logo.png"}, ""),
        ({"logo_url": "http://a.example/logo.png"}, "connected_app_misconfigured_client"),
        ({"logo_url": "javascript:alert(1)"}, "connected_app_misconfigured_client"),
        ({"logo_url": "data:text/html,x"}, "connected_app_misconfigured_client"),
    ],
    ids=str,
)
def test_the_rest_of_an_app_is_checked_too(changes: dict[str, Any], error: str) -> None:
    """A235: nothing that a browser would run is a logo."""
    assert refusal(check_app, attrs.evolve(APP, **changes), live=True) == error


def test_a_list_has_fifty_addresses_and_each_once() -> None:
    many = [f"https://a.example/{number}" for number in range(MAXIMUM_URLS)]
    assert check_urls(many) == tuple(many)
    assert refusal(check_urls, [*many, "https://a.example/"]) == "too_many_redirect_urls"
    assert refusal(check_urls, [many[0], many[0]]) == "duplicate_redirect_url"


LOCAL = "cannot_use_localhost"
SCHEME = "must_use_http_or_https_scheme"


@pytest.mark.parametrize(
    ("url", "confidential", "public", "live_public"),
    [
        ("https://app.example.org/callback", "", "", ""),
        ("https://app.example.org/callback?a=1", "", "", ""),
        ("http://app.example.org/", *[URL + "http_scheme_must_use_loopback"] * 3),
        ("http://127.0.0.1/callback", "", "", ""),
        ("http://[::1]:8000/callback", "", "", ""),
        ("http://localhost:3000/callback", "", "", URL + LOCAL),
        ("http://localhost.evil.example/", *[URL + "http_scheme_must_use_loopback"] * 3),
        ("com.example.app:/callback", URL + "must_use_https_scheme", "", ""),
        ("app:/callback", URL + "must_use_https_scheme", URL + SCHEME, URL + SCHEME),
        ("javascript:alert(1)", *[URL + SCHEME] * 3),
        ("DATA:text/html,x", *[URL + SCHEME] * 3),
        ("file:///etc/passwd", *[URL + SCHEME] * 3),
        ("/callback", *[URL + "must_include_scheme"] * 3),
        ("app.example.org/callback", *[URL + "must_include_scheme"] * 3),
        ("https://user@app.example.org/", *["connected_app_invalid_redirect_url"] * 3),
        ("https://app.example.org/#fragment", *["connected_app_invalid_redirect_url"] * 3),
        ("https://app.example.org/../x", *["connected_app_invalid_redirect_url"] * 3),
        ("https://app.example.org/?iss=x", *["connected_app_invalid_redirect_url"] * 3),
        ("https://app.example.org/?TOKEN=x", *["connected_app_invalid_redirect_url"] * 3),
    ],
)
def test_people_go_back_only_to_what_their_app_can_own(
    url: str, confidential: str, public: str, live_public: str
) -> None:
    """RFC 8252 sections 7.1 and 7.3, RFC 9700 section 2.1."""
    assert refusal(check_redirect_url, url, public=False, live=False) == confidential
    assert refusal(check_redirect_url, url, public=True, live=False) == public
    assert refusal(check_redirect_url, url, public=True, live=True) == live_public


@given(
    port=st.none() | st.integers(1, 65535),
    host=st.sampled_from(["127.0.0.1", "[::1]", "127.0.0.2", "localhost", "example.org"]),
    path=st.sampled_from(["/callback", "/other", "/callback?x=1"]),
    scheme=st.sampled_from(["http", "https"]),
)
def test_only_the_port_of_a_loopback_address_may_be_another(
    port: int | None, host: str, path: str, scheme: str
) -> None:
    """RFC 8252 section 7.3."""
    registered = ("http://127.0.0.1:8000/callback", "https://example.org/callback")
    asked = f"{scheme}://{host}{'' if port is None else f':{port}'}{path}"
    same = (scheme, host, path) == ("http", "127.0.0.1", "/callback")
    assert matches(registered, asked) is (asked in registered or same)


@pytest.mark.parametrize("asked", ["", "http://[::1", "http://127.0.0.1:8000/call back", "\\\\127.0.0.1", "http:"])
def test_what_cannot_be_read_matches_nothing(asked: str) -> None:
    assert not matches(("http://127.0.0.1/callback",), asked)


def test_a_loopback_host_is_one_in_numbers() -> None:
    assert [is_loopback(host) for host in ("127.9.9.9", "[::1]", "localhost", "10.0.0.1", "")] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_only_https_assures_who_is_sent_there() -> None:
    """RFC 8252 section 8.6."""
    assert assures_identity("https://app.example.org/callback")
    assert not assures_identity("http://127.0.0.1/callback")
    assert not assures_identity("com.example.app:/callback")
