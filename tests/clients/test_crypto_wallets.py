"""Crypto wallets by the vendor's own Python client."""

from __future__ import annotations

import pytest
import stytch
from stytch.core.response_base import StytchError

from authmw.testing import EthereumWallet

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


def test_a_wallet_signs_in_and_is_deleted(client: stytch.Client) -> None:
    wallet = EthereumWallet(21)
    siwe = {"domain": "app.example.com", "uri": "https://app.example.com/", "resources": []}
    started = client.crypto_wallets.authenticate_start("ethereum", wallet.address, siwe_params=siwe)
    assert started.user_created
    signed_in = client.crypto_wallets.authenticate(
        "ethereum", wallet.address, wallet.sign(started.challenge), session_duration_minutes=60
    )
    assert signed_in.siwe_params.domain == "app.example.com"
    assert signed_in.session.authentication_factors[0].crypto_wallet_factor.crypto_wallet_address == wallet.address
    with pytest.raises(StytchError) as refused:
        client.crypto_wallets.authenticate("ethereum", wallet.address, "0x" + "00" * 65)
    assert refused.value.details.error_type == "unable_to_authenticate_crypto_wallet"
    with pytest.raises(StytchError) as last:
        client.users.delete_crypto_wallet(signed_in.user.crypto_wallets[0].crypto_wallet_id)
    assert last.value.details.error_type == "cannot_delete_last_primary_factor"
