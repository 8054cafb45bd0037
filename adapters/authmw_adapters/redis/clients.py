"""Clients of Redis for what may lie on one node or on a cluster: from the calling thread, or on the running loop, which has connections of its own.

Law: nothing is tried twice but a script that the server does not know yet. What goes wrong leaves as StorageError, without its text, which may hold values.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from redis import Redis
from redis import asyncio as redis_asyncio
from redis.asyncio.cluster import RedisCluster as AsyncRedisCluster
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.exceptions import NoScriptError, ReadOnlyError, RedisError
from redis.retry import Retry

from authmw.errors import StorageError
from authmw.storage import IO
from authmw_adapters.redis.connections import OPTIONS, SECONDS, Script
from authmw_adapters.redis.server import troubles


def checked_prefix(prefix: str) -> str:
    """The prefix. ValueError if it would part from their slot what must lie in one."""
    if not prefix or "{" in prefix or "}" in prefix:
        raise ValueError("A prefix is a text without braces.")
    return prefix


class _Clients:
    """What both have in common. `failing` is what StorageError says, `seconds` how long a connection or an answer may take."""

    def __init__(self, address: str, failing: str, *, cluster: bool, seconds: float = SECONDS) -> None:
        self._address = address
        self._failing = failing
        self._cluster = cluster
        self._options = {**OPTIONS, "socket_timeout": seconds, "socket_connect_timeout": seconds}

    def troubles(self, named: str, *, drops: str | None = None) -> Iterator[str]:
        """What an operator should mend at the server of this address; of a cluster, at that node."""
        return troubles(self._address, named, drops=drops)

    @contextmanager
    def _faults(self) -> Generator[None]:
        try:
            yield
        except (RedisError, OSError, TimeoutError):
            raise StorageError(self._failing) from None


class Clients(_Clients):
    """On the blocking client."""

    io: IO = "blocking"
    _client: Any = None

    async def ask(self, *command: Any) -> Any:
        """The answer to a command."""
        return self._given(lambda client: client.execute_command(*command))

    async def run(self, script: Script, keys: Sequence[str], *arguments: Any) -> Any:
        """What a script answers; its keys share a slot."""
        given = (len(keys), *keys, *arguments)

        def run(client: Any) -> Any:
            try:
                return client.evalsha(script.digest, *given)
            except NoScriptError:
                return client.eval(script.text, *given)

        return self._given(run)

    async def close(self) -> None:
        """Close the connections; the next call opens them again."""
        client, self._client = self._client, None
        if client is not None:
            with self._faults():
                client.close()

    def _given(self, ask: Callable[[Any], Any]) -> Any:
        with self._faults():
            client = self._connected()
            try:
                return ask(client)
            except ReadOnlyError:
                # Another took this server's place, and what was open leads to it still.
                if not self._cluster:
                    client.connection_pool.disconnect(inuse_connections=False)
                raise

    def _connected(self) -> Any:
        client = self._client
        if client is None:
            kind = RedisCluster if self._cluster else Redis
            client = self._client = kind.from_url(self._address, retry=Retry(NoBackoff(), 0), **self._options)
        return client


class AsyncClients(_Clients):
    """On the asyncio client."""

    io: IO = "async"

    def __init__(self, address: str, failing: str, *, cluster: bool, seconds: float = SECONDS) -> None:
        super().__init__(address, failing, cluster=cluster, seconds=seconds)
        self._by_loop: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = weakref.WeakKeyDictionary()

    async def ask(self, *command: Any) -> Any:
        """As the blocking one."""
        return await self._given(lambda client: client.execute_command(*command))

    async def run(self, script: Script, keys: Sequence[str], *arguments: Any) -> Any:
        """As the blocking one."""
        given = (len(keys), *keys, *arguments)

        async def run(client: Any) -> Any:
            try:
                return await client.evalsha(script.digest, *given)
            except NoScriptError:
                return await client.eval(script.text, *given)

        return await self._given(run)

    async def close(self) -> None:
        """Close this loop's connections; the next call opens them again."""
        if client := self._by_loop.pop(asyncio.get_running_loop(), None):
            with self._faults():
                await client.aclose()

    async def _given(self, ask: Callable[[Any], Awaitable[Any]]) -> Any:
        with self._faults():
            client = self._connected()
            try:
                return await ask(client)
            except ReadOnlyError:
                if not self._cluster:
                    await client.connection_pool.disconnect(inuse_connections=False)
                raise

    def _connected(self) -> Any:
        loop = asyncio.get_running_loop()
        client = self._by_loop.get(loop)
        if client is None:
            kind: Any = AsyncRedisCluster if self._cluster else redis_asyncio.Redis
            client = kind.from_url(self._address, retry=AsyncRetry(NoBackoff(), 0), **self._options)
            self._by_loop[loop] = client
        return client
