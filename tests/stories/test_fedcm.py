"""Federated Credential Management: the browser asks Google, and what it brings counts at Google's own callback. We are no identity provider of it, and answer no browser that takes us for one (FedCM section 3)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from authmw import OAuthProvider
from authmw.http.api import Api
from authmw.provider import Provider as Grants
from authmw.testing import FixedClock
from tests.oauth_provider import Provider, apple_key, fetcher_of, playing
from tests.stories.test_oauth import PEOPLE, landing
from tests.stories.test_one_tap import one_tap
from tests.world import URL, Answer, World, make_world

FORM = "application/x-www-form-urlencoded"


@pytest.fixture(params=["asgi", "wsgi"])
def two(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[World, Provider]]:
    """A project with Google, which is up, and Apple, which posts forms as One Tap does."""
    clock = FixedClock()
    apple = OAuthProvider(name="apple", client_id="c", team_id="team", key_id="key", private_key=apple_key())
    with playing("google", clock, **PEOPLE["google"][0]) as provider:
        oauth = (provider.configured(), apple)
        yield make_world(tmp_path, request.param, clock=clock, fetcher=fetcher_of(provider), oauth=oauth), provider


def callback(world: World, name: str) -> str:
    return urlsplit(world.auth.oauth.callback_url(name)).path


def test_a_credential_that_a_page_got_counts_at_googles_callback_only(two: tuple[World, Provider]) -> None:
    """OAU-02, OAU-07, and what is refused uses nothing up."""
    world, provider = two
    started, cookie = one_tap(world)
    body = {"id_token": provider.id_token(started["nonce"]), "stytch_csrf_token": started["stytch_csrf_token"]}

    def submit(path: str) -> Answer:
        named = {"origin": URL, "x-stytch-oauth-type": "google-one-tap", "sec_fetch_dest": "empty"}
        return world.send("POST", path, body, cookie=cookie, **named)

    apples = submit(callback(world, "apple"))
    assert (apples.status, apples.json["error_type"]) == (400, "oauth_invalid_callback_request")
    nobodys = submit(callback(world, "google") + "0")
    assert (nobodys.status, nobodys.json["error_type"]) == (404, "oauth_config_not_found")
    done = submit(callback(world, "google"))
    assert parse_qs(urlsplit(done.json["redirect_url"]).query)["token"]


def test_a_credential_that_google_posts_counts_at_its_callback_only(two: tuple[World, Provider]) -> None:
    """OAU-02: the page of another provider that posts forms is no way in for it."""
    world, provider = two
    started, cookie = one_tap(world)
    form = urlencode({"credential": provider.id_token(started["nonce"]), "g_csrf_token": "twice"}).encode()

    def posted(name: str) -> Answer:
        answer = world.send("POST", callback(world, name), form, content_type=FORM)
        there = urlsplit(answer.header("location")[0])
        return world.visit(f"{there.path}?{there.query}", cookie, "g_csrf_token=twice")

    assert posted("apple").json["error_type"] == "oauth_invalid_state"
    assert "token" in landing(posted("google"))


@pytest.mark.parametrize("host", ["asgi", "wsgi"])
def test_no_address_of_ours_answers_a_browser_that_takes_us_for_an_identity_provider(host: str, tmp_path: Path) -> None:
    """Whatever a page had it call: nothing is done, read or set, whoever is signed in."""
    world = make_world(tmp_path, host, provider=Grants(dynamic_registration=True, device_grant=True))
    token = world.sign_in()["session_token"]
    named = {"origin": URL, "content_type": FORM, "cookie": f"authmw_session={token}"}
    for method, path in addresses(world):
        body = b"account_id=1" if method in {"POST", "PUT", "PATCH"} else None
        for mark in ("webidentity", "WebIdentity", "empty, webidentity"):
            answer = world.send(method, path, body, sec_fetch_dest=mark, **named)
            assert answer.status == 403, (method, path)
            assert answer.header("set-cookie") == []
            if method != "HEAD":
                assert answer.json["error_type"] == "cross_site_request"
    assert world.visit("/who", f"authmw_session={token}", sec_fetch_dest="webidentity").status == 200


def addresses(world: World) -> Iterator[tuple[str, str]]:
    """Every address of the table."""
    table = Api(world.auth)._table
    held = [(path, methods) for path, methods in table._static.items()]
    held += [
        ("/".join("x" if part.startswith("{") else part for part in parts), methods)
        for known in table._patterns.values()
        for parts, methods in known
    ]
    for path, methods in held:
        # What stands only below the mount is asked for there.
        mounted = path if path.startswith(("/v1/", "/sdk/v1/", "/.well-known/")) else f"/auth{path}"
        yield from ((method, mounted) for method in sorted(methods))
