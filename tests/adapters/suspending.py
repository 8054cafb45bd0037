"""A small asynchronous adapter: memory behind a loop, as a server is behind a socket. Each call really suspends, twice, and belongs to the loop it runs on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from authmw.storage import IO, Cursor, Filter, Order, Page, Record, Value, Write
from authmw_adapters.memory import MemoryStorage

R = TypeVar("R", bound=Record)


class SuspendingStorage:
    """Memory that is waited for. The event of each loop stands for the pool that a real adapter has there."""

    io: IO = "async"

    def __init__(self, behind: MemoryStorage | None = None) -> None:
        self.behind = behind or MemoryStorage()
        self._pools: dict[asyncio.AbstractEventLoop, asyncio.Semaphore] = {}

    async def _turn(self) -> None:
        loop = asyncio.get_running_loop()
        pool = self._pools.setdefault(loop, asyncio.Semaphore(4))
        async with pool:
            answered = loop.create_future()
            loop.call_soon(answered.set_result, None)
            await answered

    async def prepare(self, kinds: Sequence[type[Record]]) -> None:
        await self._turn()
        await self.behind.prepare(kinds)

    async def get(self, kind: type[R], key: str) -> R | None:
        await self._turn()
        found = await self.behind.get(kind, key)
        await self._turn()
        return found

    async def find(self, kind: type[R], index: str, value: Value) -> R | None:
        await self._turn()
        found = await self.behind.find(kind, index, value)
        await self._turn()
        return found

    async def page(
        self, kind: type[R], where: Filter, *, order: Order = Order(), after: Cursor | None = None, limit: int
    ) -> Page[R]:
        await self._turn()
        return await self.behind.page(kind, where, order=order, after=after, limit=limit)

    async def count(self, kind: type[R], where: Filter, *, at_most: int) -> int:
        await self._turn()
        return await self.behind.count(kind, where, at_most=at_most)

    async def commit(self, *writes: Write) -> None:
        await self._turn()
        await self.behind.commit(*writes)
        await self._turn()

    async def sweep(self, now: datetime, limit: int) -> int:
        await self._turn()
        return await self.behind.sweep(now, limit)

    async def close(self) -> None:
        self._pools.pop(asyncio.get_running_loop(), None)
