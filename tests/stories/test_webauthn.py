"""Passkeys and security keys, through the public door."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from authmw.testing import Edits, InvalidState, NotAllowed, VirtualAuthenticator
from authmw.testing.authenticators import VirtualCredential
from authmw.testing.lies import with_another_bit
from tests.at_once import at_once
from tests.world import Answer, World, make_world

ORIGIN = "http://localhost:8000"
DOMAIN = "localhost"
REGISTER_START, REGISTER = "/v1/webauthn/register/start", "/v1/webauthn/register"
START, AUTHENTICATE = "/v1/webauthn/authenticate/start", "/v1/webauthn/authenticate"
UNABLE = (401, "unable_to_auth_webauthn_registration")
UNMADE = (400, "unable_to_register_webauthn_registration")


def said(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json.get("error_type", "")


def creation(world: World, user_id: str, **more: Any) -> str:
    body = {"user_id": user_id, "domain": DOMAIN, "return_passkey_credential_options": True, **more}
    answer = world.backend("POST", REGISTER_START, body)
    assert answer.status == 200, answer.json
    return str(answer.json["public_key_credential_creation_options"])


def request(world: World, **more: Any) -> str:
    answer = world.backend("POST", START, {"domain": DOMAIN, **more})
    assert answer.status == 200, answer.json
    return str(answer.json["public_key_credential_request_options"])


def register(
    world: World,
    device: VirtualAuthenticator,
    user_id: str,
    edits: Edits | None = None,
    asked: dict[str, Any] | None = None,
    **more: Any,
) -> Answer:
    """Make a passkey and register it; `asked` goes with the start, the rest with the end."""
    options = creation(world, user_id, **(asked or {}))
    answer = device.register(options, origin=ORIGIN, edits=edits)
    return world.backend("POST", REGISTER, {"user_id": user_id, "public_key_credential": answer, **more})


def enrolled(world: World, device: VirtualAuthenticator, address: str = "ada@example.org") -> tuple[Any, str]:
    """Somebody signed in by a link, with a passkey: the sign-in and the registration's id."""
    signed_in = world.sign_in(address)
    made = register(world, device, signed_in["user_id"])
    assert made.status == 200, made.json
    return signed_in, made.json["webauthn_registration_id"]


def sign_in(
    world: World,
    device: VirtualAuthenticator,
    edits: Edits | None = None,
    asked: dict[str, Any] | None = None,
    using: VirtualCredential | None = None,
    **more: Any,
) -> Answer:
    answer = device.authenticate(request(world, **(asked or {})), origin=ORIGIN, edits=edits, using=using)
    body = {"public_key_credential": answer, "session_duration_minutes": 60, **more}
    return world.backend("POST", AUTHENTICATE, body)


def client(**changes: Any) -> Edits:
    return Edits(client=lambda said: {**said, **changes})


def flags(*, on: int = 0, off: int = 0) -> Edits:
    return Edits(data=lambda data: data[:32] + bytes([data[32] & ~off | on]) + data[33:])


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS256"])
@pytest.mark.parametrize("attestation", ["none", "self", "certificate"])
def test_a_passkey_is_registered_and_signs_in_without_naming_anybody(
    world: World, algorithm: Any, attestation: Any
) -> None:
    """WA-01, WA-03, WA-07, A117."""
    device = VirtualAuthenticator(algorithm=algorithm, attestation=attestation)
    signed_in = world.sign_in()
    made = register(world, device, signed_in["user_id"], session_token=signed_in["session_token"]).json
    shown = made["user"]["webauthn_registrations"]
    assert shown == [
        {
            "webauthn_registration_id": made["webauthn_registration_id"],
            "domain": DOMAIN,
            "user_agent": "",
            "verified": True,
            "authenticator_type": "platform",
            "name": "Passkey",
        }
    ]
    assert made["session"]["session_id"] == signed_in["session"]["session_id"]
    assert [one["type"] for one in made["session"]["authentication_factors"]] == ["magic_link", "webauthn"]
    assert world.inbox.arrived(2).subject == "A sign-in method was added to your authmw account"
    answer = sign_in(world, device).json
    assert (answer["user_id"], answer["webauthn_registration_id"]) == (
        signed_in["user_id"],
        made["webauthn_registration_id"],
    )
    factor = answer["session"]["authentication_factors"][0]
    assert (factor["type"], factor["delivery_method"]) == ("webauthn", "webauthn_registration")
    assert factor["webauthn_factor"] == {
        "webauthn_registration_id": made["webauthn_registration_id"],
        "domain": DOMAIN,
        "user_agent": "",
    }
    assert world.visit("/who", f"authmw_session={answer['session_token']}").status == 200


def test_a_security_key_is_added_to_a_session_as_its_second_factor(world: World) -> None:
    """WA-05, WA-06, MFA-03: without PIN or biometric it is worth something only beside another factor."""
    device = VirtualAuthenticator(verifies_users=False, attachment="cross-platform", transports=("usb", "nfc"))
    signed_in = world.sign_in()
    asked = {"return_passkey_credential_options": False, "authenticator_type": "cross-platform"}
    token = {"session_token": signed_in["session_token"]}
    made = register(world, device, signed_in["user_id"], asked=asked, **token).json
    registration = made["user"]["webauthn_registrations"][0]
    assert (registration["name"], registration["authenticator_type"]) == ("Security key", "cross-platform")
    again = world.sign_in()
    assert world.visit("/mfa", f"authmw_session={again['session_token']}").status == 401
    named = {"user_id": signed_in["user_id"]}
    stepped = sign_in(world, device, asked=named, session_token=again["session_token"]).json
    assert stepped["session"]["session_id"] == again["session"]["session_id"]
    assert stepped["session_token"] != again["session_token"]
    assert world.visit("/mfa", f"authmw_session={stepped['session_token']}").status == 200


def test_a_passkey_alone_opens_a_session_only_if_its_user_was_verified(world: World) -> None:
    """X-14, A121: possession alone is no sign-in, though a backend that asks for no session may hear of it."""
    device = VirtualAuthenticator()
    signed_in, _ = enrolled(world, device)
    assert json.loads(request(world))["userVerification"] == "required"
    named = {"user_id": signed_in["user_id"]}
    assert json.loads(request(world, **named))["userVerification"] == "preferred"
    device.verifies_users = False
    with pytest.raises(NotAllowed):
        device.authenticate(request(world), origin=ORIGIN)
    assert said(sign_in(world, device, edits=Edits())) == (401, "webauthn_user_verification_required")
    assert said(sign_in(world, device, asked=named)) == (401, "webauthn_user_verification_required")
    heard = sign_in(world, device, asked=named, session_duration_minutes=None).json
    assert (heard["user_id"], heard["session"], heard["session_token"]) == (signed_in["user_id"], None, "")


def test_a_passkey_with_user_verification_passes_for_signed_in_though_an_app_is_enrolled(world: World) -> None:
    """ACC-01: it counts as a dedicated factor, not as two, and yet the session passes (`satisfies_mfa`)."""
    from tests.stories.test_totps import enrolled as with_app

    device = VirtualAuthenticator()
    signed_in, _ = with_app(world)
    register(world, device, signed_in["user_id"])
    answer = sign_in(world, device).json
    cookie = f"authmw_session={answer['session_token']}"
    assert world.visit("/who", cookie).status == 200
    assert said(world.visit("/mfa", cookie))[0] == 401


@pytest.mark.parametrize("host", ["asgi", "wsgi"])
def test_where_a_passkey_is_declared_a_second_factor_a_link_alone_passes_no_more(tmp_path: Path, host: str) -> None:
    """MFA-04, ACC-01: beside the link it is the second category; alone, with PIN or biometric, it passes too."""
    world = make_world(tmp_path, host, second_factors=frozenset({"webauthn"}))
    device = VirtualAuthenticator()
    signed_in, _ = enrolled(world, device)
    weak = world.sign_in()["session_token"]
    assert said(world.visit("/who", f"authmw_session={weak}")) == (401, "insufficient_factors")
    device.verifies_users = False
    stepped = sign_in(world, device, asked={"user_id": signed_in["user_id"]}, session_token=weak).json
    assert world.visit("/who", f"authmw_session={stepped['session_token']}").status == 200
    device.verifies_users = True
    alone = sign_in(world, device).json["session_token"]
    assert world.visit("/who", f"authmw_session={alone}").status == 200


def test_the_options_are_as_they_were_asked_for(world: World) -> None:
    """WA-02, WA-03: types, what is excluded, both spellings, and what the caller chose for the authenticator to show."""
    device = VirtualAuthenticator()
    signed_in, _ = enrolled(world, device)
    user_id = signed_in["user_id"]
    plain = json.loads(creation(world, user_id, return_passkey_credential_options=False))
    assert plain["authenticatorSelection"]["residentKey"] == "discouraged"
    assert "authenticatorAttachment" not in plain["authenticatorSelection"]
    assert (plain["rp"], plain["attestation"], plain["timeout"]) == (
        {"id": DOMAIN, "name": "authmw"},
        "none",
        300_000,
    )
    assert [one["alg"] for one in plain["pubKeyCredParams"]] == [-8, -7, -257]
    assert base64.b64decode(plain["excludeCredentials"][0]["id"], validate=True) == device.credentials[0].credential_id
    assert len(base64.b64decode(plain["challenge"], validate=True)) == 32
    chosen = json.loads(
        creation(
            world,
            user_id,
            use_base64_url_encoding=True,
            authenticator_type="platform",
            override_id="a-handle",
            override_name="ada",
            override_display_name="Ada L.",
        )
    )
    assert chosen["user"] == {"id": "YS1oYW5kbGU", "name": "ada", "displayName": "Ada L."}
    assert chosen["authenticatorSelection"]["authenticatorAttachment"] == "platform"
    assert "=" not in chosen["challenge"] + chosen["excludeCredentials"][0]["id"]
    body = {"user_id": user_id, "domain": DOMAIN, "authenticator_type": "roaming"}
    assert world.backend("POST", REGISTER_START, body).status == 400
    with pytest.raises(InvalidState):
        device.register(creation(world, user_id), origin=ORIGIN)


def test_an_authenticator_knows_one_handle_of_a_user_which_says_nothing_of_them(world: World) -> None:
    first, second = VirtualAuthenticator(), VirtualAuthenticator()
    signed_in, _ = enrolled(world, first)
    register(world, second, signed_in["user_id"])
    handle = first.credentials[0].user_handle
    assert handle == second.credentials[0].user_handle
    assert len(handle) == 32
    assert sign_in(world, second).json["user_id"] == signed_in["user_id"]


def test_a_challenge_is_answered_once_and_within_five_minutes(world: World) -> None:
    """A120: reused, too old, of the other ceremony, of another user."""
    device, other = VirtualAuthenticator(), VirtualAuthenticator()
    signed_in, _ = enrolled(world, device)
    user_id = signed_in["user_id"]
    bob, _ = enrolled(world, other, "bob@example.org")
    answer = {"public_key_credential": device.authenticate(request(world), origin=ORIGIN)}
    assert world.backend("POST", AUTHENTICATE, answer).status == 200
    assert said(world.backend("POST", AUTHENTICATE, answer)) == UNABLE
    late = {"public_key_credential": device.authenticate(request(world), origin=ORIGIN)}
    world.clock.advance(minutes=4, seconds=59)
    in_time = {"public_key_credential": device.authenticate(request(world), origin=ORIGIN)}
    world.clock.advance(seconds=1)
    assert said(world.backend("POST", AUTHENTICATE, late)) == UNABLE
    assert world.backend("POST", AUTHENTICATE, in_time).status == 200
    crossed = request(world, user_id=bob["user_id"])
    mixed = device.authenticate(crossed, origin=ORIGIN, using=device.credentials[0])
    assert said(world.backend("POST", AUTHENTICATE, {"public_key_credential": mixed})) == UNABLE
    options = creation(world, user_id)
    fresh = VirtualAuthenticator()
    made = fresh.register(options, origin=ORIGIN)
    wrong = {"user_id": bob["user_id"], "public_key_credential": made}
    assert said(world.backend("POST", REGISTER, wrong)) == (400, "no_pending_webauthn_registration")
    right = {"user_id": user_id, "public_key_credential": made}
    assert world.backend("POST", REGISTER, right).status == 200
    assert said(world.backend("POST", REGISTER, right)) == (400, "no_pending_webauthn_registration")
    challenge = json.loads(request(world))["challenge"]
    swapped = fresh.register(
        creation(world, user_id, override_id="x"), origin=ORIGIN, edits=client(challenge=_url(challenge))
    )
    body = {"user_id": user_id, "public_key_credential": swapped}
    assert said(world.backend("POST", REGISTER, body)) == (400, "no_pending_webauthn_registration")
    world.clock.advance(minutes=5)
    options = creation(world, user_id)
    made = VirtualAuthenticator().register(options, origin=ORIGIN)
    world.clock.advance(minutes=5)
    body = {"user_id": user_id, "public_key_credential": made}
    assert said(world.backend("POST", REGISTER, body)) == (400, "no_pending_webauthn_registration")


def _url(text: str) -> str:
    return text.rstrip("=").replace("+", "-").replace("/", "_")


def test_a_wrong_answer_spends_the_challenge_too(world: World) -> None:
    device = VirtualAuthenticator()
    enrolled(world, device)
    options = request(world)
    forged = device.authenticate(options, origin=ORIGIN, edits=Edits(signature=with_another_bit))
    assert said(world.backend("POST", AUTHENTICATE, {"public_key_credential": forged})) == UNABLE
    right = device.authenticate(options, origin=ORIGIN)
    assert said(world.backend("POST", AUTHENTICATE, {"public_key_credential": right})) == UNABLE


def test_a_synced_passkey_stays_one_and_says_when_it_is_backed_up(world: World) -> None:
    """A125: eligible for backup once, always; backed up or not as it is."""
    device = VirtualAuthenticator(backup_eligible=True, counts=False)
    enrolled(world, device)
    device.backed_up = True
    assert sign_in(world, device).status == 200
    device.backed_up = False
    assert sign_in(world, device).status == 200
    device.backup_eligible = False
    assert said(sign_in(world, device)) == UNABLE


def test_a_counter_that_does_not_grow_is_refused_and_logged_and_the_passkey_stays(world: World) -> None:
    """A122, WAN-05."""
    device = VirtualAuthenticator()
    signed_in, registration = enrolled(world, device)
    credential = device.credentials[0]
    credential.counter = 7
    assert sign_in(world, device).status == 200
    for counter in (7, 3, -1):
        credential.counter = counter
        assert said(sign_in(world, device)) == (401, "webauthn_counter_not_increased")
    events = world.backend("GET", "/v1/project/events").json["events"]
    logged = [one for one in events if one.get("error_type") == "webauthn_counter_not_increased"]
    assert len(logged) == 3
    credential.counter = 8
    assert sign_in(world, device).json["webauthn_registration_id"] == registration
    synced = VirtualAuthenticator(counts=False)
    register(world, synced, signed_in["user_id"])
    assert sign_in(world, synced).status == sign_in(world, synced).status == 200


def test_a_known_credential_is_registered_by_nobody_again(world: World) -> None:
    """A124."""
    device = VirtualAuthenticator()
    enrolled(world, device)
    bob = world.sign_in("bob@example.org")["user_id"]
    known = device.credentials[0].credential_id

    def as_known(data: bytes) -> bytes:
        return data[:55] + known + data[55 + 32 :]

    text = base64.urlsafe_b64encode(known).rstrip(b"=").decode()
    edits = Edits(data=as_known, answer=lambda said: {**said, "id": text, "rawId": text})
    answer = register(world, VirtualAuthenticator(), bob, edits=edits)
    assert said(answer) == (400, "duplicate_webauthn_registration")


@pytest.mark.parametrize(("length", "status"), [(1023, 200), (1024, 400)])
def test_a_credential_id_has_at_most_1023_bytes(world: World, length: int, status: int) -> None:
    """A124."""
    user_id = world.sign_in()["user_id"]
    long = b"i" * length
    text = base64.urlsafe_b64encode(long).rstrip(b"=").decode()
    edits = Edits(
        data=lambda data: data[:53] + length.to_bytes(2, "big") + long + data[55 + 32 :],
        answer=lambda said: {**said, "id": text, "rawId": text},
    )
    assert register(world, VirtualAuthenticator(), user_id, edits=edits).status == status


def test_a_removed_passkey_signs_nobody_in(world: World) -> None:
    """A134, USR-08."""
    device = VirtualAuthenticator()
    signed_in, registration = enrolled(world, device)
    gone = world.backend("DELETE", f"/v1/users/webauthn_registrations/{registration}").json
    assert gone["user"]["webauthn_registrations"] == []
    assert said(sign_in(world, device)) == UNABLE
    assert world.backend("GET", f"/v1/webauthn/credentials/{signed_in['user_id']}/{DOMAIN}").json["credentials"] == []
    start = world.backend("POST", START, {"domain": DOMAIN, "user_id": signed_in["user_id"]})
    assert said(start) == (400, "no_active_webauthn_registrations")


def test_one_of_32_parallel_uses_of_a_challenge_stands(world: World) -> None:
    """A120, TOK: single use under load, of a passkey that counts and of one that does not."""
    for counts in (True, False):
        device = VirtualAuthenticator(counts=counts)
        enrolled(world, device, f"ada{counts}@example.org")
        answer = device.authenticate(request(world), origin=ORIGIN)
        body = {"public_key_credential": answer, "session_duration_minutes": 60}
        assert at_once(32, lambda body=body: world.backend("POST", AUTHENTICATE, body).status).count(200) == 1  # type: ignore[misc]


def test_one_of_32_parallel_registrations_of_one_answer_stands(world: World) -> None:
    user_id = world.sign_in()["user_id"]
    made = VirtualAuthenticator().register(creation(world, user_id), origin=ORIGIN)
    body = {"user_id": user_id, "public_key_credential": made}
    assert at_once(32, lambda: world.backend("POST", REGISTER, body).status).count(200) == 1
    assert len(world.backend("GET", f"/v1/users/{user_id}").json["webauthn_registrations"]) == 1


def test_a_registration_is_named_and_its_credentials_are_listed(world: World) -> None:
    device = VirtualAuthenticator()
    signed_in, registration = enrolled(world, device)
    path = f"/v1/webauthn/{registration}"
    named = world.backend("PUT", path, {"name": "  Ada's phone "}).json
    assert named["webauthn_registration"]["name"] == "Ada's phone"
    assert said(world.backend("PUT", path, {"name": "  "})) == (400, "empty_webauthn_registration_name")
    assert world.backend("PUT", path, {"name": "a\nb"}).status == 400
    assert world.backend("PUT", path, {"name": "x" * 65}).status == 400
    for other in ("webauthn-registration-test-x", signed_in["user"]["emails"][0]["email_id"]):
        unknown = world.backend("PUT", f"/v1/webauthn/{other}", {"name": "a"})
        assert said(unknown) == (404, "webauthn_registration_not_found")
    listed = world.backend("GET", f"/v1/webauthn/credentials/{signed_in['user_id']}/{DOMAIN}").json["credentials"]
    assert [(one["webauthn_registration_id"], one["type"]) for one in listed] == [(registration, "public-key")]
    assert listed[0]["credential_id"] == _url(base64.b64encode(device.credentials[0].credential_id).decode())
    assert base64.b64decode(listed[0]["public_key"], validate=True)
    elsewhere = world.backend("GET", f"/v1/webauthn/credentials/{signed_in['user_id']}/example.org")
    assert elsewhere.json["credentials"] == []


def test_browsers_that_say_much_of_themselves_do_not_fill_the_cookie(world: World) -> None:
    """A browser keeps at most 4096 bytes of a cookie (RFC 6265 section 6.1)."""
    signed_in = world.sign_in()
    token = signed_in["session_token"]
    for _ in range(2):
        asked = {"user_agent": "Mozilla/5.0 " * 85}
        made = register(world, VirtualAuthenticator(), signed_in["user_id"], asked=asked, session_token=token).json
        token = made["session_token"]
    assert len(made["user"]["webauthn_registrations"][0]["user_agent"]) == 256
    assert len(made["session_jwt"]) < 4000


def test_a_user_has_at_most_ten_passkeys_for_a_domain(world: World) -> None:
    user_id = world.sign_in()["user_id"]
    for _ in range(10):
        assert register(world, VirtualAuthenticator(), user_id).status == 200
    answer = world.backend("POST", REGISTER_START, {"user_id": user_id, "domain": DOMAIN})
    assert said(answer) == (400, "too_many_user_registrations_for_domain")


def test_the_eleventh_is_refused_though_it_was_asked_for_as_the_tenth(world: World) -> None:
    user_id = world.sign_in()["user_id"]
    waiting = VirtualAuthenticator().register(creation(world, user_id), origin=ORIGIN)
    for _ in range(10):
        assert register(world, VirtualAuthenticator(), user_id).status == 200
    answer = world.backend("POST", REGISTER, {"user_id": user_id, "public_key_credential": waiting})
    assert said(answer) == (400, "too_many_user_registrations_for_domain")


def test_nobody_pending_or_unproved_gets_a_passkey(world: World) -> None:
    """USR-15, ACC-03."""
    for pending, refusal in ((True, "cannot_use_webauthn_with_pending_user"), (False, "email_verification_required")):
        body = {"email": f"new{pending}@example.org", "create_user_as_pending": pending}
        user_id = world.backend("POST", "/v1/users", body).json["user_id"]
        answer = world.backend("POST", REGISTER_START, {"user_id": user_id, "domain": DOMAIN})
        assert said(answer) == (400, refusal)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"id":"a","id":"b"}', "{" * 5000, "x" * 70_000])
def test_what_is_no_answer_is_refused(world: World, text: str) -> None:
    for path in (REGISTER, AUTHENTICATE):
        body = {"public_key_credential": text, "user_id": world.sign_in()["user_id"]}
        assert world.backend("POST", path, body).status in {400, 413}


def test_the_challenges_of_one_user_are_limited(world: World) -> None:
    user_id = world.sign_in()["user_id"]
    answers = [world.backend("POST", REGISTER_START, {"user_id": user_id, "domain": DOMAIN}) for _ in range(31)]
    assert [one.status for one in answers] == [200] * 30 + [429]


def test_a_passkey_works_however_often_somebody_failed(world: World) -> None:
    """A252, RAT-02: there is nothing to guess, so there is nothing to lock."""
    device = VirtualAuthenticator()
    enrolled(world, device)
    wrong = Edits(signature=lambda one: b"\x30\x06\x02\x01\x01\x02\x01\x01")
    for _ in range(30):
        assert said(sign_in(world, device, edits=wrong)) == UNABLE
    assert sign_in(world, device).status == 200


def test_a_stored_challenge_or_key_is_of_no_use_to_who_reads_the_store(world: World, tmp_path: Path) -> None:
    """LOG-01, TOK-02: neither a challenge that waits nor a public key lies there in clear."""
    device = VirtualAuthenticator()
    signed_in, _ = enrolled(world, device)
    challenge = json.loads(request(world))["challenge"]
    listed = world.backend("GET", f"/v1/webauthn/credentials/{signed_in['user_id']}/{DOMAIN}").json["credentials"]
    dump = world.at_rest(tmp_path)
    assert signed_in["user_id"].encode() in dump
    key = base64.b64decode(listed[0]["public_key"])
    for hidden in (challenge.encode(), base64.b64decode(challenge), key, repr(key)[2:-1].encode()):
        assert hidden not in dump
