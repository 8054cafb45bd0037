"""An identity at a provider and an account: when the two become one, when an identity is added, and that nothing else ever merges two people."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from authmw.crypto import tokens
from tests.oauth_provider import Provider
from tests.stories.test_oauth import ADA, begun, called_back, came_back, landing, signed_in
from tests.stories.test_oauth import google as google
from tests.stories.test_totps import code as totp_code
from tests.world import PUBLIC_TOKEN, World


def test_both_sides_must_have_proved_an_address_before_it_links(google: tuple[World, Provider]) -> None:
    """USR-12, ACC-05, X-16: a verified address and a proof of it are one person, who keeps their id."""
    world, provider = google
    ada = world.sign_in(ADA)
    linked = signed_in(world, came_back(world, provider)).json
    assert linked["user_id"] == ada["user_id"]
    assert [one["email"] for one in linked["user"]["emails"]] == [ADA]
    assert world.sign_in(ADA)["user_id"] == ada["user_id"]


@pytest.mark.parametrize("flag", [None, False, "false", "true", 0, 1, "true "])
def test_an_address_that_is_not_proved_by_the_provider_links_to_nobody(
    flag: Any, google: tuple[World, Provider]
) -> None:
    """A145, A213, OAU-06."""
    world, provider = google
    ada = world.sign_in(ADA)
    provider.claims = {"email_verified": flag}
    answer = signed_in(world, came_back(world, provider)).json
    assert answer["user_id"] != ada["user_id"]
    assert answer["user"]["emails"] == []


def test_what_a_stranger_prepared_around_an_address_dies_when_its_owner_comes_with_a_provider(
    google: tuple[World, Provider],
) -> None:
    """A209, A210: the address stands unproved on an account, and its session and factors end."""
    world, provider = google
    made = world.backend("POST", "/v1/users", {"email": ADA, "phone_number": "+12025550142"}).json
    answer = signed_in(world, came_back(world, provider)).json
    assert answer["user_id"] == made["user_id"]
    assert answer["reset_sessions"] is True
    assert answer["user"]["phone_numbers"] == []
    assert answer["user"]["emails"][0]["verified"] is True


def test_an_attach_token_adds_the_identity_to_its_user_whatever_the_address(google: tuple[World, Provider]) -> None:
    world, provider = google
    bob = world.sign_in("bob@example.org")
    attach = world.backend("POST", "/v1/oauth/attach", {"provider": "google", "user_id": bob["user_id"]}).json
    token = came_back(world, provider, oauth_attach_token=attach["oauth_attach_token"])
    answer = signed_in(world, token).json
    assert answer["user_id"] == bob["user_id"]
    assert len(answer["user"]["providers"]) == 1
    spent = f"/v1/public/oauth/google/start?public_token={PUBLIC_TOKEN}&oauth_attach_token="
    used = world.visit(spent + attach["oauth_attach_token"])
    assert used.json["error_type"] == "invalid_oauth_attach_token"


def test_attaching_never_merges_two_users(google: tuple[World, Provider]) -> None:
    """The identity of somebody is not given to another, and a proved address stays with its owner."""
    world, provider = google
    ada = signed_in(world, came_back(world, provider)).json
    bob = world.sign_in("bob@example.org")
    attach = world.backend("POST", "/v1/oauth/attach", {"provider": "google", "user_id": bob["user_id"]}).json
    url, cookie = begun(world, "google", oauth_attach_token=attach["oauth_attach_token"])
    led = called_back(world, "google", provider.authorize(url), cookie)
    assert landing(led)["error"] == "duplicate_oauth_registration"
    provider.person = {**provider.person, "sub": "g-2"}
    attach = world.backend("POST", "/v1/oauth/attach", {"provider": "google", "user_id": bob["user_id"]}).json
    answer = signed_in(world, came_back(world, provider, oauth_attach_token=attach["oauth_attach_token"])).json
    assert answer["user_id"] == bob["user_id"]
    assert [email["email"] for email in answer["user"]["emails"]] == ["bob@example.org"]
    still = world.backend("GET", f"/v1/users/{ada['user_id']}").json
    assert [email["email"] for email in still["emails"]] == [ADA]


def test_what_a_browser_asked_to_be_added_comes_back_to_its_session_only(google: tuple[World, Provider]) -> None:
    """A link with an attach token of its sender adds no stranger's identity to the sender's account."""
    world, provider = google
    mallory = world.sign_in("mallory@example.org")
    asked = world.browser("POST", "/sdk/v1/oauth/attach", {"provider": "google"}, token=mallory["session_token"])
    attach = asked.json["data"]["oauth_attach_token"]
    token = came_back(world, provider, oauth_attach_token=attach)
    body = {"token": token, "session_duration_minutes": 60}
    refused = world.browser("POST", "/sdk/v1/oauth/authenticate", body)
    assert refused.json["error_type"] == "invalid_oauth_attach_token"
    shown = world.browser("POST", "/sdk/v1/oauth/authenticate", body, token=mallory["session_token"]).json["data"]
    assert shown["user"]["user_id"] == mallory["user_id"]
    assert shown["session"]["user_id"] == mallory["user_id"]


def test_an_identity_that_was_asked_for_before_a_second_factor_was_enrolled_enters_no_more_after_it(
    google: tuple[World, Provider],
) -> None:
    """ACC-02: the rule is that of the moment in which it enters."""
    world, provider = google
    session = world.sign_in("mallory@example.org")
    asked = world.browser("POST", "/sdk/v1/oauth/attach", {"provider": "google"}, token=session["session_token"])
    token = came_back(world, provider, oauth_attach_token=asked.json["data"]["oauth_attach_token"])
    made = world.backend("POST", "/v1/totps", {"user_id": session["user_id"]}).json
    body = {"user_id": session["user_id"], "totp_code": totp_code(world, made["secret"])}
    assert world.backend("POST", "/v1/totps/authenticate", body).status == 200
    body = {"token": token, "session_duration_minutes": 60}
    refused = world.browser("POST", "/sdk/v1/oauth/authenticate", body, token=session["session_token"])
    assert (refused.status, refused.json["error_type"]) == (401, "insufficient_factors")
    assert world.backend("GET", f"/v1/users/{session['user_id']}").json["providers"] == []


@pytest.mark.parametrize("asker", ["session", "user_id"])
def test_an_identity_that_waits_is_dead_once_the_session_or_all_of_them_were_ended(
    asker: str, google: tuple[World, Provider]
) -> None:
    """A212, ACC-06: the victim ends what they can see; the attacker's identity, already on its way, does not come in behind."""
    world, provider = google
    stolen = world.sign_in("bob@example.org")
    made = world.backend("POST", "/v1/totps", {"user_id": stolen["user_id"]}).json
    body = {"user_id": stolen["user_id"], "totp_code": totp_code(world, made["secret"])}
    assert world.backend("POST", "/v1/totps/authenticate", body).status == 200
    named = {"session_token": stolen["session_token"]} if asker == "session" else {"user_id": stolen["user_id"]}
    attach = world.backend("POST", "/v1/oauth/attach", {"provider": "google", **named}).json
    token = came_back(world, provider, oauth_attach_token=attach["oauth_attach_token"])
    if asker == "session":
        assert world.backend("POST", "/v1/sessions/revoke", named).status == 200
    else:
        assert world.backend("DELETE", f"/v1/users/totps/{made['totp_id']}").status == 200
    assert signed_in(world, token).json["error_type"] == "invalid_oauth_attach_token"
    assert world.backend("GET", f"/v1/users/{stolen['user_id']}").json["providers"] == []


def test_ten_tries_use_a_token_up_whoever_makes_them(google: tuple[World, Provider]) -> None:
    """RAT-01: who stole a token without its verifier guesses ten times, and its owner begins again."""
    world, provider = google
    verifier = "v" * 43
    challenge = tokens.base64url(hashlib.sha256(verifier.encode()).digest())
    token = came_back(world, provider, code_challenge=challenge)
    for _ in range(10):
        assert signed_in(world, token, code_verifier="w" * 43).json["error_type"] == "pkce_mismatch"
    assert signed_in(world, token, code_verifier=verifier).json["error_type"] == "oauth_token_not_found"
