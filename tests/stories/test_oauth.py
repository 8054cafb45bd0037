"""Stories of signing in with a provider, through the public door, against a provider that is up on loopback."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from authmw.crypto import tokens
from authmw.people.records import Credential
from authmw.storage import And
from authmw.testing import FixedClock
from tests.oauth_provider import Provider, fetcher_of, jwk, playing, said
from tests.web_servers import reply
from tests.world import PUBLIC_TOKEN, Answer, World, make_world

ADA = "ada@example.org"
PEOPLE: dict[str, tuple[dict[str, Any], Any, bool]] = {
    "amazon": ({"user_id": "amzn1.account.A", "name": "Ada Byron", "email": ADA}, None, False),
    "apple": ({"sub": "000.a.1", "email": ADA, "email_verified": "true"}, None, True),
    "bitbucket": (
        {"uuid": "{b-1}", "display_name": "Ada Byron"},
        {"values": [{"email": ADA, "is_primary": True, "is_confirmed": True}]},
        True,
    ),
    "coinbase": ({"id": "c-1", "name": "Ada Byron", "email": ADA}, None, False),
    "discord": ({"id": "80351110224678912", "email": ADA, "verified": True}, None, True),
    "facebook": ({"id": "10223", "name": "Ada Byron", "email": ADA}, None, False),
    "github": (
        {"id": 583231, "login": "ada", "email": "mallory@example.org"},
        [
            {"email": "old@example.org", "primary": False, "verified": True},
            {"email": ADA, "primary": True, "verified": True},
        ],
        True,
    ),
    "gitlab": ({"sub": "gl-1", "email": ADA, "email_verified": True}, None, True),
    "google": ({"sub": "g-1", "email": ADA, "email_verified": True, "hd": "example.org"}, None, True),
    "linkedin": ({"sub": "li-1", "email": ADA, "email_verified": True}, None, True),
    "microsoft": (
        {"sub": "ms-1", "email": ADA, "tid": "9188040d-6c67-4c5b-b112-36a304b66dad"},
        None,
        True,
    ),
    "slack": ({"sub": "U1", "email": ADA, "email_verified": True, "https://slack.com/team_id": "T1"}, None, True),
    "twitch": ({"sub": "tw-1", "email": ADA, "email_verified": True}, None, True),
    "acme": ({"sub": "own-1", "email": ADA, "email_verified": True}, None, False),
}


@contextmanager
def provided(folder: Path, host: str, name: str, **more: Any) -> Iterator[tuple[World, Provider]]:
    """A world whose project has set one provider up."""
    clock = FixedClock()
    person, emails, _ = PEOPLE[name]
    with playing(name, clock, **person) as provider:
        provider.emails = emails
        world = make_world(
            folder, host, clock=clock, fetcher=fetcher_of(provider), oauth=(provider.configured(**more),)
        )
        yield world, provider


@pytest.fixture(params=["asgi", "wsgi"])
def google(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[World, Provider]]:
    with provided(tmp_path, request.param, "google") as both:
        yield both


def begun(world: World, name: str, **query: str) -> tuple[str, str]:
    """A start: where the browser is led, and the cookie it keeps."""
    answer = world.visit(f"/v1/public/oauth/{name}/start?" + urlencode({"public_token": PUBLIC_TOKEN, **query}))
    assert answer.status == 303, answer.json
    assert answer.header("referrer-policy") == ["no-referrer"]
    return answer.header("location")[0], answer.header("set-cookie")[0].partition(";")[0]


def called_back(world: World, name: str, back: dict[str, str], *cookies: str) -> Answer:
    """The browser comes back from the provider."""
    path = urlsplit(world.auth.oauth.callback_url(name)).path
    if name == "apple":
        body = urlencode(back).encode()
        posted = world.send("POST", path, body, content_type="application/x-www-form-urlencoded")
        assert posted.status == 303, posted.json
        there = urlsplit(posted.header("location")[0])
        return world.visit(f"{there.path}?{there.query}", *cookies)
    return world.visit(f"{path}?{urlencode(back)}", *cookies)


def landing(answer: Answer) -> dict[str, str]:
    assert answer.status == 303, answer.json
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.header("location")[0]).query).items()}


def came_back(world: World, provider: Provider, **query: str) -> str:
    """A whole round: the token of the landing URL."""
    url, cookie = begun(world, provider.name, **query)
    return landing(called_back(world, provider.name, provider.authorize(url), cookie))["token"]


def signed_in(world: World, token: str, **more: Any) -> Answer:
    body = {"token": token, "session_duration_minutes": 60, **more}
    return world.backend("POST", "/v1/oauth/authenticate", body)


@pytest.mark.parametrize("name", sorted(PEOPLE))
@pytest.mark.parametrize("host", ["asgi", "wsgi"])
def test_each_provider_signs_somebody_in_and_its_address_counts_only_where_it_is_proof(
    host: str, name: str, tmp_path: Path
) -> None:
    """OA-01, OA-02, OA-08, OA-10 to OA-12; A148; OAU-06."""
    with provided(tmp_path, host, name) as (world, provider):
        answer = signed_in(world, came_back(world, provider))
        assert answer.status == 200, answer.json
        shown = answer.json
        assert shown["user_session"]["user_id"] == shown["user_id"]
        assert shown["provider_values"]["access_token"] == "access-of-the-provider"
        assert [email["email"] for email in shown["user"]["emails"]] == ([ADA] if PEOPLE[name][2] else [])
        assert shown["user"]["providers"][0]["provider_subject"] == shown["provider_subject"]
        world.clock.advance(seconds=60)
        assert signed_in(world, came_back(world, provider)).json["user_id"] == shown["user_id"]
        other = "google" if name != "google" else "github"
        for wanted, expected in ((name.upper(), [shown["user_id"]]), (other, [])):
            query = {"operator": "AND", "operands": [{"filter_name": "oauth_provider", "filter_value": [wanted]}]}
            found = world.backend("POST", "/v1/users/search", {"query": query}).json["results"]
            assert [user["user_id"] for user in found] == expected


def test_known_people_land_on_the_login_url_and_new_ones_on_the_sign_up_url(tmp_path: Path) -> None:
    """OA-07, OA-08."""
    from authmw import RedirectType, RedirectURL

    urls = (
        RedirectURL("http://localhost:3000/in", frozenset({RedirectType.LOGIN}), frozenset({RedirectType.LOGIN})),
        RedirectURL("http://localhost:3000/up", frozenset({RedirectType.SIGNUP}), frozenset({RedirectType.SIGNUP})),
    )
    clock = FixedClock()
    with playing("google", clock, **PEOPLE["google"][0]) as provider:
        world = make_world(
            tmp_path,
            "asgi",
            clock=clock,
            fetcher=fetcher_of(provider),
            oauth=(provider.configured(),),
            redirect_urls=urls,
        )
        for expected in ("/up", "/in"):
            url, cookie = begun(world, "google")
            answer = called_back(world, "google", provider.authorize(url), cookie)
            assert urlsplit(answer.header("location")[0]).path == expected
            assert landing(answer)["stytch_token_type"] == "oauth"
            assert signed_in(world, landing(answer)["token"]).status == 200
        start = f"/v1/public/oauth/google/start?public_token={PUBLIC_TOKEN}&login_redirect_url="
        refused = world.visit(start + "http://localhost:3000/up")
        assert refused.json["error_type"] == "no_match_for_provided_oauth_url"  # OA-09


def test_a_provider_that_is_not_set_up_is_refused_by_name_and_asks_nobody(google: tuple[World, Provider]) -> None:
    """OA-03."""
    world, provider = google
    for name in ("github", "nobody"):
        refused = world.visit(f"/v1/public/oauth/{name}/start?public_token={PUBLIC_TOKEN}")
        assert (refused.status, refused.json["error_type"]) == (404, "oauth_config_not_found")
    assert (
        world.visit("/v1/public/oauth/google/start?public_token=other").json["error_type"] == "public_token_not_found"
    )
    assert provider.asked == []


def test_custom_scopes_are_asked_for_beside_the_base_ones_and_never_of_apple(
    google: tuple[World, Provider], tmp_path: Path
) -> None:
    """OA-04, OA-05, X-27."""
    world, _ = google
    url, _ = begun(world, "google", custom_scopes="https://www.googleapis.com/auth/calendar email")
    asked = parse_qs(urlsplit(url).query)["scope"][0]
    assert asked == "openid email profile https://www.googleapis.com/auth/calendar"
    for white in ("a%09b", "a%C2%A0b", "a%E2%80%A8b", "a%0Ab", "%C2%85"):
        start = f"/v1/public/oauth/google/start?public_token={PUBLIC_TOKEN}&custom_scopes={white}"
        refused = world.visit(start)
        assert (refused.status, refused.json["error_type"]) == (400, "oauth_invalid_scope_requested")
    with provided(tmp_path / "apple", "asgi", "apple") as (world, _):
        start = f"/v1/public/oauth/apple/start?public_token={PUBLIC_TOKEN}&custom_scopes=more"
        assert world.visit(start).json["error_type"] == "oauth_invalid_scope_requested"


def test_a_request_adds_parameters_but_replaces_none_of_ours(google: tuple[World, Provider]) -> None:
    """A151, RED-01."""
    world, _ = google
    url, _ = begun(world, "google", provider_prompt="consent", provider_login_hint="ada@example.org")
    assert parse_qs(urlsplit(url).query)["prompt"] == ["consent"]
    for name in ("redirect_uri", "state", "client_id", "scope", "nonce", "code_challenge", "response_mode"):
        start = f"/v1/public/oauth/google/start?public_token={PUBLIC_TOKEN}&provider_{name}=evil"
        assert world.visit(start).status == 400


def test_a_callback_without_its_flow_or_its_browser_is_refused_and_asks_the_provider_nothing(
    google: tuple[World, Provider],
) -> None:
    """A136, A137, A139, OAU-01: no state, unknown state, another browser's, used, old, repeated parameters."""
    world, provider = google
    url, cookie = begun(world, "google")
    _, stranger = begun(world, "google")
    back = provider.authorize(url)
    path = urlsplit(world.auth.oauth.callback_url("google")).path
    attempts = [
        (world.visit(f"{path}?code=x", cookie), "oauth_invalid_state"),
        (called_back(world, "google", {**back, "state": tokens.token()}, cookie), "oauth_invalid_state"),
        (called_back(world, "google", back), "oauth_state_mismatch"),
        (called_back(world, "google", back, stranger), "oauth_state_mismatch"),
        (called_back(world, "google", back, cookie + "x"), "oauth_state_mismatch"),
        (called_back(world, "google", back, cookie, stranger), "oauth_state_mismatch"),
        (world.visit(f"{path}?{urlencode(back)}&state={back['state']}", cookie), "bad_request"),
    ]
    for answer, error in attempts:
        assert (answer.status, answer.json["error_type"]) == (400, error)
    assert provider.asked == []
    assert "token" in landing(called_back(world, "google", back, cookie))
    count = len(provider.asked)
    assert called_back(world, "google", back, cookie).json["error_type"] == "oauth_state_used"
    late, cookie = begun(world, "google")
    world.clock.advance(seconds=600)
    assert called_back(world, "google", provider.authorize(late), cookie).json["error_type"] == "oauth_invalid_state"
    assert len(provider.asked) == count


def test_the_code_of_somebody_else_is_worth_nothing_in_another_flow(google: tuple[World, Provider]) -> None:
    """A138: the verifier belongs to the flow, so the provider refuses the injected code."""
    world, provider = google
    victims, _ = begun(world, "google")
    stolen = provider.authorize(victims)["code"]
    mine, cookie = begun(world, "google")
    state = parse_qs(urlsplit(mine).query)["state"][0]
    assert landing(called_back(world, "google", {"state": state, "code": stolen}, cookie)) == {
        "stytch_token_type": "oauth",
        "error": "oauth_auth_code_error",
    }


@pytest.mark.parametrize("iss", [None, "https://evil.example"])
def test_mix_up_is_noticed_before_the_code_leaves(iss: str | None, tmp_path: Path) -> None:
    """A139, OAU-02, RFC 9207: another issuer, or none though it is announced."""
    with provided(tmp_path, "asgi", "discord") as (world, provider):
        url, cookie = begun(world, "discord")
        back = provider.authorize(url)
        back.pop("iss")
        answer = called_back(world, "discord", back | ({"iss": iss} if iss else {}), cookie)
        assert landing(answer)["error"] == "oauth_invalid_callback_request"
        assert provider.asked == []


def test_what_a_provider_says_of_an_error_is_not_passed_on(google: tuple[World, Provider]) -> None:
    """OAU-09."""
    world, provider = google
    url, cookie = begun(world, "google")
    state = provider.authorize(url)["state"]
    back = {"state": state, "error": "access_denied", "error_description": "<script>alert(1)</script>"}
    answer = called_back(world, "google", back, cookie)
    assert landing(answer)["error"] == "unable_to_authorize_oauth_provider"
    assert "script" not in str(answer.headers)


ROGUE: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://evil.example"},
    "another audience": {"aud": "client-of-others"},
    "a second audience": {"aud": ["client-of-ours", "client-of-others"]},
    "a foreign azp": {"azp": "client-of-others"},
    "another nonce": {"nonce": "n" * 43},
    "no nonce": {"nonce": None},
    "no subject": {"sub": None},
    "an empty subject": {"sub": ""},
    "no time": {"iat": None},
    "no end": {"exp": None},
    "a past end": {"exp": 1},
    "a wrong at_hash": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
    "a wrong c_hash": {"c_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
}


@pytest.mark.parametrize("what", sorted(ROGUE))
def test_an_id_token_that_does_not_count_signs_nobody_in(what: str, tmp_path: Path) -> None:
    """A140, A141, OAU-03."""
    with provided(tmp_path, "asgi", "google") as (world, provider):
        provider.claims = ROGUE[what]
        url, cookie = begun(world, "google")
        answer = called_back(world, "google", provider.authorize(url), cookie)
        assert landing(answer)["error"] == "oauth_flow_callback_error"


def test_a_provider_that_breaks_down_is_one_refusal_and_the_next_flow_works(google: tuple[World, Provider]) -> None:
    """AUD-03, OAU-09: 500, not JSON, a redirect, too large, cut off."""
    world, provider = google
    broken = [
        reply(500, b"oops"),
        reply(200, b"<html>"),
        reply(302, b"", location="https://evil.example/"),
        reply(200, b"x" * 2_000_000),
        b"nonsense\r\n\r\n",
        said({"access_token": "a", "token_type": "mac"}),
        said({"error": "invalid_client"}, 401),
    ]
    for place in ("token_url", "jwks_url"):
        for answer in broken:
            world.clock.advance(seconds=3600)
            provider.broken = {place: answer}
            url, cookie = begun(world, "google")
            led = called_back(world, "google", provider.authorize(url), cookie)
            assert landing(led)["error"].startswith("oauth_")
    provider.broken = {}
    assert signed_in(world, came_back(world, provider)).status == 200


def test_userinfo_of_another_subject_is_refused(tmp_path: Path) -> None:
    """A142, OAU-04."""
    with provided(tmp_path, "asgi", "linkedin") as (world, provider):
        provider.claims = {"sub": "li-2"}
        url, cookie = begun(world, "linkedin")
        answer = called_back(world, "linkedin", provider.authorize(url), cookie)
        assert landing(answer)["error"] == "oauth_flow_callback_error"


def test_keys_are_read_again_for_an_unknown_key_but_not_within_a_minute(google: tuple[World, Provider]) -> None:
    """OAU-05."""
    world, provider = google
    assert signed_in(world, came_back(world, provider)).status == 200
    provider.keys, provider.header = [jwk("two")], {"kid": "two"}
    world.clock.advance(seconds=59)
    url, cookie = begun(world, "google")
    led = called_back(world, "google", provider.authorize(url), cookie)
    assert landing(led)["error"] == "oauth_flow_callback_error"
    world.clock.advance(seconds=1)
    assert signed_in(world, came_back(world, provider)).status == 200
    assert sum(request.target == "/jwks_url" for request in provider.asked) == 2


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://provider.example/"},
        {"token_endpoint": "http://provider.example/token"},
        {"jwks_uri": "ftp://provider.example/"},
        {"jwks_uri": None},
    ],
)
def test_a_discovery_document_that_is_not_the_configured_one_is_refused(
    document: dict[str, Any], tmp_path: Path
) -> None:
    """A143, OAU-05."""
    with provided(tmp_path, "asgi", "acme") as (world, provider):
        provider.document = document
        start = f"/v1/public/oauth/acme/start?public_token={PUBLIC_TOKEN}"
        assert world.visit(start).json["error_type"] == "oauth_flow_callback_error"


def test_a_flow_that_began_with_a_challenge_needs_the_verifier(google: tuple[World, Provider]) -> None:
    """OA-13, OA-14."""
    world, provider = google
    verifier = "v" * 43
    challenge = tokens.base64url(hashlib.sha256(verifier.encode()).digest())
    token = came_back(world, provider, code_challenge=challenge)
    assert signed_in(world, token).json["error_type"] == "pkce_expected_code_verifier"
    assert signed_in(world, token, code_verifier="w" * 43).json["error_type"] == "pkce_mismatch"
    assert signed_in(world, token, code_verifier=verifier).status == 200
    plain = came_back(world, provider)
    assert signed_in(world, plain, code_verifier=verifier).json["error_type"] == "pkce_did_not_expect_code_verifier"


def test_a_token_signs_in_once_and_within_five_minutes(google: tuple[World, Provider]) -> None:
    """OA-11."""
    world, provider = google
    token = came_back(world, provider)
    assert signed_in(world, token).status == 200
    late = came_back(world, provider)
    world.clock.advance(seconds=300)
    for dead in (token, late, "never was"):
        refused = signed_in(world, dead)
        assert (refused.status, refused.json["error_type"]) == (404, "oauth_token_not_found")


def test_a_browser_is_not_given_the_tokens_of_the_provider_and_storage_keeps_them_sealed(
    google: tuple[World, Provider],
) -> None:
    """A152, OAU-08."""
    world, provider = google
    body = {"token": came_back(world, provider), "session_duration_minutes": 60}
    shown = world.browser("POST", "/sdk/v1/oauth/authenticate", body).json["data"]
    assert shown["provider_values"]["access_token"] == ""
    assert shown["__user"]["user_id"] == shown["user_id"]
    kept = world.auth.run(world.auth.storage.page(Credential, And(), limit=10)).records
    assert len(kept) == 1
    assert b"access-of-the-provider" not in kept[0].sealed


def test_two_providers_with_the_same_subject_are_two_identities(tmp_path: Path) -> None:
    """A146, ACC-07."""
    clock = FixedClock()
    with playing("gitlab", clock, sub="same") as one, playing("acme", clock, sub="same") as other:
        first = make_world(tmp_path, "asgi", clock=clock, fetcher=fetcher_of(one), oauth=(one.configured(),))
        mine = signed_in(first, came_back(first, one)).json["user_id"]
        second = make_world(tmp_path, "asgi", clock=clock, fetcher=fetcher_of(other), oauth=(other.configured(),))
        second.auth.core.storage = second.auth.storage = first.auth.storage
        assert signed_in(second, came_back(second, other)).json["user_id"] != mine


def test_the_sandbox_token_signs_the_sandbox_user_in(google: tuple[World, Provider]) -> None:
    world, provider = google
    for _ in range(2):
        answer = signed_in(world, "hdPVZHHX0UoRa7hJTuuPHi1vlddffSnoweRbVFf5-H8g")
        assert answer.json["user_id"] == "user-test-e3795c81-f849-4167-bfda-e4a6e9c280fd"
    assert provider.asked == []
