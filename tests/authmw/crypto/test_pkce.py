"""Proof keys for code exchange (A109)."""

from __future__ import annotations

import base64
import hashlib
import string

from hypothesis import given
from hypothesis import strategies as st

from authmw.crypto.pkce import answers, challenge_of, is_challenge, is_verifier

UNRESERVED = string.ascii_letters + string.digits + "-._~"
VERIFIERS = st.text(UNRESERVED, min_size=43, max_size=128)


def test_the_example_of_the_standard_is_answered() -> None:
    """RFC 7636 appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert answers(verifier, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")


@given(VERIFIERS, VERIFIERS)
def test_a_verifier_answers_its_own_challenge_only(one: str, other: str) -> None:
    assert is_verifier(one)
    assert is_challenge(challenge_of(one))
    assert answers(one, challenge_of(other)) is (one == other)


@given(st.text(max_size=200))
def test_a_verifier_is_43_to_128_unreserved_characters(text: str) -> None:
    assert is_verifier(text) is (43 <= len(text) <= 128 and set(text) <= set(UNRESERVED))


@given(st.text(UNRESERVED, max_size=42) | st.text(UNRESERVED, min_size=129, max_size=200))
def test_a_verifier_of_another_length_answers_nothing_though_its_digest_fits(text: str) -> None:
    assert not answers(text, challenge_of(text))


@given(st.binary(min_size=32, max_size=32))
def test_the_digest_of_anything_is_a_challenge(digest: bytes) -> None:
    assert is_challenge(base64.urlsafe_b64encode(digest).rstrip(b"=").decode())


@given(st.text(string.ascii_letters + string.digits + "-_", min_size=43, max_size=43))
def test_only_what_base64url_spells_is_a_challenge(text: str) -> None:
    canonical = base64.urlsafe_b64encode(base64.urlsafe_b64decode(text + "=")).rstrip(b"=").decode() == text
    assert is_challenge(text) is canonical


@given(st.text(max_size=100))
def test_what_is_not_43_letters_of_base64url_is_no_challenge(text: str) -> None:
    if len(text) != 43 or not set(text) <= set(string.ascii_letters + string.digits + "-_"):
        assert not is_challenge(text)


def test_the_challenge_of_an_empty_verifier_is_none() -> None:
    assert not is_challenge(base64.urlsafe_b64encode(hashlib.sha256(b"").digest()).rstrip(b"=").decode())
    assert not is_challenge("")
