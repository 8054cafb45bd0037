"""What tests of authmw, of its adapters and of hosts share."""

from authmw.testing.clock import FixedClock
from authmw.testing.interleaving import TakingTurns, interleave, turn

__all__ = ["FixedClock", "TakingTurns", "interleave", "turn"]
