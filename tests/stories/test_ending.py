"""Ending sessions: what a removed factor ends, and what it leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from authmw import Cookies
from tests.world import PUBLIC_TOKEN, URL, Answer, World, make_world

PROVE = "/v1/sessions/authenticate"
SEND = "/v1/magic_links/email/send"
SIGN_IN = "/v1/magic_links/authenticate"
OPAQUE, JWT = "authmw_session", "authmw_session_jwt"


def with_two_addresses(world: World) -> Any:
    """Somebody signed in, with a second address proved in the same session."""
    signed_in = world.sign_in()
    world.clock.advance(seconds=2)
    token = signed_in["session_token"]
    assert world.backend("POST", SEND, {"email": "second@example.org", "session_token": token}).status == 200
    answer = world.backend("POST", SIGN_IN, {"token": world.token(), "session_token": token})
    assert answer.status == 200
    return answer.json


def proved(world: World, token: str) -> Answer:
    return world.backend("POST", PROVE, {"session_token": token})


def remove(world: World, path: str, session: Any, **headers: str) -> Answer:
    return world.browser("DELETE", path, token=session["session_token"], **headers)


def first_address(session: Any) -> str:
    return f"/sdk/v1/users/emails/{session['user']['emails'][0]['email_id']}"


def test_a_removed_address_ends_every_other_session_and_keeps_the_own_one_under_a_new_secret(world: World) -> None:
    """SES-01, SES-07."""
    other = world.sign_in()
    own = with_two_addresses(world)
    answer = remove(world, first_address(own), own)
    assert answer.status == 200
    fresh = answer.json["data"]
    assert proved(world, other["session_token"]).status == 404
    assert proved(world, own["session_token"]).json["error_type"] == "invalid_session_token"
    kept = proved(world, fresh["session_token"])
    assert kept.json["session"]["session_id"] == own["session"]["session_id"]
    assert kept.json["session"]["expires_at"] == own["session"]["expires_at"]
    first, second = own["session"]["authentication_factors"]
    assert first["email_factor"]["email_id"] == own["user"]["emails"][0]["email_id"]
    assert kept.json["session"]["authentication_factors"] == [second]
    assert world.visit("/who", f"{JWT}={fresh['session_jwt']}").status == 200
    assert world.visit("/who", f"{JWT}={own['session_jwt']}").status == 401
    assert world.visit("/who", f"{JWT}={other['session_jwt']}").status == 401


def test_a_browser_that_keeps_its_session_in_cookies_gets_fresh_ones(world: World) -> None:
    """SES-07: no token is in the body, and the new cookies open what the old ones no longer do."""
    own = with_two_addresses(world)
    old = f"{OPAQUE}={own['session_token']}"
    answer = world.browser("DELETE", first_address(own), token=PUBLIC_TOKEN, cookie=old, origin=URL)
    assert answer.status == 200
    assert answer.json["data"]["session_token"] == answer.json["data"]["session_jwt"] == ""
    fresh = [one.split(";")[0] for one in answer.header("set-cookie")]
    assert [one.partition("=")[0] for one in fresh] == [OPAQUE, JWT]
    assert all("HttpOnly" in one for one in answer.header("set-cookie"))
    assert world.visit("/who", *fresh).status == 200
    assert world.visit("/who", fresh[0]).status == 200
    assert world.visit("/who", old).status == 401


@pytest.mark.parametrize("host", ["asgi", "wsgi"])
def test_where_the_page_keeps_the_tokens_itself_the_secret_stays(tmp_path: Path, host: str) -> None:
    """SES-07: the vendor's client reads no token from the answer to a removal, and must not be signed out by it."""
    world = make_world(tmp_path, host, cookies=Cookies(secure=False, vendor=True))
    other, own = world.sign_in(), with_two_addresses(world)
    assert remove(world, first_address(own), own, origin=URL).status == 200
    assert proved(world, own["session_token"]).status == 200
    assert proved(world, other["session_token"]).status == 404


def test_a_refused_removal_ends_nothing(world: World) -> None:
    """ACC-04."""
    other, own = world.sign_in(), world.sign_in()
    assert remove(world, first_address(own), own).json["error_type"] == "cannot_delete_last_primary_factor"
    for session in (other, own):
        assert proved(world, session["session_token"]).status == 200


def test_a_backend_that_removes_a_factor_ends_every_session(world: World) -> None:
    """SES-07: no session is the backend's own."""
    own = with_two_addresses(world)
    assert world.backend("DELETE", first_address(own).replace("/sdk", "")).status == 200
    assert proved(world, own["session_token"]).status == 404


def test_what_a_session_was_adding_dies_when_that_session_ends_the_others(world: World) -> None:
    """ACC-06: a change asked for before is no back door after."""
    own = with_two_addresses(world)
    world.clock.advance(seconds=2)
    adding = {"email": "third@example.org", "session_token": own["session_token"]}
    assert world.backend("POST", SEND, adding).status == 200
    link = world.token()
    sent = world.backend("POST", "/v1/otps/email/send", {**adding, "email": "fourth@example.org"})
    code = {"method_id": sent.json["email_id"], "code": world.code()}
    fresh = remove(world, first_address(own), own).json["data"]["session_token"]
    for body, path in (({"token": link}, SIGN_IN), (code, "/v1/otps/authenticate")):
        assert world.backend("POST", path, {**body, "session_token": fresh}).status == 401


def test_sessions_ended_in_such_numbers_that_not_all_are_held_are_refused_all_the_same(world: World) -> None:
    """TOK-08: their JWTs are good by themselves for minutes, so storage is asked as long as one of them lives."""
    denied = world.auth.core.denied
    denied.most = 2
    sessions = [world.sign_in(f"visitor{number}@example.org") for number in range(5)]
    stays = world.sign_in()
    for one in sessions:
        ended = world.backend("POST", "/v1/sessions/revoke", {"session_id": one["session"]["session_id"]})
        assert ended.status == 200
    assert not denied.holds(sessions[0]["session"]["session_id"], "", 0)
    assert [world.visit("/who", f"{JWT}={one['session_jwt']}").status for one in sessions] == [401] * 5
    assert world.visit("/who", f"{JWT}={stays['session_jwt']}").status == 200
    assert denied.doubtful(world.clock.now())
    world.clock.advance(minutes=6)
    assert not denied.doubtful(world.clock.now())
    assert [world.visit("/who", f"{JWT}={one['session_jwt']}").status for one in sessions] == [401] * 5


def test_an_end_that_leaves_to_make_room_while_its_jwt_is_judged_is_not_missed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    denied = world.auth.core.denied
    denied.most = 1
    ended = world.sign_in()
    assert world.backend("POST", "/v1/sessions/revoke", {"session_id": ended["session"]["session_id"]}).status == 200
    looked = denied.holds

    def looked_late(*asked: Any) -> bool:
        denied.add("another", world.clock.now())
        return looked(*asked)

    monkeypatch.setattr(denied, "holds", looked_late)
    assert world.visit("/who", f"{JWT}={ended['session_jwt']}").status == 401


@pytest.mark.parametrize("kind", ["webauthn_registrations", "biometric_registrations", "crypto_wallets", "oauth"])
def test_a_factor_is_removed_as_what_it_is_only(world: World, kind: str) -> None:
    """ACC-10: the id of one product's part names nothing in another's; a host may let its people remove passkeys and not their apps."""
    own = world.sign_in()
    totp_id = world.backend("POST", "/v1/totps", {"user_id": own["user_id"]}).json["totp_id"]
    for answer in (
        world.browser("DELETE", f"/sdk/v1/users/{kind}/{totp_id}", token=own["session_token"]),
        world.backend("DELETE", f"/v1/users/{kind}/{totp_id}"),
    ):
        assert (answer.status, answer.json["error_type"].endswith("_not_found")) == (404, True), answer.json
    kept = world.backend("GET", f"/v1/users/{own['user_id']}").json
    assert [one["totp_id"] for one in kept["totps"]] == [totp_id]
    assert proved(world, own["session_token"]).status == 200
