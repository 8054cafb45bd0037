"""Crypto wallets as browsers reach them: the answer tells nobody whether an address is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from authmw.rows import DURATION, SESSION, Row, signed_in

if TYPE_CHECKING:
    from authmw.consumer.crypto_wallets.operations import CryptoWallets


def rows(wallets: CryptoWallets) -> tuple[Row, ...]:
    """The rows of this product."""
    start = "/sdk/v1/crypto_wallets/authenticate/start"
    return (
        Row(method="POST", path=f"{start}/primary", call=wallets.authenticate_start, show=_challenge, hides=SESSION),
        Row(
            method="POST",
            path=f"{start}/secondary",
            call=wallets.authenticate_start,
            show=_challenge,
            hides=SESSION,
            needs_session=True,
        ),
        Row(
            method="POST",
            path="/sdk/v1/crypto_wallets/authenticate",
            call=wallets.authenticate,
            show=signed_in,
            hides=SESSION,
            requires=DURATION,
            grants=True,
        ),
    )


def _challenge(answer: Any) -> dict[str, Any]:
    return {"request_id": answer.request_id, "status_code": answer.status_code, "challenge": answer.challenge}
