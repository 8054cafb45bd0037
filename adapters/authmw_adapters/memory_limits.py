"""Limits counted in memory: for tests and for a host of one process."""

from __future__ import annotations

import heapq
import threading
from datetime import datetime

from authmw.limits import Count, Limit, nanoseconds, remaining, take_all
from authmw.storage import IO


class MemoryLimiter:
    """A `RateLimiter` for one process. Holds at most `maximum` counts; what is nearest to full again is let go first."""

    io: IO = "instant"

    def __init__(self, maximum: int = 100_000) -> None:
        if maximum < 1:
            raise ValueError("A limiter counts at least one thing.")
        self._maximum = maximum
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[Count, bool]] = {}

    async def prepare(self) -> None:
        """Nothing needs to be made."""

    async def take(self, *limits: Limit, now: datetime) -> None:
        """Charge every limit once, or none."""
        moment = nanoseconds(now)
        with self._lock:
            held = {limit: self._counts.get(limit.digest, (0, False))[0] for limit in limits}
            after = take_all(held, moment)
            self._counts.update((limit.digest, (count, limit.per is None)) for limit, count in after.items())
            if len(self._counts) > self._maximum:
                self._let_go(moment)

    async def peek(self, limit: Limit, now: datetime) -> int:
        """How many could be taken now."""
        return remaining(limit, self._counts.get(limit.digest, (0, False))[0], nanoseconds(now))

    async def reset(self, *limits: Limit) -> None:
        """Forget what was counted."""
        with self._lock:
            for limit in limits:
                self._counts.pop(limit.digest, None)

    async def close(self) -> None:
        """Nothing to let go of."""

    def _let_go(self, now: int) -> None:
        """Drop a tenth: first what is full again, then what will be soonest. What never refills goes last, the smallest count first."""
        many = max(1, self._maximum // 10, len(self._counts) - self._maximum)
        for digest in heapq.nsmallest(many, self._counts, key=lambda digest: _worth(self._counts[digest], now)):
            del self._counts[digest]


def _worth(held: tuple[Count, bool], now: int) -> tuple[bool, int]:
    count, forever = held
    return (forever, count if forever else max(0, count - now))
