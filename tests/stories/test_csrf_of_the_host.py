"""The host's own changes that carry a session cookie come from its own pages, where the setting asks for it (CSR-01)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.world import URL, World, make_world

LISTED = "https://app.example.com"


@pytest.fixture(params=["asgi", "wsgi"])
def guarded(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return make_world(tmp_path, request.param, csrf_for_host=True, cors_origins=(LISTED,))


def cookie_of(world: World) -> str:
    return f"authmw_session={world.sign_in()['session_token']}"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": f"{URL}.evil.example"},
        {"origin": f"{URL}/"},
        {"origin": URL, "sec_fetch_site": "cross-site"},
        {"origin": URL, "sec_fetch_site": "same-site"},
        {"referer": f"{URL}/page"},
        {"sec_fetch_site": "same-origin"},
    ],
)
def test_a_change_that_another_site_may_have_asked_for_is_refused(guarded: World, headers: dict[str, str]) -> None:
    """A045."""
    cookie = cookie_of(guarded)
    answer = guarded.send("POST", "/who", cookie=cookie, **headers)
    assert (answer.status, answer.json["error_type"]) == (403, "cross_site_request")
    assert guarded.visit("/who", cookie).status == 200


@pytest.mark.parametrize(
    "headers", [{"origin": URL}, {"origin": URL, "sec_fetch_site": "same-origin"}, {"origin": LISTED}]
)
def test_a_change_from_an_own_or_listed_page_passes(guarded: World, headers: dict[str, str]) -> None:
    assert guarded.send("POST", "/who", cookie=cookie_of(guarded), **headers).status != 403


def test_what_carries_no_session_cookie_passes(guarded: World) -> None:
    """A webhook or an API client has no browser that could be led astray."""
    for headers in ({}, {"cookie": "other=1"}, {"origin": "https://evil.example"}):
        assert guarded.send("POST", "/who", **headers).status != 403


def test_reading_passes_from_everywhere(guarded: World) -> None:
    assert guarded.visit("/who", cookie_of(guarded), origin="https://evil.example").status == 200


def test_without_the_setting_the_host_decides_for_itself(world: World) -> None:
    assert world.send("POST", "/who", cookie=cookie_of(world), origin="https://evil.example").status != 403
