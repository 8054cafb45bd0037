"""Sign-in by a provider, with the vendor's own Python client at the backend and a browser that the stand-in's page is filled in with."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from urllib.parse import urlencode, urlsplit

import httpx2
import pytest
import stytch
from stytch.core.response_base import StytchError

from authmw.cli.dev import PUBLIC_TOKEN

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture
def browser(client: stytch.Client) -> Iterator[httpx2.Client]:
    # The app calls itself localhost; this machine may have given that name to an address that nobody listens at.
    with httpx2.Client(trust_env=False, base_url=client.api_base.base_url) as visitor:
        yield visitor


def landed(browser: httpx2.Client, provider: str, email: str, **query: str) -> str:
    """Go to the provider, say who one is there, and come back: the token of the landing URL."""
    start = f"/v1/public/oauth/{provider}/start?" + urlencode({"public_token": PUBLIC_TOKEN, **query})
    answer = browser.get(start)
    while answer.status_code == 303:
        there = urlsplit(answer.headers["location"])
        if there.path == "/authenticate":
            return re.findall(r"[?&]token=([^&]+)", f"?{there.query}")[0]
        answer = browser.get(f"{there.path}?{there.query}")
        if "Stand-in for" in answer.text:
            form = {name: html.unescape(value) for name, value in re.findall(HIDDEN, answer.text)}
            filled = {**form, "email": email, "verified": "on", "decision": "allow"}
            origin = str(browser.base_url).rstrip("/")
            answer = browser.post(str(answer.url), data=filled, headers={"origin": origin})
    raise AssertionError(answer.text)


HIDDEN = r'type="hidden" name="([^"]+)" value="([^"]*)"'


def test_a_person_signs_in_is_known_again_and_adds_a_second_provider(
    client: stytch.Client, browser: httpx2.Client
) -> None:
    token = landed(browser, "google", "ada@example.org")
    first = client.oauth.authenticate(token=token, session_duration_minutes=60)
    assert first.provider_type == "Google"
    assert first.user.emails[0].email == "ada@example.org"
    assert first.user_session is not None
    assert first.user_session.authentication_factors[0].google_oauth_factor is not None
    assert first.provider_values.scopes == ["openid", "email", "profile"]
    with pytest.raises(StytchError) as spent:
        client.oauth.authenticate(token=token)
    assert spent.value.details.error_type == "oauth_token_not_found"
    attach = client.oauth.attach(provider="amazon", session_token=first.session_token)
    token = landed(browser, "amazon", "other@example.org", oauth_attach_token=attach.oauth_attach_token)
    added = client.oauth.authenticate(token=token, session_token=first.session_token, session_duration_minutes=60)
    assert added.user_id == first.user_id
    assert added.user_session is not None
    assert added.user_session.session_id == first.user_session.session_id
    assert sorted(one.provider_type for one in added.user.providers) == ["Amazon", "Google"]
    assert client.sessions.authenticate_jwt(added.session_jwt).session.user_id == first.user_id
    gone = client.users.delete_oauth_registration(added.oauth_user_registration_id)
    assert [one.provider_type for one in gone.user.providers] == ["Google"]


def test_a_provider_that_is_not_known_is_refused_by_its_documented_error(client: stytch.Client) -> None:
    with pytest.raises(StytchError) as refused:
        client.oauth.attach(provider="nobody", user_id="user-test-e3795c81-f849-4167-bfda-e4a6e9c280fd")
    assert refused.value.details.error_type == "oauth_config_not_found"


def test_the_sandbox_token_signs_the_sandbox_user_in(client: stytch.Client) -> None:
    answer = client.oauth.authenticate(token="hdPVZHHX0UoRa7hJTuuPHi1vlddffSnoweRbVFf5-H8g", session_duration_minutes=5)
    assert answer.user_id == "user-test-e3795c81-f849-4167-bfda-e4a6e9c280fd"
