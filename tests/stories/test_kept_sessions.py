"""A project that leaves other sessions alone when somebody changes how they sign in: the events say so, and what waits is over all the same (SES-07)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from authmw.health import setup_of
from authmw.settings import SessionRules
from authmw.testing import EthereumWallet
from tests.stories import test_crypto_wallets, test_password_resets, test_passwords, test_totps
from tests.stories.test_password_resets import SECOND
from tests.world import World, make_world

ADA = "ada@example.org"
NUMBER = "+12025550142"


@pytest.fixture(params=["asgi", "wsgi"])
def keeping(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return make_world(tmp_path, request.param, sessions=SessionRules(end_others=False))


def alive(world: World, token: str) -> bool:
    return world.backend("POST", "/v1/sessions/authenticate", {"session_token": token}).status == 200


def reset_by_mail(world: World, user_id: str) -> None:
    reset, _ = test_password_resets.mailed(world)
    body = {"token": reset, "password": SECOND}
    assert world.backend("POST", "/v1/passwords/email/reset", body).status == 200


def change_by_the_old_one(world: World, user_id: str) -> None:
    body = {"email": ADA, "existing_password": test_passwords.FIRST, "new_password": SECOND}
    assert world.backend("POST", "/v1/passwords/existing_password/reset", body).status == 200


def remove_a_number(world: World, user_id: str) -> None:
    phone = world.backend("GET", f"/v1/users/{user_id}").json["phone_numbers"][0]["phone_id"]
    assert world.backend("DELETE", f"/v1/users/phone_numbers/{phone}").status == 200


def recover(world: World, user_id: str) -> None:
    made = world.backend("POST", "/v1/totps", {"user_id": user_id}).json
    body = {"user_id": user_id, "totp_code": test_totps.code(world, made["secret"])}
    assert world.backend("POST", "/v1/totps/authenticate", body).status == 200
    body = {"user_id": user_id, "recovery_code": made["recovery_codes"][0]}
    assert world.backend("POST", "/v1/totps/recover", body).status == 200


CHANGES: dict[str, Callable[[World, str], None]] = {
    "PasswordsEmailReset": reset_by_mail,
    "PasswordsExistingPasswordReset": change_by_the_old_one,
    "DeleteUserPhoneNumber": remove_a_number,
    "TOTPsRecover": recover,
}


def prepared(world: World) -> Any:
    """Somebody with a password and a number, signed in."""
    test_password_resets.owned(world)
    signed = world.sign_in(ADA, minutes=600)
    world.clock.advance(seconds=2)
    sent = world.backend("POST", "/v1/otps/sms/send", {"phone_number": NUMBER, "user_id": signed["user_id"]}).json
    body = {"method_id": sent["phone_id"], "code": world.code(), "session_token": signed["session_token"]}
    return world.backend("POST", "/v1/otps/authenticate", body).json


@pytest.mark.parametrize("action", CHANGES)
def test_the_others_stay_the_event_says_so_and_what_waits_is_over(keeping: World, action: str) -> None:
    """SES-07, ACC-06, A070."""
    signed = prepared(keeping)
    keeping.clock.advance(seconds=2)
    other = keeping.sign_in(ADA)["session_token"]
    older, _ = test_password_resets.mailed(keeping)
    wallet = EthereumWallet(44)
    waits = test_crypto_wallets.signed(keeping, wallet, user_id=signed["user_id"])
    CHANGES[action](keeping, signed["user_id"])
    assert alive(keeping, signed["session_token"])
    assert alive(keeping, other)
    late = keeping.backend("POST", "/v1/passwords/email/reset", {"token": older, "password": SECOND + "!"})
    assert late.json["error_type"] == "unable_to_auth_password_reset_token"
    refused = keeping.backend("POST", test_crypto_wallets.AUTHENTICATE, waits)
    assert refused.json["error_type"] == "unable_to_authenticate_crypto_wallet"
    (event,) = keeping.backend("GET", f"/v1/project/events?action={action}&status=success").json["events"]
    assert "other sessions kept" in event["remark"]


@pytest.mark.parametrize("action", CHANGES)
def test_by_default_they_end_and_nothing_is_remarked(tmp_path: Path, action: str) -> None:
    """SES-07."""
    world = make_world(tmp_path, "asgi")
    signed = prepared(world)
    CHANGES[action](world, signed["user_id"])
    assert not alive(world, signed["session_token"])
    (event,) = world.backend("GET", f"/v1/project/events?action={action}&status=success").json["events"]
    assert event["remark"] == ""


def test_a_stranger_who_was_there_first_is_out_all_the_same(keeping: World) -> None:
    """ACC-05, A210: that an address is proved is no change that a project may sleep over."""
    user = keeping.backend("POST", "/v1/users", {"email": ADA}).json["user_id"]
    link = keeping.backend("POST", "/v1/magic_links", {"user_id": user}).json["token"]
    body = {"token": link, "session_duration_minutes": 60}
    stranger = keeping.backend("POST", "/v1/magic_links/authenticate", body).json["session_token"]
    assert keeping.sign_in(ADA)["user_id"] == user
    assert not alive(keeping, stranger)


def test_the_doctor_warns_of_it_in_live(keeping: World) -> None:
    """CFG-02."""
    core = keeping.auth.core
    assert not [one for one in setup_of(core) if one.part == "sessions"]
    live = attrs.evolve(core.settings)
    object.__setattr__(live, "project_id", core.settings.project_id.replace("-test-", "-live-"))
    core.settings = live
    assert [one.status for one in setup_of(core) if one.part == "sessions"] == ["warning"]
