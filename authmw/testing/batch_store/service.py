"""The store itself: items, ranges of declared partitions, and batches in two phases, as a coordinator over several shards does them.

Law: a batch happens whole or not at all. What can go wrong is told apart as such stores tell it: `Cancelled` and `Unreachable` say that nothing happened,
`Unacknowledged` says nothing. Nothing here knows of records.
"""

from __future__ import annotations

import threading
import zlib
from bisect import bisect_left, insort
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from enum import Enum, auto
from itertools import count
from typing import Literal, TypeAlias

import attrs

Place: TypeAlias = tuple[str, str]
"""Where an item is: its partition, and its sort key within it."""
Reason: TypeAlias = Literal["condition", "overlap"]
Overlap: TypeAlias = Literal["serial", "shared", "exclusive", "mutual"]
"""What happens to two batches that run at once and name one item.

"serial": none ever do. "shared": two that only require it go together, of others the later is cancelled. "exclusive": the later is cancelled even if both only require
the item. "mutual": both are cancelled.
"""
Acknowledgement: TypeAlias = Literal["given", "lost", "dropped"]
"""What becomes of a batch that may happen: "lost" happened and is not told, "dropped" did not happen and that is not told."""

MAX_ACTIONS = 100
MAX_READS = 100
MAX_RANGE = 40
"""Items of a partition that one query gives at most."""


class Is(Enum):
    """Conditions on an item other than its whole value."""

    ABSENT = auto()
    ANYTHING = auto()


Expected: TypeAlias = bytes | Is


@attrs.frozen
class Put:
    """Write an item, if it is as expected. `listed`: its places in declared indexes, which the store keeps with it and changes as part of this action."""

    place: Place
    value: bytes
    expected: Expected
    listed: frozenset[Place] = frozenset()


@attrs.frozen
class Remove:
    """Remove an item, if it is as expected."""

    place: Place
    expected: Expected


@attrs.frozen
class Require:
    """Change nothing, but cancel the batch unless the item is as expected."""

    place: Place
    expected: Expected


Action: TypeAlias = Put | Remove | Require


class Cancelled(Exception):
    """A batch did not happen; for each action why, None for those that were not in the way."""

    def __init__(self, reasons: Sequence[Reason | None]) -> None:
        super().__init__("The batch was cancelled.")
        self.reasons = tuple(reasons)


class Unreachable(Exception):
    """A shard cannot be reached; nothing happened."""


class Unacknowledged(Exception):
    """A batch happened, did not happen, or has yet to happen: nobody was told."""


@attrs.define(eq=False)
class _Batch:
    actions: Sequence[Action]
    number: int
    doomed: bool = False


async def _at_once() -> None:
    """Nothing comes between."""


class BatchService:
    """The store. `between` is awaited wherever another client may come first: before each request, and between the two phases of a batch."""

    def __init__(
        self, *, overlap: Overlap = "shared", shards: int = 8, between: Callable[[], Awaitable[object]] = _at_once
    ) -> None:
        self._overlap = overlap
        self._shards = shards
        self._between = between
        self._lock = threading.Lock()
        self._items: dict[str, dict[str, bytes]] = {}
        self._sorted: dict[str, list[str]] = {}
        self._listed: dict[Place, frozenset[Place]] = {}
        self._running: dict[Place, list[_Batch]] = {}
        self._in_doubt: list[_Batch] = []
        self._cut: set[int] = set()
        self._numbers = count(1)
        self.acknowledgement: Callable[[int], Acknowledgement] = lambda _: "given"
        """What becomes of the batch of this number (from 1) once nothing is in its way."""
        self.overlapped = 0
        """How many batches were cancelled only because of another."""

    # Faults

    def shard_of(self, partition: str) -> int:
        """The shard that holds a partition."""
        return zlib.crc32(partition.encode()) % self._shards

    def cut(self, *shards: int) -> None:
        """Cut shards off. A batch that is between its phases stays in doubt, and its items are in the way of all others, until `heal`."""
        with self._lock:
            self._cut.update(shards)

    def heal(self) -> None:
        """Reach all shards again; what was in doubt happens now."""
        with self._lock:
            self._cut.clear()
            for batch in self._in_doubt:
                self._release(batch)
                self._apply(batch)
            self._in_doubt.clear()

    # Requests

    def declare(self, partitions: Iterable[str]) -> None:
        """Make partitions ready; idempotent."""
        with self._lock:
            for partition in partitions:
                self._items.setdefault(partition, {})
                self._sorted.setdefault(partition, [])

    async def get(self, places: Sequence[Place]) -> list[bytes | None]:
        """The values of up to 100 items, each as it is when it is read; None for what is absent. KeyError for a partition that was not declared."""
        _bounded(len(places), MAX_READS)
        await self._between()
        with self._lock:
            self._reached(place[0] for place in places)
            return [self._items[partition].get(sort) for partition, sort in places]

    async def query(
        self, partition: str, *, start: str = "", before: str | None = None, descending: bool = False, limit: int
    ) -> tuple[list[tuple[str, bytes]], bool]:
        """Items of one partition by sort key, from `start` to before `before`, and whether there are more. KeyError for a partition that was not declared."""
        await self._between()
        with self._lock:
            self._reached([partition])
            items, keys = self._items[partition], self._sorted[partition]
            first = bisect_left(keys, start)
            last = len(keys) if before is None else bisect_left(keys, before)
            chosen = keys[first:last]
            if descending:
                chosen.reverse()
            many = min(limit, MAX_RANGE)
            return [(sort, items[sort]) for sort in chosen[:many]], len(chosen) > many

    async def write(self, actions: Sequence[Action]) -> None:
        """A batch of up to 100 actions on as many items. Raises Cancelled, Unreachable, Unacknowledged; ValueError and KeyError for what no such store takes."""
        _bounded(len(actions), MAX_ACTIONS)
        if len({action.place for action in actions}) < len(actions):
            raise ValueError("A batch has one action for each item.")
        batch = _Batch(actions, next(self._numbers))
        await self._between()
        with self._lock:
            self._begin(batch)
            if self._overlap == "serial":
                return self._finish(batch)
        try:
            await self._between()
        except BaseException:
            with self._lock:
                self._release(batch)
            raise
        with self._lock:
            return self._finish(batch)

    # The two phases

    def _begin(self, batch: _Batch) -> None:
        """Hold the items of a batch whose conditions are met."""
        self._reached(_touched(batch))
        reasons: list[Reason | None] = [self._in_the_way(action) for action in batch.actions]
        if any(reasons):
            self.overlapped += "condition" not in reasons
            raise Cancelled(reasons)
        for action in batch.actions:
            self._running.setdefault(action.place, []).append(batch)

    def _in_the_way(self, action: Action) -> Reason | None:
        partition, sort = action.place
        held = self._items[partition].get(sort)
        others = self._running.get(action.place, [])
        if action.expected is Is.ABSENT:
            met = held is None
        else:
            met = action.expected is Is.ANYTHING or held == action.expected
        if not met:
            return "condition"
        if not others or (self._overlap == "shared" and isinstance(action, Require) and _only_required(others, action)):
            return None
        if self._overlap == "mutual":
            for other in others:
                other.doomed = other not in self._in_doubt
        return "overlap"

    def _finish(self, batch: _Batch) -> None:
        if batch.doomed:
            self._release(batch)
            self.overlapped += 1
            reasons: list[Reason | None] = ["overlap" for _ in batch.actions]
            raise Cancelled(reasons)
        if any(self.shard_of(partition) in self._cut for partition in _touched(batch)):
            self._in_doubt.append(batch)
            raise Unacknowledged
        self._release(batch)
        told = self.acknowledgement(batch.number)
        if told != "dropped":
            self._apply(batch)
        if told != "given":
            raise Unacknowledged

    def _release(self, batch: _Batch) -> None:
        for action in batch.actions:
            others = self._running.get(action.place, [])
            if batch in others:
                others.remove(batch)
            if not others:
                self._running.pop(action.place, None)

    def _apply(self, batch: _Batch) -> None:
        for action in batch.actions:
            if isinstance(action, Require):
                continue
            for place in (action.place, *self._listed.pop(action.place, ())):
                self._drop(place)
            if isinstance(action, Put):
                for place in (action.place, *action.listed):
                    self._store(place, action.value)
                if action.listed:
                    self._listed[action.place] = action.listed

    def _store(self, place: Place, value: bytes) -> None:
        partition, sort = place
        insort(self._sorted[partition], sort)
        self._items[partition][sort] = value

    def _drop(self, place: Place) -> None:
        partition, sort = place
        keys = self._sorted[partition]
        if self._items[partition].pop(sort, None) is not None:
            del keys[bisect_left(keys, sort)]

    def _reached(self, partitions: Iterable[str]) -> None:
        if self._cut and any(self.shard_of(partition) in self._cut for partition in partitions):
            raise Unreachable


def _touched(batch: _Batch) -> Iterator[str]:
    """The partitions that a batch changes or looks at."""
    for action in batch.actions:
        yield action.place[0]
        if isinstance(action, Put):
            yield from (place[0] for place in action.listed)


def _only_required(others: Iterable[_Batch], action: Action) -> bool:
    return all(isinstance(held, Require) for other in others for held in other.actions if held.place == action.place)


def _bounded(many: int, most: int) -> None:
    if many > most:
        message = f"A request names at most {most} items."
        raise ValueError(message)
