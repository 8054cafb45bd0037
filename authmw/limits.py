"""Limits: how often something may be tried. A pure rule (GCRA), with the time as an argument, and the port that counts by it.

Law: a take charges all its limits or none, before whatever it guards is compared or sent; a clock that goes back gains nobody anything.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Literal, Protocol

import attrs

from authmw.errors import AuthError


@attrs.frozen
class Limit:
    """So many (`burst`) at once, refilled evenly over `per`; with `per=None` it never refills and only `reset` clears it.

    `key` names what is counted; its parts never reach a store in clear.
    """

    name: str
    key: tuple[str, ...] = attrs.field(repr=False)
    burst: int
    per: timedelta | None

    @property
    def digest(self) -> str:
        """Where this limit is counted: a hash of its name and the parts of its key, each with its length."""
        parts = "".join(f"{len(part)}:{part}" for part in (self.name, *self.key))
        return hashlib.sha256(parts.encode()).hexdigest()


class LimitReached(AuthError):
    """A limit is used up. `retry_after` is in seconds, None for one that never refills. Nothing was charged."""

    def __init__(self, name: str, retry_after: float | None) -> None:
        super().__init__(f"The limit {name} is used up.")
        self.name = name
        self.retry_after = retry_after


def take_one(limit: Limit, state: float, now: float) -> float:
    """The new state of a limit after one more. LimitReached if there is no room.

    The state is the theoretical arrival time of the generic cell rate algorithm (ITU-T I.371) in seconds, or how many were taken of a limit that never
    refills.
    """
    if limit.per is None:
        if state >= limit.burst:
            raise LimitReached(limit.name, None)
        return state + 1
    interval = limit.per.total_seconds() / limit.burst
    earliest = max(state, now) + interval - limit.per.total_seconds()
    if earliest > now + 1e-9:
        raise LimitReached(limit.name, earliest - now)
    return max(state, now) + interval


class RateLimiter(Protocol):
    """Counts, atomically and for all processes that share the store."""

    io: Literal["instant", "blocking", "async"]

    async def take(self, *limits: Limit, now: datetime) -> None:
        """Charge every limit once, or none: LimitReached with the longest wait."""
        ...

    async def reset(self, *limits: Limit) -> None:
        """Forget what was counted for these."""
        ...
