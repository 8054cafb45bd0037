"""A scheduler that finds races: coroutines that share a storage run one storage call at a time, in an order that a seed decides.

    storage = TakingTurns(MemoryStorage())
    auth = Auth(settings, storage=storage, ...)
    for seed in range(500):
        interleave([auth.users.delete(user_id=user), auth.magic_links.authenticate(token=token)], seed)
        ...  # assert what must be true whatever the order was

Law: one seed is one order, on every machine and Python. No loop, no threads, no time: what a seed shows can be shown again.
"""

from __future__ import annotations

import contextvars
import hashlib
import types
from collections.abc import Coroutine, Generator, Sequence
from datetime import datetime
from typing import Any, TypeVar

import attrs

from authmw.clock import standing_still
from authmw.errors import AuthError
from authmw.storage import IO, Cursor, Filter, Order, Page, Record, Storage, Value, Write

R = TypeVar("R", bound=Record)
T = TypeVar("T")
_scheduled: contextvars.ContextVar[bool] = contextvars.ContextVar("authmw_scheduled", default=False)


def interleave(coroutines: Sequence[Coroutine[Any, Any, T]], seed: int) -> list[T | AuthError]:
    """Run coroutines whose storage takes turns; what each gave, or the `AuthError` it ended with, in their order.

    Any other exception is raised, once all coroutines are closed. RuntimeError for one that waits for something else than its turn.
    """
    with standing_still():
        return _interleaved(coroutines, seed)


def _interleaved(coroutines: Sequence[Coroutine[Any, Any, T]], seed: int) -> list[T | AuthError]:
    outcomes: dict[int, T | AuthError] = {}
    running = {number: _Actor(work) for number, work in enumerate(coroutines)}
    try:
        for step in range(1_000_000):
            if not running:
                break
            number = _chosen(sorted(running), seed, step)
            try:
                running[number].step()
            except StopIteration as done:
                outcomes[number] = done.value
            except AuthError as refused:
                outcomes[number] = refused
            else:
                continue
            del running[number]
    finally:
        for actor in running.values():
            actor.work.close()
    return [outcomes[number] for number in range(len(coroutines))]


class _Actor:
    """One coroutine in a context of its own, as a task has it."""

    def __init__(self, work: Coroutine[Any, Any, Any]) -> None:
        self.work = work
        self._context = contextvars.copy_context()
        self._context.run(_scheduled.set, True)

    def step(self) -> None:
        """Run up to the next storage call."""
        if self._context.run(self.work.send, None) is not _TURN:
            message = "Only a storage that takes turns may be waited for here."
            raise RuntimeError(message)


def _chosen(running: Sequence[int], seed: int, step: int) -> int:
    digest = hashlib.sha256(f"{seed}:{step}".encode()).digest()
    return running[int.from_bytes(digest[:8]) % len(running)]


_TURN = object()


@types.coroutine
def _wait_for_turn() -> Generator[object, None, None]:
    yield _TURN


async def turn() -> None:
    """Let others go first, if `interleave` runs this; nothing otherwise."""
    if _scheduled.get():
        await _wait_for_turn()


@attrs.define(eq=False)
class TakingTurns:
    """A storage over an instant one that lets others go first before each call inside `interleave`, and is plain outside.

    `commits` holds what was committed, in order: what came before what is often the invariant.
    """

    behind: Storage
    commits: list[tuple[Write, ...]] = attrs.field(factory=list[tuple[Write, ...]])

    @property
    def io(self) -> IO:
        """As the storage behind it, which has to be instant or blocking: it is stepped."""
        return self.behind.io

    async def prepare(self, kinds: Sequence[type[Record]]) -> None:
        """As the storage behind it."""
        await self.behind.prepare(kinds)

    async def get(self, kind: type[R], key: str) -> R | None:
        """As the storage behind it, when it is its turn."""
        await turn()
        return await self.behind.get(kind, key)

    async def find(self, kind: type[R], index: str, value: Value) -> R | None:
        """As the storage behind it, when it is its turn."""
        await turn()
        return await self.behind.find(kind, index, value)

    async def page(
        self, kind: type[R], where: Filter, *, order: Order = Order(), after: Cursor | None = None, limit: int
    ) -> Page[R]:
        """As the storage behind it, when it is its turn."""
        await turn()
        return await self.behind.page(kind, where, order=order, after=after, limit=limit)

    async def count(self, kind: type[R], where: Filter, *, at_most: int) -> int:
        """As the storage behind it, when it is its turn."""
        await turn()
        return await self.behind.count(kind, where, at_most=at_most)

    async def commit(self, *writes: Write) -> None:
        """As the storage behind it, when it is its turn."""
        await turn()
        await self.behind.commit(*writes)
        self.commits.append(writes)

    async def sweep(self, now: datetime, limit: int) -> int:
        """As the storage behind it, when it is its turn."""
        await turn()
        return await self.behind.sweep(now, limit)

    async def close(self) -> None:
        """As the storage behind it."""
        await self.behind.close()
