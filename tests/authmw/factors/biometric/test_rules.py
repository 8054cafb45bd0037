"""What a device key and its signature look like, and whether one belongs to the other."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from authmw.errors import Refused
from authmw.factors.biometric.rules import is_signed, read_public_key, read_signature, written

SECRET = Ed25519PrivateKey.from_private_bytes(b"d" * 32)
KEY = SECRET.public_key().public_bytes_raw()
CHALLENGES = st.binary(min_size=32, max_size=32)


@given(challenge=CHALLENGES, other=CHALLENGES, at=st.integers(0, 63), bit=st.integers(0, 7))
def test_a_signature_belongs_to_one_key_and_one_challenge(challenge: bytes, other: bytes, at: int, bit: int) -> None:
    """WAL-04, A192."""
    signature = SECRET.sign(challenge)
    assert is_signed(KEY, written(challenge), signature)
    assert is_signed(KEY, written(other), signature) is (challenge == other)
    flipped = bytearray(signature)
    flipped[at] ^= 1 << bit
    assert not is_signed(KEY, written(challenge), bytes(flipped))
    stranger = Ed25519PrivateKey.from_private_bytes(b"s" * 32).public_key().public_bytes_raw()
    assert not is_signed(stranger, written(challenge), signature)


@given(data=st.binary(max_size=80))
def test_values_have_one_spelling_and_one_size(data: bytes) -> None:
    text = written(data)
    for read, size, error in (
        (read_public_key, 32, {"invalid_public_key"}),
        (read_signature, 64, {"could_not_parse_biometric_signature", "signature_is_incorrect_size"}),
    ):
        if len(data) == size:
            continue
        for spelled in (text, text + "\n", " " + text, base64.urlsafe_b64encode(data).decode().rstrip("=") + "_"):
            with pytest.raises(Refused) as refused:
                read(spelled)
            assert refused.value.error_type in error
    key = written(KEY)
    assert read_public_key(key) == KEY
    for other in (key.rstrip("="), key + "=", key.replace("=", "==="), key + " ", "é" + key):
        with pytest.raises(Refused):
            read_public_key(other)


@pytest.mark.parametrize("point", [bytes(32), b"\x01" + bytes(31), b"\x01" + bytes(30) + b"\x80"])
def test_a_key_of_small_order_is_none(point: bytes) -> None:
    """WAL-03: under such a key one signature fits many messages."""
    with pytest.raises(Refused, match="invalid_public_key"):
        read_public_key(written(point))
