"""The pure decisions about devices that wait for a person (RFC 8628)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.errors import Refused
from authmw.platform.idp.records import DeviceRequest
from authmw.platform.idp.rules import DEVICE_LIFE, canonical_user_code, check_device, spelled_user_code

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def refusal(request: DeviceRequest | None, client_id: str, now: datetime) -> str:
    with pytest.raises(Refused) as refused:
        check_device(request, client_id=client_id, now=now)
    return refused.value.error_type


def test_a_code_that_is_not_there_is_worth_nothing() -> None:
    assert refusal(None, "app", NOW) == "invalid_grant"


@given(
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0, 1, 300, 599, 600, 601]),
    st.sampled_from(["app", "other"]),
)
def test_a_device_gets_tokens_after_the_persons_yes_and_at_no_other_time(
    decided: bool, denied: bool, used: bool, age: int, client: str
) -> None:
    """RFC 8628 section 3.5."""
    request = DeviceRequest(
        digest="d",
        user_code="u",
        client_id="app",
        subject_id="user" if decided else "",
        denied=denied,
        used_grant="grant" if used else None,
        created_at=NOW,
        expires_at=NOW + DEVICE_LIFE,
    )
    now = NOW + timedelta(seconds=age)
    if client == "app" and used:
        assert check_device(request, client_id=client, now=now) == "replayed"
    elif client == "app" and decided and not denied and age < 600:
        assert check_device(request, client_id=client, now=now) == "fresh"
    else:
        expected = (
            "invalid_grant"
            if client != "app"
            else "expired_token"
            if age >= 600
            else "access_denied"
            if denied
            else "authorization_pending"
        )
        assert refusal(request, client, now) == expected


@given(st.text("BCDFGHJKLMNPQRSTVWXZ", min_size=8, max_size=8), st.booleans(), st.sampled_from(["-", " ", "", " - "]))
def test_a_code_that_was_typed_a_little_differently_is_the_same(typed: str, small: bool, between: str) -> None:
    """RFC 8628 section 6.1."""
    text = typed[:4] + between + typed[4:]
    assert canonical_user_code(text.lower() if small else text) == typed
    assert canonical_user_code(spelled_user_code(typed)) == typed


@given(st.text(max_size=80))
def test_any_text_is_some_code_and_none_longer_than_64_letters(text: str) -> None:
    assert all("A" <= letter <= "Z" for letter in canonical_user_code(text))
    assert len(canonical_user_code(text)) <= 64
