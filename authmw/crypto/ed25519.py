"""Ed25519 signatures, verified strictly: for Solana wallets, passkeys and device keys.

Law: besides RFC 8032 section 5.1.7 a key or commitment of small order is refused: under such a key one signature fits many messages, and the library below accepts
it (WAL-03).
"""

from __future__ import annotations

from authmw.errors import AuthError

KEY_BYTES = 32
SIGNATURE_BYTES = 64
_P = 2**255 - 19
_SIGN_BIT = 1 << 255
_ORDER_8 = (
    int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
    int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"),
)
_SMALL_ORDER = frozenset({0, 1, _P - 1, _P, _P + 1, *_ORDER_8})
"""The y coordinates, also the non-canonical spellings, of the eight points whose order divides 8."""


class InvalidSignature(AuthError):
    """A signature does not belong to key and message, or one of them cannot be trusted; which of these is not said."""

    def __init__(self) -> None:
        super().__init__("The signature is not valid.")


def is_small_order(point: bytes) -> bool:
    """Whether an encoded point (32 bytes, little endian, sign bit on top) has an order that divides 8."""
    return int.from_bytes(point, "little") & ~_SIGN_BIT in _SMALL_ORDER


def check_key(key: bytes) -> None:
    """Raises InvalidSignature for a public key that cannot be one or has a small order."""
    if len(key) != KEY_BYTES or is_small_order(key):
        raise InvalidSignature


def verify(key: bytes, signature: bytes, message: bytes) -> None:
    """Return if the signature (64 bytes) is that of the key (32 bytes) over the message; raises InvalidSignature otherwise."""
    from cryptography import exceptions
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    check_key(key)
    if len(signature) != SIGNATURE_BYTES or is_small_order(signature[:32]):
        raise InvalidSignature
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (exceptions.InvalidSignature, ValueError):
        raise InvalidSignature from None
