"""Time-based codes and recovery codes: the standards' vectors, the window, and that nothing is accepted twice."""

from __future__ import annotations

import hashlib
import json
from base64 import b32decode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from authmw.errors import Refused
from authmw.factors.recovery_codes.rules import canonical, without, written
from authmw.factors.totp.rules import accepted_step, base32, code_of, provisioning_uri, step_of

CORPUS = json.loads((Path(__file__).parents[3] / "corpus" / "otp_vectors.json").read_text())
SEED = bytes(range(20))


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@pytest.mark.parametrize("case", CORPUS["rfc4226_app_d"], ids=lambda case: f"counter {case['counter']}")
def test_the_vectors_of_rfc_4226(case: dict[str, Any]) -> None:
    """OTP-05."""
    assert code_of(bytes.fromhex(case["secret_hex"]), case["counter"]) == case["code"]


@pytest.mark.parametrize("case", CORPUS["rfc6238_app_b"], ids=lambda case: f"{case['alg']} at {case['unix']}")
def test_the_vectors_of_rfc_6238(case: dict[str, Any]) -> None:
    """OTP-05: the library we take the HOTP of holds for every hash; ours is the SHA-1 row, cut to six digits."""
    digest = getattr(hashlib, case["alg"].lower())
    totp = pyotp.TOTP(case["secret_b32"], digits=case["digits"], digest=digest)
    assert step_of(at(case["unix"])) == case["step"]
    assert totp.generate_otp(case["step"]) == case["code"]
    if case["alg"] == "SHA1":
        assert code_of(bytes.fromhex(case["secret_hex"]), case["step"]) == case["code"][-6:]


@pytest.mark.parametrize("case", CORPUS["window_sequences"], ids=lambda case: case["id"])
def test_sequences_of_codes_in_their_window(case: dict[str, Any]) -> None:
    """OTP-05: replay and order."""
    seed, last = b32decode(case["secret_b32"]), -1
    for one in case["steps"]:
        try:
            last = accepted_step(seed, one["code"], at(one["at"]), last_step=last, window=1)
            accepted = True
        except Refused:
            accepted = False
        assert accepted == one["ok"], (case["why"], one)


@given(st.integers(0, 10**10), st.integers(-5, 5), st.integers(0, 1))
def test_a_code_holds_in_its_window_and_never_again(now: int, off: int, window: int) -> None:
    step = step_of(at(now)) + off
    assume(step >= 0)
    code = code_of(SEED, step)
    neighbours = {
        code_of(SEED, one) for one in range(max(0, step_of(at(now)) - 1), step_of(at(now)) + 2) if one != step
    }
    assume(code not in neighbours)
    if abs(off) > window:
        with pytest.raises(Refused, match="unable_to_authenticate_totp"):
            accepted_step(SEED, code, at(now), last_step=-1, window=window)
        return
    assert accepted_step(SEED, code, at(now), last_step=step - 1, window=window) == step
    for later in (step, step + 1):
        with pytest.raises(Refused, match="totp_code_already_authenticated"):
            accepted_step(SEED, code, at(now), last_step=later, window=window)


@pytest.mark.parametrize(
    "code", ["", "12345", "1234567", "12345a", " 123456", "123456\n", "１２３４５６", "+12345", "-12345", "0x1234"]
)
def test_what_is_not_six_ascii_digits_is_refused(code: str) -> None:
    """TOTP-06."""
    with pytest.raises(Refused, match="invalid_totp_code"):
        accepted_step(SEED, code, at(10**9), last_step=-1, window=1)


@pytest.mark.parametrize(("issuer", "account"), [("Ärger & Co: <b>", "a+b@example.org"), ("x/y?secret=1", "user:1")])
def test_an_app_reads_issuer_account_and_seed_from_the_address(issuer: str, account: str) -> None:
    uri = provisioning_uri(SEED, account=account, issuer=issuer)
    parsed = pyotp.parse_uri(uri)
    assert (parsed.issuer, parsed.name) == (issuer, account)
    assert parse_qs(urlsplit(uri).query)["secret"] == [base32(SEED)]
    assert len(base32(SEED)) == 32


def test_a_recovery_code_is_read_however_it_was_written() -> None:
    """A098."""
    for text in ("a1b2-c3d4-e5f6", "A1B2C3D4E5F6", " a1b2 c3d4 e5f6 ", "A1B2-C3D4-E5F6"):
        assert canonical(text) == "a1b2-c3d4-e5f6"
    for text in ("", "a1b2-c3d4-e5f", "a1b2-c3d4-e5f6-0", "a1b2_c3d4_e5f6", "ａ1b2c3d4e5f6", "a" * 10**6):
        with pytest.raises(Refused, match="unable_to_authenticate_recovery_code"):
            canonical(text)


@given(st.lists(st.text("abc123", min_size=12, max_size=12), unique=True, max_size=10), st.data())
def test_a_spent_code_is_gone_and_the_others_stay(characters: list[str], data: st.DataObject) -> None:
    codes = tuple(written(one) for one in characters)
    with pytest.raises(Refused):
        without(codes, "zzzz-zzzz-zzzz")
    if codes:
        used = data.draw(st.sampled_from(codes))
        left = without(codes, used)
        assert set(left) == set(codes) - {used}
        with pytest.raises(Refused):
            without(left, used)
