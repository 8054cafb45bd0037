"""The vendor's browser client, unchanged, in Chromium: a page of another origin, and the tokens kept by script or in HttpOnly cookies."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import attrs
import pytest
from playwright.sync_api import Browser, Page
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from authmw import Auth, AuthMiddleware, Cookies, RedirectType, RedirectURL, Settings, current_session, require_session
from authmw.cli.dev import PROJECT_ID, PUBLIC_TOKEN, SECRET
from authmw.drive import step
from authmw.limits import Limit
from authmw.testing.stand_ins import Person, StandIns
from authmw_adapters.memory import MemoryLimiter, MemoryStorage
from tests.browser.pages import strict_page, virtual_authenticator
from tests.serving import address, listening, serving
from tests.stories.test_provider import CHALLENGE
from tests.world import Mailbox

pytestmark = pytest.mark.browser

DIST = Path(__file__).parents[1] / "js" / "node_modules" / "@stytch" / "vanilla-js" / "dist"
PAGE = """<!doctype html><html lang="en"><title>A page</title><link rel="icon" href="data:,">
<script src="/dist/iife/index.headless.js"></script>
<script>
  const endpoints = {{ testAPIURL: "{api}", liveAPIURL: "{api}" }};
  const client = stytch.createStytchHeadlessClient("{token}", {{ endpoints }});
  const sessions = [], users = [];
  client.session.onChange((session) => sessions.push(session && session.session_id));
  client.user.onChange((user) => users.push(user && user.user_id));
</script></html>"""


@attrs.define(eq=False)
class Site:
    """A page of one origin, the API of another, and what the client was sent."""

    origin: str
    api: str
    auth: Auth
    inbox: Mailbox
    vendor: bool


@require_session
async def who(request: Request) -> Response:
    return JSONResponse({"user_id": current_session().user_id})


@pytest.fixture(params=[True, False], ids=["script-readable", "http-only"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    of_page, of_api = listening(), listening()
    origin, api = address(of_page), address(of_api)
    consumer = frozenset(RedirectType) - {RedirectType.DISCOVERY}
    inbox = Mailbox()
    providers = StandIns(f"{api}/elsewhere")
    auth = Auth(
        Settings(
            project_id=PROJECT_ID,
            secret=SECRET,
            public_token=PUBLIC_TOKEN,
            public_url=api,
            claim_roots=True,
            cookies=Cookies(secure=False, vendor=request.param),
            cors_origins=(origin,),
            redirect_urls=(RedirectURL(f"{origin}/authenticate", consumer, consumer),),
            oauth=providers.configured(),
        ),
        storage=MemoryStorage(),
        limiter=MemoryLimiter(),
        email=inbox,
        fetcher=providers,
    )

    async def page(request: Request) -> Response:
        return HTMLResponse(PAGE.format(api=api, token=PUBLIC_TOKEN))

    pages = Starlette(
        routes=[Route("/", page), Route("/authenticate", page), Mount("/dist", StaticFiles(directory=DIST))]
    )

    async def icon(request: Request) -> Response:
        return Response(b"", 204)

    async def agree(request: Request) -> Response:
        back = providers.agree(request.path_params["name"], request.query_params, Person(email="ada@example.org"))
        return RedirectResponse(f"{back.url}?{urlencode(back.parameters)}", 303)

    host = Starlette(
        routes=[
            Route("/who", who),
            Route("/favicon.ico", icon),
            Route("/elsewhere/{name}/authorize_url", agree),
        ],
        middleware=[Middleware(AuthMiddleware, auth=auth)],
    )
    with serving(pages, of_page), serving(host, of_api):
        yield Site(origin, api, auth, inbox, request.param)
    auth.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    with strict_page(chromium) as page:
        yield page


def ask(site: Site, page: Page, address: str = "ada@example.org") -> str:
    """Ask for a link by the client; the link that came."""
    page.goto(site.origin)
    asked = page.evaluate("(email) => client.magicLinks.email.loginOrCreate(email)", address)
    assert asked["status_code"] == 200
    return site.inbox.arrived(1).links[0]


def sign_in(site: Site, page: Page) -> dict[str, Any]:
    page.goto(ask(site, page))
    assert page.url.startswith(f"{site.origin}/authenticate?")
    done = page.evaluate("() => client.authenticateByUrl({ session_duration_minutes: 60 })")
    assert (done["handled"], done["tokenType"]) == (True, "magic_links")
    return done["data"]


def test_a_link_from_the_inbox_signs_the_client_in(site: Site, page: Page) -> None:
    answer = sign_in(site, page)
    session, user = page.evaluate("() => [client.session.getSync(), client.user.getSync()]")
    assert session["session_id"] == answer["session"]["session_id"]
    assert user["user_id"] == answer["user"]["user_id"]
    assert user["emails"][0]["verified"]
    assert page.evaluate("() => [sessions.at(-1), users.at(-1)]") == [session["session_id"], user["user_id"]]


def test_the_tokens_are_where_the_mode_says(site: Site, page: Page) -> None:
    sign_in(site, page)
    held = {cookie["name"]: cookie["httpOnly"] for cookie in page.context.cookies()}
    names = ("stytch_session", "stytch_session_jwt") if site.vendor else ("authmw_session", "authmw_session_jwt")
    assert held == dict.fromkeys(names, not site.vendor)
    tokens = page.evaluate("() => client.session.getTokens()")
    assert bool(tokens and tokens["session_token"]) == site.vendor
    assert ("session" in page.evaluate("() => document.cookie")) == site.vendor


def test_the_session_opens_the_apps_own_routes(site: Site, page: Page) -> None:
    user_id = sign_in(site, page)["user"]["user_id"]
    page.goto(f"{site.api}/who")
    assert page.locator("body").inner_text() == f'{{"user_id":"{user_id}"}}'


def test_the_session_is_there_after_the_page_was_loaded_again(site: Site, page: Page) -> None:
    answer = sign_in(site, page)
    page.goto(site.origin)
    again = page.evaluate("() => client.session.authenticate({ session_duration_minutes: 60 })")
    assert again["session"]["session_id"] == answer["session"]["session_id"]
    assert page.evaluate("() => client.user.getSync().user_id") == answer["user"]["user_id"]


def test_the_user_is_read_and_changed(site: Site, page: Page) -> None:
    sign_in(site, page)
    page.evaluate("() => client.user.update({ name: { first_name: 'Ada' }, untrusted_metadata: { seen: true } })")
    assert page.evaluate("() => client.user.getSync().name.first_name") == "Ada"
    assert page.evaluate("async () => (await client.user.get()).untrusted_metadata") == {"seen": True}


def test_signing_out_empties_the_client_and_ends_the_session(site: Site, page: Page) -> None:
    answer = sign_in(site, page)
    page.evaluate("() => client.session.revoke()")
    assert page.evaluate("() => [client.session.getSync(), client.user.getSync()]") == [None, None]
    assert page.evaluate("() => [sessions.at(-1), users.at(-1)]") == [None, None]
    assert page.context.cookies() == []
    assert step(site.auth.sessions.get(user_id=answer["user"]["user_id"])).sessions == []


def test_a_code_signs_the_client_in_too(site: Site, page: Page) -> None:
    page.goto(site.origin)
    sent = page.evaluate("() => client.otps.email.loginOrCreate('bob@example.org', { expiration_minutes: 5 })")
    code = site.inbox.arrived(1).code
    signed_in = page.evaluate(
        "([code, method]) => client.otps.authenticate(code, method, { session_duration_minutes: 60 })",
        [code, sent["method_id"]],
    )
    assert signed_in["user"]["emails"][0]["email"] == "bob@example.org"
    assert page.evaluate("() => client.session.getSync().session_id") == signed_in["session"]["session_id"]


@pytest.mark.parametrize("provider", ["google", "github"])
def test_a_provider_signs_the_client_in_by_the_verifier_that_this_browser_kept(
    provider: str, site: Site, page: Page
) -> None:
    """OA-01, OA-13, OA-14, OA-17."""
    page.goto(site.origin)
    landing = f"{site.origin}/authenticate"
    with page.expect_navigation(url=f"{landing}?**"):
        page.evaluate(
            "([name, url]) => { client.oauth[name].start({ login_redirect_url: url, signup_redirect_url: url }) }",
            [provider, landing],
        )
    assert "stytch_token_type=oauth" in page.url
    done = page.evaluate("() => client.authenticateByUrl({ session_duration_minutes: 60 })")
    assert (done["handled"], done["tokenType"]) == (True, "oauth")
    assert done["data"]["user"]["emails"][0]["email"] == "ada@example.org"
    session, user = page.evaluate("() => [client.session.getSync(), client.user.getSync()]")
    assert session["authentication_factors"][0]["delivery_method"] == f"oauth_{provider}"
    assert user["providers"][0]["provider_type"].lower() == provider


def test_a_passkey_is_registered_named_and_signs_the_client_in(site: Site, page: Page) -> None:
    """WA-01, WA-04, WA-05, WA-09: the whole ceremony in one call, the domain filled in from the page."""
    virtual_authenticator(page)
    user_id = sign_in(site, page)["user"]["user_id"]
    made = page.evaluate("() => client.webauthn.register({ session_duration_minutes: 60, is_passkey: true })")
    assert made["user"]["user_id"] == user_id
    shown = page.evaluate("() => client.user.getSync().webauthn_registrations")
    assert [(one["domain"], one["authenticator_type"]) for one in shown] == [("localhost", "platform")]
    registration = made["webauthn_registration_id"]
    assert shown[0]["webauthn_registration_id"] == registration
    named = page.evaluate(
        "(id) => client.webauthn.update({ webauthn_registration_id: id, name: 'Mine' })", registration
    )
    assert named["webauthn_registration"]["name"] == "Mine"
    stepped = page.evaluate("() => client.webauthn.authenticate({ session_duration_minutes: 60 })")
    assert [one["type"] for one in stepped["session"]["authentication_factors"]] == ["magic_link", "webauthn"]
    page.evaluate("() => client.session.revoke()")
    alone = page.evaluate("() => client.webauthn.authenticate({ session_duration_minutes: 60, is_passkey: true })")
    assert alone["user"]["user_id"] == user_id
    assert page.evaluate("() => client.session.getSync().session_id") == alone["session"]["session_id"]
    assert page.evaluate("() => client.webauthn.browserSupportsAutofill()") is True
    page.goto(f"{site.api}/who")
    assert page.locator("body").inner_text() == f'{{"user_id":"{user_id}"}}'


def test_the_client_removes_a_passkey(site: Site, page: Page) -> None:
    """USR-08: with two factors in the session, as the MFA rule wants it."""
    virtual_authenticator(page)
    sign_in(site, page)
    made = page.evaluate("() => client.webauthn.register({ session_duration_minutes: 60 })")
    page.evaluate("(id) => client.user.deleteWebauthnRegistration(id)", made["webauthn_registration_id"])
    assert page.evaluate("() => client.user.getSync().webauthn_registrations") == []


def let_mail_leave_again(site: Site, address: str) -> None:
    """As if a second had passed: a sign-up may mail the address, and one mail a second leaves for it."""
    sending = Limit("sending", (PROJECT_ID, address), 1, timedelta(seconds=1))
    with ThreadPoolExecutor(1) as pool:  # the driver of the browser runs a loop in this thread
        pool.submit(step, site.auth.core.limiter.reset(sending)).result()


def test_a_password_is_made_used_reset_and_judged_by_the_client(site: Site, page: Page) -> None:
    """PW-20: every method of the client, tokens where the mode says."""
    page.goto(site.origin)
    ada = {"email": "ada@example.org", "password": "lovely purple submarine kettle", "session_duration_minutes": 60}
    made = page.evaluate("(one) => client.passwords.create(one)", ada)
    assert page.evaluate("() => client.user.getSync().user_id") == made["user"]["user_id"]
    judged = page.evaluate("() => client.passwords.strengthCheck({ password: 'qwertyuiop' })")
    assert (judged["valid_password"], judged["score"]) == (False, 0)
    signed_in = page.evaluate("(one) => client.passwords.authenticate(one)", ada)
    assert signed_in["session"]["authentication_factors"][0]["type"] == "password"
    second, third = "nine quiet otters borrow ladders", "seven brave kettles ignore thunder"
    change = {"email": ada["email"], "existing_password": ada["password"], "new_password": second}
    changed = page.evaluate(
        "(one) => client.passwords.resetByExistingPassword(one)", {**change, "session_duration_minutes": 60}
    )
    assert changed["user"]["user_id"] == made["user"]["user_id"]
    kept = page.evaluate("(password) => client.passwords.resetBySession({ password })", third)
    assert kept["session"]["session_id"] == page.evaluate("() => client.session.getSync().session_id")
    let_mail_leave_again(site, ada["email"])
    page.evaluate("(email) => client.passwords.resetByEmailStart({ email })", ada["email"])
    page.goto(site.inbox.arrived(1).links[0])
    assert page.evaluate("() => client.parseAuthenticateUrl().tokenType") == "reset_password"
    token = page.evaluate("() => client.parseAuthenticateUrl().token")
    reset = {"token": token, "password": ada["password"], "session_duration_minutes": 60}
    done = page.evaluate("(one) => client.passwords.resetByEmail(one)", reset)
    assert done["user"]["emails"][0]["verified"] is True
    names = ("stytch_session", "stytch_session_jwt") if site.vendor else ("authmw_session", "authmw_session_jwt")
    assert {cookie["name"] for cookie in page.context.cookies()} == set(names)


def test_the_client_asks_for_no_passkey_before_it_is_told_to(site: Site, page: Page) -> None:
    """WA-10: nothing on the load of a page, so a call can come from a person's gesture."""
    page.add_init_script(
        """window.asked = [];
        for (const name of ["create", "get"]) {
          const real = navigator.credentials[name].bind(navigator.credentials);
          navigator.credentials[name] = (options) => { window.asked.push(name); return real(options); };
        }"""
    )
    virtual_authenticator(page)
    sign_in(site, page)
    assert page.evaluate("() => window.asked") == []
    page.evaluate("() => client.webauthn.register({ session_duration_minutes: 60 })")
    assert page.evaluate("() => window.asked") == ["create"]


def test_who_signs_up_with_a_taken_address_is_not_signed_in_and_told_by_mail(site: Site, page: Page) -> None:
    """A246: the client is given the form of a sign-up, and holds no session after it."""
    with ThreadPoolExecutor(1) as pool:  # the driver of the browser runs a loop in this thread
        made = pool.submit(step, site.auth.users.create(email="ada@example.org")).result()
    page.goto(site.origin)
    taken = {"email": "ada@example.org", "password": "nine quiet otters borrow ladders"}
    again = page.evaluate("(one) => client.passwords.create(one)", {**taken, "session_duration_minutes": 60})
    assert again["session"] is None
    assert again["user"]["user_id"] != made.user_id
    assert page.evaluate("() => client.session.getSync()") is None
    assert not page.context.cookies()
    assert site.inbox.arrived(1).subject == "You already have a authmw account"


def asked(site: Site, client_type: str) -> dict[str, Any]:
    """What the vendor's consent component reads from its address, of an app of this type."""
    with ThreadPoolExecutor(1) as thread:  # the browser's own loop runs on this one
        create = site.auth.connected_app.clients.create(
            client_type=client_type, client_name="Notes", redirect_urls=[f"{site.origin}/back"]
        )
        app = thread.submit(site.auth.run, create).result().connected_app
    return {
        "client_id": app.client_id,
        "redirect_uri": f"{site.origin}/back",
        "response_type": "code",
        "scopes": ["openid", "email"],
        "state": "s",
        "code_challenge": CHALLENGE,
    }


def test_the_clients_consent_calls_let_an_app_in_and_take_it_back(site: Site, page: Page) -> None:
    sign_in(site, page)
    asking = asked(site, "third_party")
    start = page.evaluate("(asked) => client.idp.oauthAuthorizeStart(asked)", asking)
    assert start["consent_required"]
    assert [one["scope"] for one in start["scope_results"] if one["is_grantable"]] == ["openid", "email"]
    submit = "([asked, granted]) => client.idp.oauthAuthorizeSubmit({ ...asked, consent_granted: granted })"
    denied = page.evaluate(submit, [asking, False])
    assert denied["redirect_uri"].startswith(f"{site.origin}/back?error=access_denied&state=s")
    allowed = page.evaluate(submit, [asking, True])
    assert allowed["authorization_code"]
    apps = page.evaluate("async () => (await client.user.getConnectedApps()).connected_apps")
    assert [(one["connected_app_id"], one["scopes_granted"]) for one in apps] == [(asking["client_id"], "openid email")]
    # Agreed to before, nobody is asked; asked once more on the app's wish, a no is a no.
    assert page.evaluate(submit, [asking, False])["authorization_code"]
    again = {**asking, "prompt": "consent"}
    assert "error=access_denied" in page.evaluate(submit, [again, False])["redirect_uri"]
    page.evaluate("(app) => client.user.revokedConnectedApp(app)", asking["client_id"])
    assert page.evaluate("async () => (await client.user.getConnectedApps()).connected_apps") == []


def test_an_app_of_the_projects_own_is_let_in_unasked(site: Site, page: Page) -> None:
    """Where nobody must be asked, the vendor's component says that nobody agreed, and expects the code."""
    sign_in(site, page)
    asking = asked(site, "first_party")
    assert not page.evaluate("(asked) => client.idp.oauthAuthorizeStart(asked)", asking)["consent_required"]
    unasked = "(asked) => client.idp.oauthAuthorizeSubmit({ ...asked, consent_granted: false })"
    assert page.evaluate(unasked, asking)["authorization_code"]
