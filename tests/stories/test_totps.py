"""Authenticator apps and recovery codes, through the public door."""

from __future__ import annotations

import base64
import hmac
from pathlib import Path
from typing import Any

import attrs
import pytest

from authmw import Auth, TOTPRules
from authmw.factors.totp.rules import code_of, step_of
from tests.at_once import at_once
from tests.world import World, make_world

CREATE, AUTHENTICATE = "/v1/totps", "/v1/totps/authenticate"
CODES, RECOVER = "/v1/totps/recovery_codes", "/v1/totps/recover"


def code(world: World, secret: str, *, steps: int = 0) -> str:
    return code_of(base64.b32decode(secret), step_of(world.clock.now()) + steps)


def enrolled(world: World, minutes: int = 60) -> tuple[dict[str, Any], dict[str, Any]]:
    """Somebody signed in by a link, with an active TOTP: the sign-in and the instance."""
    signed_in = world.sign_in(minutes=minutes)
    made = world.backend("POST", CREATE, {"user_id": signed_in["user_id"]}).json
    body = {"user_id": signed_in["user_id"], "totp_code": code(world, made["secret"])}
    assert world.backend("POST", AUTHENTICATE, body).status == 200
    world.clock.advance(seconds=30)
    return signed_in, made


def refused(answer: Any, status: int, error_type: str) -> None:
    assert (answer.status, answer.json["error_type"]) == (status, error_type)


def test_an_app_is_enrolled_by_its_first_code_and_steps_up_a_session(world: World) -> None:
    """TOTP-01, TOTP-05, A094: until its first code it is no factor."""
    signed_in = world.sign_in()
    user_id, token = signed_in["user_id"], signed_in["session_token"]
    made = world.backend("POST", CREATE, {"user_id": user_id}).json
    assert made["qr_code"].startswith("data:image/png;base64,iVBOR")
    assert len(made["recovery_codes"]) == len(set(made["recovery_codes"])) == 10
    assert made["user"]["totps"] == [{"totp_id": made["totp_id"], "verified": False}]
    cookie = f"authmw_session={token}"
    assert world.visit("/who", cookie).status == 200
    body = {"user_id": user_id, "totp_code": code(world, made["secret"]), "session_token": token}
    stepped = world.backend("POST", AUTHENTICATE, body).json
    assert stepped["user"]["totps"] == [{"totp_id": made["totp_id"], "verified": True}]
    assert [one["type"] for one in stepped["session"]["authentication_factors"]] == ["magic_link", "totp"]
    assert stepped["session"]["session_id"] == signed_in["session"]["session_id"]
    assert world.visit("/mfa", f"authmw_session={stepped['session_token']}").status == 200
    assert world.inbox.arrived(2).subject == "A sign-in method was added to your authmw account"


def test_a_session_without_the_second_factor_does_not_pass_once_it_is_enrolled(world: World) -> None:
    signed_in, _ = enrolled(world)
    again = world.sign_in()
    assert again["user_id"] == signed_in["user_id"]
    answer = world.visit("/who", f"authmw_session={again['session_token']}")
    refused(answer, 401, "insufficient_factors")


def test_a_code_is_accepted_once_also_in_a_race(world: World) -> None:
    """OTP-05, A287."""
    signed_in, made = enrolled(world)
    body = {"user_id": signed_in["user_id"], "totp_code": code(world, made["secret"])}
    results = at_once(32, lambda: world.backend("POST", AUTHENTICATE, body).status)
    assert results.count(200) == 1
    assert set(results) <= {200, 400, 401, 429}


@pytest.mark.parametrize("within", [0, 29])
def test_codes_are_six_digits_made_of_the_secret_and_of_steps_of_30_seconds(world: World, within: int) -> None:
    """TOTP-02: as RFC 6238 section 4 computes them from the secret in the answer, at the first and the last second of a step."""
    signed_in, made = enrolled(world)
    now = int(world.clock.now().timestamp())
    world.clock.advance(seconds=30 - now % 30 + within)
    step = int(world.clock.now().timestamp()) // 30
    digest = hmac.digest(base64.b32decode(made["secret"]), step.to_bytes(8, "big"), "sha1")
    place = digest[-1] & 15
    number = int.from_bytes(digest[place : place + 4], "big") & 0x7FFFFFFF
    body = {"user_id": signed_in["user_id"], "totp_code": f"{number % 10**6:06}"}
    assert world.backend("POST", AUTHENTICATE, body).status == 200


def test_a_replayed_and_an_older_code_are_refused(world: World) -> None:
    signed_in, made = enrolled(world)
    body = {"user_id": signed_in["user_id"], "totp_code": code(world, made["secret"])}
    assert world.backend("POST", AUTHENTICATE, body).status == 200
    refused(world.backend("POST", AUTHENTICATE, body), 400, "totp_code_already_authenticated")
    older = {**body, "totp_code": code(world, made["secret"], steps=-1)}
    refused(world.backend("POST", AUTHENTICATE, older), 400, "totp_code_already_authenticated")


@pytest.mark.parametrize("wrong", ["12345", "abcdef", "１２３４５６", "0000000"])
def test_what_cannot_be_a_code_is_refused(world: World, wrong: str) -> None:
    """TOTP-06."""
    signed_in, _ = enrolled(world)
    answer = world.backend("POST", AUTHENTICATE, {"user_id": signed_in["user_id"], "totp_code": wrong})
    refused(answer, 400, "invalid_totp_code")


def test_guessing_ends_in_a_lock_of_this_factor_only(world: World) -> None:
    """OTP-03, RAT-02: five guesses a step, ten failures lock it, and links and sessions go on."""
    signed_in, made = enrolled(world)
    body = {"user_id": signed_in["user_id"]}
    for ended in ((401, "unable_to_authenticate_totp"), (429, "user_lock_limit_reached")):
        for _ in range(5):
            wrong = next(one for one in ("000000", "111111", "222222", "333333") if one != code(world, made["secret"]))
            refused(
                world.backend("POST", AUTHENTICATE, {**body, "totp_code": wrong}), 401, "unable_to_authenticate_totp"
            )
        right = {**body, "totp_code": code(world, made["secret"])}
        refused(world.backend("POST", AUTHENTICATE, right), *ended)
        world.clock.advance(seconds=60)
    for _ in range(2):
        right = {**body, "totp_code": code(world, made["secret"])}
        refused(world.backend("POST", AUTHENTICATE, right), 429, "user_lock_limit_reached")
    assert (
        world.backend("POST", "/v1/sessions/authenticate", {"session_token": signed_in["session_token"]}).status == 200
    )
    world.clock.advance(minutes=60)
    assert world.backend("POST", AUTHENTICATE, {**body, "totp_code": code(world, made["secret"])}).status == 200


def test_an_instance_that_is_not_confirmed_in_time_is_dead_and_can_be_made_anew(world: World) -> None:
    """TOTP-03, TOTP-04, OTP-06."""
    user_id = world.sign_in()["user_id"]
    for minutes in (4, 1441):
        assert world.backend("POST", CREATE, {"user_id": user_id, "expiration_minutes": minutes}).status == 400
    first = world.backend("POST", CREATE, {"user_id": user_id}).json
    world.clock.advance(minutes=60)
    body = {"user_id": user_id, "totp_code": code(world, first["secret"])}
    refused(world.backend("POST", AUTHENTICATE, body), 400, "expired_totp")
    second = world.backend("POST", CREATE, {"user_id": user_id, "expiration_minutes": 5}).json
    assert second["totp_id"] != first["totp_id"]
    refused(world.backend("POST", AUTHENTICATE, body), 401, "unable_to_authenticate_totp")
    world.clock.advance(minutes=4, seconds=59)
    assert world.backend("POST", AUTHENTICATE, {**body, "totp_code": code(world, second["secret"])}).status == 200
    refused(world.backend("POST", CREATE, {"user_id": user_id}), 400, "active_totp_exists")


def test_a_recovery_code_signs_in_once_ends_other_sessions_and_tells_the_user(world: World) -> None:
    """TOTP-08, TOTP-10, OTP-07, SES-07, A097: and how many codes are left."""
    signed_in, made = enrolled(world)
    user_id = signed_in["user_id"]
    listed = world.backend("POST", CODES, {"user_id": user_id}).json["totps"]
    assert listed == [{"totp_id": made["totp_id"], "verified": True, "recovery_codes": made["recovery_codes"]}]
    used = made["recovery_codes"][3]
    body = {"user_id": user_id, "recovery_code": used.upper().replace("-", " "), "session_duration_minutes": 60}
    recovered = world.backend("POST", RECOVER, body).json
    factor = recovered["session"]["authentication_factors"][0]
    assert (factor["type"], factor["delivery_method"]) == ("recovery_codes", "recovery_code")
    old = {"session_token": signed_in["session_token"]}
    refused(world.backend("POST", "/v1/sessions/authenticate", old), 404, "session_not_found")
    assert (
        world.backend("POST", "/v1/sessions/authenticate", {"session_token": recovered["session_token"]}).status == 200
    )
    subject = "A recovery code of your authmw account was used"
    assert world.inbox.told(subject)
    assert "Recovery codes left: 9" in next(one.text for one in world.inbox.entries() if one.subject == subject)
    refused(world.backend("POST", RECOVER, body), 401, "unable_to_authenticate_recovery_code")
    left = world.backend("POST", CODES, {"user_id": user_id}).json["totps"][0]["recovery_codes"]
    assert left == [one for one in made["recovery_codes"] if one != used]


def test_a_recovery_code_is_spent_by_one_of_32_at_once(world: World) -> None:
    """A097."""
    signed_in, made = enrolled(world)
    body = {"user_id": signed_in["user_id"], "recovery_code": made["recovery_codes"][0]}
    results = at_once(32, lambda: world.backend("POST", RECOVER, body).status)
    assert results.count(200) == 1


def test_a_recovery_code_of_one_opens_nothing_of_another(world: World) -> None:
    """A098."""
    _, made = enrolled(world)
    other = world.sign_in("bob@example.org")["user_id"]
    body = {"user_id": other, "recovery_code": made["recovery_codes"][0]}
    refused(world.backend("POST", RECOVER, body), 400, "totps_not_found_for_user")


@pytest.mark.parametrize("host", ["asgi", "wsgi"])
def test_where_codes_are_shown_once_the_store_holds_none_of_them(tmp_path: Path, host: str) -> None:
    """OTP-07, the hardened form."""
    world = make_world(tmp_path, host, totp=TOTPRules(recovery_codes="shown_once"))
    signed_in, made = enrolled(world)
    refused(world.backend("POST", CODES, {"user_id": signed_in["user_id"]}), 400, "recovery_codes_not_listed")
    body = {"user_id": signed_in["user_id"], "recovery_code": made["recovery_codes"][0]}
    assert world.backend("POST", RECOVER, body).status == 200
    assert world.backend("POST", RECOVER, body).status == 401


@pytest.mark.parametrize("host", ["asgi", "wsgi"])
@pytest.mark.parametrize(("then", "now"), [("shown_once", "listed"), ("listed", "shown_once")])
def test_codes_that_were_made_before_a_project_changed_how_it_keeps_them_are_good_and_not_listed(
    tmp_path: Path, host: str, then: Any, now: Any
) -> None:
    """OTP-07, TOTP-09: what nobody can read is not shown as if it were codes; a set that is made since is as the project says."""
    before = make_world(tmp_path, host, totp=TOTPRules(recovery_codes=then))
    signed_in, made = enrolled(before)
    user = {"user_id": signed_in["user_id"]}
    settings = attrs.evolve(before.auth.settings, totp=TOTPRules(recovery_codes=now))
    auth = Auth(settings, storage=before.auth.storage, limiter=before.auth.core.limiter, clock=before.clock)
    world = attrs.evolve(before, auth=auth)
    old = world.backend("POST", CODES, user)
    refused(old, 400, "recovery_codes_not_listed")
    assert not [one for one in made["recovery_codes"] if one in str(old.json)]
    body = {**user, "recovery_code": made["recovery_codes"][0]}
    assert world.backend("POST", RECOVER, body).status == 200
    assert world.backend("POST", RECOVER, body).status == 401
    refused(world.backend("POST", CODES, user), 400, "recovery_codes_not_listed")
    assert world.backend("DELETE", f"/v1/users/totps/{made['totp_id']}").status == 200
    again = world.backend("POST", CREATE, user).json
    listed = world.backend("POST", CODES, user)
    if now == "listed":
        assert listed.json["totps"][0]["recovery_codes"] == again["recovery_codes"]
    else:
        refused(listed, 400, "recovery_codes_not_listed")


def test_a_browser_enrols_and_its_codes_are_shown_behind_the_mfa_rule(world: World) -> None:
    """TOTP-07, TOTP-09, A095, A100, MFA-08."""
    token = world.sign_in()["session_token"]
    made = world.browser("POST", "/sdk/v1/totps", {}, token=token).json["data"]
    assert made["__user"]["totps"][0]["verified"] is False
    assert world.browser("POST", "/sdk/v1/totps", {"user_id": "user-test-x"}, token=token).status == 400
    body = {"totp_code": code(world, made["secret"]), "session_duration_minutes": 60}
    stepped = world.browser("POST", "/sdk/v1/totps/authenticate", body, token=token).json["data"]
    shown = world.browser("POST", "/sdk/v1/totps/recovery_codes", {}, token=stepped["session_token"])
    assert shown.json["data"]["totps"][0]["recovery_codes"] == made["recovery_codes"]
    weak = world.sign_in()["session_token"]
    refused(world.browser("POST", "/sdk/v1/totps/recovery_codes", {}, token=weak), 401, "insufficient_factors")
    refused(world.browser("POST", "/sdk/v1/totps", {}, token=weak), 401, "insufficient_factors")
    world.clock.advance(seconds=3600)
    old = stepped["session_token"]
    assert world.browser("POST", "/sdk/v1/totps/recovery_codes", {}, token=old).json["error_type"] in {
        "stale_factors",
        "session_not_found",
    }
    assert world.browser("POST", "/sdk/v1/totps", {}).status == 401


def test_nobody_unproved_enrols_an_app(world: World) -> None:
    """USR-15, ACC-03."""
    made = world.backend("POST", "/v1/users", {"email": "new@example.org"}).json
    refused(world.backend("POST", CREATE, {"user_id": made["user_id"]}), 400, "email_verification_required")


def test_neither_seed_nor_codes_lie_in_the_store_or_the_events(world: World, tmp_path: Path) -> None:
    """OTP-06, LOG-01."""
    signed_in, made = enrolled(world)
    seed = base64.b32decode(made["secret"])
    dump = world.at_rest(tmp_path)
    assert signed_in["user_id"].encode() in dump
    for secret in (seed, made["secret"].encode(), *(one.encode() for one in made["recovery_codes"])):
        assert secret not in dump


def test_the_sandbox_user_has_fixed_codes_in_test(world: World) -> None:
    user_id = "user-test-e3795c81-f849-4167-bfda-e4a6e9c280fd"
    body = {"user_id": user_id, "session_duration_minutes": 5}
    assert world.backend("POST", AUTHENTICATE, {**body, "totp_code": "000000"}).json["user_id"] == user_id
    assert world.backend("POST", RECOVER, {**body, "recovery_code": "a1b2-c3d4-e5f6"}).json["user_id"] == user_id
    refused(world.backend("POST", AUTHENTICATE, {**body, "totp_code": "000001"}), 400, "totps_not_found_for_user")


def test_an_app_can_be_removed_and_its_codes_with_it(world: World) -> None:
    signed_in, made = enrolled(world)
    assert world.backend("DELETE", f"/v1/users/totps/{made['totp_id']}").json["user"]["totps"] == []
    body = {"user_id": signed_in["user_id"], "totp_code": code(world, made["secret"])}
    refused(world.backend("POST", AUTHENTICATE, body), 400, "totps_not_found_for_user")
