"""Wallets in software sign as those of people do, and are their own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from authmw.errors import Refused
from authmw.factors.wallet.rules import SignInText, canonical_address, check_signature, written
from authmw.testing import EthereumWallet, SolanaWallet

KINDS = (EthereumWallet, SolanaWallet)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def text_for(wallet: EthereumWallet | SolanaWallet) -> SignInText:
    return SignInText(
        wallet_type=wallet.wallet_type,
        address=wallet.address,
        domain="app.example.com",
        uri="https://app.example.com/",
        nonce="abcdefgh",
        issued_at=NOW,
        expires_at=NOW + timedelta(minutes=5),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_wallet_has_an_address_of_its_own_and_signs_for_it(kind: type[EthereumWallet | SolanaWallet]) -> None:
    one, other = kind(), kind()
    assert one.address != other.address
    assert canonical_address(one.wallet_type, one.address) == one.address
    text = text_for(one)
    check_signature(text, one.sign(written(text)))
    with pytest.raises(Refused):
        check_signature(text, other.sign(written(text)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_makes_the_same_wallet_again(kind: type[EthereumWallet | SolanaWallet]) -> None:
    assert kind(7).address == kind(7).address != kind(8).address
