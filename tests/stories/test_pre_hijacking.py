"""Account pre-hijacking, all five families (Sudhodanan and Paverd, USENIX Security 2022), for every product that proves an address: whoever was there first gains nothing.

Law under test: proof wins and nobody is merged. An address that only stands on an account is whoever's who proves it; what an attacker prepared around it is dead or is not theirs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from authmw import drive
from authmw.drive import step
from authmw.people.purging import purge_due
from authmw.people.records import Credential, Email, Part, Phone, Session, User
from authmw.storage import And, Insert, Update, Write
from tests.oauth_provider import Provider
from tests.stories.test_oauth import ADA, came_back, provided, signed_in
from tests.world import Answer, World

PHONE = "+12025550142"
PROVERS = ("link", "code", "sms", "whatsapp", "google")
LINK, CODE = "/v1/magic_links/email", "/v1/otps/email"


@pytest.fixture(params=["asgi", "wsgi"])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[World, Provider]]:
    with provided(tmp_path, request.param, "google") as world_and_provider:
        yield world_and_provider


def asked(world: World, prover: str, **more: Any) -> dict[str, Any]:
    """The owner of the address or number asks to sign in; what they then hold."""
    world.clock.advance(seconds=2)
    if prover == "link":
        assert world.backend("POST", f"{LINK}/login_or_create", {"email": ADA, **more}).status == 200
        return {"token": world.token()}
    if prover == "code":
        method = world.backend("POST", f"{CODE}/login_or_create", {"email": ADA, **more}).json["email_id"]
    else:
        body = {"phone_number": PHONE, **more}
        method = world.backend("POST", f"/v1/otps/{prover}/login_or_create", body).json["phone_id"]
    return {"method_id": method, "code": world.code()}


def presented(world: World, prover: str, held: dict[str, Any], **more: Any) -> Answer:
    path = "/v1/magic_links/authenticate" if prover == "link" else "/v1/otps/authenticate"
    return world.backend("POST", path, {**held, "session_duration_minutes": 60, **more})


def proved(both: tuple[World, Provider], prover: str, **more: Any) -> Any:
    """The owner of the address or number signs in by it; the answer's body."""
    world, provider = both
    if prover == "google":
        answer = signed_in(world, came_back(world, provider), **more)
    else:
        answer = presented(world, prover, asked(world, prover), **more)
    assert answer.status == 200, answer.json
    return answer.json


def contact(prover: str) -> str:
    return "phone_numbers" if prover in {"sms", "whatsapp"} else "emails"


def made_by_attacker(world: World, **more: Any) -> str:
    """An account with the victim's address and number, which nobody has proved."""
    answer = world.backend("POST", "/v1/users", {"email": ADA, "phone_number": PHONE, **more})
    assert answer.status == 200, answer.json
    return answer.json["user_id"]


def embedded(world: World, user_id: str) -> Any:
    """A session that proves no address: the host delivered the link."""
    token = world.backend("POST", "/v1/magic_links", {"user_id": user_id}).json["token"]
    body = {"token": token, "session_duration_minutes": 600}
    return world.backend("POST", "/v1/magic_links/authenticate", body).json


def alive(world: World, session: Any) -> bool:
    by_token = world.backend("POST", "/v1/sessions/authenticate", {"session_token": session["session_token"]})
    by_jwt = world.visit("/who", f"authmw_session_jwt={session['session_jwt']}")
    assert (by_token.status == 200) is (by_jwt.status == 200)
    return by_token.status == 200


def user_of(world: World, user_id: str) -> User:
    user = step(world.auth.storage.get(User, user_id))
    assert user is not None
    return user


def store(world: World, *writes: Write) -> None:
    step(world.auth.storage.commit(*writes))


def named_on_attackers_account(world: World) -> Any:
    """The attacker's own account, with an owner, on which the victim's address and number were named: as an import may leave it."""
    attacker = world.sign_in("mallory@example.org")
    user = user_of(world, attacker["user_id"])
    now = world.clock.now()
    email = Email(email_id="email-test-11111111-1111-4111-8111-111111111111", address=ADA, created_at=now)
    phone = Phone(phone_id="phone-number-test-11111111-1111-4111-8111-111111111111", number=PHONE, created_at=now)
    store(world, Update(attrs.evolve(user, emails=(*user.emails, email), phones=(phone,))))
    return attacker


# --- 1: classic-federated merge ---


@pytest.mark.parametrize("kind", ["totp", "webauthn", "biometric"])
@pytest.mark.parametrize("prover", PROVERS)
def test_what_the_attacker_could_sign_in_by_is_gone_with_its_secret_once_the_victim_comes(
    both: tuple[World, Provider], prover: str, kind: str
) -> None:
    """A209, ACC-05."""
    world, _ = both
    user_id = made_by_attacker(world)
    part = Part(part_id=f"{kind}-test-1", kind=kind, verified=True, created_at=world.clock.now())
    user = user_of(world, user_id)
    secret = Credential(
        part_id=part.part_id, subject_id=user_id, kind=kind, sealed=b"sealed", changed_at=world.clock.now()
    )
    store(world, Update(attrs.evolve(user, parts=(part,))), Insert(secret))
    victim = proved(both, prover)
    assert victim["user_id"] == user_id
    after = user_of(world, user_id)
    assert [one.kind for one in after.parts] == (["oauth"] if prover == "google" else [])
    assert len(after.emails) + len(after.phones) == 1
    assert drive.step(purge_due(world.auth.core, world.clock.now())) >= 1
    left = step(world.auth.storage.page(Credential, And(), limit=10)).records
    assert [one.kind for one in left] == (["oauth"] if prover == "google" else [])
    assert alive(world, victim)


@pytest.mark.parametrize("prover", PROVERS)
def test_a_factor_of_somebody_elses_session_joins_no_account_that_its_owner_proves(
    both: tuple[World, Provider], prover: str
) -> None:
    """A209, OTP-02: the attacker's session is not joined by the victim's proof, nor the reverse."""
    world, provider = both
    attacker = world.sign_in("mallory@example.org")
    before, token = user_of(world, attacker["user_id"]), attacker["session_token"]
    if prover == "google":
        answer = signed_in(world, came_back(world, provider), session_token=token)
    else:
        answer = presented(world, prover, asked(world, prover), session_token=token)
    assert answer.json["error_type"] == "user_id_mismatch"
    assert user_of(world, attacker["user_id"]) == before
    assert alive(world, attacker)


# --- 2: unexpired session ---


@pytest.mark.parametrize("prover", PROVERS)
def test_a_session_from_before_the_proof_ends_with_it(both: tuple[World, Provider], prover: str) -> None:
    """A210, ACC-06, SES-06: by its opaque token and by its JWT, at once."""
    world, _ = both
    held = embedded(world, made_by_attacker(world))
    assert alive(world, held)
    victim = proved(both, prover)
    assert victim["user_id"] == held["user_id"]
    assert not alive(world, held)
    assert alive(world, victim)


@pytest.mark.parametrize("prover", PROVERS)
def test_an_embedded_link_from_before_the_proof_is_the_hosts_word_and_nobody_elses(
    both: tuple[World, Provider], prover: str
) -> None:
    """A210: a session that an attacker holds cannot be prolonged over the proof, at any moment of its life."""
    world, _ = both
    held = embedded(world, made_by_attacker(world))
    proved(both, prover)
    body = {"session_token": held["session_token"], "session_duration_minutes": 525_600}
    refused = world.backend("POST", "/v1/sessions/authenticate", body)
    assert (refused.status, refused.json["error_type"]) == (404, "session_not_found")


# 3, the trojan identifier, is told in `test_trojan_identifiers`.

# --- 4: unexpired e-mail change ---


@pytest.mark.parametrize("recovery", ["link", "google"])
@pytest.mark.parametrize("change", ["link", "code"])
def test_a_change_to_the_attackers_address_that_waits_is_dead_once_the_victim_is_back(
    both: tuple[World, Provider], change: str, recovery: str
) -> None:
    """A212, ACC-06: started in a session from before, clicked after the victim proved the account."""
    world, _ = both
    user_id = made_by_attacker(world)
    world.clock.advance(seconds=2)
    path = f"{LINK if change == 'link' else CODE}/send"
    sent = world.backend("POST", path, {"email": "mallory@example.org", "user_id": user_id})
    assert sent.status == 200, sent.json
    waits = {"token": world.token()} if change == "link" else {"method_id": sent.json["email_id"], "code": world.code()}
    victim = proved(both, recovery)
    refused = presented(world, change, waits)
    assert refused.status == 401
    assert [one.address for one in user_of(world, victim["user_id"]).emails] == [ADA]
    assert alive(world, victim)


@pytest.mark.parametrize("change", ["link", "code"])
def test_a_change_that_a_stolen_session_began_is_dead_when_all_sessions_are_ended(
    both: tuple[World, Provider], change: str
) -> None:
    """A212: the victim removes what they can see; what is still on its way does not come in behind."""
    world, _ = both
    victim = world.sign_in(ADA)
    world.clock.advance(seconds=2)
    path = f"{LINK if change == 'link' else CODE}/send"
    sent = world.backend("POST", path, {"email": "mallory@example.org", "session_token": victim["session_token"]})
    waits = {"token": world.token()} if change == "link" else {"method_id": sent.json["email_id"], "code": world.code()}
    session = step(world.auth.storage.get(Session, victim["session"]["session_id"]))
    assert session is not None
    world.backend("POST", "/v1/sessions/revoke", {"session_id": session.session_id})
    assert presented(world, change, waits).status == 401
    assert [one.address for one in user_of(world, victim["user_id"]).emails] == [ADA]


# --- 5: non-verifying identity provider ---


@pytest.mark.parametrize("flag", [False, None, "true", 1])
@pytest.mark.parametrize("prover", ["link", "code"])
def test_an_account_of_a_provider_that_proves_no_address_is_never_merged_later(
    both: tuple[World, Provider], prover: str, flag: Any
) -> None:
    """A213, OAU-06: the attacker's identity with the victim's address and the victim are two."""
    world, provider = both
    provider.claims = {"email_verified": flag}
    attacker = signed_in(world, came_back(world, provider)).json
    assert attacker["user"]["emails"] == []
    victim = proved(both, prover)
    assert victim["user_id"] != attacker["user_id"]
    assert alive(world, attacker)
    again = signed_in(world, came_back(world, provider)).json
    assert (again["user_id"], again["user"]["emails"]) == (attacker["user_id"], [])
    assert victim["user"]["providers"] == []


# --- What stands around them ---


@pytest.mark.parametrize("owned", [False, True])
def test_an_invitation_is_accepted_only_by_whom_it_reaches(both: tuple[World, Provider], owned: bool) -> None:
    """A214: an account that was there first takes no part in it."""
    world, _ = both
    if owned:
        attacker = named_on_attackers_account(world)["user_id"]
        store(world, Update(attrs.evolve(user_of(world, attacker), status="pending")))
    else:
        attacker = made_by_attacker(world, create_user_as_pending=True)
    held = embedded(world, attacker)
    store(world, Update(attrs.evolve(user_of(world, attacker), status="pending")))
    world.clock.advance(seconds=2)
    assert world.backend("POST", f"{LINK}/invite", {"email": ADA}).status == 200
    assert world.backend("POST", "/v1/magic_links/authenticate", {"token": "x" * 43}).status == 401
    accepted = presented(world, "link", {"token": world.token()}).json
    assert (accepted["user_id"] == attacker) is not owned
    assert not alive(world, held)
    assert [email["verified"] for email in accepted["user"]["emails"]] == [True]
    assert accepted["user"]["phone_numbers"] == []


def test_a_pending_account_gets_no_factor_before_its_address_is_proved(both: tuple[World, Provider]) -> None:
    """A217, ACC-03, ACC-06."""
    world, _ = both
    user_id = made_by_attacker(world, create_user_as_pending=True)
    for path, body in (
        ("/v1/totps", {"user_id": user_id}),
        ("/v1/oauth/attach", {"provider": "google", "user_id": user_id}),
    ):
        refused = world.backend("POST", path, body)
        assert refused.json["error_type"] == "email_verification_required", path
    assert user_of(world, user_id).parts == ()
    assert world.backend("GET", f"/v1/users/{user_id}").json["status"] == "pending"


# --- Passwords ---


def test_a_password_is_reset_by_a_named_address_only_for_whose_address_it_is(both: tuple[World, Provider]) -> None:
    """A209, ACC-08: the mailbox that is only named on an account neither opens the account nor sets its password."""
    world, _ = both
    owner = named_on_attackers_account(world)
    made = world.backend(
        "POST",
        "/v1/passwords/session/reset",
        {"password": "seven brave kettles ignore thunder", "session_token": owner["session_token"]},
    )
    assert made.status == 200, made.json
    world.clock.advance(seconds=2)
    start = world.backend("POST", "/v1/passwords/email/reset/start", {"email": ADA})
    assert start.status == 200, start.json
    mail = next(one for one in world.inbox.entries(to=ADA) if one.links)
    body = {"token": mail.links[0].split("token=")[-1], "password": "nine quiet lanterns follow winter"}
    answer = world.backend("POST", "/v1/passwords/email/reset", {**body, "session_duration_minutes": 60}).json
    assert answer["user_id"] != owner["user_id"]
    assert [email["email"] for email in answer["user"]["emails"]] == [ADA]
    for address, password, who in (
        ("mallory@example.org", "seven brave kettles ignore thunder", owner["user_id"]),
        (ADA, "nine quiet lanterns follow winter", answer["user_id"]),
    ):
        signed = world.backend("POST", "/v1/passwords/authenticate", {"email": address, "password": password})
        assert (signed.status, signed.json["user_id"]) == (200, who)


@pytest.mark.parametrize("prover", PROVERS)
def test_a_password_from_before_the_proof_opens_nothing_after_it(both: tuple[World, Provider], prover: str) -> None:
    """A209, A217, ACC-06: classic-federated merge with the real product. It stays only to tell its owner that it needs a reset."""
    world, _ = both
    said = {"email": ADA, "password": "seven brave kettles ignore thunder"}
    made = world.backend("POST", "/v1/passwords", said)
    assert made.status == 200, made.json
    user = user_of(world, made.json["user_id"])
    phone = Phone(phone_id="phone-number-test-1", number=PHONE, created_at=world.clock.now())
    store(world, Update(attrs.evolve(user, phones=(phone,))))
    victim = proved(both, prover)
    assert victim["user_id"] == user.id
    refused = world.backend("POST", "/v1/passwords/authenticate", said)
    by_mail = contact(prover) == "emails"
    assert refused.json["error_type"] == ("reset_password" if by_mail else "email_not_found")
    kept = user_of(world, user.id).parts_of("password")
    assert [one.verified for one in kept] == ([False] if by_mail else [])
    assert alive(world, victim)
