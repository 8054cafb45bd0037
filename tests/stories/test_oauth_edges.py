"""What goes wrong on the way to a provider and back, what is logged of it, and what is good once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from authmw import OAuthProvider
from authmw.testing import FixedClock
from tests.at_once import at_once
from tests.oauth_provider import Provider, fetcher_of, playing
from tests.stories.test_consent_page import text
from tests.stories.test_oauth import PEOPLE, begun, called_back, came_back, landing, provided, signed_in
from tests.stories.test_oauth import google as google
from tests.stories.test_one_tap import one_tap
from tests.world import PUBLIC_TOKEN, World, make_world

PERSONAL = "9188040d-6c67-4c5b-b112-36a304b66dad"
OTHER = "11111111-2222-4333-8444-555555555555"


def events(world: World, action: str, **query: str) -> list[dict[str, Any]]:
    """How the calls of an action ended, oldest first."""
    world.auth.notes.flush()
    answer = world.backend("GET", "/v1/project/events?" + urlencode({"limit": 1000, "action": action, **query})).json
    return [entry for entry in reversed(answer["events"]) if entry["status"] != "start"]


def test_a_person_is_told_by_a_page_what_a_program_is_told_in_json(google: tuple[World, Provider]) -> None:
    """A callback without its flow, and a start that cannot be: no words of the request are on the page."""
    world, _ = google
    callback = urlsplit(world.auth.oauth.callback_url("google")).path
    start = "/v1/public/oauth/google/start?public_token=<script>"
    for path, status in ((f"{callback}?state=<script>&code=x", 400), (start, 404)):
        page = text(world, "GET", path, accept="text/html,application/xhtml+xml")
        assert page.status == status
        assert page.header("content-type")[0].startswith("text/html")
        assert "default-src 'none'" in page.header("content-security-policy")[0]
        assert "<h1>This does not work</h1>" in page.json
        assert "script" not in page.json
        assert world.visit(path).json["status_code"] == status


def test_each_step_is_logged_once_with_its_provider_and_its_end(google: tuple[World, Provider]) -> None:
    """AUD-01: start, callback, sign-in; and those that were refused, before and after a flow was known."""
    world, provider = google
    token = came_back(world, provider)
    assert signed_in(world, token).status == 200
    url, cookie = begun(world, "google")
    called_back(world, "google", {**provider.authorize(url), "error": "access_denied"}, cookie)
    called_back(world, "google", {"state": "unknown", "code": "x"}, cookie)
    world.visit("/v1/public/oauth/google/start?public_token=wrong")
    world.visit("/v1/public/oauth/google/start")
    ends = [(entry["status"], entry["error_type"], entry["factor"]) for entry in events(world, "OAuthStart")]
    assert sorted(ends) == [
        ("error", "bad_request", ""),
        ("error", "public_token_not_found", ""),
        ("success", "", "oauth:oauth_google"),
        ("success", "", "oauth:oauth_google"),
    ]
    ends = [(entry["status"], entry["error_type"], entry["factor"]) for entry in events(world, "OAuthCallback")]
    assert sorted(ends) == [
        ("error", "oauth_invalid_state", ""),
        ("error", "unable_to_authorize_oauth_provider", "oauth:oauth_google"),
        ("success", "", "oauth:oauth_google"),
    ]
    (end,) = events(world, "OAuthAuthenticate")
    assert (end["status"], end["factor"]) == ("success", "oauth:oauth_google")


def test_the_steps_of_one_tap_and_of_a_posted_form_are_logged(tmp_path: Path) -> None:
    with provided(tmp_path, "asgi", "google") as (world, provider):
        started, cookie = one_tap(world)
        body = {
            "id_token": provider.id_token(started["nonce"]),
            "stytch_csrf_token": started["stytch_csrf_token"],
        }
        submit = "/v1/public/oauth/google/onetap/submit"
        for status in (200, 400):
            sent = world.send("POST", submit, body, origin="http://localhost:8000", cookie=cookie)
            assert sent.status == status, sent.json
        assert [end["status"] for end in events(world, "GoogleOneTapStart")] == ["success"]
        assert sorted(end["error_type"] for end in events(world, "GoogleOneTapSubmit")) == ["", "oauth_state_used"]
    with provided(tmp_path, "asgi", "apple") as (world, provider):
        assert signed_in(world, came_back(world, provider)).status == 200
        assert [end["status"] for end in events(world, "OAuthCallbackForm")] == ["success"]


def test_an_attach_token_starts_one_flow(google: tuple[World, Provider]) -> None:
    world, _ = google
    bob = world.sign_in("bob@example.org")
    attach = world.backend("POST", "/v1/oauth/attach", {"provider": "google", "user_id": bob["user_id"]}).json
    begun(world, "google", oauth_attach_token=attach["oauth_attach_token"])
    query = urlencode({"public_token": PUBLIC_TOKEN, "oauth_attach_token": attach["oauth_attach_token"]})
    again = world.visit(f"/v1/public/oauth/google/start?{query}")
    assert again.json["error_type"] == "invalid_oauth_attach_token"


def test_what_is_attached_dies_with_the_user_it_was_for(google: tuple[World, Provider]) -> None:
    """ACC-06: every session of the user ended while the browser was at the provider."""
    world, provider = google
    bob = world.sign_in("bob@example.org")
    attach = world.backend("POST", "/v1/oauth/attach", {"provider": "google", "user_id": bob["user_id"]}).json
    url, cookie = begun(world, "google", oauth_attach_token=attach["oauth_attach_token"])
    assert world.backend("DELETE", f"/v1/users/{bob['user_id']}").status == 200
    led = landing(called_back(world, "google", provider.authorize(url), cookie))
    assert led["error"] == "invalid_oauth_attach_token"


@pytest.mark.parametrize("host", ["asgi", "wsgi"])
def test_a_token_is_spent_by_one_of_32_at_once(host: str, tmp_path: Path) -> None:
    """A287."""
    with provided(tmp_path, host, "google") as (world, provider):
        token = came_back(world, provider)
        results = at_once(32, lambda: signed_in(world, token).status)
        assert sorted(results) == [200] + [404] * 31


def test_a_provider_that_grants_all_need_not_repeat_it(google: tuple[World, Provider]) -> None:
    """RFC 6749 section 5.1: without `scope` in the answer, what was asked for was granted, the custom ones too."""
    world, provider = google
    answer = signed_in(world, came_back(world, provider, custom_scopes="calendar tasks")).json
    assert answer["provider_values"]["scopes"] == ["openid", "email", "profile", "calendar", "tasks"]
    provider.token_answer = {"scope": "openid email"}
    narrower = signed_in(world, came_back(world, provider, custom_scopes="calendar")).json
    assert narrower["provider_values"]["scopes"] == ["openid", "email"]


@pytest.mark.parametrize(
    ("iss", "lands"),
    [
        (f"https://login.microsoftonline.com/{PERSONAL}/v2.0", True),
        (f"https://login.microsoftonline.com/{OTHER}/v2.0", False),
        ("https://login.microsoftonline.com/{tenantid}/v2.0", False),
        (f"https://login.microsoftonline.com/{PERSONAL}/v2.0/", False),
        (f"https://evil.example/{PERSONAL}/v2.0", False),
        (None, True),
    ],
)
def test_microsoft_names_itself_by_a_tenant_that_may_sign_in(iss: str | None, lands: bool, tmp_path: Path) -> None:
    """OAU-02, A139: the issuer is a template there."""
    with provided(tmp_path, "asgi", "microsoft", tenants=frozenset({PERSONAL})) as (world, provider):
        url, cookie = begun(world, "microsoft")
        back = provider.authorize(url, **({"iss": iss} if iss else {}))
        led = landing(called_back(world, "microsoft", back, cookie))
        assert ("token" in led) == lands
        assert lands or led["error"] == "oauth_invalid_callback_request"


def test_an_attach_token_that_is_for_nobody_is_refused(google: tuple[World, Provider]) -> None:
    answer = google[0].backend("POST", "/v1/oauth/attach", {"provider": "google"})
    assert (answer.status, answer.json["error_type"]) == (400, "no_user_selection_arguments")


@pytest.fixture(params=["asgi", "wsgi"])
def two(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[World, Provider]]:
    """A project with Apple, which is up, and Google, which is not."""
    other = OAuthProvider(name="google", client_id="client-at-google", client_secret="s" * 32)
    clock = FixedClock()
    with playing("apple", clock, **PEOPLE["apple"][0]) as provider:
        oauth = (provider.configured(), other)
        yield make_world(tmp_path, request.param, clock=clock, fetcher=fetcher_of(provider), oauth=oauth), provider


def test_what_began_at_one_provider_or_otherwise_is_finished_nowhere_else(two: tuple[World, Provider]) -> None:
    """OAU-02: the code of one provider goes to no other, and a refused try uses nothing up."""
    world, provider = two
    url, cookie = begun(world, "apple")
    back = provider.authorize(url)
    asked = len(provider.asked)
    elsewhere = called_back(world, "google", back, cookie)
    assert (elsewhere.status, elsewhere.json["error_type"]) == (400, "oauth_invalid_state")
    tapped, binding = one_tap(world)
    of_one_tap = called_back(world, "google", {**back, "state": tapped["nonce"]}, binding)
    assert (of_one_tap.status, of_one_tap.json["error_type"]) == (400, "oauth_invalid_state")
    assert len(provider.asked) == asked
    assert signed_in(world, landing(called_back(world, "apple", back, cookie))["token"]).status == 200


def test_a_posted_form_is_taken_once_within_a_minute_by_the_callback_it_was_posted_to(
    two: tuple[World, Provider],
) -> None:
    """What is parked leads nobody anywhere by itself."""
    world, provider = two
    path, other = (urlsplit(world.auth.oauth.callback_url(name)).path for name in ("apple", "google"))

    def posted() -> tuple[str, str]:
        url, cookie = begun(world, "apple")
        body = urlencode(provider.authorize(url)).encode()
        parked = world.send("POST", path, body, content_type="application/x-www-form-urlencoded")
        return urlsplit(parked.header("location")[0]).query, cookie

    query, cookie = posted()
    assert landing(world.visit(f"{path}?{query}", cookie))["token"]
    late, its_cookie = posted()
    fresh, another = posted()
    refused = [
        world.visit(f"{path}?{query}", cookie),
        world.visit(f"{path}?parked={'n' * 43}", cookie),
        world.visit(f"{other}?{fresh}", another),
    ]
    world.clock.advance(seconds=60)
    refused.append(world.visit(f"{path}?{late}", its_cookie))
    assert [one.status for one in refused] == [400] * 4
    assert {one.json["error_type"] for one in refused} == {"oauth_invalid_callback_request"}
