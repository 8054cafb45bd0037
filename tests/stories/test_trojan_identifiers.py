"""Pre-hijacking by a trojan identifier (USENIX Security 2022): the attacker's account names an address or a number of the victim, as an import or a migration may leave it."""

from __future__ import annotations

import attrs
import pytest

from authmw.people.records import Phone
from authmw.storage import Update
from authmw.testing import EthereumWallet
from tests.oauth_provider import Provider
from tests.stories.test_oauth import ADA
from tests.stories.test_pre_hijacking import (
    CODE,
    LINK,
    PHONE,
    PROVERS,
    alive,
    asked,
    contact,
    named_on_attackers_account,
    presented,
    proved,
    store,
    user_of,
)
from tests.stories.test_pre_hijacking import both as both
from tests.world import World


@pytest.mark.parametrize("prover", PROVERS)
def test_an_address_that_was_named_on_the_attackers_account_is_taken_by_its_owner_who_is_somebody_else(
    both: tuple[World, Provider], prover: str
) -> None:
    """A209, ACC-05: the victim does not land in the attacker's account; the attacker's sessions end, and what is theirs stays theirs."""
    world, _ = both
    attacker = named_on_attackers_account(world)
    victim = proved(both, prover)
    assert victim["user_id"] != attacker["user_id"]
    assert not alive(world, attacker)
    assert alive(world, victim)
    theirs, mine = user_of(world, attacker["user_id"]), user_of(world, victim["user_id"])
    assert mine.part_count() == (2 if prover == "google" else 1)
    assert all(one.verified for one in (*mine.emails, *mine.phones, *mine.parts))
    lost = {one.address for one in mine.emails} | {one.number for one in mine.phones}
    left = {one.address for one in theirs.emails} | {one.number for one in theirs.phones}
    assert left == {"mallory@example.org", ADA, PHONE} - lost
    assert theirs.emails[0].verified
    again = world.sign_in("mallory@example.org")
    assert again["user_id"] == attacker["user_id"]
    assert world.sign_in(ADA)["user_id"] == victim["user_id"] or contact(prover) == "phone_numbers"


@pytest.mark.parametrize("prover", ["link", "code", "sms", "whatsapp"])
def test_an_address_named_on_the_own_account_is_verified_there_by_the_own_session(
    both: tuple[World, Provider], prover: str
) -> None:
    """The proof comes with a living session of the account, so that it is its owner's."""
    world, _ = both
    person = named_on_attackers_account(world)
    answer = presented(world, prover, asked(world, prover), session_token=person["session_token"])
    assert answer.json["user_id"] == person["user_id"]
    assert answer.json["session"]["session_id"] == person["session"]["session_id"]
    user = user_of(world, person["user_id"])
    by_phone = contact(prover) == "phone_numbers"
    assert [one.verified for one in (*user.emails, *user.phones)] == [True, not by_phone, by_phone]


@pytest.mark.parametrize("by", ["session", "host"])
@pytest.mark.parametrize("prover", ["link", "code", "sms", "whatsapp"])
def test_a_named_address_that_the_own_session_or_the_host_has_mailed_is_the_accounts(
    both: tuple[World, Provider], prover: str, by: str
) -> None:
    """What was asked for the account stays the account's, though the link is opened elsewhere; ended sessions take it along (ACC-06)."""
    world, _ = both
    person = named_on_attackers_account(world)
    who = {"session_token": person["session_token"]} if by == "session" else {"user_id": person["user_id"]}
    world.clock.advance(seconds=2)
    path, at = {
        "link": (f"{LINK}/send", {"email": ADA}),
        "code": (f"{CODE}/send", {"email": ADA}),
    }.get(prover, (f"/v1/otps/{prover}/send", {"phone_number": PHONE}))
    sent = world.backend("POST", path, {**at, **who})
    assert sent.status == 200, sent.json
    method = sent.json.get("email_id") or sent.json.get("phone_id")
    held = {"token": world.token()} if prover == "link" else {"method_id": method, "code": world.code()}
    answer = presented(world, prover, held)
    assert answer.json["user_id"] == person["user_id"]
    assert answer.json["reset_sessions"] is False
    assert alive(world, person)


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("prover", ["link", "code", "sms", "whatsapp"])
def test_what_a_browsers_session_asked_to_be_added_is_good_in_that_session_only(
    both: tuple[World, Provider], prover: str, named: bool
) -> None:
    """ACC-06, OTP-02: the victim of a mail that they did not ask for opens it, and their address joins no account of its sender's."""
    world, _ = both
    sender = named_on_attackers_account(world) if named else world.sign_in("mallory@example.org")
    other = world.sign_in("mallory@example.org")
    world.clock.advance(seconds=2)
    product = {"link": "magic_links/email", "code": "otps/email"}.get(prover, f"otps/{prover}")
    at = {"email": ADA} if prover in {"link", "code"} else {"phone_number": PHONE}
    before = len(world.inbox.entries())
    sent = world.browser("POST", f"/sdk/v1/{product}/send/secondary", at, token=sender["session_token"])
    assert sent.status == 200, sent.json
    world.inbox.arrived(before + 1)
    held = (
        {"token": world.token()}
        if prover == "link"
        else {"token": world.code(), "method_id": sent.json["data"]["method_id"]}
    )
    body = {**held, "session_duration_minutes": 60}
    path = f"/sdk/v1/{'magic_links' if prover == 'link' else 'otps'}/authenticate"
    backend = held if prover == "link" else {"code": held["token"], "method_id": held["method_id"]}
    refused = [
        world.browser("POST", path, body),
        world.browser("POST", path, body, token=other["session_token"]),
        presented(world, prover, backend),
    ]
    refusal = "unable_to_auth_magic_link" if prover == "link" else "unable_to_auth_otp_code"
    assert [(one.status, one.json["error_type"]) for one in refused] == [(401, refusal)] * 3
    user = user_of(world, sender["user_id"])
    assert [one.verified for one in (*user.emails, *user.phones)] == [True, *([False] * 2 if named else [])]
    added = world.browser("POST", path, body, token=sender["session_token"])
    assert added.status == 200, added.json
    assert added.json["data"]["user_id"] == sender["user_id"]
    user = user_of(world, sender["user_id"])
    assert sum(one.verified for one in (*user.emails, *user.phones)) == 2


@pytest.mark.parametrize("prover", ["link", "code"])
def test_what_a_session_asked_for_a_named_address_dies_with_that_session(
    both: tuple[World, Provider], prover: str
) -> None:
    """ACC-06."""
    world, _ = both
    person = named_on_attackers_account(world)
    world.clock.advance(seconds=2)
    path = f"{LINK if prover == 'link' else CODE}/send"
    sent = world.backend("POST", path, {"email": ADA, "session_token": person["session_token"]})
    held = {"token": world.token()} if prover == "link" else {"method_id": sent.json["email_id"], "code": world.code()}
    world.backend("POST", "/v1/sessions/revoke", {"session_token": person["session_token"]})
    assert presented(world, prover, held).status == 401
    assert user_of(world, person["user_id"]).emails[1].verified is False


def test_a_dead_session_that_comes_with_a_proof_makes_nobody_of_a_browser_the_accounts_owner(
    both: tuple[World, Provider],
) -> None:
    """What a browser still carries of an ended session claims nothing."""
    world, _ = both
    attacker = named_on_attackers_account(world)
    held = asked(world, "link")
    body = {**held, "session_duration_minutes": 60}
    world.backend("POST", "/v1/sessions/revoke", {"session_token": attacker["session_token"]})
    answer = world.browser(
        "POST",
        "/sdk/v1/magic_links/authenticate",
        body,
        token=attacker["session_token"],
        origin="http://localhost:8000",
    )
    assert answer.status == 200, answer.json
    assert answer.json["data"]["user_id"] != attacker["user_id"]


@pytest.mark.parametrize("prover", ["sms", "whatsapp"])
def test_whoever_holds_only_the_number_of_a_wallets_account_does_not_get_the_account(
    both: tuple[World, Provider], prover: str
) -> None:
    """A wallet makes an owner too."""
    world, _ = both
    wallet = EthereumWallet(31)
    named = {"crypto_wallet_type": "ethereum", "crypto_wallet_address": wallet.address}
    started = world.backend("POST", "/v1/crypto_wallets/authenticate/start", named).json
    body = {**named, "signature": wallet.sign(started["challenge"]), "session_duration_minutes": 60}
    owner = world.backend("POST", "/v1/crypto_wallets/authenticate", body).json
    user = user_of(world, owner["user_id"])
    phone = Phone(phone_id="phone-number-test-1", number=PHONE, created_at=world.clock.now())
    store(world, Update(attrs.evolve(user, phones=(phone,))))
    other = proved(both, prover)
    assert other["user_id"] != owner["user_id"]
    assert not alive(world, owner)
    assert user_of(world, owner["user_id"]).phones == ()
