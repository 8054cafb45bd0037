"""Which public keys of authenticators are accepted."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from authmw.factors.webauthn.cose import ALGORITHMS, InvalidKey, check_key
from authmw.testing.authenticators import cose_key

P256 = cose_key(ec.derive_private_key(7, ec.SECP256R1()))
ED25519 = cose_key(ed25519.Ed25519PrivateKey.from_private_bytes(b"k" * 32))
RSA = cose_key(rsa.generate_private_key(65537, 2048))
KEYS = {"ES256": P256, "EdDSA": ED25519, "RS256": RSA}
SHORT: dict[int, Any] = {**RSA, -1: RSA[-1][:128] if RSA[-1][127] & 1 else RSA[-1][:127] + b"\x01"}


@pytest.mark.parametrize("name", KEYS)
def test_a_key_of_an_offered_algorithm_is_accepted(name: str) -> None:
    assert check_key(KEYS[name]) == KEYS[name][3]
    assert KEYS[name][3] in ALGORITHMS


def _off_curve() -> dict[int, Any]:
    return {**P256, -3: P256[-3][:-1] + bytes([P256[-3][-1] ^ 1])}


WRONG: dict[str, Any] = {
    "off the curve": _off_curve(),
    "a short coordinate": {**P256, -2: P256[-2][1:]},
    "a padded coordinate": {**P256, -2: b"\0" + P256[-2]},
    "another curve's label": {**P256, -1: 2},
    "a label of another type": {**P256, 1: True},
    "a curve that is true": {**P256, -1: True},
    "ES256 that is RS256": {**P256, 3: -257},
    "no algorithm": {label: value for label, value in P256.items() if label != 3},
    "another algorithm": {**P256, 3: -35},
    "one member more": {**P256, 4: [2]},
    "one member less": {label: value for label, value in P256.items() if label != -3},
    "a compressed point": {**P256, -3: True},
    "31 bytes": {**ED25519, -2: ED25519[-2][:31]},
    "X25519": {**ED25519, -1: 4},
    "small order": {**ED25519, -2: bytes(32)},
    "small order, signed": {**ED25519, -2: b"\x01" + bytes(30) + b"\x80"},
    "RSA 1024": SHORT,
    "RSA with a leading zero": {**RSA, -1: b"\0" + RSA[-1]},
    "RSA with exponent 1": {**RSA, -2: b"\x01"},
    "RSA with a padded exponent": {**RSA, -2: b"\0\x01\x00\x01"},
    "RSA of 16384 bits": {**RSA, -1: b"\xff" * 2048},
    "an even modulus": {**RSA, -1: RSA[-1][:-1] + b"\0"},
    "text": "key",
    "nothing": None,
    "a list": [1, 2, 3, 4],
    "an empty map": {},
    "an algorithm that cannot be a label": {3: []},
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_such_key_is_refused(name: str) -> None:
    """WAN-07."""
    with pytest.raises(InvalidKey):
        check_key(WRONG[name])


VALUES = st.none() | st.booleans() | st.integers(-300, 300) | st.binary(max_size=40) | st.text(max_size=3)


@given(key=st.sampled_from(list(KEYS.values())), label=st.integers(-4, 5), value=VALUES)
def test_no_key_with_a_changed_member_is_taken_for_the_same(key: dict[int, Any], label: int, value: Any) -> None:
    changed = {**key, label: value}
    if changed == key and type(value) is type(key.get(label)):
        assert check_key(changed) == key[3]
        return
    try:
        assert check_key(changed) == key[3]
    except InvalidKey:
        return
    # Only another number can have made another key; its kind and its size are as they were.
    assert isinstance(value, bytes)
    assert len(value) == len(key[label])


@given(key=st.dictionaries(st.integers(-4, 4), VALUES, max_size=6))
def test_arbitrary_maps_raise_nothing_else(key: dict[int, Any]) -> None:
    try:
        assert check_key(key) in ALGORITHMS
    except InvalidKey:
        pass
