"""What a wallet is on its user, and in a session."""

from __future__ import annotations

from datetime import datetime

from authmw.factors.wallet.rules import WalletType, identity_of
from authmw.people.records import Part, Proved

KIND = "crypto_wallet"


def part_of(wallet_id: str, wallet_type: WalletType, address: str, now: datetime) -> Part:
    """A wallet as its user has it."""
    return Part(
        part_id=wallet_id,
        kind=KIND,
        verified=True,
        created_at=now,
        details={"address": address, "wallet_type": wallet_type},
        identity=identity_of(wallet_type, address),
    )


def proved(part: Part, now: datetime) -> Proved:
    """The factor that a wallet is in a session."""
    shown = {
        "crypto_wallet_id": part.part_id,
        "crypto_wallet_address": str(part.details["address"]),
        "crypto_wallet_type": str(part.details["wallet_type"]),
    }
    return Proved(
        type="crypto",
        delivery_method="crypto_wallet",
        last_authenticated_at=now,
        created_at=now,
        updated_at=now,
        details={"crypto_wallet_factor": shown},
        category="account",
    )
