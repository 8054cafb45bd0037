"""An adapter as synchronous tests use it: each call runs as its `io` says and gives its result.

Law: what is instant or blocking is stepped on the thread that asks, and to suspend is an error; what is async runs on one loop in a thread of its own, as an
`Auth` of a synchronous host runs it, so that calls of several threads meet on it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from datetime import datetime
from typing import Any, TypeVar

from authmw.drive import step
from authmw.limits import Limit, LimitReached, RateLimiter
from authmw.storage import IO, And, Cursor, Filter, Order, Page, Record, Storage, Value, Write
from authmw.testing.contracts.records import KINDS, NOW, Thing

R = TypeVar("R", bound=Record)
T = TypeVar("T")
PATIENCE = 60.0
"""Seconds within which one call must have ended."""


class OwnLoop:
    """A running event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="contract", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run work there and wait for its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def close(self) -> None:
        """Stop and close it."""
        self.run(self._loop.shutdown_asyncgens())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()


class Runner:
    """Runs the calls of one adapter as it declares."""

    def __init__(self, io: IO) -> None:
        self._loop = OwnLoop() if io == "async" else None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of a call. RuntimeError if one that may not suspend did."""
        return self._loop.run(work) if self._loop else step(work)

    def close(self) -> None:
        """Let go of the loop, if there is one."""
        if self._loop:
            self._loop.close()


class Driven:
    """A storage with synchronous methods of the same names. Close it: an async adapter lets go of what it holds on the loop it was used on."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self._runner = Runner(storage.io)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of any call of this storage."""
        return self._runner.run(work)

    def prepare(self) -> None:
        """Make ready for the records of the contract."""
        self.run(self.storage.prepare(KINDS))

    def get(self, kind: type[R], key: str) -> R | None:
        """As the storage."""
        return self.run(self.storage.get(kind, key))

    def find(self, kind: type[R], index: str, value: Value) -> R | None:
        """As the storage."""
        return self.run(self.storage.find(kind, index, value))

    def page(
        self, kind: type[R], where: Filter = And(), *, order: Order = Order(), after: Cursor | None = None, limit: int
    ) -> Page[R]:
        """As the storage."""
        return self.run(self.storage.page(kind, where, order=order, after=after, limit=limit))

    def count(self, kind: type[Record], where: Filter = And(), *, at_most: int = 1000) -> int:
        """As the storage."""
        return self.run(self.storage.count(kind, where, at_most=at_most))

    def commit(self, *writes: Write) -> None:
        """As the storage."""
        self.run(self.storage.commit(*writes))

    def sweep(self, now: datetime, limit: int = 100) -> int:
        """As the storage."""
        return self.run(self.storage.sweep(now, limit))

    def have(self, key: str) -> Thing:
        """The thing of a key, which must be there."""
        held = self.get(Thing, key)
        assert held is not None, f"the record {key} is missing"
        return held

    def all(
        self,
        kind: type[R],
        where: Filter = And(),
        *,
        order: Order = Order(),
        after: Cursor | None = None,
        limit: int = 100,
    ) -> list[R]:
        """Everything that a filter holds for, page by page until no cursor is left: a page may be short, even empty."""
        found: list[R] = []
        for _ in range(1000):
            page = self.page(kind, where, order=order, after=after, limit=limit)
            assert len(page.records) <= limit, "a page holds more than was asked for"
            found += page.records
            after = page.cursor
            if after is None:
                return found
        raise AssertionError("the pages never end")

    def ids(self, where: Filter = And(), *, order: Order = Order(), after: Cursor | None = None) -> list[str]:
        """The ids of the things that a filter holds for, in order."""
        return [one.id for one in self.all(Thing, where, order=order, after=after)]

    def close(self) -> None:
        """Close the storage on its own loop, then the loop."""
        self.run(self.storage.close())
        self._runner.close()


class DrivenLimiter:
    """A limiter with synchronous methods, each call run as its `io` says."""

    def __init__(self, limiter: RateLimiter) -> None:
        self.limiter = limiter
        self._runner = Runner(limiter.io)

    def prepare(self) -> None:
        """As the limiter."""
        self._runner.run(self.limiter.prepare())

    def take(self, *limits: Limit, now: datetime = NOW) -> None:
        """As the limiter."""
        self._runner.run(self.limiter.take(*limits, now=now))

    def peek(self, limit: Limit, now: datetime = NOW) -> int:
        """As the limiter."""
        return self._runner.run(self.limiter.peek(limit, now))

    def reset(self, *limits: Limit) -> None:
        """As the limiter."""
        self._runner.run(self.limiter.reset(*limits))

    def let_go(self) -> None:
        """Close the limiter; it may be used again."""
        self._runner.run(self.limiter.close())

    def close(self) -> None:
        """Close it for good."""
        self.let_go()
        self._runner.close()

    def takes(self, *limits: Limit, now: datetime = NOW) -> bool:
        """Whether there was room."""
        try:
            self.take(*limits, now=now)
        except LimitReached:
            return False
        return True

    def wait(self, *limits: Limit, now: datetime = NOW) -> float | None:
        """The wait that a refusal names, in seconds."""
        try:
            self.take(*limits, now=now)
        except LimitReached as full:
            return full.retry_after
        raise AssertionError("there was room")
