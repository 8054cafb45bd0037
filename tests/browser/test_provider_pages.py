"""The pages by which people let apps and devices in, in a real browser: with and without script, and on the way to an app of another origin."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import attrs
import httpx2
import pytest
from playwright.sync_api import Browser, Page
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from authmw import Auth, AuthMiddleware, Cookies, Provider, Settings
from authmw.parameters import Name
from authmw.redirects import safe_next
from authmw_adapters.memory import MemoryLimiter, MemoryStorage
from tests.browser.pages import check_accessible, strict_page
from tests.serving import address, listening, serving
from tests.stories.test_provider import CHALLENGE, VERIFIER
from tests.world import PROJECT_ID, PUBLIC_TOKEN, SECRET

pytestmark = pytest.mark.browser


@attrs.define(eq=False)
class Place:
    """A project that is a provider, and an app of another origin."""

    url: str
    app: str
    auth: Auth
    client_id: str = ""

    def authorize(self, **more: str) -> str:
        fields = {
            "client_id": self.client_id,
            "redirect_uri": f"{self.app}/back",
            "response_type": "code",
            "scope": "openid email offline_access",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "state": "s t/a+te",
            **more,
        }
        return f"{self.url}/auth/oauth/authorize?{urlencode(fields)}"

    def asks(self, endpoint: str, **fields: str) -> Any:
        with httpx2.Client(trust_env=False) as client:
            address = f"{self.url}/auth/v1/oauth2/{endpoint}".replace("localhost", "127.0.0.1")
            return client.post(address, data={"client_id": self.client_id, **fields}).json()


def prepared(auth: Auth, back: str) -> str:
    """One person and one app; the id of the app."""
    auth.run(auth.users.create(email="ada@example.org", name=Name(first_name="Ada")))
    create = auth.connected_app.clients.create(
        client_type="third_party_public", client_name="Far <b>Notes</b>", redirect_urls=[back]
    )
    return auth.run(create).connected_app.client_id


@pytest.fixture
def place() -> Iterator[Place]:
    ours, theirs = listening(), listening()
    url, other = address(ours), address(theirs, "127.0.0.1")
    auth = Auth(
        Settings(
            project_id=PROJECT_ID,
            secret=SECRET,
            public_token=PUBLIC_TOKEN,
            name="Notes & Co",
            public_url=url,
            cookies=Cookies(secure=False),
            provider=Provider(device_grant=True),
        ),
        storage=MemoryStorage(),
        limiter=MemoryLimiter(),
    )

    async def login(request: Request) -> Response:
        """Sign the one person in, as a page of the host would."""
        user = (await auth.users.search()).results[0].user_id
        link = await auth.magic_links.create(user_id=user)
        auth.keep(await auth.magic_links.authenticate(token=link.token, session_duration_minutes=60))
        return RedirectResponse(safe_next(request.query_params.get("next"), "/"), 303)

    async def icon(request: Request) -> Response:
        return Response(b"", 204)

    async def back(request: Request) -> Response:
        return HTMLResponse('<!doctype html><html lang="en"><title>The app</title><h1>Back in the app</h1></html>')

    host = Starlette(
        routes=[Route("/login", login), Route("/favicon.ico", icon)], middleware=[Middleware(AuthMiddleware, auth=auth)]
    )
    app = Starlette(routes=[Route("/back", back), Route("/favicon.ico", icon)])
    with serving(host, ours), serving(app, theirs):
        # The browser's own loop runs on this thread.
        with ThreadPoolExecutor(1) as thread:
            client_id = thread.submit(prepared, auth, f"{other}/back").result()
        yield Place(url, other, auth, client_id)
    auth.close()


@pytest.fixture(params=[True, False], ids=["script", "no-script"])
def page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    with strict_page(chromium, script=request.param) as page:
        yield page


def check(page: Page, request: pytest.FixtureRequest) -> None:
    """Nothing that keeps anybody out."""
    page.wait_for_load_state()
    if request.node.callspec.params["page"]:
        check_accessible(page)


def query(page: Page) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(page.url).query))


def test_a_person_signs_in_allows_and_is_back_in_an_app_of_another_origin(
    place: Place, page: Page, request: pytest.FixtureRequest
) -> None:
    """Chromium holds redirects behind a form to its policy: the app's origin is listed there."""
    page.goto(place.authorize())
    page.get_by_role("heading", name="Let Far <b>Notes</b> use your account at Notes & Co?").wait_for()
    check(page, request)
    page.get_by_text("ada@example.org").wait_for()
    page.get_by_role("button", name="Allow").click()
    page.get_by_role("heading", name="Back in the app").wait_for()
    said = query(page)
    assert (said["state"], said["iss"]) == ("s t/a+te", f"{place.url}/auth")
    tokens = place.asks(
        "token",
        grant_type="authorization_code",
        code=said["code"],
        code_verifier=VERIFIER,
        redirect_uri=f"{place.app}/back",
    )
    assert tokens["scope"] == "openid offline_access"  # her address is not verified here
    assert place.asks("introspect", token=tokens["access_token"])["active"] is True


def test_a_person_denies_by_the_keyboard_alone(place: Place, page: Page) -> None:
    page.goto(place.authorize())
    page.get_by_role("button", name="Deny").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Back in the app").wait_for()
    assert query(page)["error"] == "access_denied"


def test_the_page_is_shown_in_no_frame(place: Place, chromium: Browser) -> None:
    """CSR-04: a page of the app cannot put the question under somebody's click."""
    context = chromium.new_context()
    page = context.new_page()
    page.goto(place.authorize())
    page.goto(f"{place.app}/back")
    page.evaluate(
        "(url) => { const f = document.createElement('iframe'); f.src = url; document.body.append(f) }",
        place.authorize(),
    )
    page.wait_for_function("() => document.querySelector('iframe') !== null")
    frame = page.frames[-1]
    frame.wait_for_load_state()
    assert frame.get_by_role("button", name="Allow").count() == 0
    context.close()


def test_a_person_types_the_code_of_a_device_and_lets_it_in(
    place: Place, page: Page, request: pytest.FixtureRequest
) -> None:
    begun = place.asks("device_authorization", scope="openid offline_access")
    page.goto(begun["verification_uri"])
    check(page, request)
    page.get_by_label("The code that the device shows").fill(begun["user_code"].lower())
    page.get_by_role("button", name="Continue").click()
    page.get_by_text(begun["user_code"]).wait_for()
    check(page, request)
    page.get_by_role("button", name="Allow").click()
    page.get_by_role("heading", name="The device is let in").wait_for()
    check(page, request)
    tokens = place.asks(
        "token", grant_type="urn:ietf:params:oauth:grant-type:device_code", device_code=begun["device_code"]
    )
    assert tokens["refresh_token"]


def test_a_person_signs_out_at_an_apps_wish(place: Place, page: Page, request: pytest.FixtureRequest) -> None:
    page.goto(place.authorize())
    page.goto(f"{place.url}/auth/oauth/logout?client_id={place.client_id}")
    check(page, request)
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Signed out").wait_for()
    assert page.context.cookies() == []
