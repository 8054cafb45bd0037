"""What is on its way while an operator changes root keys: it goes on as long as the old key is listed, and is refused by a documented error once it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import attrs
import pytest

from authmw import Provider
from authmw.testing import FixedClock
from tests.oauth_provider import fetcher_of, playing
from tests.stories.test_consent_page import AUTHORIZE, asked, text, visits
from tests.stories.test_devices import PAGE, begins, by_backend, hidden, polls
from tests.stories.test_oauth import PEOPLE, begun, called_back, landing, signed_in
from tests.stories.test_one_tap import one_tap
from tests.stories.test_provider import FORM, App, app
from tests.world import URL, Answer, World, make_world

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
LISTS = {"listed": (NEW, OLD), "gone": (NEW,)}


@pytest.fixture(params=["asgi", "wsgi"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return make_world(tmp_path, request.param, provider=Provider(device_grant=True), root_keys=(OLD,))


def restarted(world: World, old: str, **more: Any) -> World:
    """The same service with the next list of root keys."""
    return world.under(*LISTS[old], **more)


def moved(one: App, old: str) -> App:
    """The app after the restart, and its person signed in anew, as they must be where the old key is gone."""
    world = restarted(one.world, old)
    world.clock.advance(seconds=2)
    return attrs.evolve(one, world=world, person=one.person if old == "listed" else world.sign_in())


@pytest.mark.parametrize("old", sorted(LISTS))
def test_a_device_that_began_before_is_let_in_or_its_code_is_not_found(world: World, old: str) -> None:
    one = app(world, "third_party_public")
    waiting = begins(one)
    later = moved(one, old)
    world.clock.advance(seconds=5)
    assert polls(later, waiting).json["error"] == "authorization_pending"
    answer = by_backend(later, waiting)
    if old == "gone":
        assert (answer.status, answer.json["error_type"]) == (404, "user_code_not_found")
        assert by_backend(later, begins(later)).status == 200
        return
    assert answer.status == 200, answer.json
    world.clock.advance(seconds=5)
    assert polls(later, waiting).json["access_token"]


@pytest.mark.parametrize("old", sorted(LISTS))
def test_a_page_that_a_person_has_open_is_answered_or_they_start_again(world: World, old: str) -> None:
    """The consent page and the one that lets a device in: both carry a code over what was shown."""
    one = app(world, "third_party_public")
    page, waiting = visits(one, asked(one)), begins(one)
    shown = _posts(one, PAGE, {"user_code": waiting["user_code"]})
    later = moved(one, old)
    allowed = [
        _posts(later, place, {**hidden(form), "decision": "allow"})
        for place, form in ((AUTHORIZE, page), (PAGE, shown))
    ]
    if old == "gone":
        assert [answer.status for answer in allowed] == [400, 404]
        return
    assert [answer.status for answer in allowed] == [303, 200], [answer.json for answer in allowed]
    code = dict(part.split("=") for part in urlsplit(allowed[0].header("location")[0]).query.split("&"))["code"]
    assert later.redeems(code).status == 200


@pytest.mark.parametrize("old", sorted(LISTS))
def test_a_pushed_request_and_a_code_wait_for_their_app_whatever_the_root_keys_are(world: World, old: str) -> None:
    """Both are random and rest as digests: no root key made them, so none takes them back."""
    one = app(world, "third_party_public")
    pushed = one.form("par", {**asked(one, scope="openid"), **one.credentials()}).json
    code = one.code()
    later = moved(one, old)
    led = visits(later, {"client_id": one.id, "request_uri": pushed["request_uri"]})
    assert (led.status, "code=" in led.header("location")[0]) == (303, True)  # the person agreed to as much before
    assert later.redeems(code).status == 200


@pytest.mark.parametrize("old", sorted(LISTS))
def test_the_next_page_of_a_search_is_found_or_its_cursor_refused(world: World, old: str) -> None:
    for number in range(3):
        assert world.backend("POST", "/v1/users", {"email": f"user{number}@example.org"}).status == 200
        app(world)
        assert world.backend("POST", "/v1/m2m/clients", {"client_name": "job", "scopes": []}).status == 200
    later = restarted(world, old)
    for path, refusal in (
        ("/v1/users/search", "user_search_invalid_cursor"),
        ("/v1/connected_apps/clients/search", "invalid_argument"),
        ("/v1/m2m/clients/search", "invalid_argument"),
    ):
        cursor = world.backend("POST", path, {"limit": 1}).json["results_metadata"]["next_cursor"]
        answer = later.backend("POST", path, {"limit": 1, "cursor": cursor})
        assert cursor
        assert (answer.status, answer.json.get("error_type")) == ((200, None) if old == "listed" else (400, refusal))
    cursor = world.backend("GET", "/v1/project/events?limit=1").json["next_cursor"]
    answer = later.backend("GET", "/v1/project/events?" + urlencode({"limit": 1, "cursor": cursor}))
    assert (answer.status, answer.json.get("error_type")) == (
        (200, None) if old == "listed" else (400, "invalid_argument")
    )


@pytest.mark.parametrize("old", sorted(LISTS))
@pytest.mark.parametrize("host", ["asgi", "wsgi"])
def test_a_sign_in_by_a_provider_comes_home_or_begins_again(tmp_path: Path, host: str, old: str) -> None:
    """The cookie, the state, a credential of One Tap, and the token of the landing URL."""
    clock = FixedClock()
    with playing("google", clock, **PEOPLE["google"][0]) as provider:
        fetcher = fetcher_of(provider)
        more: dict[str, Any] = {"oauth": (provider.configured(),), "fetcher": fetcher}
        world = make_world(tmp_path, host, clock=clock, root_keys=(OLD,), **more)
        url, cookie = begun(world, "google")
        home, kept = begun(world, "google")
        token = landing(called_back(world, "google", provider.authorize(home), kept))["token"]
        started, tap = one_tap(world)
        later = restarted(world, old, fetcher=fetcher)
        back = called_back(later, "google", provider.authorize(url), cookie)
        landed = signed_in(later, token)
        tapped = _tapped(later, started, provider.id_token(started["nonce"]), tap)
        if old == "listed":
            assert (back.status, landed.status, tapped.status) == (303, 200, 200)
            assert signed_in(later, landing(back)["token"]).status == 200
            return
        assert [(one.status, one.json["error_type"]) for one in (back, landed, tapped)] == [
            (400, "oauth_state_mismatch"),
            (404, "oauth_token_not_found"),
            (400, "oauth_state_mismatch"),
        ]
        url, cookie = begun(later, "google")
        again = landing(called_back(later, "google", provider.authorize(url), cookie))["token"]
        assert signed_in(later, again).status == 200


def _posts(one: App, place: str, fields: dict[str, str]) -> Answer:
    cookie = f"authmw_session={one.person['session_token']}"
    said = {"origin": URL, "content_type": FORM, "cookie": cookie}
    return text(one.world, "POST", place, urlencode(fields).encode(), **said)


def _tapped(world: World, started: dict[str, Any], credential: str, cookie: str) -> Answer:
    body = {"id_token": credential, "stytch_csrf_token": started["stytch_csrf_token"]}
    named = {"origin": URL, "x-stytch-oauth-type": "google-one-tap", "cookie": cookie}
    return world.send("POST", f"/v1/oauth/callback/{started['oauth_callback_id']}", body, **named)
