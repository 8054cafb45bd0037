"""Limits: how often something may be tried. A pure rule (GCRA), with the time as an argument, and the port that counts by it.

Law: a take charges all its limits or none, before whatever it guards is compared or sent; a clock that goes back gains nobody anything.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol, TypeAlias

import attrs

from authmw.errors import AuthError

Count: TypeAlias = int
"""What a store keeps of a limit: of one that refills, the nanosecond at which it is full again; of one that does not, how many were taken."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@attrs.frozen
class Limit:
    """So many (`burst`) at once, refilled evenly over `per`; with `per=None` it never refills and only `reset` clears it.

    `key` names what is counted; its parts never reach a store in clear. Raises ValueError for a burst below 1, or one too large to be counted exactly.
    """

    name: str
    key: tuple[str, ...] = attrs.field(repr=False)
    burst: int
    per: timedelta | None

    def __attrs_post_init__(self) -> None:
        # Beyond the square root the rounding of `interval` would add up to one more within a burst.
        if self.burst < 1 or (self.per is not None and self.burst**2 >= self.per // _MICROSECOND * 1000):
            message = f"The limit {self.name} cannot be counted."
            raise ValueError(message)

    @classmethod
    def during(cls, life: timedelta, name: str, key: tuple[str, ...], burst: int) -> Limit:
        """So many of something that lives no longer than `life`: none comes back meanwhile, and the count of what is over ends by itself, as one that never refills would not."""
        return cls(name, key, burst, life * burst)

    @property
    def whole(self) -> int:
        """How long it takes to refill from nothing, in nanoseconds; 0 if it never does."""
        return self.per // _MICROSECOND * 1000 if self.per is not None else 0

    @functools.cached_property
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


def nanoseconds(time: datetime) -> int:
    """A time as nanoseconds since 1970. TypeError for a naive one."""
    return (time - _EPOCH) // _MICROSECOND * 1000


def take_one(limit: Limit, count: Count, now: int) -> Count:
    """The count of a limit after one more at `now` (nanoseconds). LimitReached if there is no room.

    The generic cell rate algorithm (ITU-T I.371, virtual scheduling) in integers: a float of today's date is too coarse to count a burst exactly.
    """
    if limit.per is None:
        if count >= limit.burst:
            raise LimitReached(limit.name, None)
        return count + 1
    whole = limit.whole
    full_again = max(count, now) + whole // limit.burst
    if full_again - whole > now:
        raise LimitReached(limit.name, (full_again - whole - now) / 1e9)
    return full_again


def take_all(counts: Mapping[Limit, Count], now: int) -> dict[Limit, Count]:
    """The counts of several limits after one more of each. LimitReached with the longest wait if there is no room in one of them."""
    after: dict[Limit, Count] = {}
    reached: list[LimitReached] = []
    for limit, count in counts.items():
        try:
            after[limit] = take_one(limit, count, now)
        except LimitReached as full:
            reached.append(full)
    if reached:
        raise max(reached, key=_wait)
    return after


def _wait(reached: LimitReached) -> float:
    return float("inf") if reached.retry_after is None else reached.retry_after


def remaining(limit: Limit, count: Count, now: int) -> int:
    """How many could be taken at `now`."""
    if limit.per is None:
        return max(0, limit.burst - count)
    whole = limit.whole
    return min(limit.burst, max(0, (whole - max(0, count - now)) // (whole // limit.burst)))


class RateLimiter(Protocol):
    """Counts, atomically and for all processes that share the store."""

    @property
    def io(self) -> Literal["instant", "blocking", "async"]:
        """How the methods wait; as `Storage.io`."""
        ...

    async def prepare(self) -> None:
        """Make ready to count; idempotent. An adapter that was not prepared makes ready at its first use."""
        ...

    async def take(self, *limits: Limit, now: datetime) -> None:
        """Charge every limit once, or none: LimitReached with the longest wait. StorageError if it cannot count; then nothing may go on."""
        ...

    async def peek(self, limit: Limit, now: datetime) -> int:
        """How many could be taken now, which may be another number when they are."""
        ...

    async def reset(self, *limits: Limit) -> None:
        """Forget what was counted for these."""
        ...

    async def close(self) -> None:
        """Let go of connections; the next call opens them again."""
        ...
