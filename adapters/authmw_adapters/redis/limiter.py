"""`RedisLimiter`: limits in Redis, counted by one script for all processes.

The counts of a prefix share one slot, so that several are charged together or not at all; on a cluster, give each project a prefix of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from authmw.errors import StorageError
from authmw.limits import Count, Limit, nanoseconds, remaining, take_all
from authmw.storage import IO
from authmw_adapters.redis.clients import AsyncClients, Clients, checked_prefix
from authmw_adapters.redis.connections import Script

_FAILING = "The limits cannot be counted now."
_SCRIPT = Script.of("take")
_SECOND = 1_000_000_000


class _Limiter:
    """What both limiters say to Redis and make of its answers."""

    io: IO

    def __init__(self, clients: Clients | AsyncClients, prefix: str) -> None:
        self._prefix = checked_prefix(prefix)
        self._clients = clients

    async def prepare(self) -> None:
        """See whether the server answers."""
        await self._clients.ask("PING")

    def inspect(self) -> Iterator[str]:
        """What an operator should mend at the server."""
        return self._clients.troubles("The Redis that counts limits", drops="counts")

    async def take(self, *limits: Limit, now: datetime) -> None:
        """Charge every limit once, or none."""
        moment, charged = nanoseconds(now), list(dict.fromkeys(limits))
        if not charged:
            return
        told: list[int] = [*divmod(moment, _SECOND)]
        for limit in charged:
            told += _terms(limit)
        _refuse(charged, await self._clients.run(_SCRIPT, list(map(self._key, charged)), *told), moment)

    async def peek(self, limit: Limit, now: datetime) -> int:
        """How many could be taken now."""
        held = await self._clients.ask("GET", self._key(limit))
        return remaining(limit, _count(limit, held), nanoseconds(now))

    async def reset(self, *limits: Limit) -> None:
        """Forget what was counted."""
        if limits:
            await self._clients.ask("DEL", *map(self._key, limits))

    async def close(self) -> None:
        """Close the connections (on a loop: that loop's); the next call opens them again."""
        await self._clients.close()

    def _key(self, limit: Limit) -> str:
        return f"{{{self._prefix}}}:{limit.digest}"


class RedisLimiter(_Limiter):
    """A `RateLimiter` on the blocking client. `address` is a URL (`redis://`, `rediss://`, `unix://`), with `cluster=True` that of any node of a cluster.

    A count is as durable as the server keeps what it was told: with neither `appendonly` nor a replica a restart forgets it. Raises ValueError for a prefix with braces.
    """

    io: IO = "blocking"

    def __init__(self, address: str, prefix: str = "authmw", *, cluster: bool = False) -> None:
        super().__init__(Clients(address, _FAILING, cluster=cluster), prefix)


class AsyncRedisLimiter(_Limiter):
    """A `RateLimiter` on the asyncio client, with connections of its own for each loop; otherwise as `RedisLimiter`."""

    io: IO = "async"

    def __init__(self, address: str, prefix: str = "authmw", *, cluster: bool = False) -> None:
        super().__init__(AsyncClients(address, _FAILING, cluster=cluster), prefix)


def _terms(limit: Limit) -> tuple[int, int, int, int]:
    """The interval and the whole of a limit, as the script takes them."""
    if limit.per is None:
        return (-1, limit.burst, 0, 0)
    return (*divmod(limit.whole // limit.burst, _SECOND), *divmod(limit.whole, _SECOND))


def _count(limit: Limit, held: bytes | None) -> Count:
    if not held:
        return 0
    if limit.per is None:
        return int(held)
    seconds, nanos = held.split()
    return int(seconds) * _SECOND + int(nanos)


def _refuse(limits: Sequence[Limit], held: Sequence[bytes], moment: int) -> None:
    """Raises LimitReached for what the script found full."""
    if held:
        take_all({limit: _count(limit, one) for limit, one in zip(limits, held, strict=True)}, moment)
        raise StorageError("The limits were full, and are not by what was counted.")
