"""`RedisLimiter`: limits in Redis, counted by one script for all processes.

The counts of a prefix share one slot, so that several are charged together or not at all; on a cluster, give each project a prefix of its own.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from redis import Redis
from redis import asyncio as redis_asyncio
from redis.asyncio.cluster import RedisCluster as AsyncRedisCluster
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.exceptions import NoScriptError, RedisError
from redis.retry import Retry

from authmw.errors import StorageError
from authmw.limits import Count, Limit, nanoseconds, remaining, take_all
from authmw.storage import IO
from authmw_adapters.redis.connections import OPTIONS, Script

_SCRIPT = Script.of("take")
_SECOND = 1_000_000_000


class _Limiter:
    """What both limiters say to Redis and make of its answers."""

    def __init__(self, address: str, prefix: str, *, cluster: bool) -> None:
        if not prefix or "{" in prefix or "}" in prefix:
            raise ValueError("A prefix is a text without braces.")
        self._address = address
        self._prefix = prefix
        self._cluster = cluster

    def _key(self, limit: Limit) -> str:
        return f"{{{self._prefix}}}:{limit.digest}"

    def _taking(self, limits: Sequence[Limit], moment: int) -> tuple[str | int, ...]:
        """Keys and arguments of the script."""
        told: list[int] = [*divmod(moment, _SECOND)]
        for limit in limits:
            told += _terms(limit)
        return (len(limits), *map(self._key, limits), *told)


class RedisLimiter(_Limiter):
    """A `RateLimiter` on the blocking client. `address` is a URL (`redis://`, `rediss://`, `unix://`), with `cluster=True` that of any node of a cluster.

    A count is as durable as the server keeps what it was told: with neither `appendonly` nor a replica a restart forgets it. Raises ValueError for a prefix with braces.
    """

    io: IO = "blocking"

    def __init__(self, address: str, prefix: str = "authmw", *, cluster: bool = False) -> None:
        super().__init__(address, prefix, cluster=cluster)
        self._client: Any = None

    async def prepare(self) -> None:
        """See whether the server answers."""
        with _faults():
            self._connected().ping()

    async def take(self, *limits: Limit, now: datetime) -> None:
        """Charge every limit once, or none."""
        moment, charged = nanoseconds(now), list(dict.fromkeys(limits))
        if not charged:
            return
        taking = self._taking(charged, moment)
        with _faults():
            try:
                held = self._connected().evalsha(_SCRIPT.digest, *taking)
            except NoScriptError:
                held = self._connected().eval(_SCRIPT.text, *taking)
        _refuse(charged, held, moment)

    async def peek(self, limit: Limit, now: datetime) -> int:
        """How many could be taken now."""
        with _faults():
            held = self._connected().get(self._key(limit))
        return remaining(limit, _count(limit, held), nanoseconds(now))

    async def reset(self, *limits: Limit) -> None:
        """Forget what was counted."""
        if limits:
            with _faults():
                self._connected().delete(*map(self._key, limits))

    async def close(self) -> None:
        """Close the connections; the next call opens them again."""
        if self._client is not None:
            with _faults():
                self._client.close()
            self._client = None

    def _connected(self) -> Any:
        if self._client is None:
            kind = RedisCluster if self._cluster else Redis
            self._client = kind.from_url(self._address, retry=Retry(NoBackoff(), 0), **OPTIONS)
        return self._client


class AsyncRedisLimiter(_Limiter):
    """A `RateLimiter` on the asyncio client, with connections of its own for each loop; otherwise as `RedisLimiter`."""

    io: IO = "async"

    def __init__(self, address: str, prefix: str = "authmw", *, cluster: bool = False) -> None:
        super().__init__(address, prefix, cluster=cluster)
        self._clients: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = weakref.WeakKeyDictionary()

    async def prepare(self) -> None:
        """See whether the server answers."""
        with _faults():
            await self._connected().ping()

    async def take(self, *limits: Limit, now: datetime) -> None:
        """Charge every limit once, or none."""
        moment, charged = nanoseconds(now), list(dict.fromkeys(limits))
        if not charged:
            return
        taking = self._taking(charged, moment)
        with _faults():
            try:
                held = await self._connected().evalsha(_SCRIPT.digest, *taking)
            except NoScriptError:
                held = await self._connected().eval(_SCRIPT.text, *taking)
        _refuse(charged, held, moment)

    async def peek(self, limit: Limit, now: datetime) -> int:
        """How many could be taken now."""
        with _faults():
            held = await self._connected().get(self._key(limit))
        return remaining(limit, _count(limit, held), nanoseconds(now))

    async def reset(self, *limits: Limit) -> None:
        """Forget what was counted."""
        if limits:
            with _faults():
                await self._connected().delete(*map(self._key, limits))

    async def close(self) -> None:
        """Close this loop's connections; the next call opens them again."""
        if client := self._clients.pop(asyncio.get_running_loop(), None):
            with _faults():
                await client.aclose()

    def _connected(self) -> Any:
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            kind: Any = AsyncRedisCluster if self._cluster else redis_asyncio.Redis
            client = self._clients[loop] = kind.from_url(self._address, retry=AsyncRetry(NoBackoff(), 0), **OPTIONS)
        return client


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


@contextmanager
def _faults() -> Generator[None]:
    try:
        yield
    except (RedisError, OSError, TimeoutError):
        raise StorageError("The limits cannot be counted now.") from None
