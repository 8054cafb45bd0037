"""Signing in by a wallet, through the public door."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from authmw.testing import DeviceKey, EthereumWallet, SolanaWallet
from tests.at_once import at_once
from tests.world import Answer, World, make_world

START, AUTHENTICATE = "/v1/crypto_wallets/authenticate/start", "/v1/crypto_wallets/authenticate"
Wallet = EthereumWallet | SolanaWallet
WALLETS = [EthereumWallet(11), SolanaWallet(11)]


def named(wallet: Wallet, **more: Any) -> dict[str, Any]:
    return {"crypto_wallet_type": wallet.wallet_type, "crypto_wallet_address": wallet.address, **more}


def start(world: World, wallet: Wallet, **more: Any) -> dict[str, Any]:
    answer = world.backend("POST", START, named(wallet, **more))
    assert answer.status == 200, answer.json
    return answer.json


def signed(world: World, wallet: Wallet, **more: Any) -> dict[str, Any]:
    return named(wallet, signature=wallet.sign(start(world, wallet, **more)["challenge"]), session_duration_minutes=60)


@pytest.mark.parametrize("wallet", WALLETS, ids=["ethereum", "solana"])
def test_a_wallet_makes_its_user_and_signs_in_again(world: World, wallet: Wallet) -> None:
    """CW-01, CW-04, CW-05, CW-07: the text names the project, the user is made by the proof, and the next proof finds them."""
    started = start(world, wallet)
    assert "Signing in with Project: authmw" in started["challenge"]
    assert started["user_created"] is True
    assert world.backend("GET", f"/v1/users/{started['user_id']}").status == 404
    body = named(wallet, signature=wallet.sign(started["challenge"]), session_duration_minutes=60)
    first = world.backend("POST", AUTHENTICATE, body).json
    assert first["user_id"] == started["user_id"]
    assert first["user"]["crypto_wallets"][0]["crypto_wallet_address"] == wallet.address
    factor = first["session"]["authentication_factors"][0]
    assert (factor["type"], factor["delivery_method"]) == ("crypto", "crypto_wallet")
    assert factor["crypto_wallet_factor"]["crypto_wallet_address"] == wallet.address
    again = start(world, wallet)
    assert (again["user_id"], again["user_created"]) == (first["user_id"], False)
    second = named(wallet, signature=wallet.sign(again["challenge"]))
    answer = world.backend("POST", AUTHENTICATE, second).json
    assert (answer["user_id"], answer["session"], answer["session_token"]) == (first["user_id"], None, "")
    operand = {"filter_name": "crypto_wallet_address", "filter_value": [wallet.address, "0x0"]}
    found = world.backend("POST", "/v1/users/search", {"query": {"operator": "AND", "operands": [operand]}}).json
    assert [user["user_id"] for user in found["results"]] == [first["user_id"]]


def test_a_text_is_used_once_and_only_for_five_minutes(world: World) -> None:
    wallet = WALLETS[0]
    body = signed(world, wallet)
    assert world.backend("POST", AUTHENTICATE, body).status == 200
    again = world.backend("POST", AUTHENTICATE, body)
    assert (again.status, again.json["error_type"]) == (401, "unable_to_authenticate_crypto_wallet")
    late = signed(world, wallet)
    world.clock.advance(minutes=5)
    over = world.backend("POST", AUTHENTICATE, late)
    assert (over.status, over.json["error_type"]) == (400, "siwe_message_expired")


def test_a_text_is_spent_by_one_of_32_at_once(world: World) -> None:
    """A287."""
    body = signed(world, WALLETS[0])
    results = at_once(32, lambda: world.backend("POST", AUTHENTICATE, body).status)
    assert sorted(results) == [200] + [401] * 31


def test_another_key_another_text_and_another_address_are_refused(world: World) -> None:
    """CW-06."""
    wallet, other = WALLETS[0], EthereumWallet(12)
    text = start(world, wallet)["challenge"]
    for body in (
        named(wallet, signature=other.sign(text)),
        named(wallet, signature=wallet.sign(text + " ")),
        named(other, signature=wallet.sign(text)),
        named(other, signature=other.sign(text)),
    ):
        answer = world.backend("POST", AUTHENTICATE, body)
        assert (answer.status, answer.json["error_type"]) == (401, "unable_to_authenticate_crypto_wallet")
    assert world.backend("POST", AUTHENTICATE, named(wallet, signature=wallet.sign(text))).status == 200


def test_who_asks_for_somebody_elses_address_does_not_push_their_text_out(world: World) -> None:
    body = signed(world, WALLETS[0])
    for _ in range(4):
        start(world, WALLETS[0])
    assert world.backend("POST", AUTHENTICATE, body).status == 200


def test_a_session_gets_the_wallet_and_its_factor(world: World) -> None:
    """CW-08, and what belongs to somebody else is not taken."""
    signed_in = world.sign_in()
    token = signed_in["session_token"]
    body = signed(world, WALLETS[0], session_token=token)
    assert world.backend("POST", AUTHENTICATE, body).json["error_type"] == "unable_to_authenticate_crypto_wallet"
    answer = world.backend("POST", AUTHENTICATE, {**body, "session_token": token}).json
    assert answer["user_id"] == signed_in["user_id"]
    assert answer["session"]["session_id"] == signed_in["session"]["session_id"]
    assert [one["type"] for one in answer["session"]["authentication_factors"]] == ["magic_link", "crypto"]
    assert world.inbox.arrived(2).subject == "A sign-in method was added to your authmw account"
    other = world.sign_in("bob@example.org")
    taken = world.backend("POST", START, named(WALLETS[0], session_token=other["session_token"]))
    assert (taken.status, taken.json["error_type"]) == (400, "duplicate_wallet_address")


def refused(answer: Answer) -> None:
    assert (answer.status, answer.json["error_type"]) == (401, "unable_to_authenticate_crypto_wallet")


def test_a_text_for_somebody_who_was_deleted_since_makes_nobody_under_their_id(world: World) -> None:
    """USR-17: neither for a user who was named nor for the wallet's own."""
    ada = world.sign_in()["user_id"]
    body = signed(world, WALLETS[0], user_id=ada)
    owner = world.backend("POST", AUTHENTICATE, signed(world, WALLETS[1])).json["user_id"]
    theirs = signed(world, WALLETS[1])
    for user in (ada, owner):
        assert world.backend("DELETE", f"/v1/users/{user}").status == 200
    for late in (body, theirs):
        refused(world.backend("POST", AUTHENTICATE, late))
    for user in (ada, owner):
        assert world.backend("GET", f"/v1/users/{user}").status == 404
    assert world.backend("POST", AUTHENTICATE, signed(world, WALLETS[1])).json["user_id"] != owner


def test_a_wallet_that_was_removed_does_not_come_back_by_a_text_from_before(world: World) -> None:
    """A134, ACC-02: whoever has its key keeps a text waiting, and the owner removes the wallet."""
    token = world.sign_in()["session_token"]
    body = signed(world, WALLETS[0], session_token=token)
    owner = world.backend("POST", AUTHENTICATE, {**body, "session_token": token}).json
    stolen = signed(world, WALLETS[0])
    wallet = owner["user"]["crypto_wallets"][0]["crypto_wallet_id"]
    assert world.backend("DELETE", f"/v1/users/crypto_wallets/{wallet}").json["user"]["crypto_wallets"] == []
    refused(world.backend("POST", AUTHENTICATE, stolen))
    assert world.backend("GET", f"/v1/users/{owner['user_id']}").json["crypto_wallets"] == []
    assert world.backend("POST", AUTHENTICATE, signed(world, WALLETS[0])).json["user_id"] != owner["user_id"]


def test_a_text_that_adds_a_wallet_dies_with_its_users_sessions(world: World) -> None:
    """ACC-06: also where a backend named the user."""
    signed_in = world.sign_in()
    waits = signed(world, WALLETS[0], user_id=signed_in["user_id"])
    email_id = signed_in["user"]["emails"][0]["email_id"]
    phone = {"phone_number": "+12025550142", "session_token": signed_in["session_token"]}
    sent = world.backend("POST", "/v1/otps/sms/send", phone).json
    assert world.backend("POST", "/v1/otps/authenticate", {"method_id": sent["phone_id"], "code": world.code()}).json
    assert world.backend("DELETE", f"/v1/users/emails/{email_id}").status == 200
    refused(world.backend("POST", AUTHENTICATE, waits))


def test_nobody_unproved_gets_a_wallet(world: World) -> None:
    """ACC-03, USR-15."""
    made = world.backend("POST", "/v1/users", {"email": "new@example.org"}).json
    answer = world.backend("POST", START, named(WALLETS[0], user_id=made["user_id"]))
    assert (answer.status, answer.json["error_type"]) == (400, "email_verification_required")


def test_the_last_wallet_of_someone_without_addresses_stays(world: World) -> None:
    """X-26."""
    signed_in = world.backend("POST", AUTHENTICATE, signed(world, WALLETS[0])).json
    wallet_id = signed_in["user"]["crypto_wallets"][0]["crypto_wallet_id"]
    kept = world.backend("DELETE", f"/v1/users/crypto_wallets/{wallet_id}")
    assert (kept.status, kept.json["error_type"]) == (400, "cannot_delete_last_primary_factor")


def test_a_browser_signs_in_and_is_told_only_the_text(world: World) -> None:
    answer = world.browser("POST", "/sdk/v1/crypto_wallets/authenticate/start/primary", named(WALLETS[0]))
    assert set(answer.json["data"]) == {"challenge", "request_id", "status_code"}
    body = named(WALLETS[0], signature=WALLETS[0].sign(answer.json["data"]["challenge"]))
    path = "/sdk/v1/crypto_wallets/authenticate"
    assert world.browser("POST", path, body).status == 400
    signed_in = world.browser("POST", path, {**body, "session_duration_minutes": 30}).json["data"]
    assert signed_in["session"]["user_id"] == signed_in["user_id"]


def test_a_message_says_what_the_request_chose_on_a_domain_of_the_project(world: World) -> None:
    siwe = {"domain": "localhost:8000", "uri": "http://localhost:8000/app", "chain_id": "137", "statement": "Hello."}
    text = start(world, WALLETS[0], siwe_params=siwe)["challenge"]
    assert "Chain ID: 137" in text
    assert "Hello." in text
    answer = world.backend("POST", AUTHENTICATE, named(WALLETS[0], signature=WALLETS[0].sign(text))).json
    assert answer["siwe_params"]["chain_id"] == "137"
    path = "/sdk/v1/crypto_wallets/authenticate/start/primary"
    elsewhere = {"domain": "evil.example", "uri": "https://evil.example/"}
    other = world.browser("POST", path, named(WALLETS[0], siwe_params=elsewhere))
    assert (other.status, other.json["error_type"]) == (400, "invalid_siwe_domain")
    solana = world.backend("POST", START, named(WALLETS[1], siwe_params=siwe))
    assert solana.json["error_type"] == "crypto_wallet_type_incompatible_with_siwe"


@pytest.mark.parametrize(("minutes", "status"), [(-6, 400), (-5, 200), (5, 200), (6, 400)])
def test_a_message_is_dated_now_or_not_at_all(world: World, minutes: int, status: int) -> None:
    """WAL-01: or what was signed today would be good another day."""
    issued = (world.clock.now() + timedelta(minutes=minutes)).isoformat()
    siwe = {"domain": "localhost:8000", "uri": "http://localhost:8000", "issued_at": issued}
    assert world.backend("POST", START, named(WALLETS[0], siwe_params=siwe)).status == status


def test_ten_texts_a_minute_are_made_for_one_address_and_any_number_for_others(world: World) -> None:
    """RAT-01: whoever asks; another spelling of an address is the same one."""
    wallet = WALLETS[0]
    other = {**named(wallet), "crypto_wallet_address": wallet.address.lower()}
    for body in [named(wallet), other] * 5:
        assert world.backend("POST", START, body).status == 200
    for body in (named(wallet), other):
        refused = world.backend("POST", START, body)
        assert (refused.status, refused.json["error_type"]) == (429, "too_many_requests")
    assert world.backend("POST", START, named(EthereumWallet(13))).status == 200
    world.clock.advance(seconds=6)
    assert world.backend("POST", START, other).status == 200


def test_a_browser_adds_a_wallet_under_the_mfa_rule_of_the_moment_in_which_it_enters(world: World) -> None:
    """ACC-02: with a second factor enrolled one category adds none, and a text from before adds none either."""
    wallet, token = EthereumWallet(14), world.sign_in()["session_token"]
    path = "/sdk/v1/crypto_wallets/authenticate/start/secondary"
    text = world.browser("POST", path, named(wallet), token=token).json["data"]["challenge"]
    user_id = world.sign_in()["user_id"]
    device = DeviceKey()
    begun = {"user_id": user_id, "public_key": device.public_key}
    asked = world.backend("POST", "/v1/biometrics/register/start", begun).json
    proved = {
        "user_id": user_id,
        "biometric_registration_id": asked["biometric_registration_id"],
        "signature": device.sign(asked["challenge"]),
    }
    assert world.backend("POST", "/v1/biometrics/register", proved).status == 200
    body = named(wallet, signature=wallet.sign(text), session_duration_minutes=60)
    late = world.browser("POST", "/sdk/v1/crypto_wallets/authenticate", body, token=token)
    assert (late.status, late.json["error_type"]) == (401, "insufficient_factors")
    again = world.browser("POST", path, named(wallet), token=token)
    assert (again.status, again.json["error_type"]) == (401, "insufficient_factors")
    assert world.backend("GET", f"/v1/users/{user_id}").json["crypto_wallets"] == []


@pytest.mark.parametrize("chain", ["137", "56"])
def test_a_wallet_of_any_evm_compatible_chain_signs_in_as_one_of_ethereum(world: World, chain: str) -> None:
    """CW-03: Polygon and BSC; the address is the same person on every chain."""
    mainnet = world.backend("POST", AUTHENTICATE, signed(world, WALLETS[0])).json
    siwe = {"domain": "localhost:8000", "uri": "http://localhost:8000", "chain_id": chain}
    path = "/sdk/v1/crypto_wallets/authenticate/start/primary"
    started = world.browser("POST", path, named(WALLETS[0], siwe_params=siwe)).json["data"]
    assert f"\nChain ID: {chain}\n" in started["challenge"]
    body = named(WALLETS[0], signature=WALLETS[0].sign(started["challenge"]), session_duration_minutes=60)
    elsewhere = named(WALLETS[0], signature=WALLETS[0].sign(started["challenge"].replace(chain, "1")))
    assert world.backend("POST", AUTHENTICATE, elsewhere).json["error_type"] == "unable_to_authenticate_crypto_wallet"
    answer = world.browser("POST", "/sdk/v1/crypto_wallets/authenticate", body).json["data"]
    assert answer["user_id"] == mainnet["user_id"]
    assert answer["user"]["crypto_wallets"][0]["crypto_wallet_type"] == "ethereum"


@pytest.mark.parametrize("wallet_type", ["bitcoin", "", None, 1])
def test_another_kind_of_wallet_is_refused(world: World, wallet_type: Any) -> None:
    """CW-02."""
    body = {"crypto_wallet_type": wallet_type, "crypto_wallet_address": WALLETS[0].address}
    assert world.backend("POST", START, body).status == 400


SANDBOX = {
    "crypto_wallet_type": "ethereum",
    "crypto_wallet_address": "0x6df2dB4Fb3DA35d241901Bd53367770BF03123f1",
}
SIGNATURE = "0x0c4f82edc3c818b6beff4b89e0682994e5878074609903cecdfb"


def test_the_sandboxs_wallet_signs_its_user_in_by_a_fixed_signature_in_test(world: World) -> None:
    """FACTS section 11: what the vendor's own suites send; for backends, with a text asked for or without."""
    assert world.backend("POST", START, SANDBOX).status == 200
    rest = "843241728be32f75949e2fbae63dcccdef97c0e3789a26441f7e11456cc1f2ef79b3a436010f1b"
    body = {**SANDBOX, "session_duration_minutes": 5}
    for signature in (SIGNATURE, SIGNATURE + rest, SIGNATURE):
        answer = world.backend("POST", AUTHENTICATE, {**body, "signature": signature})
        assert answer.status == 200, answer.json
        assert answer.json["user_id"] == "user-test-e3795c81-f849-4167-bfda-e4a6e9c280fd"
        (wallet,) = answer.json["user"]["crypto_wallets"]
        assert wallet["crypto_wallet_address"] == SANDBOX["crypto_wallet_address"]
        (factor,) = answer.json["session"]["authentication_factors"]
        assert factor["crypto_wallet_factor"]["crypto_wallet_id"] == wallet["crypto_wallet_id"]
    for wrong in (SIGNATURE[:-1], SIGNATURE + "84", "0x" + "00" * 65):
        assert world.backend("POST", AUTHENTICATE, {**body, "signature": wrong}).status == 401
    other = named(WALLETS[0], signature=SIGNATURE)
    assert world.backend("POST", AUTHENTICATE, other).status == 401
    by_browser = world.browser("POST", "/sdk/v1/crypto_wallets/authenticate", {**body, "signature": SIGNATURE})
    assert by_browser.status == 401


@pytest.mark.parametrize("host", ["asgi", "wsgi"])
def test_without_the_sandbox_its_signature_is_none(tmp_path: Path, host: str) -> None:
    world = make_world(tmp_path, host, sandbox=False)
    assert world.backend("POST", AUTHENTICATE, {**SANDBOX, "signature": SIGNATURE}).status == 401
