"""The browser API through the public door: what a page may do, and what a stranger learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from authmw import Cookies
from tests.world import PUBLIC_TOKEN, URL, Answer, World, make_world

OPAQUE = "authmw_session"
LINK = "/sdk/v1/magic_links/email/send/primary"
CODE = "/sdk/v1/otps/email/send/primary"
SIGN_IN = "/sdk/v1/magic_links/authenticate"


def ask(world: World, address: str = "ada@example.org") -> str:
    world.clock.advance(seconds=2)
    assert world.backend("POST", "/v1/magic_links/email/login_or_create", {"email": address}).status == 200
    return world.token()


def error(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json["error_type"]


def masked(answer: Answer) -> tuple[int, Any, list[str]]:
    """All that a stranger sees of an answer, but for the ids made anew each time."""
    body = {name: value for name, value in answer.json["data"].items() if name != "request_id"}
    return answer.status, body, sorted(name for name, _ in answer.headers)


@pytest.mark.parametrize("path", [LINK, CODE, "/sdk/v1/magic_links/email/login_or_create"])
def test_known_and_unknown_addresses_get_the_same_answer(world: World, path: str) -> None:
    """A241, ENU-01, ML-06."""
    world.sign_in("known@example.org")
    world.backend("POST", "/v1/users", {"email": "pending@example.org", "create_user_as_pending": True})
    world.backend("POST", "/v1/users", {"email": "fresh@example.org"})
    world.clock.advance(seconds=2)
    seen = []
    for address in ("known@example.org", "pending@example.org", "fresh@example.org", "nobody@example.org"):
        status, body, headers = masked(world.browser("POST", path, {"email": address}))
        body.pop("method_id", None)
        seen.append((status, body, headers))
    assert all(one == seen[0] for one in seen)


def test_asking_twice_does_not_tell_a_stranger_who_is_known(world: World) -> None:
    """ENU-01: the method id of an address nobody has is as steady as one that somebody has."""
    world.sign_in("known@example.org")
    for address in ("known@example.org", "nobody@example.org"):
        ids = set()
        for _ in range(3):
            world.clock.advance(seconds=2)
            ids.add(world.browser("POST", CODE, {"email": address}).json["data"]["method_id"])
        assert len(ids) == 1
    assert ids.pop().startswith("email-test-")


@pytest.mark.parametrize("path", [LINK, CODE])
def test_an_ended_session_in_the_browser_keeps_nobody_from_asking_to_sign_in(world: World, path: str) -> None:
    signed_in = world.sign_in()
    world.backend("POST", "/v1/sessions/revoke", {"session_id": signed_in["session"]["session_id"]})
    world.clock.advance(seconds=2)
    cookie = f"{OPAQUE}={signed_in['session_token']}"
    before = len(world.inbox.entries())
    assert world.browser("POST", path, {"email": "ada@example.org"}, origin=URL, cookie=cookie).status == 200
    world.inbox.arrived(before + 1)


def test_an_ended_session_in_the_browser_keeps_nobody_from_signing_in(world: World) -> None:
    signed_in = world.sign_in()
    world.backend("POST", "/v1/sessions/revoke", {"session_id": signed_in["session"]["session_id"]})
    body = {"token": ask(world), "session_duration_minutes": 60}
    cookie = f"{OPAQUE}={signed_in['session_token']}"
    answer = world.browser("POST", SIGN_IN, body, origin=URL, cookie=cookie)
    assert answer.status == 200
    assert answer.json["data"]["session"]["session_id"] != signed_in["session"]["session_id"]


def test_a_planted_session_is_neither_joined_nor_kept(world: World) -> None:
    """A030, SES-01: the victim signs in with the attacker's cookie in the browser."""
    planted = world.sign_in("attacker@example.org")
    body = {"token": ask(world, "victim@example.org"), "session_duration_minutes": 60}
    cookie = f"{OPAQUE}={planted['session_token']}"
    answer = world.browser("POST", SIGN_IN, body, origin=URL, cookie=cookie)
    fresh = next(one.split(";")[0] for one in answer.header("set-cookie") if one.startswith(f"{OPAQUE}="))
    assert fresh != cookie
    assert world.visit("/who", fresh).json["user_id"] == answer.json["data"]["user_id"]
    assert answer.json["data"]["user_id"] != planted["user_id"]


@pytest.mark.parametrize("name", ["session_token", "session_jwt", "session_custom_claims", "user_id", "options"])
def test_a_browser_chooses_neither_session_nor_claims_nor_user(world: World, name: str) -> None:
    """A031, SS-13, A261; the refusal uses nothing up."""
    body = {"token": ask(world), "session_duration_minutes": 60}
    value: object = {"x": 1} if name in {"session_custom_claims", "options"} else "chosen"
    assert error(world.browser("POST", SIGN_IN, {**body, name: value})) == (400, "bad_request")
    assert world.browser("POST", SIGN_IN, body).status == 200


@pytest.mark.parametrize("body", [{}, {"session_duration_minutes": None}])
def test_a_browser_must_say_how_long(world: World, body: dict[str, object]) -> None:
    """ML-19."""
    assert error(world.browser("POST", SIGN_IN, {**body, "token": ask(world)})) == (400, "bad_request")


@pytest.mark.parametrize("pair", ["Basic eDp5", "Basic eA==", "Bearer x", ""])
def test_without_the_public_token_nothing_is_done(world: World, pair: str) -> None:
    """ENV-01."""
    answer = world.send("POST", LINK, {"email": "ada@example.org"}, authorization=pair)
    assert answer.status == 401
    assert not world.inbox.entries()


def test_the_secret_is_no_public_token_and_the_public_token_no_secret(world: World) -> None:
    assert world.backend("POST", LINK, {"email": "ada@example.org"}).status == 401
    assert world.browser("POST", "/v1/users", {"email": "ada@example.org"}).status == 401


def test_signing_out_ends_the_session_and_removes_both_cookies(world: World) -> None:
    """A037, SES-06."""
    signed_in = world.sign_in()
    cookies = (f"{OPAQUE}={signed_in['session_token']}", f"{OPAQUE}_jwt={signed_in['session_jwt']}")
    answer = world.browser("POST", "/sdk/v1/sessions/revoke", {}, origin=URL, cookie="; ".join(cookies))
    assert answer.status == 200
    removed = answer.header("set-cookie")
    assert sorted(one.split("=")[0] for one in removed) == [OPAQUE, f"{OPAQUE}_jwt"]
    assert all("Max-Age=0" in one and "HttpOnly" in one and "Path=/" in one for one in removed)
    for replayed in (cookies, cookies[:1], cookies[1:]):
        assert world.visit("/who", *replayed).status == 401


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("host", ["asgi", "wsgi"])
def test_where_the_project_wants_it_a_sign_out_clears_the_other_cookies_of_the_site(
    tmp_path: Path, host: str, *, wanted: bool
) -> None:
    """SES-08: by the browser API and by a view of the host's own; a sign-in clears nothing."""
    world = make_world(tmp_path, host, cookies=Cookies(secure=False, clear_site_data=wanted))
    token = world.sign_in()["session_token"]
    said = ['"cookies"'] if wanted else []
    entered = world.browser("POST", "/sdk/v1/sessions/authenticate", {}, origin=URL, cookie=f"{OPAQUE}={token}")
    assert (entered.status, entered.header("clear-site-data")) == (200, [])
    assert world.visit("/leave", f"{OPAQUE}={token}").header("clear-site-data") == said
    left = world.browser("POST", "/sdk/v1/sessions/revoke", {}, origin=URL, cookie=f"{OPAQUE}={token}")
    assert left.header("clear-site-data") == said
    assert len(left.header("set-cookie")) == 2


def test_reading_never_signs_anybody_out(world: World) -> None:
    """A045."""
    cookie = f"{OPAQUE}={world.sign_in()['session_token']}"
    for method in ("GET", "HEAD"):
        assert world.browser(method, "/sdk/v1/sessions/revoke", cookie=cookie).status == 405
    assert world.visit("/who", cookie).status == 200


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"])
def test_a_form_of_another_site_signs_nobody_out(world: World, kind: str) -> None:
    """A228."""
    cookie = f"{OPAQUE}={world.sign_in()['session_token']}"
    path = "/sdk/v1/sessions/revoke"
    answer = world.browser("POST", path, b"{}", origin=URL, cookie=cookie, content_type=kind)
    assert answer.status == 415
    assert world.visit("/who", cookie).status == 200


def test_in_live_both_cookies_are_bound_to_the_host(tmp_path: Path) -> None:
    """A036, SES-02."""
    world = make_world(tmp_path, "asgi", cookies=Cookies(), public_url="https://app.example.com")
    body = {"token": ask(world), "session_duration_minutes": 60}
    answer = world.browser("POST", SIGN_IN, body, origin="https://app.example.com")
    cookies = answer.header("set-cookie")
    assert sorted(one.split("=")[0] for one in cookies) == ["__Host-authmw_session", "__Host-authmw_session_jwt"]
    for one in cookies:
        attributes = {part.strip().lower() for part in one.split(";")[1:]}
        assert {"secure", "httponly", "path=/", "samesite=lax"} <= attributes
        assert not any(part.startswith("domain") for part in attributes)
        assert len(one) <= 4096


def test_a_jwt_too_large_for_a_cookie_is_left_out_and_the_opaque_token_signs_in(world: World) -> None:
    """A036."""
    token = world.sign_in(session_custom_claims={"x": "y" * 4000})["session_token"]
    answer = world.browser("POST", "/sdk/v1/sessions/authenticate", {}, origin=URL, cookie=f"{OPAQUE}={token}")
    cookies = answer.header("set-cookie")
    assert all(len(one) <= 4096 for one in cookies)
    assert next(one for one in cookies if one.startswith(f"{OPAQUE}_jwt=")).startswith(f"{OPAQUE}_jwt=;")
    assert world.visit("/who", f"{OPAQUE}={token}").status == 200


def test_in_the_vendors_mode_its_client_gets_the_tokens_and_its_cookies_open_the_app(tmp_path: Path) -> None:
    world = make_world(tmp_path, "asgi", cookies=Cookies(vendor=True, secure=False))
    body = {"token": ask(world), "session_duration_minutes": 60}
    answer = world.browser("POST", SIGN_IN, body, origin=URL)
    assert not answer.header("set-cookie")
    data = answer.json["data"]
    for cookie in (f"stytch_session={data['session_token']}", f"stytch_session_jwt={data['session_jwt']}"):
        assert world.visit("/who", cookie).status == 200


@pytest.mark.parametrize(
    ("send", "authenticate"),
    [
        ("/sdk/v1/magic_links/email/send/secondary", SIGN_IN),
        ("/sdk/v1/otps/email/send/secondary", "/sdk/v1/otps/authenticate"),
    ],
)
def test_a_signed_in_visitor_adds_an_address_by_proving_it(world: World, send: str, authenticate: str) -> None:
    """ML-03, PC-03."""
    token = world.sign_in()["session_token"]
    sent = world.browser("POST", send, {"email": "second@example.org"}, token=token)
    assert sent.status == 200
    assert len(world.browser("GET", "/sdk/v1/users/me", token=token).json["data"]["emails"]) == 1
    entry = world.inbox.arrived(2)
    proof = (
        {"token": entry.code, "method_id": sent.json["data"]["method_id"]} if entry.code else {"token": world.token()}
    )
    answer = world.browser("POST", authenticate, {**proof, "session_duration_minutes": 60}, token=token)
    emails = answer.json["data"]["user"]["emails"]
    assert [(one["email"], one["verified"]) for one in emails] == [
        ("ada@example.org", True),
        ("second@example.org", True),
    ]


def test_secondary_sending_needs_a_session(world: World) -> None:
    answer = world.browser("POST", "/sdk/v1/magic_links/email/send/secondary", {"email": "b@example.org"})
    assert error(answer) == (401, "user_unauthenticated")


def test_nobody_removes_the_address_of_another(world: World) -> None:
    """USR-08, A047."""
    other = world.sign_in("other@example.org")["user"]
    token = world.sign_in()["session_token"]
    path = "/sdk/v1/users/emails/"
    foreign = world.browser("DELETE", path + other["emails"][0]["email_id"], token=token)
    unknown = world.browser("DELETE", path + "email-test-00000000-0000-4000-8000-000000000000", token=token)
    assert error(foreign) == error(unknown) == (404, "email_not_found")


def test_bootstrap_is_readable_by_a_listed_origin_only(tmp_path: Path) -> None:
    """A231."""
    world = make_world(tmp_path, "asgi", cors_origins=("https://app.example.com",))
    path = f"/sdk/v1/projects/bootstrap/{PUBLIC_TOKEN}"
    listed = world.send("GET", path, origin="https://app.example.com")
    assert listed.header("access-control-allow-origin") == ["https://app.example.com"]
    for stranger in ("null", "file://", "https://app.example.com:444", "https://x.app.example.com"):
        answer = world.send("GET", path, origin=stranger)
        assert not answer.header("access-control-allow-origin")
        assert answer.header("vary") == ["Origin"]


@pytest.mark.parametrize("product", ["magic_links", "otps"])
def test_who_adds_the_address_of_another_is_answered_as_for_any_and_nothing_is_sent(world: World, product: str) -> None:
    """ENU-01: a backend is told, a browser is not."""
    world.sign_in("taken@example.org")
    token = world.sign_in()["session_token"]
    world.clock.advance(seconds=2)
    path = f"/sdk/v1/{product}/email/send/secondary"
    taken = world.browser("POST", path, {"email": "taken@example.org"}, token=token)
    before = len([one for one in world.inbox.entries() if one.to == "taken@example.org"])
    free = world.browser("POST", path, {"email": "free@example.org"}, token=token)
    seen = [masked(answer) for answer in (taken, free)]
    for _, body, _ in seen:
        body.pop("method_id", None)
    assert seen[0] == seen[1]
    world.inbox.arrived(before + 2)
    assert len([one for one in world.inbox.entries() if one.to == "taken@example.org"]) == before
    world.clock.advance(seconds=2)
    body = {"email": "taken@example.org", "session_token": token}
    assert error(world.backend("POST", f"/v1/{product}/email/send", body)) == (400, "duplicate_email")


@pytest.mark.parametrize("text", ["x", "x" * 129, "\u00fc" * 30])
def test_what_cannot_be_a_session_token_is_none_so_that_the_client_forgets_it(world: World, text: str) -> None:
    """SES-03: the vendor's client drops what it carries for `user_unauthenticated`, and for `invalid_session_token` asks again for ever."""
    for method, path in (("GET", "/sdk/v1/users/me"), ("POST", "/sdk/v1/sessions/authenticate")):
        body = None if method == "GET" else {}
        assert error(world.browser(method, path, body, token=text)) == (401, "user_unauthenticated")
        if text.isascii():
            carried = world.browser(method, path, body, cookie=f"{OPAQUE}={text}", origin=URL)
            assert error(carried) == (401, "user_unauthenticated")


def test_what_cannot_be_a_session_token_keeps_nobody_from_signing_in(world: World) -> None:
    body = {"token": ask(world), "session_duration_minutes": 60}
    assert world.browser("POST", SIGN_IN, body, token="x").status == 200


def test_a_change_that_rests_on_a_cookie_is_told_as_one_whatever_stands_in_it(world: World) -> None:
    answer = world.browser("POST", "/sdk/v1/sessions/revoke", {}, cookie=f"{OPAQUE}=x", origin="https://evil.example")
    assert error(answer) == (403, "cross_site_request")
