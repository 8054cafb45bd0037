"""The rules of resets: where links lead, what a token is for, and which session may set a password."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw import Refused
from authmw.consumer.magic_links.rules import check_purpose, token_type_of
from authmw.consumer.passwords.rules import FRESH, check_reset, fresh_enough, login_link, reset_link
from authmw.factors.challenges import Challenge
from authmw.people.records import Proved
from authmw.redirects import RedirectList, local_default

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
REDIRECTS = RedirectList.parse((local_default(),), "test")
METHODS = [
    ("password", "knowledge"),
    ("magic_link", "email"),
    ("magic_link", "embedded"),
    ("otp", "email"),
    ("otp", "sms"),
    ("totp", "authenticator_app"),
    ("oauth", "oauth_google"),
    ("impersonated", "impersonation"),
]
ENOUGH = {("password", "knowledge"), ("magic_link", "email"), ("otp", "email")}


def proof(method: tuple[str, str], seconds: int) -> Proved:
    at = NOW - timedelta(seconds=seconds)
    return Proved(type=method[0], delivery_method=method[1], last_authenticated_at=at, created_at=at, updated_at=at)


@given(st.lists(st.tuples(st.sampled_from(METHODS), st.integers(-400, 400)), max_size=6))
def test_a_session_sets_a_password_by_a_mailbox_or_the_old_one_within_five_minutes(
    held: list[tuple[tuple[str, str], int]],
) -> None:
    """SES-05: neither older nor from the future, and never looking fresher."""
    factors = [proof(method, seconds) for method, seconds in held]
    good = [one for one, (method, age) in zip(factors, held, strict=True) if method in ENOUGH and 0 <= age < 300]
    try:
        assert fresh_enough(factors, NOW) is good[0]
    except Refused as refused:
        assert (refused.error_type, good) == ("session_too_old_to_reset_password", [])
    assert timedelta(minutes=5) == FRESH


def challenge(purpose: str, **more: object) -> Challenge:
    return Challenge(
        challenge_id="one",
        purpose=purpose,
        subject_id="user",
        method_id="email",
        created_at=NOW,
        expires_at=NOW,
        **more,
    )


@given(st.sampled_from(["login", "signup", "invite", "embedded", "email_otp", "reset_password", "crypto_wallet", ""]))
def test_a_reset_takes_its_own_token_and_a_sign_in_never_takes_that(purpose: str) -> None:
    """TOK-03."""
    made = challenge(purpose)
    if purpose == "reset_password":
        assert check_reset(made) is made
        with pytest.raises(Refused):
            check_purpose(made)
    else:
        with pytest.raises(Refused) as refused:
            check_reset(made)
        assert refused.value.error_type == "unable_to_auth_password_reset_token"


@given(st.integers(5, 10_080), st.integers(0, 2**31))
def test_both_links_of_a_mail_hold_as_long_and_for_the_same_sessions(minutes: int, epoch: int) -> None:
    reset, login = reset_link(REDIRECTS, None, minutes, epoch), login_link(REDIRECTS, None, minutes, epoch)
    assert reset.life == login.life == timedelta(minutes=minutes)
    assert reset.details["session_epoch"] == login.details["session_epoch"] == epoch
    assert token_type_of(challenge("login", details=login.details)) == "login"
    assert token_type_of(challenge("reset_password", details=reset.details)) == "reset_password"
    assert token_type_of(challenge("login")) == "magic_links"
