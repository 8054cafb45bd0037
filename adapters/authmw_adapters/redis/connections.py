"""How commands reach Redis: from the calling thread, or on the running loop, which has connections of its own.

Law: nothing is tried twice. What Redis says no with leaves as an error of the port, without its text, which may hold values.
"""

from __future__ import annotations

import asyncio
import hashlib
import weakref
from importlib.resources import files
from typing import Any

import attrs
from redis import BlockingConnectionPool
from redis import asyncio as redis_asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, NoScriptError, OutOfMemoryError, ReadOnlyError, RedisError, ResponseError
from redis.retry import Retry

from authmw import drive
from authmw.errors import OutcomeUnknown, StorageError
from authmw.storage import IO

SECONDS = 5.0
"""How long a connection or an answer may take."""
CONNECTIONS = 50
"""The most connections of a process (on a loop: of the loop); whoever finds all of them in use waits for one, at most as long."""
OPTIONS: dict[str, Any] = {
    "socket_timeout": SECONDS,
    "socket_connect_timeout": SECONDS,
    # With the newer protocol the client does not look whether a connection of its pool was closed meanwhile.
    "protocol": 2,
}
_POOLED = {"max_connections": CONNECTIONS, "timeout": SECONDS, **OPTIONS}
_FAULTS = (RedisError, OSError, TimeoutError)


@attrs.frozen
class Script:
    """A script, by what the server knows it by and in full."""

    text: str
    digest: str

    @classmethod
    def of(cls, *names: str) -> Script:
        """The script that these files of `lua` are one after another."""
        folder = files("authmw_adapters.redis").joinpath("lua")
        text = "\n".join(folder.joinpath(f"{name}.lua").read_text("utf-8") for name in names)
        return cls(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


class Blocking:
    """Speaks to one node from the calling thread."""

    io: IO = "blocking"

    def __init__(self, address: str) -> None:
        self._pool: Any = BlockingConnectionPool.from_url(address, retry=Retry(NoBackoff(), 0), **_POOLED)

    async def ask(self, *command: Any) -> Any:
        """The answer to a command that may be given twice. StorageError if there is none."""
        return await self._sent([command], changes=False)

    async def run(self, script: Script, *arguments: Any, changes: bool = False) -> Any:
        """What a script answers. OutcomeUnknown if it `changes` something and was sent, and no answer came; else StorageError."""
        return await self._sent(_spelled(script, arguments), changes=changes)

    async def close(self) -> None:
        """Close the connections; the next call opens them again."""
        self._pool.disconnect()

    async def _sent(self, commands: list[tuple[Any, ...]], *, changes: bool) -> Any:
        try:
            connection = self._pool.get_connection()
        except _FAULTS:
            raise _unreachable() from None
        try:
            for command in commands[:-1]:
                try:
                    connection.send_command(*command)
                    return connection.read_response()
                except NoScriptError:
                    continue
            connection.send_command(*commands[-1])
            return connection.read_response()
        except _FAULTS as fault:
            if _is_left(fault):
                connection.disconnect()
            raise _told(fault, changes=changes) from None
        finally:
            self._pool.release(connection)


class Asynchronous:
    """Speaks to one node on the running loop."""

    io: IO = "async"

    def __init__(self, address: str) -> None:
        self._address = address
        self._running = set[asyncio.Task[Any]]()
        self._inherited: list[object] = []
        self._pools: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, redis_asyncio.BlockingConnectionPool]
        self._pools = weakref.WeakKeyDictionary()
        BlockingConnectionPool.from_url(address)  # refuses an address that is none
        _everyone.add(self)

    async def ask(self, *command: Any) -> Any:
        """As the blocking one."""
        return await self._shielded([command], changes=False)

    async def run(self, script: Script, *arguments: Any, changes: bool = False) -> Any:
        """As the blocking one. Whoever asked may be cancelled; what was sent is answered first, so that its connection comes back in order."""
        return await self._shielded(_spelled(script, arguments), changes=changes)

    async def close(self) -> None:
        """Close this loop's connections; the next call opens them again."""
        if pool := self._pools.pop(asyncio.get_running_loop(), None):
            await pool.disconnect()

    def forked(self) -> None:
        """In a child: leave the parent's connections alone, not even collecting them, for that would end them for the parent."""
        self._inherited.append(self._pools)
        self._pools = weakref.WeakKeyDictionary()

    async def _shielded(self, commands: list[tuple[Any, ...]], *, changes: bool) -> Any:
        task = asyncio.get_running_loop().create_task(self._sent(commands, changes=changes))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _sent(self, commands: list[tuple[Any, ...]], *, changes: bool) -> Any:
        pool = self._pool()
        try:
            connection = await pool.get_connection()
        except _FAULTS:
            raise _unreachable() from None
        try:
            for command in commands[:-1]:
                try:
                    await connection.send_command(*command)
                    return await connection.read_response()
                except NoScriptError:
                    continue
            await connection.send_command(*commands[-1])
            return await connection.read_response()
        except _FAULTS as fault:
            if _is_left(fault):
                await connection.disconnect(nowait=True)
            raise _told(fault, changes=changes) from None
        finally:
            await pool.release(connection)

    def _pool(self) -> Any:
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None:
            kind = redis_asyncio.BlockingConnectionPool
            pool = self._pools[loop] = kind.from_url(self._address, retry=AsyncRetry(NoBackoff(), 0), **_POOLED)
        return pool


_everyone: weakref.WeakSet[Asynchronous] = weakref.WeakSet()


def _forked() -> None:
    for one in _everyone:
        one.forked()


drive.after_fork(_forked)


def _spelled(script: Script, arguments: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    return [("EVALSHA", script.digest, 0, *arguments), ("EVAL", script.text, 0, *arguments)]


def _is_left(fault: BaseException) -> bool:
    """Whether a connection is not used again: an answer may still come on it, or it leads to a server that another took the place of."""
    return not isinstance(fault, ResponseError) or isinstance(fault, ReadOnlyError)


def _unreachable() -> StorageError:
    return StorageError("Redis cannot be reached now.")


def _told(fault: BaseException, *, changes: bool) -> StorageError:
    """What a failure means. A server that answers, or that still reads its files, has changed nothing: scripts judge before they write."""
    if isinstance(fault, OutOfMemoryError):
        return StorageError("Redis has no memory left; nothing was changed.")
    if isinstance(fault, ResponseError | BusyLoadingError) or not changes:
        return StorageError("Redis cannot do this now.")
    return OutcomeUnknown("Redis did not acknowledge a commit.")
