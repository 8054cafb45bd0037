"""The only module that reads the time. Everything else is told what time it is.

`SystemClock` is what an `Auth` uses unless it is given another; tests and users' code give it `authmw.testing.FixedClock`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Protocol

_still: ContextVar[float | None] = ContextVar("authmw_still", default=None)


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


def seconds(clock: Clock) -> Callable[[], float]:
    """What tells a clock's time in seconds since 1970 (POSIX), for comparing on every request: of the system's own without making a date, which is several times dearer."""
    return time.time if type(clock) is SystemClock else lambda: clock.now().timestamp()


def ticks() -> float:
    """Seconds of a clock that never goes back, for measuring how long something took; says nothing about the date."""
    still = _still.get()
    return time.monotonic() if still is None else still


@contextmanager
def standing_still() -> Generator[None]:
    """Let no time pass for `ticks` in this context. For work whose outcome is a matter of order alone, which a slow machine must not change: nothing takes long, so nobody's patience ends."""
    token = _still.set(ticks())
    try:
        yield
    finally:
        _still.reset(token)
