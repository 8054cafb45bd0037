"""Solana addresses and signatures: an address is an Ed25519 public key in base58, a signature 64 bytes of it."""

from __future__ import annotations

from authmw.crypto import ed25519
from authmw.errors import Refused
from authmw.factors.wallet import base58


def canonical_address(text: str) -> str:
    """The address. Refused: `invalid_crypto_wallet_address` for what is no key of 32 bytes in base58, or one of small order (WAL-03)."""
    try:
        ed25519.check_key(base58.decode(text, ed25519.KEY_BYTES) or b"")
    except ed25519.InvalidSignature:
        raise Refused("invalid_crypto_wallet_address") from None
    return text


def check_signature(address: str, text: str, signature: str) -> None:
    """Refused: `unable_to_authenticate_crypto_wallet` unless the key of this address signed this text."""
    key = base58.decode(address, ed25519.KEY_BYTES) or b""
    raw = base58.decode(signature, ed25519.SIGNATURE_BYTES) or b""
    try:
        ed25519.verify(key, raw, text.encode())
    except ed25519.InvalidSignature:
        raise Refused("unable_to_authenticate_crypto_wallet") from None
