"""A clock that a test sets."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta


class FixedClock:
    """Stands still until it is moved, forward or back."""

    def __init__(self, start: datetime | None = None) -> None:
        self._lock = threading.Lock()
        self._now = start or datetime(2026, 1, 1, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        """The time it shows."""
        return self._now

    def advance(self, **by: float) -> datetime:
        """Move it by so many `days`, `hours`, `minutes`, `seconds`, as `timedelta` takes them; negative moves it back."""
        with self._lock:
            self._now += timedelta(**by)
        return self._now
