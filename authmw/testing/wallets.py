"""Wallets in software: real keys that sign texts as the wallets of people do. The `wallets` extra is needed."""

from __future__ import annotations

import importlib
from typing import Any, Literal

from authmw.crypto import tokens
from authmw.factors.wallet import base58
from authmw.factors.wallet.ethereum import address_of, canonical_address, digest_of


class EthereumWallet:
    """A wallet of Ethereum or any EVM-compatible chain, which offers `personal_sign` (ERC-191). The same `seed` makes the same wallet, none one of chance."""

    wallet_type: Literal["ethereum"] = "ethereum"

    def __init__(self, seed: int | None = None) -> None:
        self._key = _key(seed)
        self.address = canonical_address("0x" + address_of(_public_key(self._key)).hex())

    def sign(self, text: str) -> str:
        """The signature of a text: 65 bytes in hexadecimal."""
        signature = _signed(self._key, digest_of(text))
        return "0x" + (signature[:64] + bytes([signature[64] + 27])).hex()


class SolanaWallet:
    """A wallet of Solana, which signs messages with Ed25519. `seed` as for `EthereumWallet`."""

    wallet_type: Literal["solana"] = "solana"

    def __init__(self, seed: int | None = None) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        self._key = Ed25519PrivateKey.from_private_bytes(_key(seed))
        self.address = base58.encode(self._key.public_key().public_bytes_raw())

    def sign(self, text: str) -> str:
        """The signature of a text: 64 bytes in base58."""
        return base58.encode(self._key.sign(text.encode()))


def _key(seed: int | None) -> bytes:
    # A number of 31 bytes is below the order of the curve.
    return seed.to_bytes(32, "big") if seed is not None else b"\0" + tokens.random_bytes(31)


def _public_key(key: bytes) -> bytes:
    """The uncompressed public half of a key, by whichever library this Python has."""
    try:
        from coincurve import PrivateKey
    except ImportError:
        public: bytes = _other(key).public_key.to_bytes()
        return b"\x04" + public
    return PrivateKey(key).public_key.format(compressed=False)


def _signed(key: bytes, digest: bytes) -> bytes:
    """A recoverable signature, its last byte 0 or 1."""
    try:
        from coincurve import PrivateKey
    except ImportError:
        signature: bytes = _other(key).sign_msg_hash(digest).to_bytes()
        return signature
    return PrivateKey(key).sign_recoverable(digest, hasher=None)


def _other(key: bytes) -> Any:
    datatypes: Any = importlib.import_module("eth_keys.datatypes")  # has no types
    return datatypes.PrivateKey(key)
