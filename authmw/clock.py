"""The only module that reads the time. Everything else is told what time it is.

`SystemClock` is what an `Auth` uses unless it is given another; tests and users' code give it `authmw.testing.FixedClock`.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """The present moment as an aware datetime in UTC."""
        ...


class SystemClock:
    """The operating system's clock."""

    def now(self) -> datetime:
        """The present moment in UTC."""
        return datetime.now(UTC)


def ticks() -> float:
    """Seconds of a clock that never goes back, for measuring how long something took; says nothing about the date."""
    return time.monotonic()
