"""Federated Credential Management in Chromium: a page gets Google's credential and is signed in by it; a page that takes us for an identity provider gets nothing, and does nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from playwright.sync_api import Browser, Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from authmw.clock import SystemClock
from authmw.hosts.asgi import AuthMiddleware
from tests.browser.pages import strict_page
from tests.oauth_provider import Provider, fetcher_of, playing
from tests.serving import address, listening, serving
from tests.stories.test_oauth import ADA, PEOPLE
from tests.world import PUBLIC_TOKEN, World, make_world

pytestmark = pytest.mark.browser

SIGN_IN = """async ([provider, publicToken]) => {
  const start = await (await fetch(`/v1/public/oauth/google/onetap/start?public_token=${publicToken}`)).json();
  const asked = { configURL: provider, clientId: start.google_client_id, params: { nonce: start.nonce } };
  const held = await navigator.credentials.get({ identity: { providers: [asked] } });
  const answer = await fetch(`/v1/oauth/callback/${start.oauth_callback_id}`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-stytch-oauth-type": "google-one-tap" },
    body: JSON.stringify({ id_token: held.token, stytch_csrf_token: start.stytch_csrf_token }),
  });
  return [answer.status, await answer.json()];
}"""
TAKE_FOR_PROVIDER = """async ([provider]) => {
  try {
    return (await navigator.credentials.get({ identity: { providers: [{ configURL: provider, clientId: "c" }] } })).token;
  } catch (fault) { return fault.name; }
}"""


@attrs.define(eq=False)
class Identities:
    """What an identity provider of FedCM serves (its section 3), and what was asked of it."""

    url: str
    token: Any
    asked: list[Request] = attrs.field(factory=list)

    def routes(self, assertion: str = "/assertion") -> list[Route]:
        config = {"accounts_endpoint": "/accounts", "id_assertion_endpoint": assertion, "login_url": "/provider-login"}

        async def well_known(request: Request) -> Response:
            return JSONResponse({"provider_urls": [f"{self.url}/fedcm.json"]})

        async def document(request: Request) -> Response:
            return JSONResponse(config)

        async def accounts(request: Request) -> Response:
            self.asked.append(request)
            return JSONResponse({"accounts": [{"id": "1", "name": "Ada", "email": ADA}]})

        async def granted(request: Request) -> Response:
            self.asked.append(request)
            form = dict(await request.form())
            speaks = {
                "access-control-allow-origin": request.headers["origin"],
                "access-control-allow-credentials": "true",
            }
            return JSONResponse({"token": self.token(json.loads(str(form["params"]))["nonce"])}, headers=speaks)

        return [
            Route("/.well-known/web-identity", well_known),
            Route("/fedcm.json", document),
            Route("/accounts", accounts),
            Route("/assertion", granted, methods=["POST"]),
        ]


async def blank(request: Request) -> Response:
    return HTMLResponse("<!doctype html><title>App</title><link rel=icon href='data:,'><p>App")


@pytest.fixture
def google() -> Iterator[Provider]:
    with playing("google", SystemClock(), **PEOPLE["google"][0]) as provider:
        yield provider


@pytest.fixture
def said() -> list[str]:
    """What the console said that was wrong; a test that provokes something takes it out."""
    return []


@pytest.fixture
def page(chromium: Browser, said: list[str]) -> Iterator[Page]:
    with strict_page(chromium, said=said) as page:
        yield page


def agreeing(page: Page) -> list[str]:
    """Choose the first account of every dialog, and see that an error was one; which accounts were shown."""
    shown: list[str] = []
    session = page.context.new_cdp_session(page)
    session.send("FedCm.enable", {"disableRejectionDelay": True})

    def choose(dialog: dict[str, Any]) -> None:
        if dialog["dialogType"] == "Error":
            session.send("FedCm.clickDialogButton", {"dialogId": dialog["dialogId"], "dialogButton": "ErrorGotIt"})
            return
        shown.extend(account["email"] for account in dialog["accounts"])
        session.send("FedCm.selectAccount", {"dialogId": dialog["dialogId"], "accountIndex": 0})

    session.on("FedCm.dialogShown", choose)
    return shown


def app_of(world: World, *routes: Route) -> Any:
    return AuthMiddleware(Starlette(routes=[Route("/", blank), *routes]), world.auth)


def test_a_page_that_asks_google_by_fedcm_signs_its_person_in(google: Provider, page: Page, tmp_path: Path) -> None:
    """OA-16."""
    at, elsewhere = listening(), listening()
    world = make_world(
        tmp_path,
        "asgi",
        clock=SystemClock(),
        fetcher=fetcher_of(google),
        oauth=(google.configured(),),
        public_url=address(at),
    )
    identities = Identities(address(elsewhere), google.id_token)
    with serving(app_of(world), at), serving(Starlette(routes=identities.routes()), elsewhere):
        page.goto(address(at))
        shown = agreeing(page)
        status, answer = page.evaluate(SIGN_IN, [f"{identities.url}/fedcm.json", PUBLIC_TOKEN])
        assert (status, shown) == (200, [ADA]), answer
        token = answer["redirect_url"].partition("token=")[2].partition("&")[0]
    body = {"token": token, "session_duration_minutes": 60}
    signed_in = world.backend("POST", "/v1/oauth/authenticate", body)
    assert signed_in.json["user"]["emails"][0]["email"] == ADA
    assert {one.headers["sec-fetch-dest"] for one in identities.asked} == {"webidentity"}


def test_a_page_that_takes_us_for_an_identity_provider_ends_no_session(
    page: Page, said: list[str], tmp_path: Path
) -> None:
    """CSR-01: a page of a listed origin, on the same site, and a document that somebody has put on this host."""
    at, sibling = listening(), listening()
    world = make_world(tmp_path, "asgi", clock=SystemClock(), public_url=address(at), cors_origins=(address(sibling),))
    identities = Identities(address(at), str)
    user = world.backend("POST", "/v1/users", {"email": ADA}).json["user_id"]
    link = world.backend("POST", "/v1/magic_links", {"user_id": user}).json["token"]
    signed_in = world.backend("POST", "/v1/magic_links/authenticate", {"token": link, "session_duration_minutes": 60})
    session = signed_in.json["session_token"]
    with (
        serving(app_of(world, *identities.routes("/auth/oauth/logout")), at),
        serving(Starlette(routes=[Route("/", blank)]), sibling),
    ):
        cookie = {"name": "authmw_session", "value": session, "url": address(at), "httpOnly": True}
        page.context.add_cookies([{**cookie, "sameSite": "Lax"}])
        page.goto(address(sibling))
        shown = agreeing(page)
        outcome = page.evaluate(TAKE_FOR_PROVIDER, [f"{identities.url}/fedcm.json"])
    assert (outcome, shown) == ("IdentityCredentialError", [ADA])
    said.clear()
    (accounts,) = identities.asked
    assert accounts.cookies["authmw_session"] == session  # the browser does send it
    assert world.backend("POST", "/v1/sessions/authenticate", {"session_token": session}).status == 200
