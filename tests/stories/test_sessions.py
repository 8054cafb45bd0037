"""Sessions through the public door: on the wire, in cookies, at a host's own routes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.world import PUBLIC_TOKEN, URL, World, make_world

AUTHENTICATE = "/v1/sessions/authenticate"
OPAQUE, JWT = "authmw_session", "authmw_session_jwt"


def both(signed_in: dict) -> tuple[str, str]:
    return f"{OPAQUE}={signed_in['session_token']}", f"{JWT}={signed_in['session_jwt']}"


def test_either_cookie_alone_opens_a_protected_route(world: World) -> None:
    """SS-09."""
    signed_in = world.sign_in()
    for cookies in (both(signed_in)[:1], both(signed_in)[1:], both(signed_in)):
        answer = world.visit("/who", *cookies)
        assert answer.json == {"user_id": signed_in["user_id"]}


def test_no_cookie_is_no_session_and_a_page_leads_to_sign_in(world: World) -> None:
    assert world.visit("/who").json["error_type"] == "user_unauthenticated"
    page = world.visit("/who", accept="text/html")
    assert (page.status, page.header("location")) == (303, ["/login?next=/who"])


@pytest.mark.parametrize("value", ["", "x", "x" * 5000, 'A"B', "a b", "%00"])
def test_a_malformed_cookie_is_no_session(world: World, value: str) -> None:
    """SES-03."""
    assert world.visit("/who", f"{OPAQUE}={value}").status == 401


def test_a_session_cookie_that_stands_twice_is_no_session(world: World) -> None:
    """A032."""
    opaque, _ = both(world.sign_in())
    for cookies in ((opaque, f"{OPAQUE}=planted"), (f"{OPAQUE}=planted", opaque), (opaque, opaque)):
        assert world.visit("/who", *cookies).status == 401


def test_an_expired_jwt_is_renewed_from_the_opaque_cookie(world: World) -> None:
    """SS-04, SS-08."""
    signed_in = world.sign_in()
    world.clock.advance(seconds=301)
    assert world.visit("/who", both(signed_in)[1]).status == 401
    answer = world.visit("/who", *both(signed_in))
    assert answer.status == 200
    fresh = next(one for one in answer.header("set-cookie") if one.startswith(JWT))
    assert "HttpOnly" in fresh
    assert world.visit("/who", fresh.split(";")[0]).status == 200


def test_a_session_ends_at_its_time_and_not_before(world: World) -> None:
    """SS-01."""
    signed_in = world.sign_in(minutes=5)
    world.clock.advance(minutes=5, seconds=-1)
    assert world.backend("POST", AUTHENTICATE, {"session_token": signed_in["session_token"]}).status == 200
    world.clock.advance(seconds=1)
    assert world.backend("POST", AUTHENTICATE, {"session_token": signed_in["session_token"]}).status == 404
    assert world.backend("POST", AUTHENTICATE, {"session_jwt": signed_in["session_jwt"]}).status in {400, 404}


@pytest.mark.parametrize("minutes", [4, 0, -1, 527041, 60.5, True, "60"])
def test_a_duration_out_of_bounds_is_refused(world: World, minutes: object) -> None:
    """A038, SS-02."""
    token = world.sign_in()["session_token"]
    answer = world.backend("POST", AUTHENTICATE, {"session_token": token, "session_duration_minutes": minutes})
    assert answer.status == 400


def test_a_duration_over_the_projects_maximum_is_refused(world: World) -> None:
    """SS-03."""
    token = world.sign_in()["session_token"]
    answer = world.backend("POST", AUTHENTICATE, {"session_token": token, "session_duration_minutes": 525601})
    assert answer.json["error_type"] == "invalid_session_duration"


def test_extending_moves_the_end_and_makes_no_factor_fresher(world: World) -> None:
    """SS-05, SES-05, A039."""
    signed_in = world.sign_in(minutes=10)
    for _ in range(6):
        world.clock.advance(minutes=1)
        body = {"session_token": signed_in["session_token"], "session_duration_minutes": 10}
        answer = world.backend("POST", AUTHENTICATE, body).json
    assert answer["session"]["expires_at"] > signed_in["session"]["expires_at"]
    factor, first = answer["session"]["authentication_factors"][0], signed_in["session"]["authentication_factors"][0]
    assert factor["last_authenticated_at"] == first["last_authenticated_at"]
    stale = world.visit("/fresh", f"{JWT}={answer['session_jwt']}")
    assert stale.json["error_type"] == "stale_factors"


def test_one_category_is_not_mfa(world: World) -> None:
    """A219."""
    assert world.visit("/mfa", *both(world.sign_in())).json["error_type"] == "insufficient_factors"


def test_a_step_up_keeps_the_session_and_changes_its_secret(world: World) -> None:
    """SS-11, SES-01, A030."""
    signed_in = world.sign_in()
    again = world.sign_in(session_token=signed_in["session_token"])
    assert again["session"]["session_id"] == signed_in["session"]["session_id"]
    assert again["session_token"] != signed_in["session_token"]
    late = world.backend("POST", AUTHENTICATE, {"session_token": signed_in["session_token"]})
    assert late.json["error_type"] == "invalid_session_token"
    world.clock.advance(seconds=61)
    dead = world.backend("POST", AUTHENTICATE, {"session_token": signed_in["session_token"]})
    assert dead.json["error_type"] == "session_not_found"


def test_the_token_can_be_had_again_by_the_jwt(world: World) -> None:
    """SS-07."""
    signed_in = world.sign_in()
    world.clock.advance(seconds=400)
    answer = world.backend("POST", AUTHENTICATE, {"session_jwt": signed_in["session_jwt"]}).json
    assert answer["session_token"] == signed_in["session_token"]


@pytest.mark.parametrize("by", ["session_id", "session_token", "session_jwt"])
def test_a_revoked_session_is_over_everywhere_at_once(world: World, by: str) -> None:
    """SS-10, SS-12, SES-06, A023, A037."""
    signed_in = world.sign_in()
    assert world.visit("/who", *both(signed_in)).status == 200
    named = {**signed_in, "session_id": signed_in["session"]["session_id"]}
    assert world.backend("POST", "/v1/sessions/revoke", {by: named[by]}).status == 200
    assert world.visit("/who", *both(signed_in)).status == 401
    for argument in ("session_token", "session_jwt"):
        assert world.backend("POST", AUTHENTICATE, {argument: signed_in[argument]}).status == 404


def test_deleting_a_user_ends_every_session(world: World) -> None:
    """A042."""
    sessions = [world.sign_in() for _ in range(3)]
    world.backend("DELETE", f"/v1/users/{sessions[0]['user_id']}")
    for one in sessions:
        assert world.visit("/who", *both(one)).status == 401
        assert world.backend("POST", AUTHENTICATE, {"session_token": one["session_token"]}).status == 404


def test_custom_claims_replace_are_deleted_by_null_and_never_reserved(world: World) -> None:
    """A025, TOK-10."""
    token = world.sign_in(session_custom_claims={"plan": "a", "gone": 1, "sub": "evil"})["session_token"]
    body = {"session_token": token, "session_custom_claims": {"plan": "b", "gone": None, "exp": 1, "aud": "x"}}
    answer = world.backend("POST", AUTHENTICATE, body).json
    assert answer["session"]["custom_claims"] == {"plan": "b"}
    big = {"session_token": token, "session_custom_claims": {"x": "y" * 5000}}
    assert world.backend("POST", AUTHENTICATE, big).json["error_type"] == "custom_claims_too_large"


def test_a_request_names_one_session_in_one_way(world: World) -> None:
    signed_in = world.sign_in()
    tokens = {name: signed_in[name] for name in ("session_token", "session_jwt")}
    assert world.backend("POST", AUTHENTICATE, tokens).json["error_type"] == "too_many_session_arguments"
    assert world.backend("POST", AUTHENTICATE, {}).json["error_type"] == "no_session_arguments"


def test_the_browser_gets_its_tokens_in_cookies_and_a_native_app_in_the_body(world: World) -> None:
    """ARCH-04, SES-02, A036."""
    path, body = "/sdk/v1/magic_links/authenticate", {"session_duration_minutes": 60}
    world.backend("POST", "/v1/magic_links/email/login_or_create", {"email": "ada@example.org"})
    answer = world.browser("POST", path, {**body, "token": world.token()}, origin=URL)
    assert answer.json["data"]["session_token"] == ""
    assert answer.json["data"]["__user"]["emails"][0]["email"] == "ada@example.org"
    cookies = answer.header("set-cookie")
    assert all("HttpOnly" in one and "SameSite=Lax" in one and "Domain" not in one for one in cookies)
    assert answer.header("cache-control") == ["no-store"]
    assert world.visit("/who", *(one.split(";")[0] for one in cookies)).status == 200
    world.clock.advance(seconds=2)
    world.backend("POST", "/v1/magic_links/email/login_or_create", {"email": "ada@example.org"})
    native = world.browser("POST", path, {**body, "token": world.token()})
    assert native.json["data"]["session_token"]
    assert not native.header("set-cookie")


def test_the_browser_reads_and_changes_only_its_own_user(world: World) -> None:
    """PRV-02, USR-04 to USR-06, A261."""
    token = world.sign_in()["session_token"]
    me = world.browser("GET", "/sdk/v1/users/me", token=token).json["data"]
    assert me["emails"][0]["email"] == "ada@example.org"
    body = {"name": {"first_name": "Ada"}, "untrusted_metadata": {"a": 1}}
    changed = world.browser("PUT", "/sdk/v1/users/me", body, token=token).json["data"]
    assert changed["__user"]["name"]["first_name"] == "Ada"
    for hidden, expected in (
        ({"trusted_metadata": {}}, (401, "cannot_update_trusted_metadata")),
        ({"user_id": "x"}, (400, "bad_request")),
        ({"roles": []}, (400, "bad_request")),
    ):
        answer = world.browser("PUT", "/sdk/v1/users/me", hidden, token=token)
        assert (answer.status, answer.json["error_type"]) == expected
    assert world.browser("GET", "/sdk/v1/users/me").json["error_type"] == "user_unauthenticated"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost:8001", "http://localhost:8000.evil.example"]
)
def test_a_cookie_from_another_origin_changes_nothing(world: World, origin: str) -> None:
    """CSR-01, A229, A230."""
    opaque, _ = both(world.sign_in())
    answer = world.browser("POST", "/sdk/v1/sessions/revoke", {}, origin=origin, cookie=opaque)
    assert (answer.status, answer.json["error_type"]) == (403, "cross_site_request")
    assert not answer.header("access-control-allow-origin")
    assert world.visit("/who", opaque).status == 200
    assert world.browser("POST", "/sdk/v1/sessions/revoke", {}, cookie=opaque).status == 403


def test_a_listed_origin_is_echoed_exactly(tmp_path: Path) -> None:
    """A231, CSR-03."""
    world = make_world(tmp_path, "asgi", cors_origins=("https://app.example.com",))
    path = "/sdk/v1/sessions/authenticate"
    answer = world.send("OPTIONS", path, origin="https://app.example.com", access_control_request_method="POST")
    assert answer.header("access-control-allow-origin") == ["https://app.example.com"]
    assert answer.header("access-control-allow-credentials") == ["true"]
    assert "x-sdk-client" in answer.header("access-control-allow-headers")[0]
    stranger = world.send("OPTIONS", path, origin="https://app.example.com.evil.example")
    assert not stranger.header("access-control-allow-origin")
    assert stranger.header("vary") == ["Origin"]


def test_bootstrap_says_what_the_client_needs_to_start(world: World) -> None:
    data = world.send("GET", f"/sdk/v1/projects/bootstrap/{PUBLIC_TOKEN}").json["data"]
    assert data["password_config"] is None
    assert data["captcha_settings"] == {"enabled": False}
    assert world.send("GET", "/sdk/v1/projects/bootstrap/other").status == 404


def test_a_session_remembers_where_the_host_says_it_began(world: World) -> None:
    given = {"ip_address": "203.0.113.7", "user_agent": "A browser"}
    assert world.sign_in(attributes=given)["session"]["attributes"] == given


def test_the_sandbox_has_a_session_that_lives_and_one_that_is_unknown(world: World) -> None:
    """FACTS section 11, SBX-02: for backends in Test; no browser is signed in by it."""
    living = "WJtR5BCy38Szd5AfoDpf0iqFKEt4EE5JhjlWUY7l3FtY"
    unknown = "59cnLELtq5cFVS6uYK9f-pAWzBkhqZl8AvLhbhOvKNWw"
    answer = world.backend("POST", AUTHENTICATE, {"session_token": living, "session_duration_minutes": 60})
    assert answer.status == 200
    assert answer.json["user_id"] == "user-test-e3795c81-f849-4167-bfda-e4a6e9c280fd"
    assert answer.json["session_token"] == living
    assert world.backend("POST", AUTHENTICATE, {"session_token": unknown}).status == 404
    assert world.browser("POST", "/sdk/v1/sessions/authenticate", {}, token=living).status == 404
    assert world.visit("/who", f"{OPAQUE}={living}").status == 401


@pytest.mark.parametrize("host", ["asgi", "wsgi"])
def test_without_the_sandbox_its_session_is_unknown(tmp_path: Path, host: str) -> None:
    world = make_world(tmp_path, host, sandbox=False)
    body = {"session_token": "WJtR5BCy38Szd5AfoDpf0iqFKEt4EE5JhjlWUY7l3FtY"}
    assert world.backend("POST", AUTHENTICATE, body).status == 404


def test_the_secret_before_a_step_up_opens_nothing_any_more(world: World) -> None:
    """SES-01: not even where it was remembered a moment ago."""
    session = world.sign_in()
    before = f"authmw_session={session['session_token']}"
    assert world.visit("/who", before).status == 200
    stepped = world.sign_in(session_token=session["session_token"])
    assert stepped["session"]["session_id"] == session["session"]["session_id"]
    assert world.visit("/who", before).status == 401
    assert world.visit("/who", f"authmw_session={stepped['session_token']}").status == 200
