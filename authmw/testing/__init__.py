"""What tests of authmw, of its adapters and of hosts share."""

from authmw.testing.clock import FixedClock

__all__ = ["FixedClock"]
