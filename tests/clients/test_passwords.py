"""Passwords by the vendor's own Python client, waiting and not."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import pytest
import stytch
from stytch.core.response_base import StytchError

from authmw_adapters.inbox import Inbox

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
FIRST, SECOND, THIRD, FOURTH = (
    "lovely purple submarine kettle",
    "nine quiet otters borrow ladders",
    "seven brave kettles ignore thunder",
    "four slow lanterns follow rivers",
)
ADA = "ada@example.org"


def error_of(refused: pytest.ExceptionInfo[StytchError]) -> str:
    error_type: str = refused.value.details.error_type
    return error_type


def mailed(inbox: Inbox) -> str:
    mail = next(one for one in inbox.entries() if one.subject == "Reset your authmw demo password")
    return mail.links[0].split("token=")[-1]


def test_a_password_is_made_used_reset_in_three_ways_and_removed(client: stytch.Client, inbox: Inbox) -> None:
    made = client.passwords.create(email=ADA, password=FIRST, session_duration_minutes=60)
    assert made.user.password.requires_reset is False
    signed_in = client.passwords.authenticate(email=ADA, password=FIRST, session_duration_minutes=60)
    assert signed_in.session.authentication_factors[0].type == "password"
    assert client.passwords.strength_check(password="password").feedback.warning
    assert client.passwords.strength_check(password=FIRST, email=ADA).valid_password is True
    started = client.passwords.email.reset_start(email=ADA)
    assert (started.user_id, started.email_id) == (made.user_id, made.email_id)
    by_mail = client.passwords.email.reset(token=mailed(inbox), password=SECOND, session_duration_minutes=60)
    assert by_mail.user.emails[0].verified is True
    changed = client.passwords.existing_password.reset(
        email=ADA, existing_password=SECOND, new_password=THIRD, session_duration_minutes=60
    )
    kept = client.passwords.sessions.reset(password=FOURTH, session_token=changed.session_token)
    assert kept.session.session_id == changed.session.session_id
    with pytest.raises(StytchError) as ended:
        client.sessions.authenticate(session_token=by_mail.session_token)
    assert error_of(ended) == "session_not_found"
    assert client.users.delete_password(made.user.password.password_id).user.password is None


def test_refusals_are_the_ones_that_the_client_documents(client: stytch.Client) -> None:
    client.passwords.create(email=ADA, password=FIRST)
    cases: dict[str, Any] = {
        "duplicate_email": lambda: client.passwords.create(email=ADA, password=SECOND),
        "weak_password": lambda: client.passwords.create(email="bob@example.org", password="qwertyuiop"),
        "unauthorized_credentials": lambda: client.passwords.authenticate(email=ADA, password=SECOND),
        "email_not_found": lambda: client.passwords.authenticate(email="nobody@example.org", password=FIRST),
        "unable_to_auth_password_reset_token": lambda: client.passwords.email.reset(token="t", password=SECOND),
        "no_session_arguments": lambda: client.passwords.sessions.reset(password=SECOND),
    }
    for error_type, call in cases.items():
        with pytest.raises(StytchError) as refused:
            call()
        assert error_of(refused) == error_type


def test_users_are_brought_along_with_their_hashes(client: stytch.Client) -> None:
    digest = hashlib.md5(f"salt{FIRST}".encode()).hexdigest()
    moved = client.passwords.migrate(
        email=ADA,
        hash=digest,
        hash_type="md_5",
        md_5_config={"prepend_salt": "salt", "append_salt": ""},
        set_email_verified=True,
    )
    assert moved.user_created is True
    assert client.passwords.authenticate(email=ADA, password=FIRST).user_id == moved.user_id


def test_the_client_that_does_not_wait_gets_the_same(client: stytch.Client) -> None:
    async def story() -> tuple[str, str, bool]:
        try:
            made = await client.passwords.create_async(email=ADA, password=FIRST)
            signed_in = await client.passwords.authenticate_async(email=ADA, password=FIRST)
            judged = await client.passwords.strength_check_async(password=FIRST)
            return made.user_id, signed_in.user_id, judged.valid_password
        finally:
            await client.async_client._session.close()

    made, signed_in, valid = asyncio.run(story())
    assert (made, valid) == (signed_in, True)
