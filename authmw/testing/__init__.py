"""What tests of authmw, of its adapters and of hosts share."""

from authmw.testing.authenticators import (
    AttestationAuthority,
    DeviceKey,
    Edits,
    InvalidState,
    NotAllowed,
    SecurityFault,
    VirtualAuthenticator,
    VirtualCredential,
)
from authmw.testing.clock import FixedClock
from authmw.testing.interleaving import TakingTurns, interleave, turn

__all__ = [
    "AttestationAuthority",
    "DeviceKey",
    "Edits",
    "FixedClock",
    "InvalidState",
    "NotAllowed",
    "SecurityFault",
    "TakingTurns",
    "VirtualAuthenticator",
    "VirtualCredential",
    "interleave",
    "turn",
]
