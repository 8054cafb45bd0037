"""The consent page, without a line of JavaScript: shown, answered, and neither framed, forged nor taken for somebody else's."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import pytest

from authmw.provider import Provider, Resource
from authmw.redirects import safe_next
from tests.stories.test_provider import BACK, CHALLENGE, FORM, MCP, App, app, claims
from tests.world import URL, Answer, World, make_world

AUTHORIZE = "/auth/oauth/authorize"


@pytest.fixture(params=["asgi", "wsgi"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    provider = Provider(resources=(Resource(url=MCP),), dynamic_registration=True)
    return make_world(tmp_path, request.param, provider=provider)


def asked(one: App, **more: str | None) -> dict[str, str]:
    fields: dict[str, str | None] = {
        "client_id": one.id,
        "redirect_uri": BACK,
        "response_type": "code",
        "scope": "openid email",
        "state": "st&<'\"",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **more,
    }
    return {name: value for name, value in fields.items() if value is not None}


def visits(one: App, fields: dict[str, str], session: str | None = None) -> Answer:
    cookie = {} if session == "" else {"cookie": f"authmw_session={session or one.person['session_token']}"}
    return text(one.world, "GET", f"{AUTHORIZE}?{urlencode(fields)}", **cookie)


def text(world: World, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    """As `World.send`, with the page's text for its JSON."""
    if world.host == "asgi":
        from starlette.testclient import TestClient

        from tests.world import asgi_app

        client = TestClient(asgi_app(world.auth), base_url=URL)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        got = client.request(method, path, headers=named, content=body, follow_redirects=False)
        return Answer(got.status_code, got.text, list(got.headers.multi_items()))
    from werkzeug.test import Client

    from tests.world import wsgi_app

    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = Client(wsgi_app(world.auth), use_cookies=False).open(
        path, method=method, headers=named, base_url=URL, data=body
    )
    return Answer(answer.status_code, answer.get_data(as_text=True), list(answer.headers.items()))


def decides(one: App, page: Answer, decision: str, session: str | None = None, **more: Any) -> Answer:
    hidden = re.findall(r'name="([^"]+)" value="([^"]*)"', page.json)
    fields = {name: html.unescape(value) for name, value in hidden if name != "decision"}
    fields = {**fields, "decision": decision, **more.pop("fields", {})}
    headers = {
        "origin": URL,
        "content_type": FORM,
        "cookie": f"authmw_session={session or one.person['session_token']}",
    }
    return text(one.world, "POST", AUTHORIZE, urlencode(fields).encode(), **{**headers, **more})


def query(answer: Answer) -> dict[str, str]:
    assert answer.status == 303, answer.json
    return dict(parse_qsl(urlsplit(answer.header("location")[0]).query))


def test_a_person_allows_and_the_app_gets_its_code(world: World) -> None:
    one = app(world)
    page = visits(one, asked(one, nonce="n"))
    assert page.status == 200
    assert "Notes" in page.json
    assert "ada@example.org" in page.json
    assert "See your e-mail address." in page.json
    back = query(decides(one, page, "allow"))
    assert (back["state"], back["iss"]) == ("st&<'\"", f"{URL}/auth")
    assert claims(one.redeems(back["code"]).json["id_token"])["nonce"] == "n"
    assert query(visits(one, asked(one)))["code"]  # agreed to before: nobody is asked again


def test_a_person_denies_and_the_app_is_told(world: World) -> None:
    one = app(world)
    assert query(decides(one, visits(one, asked(one)), "deny"))["error"] == "access_denied"


def test_a_no_is_a_no_also_to_an_app_that_was_let_in_before(world: World) -> None:
    one = app(world)
    assert "code" in query(decides(one, visits(one, asked(one)), "allow"))
    page = visits(one, asked(one, prompt="consent"))
    assert page.status == 200
    assert query(decides(one, page, "deny"))["error"] == "access_denied"


def test_the_page_admits_neither_frames_nor_scripts_nor_other_forms(world: World) -> None:
    """CSR-04, CSR-05; the app's own address is listed, since Chromium holds the redirect behind a form to the form's policy."""
    one = app(world, client_name="<script>alert(1)</script>", client_description="{{ 7*7 }}<b>")
    page = visits(one, asked(one))
    policy = page.header("content-security-policy")[0]
    for part in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "object-src 'none'"):
        assert part in policy
    assert policy.endswith("form-action 'self' https://app.example")
    assert "unsafe" not in policy
    assert "<script" not in page.json
    assert "<b>" not in page.json
    assert page.header("cache-control") == ["no-store"]
    assert page.header("referrer-policy") == ["same-origin"]
    assert page.header("cross-origin-opener-policy") == ["same-origin"]


def test_who_is_not_signed_in_signs_in_first_and_comes_back(world: World) -> None:
    one = app(world)
    sent = visits(one, asked(one), session="")
    there = urlsplit(sent.header("location")[0])
    assert there.path == "/login"
    back = dict(parse_qsl(there.query))["next"]
    assert safe_next(back, "refused") == back
    assert dict(parse_qsl(urlsplit(back).query)) == asked(one)
    assert query(visits(one, asked(one, prompt="none"), session=""))["error"] == "login_required"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"client_id": "connected-app-test-none"}, 404),
        ({"client_id": None}, 400),
        ({"redirect_uri": "https://evil.example/"}, 401),
        ({"redirect_uri": None}, 401),
        ({"redirect_uri": "https://evil.example/", "prompt": "none login"}, 401),
        ({"redirect_uri": "javascript:alert(1)"}, 401),
        ({"request_uri": "urn:ietf:params:oauth:request_uri:none"}, 400),
    ],
)
def test_until_the_redirect_uri_is_proved_what_is_wrong_is_shown(
    world: World, change: dict[str, str | None], status: int
) -> None:
    one = app(world)
    for session in (None, ""):
        page = visits(one, asked(one, **change), session)
        assert (page.status, page.header("location")) == (status, [])
        assert "evil.example" not in page.json


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "openid root"}, "invalid_scope"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"resource": "https://other.example"}, "invalid_target"),
        ({"prompt": "none"}, "consent_required"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"scope": "openid\temail"}, "invalid_scope"),
        ({"scope": "openid\u00a0email"}, "invalid_scope"),
        ({"scope": "openid\u2028email"}, "invalid_scope"),
        ({"scope": "openid\nemail"}, "invalid_scope"),
        ({"scope": 'openid "email"'}, "invalid_scope"),
    ],
)
def test_after_that_it_is_sent_there_with_state_and_issuer(
    world: World, change: dict[str, str | None], error: str
) -> None:
    one = app(world)
    page = visits(one, asked(one, **change))
    back = query(page if page.status == 303 else decides(one, page, "allow"))
    assert back == {"error": error, "state": "st&<'\"", "iss": f"{URL}/auth"}


@pytest.mark.parametrize("white", ["\t", "\n", "\u00a0", "\u2028"])
def test_how_a_person_shall_be_asked_is_not_hidden_behind_white_space(world: World, white: str) -> None:
    """RFC 6749 section 3.3: only spaces part the words of `prompt`. One that nobody knows is passed over, so what may hide one that is known is refused."""
    one = app(world)
    assert "code" in query(decides(one, visits(one, asked(one)), "allow"))
    prompt = f"login{white}consent"
    page = visits(one, asked(one, prompt=prompt))
    assert (page.status, page.header("location")) == (400, [])
    pushed = one.form("par", {**asked(one, prompt=prompt), **one.credentials()})
    assert (pushed.status, pushed.json["error"]) == (400, "invalid_request")
    for scope in (f"openid{white}email", white):
        pushed = one.form("par", {**asked(one, scope=scope), **one.credentials()})
        assert (pushed.status, pushed.json["error"]) == (400, "invalid_scope")
    two = one.form("par", {**asked(one, resource=f"{MCP}{white}{MCP}"), **one.credentials()})
    assert (two.status, two.json["error"]) == (400, "invalid_target")


def test_a_repeated_parameter_is_refused(world: World) -> None:
    one = app(world)
    cookie = f"authmw_session={one.person['session_token']}"
    page = text(world, "GET", f"{AUTHORIZE}?{urlencode(asked(one))}&scope=openid", cookie=cookie)
    assert page.status == 400


def test_an_answer_is_taken_from_the_page_that_was_shown_in_this_session_only(world: World) -> None:
    """CSR-01: neither from another site, nor with another request or person in it."""
    one = app(world)
    page = visits(one, asked(one))
    eve = world.sign_in("eve@example.org")["session_token"]
    assert decides(one, page, "allow", origin="https://evil.example").status == 403
    assert decides(one, page, "allow", fields={"scope": "openid email phone"}).status == 400
    assert decides(one, page, "allow", fields={"shown": "x"}).status == 400
    assert decides(one, page, "allow", session=eve).status == 400
    assert query(decides(one, page, "allow"))["code"]


def test_a_fresh_sign_in_is_asked_for_where_the_app_wants_one(world: World) -> None:
    one = app(world)
    assert visits(one, asked(one, prompt="login")).status == 200
    world.clock.advance(minutes=6)
    assert visits(one, asked(one)).status == 200
    assert "/login?" in visits(one, asked(one, prompt="login")).header("location")[0]
    assert "/login?" in visits(one, asked(one, max_age="60")).header("location")[0]
    assert visits(one, asked(one, max_age="x")).status == 400


def test_a_pushed_request_is_what_counts_and_is_its_clients_own(world: World) -> None:
    """RFC 9126."""
    one, other = app(world), app(world)
    pushed = one.form("par", {**asked(one, scope="openid"), **one.credentials()})
    assert (pushed.status, pushed.json["expires_in"]) == (201, 600)
    uri = pushed.json["request_uri"]
    page = visits(one, {"client_id": one.id, "request_uri": uri, "scope": "openid email phone"})
    assert "e-mail address" not in page.json
    code = query(decides(one, page, "allow"))["code"]
    assert one.redeems(code).json["scope"] == "openid"
    uri = one.form("par", {**asked(one, scope="openid"), **one.credentials()}).json["request_uri"]
    assert visits(other, {"client_id": other.id, "request_uri": uri}).status == 400
    world.clock.advance(minutes=10)
    assert visits(one, {"client_id": one.id, "request_uri": uri}).status == 400
    for change, error in [
        ({"redirect_uri": "https://evil.example"}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"scope": "root"}, "invalid_scope"),
        ({"resource": "https://other.example"}, "invalid_target"),
        ({"client_secret": "wrong"}, "invalid_client"),
    ]:
        refused = one.form("par", {**asked(one), **one.credentials(), **change})
        assert refused.json["error"] == error


@pytest.mark.parametrize("decision", ["allow", "deny"])
def test_a_pushed_request_is_answered_once(world: World, decision: str) -> None:
    """RFC 9126 section 7.3: neither its page nor its address gives another code, whatever the first answer was."""
    one = app(world)
    uri = one.form("par", {**asked(one), **one.credentials()}).json["request_uri"]
    there = {"client_id": one.id, "request_uri": uri}
    page, again = visits(one, there), visits(one, there)  # to look at it is no answer
    assert ("code" in query(decides(one, page, decision))) is (decision == "allow")
    assert decides(one, again, "allow").status == 400
    assert visits(one, there).status == 400


def test_an_answer_is_to_what_was_pushed_and_to_nothing_else(world: World) -> None:
    """RFC 9126 section 4: fewer scopes are an answer; another place, challenge, key or scope is none."""
    one = app(world)
    uri = one.form("par", {**asked(one, nonce="n"), **one.credentials()}).json["request_uri"]
    said = {"scopes": ["openid", "email"], "state": "st&<'\"", "nonce": "n", "request_uri": uri}
    for other in (
        {"scopes": ["openid", "phone"]},
        {"state": None},
        {"nonce": "other"},
        {"code_challenge": "A" * 43},
        {"resources": [MCP]},
        {"dpop_key": "k" * 43},
        {"request_uri": "urn:ietf:params:oauth:request_uri:other"},
    ):
        assert one.asks(**{**said, **other}).json["error_type"] == "invalid_request_uri", other
    assert one.redeems(one.code(**{**said, "scopes": ["openid"]})).json["scope"] == "openid"
    assert one.asks(**said).json["error_type"] == "invalid_request_uri"


def test_a_project_that_wants_requests_pushed_takes_no_others(tmp_path: Path) -> None:
    """RFC 9126 section 5."""
    world = make_world(tmp_path, "asgi", provider=Provider(require_pushed_requests=True))
    one = app(world)
    assert world.visit("/.well-known/oauth-authorization-server").json["require_pushed_authorization_requests"] is True
    refused = visits(one, asked(one))
    assert (refused.status, refused.header("location")) == (400, [])
    assert one.asks().json["error_type"] == "bad_request"
    pushed = one.form("par", {**asked(one), **one.credentials()}).json
    there = {"client_id": one.id, "request_uri": pushed["request_uri"]}
    signs_in = urlsplit(visits(one, there, session="").header("location")[0])
    back = urlsplit(dict(parse_qsl(signs_in.query))["next"])
    assert back.path == AUTHORIZE
    page = visits(one, dict(parse_qsl(back.query)))  # signed in, the person comes back to the same request
    assert "code" in query(decides(one, page, "allow"))


def test_an_app_asks_for_several_resources_and_gets_tokens_for_some(tmp_path: Path) -> None:
    """RFC 8707 section 2: the one parameter that may stand several times."""
    places = [f"{URL}/{name}" for name in ("one", "two", "three")]
    provider = Provider(resources=tuple(Resource(url=place) for place in places))
    world = make_world(tmp_path, "asgi", provider=provider)
    one = app(world)
    fields = [*asked(one, scope="offline_access").items(), ("resource", places[0]), ("resource", places[1])]
    page = text(
        world, "GET", f"{AUTHORIZE}?{urlencode(fields)}", cookie=f"authmw_session={one.person['session_token']}"
    )
    code = query(decides(one, page, "allow"))["code"]
    first = one.redeems(code).json
    assert claims(first["access_token"])["aud"] == places[:2]
    refresh = [("grant_type", "refresh_token"), ("refresh_token", first["refresh_token"]), *one.credentials().items()]
    narrower = one.raw("token", urlencode([*refresh, ("resource", places[1])]).encode()).json
    assert claims(narrower["access_token"])["aud"] == [places[1]]
    refresh[1] = ("refresh_token", narrower["refresh_token"])
    wider = [*refresh, ("resource", places[0]), ("resource", places[2])]
    assert one.raw("token", urlencode(wider).encode()).json["error"] == "invalid_target"
    pushed = [*{**asked(one), **one.credentials()}.items(), ("resource", places[0]), ("resource", places[2])]
    request_uri = one.raw("par", urlencode(pushed).encode()).json["request_uri"]
    page = visits(one, {"client_id": one.id, "request_uri": request_uri})
    tokens = one.redeems(query(decides(one, page, "allow"))["code"]).json
    assert claims(tokens["access_token"])["aud"] == [places[0], places[2]]


def test_signing_out_at_an_apps_wish_needs_the_persons_click(world: World) -> None:
    one = app(world, post_logout_redirect_urls=["https://app.example/bye"])
    cookie = f"authmw_session={one.person['session_token']}"
    fields = urlencode({"client_id": one.id, "post_logout_redirect_uri": "https://app.example/bye", "state": "x"})
    page = text(world, "GET", f"/auth/oauth/logout?{fields}", cookie=cookie)
    assert page.status == 200
    assert world.visit("/who", cookie).status == 200
    headers = {"cookie": cookie, "content_type": FORM}
    assert (
        text(world, "POST", "/auth/oauth/logout", fields.encode(), **headers, origin="https://evil.example").status
        == 403
    )
    done = text(world, "POST", "/auth/oauth/logout", fields.encode(), **headers, origin=URL)
    assert done.header("location") == ["https://app.example/bye?state=x"]
    assert len(done.header("set-cookie")) == 2
    assert world.visit("/who", cookie).status == 401
    wrong = urlencode({"client_id": one.id, "post_logout_redirect_uri": "https://evil.example"})
    assert text(world, "GET", f"/auth/oauth/logout?{wrong}", cookie=cookie).status == 401


def registered(world: World, **body: Any) -> Answer:
    return world.send("POST", "/v1/oauth2/register", {"redirect_uris": ["http://127.0.0.1/cb"], **body})


def test_a_stranger_registers_as_a_third_party_and_is_forgotten_if_nobody_uses_it(world: World) -> None:
    """RFC 7591."""
    answer = registered(world, client_name="Tool", grant_types=["authorization_code", "refresh_token"])
    assert (answer.status, answer.json["token_endpoint_auth_method"]) == (201, "none")
    assert "client_secret" not in answer.json
    secret = registered(world, token_endpoint_auth_method="client_secret_basic")
    assert (secret.json["client_secret_expires_at"], len(secret.json["client_secret"])) == (0, 43)
    one = App(world, answer.json, world.sign_in())
    shown = world.backend("GET", f"/v1/connected_apps/clients/{one.id}").json["connected_app"]
    assert (shown["client_type"], shown["creation_method"]) == ("third_party_public", "dynamic_client_registration")
    used = asked(one, redirect_uri="http://127.0.0.1:999/cb")
    assert query(decides(one, visits(one, used), "allow"))["code"]
    world.clock.advance(days=1)
    fresh = world.sign_in()["session_token"]
    assert visits(one, used, fresh).status == 200
    unused = App(world, registered(world).json, one.person)
    world.clock.advance(days=1)
    again = world.sign_in()["session_token"]
    assert visits(unused, asked(unused, redirect_uri="http://127.0.0.1/cb"), again).status == 404


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"redirect_uris": []}, "invalid_redirect_uri"),
        ({"redirect_uris": ["http://169.254.169.254/cb"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["http://app.example/cb"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri"),
        ({"redirect_uris": "https://app.example"}, "invalid_request"),
        ({"grant_types": ["implicit"]}, "invalid_client_metadata"),
        ({"grant_types": ["refresh_token"]}, "invalid_client_metadata"),
        ({"response_types": ["token"]}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata"),
    ],
)
def test_a_stranger_that_cannot_be_is_refused(world: World, body: dict[str, Any], error: str) -> None:
    assert registered(world, **body).json["error"] == error


def test_strangers_register_at_a_limited_rate_and_only_where_they_may(world: World, tmp_path: Path) -> None:
    errors = [registered(world).status for _ in range(11)]
    assert errors == [201] * 10 + [429]
    closed = make_world(tmp_path / "..", "asgi")
    assert registered(closed).json["error"] == "dynamic_client_registration_not_enabled"
    assert "registration_endpoint" not in closed.send("GET", "/.well-known/openid-configuration").json
    assert unquote(world.send("GET", "/.well-known/openid-configuration").json["registration_endpoint"]).endswith(
        "/register"
    )
