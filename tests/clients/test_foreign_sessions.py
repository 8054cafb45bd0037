"""Sessions in exchange for what others gave out, by the vendor's own Python client."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import attrs
import pytest
import requests
import stytch
from stytch.core.response_base import StytchError

from authmw import Auth
from authmw.cli.dev import dev_auth
from authmw.testing import FixedClock
from authmw_adapters.inbox import Inbox
from authmw_adapters.sqlite import SQLiteLimiter, SQLiteStorage
from tests.clients.conftest import running
from tests.trusted_issuer import PROFILE, Issuer, profile
from tests.web_servers import counter, fetcher_for, reply

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


def signed_in(client: stytch.Client, inbox: Inbox):
    client.magic_links.email.login_or_create(email="ada@example.org")
    token = inbox.entries()[0].links[0].split("token=")[-1]
    return client.magic_links.authenticate(token, session_duration_minutes=60)


def test_a_trusted_token_and_a_session_of_another_system_become_sessions(tmp_path: Path, inbox: Inbox) -> None:
    clock = FixedClock()
    issuer = Issuer(clock)
    with counter(reply(200, json.dumps({"email": "ada@example.org"}).encode())) as server:

        def made(url: str) -> Auth:
            database = tmp_path / "app.sqlite3"
            settings = attrs.evolve(
                dev_auth(tmp_path / "dev.sqlite3", url).settings,
                oauth=(),
                trusted_tokens=(profile(can_jit_provision=True),),
                session_migration_url=f"{server.url}/userinfo",
            )
            return Auth(
                settings,
                storage=SQLiteStorage(database),
                limiter=SQLiteLimiter(database),
                email=inbox,
                fetcher=fetcher_for(server.port),
                clock=clock,
            )

        with running(made, inbox) as client:
            attested = client.sessions.attest(PROFILE, issuer.token(), session_duration_minutes=60)
            factor = attested.session.authentication_factors[0]
            assert factor.trusted_auth_token_factor.token_id == "token-1"
            migrated = client.sessions.migrate("theirs", session_duration_minutes=60)
            assert migrated.user_id == attested.user_id
            assert migrated.session.authentication_factors[0].delivery_method == "imported_auth0"
            with pytest.raises(StytchError) as refused:
                client.sessions.attest("unknown", "a.b.c")
            assert refused.value.details.error_type == "trusted_token_profile_not_found"


def test_an_access_token_of_an_own_app_becomes_a_session(client: stytch.Client, inbox: Inbox) -> None:
    person = signed_in(client, inbox)
    made = client.connected_app.clients.create(
        client_type="first_party_public", full_access_allowed=True, redirect_urls=["https://app.example/back"]
    ).connected_app
    verifier = "v" * 43
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    code = client.idp.oauth.authorize(
        client_id=made.client_id,
        redirect_uri="https://app.example/back",
        response_type="code",
        consent_granted=True,
        scopes=["openid", "full_access"],
        session_token=person.session_token,
        code_challenge=challenge,
    ).authorization_code
    tokens = requests.post(
        f"{client.api_base.base_url}v1/oauth2/token",
        data={
            "grant_type": "authorization_code",
            "client_id": made.client_id,
            "code": code,
            "redirect_uri": "https://app.example/back",
            "code_verifier": verifier,
        },
        timeout=10,
    ).json()
    answer = client.sessions.exchange_access_token(tokens["access_token"], session_duration_minutes=60)
    assert answer.user_id == person.user_id
    factor = answer.session.authentication_factors[0]
    assert factor.oauth_access_token_exchange_factor.client_id == made.client_id
    with pytest.raises(StytchError) as refused:
        client.sessions.exchange_access_token(tokens["access_token"], session_duration_minutes=60)
    assert refused.value.details.error_type == "idp_access_token_could_not_be_exchanged"
