"""Passkeys and security keys that a page of the app asks for, by the browser API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from authmw.drive import step
from authmw.errors import Refused
from authmw.operations import Caller
from authmw.testing import Edits, VirtualAuthenticator
from tests.stories.test_impersonation import impersonate
from tests.stories.test_webauthn import DOMAIN, ORIGIN, UNABLE, enrolled, said, sign_in
from tests.world import Answer, World, make_world

SDK = "/sdk/v1/webauthn"


def in_browser(world: World, device: VirtualAuthenticator, token: str, **more: Any) -> Answer:
    """Make and register a passkey as a page does, and wait for the notice, which leaves behind the reply."""
    arrived = len(world.inbox.entries())
    start = world.browser(
        "POST", f"{SDK}/register/start", {"domain": DOMAIN, "user_agent": "a browser", **more}, token=token
    )
    assert start.status == 200, start.json
    answer = device.register(start.json["data"]["public_key_credential_creation_options"], origin=ORIGIN)
    body = {"public_key_credential": answer, "session_duration_minutes": 60}
    made = world.browser("POST", f"{SDK}/register", body, token=token)
    world.inbox.arrived(arrived + 1)
    return made


def begin(world: World, which: str = "primary", **more: Any) -> str:
    answer = world.browser("POST", f"{SDK}/authenticate/start/{which}", {"domain": DOMAIN}, **more)
    assert answer.status == 200, answer.json
    return str(answer.json["data"]["public_key_credential_request_options"])


def finish(world: World, answer: str, **more: Any) -> Answer:
    body = {"public_key_credential": answer, "session_duration_minutes": 60}
    return world.browser("POST", f"{SDK}/authenticate", body, **more)


def test_a_browser_registers_its_own_passkey_and_signs_in_by_it(world: World) -> None:
    """WA-01, WA-05, WA-07, SS-13."""
    device = VirtualAuthenticator()
    token = world.sign_in()["session_token"]
    data = in_browser(world, device, token, return_passkey_credential_options=True).json["data"]
    assert data["__user"]["webauthn_registrations"][0]["user_agent"] == "a browser"
    assert len(data["session"]["authentication_factors"]) == 2
    options = begin(world)
    assert json.loads(options)["allowCredentials"] == []
    signed_in = finish(world, device.authenticate(options, origin=ORIGIN)).json["data"]
    assert signed_in["user"]["user_id"] == data["user"]["user_id"]
    assert len(signed_in["session"]["authentication_factors"]) == 1
    again = world.sign_in()["session_token"]
    options = begin(world, "secondary", token=again)
    assert len(json.loads(options)["allowCredentials"]) == 1
    stepped = finish(world, device.authenticate(options, origin=ORIGIN), token=again).json["data"]
    assert [one["type"] for one in stepped["session"]["authentication_factors"]] == ["magic_link", "webauthn"]
    assert finish(world, "{}").status == 400
    assert world.browser("POST", f"{SDK}/authenticate", {"public_key_credential": "{}"}).status == 400


def test_what_a_browser_is_asked_tells_nobody_who_is_known(world: World) -> None:
    """A247, ENU-03: there is nothing to name a person by, and the answer is the same for everybody."""
    enrolled(world, VirtualAuthenticator())
    answer = world.browser("POST", f"{SDK}/authenticate/start/primary", {"domain": DOMAIN}).json["data"]
    assert answer["userId"] == ""
    assert json.loads(answer["public_key_credential_request_options"])["allowCredentials"] == []
    for path in ("primary", ""):
        body = {"domain": DOMAIN, "user_id": "user-test-x"}
        assert world.browser("POST", f"{SDK}/authenticate/start/{path}".rstrip("/"), body).status == 400
    for path in ("register/start", "authenticate/start/secondary"):
        assert world.browser("POST", f"{SDK}/{path}", {"domain": DOMAIN}).status == 401


def test_a_challenge_is_bound_to_the_session_and_the_browser_that_asked(world: World) -> None:
    """WAN-02, A120, A123."""
    device = VirtualAuthenticator()
    enrolled(world, device)
    token = world.sign_in()["session_token"]
    assert said(finish(world, device.authenticate(begin(world, "secondary", token=token), origin=ORIGIN))) == UNABLE
    other = world.sign_in()["session_token"]
    answer = device.authenticate(begin(world, "secondary", token=token), origin=ORIGIN)
    assert said(finish(world, answer, token=other)) == UNABLE
    assert finish(world, answer, token=token).status == 200
    bob, _ = enrolled(world, VirtualAuthenticator(), "bob@example.org")
    options = begin(world, "secondary", token=bob["session_token"])
    mixed = device.authenticate(options, origin=ORIGIN, using=device.credentials[0])
    assert said(finish(world, mixed, token=bob["session_token"])) == UNABLE
    answer = device.authenticate(begin(world), origin=ORIGIN)
    assert said(finish(world, answer, **{"user-agent": "another browser"})) == UNABLE
    assert finish(world, answer).status == 200
    eve, other = (world.sign_in("eve@example.org")["session_token"] for _ in range(2))
    start = world.browser("POST", f"{SDK}/register/start", {"domain": DOMAIN}, token=eve).json["data"]
    made = VirtualAuthenticator().register(start["public_key_credential_creation_options"], origin=ORIGIN)
    body = {"public_key_credential": made, "session_duration_minutes": 60}
    elsewhere = world.browser("POST", f"{SDK}/register", body, token=other)
    assert said(elsewhere) == (400, "no_pending_webauthn_registration")


def test_a_passkey_of_one_person_joins_no_session_of_another(world: World) -> None:
    """A123: a browser gets a session of its own, a backend is told."""
    device = VirtualAuthenticator()
    ada, _ = enrolled(world, device)
    bob = world.sign_in("bob@example.org")
    answer = device.authenticate(begin(world, token=bob["session_token"]), origin=ORIGIN)
    data = finish(world, answer, token=bob["session_token"]).json["data"]
    assert data["user"]["user_id"] == ada["user_id"]
    assert data["session"]["session_id"] != bob["session"]["session_id"]
    assert said(sign_in(world, device, session_token=bob["session_token"])) == (400, "user_id_mismatch")
    device.verifies_users = False
    answer = device.authenticate(begin(world), origin=ORIGIN, edits=Edits())
    refusal = finish(world, answer, token=bob["session_token"])
    assert said(refusal) == (401, "webauthn_user_verification_required")


def test_a_browser_adds_and_removes_passkeys_behind_the_mfa_rule(world: World) -> None:
    """WA-08, USR-10, ACC-02: with another factor enrolled the session must hold two, one of them fresh."""
    device = VirtualAuthenticator()
    token = world.sign_in()["session_token"]
    made = in_browser(world, device, token, return_passkey_credential_options=True).json["data"]
    registration = made["webauthn_registration_id"]
    weak = world.sign_in()["session_token"]
    start = world.browser("POST", f"{SDK}/register/start", {"domain": DOMAIN}, token=weak)
    assert said(start) == (401, "insufficient_factors")
    path = f"/sdk/v1/users/webauthn_registrations/{registration}"
    assert said(world.browser("DELETE", path, token=weak)) == (401, "insufficient_factors")
    strong = finish(world, device.authenticate(begin(world, "secondary", token=weak), origin=ORIGIN), token=weak).json[
        "data"
    ]["session_token"]
    gone = world.browser("DELETE", path, token=strong).json["data"]
    left = world.browser("POST", "/sdk/v1/sessions/authenticate", {}, token=gone["session_token"]).json["data"]
    assert [one["type"] for one in left["session"]["authentication_factors"]] == ["magic_link"]


def test_what_was_asked_for_before_a_second_factor_was_enrolled_needs_both_after_it(world: World) -> None:
    """WA-08, ACC-02: the rule is that of the moment in which the passkey enters."""
    token = world.sign_in()["session_token"]
    start = world.browser("POST", f"{SDK}/register/start", {"domain": DOMAIN, "user_agent": "a browser"}, token=token)
    enrolled(world, VirtualAuthenticator())
    options = start.json["data"]["public_key_credential_creation_options"]
    answer = VirtualAuthenticator().register(options, origin=ORIGIN)
    body = {"public_key_credential": answer, "session_duration_minutes": 60}
    refused = world.browser("POST", f"{SDK}/register", body, token=token)
    assert said(refused) == (401, "insufficient_factors")


def test_a_browser_names_its_own_passkeys_only(world: World) -> None:
    _, registration = enrolled(world, VirtualAuthenticator())
    ada, bob = world.sign_in()["session_token"], world.sign_in("bob@example.org")["session_token"]
    path = f"{SDK}/update/{registration}"
    named = world.browser("PUT", path, {"name": "Mine"}, token=ada)
    assert named.json["data"]["webauthn_registration"]["name"] == "Mine"
    assert said(world.browser("PUT", path, {"name": "Bob's"}, token=bob)) == (404, "webauthn_registration_not_found")
    assert world.browser("PUT", path, {"name": "Nobody's"}).status == 401


def test_who_acts_as_somebody_else_changes_none_of_their_passkeys_and_becomes_no_more_by_one(tmp_path: Path) -> None:
    """ACC-02: support sees, and neither adds, names nor joins."""
    world = make_world(tmp_path, "asgi", impersonation=True)
    device = VirtualAuthenticator()
    ada, registration = enrolled(world, device)
    token = impersonate(world, ada["user_id"])["session_token"]
    start = world.browser("POST", f"{SDK}/register/start", {"domain": DOMAIN}, token=token)
    assert said(start)[1] == "session_not_mutable"
    named = world.browser("PUT", f"{SDK}/update/{registration}", {"name": "Theirs"}, token=token)
    assert said(named)[1] == "session_not_mutable"
    device.verifies_users = False
    answer = device.authenticate(begin(world, "secondary", token=token), origin=ORIGIN)
    assert said(finish(world, answer, token=token)) == (401, "webauthn_user_verification_required")


def test_one_network_asks_for_at_most_300_challenges_a_minute(tmp_path: Path) -> None:
    """RAT-04: autofill asks at each opening of a page, so a network may ask often; a row is kept for each."""
    auth = make_world(tmp_path, "asgi").auth

    def ask(address: str) -> str:
        with auth.acting_as(Caller(audience="browser", ip_address=address)):
            try:
                step(auth.webauthn.authenticate_start(domain=DOMAIN))
            except Refused as refused:
                return refused.error_type
        return ""

    assert [ask("203.0.113.9") for _ in range(301)] == [""] * 300 + ["too_many_requests"]
    assert ask("203.0.113.10") == ""
    assert [ask(f"2001:db8::{number:x}") for number in range(301)][-1] == "too_many_requests"
