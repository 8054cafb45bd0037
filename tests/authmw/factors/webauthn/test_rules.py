"""What a browser is asked, and what its answer is worth."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.crypto import tokens
from authmw.errors import Refused
from authmw.factors.webauthn.answers import decode
from authmw.factors.webauthn.rules import (
    Known,
    Registrant,
    check_counter,
    check_worth,
    checked_name,
    creation_options,
    given_handle,
    request_options,
)

COUNTERS = st.integers(0, 2**32 - 1)


def refused(act: Any, *arguments: Any, **more: Any) -> str:
    try:
        act(*arguments, **more)
    except Refused as refusal:
        return refusal.error_type
    return ""


@given(before=COUNTERS, now=COUNTERS)
def test_a_counter_grows_or_there_is_none(before: int, now: int) -> None:
    """WAN-05, A122."""
    expected = "" if now > before or now == before == 0 else "webauthn_counter_not_increased"
    assert refused(check_counter, before, now) == expected


@given(st.booleans(), st.booleans(), st.booleans(), st.booleans())
def test_possession_alone_opens_no_session(user_verified: bool, always: bool, joins: bool, opens: bool) -> None:
    """X-14, A121."""
    expected = "" if user_verified else "webauthn_user_verification_required"
    if not user_verified and not always and (joins or not opens):
        expected = ""
    assert refused(check_worth, user_verified=user_verified, always=always, joins=joins, opens=opens) == expected


@given(data=st.binary(max_size=100))
def test_base64url_has_one_spelling(data: bytes) -> None:
    text = tokens.base64url(data)
    assert decode(text) == data
    for other in (text + "=", text + "\n", " " + text, text + "%"):
        assert decode(other) is None
    if len(text) % 4 in {2, 3}:
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        assert decode(text[:-1] + alphabet[alphabet.index(text[-1]) | 1]) is None


@pytest.mark.parametrize("value", [None, 1, b"YQ", ["YQ"], "é", "Y", "YQ==", "+w", "/w"])
def test_what_is_no_base64url_decodes_to_nothing(value: object) -> None:
    assert decode(value) is None


@given(
    challenge=st.binary(min_size=32, max_size=32),
    ids=st.lists(st.binary(min_size=16, max_size=64), max_size=3),
    base64url=st.booleans(),
    passkey=st.booleans(),
    attested=st.booleans(),
    name=st.text(min_size=1, max_size=20),
)
def test_options_hold_what_was_put_in(
    challenge: bytes, ids: list[bytes], base64url: bool, passkey: bool, attested: bool, name: str
) -> None:
    known = [Known(credential_id=tokens.base64url(one), transports=("usb",)) for one in ids]

    def plain(text: str) -> bytes:
        found = decode(text) if base64url else base64.b64decode(text, validate=True)
        assert found is not None
        return found

    created = json.loads(
        creation_options(
            domain="example.com",
            project=name,
            challenge=tokens.base64url(challenge),
            registrant=Registrant(handle=tokens.base64url(b"h"), name=name, display_name=name),
            known=known,
            authenticator_type="platform",
            passkey=passkey,
            verification="preferred",
            attested=attested,
            base64url=base64url,
        )
    )
    asked = json.loads(
        request_options(
            domain="example.com",
            challenge=tokens.base64url(challenge),
            known=known,
            verification="required",
            base64url=base64url,
        )
    )
    assert plain(created["challenge"]) == plain(asked["challenge"]) == challenge
    assert [plain(one["id"]) for one in created["excludeCredentials"]] == ids
    assert [plain(one["id"]) for one in asked["allowCredentials"]] == ids
    assert (created["user"]["name"], plain(created["user"]["id"])) == (name, b"h")
    assert created["authenticatorSelection"]["requireResidentKey"] is passkey
    assert (created["attestation"] == "direct") is attested
    assert (asked["rpId"], asked["userVerification"]) == ("example.com", "required")


@given(text=st.text(max_size=80))
def test_a_name_is_one_line_without_controls(text: str) -> None:
    if refused(checked_name, text):
        return
    name = checked_name(text)
    assert name == name.strip() == checked_name(name)
    assert 1 <= len(name) <= 64
    assert len(name.splitlines()) == 1


@pytest.mark.parametrize(("text", "fits"), [("a", True), ("é" * 32, True), ("é" * 33, False), ("", False)])
def test_a_chosen_handle_has_1_to_64_bytes(text: str, fits: bool) -> None:
    assert (refused(given_handle, text) == "") is fits
    if fits:
        assert decode(given_handle(text)) == text.encode()
