"""Wallets for tests: real keys that sign as the wallets of people do."""

from __future__ import annotations

from typing import Literal

from coincurve import PrivateKey
from Crypto.Hash import keccak
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from authmw.factors.wallet import base58
from authmw.factors.wallet.ethereum import address_of, canonical_address


class EthereumWallet:
    """A wallet that offers `personal_sign` (ERC-191)."""

    wallet_type: Literal["ethereum"] = "ethereum"

    def __init__(self, seed: int) -> None:
        self._key = PrivateKey(seed.to_bytes(32, "big"))
        raw = address_of(self._key.public_key.format(compressed=False))
        self.address = canonical_address("0x" + raw.hex())

    def sign(self, text: str) -> str:
        message = text.encode()
        prefixed = b"\x19Ethereum Signed Message:\n" + str(len(message)).encode() + message
        signature = self._key.sign_recoverable(keccak.new(digest_bits=256, data=prefixed).digest(), hasher=None)
        return "0x" + (signature[:64] + bytes([signature[64] + 27])).hex()


class SolanaWallet:
    """A wallet that signs messages with Ed25519."""

    wallet_type: Literal["solana"] = "solana"

    def __init__(self, seed: int) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed.to_bytes(32, "big"))
        self.address = base58.encode(self._key.public_key().public_bytes_raw())

    def sign(self, text: str) -> str:
        return base58.encode(self._key.sign(text.encode()))
