"""Stories of ID tokens that come without a redirect: Google One Tap in a page, and the tokens of native apps."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.oauth_provider import Provider
from tests.stories.test_oauth import ADA, landing, provided, signed_in
from tests.stories.test_oauth import google as google
from tests.world import PUBLIC_TOKEN, Answer, World


def one_tap(world: World, **headers: str) -> tuple[dict[str, Any], str]:
    answer = world.visit(f"/v1/public/oauth/google/onetap/start?public_token={PUBLIC_TOKEN}")
    assert "binding" not in answer.json
    return answer.json, answer.header("set-cookie")[0].partition(";")[0]


def test_one_tap_signs_in_by_a_token_for_us_with_our_nonce_once(google: tuple[World, Provider]) -> None:
    """OA-16, A150, OAU-07."""
    world, provider = google
    started, cookie = one_tap(world)
    path = f"/v1/oauth/callback/{started['oauth_callback_id']}"
    credential = provider.id_token(started["nonce"])

    def submit(csrf: str, token: str, *cookies: str, origin: str = "http://localhost:8000") -> Answer:
        body = {"id_token": token, "stytch_csrf_token": csrf}
        named = {"origin": origin, "x-stytch-oauth-type": "google-one-tap", "cookie": "; ".join(cookies)}
        return world.send("POST", path, body, **named)

    csrf = started["stytch_csrf_token"]
    refused = [
        submit(csrf, provider.id_token(started["nonce"], aud="client-of-others"), cookie),
        submit(csrf, provider.id_token("n" * 43), cookie),
        submit(csrf, provider.id_token(None), cookie),
        submit("other", credential, cookie),
        submit(csrf, credential),
        submit(csrf, credential, cookie, origin="https://evil.example"),
    ]
    assert {answer.status for answer in refused} == {400, 403}
    done = submit(csrf, credential, cookie)
    assert done.status == 200, done.json
    token = parse_qs(urlsplit(done.json["redirect_url"]).query)["token"][0]
    assert signed_in(world, token).json["user"]["emails"][0]["email"] == ADA
    assert submit(csrf, credential, cookie).json["error_type"] == "oauth_state_used"


def test_one_tap_asks_for_no_scopes(google: tuple[World, Provider]) -> None:
    """OA-06: what a page adds is asked of nobody, and the sign-in grants none."""
    world, provider = google
    plain, _ = one_tap(world)
    query = urlencode({"public_token": PUBLIC_TOKEN, "custom_scopes": "https://www.googleapis.com/auth/drive"})
    start = world.visit(f"/v1/public/oauth/google/onetap/start?{query}")
    assert (start.status, set(start.json)) == (200, set(plain))
    assert "drive" not in str(start.json)
    cookie = start.header("set-cookie")[0].partition(";")[0]
    body = {"id_token": provider.id_token(start.json["nonce"]), "stytch_csrf_token": start.json["stytch_csrf_token"]}
    named = {"origin": "http://localhost:8000", "x-stytch-oauth-type": "google-one-tap", "cookie": cookie}
    done = world.send("POST", f"/v1/oauth/callback/{start.json['oauth_callback_id']}", body, **named)
    token = parse_qs(urlsplit(done.json["redirect_url"]).query)["token"][0]
    values = signed_in(world, token).json["provider_values"]
    assert (values["scopes"], values["access_token"]) == ([], "")


def test_one_tap_posted_by_google_is_parked_and_compared_with_both_cookies(google: tuple[World, Provider]) -> None:
    """A150: the double-submit token stands in a cookie and in the form."""
    world, provider = google
    started, cookie = one_tap(world)
    back = {"credential": provider.id_token(started["nonce"]), "g_csrf_token": "twice"}
    path = urlsplit(world.auth.oauth.callback_url("google")).path

    def posted(*cookies: str) -> Answer:
        answer = world.send("POST", path, urlencode(back).encode(), content_type="application/x-www-form-urlencoded")
        there = urlsplit(answer.header("location")[0])
        return world.visit(f"{there.path}?{there.query}", *cookies)

    for cookies in ((cookie,), (cookie, "g_csrf_token=other"), ("g_csrf_token=twice",)):
        assert posted(*cookies).json["error_type"] == "oauth_state_mismatch"
    assert "token" in landing(posted(cookie, "g_csrf_token=twice"))


@pytest.mark.parametrize("host", ["asgi", "wsgi"])
@pytest.mark.parametrize("name", ["google", "apple"])
def test_a_native_id_token_signs_in_once_with_the_nonce_of_its_app(name: str, host: str, tmp_path: Path) -> None:
    """OAU-07: both platforms; another app's token, another nonce and a second use are refused."""
    with provided(tmp_path, host, name, client_ids=("android-of-ours",)) as (world, provider):
        path = f"/sdk/v1/oauth/{name}/id_token/authenticate"

        def sent(token: str, **more: Any) -> Answer:
            return world.browser("POST", path, {"id_token": token, "session_duration_minutes": 60, **more})

        hashed = hashlib.sha256(b"raw").hexdigest()
        good = provider.id_token(hashed, azp="android-of-ours")
        for refused in (
            sent(good),
            sent(good, nonce="other"),
            sent(provider.id_token(hashed, aud="client-of-others"), nonce="raw"),
        ):
            assert refused.json["error_type"] == "oauth_flow_callback_error"
        assert sent(good, nonce="raw").status == 200
        assert sent(good, nonce="raw").json["error_type"] == "oauth_flow_callback_error"


def test_an_attach_token_adds_one_native_identity_and_only_in_the_session_that_asked(
    google: tuple[World, Provider],
) -> None:
    """OAU-07, ACC-06: a second identity needs another token, and nobody else's phone adds its owner's to the sender's account."""
    world, provider = google
    path = "/sdk/v1/oauth/google/id_token/authenticate"
    mine = world.sign_in("mallory@example.org")["session_token"]
    asked = world.browser("POST", "/sdk/v1/oauth/attach", {"provider": "google"}, token=mine)
    attach = asked.json["data"]["oauth_attach_token"]

    def adds(subject: str, nonce: str, **more: str) -> Answer:
        body = {
            "id_token": provider.id_token(nonce, sub=subject),
            "nonce": nonce,
            "oauth_attach_token": attach,
            "session_duration_minutes": 60,
        }
        return world.browser("POST", path, body, **more)

    assert adds("g-1", "one").json["error_type"] == "invalid_oauth_attach_token"
    added = adds("g-1", "two", token=mine)
    assert added.status == 200, added.json
    again = added.json["data"]["session_token"]
    assert adds("g-2", "three", token=again).json["error_type"] == "invalid_oauth_attach_token"
    assert len(world.browser("GET", "/sdk/v1/users/me", token=again).json["data"]["providers"]) == 1
