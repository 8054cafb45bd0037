"""Sealing at rest: AES-256-GCM under a key of its purpose, bound to the record it belongs to.

Format: 0x01, version of the root key (u32, big endian), nonce (12 bytes), ciphertext and tag: 33 bytes more than the
text. The header, the purpose and the record's id are authenticated, so a value moved to another record, purpose or
version does not open (KEY-02). New values are sealed under the newest root key; the version picks the key that opens,
none is tried in turn.

Nonces are random: seal at most 2^32 values under one root key and purpose, then rotate (NIST SP 800-38D section 8.3).
"""

from __future__ import annotations

from authmw.crypto.roots import RootKeys, UnknownKey, joined
from authmw.crypto.tokens import random_bytes
from authmw.errors import AuthError

_FORMAT = b"\x01"
_HEADER = 5
_NONCE = 12
_TAG = 16
OVERHEAD = _HEADER + _NONCE + _TAG
"""How many bytes a sealed value is longer than what was sealed."""


class SealBroken(AuthError):
    """A sealed value was altered, cut, or moved to another record or purpose, or its root key is gone; which of these is not said."""

    def __init__(self) -> None:
        super().__init__("A sealed value cannot be opened.")


def seal(roots: RootKeys, purpose: str, record_id: str, plaintext: bytes) -> bytes:
    """Encrypt so that only this purpose and record can open it."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    header = _header(roots.newest)
    nonce = random_bytes(_NONCE)
    cipher = AESGCM(roots.derive(_label(purpose)))
    return header + nonce + cipher.encrypt(nonce, plaintext, _bound(header, purpose, record_id))


def unseal(roots: RootKeys, purpose: str, record_id: str, sealed: bytes) -> bytes:
    """What was sealed. Raises SealBroken for everything that is not exactly what `seal` made for this purpose and record."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    version = _version(sealed)
    nonce, ciphertext = sealed[_HEADER : _HEADER + _NONCE], sealed[_HEADER + _NONCE :]
    try:
        cipher = AESGCM(roots.derive(_label(purpose), version))
        return cipher.decrypt(nonce, ciphertext, _bound(_header(version), purpose, record_id))
    except (InvalidTag, UnknownKey):
        raise SealBroken from None


def needs_resealing(roots: RootKeys, sealed: bytes) -> bool:
    """Whether a value was sealed under another root key than the newest. Raises SealBroken for what cannot be a sealed value."""
    return _version(sealed) != roots.newest


def _version(sealed: bytes) -> int:
    if len(sealed) < OVERHEAD or not sealed.startswith(_FORMAT):
        raise SealBroken
    return int.from_bytes(sealed[len(_FORMAT) : _HEADER], "big")


def _header(version: int) -> bytes:
    return _FORMAT + version.to_bytes(_HEADER - len(_FORMAT), "big")


def _label(purpose: str) -> str:
    return f"seal {purpose}"


def _bound(header: bytes, purpose: str, record_id: str) -> bytes:
    return header + joined(("authmw/seal/1", purpose, record_id))
