"""What tests of authmw, of its adapters and of hosts share."""

from authmw.testing.authenticators import (
    AttestationAuthority,
    DeviceKey,
    InvalidState,
    NotAllowed,
    SecurityFault,
    VirtualAuthenticator,
    VirtualCredential,
)
from authmw.testing.clock import FixedClock
from authmw.testing.interleaving import TakingTurns, interleave, turn
from authmw.testing.lies import LIES, SIGN_IN_LIES, Edits
from authmw.testing.stand_ins import Person, StandIns
from authmw.testing.wallets import EthereumWallet, SolanaWallet

__all__ = [
    "LIES",
    "SIGN_IN_LIES",
    "AttestationAuthority",
    "DeviceKey",
    "Edits",
    "EthereumWallet",
    "FixedClock",
    "InvalidState",
    "NotAllowed",
    "Person",
    "SecurityFault",
    "SolanaWallet",
    "StandIns",
    "TakingTurns",
    "VirtualAuthenticator",
    "VirtualCredential",
    "interleave",
    "turn",
]
