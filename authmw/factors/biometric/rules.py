"""Pure decisions of device keys: what a key and a signature look like, and whether one belongs to the other.

Law: possession is proved at registration, and each sign-in signs a challenge of its own (WAL-04). Ed25519 (RFC 8032), verified strictly; values are base64 (RFC 4648 section 4), in
their one spelling.
"""

from __future__ import annotations

import base64
import binascii
from datetime import timedelta

from authmw.crypto import ed25519
from authmw.errors import Refused

LIFE = timedelta(minutes=5)
"""How long a challenge waits for its signature."""

KEYS = 10
"""Device keys that a user may have."""

HELD = 5
"""Challenges that wait for one key: whoever asks again does not push out what is being signed."""


def read_public_key(text: str) -> bytes:
    """The public key. Refused: `invalid_public_key` for anything but 32 bytes that are one, of no small order."""
    key = _bytes(text)
    try:
        ed25519.check_key(key or b"")
    except ed25519.InvalidSignature:
        raise Refused("invalid_public_key") from None
    assert key is not None  # checked
    return key


def read_signature(text: str) -> bytes:
    """The signature. Refused: `could_not_parse_biometric_signature`, `signature_is_incorrect_size`."""
    signature = _bytes(text)
    if signature is None:
        raise Refused("could_not_parse_biometric_signature")
    if len(signature) != ed25519.SIGNATURE_BYTES:
        raise Refused("signature_is_incorrect_size")
    return signature


def is_signed(key: bytes, challenge: str, signature: bytes) -> bool:
    """Whether a signature is that of a challenge (base64 of ours) by this key."""
    try:
        ed25519.verify(key, signature, base64.b64decode(challenge))
    except ed25519.InvalidSignature:
        return False
    return True


def written(data: bytes) -> str:
    """Bytes as base64."""
    return base64.b64encode(data).decode("ascii")


def _bytes(text: str) -> bytes | None:
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
    return data if written(data) == text else None
