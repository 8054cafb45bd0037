"""Ethereum addresses and signatures of any EVM-compatible chain.

Law: what is verified is our own stored text; the key that is recovered from the signature must be the address's (ERC-191, WAL-02). A signature has one spelling:
65 bytes, 0 < r < n, 0 < s <= n/2 (EIP-2), v one of 0, 1, 27, 28. Contract wallets are refused: their signatures cannot be checked without their chain.
"""

from __future__ import annotations

import importlib
import re
from typing import Any

from authmw.crypto import tokens
from authmw.errors import Refused

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_SIGNATURE = re.compile(r"(?:0x)?([0-9a-fA-F]{130})")
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def canonical_address(text: str) -> str:
    """An address in its checksummed spelling (ERC-55). Refused: `invalid_crypto_wallet_address` for anything else, a wrong checksum and the zero address."""
    if not _ADDRESS.fullmatch(text) or int(text, 16) == 0:
        raise Refused("invalid_crypto_wallet_address")
    checksummed = _checksummed(text[2:].lower())
    mixed = text[2:] not in {text[2:].lower(), text[2:].upper()}
    if mixed and text != checksummed:
        raise Refused("invalid_crypto_wallet_address")
    return checksummed


def check_signature(address: str, text: str, signature: str) -> None:
    """Refused: `unable_to_authenticate_crypto_wallet` unless the key of this canonical address signed this text with `personal_sign`."""
    match = _SIGNATURE.fullmatch(signature)
    if match is None:
        raise Refused("unable_to_authenticate_crypto_wallet")
    raw = bytes.fromhex(match.group(1))
    r, s, v = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:64], "big"), raw[64]
    if not (0 < r < _ORDER and 0 < s <= _ORDER // 2 and v in {0, 1, 27, 28}):
        raise Refused("unable_to_authenticate_crypto_wallet")
    signer = _recovered(digest_of(text), raw[:64], v % 27)
    if signer is None or not tokens.same(signer, bytes.fromhex(address[2:])):
        raise Refused("unable_to_authenticate_crypto_wallet")


def digest_of(text: str) -> bytes:
    """What `personal_sign` signs of a text (ERC-191, version 0x45)."""
    message = text.encode()
    return _keccak(b"\x19Ethereum Signed Message:\n" + str(len(message)).encode() + message)


def address_of(public_key: bytes) -> bytes:
    """The 20 bytes of an address: the end of the hash of the uncompressed key without its first byte."""
    return _keccak(public_key[1:])[12:]


def _recovered(digest: bytes, compact: bytes, recovery: int) -> bytes | None:
    try:
        return address_of(_public_key(digest, compact + bytes([recovery])))
    except Exception:  # noqa: BLE001 -- the libraries raise what they like for a point that is not on the curve
        return None


def _public_key(digest: bytes, signature: bytes) -> bytes:
    """The uncompressed public key behind a recoverable signature, by whichever library this Python has."""
    try:
        from coincurve import PublicKey
    except ImportError:
        other: Any = importlib.import_module("eth_keys.datatypes")  # has no types
        recovered: bytes = (
            other.Signature(signature_bytes=signature).recover_public_key_from_msg_hash(digest).to_bytes()
        )
        return b"\x04" + recovered
    return PublicKey.from_signature_and_message(signature, digest, hasher=None).format(compressed=False)


def _keccak(data: bytes) -> bytes:
    from Crypto.Hash import keccak

    return keccak.new(digest_bits=256, data=data).digest()


def _checksummed(lower: str) -> str:
    hashed = _keccak(lower.encode("ascii")).hex()
    return "0x" + "".join(
        character.upper() if int(digit, 16) >= 8 else character for character, digit in zip(lower, hashed, strict=False)
    )
