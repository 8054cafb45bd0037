"""Being the provider for authlib's client, which was written by others from the same standards, under ASGI and WSGI."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from authlib.integrations.httpx_client import AsyncOAuth2Client, OAuth2Client
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from authlib.oidc.discovery import OpenIDProviderMetadata

from authmw import Provider
from tests.stories.test_consent_page import decides, visits
from tests.stories.test_provider import BACK, App, app, claims
from tests.world import World, asgi_app, make_world, wsgi_app

METHODS = ["client_secret_basic", "client_secret_post", "none"]
VERIFIER = "v" * 64


@pytest.fixture(params=["asgi", "wsgi"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return make_world(
        tmp_path, request.param, provider=Provider(device_grant=True), public_url="https://localhost:8000"
    )


@pytest.fixture
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal() as portal:
        yield portal


class Client:
    """One spelling for both clients of authlib."""

    def __init__(self, world: World, portal: BlockingPortal, one: App, method: str) -> None:
        said: dict[str, Any] = {
            "client_id": one.id,
            "client_secret": one.shown.get("client_secret"),
            "token_endpoint_auth_method": method,
            "revocation_endpoint_auth_method": method,
            "redirect_uri": BACK,
            "scope": "openid email offline_access",
            "code_challenge_method": "S256",
            "base_url": "https://localhost:8000",
        }
        self._portal = portal
        if world.host == "asgi":
            self.inner: Any = AsyncOAuth2Client(**said, transport=httpx2.ASGITransport(asgi_app(world.auth)))
        else:
            self.inner = OAuth2Client(**said, transport=httpx2.WSGITransport(wsgi_app(world.auth)))

    def does(self, name: str, *args: Any, **kwargs: Any) -> Any:
        made = getattr(self.inner, name)(*args, **kwargs)
        if not hasattr(made, "__await__"):
            return made

        async def wait() -> Any:
            return await made

        return self._portal.call(wait)


def document(world: World) -> Any:
    return world.visit("/.well-known/oauth-authorization-server").json


def test_the_documents_are_what_the_standards_demand(world: World) -> None:
    """RFC 8414 section 2, OpenID Connect Discovery section 3; judged by authlib."""
    AuthorizationServerMetadata(document(world)).validate()
    OpenIDProviderMetadata(world.visit("/.well-known/openid-configuration").json).validate()


@pytest.mark.parametrize("method", METHODS)
def test_its_client_gets_tokens_refreshes_asks_and_revokes(world: World, portal: BlockingPortal, method: str) -> None:
    one = app(world, "third_party_public" if method == "none" else "third_party")
    client, known = Client(world, portal, one, method), document(world)
    url, state = client.inner.create_authorization_url(
        known["authorization_endpoint"], code_verifier=VERIFIER, nonce="n-1"
    )
    fields = dict(httpx2.URL(url).params)
    page = visits(one, fields)
    back = decides(one, page, "allow", origin=world.auth.settings.origin).header("location")[0]
    token = client.does(
        "fetch_token", known["token_endpoint"], authorization_response=back, code_verifier=VERIFIER, state=state
    )
    assert claims(token["id_token"])["nonce"] == "n-1"
    assert client.does("get", known["userinfo_endpoint"]).json()["email"] == "ada@example.org"
    first = dict(token)
    fresh = client.does("refresh_token", known["token_endpoint"], refresh_token=token["refresh_token"])
    assert fresh["refresh_token"] != first["refresh_token"]
    seen = client.does("introspect_token", known["introspection_endpoint"], token=fresh["access_token"])
    assert seen.json()["active"] is True
    assert seen.json()["client_id"] == one.id
    assert client.does("revoke_token", known["revocation_endpoint"], token=fresh["refresh_token"]).status_code == 200
    seen = client.does("introspect_token", known["introspection_endpoint"], token=fresh["access_token"])
    assert seen.json()["active"] is False


def test_its_client_lets_a_device_in(world: World, portal: BlockingPortal) -> None:
    """RFC 8628."""
    one = app(world, "third_party_public")
    client, known = Client(world, portal, one, "none"), document(world)
    begun = client.does(
        "request",
        "POST",
        known["device_authorization_endpoint"],
        data={"client_id": one.id, "scope": "openid"},
        withhold_token=True,
    ).json()
    body = {"user_code": begun["user_code"], "consent_granted": True, "user_id": one.person["user_id"]}
    assert world.backend("POST", "/v1/idp/oauth/device", body).status == 200
    token = client.does(
        "fetch_token",
        known["token_endpoint"],
        grant_type="urn:ietf:params:oauth:grant-type:device_code",
        device_code=begun["device_code"],
    )
    assert claims(token["access_token"])["sub"] == one.person["user_id"]


def test_a_machine_gets_a_token_by_its_client(world: World, portal: BlockingPortal) -> None:
    made = world.backend("POST", "/v1/m2m/clients", {"scopes": ["read:things"]}).json["m2m_client"]
    one = App(world, made, None)
    client, known = Client(world, portal, one, "client_secret_basic"), document(world)
    client.inner.scope = "read:things"
    token = client.does("fetch_token", known["token_endpoint"], grant_type="client_credentials")
    assert claims(token["access_token"])["sub"] == made["client_id"]
