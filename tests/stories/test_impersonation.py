"""Signing in as a user, for support."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest

from authmw import Auth, OAuthProvider
from authmw.testing import EthereumWallet
from authmw_adapters.fetcher import GuardedFetcher
from tests.stories.test_crypto_wallets import named
from tests.world import World, make_world

START, AUTHENTICATE = "/v1/impersonation/start", "/v1/impersonation/authenticate"


@pytest.fixture(params=["asgi", "wsgi"])
def support(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return make_world(tmp_path, request.param, impersonation=True)


def started(world: World, user_id: str) -> str:
    body = {
        "user_id": user_id,
        "impersonator_id": "staff-7",
        "impersonator_email_address": "help@example.com",
    }
    answer = world.backend("POST", START, body)
    assert answer.status == 200
    return answer.json["impersonation_token"]


def impersonate(world: World, user_id: str) -> Any:
    answer = world.backend("POST", AUTHENTICATE, {"impersonation_token": started(world, user_id)})
    assert answer.status == 200
    return answer.json


def test_a_token_signs_in_once_for_an_hour_and_the_session_says_who_is_behind_it(support: World) -> None:
    user_id = support.sign_in()["user_id"]
    token = started(support, user_id)
    signed_in = support.backend("POST", AUTHENTICATE, {"impersonation_token": token}).json
    factor = signed_in["session"]["authentication_factors"][0]
    assert (factor["type"], factor["delivery_method"]) == ("impersonated", "impersonation")
    assert factor["impersonated_factor"] == {
        "impersonator_id": "staff-7",
        "impersonator_email_address": "help@example.com",
    }
    again = support.backend("POST", AUTHENTICATE, {"impersonation_token": token})
    assert (again.status, again.json["error_type"]) == (401, "unable_to_auth_impersonation_token")
    support.clock.advance(minutes=59)
    session = {"session_token": signed_in["session_token"]}
    assert support.backend("POST", "/v1/sessions/authenticate", session).status == 200
    support.clock.advance(minutes=1)
    assert support.backend("POST", "/v1/sessions/authenticate", session).status == 404


def test_a_token_is_over_after_five_minutes(support: World) -> None:
    token = started(support, support.sign_in()["user_id"])
    support.clock.advance(seconds=300)
    assert support.backend("POST", AUTHENTICATE, {"impersonation_token": token}).status == 401


def test_a_token_is_worth_nothing_once_its_user_is_gone_or_the_project_allows_it_no_more(support: World) -> None:
    user_id = support.sign_in()["user_id"]
    gone, forbidden = started(support, user_id), started(support, support.sign_in("bob@example.org")["user_id"])
    assert support.backend("DELETE", f"/v1/users/{user_id}").status == 200
    settings = attrs.evolve(support.auth.settings, impersonation=False)
    auth = Auth(settings, storage=support.auth.storage, limiter=support.auth.core.limiter, clock=support.clock)
    stopped = attrs.evolve(support, auth=auth)
    for world, token in ((support, gone), (stopped, forbidden)):
        refused = world.backend("POST", AUTHENTICATE, {"impersonation_token": token})
        assert (refused.status, refused.json["error_type"]) == (401, "unable_to_auth_impersonation_token")


def test_such_a_session_is_not_extended_and_joins_no_proof(support: World) -> None:
    user_id = support.sign_in()["user_id"]
    signed_in = impersonate(support, user_id)
    body = {"session_token": signed_in["session_token"], "session_duration_minutes": 600}
    kept = support.backend("POST", "/v1/sessions/authenticate", body).json
    assert kept["session"]["expires_at"] == signed_in["session"]["expires_at"]
    support.clock.advance(seconds=2)
    support.backend("POST", "/v1/magic_links/email/login_or_create", {"email": "ada@example.org"})
    joined = support.backend(
        "POST",
        "/v1/magic_links/authenticate",
        {"token": support.token(), "session_token": signed_in["session_token"]},
    )
    assert (joined.status, joined.json["error_type"]) == (400, "session_not_mutable")


def test_whoever_impersonates_changes_nothing_of_the_user(support: World) -> None:
    signed_in = impersonate(support, support.sign_in()["user_id"])
    email_id = signed_in["user"]["emails"][0]["email_id"]
    token = signed_in["session_token"]
    for method, path, body in (
        ("PUT", "/sdk/v1/users/me", {"untrusted_metadata": {"a": 1}}),
        ("DELETE", f"/sdk/v1/users/emails/{email_id}", None),
    ):
        answer = support.browser(method, path, body, token=token)
        assert (answer.status, answer.json["error_type"]) == (400, "session_not_mutable")
    assert support.browser("GET", "/sdk/v1/users/me", token=token).status == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/magic_links/email/send", {"email": "staff@example.org"}),
        ("/v1/otps/email/send", {"email": "staff@example.org"}),
        ("/v1/otps/sms/send", {"phone_number": "+12025550142"}),
        ("/v1/otps/whatsapp/send", {"phone_number": "+12025550142"}),
        ("/v1/oauth/attach", {"provider": "google"}),
        ("/v1/crypto_wallets/authenticate/start", named(EthereumWallet(78))),
    ],
)
def test_whoever_impersonates_adds_no_way_in_through_a_backend_either(
    tmp_path: Path, path: str, body: dict[str, str]
) -> None:
    """ACC-02: a host's backend that passes the session on that it was shown is refused as a browser is."""
    google = OAuthProvider(name="google", client_id="ours", client_secret="a secret of ours")
    support = make_world(tmp_path, "asgi", impersonation=True, oauth=(google,), fetcher=GuardedFetcher())
    signed_in = impersonate(support, support.sign_in()["user_id"])
    support.clock.advance(seconds=2)
    before = len(support.inbox.entries())
    answer = support.backend("POST", path, {**body, "session_token": signed_in["session_token"]})
    assert (answer.status, answer.json["error_type"]) == (400, "session_not_mutable")
    assert len(support.inbox.entries()) == before


def test_a_project_that_does_not_allow_it_mints_nothing(world: World) -> None:
    body = {
        "user_id": world.sign_in()["user_id"],
        "impersonator_id": "staff-7",
        "impersonator_email_address": "help@example.com",
    }
    refused = world.backend("POST", START, body)
    assert (refused.status, refused.json["error_type"]) == (400, "user_impersonation_not_allowed")
    unknown = world.backend("POST", AUTHENTICATE, {"impersonation_token": "x" * 43})
    assert (unknown.status, unknown.json["error_type"]) == (401, "unable_to_auth_impersonation_token")


def test_a_links_token_is_no_impersonation_token(support: World) -> None:
    """TOK-03."""
    support.sign_in()
    support.clock.advance(seconds=2)
    support.backend("POST", "/v1/magic_links/email/login_or_create", {"email": "ada@example.org"})
    assert support.backend("POST", AUTHENTICATE, {"impersonation_token": support.token()}).status == 401
    link = {"token": started(support, support.sign_in()["user_id"])}
    assert support.backend("POST", "/v1/magic_links/authenticate", link).status == 401
