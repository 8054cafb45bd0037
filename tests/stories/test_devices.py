"""Stories of devices without a browser, which a person lets in from elsewhere (RFC 8628)."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest

from authmw import Provider
from authmw.provider import Resource
from tests.at_once import at_once
from tests.stories.test_consent_page import text
from tests.stories.test_provider import FORM, App, app, claims
from tests.world import URL, Answer, World, make_world

PAGE = "/auth/oauth/device"
GRANT = "urn:ietf:params:oauth:grant-type:device_code"
API = f"{URL}/api"


@pytest.fixture(params=["asgi", "wsgi"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return make_world(tmp_path, request.param, provider=Provider(device_grant=True, resources=(Resource(url=API),)))


def begins(one: App, **more: str) -> Any:
    fields = {"scope": "openid email offline_access", **one.credentials(), **more}
    answer = one.form("device_authorization", fields)
    assert answer.status == 200, answer.json
    return answer.json


def asks(one: App, begun: Any, **more: str) -> Answer:
    """The device asks once more, no sooner than it may."""
    one.world.clock.advance(seconds=5)
    return polls(one, begun, **more)


def polls(one: App, begun: Any, **more: str) -> Answer:
    return one.form("token", {"grant_type": GRANT, "device_code": begun["device_code"], **one.credentials(), **more})


def posted(one: App, fields: dict[str, str], session: str | None = None, **headers: str) -> Answer:
    cookie = f"authmw_session={session or one.person['session_token']}"
    said = {"origin": URL, "content_type": FORM, "cookie": cookie, **headers}
    return text(one.world, "POST", PAGE, urlencode(fields).encode(), **said)


def hidden(page: Answer) -> dict[str, str]:
    found = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.json)
    return {name: html.unescape(value) for name, value in found}


def decides(one: App, begun: Any, decision: str, **headers: str) -> Answer:
    shown = posted(one, {"user_code": begun["user_code"]})
    assert shown.status == 200
    return posted(one, {**hidden(shown), "decision": decision}, **headers)


def by_backend(one: App, begun: Any, **more: Any) -> Answer:
    body = {
        "user_code": begun["user_code"],
        "consent_granted": True,
        "session_token": one.person["session_token"],
        **more,
    }
    return one.world.backend("POST", "/v1/idp/oauth/device", body)


@pytest.mark.parametrize("client_type", ["third_party_public", "first_party"])
def test_a_person_compares_the_code_allows_and_the_device_gets_its_tokens(world: World, client_type: str) -> None:
    one = app(world, client_type)
    begun = begins(one, resource=API)
    assert re.fullmatch(r"[BCDFGHJ-NP-TVWXZ]{4}-[BCDFGHJ-NP-TVWXZ]{4}", begun["user_code"])
    assert begun["verification_uri"] == f"{URL}{PAGE}"
    assert (begun["expires_in"], begun["interval"]) == (600, 5)
    assert polls(one, begun).json["error"] == "authorization_pending"
    link = urlsplit(begun["verification_uri_complete"])
    page = text(world, "GET", f"{link.path}?{link.query}", cookie=f"authmw_session={one.person['session_token']}")
    assert f'value="{begun["user_code"]}"' in page.json
    shown = posted(one, {"user_code": begun["user_code"].lower().replace("-", " ")})
    for words in ("Notes", begun["user_code"], "See your e-mail address.", "ada@example.org"):
        assert words in shown.json
    assert "The device is let in" in posted(one, {**hidden(shown), "decision": "allow"}).json
    answer = asks(one, begun)
    assert answer.status == 200, answer.json
    said = claims(answer.json["access_token"])
    assert (said["sub"], said["aud"]) == (one.person["user_id"], [API])
    assert answer.json["scope"] == "openid email offline_access"
    assert claims(answer.json["id_token"])["aud"] == one.id
    assert one.refreshes(answer.json["refresh_token"]).status == 200


def test_a_device_that_asks_too_often_is_slowed_down(world: World) -> None:
    """RFC 8628 section 3.5."""
    one = app(world)
    begun = begins(one)
    assert polls(one, begun).json["error"] == "authorization_pending"
    world.clock.advance(seconds=2)
    assert polls(one, begun).json["error"] == "slow_down"
    world.clock.advance(seconds=3)
    assert polls(one, begun).json["error"] == "authorization_pending"


def test_a_person_says_no_and_the_device_is_told(world: World) -> None:
    one = app(world)
    begun = begins(one)
    assert "not let in" in decides(one, begun, "deny").json
    answer = asks(one, begun)
    assert (answer.status, answer.json["error"]) == (400, "access_denied")
    assert posted(one, {"user_code": begun["user_code"]}).status == 404


def test_a_device_whose_person_does_not_come_in_time_starts_again(world: World) -> None:
    one = app(world)
    begun = begins(one)
    world.clock.advance(minutes=10)
    assert polls(one, begun).json["error"] == "expired_token"
    assert posted(one, {"user_code": begun["user_code"]}).status == 404


def test_a_code_is_decided_once_used_once_and_by_its_own_client(world: World) -> None:
    one, other = app(world), app(world)
    begun = begins(one)
    assert by_backend(one, begun).status == 200
    again = by_backend(one, begun, consent_granted=False)
    assert (again.status, again.json["error_type"]) == (404, "user_code_not_found")
    assert asks(other, begun).json["error"] == "invalid_grant"
    tokens = asks(one, begun).json
    assert one.active(tokens["access_token"])
    assert asks(one, begun).json["error"] == "invalid_grant"
    assert not one.active(tokens["access_token"])


def test_of_many_that_use_a_code_at_once_one_gets_tokens(world: World) -> None:
    one = app(world)
    begun = begins(one)
    assert by_backend(one, begun).status == 200
    world.clock.advance(seconds=5)
    results = at_once(8, lambda: polls(one, begun).status)
    assert sorted(results) == [200] + [400] * 7


def test_who_tries_codes_is_stopped_before_one_is_looked_up(world: World) -> None:
    """RFC 8628 section 5.1."""
    one = app(world)
    begun = begins(one)
    for number in range(20):
        assert by_backend(one, begun, user_code=f"BCDF-GH{chr(65 + number)}Z").status == 404
    assert by_backend(one, begun).status == 429


def test_who_is_not_signed_in_signs_in_first_and_comes_back_with_the_code(world: World) -> None:
    led = text(world, "GET", f"{PAGE}?user_code=BCDF-GHJK")
    assert led.status == 303
    back = dict(parse_qsl(urlsplit(led.header("location")[0]).query))["next"]
    assert back == f"{PAGE}?user_code={quote('BCDF-GHJK')}"


def test_an_answer_is_taken_from_the_page_that_was_shown_in_this_session_only(world: World) -> None:
    """A228, CSR-01, CSR-04."""
    one = app(world)
    begun = begins(one)
    page = posted(one, {"user_code": begun["user_code"]})
    assert "frame-ancestors 'none'" in page.header("content-security-policy")[0]
    assert page.header("x-frame-options") == ["DENY"]
    mallory = world.sign_in("mallory@example.org")["session_token"]
    fields = {**hidden(page), "decision": "allow"}
    assert posted(one, fields, session=mallory).status == 400
    assert posted(one, {**fields, "shown": ""}).status == 400
    assert posted(one, fields, origin="https://evil.example").status == 403
    assert asks(one, begun).json["error"] == "authorization_pending"


def test_a_session_that_a_person_ends_takes_what_waits_with_it(world: World) -> None:
    one = app(world)
    begun = begins(one)
    assert by_backend(one, begun).status == 200
    assert world.backend("POST", f"/v1/users/{one.person['user_id']}/connected_apps/{one.id}/revoke", {}).status == 200
    assert asks(one, begun).json["error"] == "invalid_grant"


def test_devices_are_there_only_where_the_project_allows_them(world: World, tmp_path: Path) -> None:
    discovery = "/.well-known/oauth-authorization-server"
    assert GRANT in world.visit(discovery).json["grant_types_supported"]
    endpoint = world.visit(discovery).json["device_authorization_endpoint"]
    assert endpoint == f"{URL}/auth/v1/oauth2/device_authorization"
    strict = make_world(tmp_path / "..", "asgi")
    one = app(strict)
    assert "device_authorization_endpoint" not in strict.visit(discovery).json
    assert one.form("device_authorization", one.credentials()).json["error"] == "unsupported_grant_type"
    assert polls(one, {"device_code": "x"}).json["error"] == "unsupported_grant_type"
    assert strict.visit(PAGE).status == 404


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"scope": "openid nonsense"}, "invalid_scope"),
        ({"scope": "openid\u00a0email"}, "invalid_scope"),
        ({"resource": "https://other.example"}, "invalid_target"),
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_id": "connected-app-test-unknown"}, "invalid_client"),
    ],
)
def test_a_device_that_asks_for_what_cannot_be_is_refused(world: World, fields: dict[str, str], error: str) -> None:
    one = app(world)
    assert one.form("device_authorization", {**one.credentials(), **fields}).json["error"] == error


def test_a_browser_speaks_for_whom_it_is_signed_in_as(world: World) -> None:
    one = app(world)
    begun = begins(one)
    token = one.person["session_token"]
    body = {"user_code": begun["user_code"]}
    shown = world.browser("POST", "/sdk/v1/idp/oauth/device/start", body, token=token).json["data"]
    assert [scope["scope"] for scope in shown["scope_results"]] == ["openid", "email", "offline_access"]
    submit = {**body, "consent_granted": True}
    assert world.browser("POST", "/sdk/v1/idp/oauth/device/submit", submit, token=token).status == 200
    assert asks(one, begun).status == 200


def test_a_device_gets_nothing_that_its_person_cannot_give(world: World) -> None:
    """Somebody without a number gives none away; who could give nothing of what is asked for is told so."""
    one = app(world)
    begun = begins(one, scope="openid phone")
    assert by_backend(one, begun).status == 200
    assert asks(one, begun).json["scope"] == "openid"
    begun = begins(one, scope="phone")
    assert by_backend(one, begun).json["error_type"] == "oauth_invalid_scope_requested"
    assert asks(one, begun).json["error"] == "authorization_pending"
