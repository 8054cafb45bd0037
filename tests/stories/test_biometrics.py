"""Device keys, through the public door: the backend API, and the browser API as a native app uses it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from authmw.testing import DeviceKey
from tests.at_once import at_once
from tests.world import Answer, World

REGISTER, AUTHENTICATE = "/v1/biometrics/register", "/v1/biometrics/authenticate"
SDK = "/sdk/v1/biometrics"
UNABLE = (401, "unable_to_auth_biometric_registration")
UNMADE = (400, "unable_to_register_biometric_registration")


def said(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json.get("error_type", "")


def begun(world: World, device: DeviceKey, user_id: str) -> Any:
    answer = world.backend("POST", f"{REGISTER}/start", {"user_id": user_id, "public_key": device.public_key})
    assert answer.status == 200, answer.json
    return answer.json


def register(world: World, device: DeviceKey, user_id: str, **more: Any) -> Answer:
    start = begun(world, device, user_id)
    body = {
        "user_id": user_id,
        "biometric_registration_id": start["biometric_registration_id"],
        "signature": device.sign(start["challenge"]),
    }
    return world.backend("POST", REGISTER, {**body, **more})


def enrolled(world: World, device: DeviceKey, address: str = "ada@example.org") -> tuple[Any, str]:
    signed_in = world.sign_in(address)
    made = register(world, device, signed_in["user_id"])
    assert made.status == 200, made.json
    return signed_in, made.json["biometric_registration_id"]


def challenged(world: World, device: DeviceKey) -> Any:
    answer = world.backend("POST", f"{AUTHENTICATE}/start", {"public_key": device.public_key})
    assert answer.status == 200, answer.json
    return answer.json


def signed(start: Any, device: DeviceKey, **more: Any) -> dict[str, Any]:
    body = {
        "biometric_registration_id": start["biometric_registration_id"],
        "signature": device.sign(start["challenge"]),
        "session_duration_minutes": 60,
    }
    return {**body, **more}


def test_a_device_is_registered_by_proving_its_key_and_signs_in(world: World) -> None:
    """BIO-01, WAL-04."""
    device = DeviceKey()
    signed_in = world.sign_in()
    made = register(world, device, signed_in["user_id"], session_token=signed_in["session_token"]).json
    registration = made["biometric_registration_id"]
    assert made["user"]["biometric_registrations"] == [{"biometric_registration_id": registration, "verified": True}]
    assert [one["type"] for one in made["session"]["authentication_factors"]] == ["magic_link", "signature_challenge"]
    assert world.visit("/mfa", f"authmw_session={made['session_token']}").status == 200
    assert world.inbox.arrived(2).subject == "A sign-in method was added to your authmw account"
    start = challenged(world, device)
    assert len(base64.b64decode(start["challenge"], validate=True)) == 32
    answer = world.backend("POST", AUTHENTICATE, signed(start, device)).json
    assert (answer["user_id"], answer["biometric_registration_id"]) == (signed_in["user_id"], registration)
    factor = answer["session"]["authentication_factors"][0]
    assert (factor["type"], factor["delivery_method"]) == ("signature_challenge", "biometric")
    assert factor["biometric_factor"] == {"biometric_registration_id": registration}
    again = world.sign_in()
    joined = signed(challenged(world, device), device, session_token=again["session_token"])
    stepped = world.backend("POST", AUTHENTICATE, joined).json
    assert stepped["session"]["session_id"] == again["session"]["session_id"]


def test_each_sign_in_signs_a_challenge_of_its_own_once_and_in_time(world: World) -> None:
    """WAL-04, A192: an old challenge, a used one, one of another device."""
    device, other = DeviceKey(), DeviceKey()
    enrolled(world, device)
    enrolled(world, other, "bob@example.org")
    first = challenged(world, device)
    body = signed(first, device)
    assert world.backend("POST", AUTHENTICATE, body).status == 200
    assert said(world.backend("POST", AUTHENTICATE, body)) == UNABLE
    second = challenged(world, device)
    assert second["challenge"] != first["challenge"]
    assert said(world.backend("POST", AUTHENTICATE, body)) == UNABLE
    world.clock.advance(minutes=5)
    assert said(world.backend("POST", AUTHENTICATE, signed(second, device))) == UNABLE
    third, theirs = challenged(world, device), challenged(world, other)
    assert said(world.backend("POST", AUTHENTICATE, signed(third, other))) == UNABLE
    crossed = {**theirs, "biometric_registration_id": third["biometric_registration_id"]}
    assert said(world.backend("POST", AUTHENTICATE, signed(crossed, device))) == UNABLE
    assert world.backend("POST", AUTHENTICATE, signed(third, device)).status == 200


def test_whoever_asks_again_does_not_push_out_what_is_being_signed(world: World) -> None:
    device = DeviceKey()
    enrolled(world, device)
    first = challenged(world, device)
    for _ in range(4):
        challenged(world, device)
    assert world.backend("POST", AUTHENTICATE, signed(first, device)).status == 200


def test_a_registration_needs_the_key_that_was_shown_and_its_own_user(world: World) -> None:
    """A192: proof of possession, once, in time, for the one who asked."""
    device, thief = DeviceKey(), DeviceKey()
    ada, bob = world.sign_in()["user_id"], world.sign_in("bob@example.org")["user_id"]

    def end(start: Any, key: DeviceKey, user_id: str = ada) -> tuple[int, str]:
        body = {
            "user_id": user_id,
            "biometric_registration_id": start["biometric_registration_id"],
            "signature": key.sign(start["challenge"]),
        }
        return said(world.backend("POST", REGISTER, body))

    start = begun(world, device, ada)
    assert end(start, thief) == UNMADE
    assert end(start, device) == UNMADE, "a wrong signature ends the registration"
    start = begun(world, device, ada)
    assert end(start, device, bob) == UNMADE
    assert end({**start, "biometric_registration_id": "biometric-registration-test-x"}, device) == UNMADE
    late = begun(world, DeviceKey(), ada)
    world.clock.advance(minutes=5)
    assert end(late, device) == UNMADE
    start = begun(world, device, ada)
    assert end(start, device) == (200, "")
    assert end(start, device) == UNMADE
    for user_id in (ada, bob):
        again = world.backend("POST", f"{REGISTER}/start", {"user_id": user_id, "public_key": device.public_key})
        assert said(again) == (400, "duplicate_biometric_registration")


def test_a_revoked_key_signs_nobody_in(world: World) -> None:
    """A192, BIO-01: keys are listed with the user and revocable."""
    device = DeviceKey()
    _, registration = enrolled(world, device)
    start = challenged(world, device)
    gone = world.backend("DELETE", f"/v1/users/biometric_registrations/{registration}").json
    assert gone["user"]["biometric_registrations"] == []
    assert said(world.backend("POST", AUTHENTICATE, signed(start, device))) == UNABLE
    answer = world.backend("POST", f"{AUTHENTICATE}/start", {"public_key": device.public_key})
    assert said(answer) == (404, "biometric_registration_not_found")


def test_one_of_32_parallel_uses_of_a_challenge_stands(world: World) -> None:
    """A192."""
    device = DeviceKey()
    enrolled(world, device)
    body = signed(challenged(world, device), device)
    results = at_once(32, lambda: world.backend("POST", AUTHENTICATE, body).status)
    assert results.count(200) == 1
    assert set(results) <= {200, 401}


def test_what_is_no_key_and_no_signature_is_refused_by_name(world: World) -> None:
    device = DeviceKey()
    signed_in, registration = enrolled(world, device)
    for key in ("", "a", "A" * 44, base64.b64encode(bytes(32)).decode()):
        body = {"user_id": signed_in["user_id"], "public_key": key}
        assert world.backend("POST", f"{REGISTER}/start", body).status == 400
        assert world.backend("POST", f"{AUTHENTICATE}/start", {"public_key": key}).status == 400
    body = {"biometric_registration_id": registration}
    for signature, error in (("!", "could_not_parse_biometric_signature"), ("AAAA", "signature_is_incorrect_size")):
        answer = world.backend("POST", AUTHENTICATE, {**body, "signature": signature})
        assert said(answer) == (400, error)
    unknown = {"biometric_registration_id": "email-test-x", "signature": base64.b64encode(bytes(64)).decode()}
    assert said(world.backend("POST", AUTHENTICATE, unknown)) == UNABLE
    email = signed_in["user"]["emails"][0]["email_id"]
    assert said(world.backend("POST", AUTHENTICATE, {**unknown, "biometric_registration_id": email})) == UNABLE


def test_a_user_has_at_most_ten_device_keys_and_30_challenges_a_minute(world: World) -> None:
    user_id = world.sign_in()["user_id"]
    devices = [DeviceKey() for _ in range(10)]
    for device in devices:
        assert register(world, device, user_id).status == 200
    body = {"user_id": user_id, "public_key": DeviceKey().public_key}
    assert said(world.backend("POST", f"{REGISTER}/start", body)) == (400, "too_many_biometric_registrations_for_user")
    for _ in range(20):
        challenged(world, devices[0])
    assert world.backend("POST", f"{AUTHENTICATE}/start", {"public_key": devices[0].public_key}).status == 429


def test_the_eleventh_key_is_refused_though_it_was_asked_for_as_the_tenth(world: World) -> None:
    user_id = world.sign_in()["user_id"]
    for _ in range(9):
        assert register(world, DeviceKey(), user_id).status == 200
    waiting = [(device, begun(world, device, user_id)) for device in (DeviceKey(), DeviceKey())]
    bodies = [{"user_id": user_id, **signed(start, device)} for device, start in waiting]
    assert world.backend("POST", REGISTER, bodies[0]).status == 200
    refused = said(world.backend("POST", REGISTER, bodies[1]))
    assert refused == (400, "too_many_biometric_registrations_for_user")


def test_nobody_pending_or_unproved_registers_a_device(world: World) -> None:
    """USR-15, ACC-03."""
    for pending, refusal in ((True, "cannot_use_biometrics_with_pending_user"), (False, "email_verification_required")):
        body = {"email": f"new{pending}@example.org", "create_user_as_pending": pending}
        user_id = world.backend("POST", "/v1/users", body).json["user_id"]
        start = world.backend("POST", f"{REGISTER}/start", {"user_id": user_id, "public_key": DeviceKey().public_key})
        assert said(start) == (400, refusal)


def test_a_native_app_registers_and_signs_in_without_cookies(world: World) -> None:
    """BIO-02, A192: the paths and the fields of the mobile clients, both tokens in the body; registration is behind the MFA rule."""
    device = DeviceKey()
    token = world.sign_in()["session_token"]
    start = world.browser("POST", f"{SDK}/register/start", {"public_key": device.public_key}, token=token).json["data"]
    body = {
        "biometric_registration_id": start["biometric_registration_id"],
        "signature": device.sign(start["challenge"]),
        "session_duration_minutes": 30,
    }
    elsewhere = world.sign_in()["session_token"]
    assert said(world.browser("POST", f"{SDK}/register", body, token=elsewhere)) == UNMADE
    arrived = len(world.inbox.entries())
    made = world.browser("POST", f"{SDK}/register", body, token=token).json["data"]
    world.inbox.arrived(arrived + 1)
    assert made["session_token"]
    assert made["__user"]["biometric_registrations"][0]["verified"]
    started = world.browser("POST", f"{SDK}/authenticate/start", {"public_key": device.public_key})
    assert set(started.json["data"]) == {"biometric_registration_id", "challenge", "status_code", "request_id"}
    answer = world.browser("POST", f"{SDK}/authenticate", signed(started.json["data"], device))
    assert not answer.header("set-cookie")
    data = answer.json["data"]
    assert data["session_token"]
    assert data["session_jwt"]
    assert data["session"]["authentication_factors"][0]["type"] == "signature_challenge"
    weak = world.sign_in()["session_token"]
    refusal = world.browser("POST", f"{SDK}/register/start", {"public_key": DeviceKey().public_key}, token=weak)
    assert said(refusal) == (401, "insufficient_factors")
    nobody = world.browser("POST", f"{SDK}/register/start", {"public_key": device.public_key})
    assert nobody.status == 401


def test_what_was_asked_for_before_a_second_factor_was_enrolled_needs_both_after_it(world: World) -> None:
    """A192, ACC-02: the rule is that of the moment in which the key enters."""
    device, token = DeviceKey(), world.sign_in()["session_token"]
    start = world.browser("POST", f"{SDK}/register/start", {"public_key": device.public_key}, token=token).json["data"]
    enrolled(world, DeviceKey())
    body = signed(start, device, session_duration_minutes=30)
    assert said(world.browser("POST", f"{SDK}/register", body, token=token)) == (401, "insufficient_factors")


def test_a_challenge_is_bound_to_the_session_and_the_app_that_asked(world: World) -> None:
    """WAL-04."""
    device = DeviceKey()
    enrolled(world, device)
    token, other = world.sign_in()["session_token"], world.sign_in()["session_token"]
    start = world.browser("POST", f"{SDK}/authenticate/start", {"public_key": device.public_key}, token=token)
    body = signed(start.json["data"], device)
    assert said(world.browser("POST", f"{SDK}/authenticate", body, token=other)) == UNABLE
    assert said(world.browser("POST", f"{SDK}/authenticate", body)) == UNABLE
    foreign = world.browser("POST", f"{SDK}/authenticate", body, token=token, **{"user-agent": "another app"})
    assert said(foreign) == UNABLE
    assert world.browser("POST", f"{SDK}/authenticate", body, token=token).status == 200


def test_the_store_holds_no_key_in_clear(world: World, tmp_path: Path) -> None:
    device = DeviceKey()
    enrolled(world, device)
    dump = world.at_rest(tmp_path)
    assert b"user-test-" in dump
    assert device.public_key.encode() not in dump
