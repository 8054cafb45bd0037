"""`RedisSessionCache`: copies of sessions and their users in Redis, on one node or on a cluster, beside a storage of any kind.

Each copy lies under a key of its own with the version of its record, so on a cluster they spread over its nodes. One script keeps a copy only where nothing later is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from authmw.storage import IO
from authmw_adapters.redis.clients import AsyncClients, Clients, checked_prefix
from authmw_adapters.redis.connections import Script

SECONDS = 0.5
"""How long a connection or an answer may take: storage could have been asked meanwhile."""
KEPT = timedelta(minutes=15)
_COPY = Script.of("copy")
_FAILING = "The session cache cannot be reached now."
_MILLISECOND = timedelta(milliseconds=1)


class _SessionCache:
    """What both caches say to Redis and make of its answers."""

    io: IO

    def __init__(self, clients: Clients | AsyncClients, prefix: str, kept: timedelta) -> None:
        if not timedelta(minutes=2) <= kept <= timedelta(hours=1):
            raise ValueError("A session cache keeps what it was told for 2 minutes to 1 hour.")
        self.kept = kept
        self._prefix = checked_prefix(prefix)
        self._clients = clients

    async def get(self, key: str) -> bytes | None:
        """The copy that is kept under a key."""
        held: bytes | None = await self._clients.ask("GET", self._key(key))
        return held.partition(b":")[2] or None if held else None

    async def put(self, key: str, version: int, copy: bytes, lives: timedelta) -> None:
        """Keep a copy of this version, or none before it, unless a later one is known."""
        if lives >= _MILLISECOND:
            await self._clients.run(_COPY, [self._key(key)], version, copy, lives // _MILLISECOND)

    def inspect(self) -> Iterator[str]:
        """What an operator should mend at the server: one that takes nothing cannot be told that a session has ended."""
        return self._clients.troubles("The Redis that keeps copies of sessions")

    async def close(self) -> None:
        """Close the connections; the next call opens them again."""
        await self._clients.close()

    def _key(self, key: str) -> str:
        return f"{self._prefix}:copy:{key}"


class RedisSessionCache(_SessionCache):
    """A `SessionCache` on the blocking client. `address` is a URL (`redis://`, `rediss://`, `unix://`), with `cluster=True` that of any node of a cluster.

    `kept` is how long what was read from storage is believed at most (2 minutes to 1 hour): the bound within which a session that was ended is refused, should Redis not have been told of
    it; one number for all processes. `prefix` begins every key. The server may forget anything at any time, so it needs neither `appendonly` nor a `maxmemory-policy` of its own.
    Raises ValueError for another `kept` and for a prefix with braces.
    """

    io: IO = "blocking"

    def __init__(self, address: str, prefix: str = "authmw", *, cluster: bool = False, kept: timedelta = KEPT) -> None:
        super().__init__(Clients(address, _FAILING, cluster=cluster, seconds=SECONDS), prefix, kept)


class AsyncRedisSessionCache(_SessionCache):
    """A `SessionCache` on the asyncio client, with connections of its own for each loop; otherwise as `RedisSessionCache`."""

    io: IO = "async"

    def __init__(self, address: str, prefix: str = "authmw", *, cluster: bool = False, kept: timedelta = KEPT) -> None:
        super().__init__(AsyncClients(address, _FAILING, cluster=cluster, seconds=SECONDS), prefix, kept)
