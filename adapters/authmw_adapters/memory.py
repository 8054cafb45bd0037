"""Storage in memory: the meaning of the port, for tests and for a single process that may forget.

Records are kept as bytes and decoded at each read, so nobody can change what is stored by changing what was read.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import attrs

from authmw.errors import Conflict, Duplicate, StorageError
from authmw.limits import Limit, LimitReached, take_one
from authmw.storage import (
    IO,
    KEY,
    MAX_INDEX_VALUES,
    MAX_WRITES,
    And,
    Between,
    Check,
    Cursor,
    Delete,
    Equals,
    Filter,
    Insert,
    OneOf,
    Or,
    Order,
    Page,
    Record,
    StartsWith,
    Update,
    Value,
    Write,
    decode,
    description,
    encode,
    expiry_of,
    key_of,
)

R = TypeVar("R", bound=Record)
_KEPT_AFTER_EXPIRY = timedelta(days=1)


class _Row:
    """One stored record: its version, its bytes, its values in each index."""

    __slots__ = ("data", "expires", "values", "version")

    def __init__(self, record: Record, version: int) -> None:
        stored = attrs.evolve(record, version=version)
        self.version = version
        self.data = encode(stored)
        self.expires = expiry_of(record)
        self.values = {index.name: index.of(record) for index in description(type(record)).indexes}


class _Table:
    """The records of one kind and their indexes: for each index the sorted pairs of value and key."""

    def __init__(self, kind: type[Record]) -> None:
        self.kind = kind
        self.description = description(kind)
        self.rows: dict[str, _Row] = {}
        self.sorted: dict[str, list[tuple[Value, str]]] = {index.name: [] for index in self.description.indexes}
        self.unique: dict[str, dict[Value, str]] = {
            index.name: {} for index in self.description.indexes if index.unique
        }
        self.keys: list[tuple[Value, str]] = []

    def remove(self, key: str) -> None:
        row = self.rows.pop(key)
        _discard(self.keys, ((key,), key))
        for name, values in row.values.items():
            for value in values:
                _discard(self.sorted[name], (value, key))
                if name in self.unique:
                    self.unique[name].pop(value, None)

    def add(self, key: str, row: _Row) -> None:
        self.rows[key] = row
        insort(self.keys, ((key,), key))
        for name, values in row.values.items():
            for value in values:
                insort(self.sorted[name], (value, key))
                if name in self.unique:
                    self.unique[name][value] = key

    def entries(self, index: str) -> list[tuple[Value, str]]:
        if index == KEY:
            return self.keys
        self.description.index(index)
        return self.sorted[index]


def _discard(entries: list[tuple[Value, str]], entry: tuple[Value, str]) -> None:
    place = bisect_left(entries, entry)
    if place < len(entries) and entries[place] == entry:
        del entries[place]


class MemoryStorage:
    """A `Storage` that lives in this process. `namespace` is accepted for symmetry: two instances never see each other anyway."""

    io: IO = "instant"

    def __init__(self, namespace: str = "") -> None:
        self.namespace = namespace
        self._lock = threading.RLock()
        self._tables: dict[type[Record], _Table] = {}

    async def prepare(self, kinds: Sequence[type[Record]]) -> None:
        """Nothing needs to be made."""
        with self._lock:
            for kind in kinds:
                self._table(kind)

    async def get(self, kind: type[R], key: str) -> R | None:
        """The record of this key."""
        with self._lock:
            row = self._table(kind).rows.get(key)
        return decode(kind, row.data) if row else None

    async def find(self, kind: type[R], index: str, value: Value) -> R | None:
        """The record that holds this value in a unique index."""
        with self._lock:
            table = self._table(kind)
            if index not in table.unique:
                message = f"{table.description.kind} has no unique index {index}."
                raise StorageError(message)
            key = table.unique[index].get(value)
            row = table.rows[key] if key is not None else None
        return decode(kind, row.data) if row else None

    async def page(
        self, kind: type[R], where: Filter, *, order: Order = Order(), after: Cursor | None = None, limit: int
    ) -> Page[R]:
        """Some records in order."""
        if not 1 <= limit <= 1000:
            raise StorageError("A page holds 1 to 1000 records.")
        with self._lock:
            table = self._table(kind)
            if order.index != KEY and not table.description.index(order.index).single:
                message = f"{order.index} cannot order {table.description.kind}."
                raise StorageError(message)
            wanted = self._matching(table, where)
            entries: Iterable[tuple[Value, str]] = table.entries(order.index)
            if order.descending:
                entries = reversed(list(entries))
            found: list[tuple[Value, str]] = []
            for value, key in entries:
                if key not in wanted or (after is not None and not _behind((value, key), after, order.descending)):
                    continue
                found.append((value, key))
                if len(found) > limit:
                    break
            rows = [table.rows[key] for _, key in found[:limit]]
        last = found[limit - 1] if len(found) > limit else None
        cursor = Cursor(last[0], last[1]) if last else None
        return Page(tuple(decode(kind, row.data) for row in rows), cursor)

    async def count(self, kind: type[R], where: Filter, *, at_most: int) -> int:
        """How many records the filter holds for, up to `at_most`."""
        with self._lock:
            return min(at_most, len(self._matching(self._table(kind), where)))

    async def commit(self, *writes: Write) -> None:
        """All of the writes or none."""
        if len(writes) > MAX_WRITES or len({(type(w.record), key_of(w.record)) for w in writes}) < len(writes):
            raise StorageError("A commit names at most 20 records, each once.")
        with self._lock:
            after = [self._judged(write) for write in writes]
            self._bounded(writes, after)
            self._unique(writes, after)
            # What goes, goes first: a value may move from one record to another.
            for write in writes:
                if isinstance(write, Update | Delete):
                    self._table(type(write.record)).remove(key_of(write.record))
            for write, row in zip(writes, after, strict=True):
                if row is not None:
                    self._table(type(write.record)).add(key_of(write.record), row)

    async def sweep(self, now: datetime, limit: int) -> int:
        """Drop what expired more than a day ago."""
        swept = 0
        with self._lock:
            for table in self._tables.values():
                over = [k for k, row in table.rows.items() if row.expires and row.expires + _KEPT_AFTER_EXPIRY < now]
                for key in over[: limit - swept]:
                    table.remove(key)
                    swept += 1
        return swept

    async def close(self) -> None:
        """Nothing to let go of."""

    def _table(self, kind: type[Record]) -> _Table:
        table = self._tables.get(kind)
        if table is None:
            table = self._tables[kind] = _Table(kind)
        return table

    def _judged(self, write: Write) -> _Row | None:
        """The row that a write leaves to be added, None if it adds none. Conflict if it does not apply."""
        table = self._table(type(write.record))
        row = table.rows.get(key_of(write.record))
        if isinstance(write, Insert):
            if row is not None:
                raise Conflict(f"A record of {table.description.kind} has this key.")
            return _Row(write.record, write.record.version + 1)
        if row is None or row.version != write.record.version:
            raise Conflict(f"A record of {table.description.kind} has changed.")
        return _Row(write.record, row.version + 1) if isinstance(write, Update) else None

    def _bounded(self, writes: Sequence[Write], after: Sequence[_Row | None]) -> None:
        changed = 0
        for write, row in zip(writes, after, strict=True):
            if isinstance(write, Check):
                continue
            old = self._table(type(write.record)).rows.get(key_of(write.record))
            for index in description(type(write.record)).indexes:
                before = old.values[index.name] if old else frozenset[Value]()
                behind = row.values[index.name] if row else frozenset[Value]()
                changed += len(before ^ behind)
        if changed > MAX_INDEX_VALUES:
            raise StorageError("A commit changes at most 60 index values.")

    def _unique(self, writes: Sequence[Write], after: Sequence[_Row | None]) -> None:
        """Judge uniqueness on the state after all writes."""
        going = {(type(w.record), key_of(w.record)) for w in writes if isinstance(w, Update | Delete)}
        coming: dict[tuple[type[Record], str, Value], str] = {}
        for write, row in zip(writes, after, strict=True):
            if row is None:
                continue
            kind = type(write.record)
            table = self._table(kind)
            for name, held in table.unique.items():
                for value in row.values[name]:
                    holder = held.get(value)
                    stays = holder is not None and (kind, holder) not in going
                    if stays or (kind, name, value) in coming:
                        raise Duplicate(table.description.kind, name)
                    coming[kind, name, value] = key_of(write.record)

    def _matching(self, table: _Table, where: Filter) -> set[str]:
        match where:
            case And(parts):
                found = set(table.rows)
                for part in parts:
                    found &= self._matching(table, part)
                return found
            case Or(parts):
                return set[str]().union(*(self._matching(table, part) for part in parts))
            case Equals(index, value):
                return {key for held, key in table.entries(index) if held == value}
            case OneOf(index, values):
                return {key for held, key in table.entries(index) if held in values}
            case Between(index, low, high):
                return {
                    key
                    for held, key in table.entries(index)
                    if (low is None or held >= low) and (high is None or held <= high)
                }
            case StartsWith(index, prefix):
                return {
                    key
                    for held, key in table.entries(index)
                    if len(held) == len(prefix) and held[:-1] == prefix[:-1] and held[-1].startswith(prefix[-1])
                }


def _behind(entry: tuple[Value, str], cursor: Cursor, descending: bool) -> bool:
    place = (cursor.value, cursor.key)
    return entry < place if descending else entry > place


class MemoryLimiter:
    """A `RateLimiter` for one process. Holds at most `maximum` counts; what is nearest to full again is let go first."""

    io: IO = "instant"

    def __init__(self, maximum: int = 100_000) -> None:
        self._maximum = maximum
        self._lock = threading.Lock()
        self._states: dict[str, tuple[float, bool]] = {}

    async def take(self, *limits: Limit, now: datetime) -> None:
        """Charge every limit once, or none."""
        moment = now.timestamp()
        with self._lock:
            after: dict[str, tuple[float, bool]] = {}
            refused: list[LimitReached] = []
            for limit in limits:
                state = self._states.get(limit.digest, (0.0, limit.per is None))[0]
                try:
                    after[limit.digest] = (take_one(limit, state, moment), limit.per is None)
                except LimitReached as reached:
                    refused.append(reached)
            if refused:
                raise max(
                    refused, key=lambda reached: float("inf") if reached.retry_after is None else reached.retry_after
                )
            self._states.update(after)
            if len(self._states) > self._maximum:
                self._let_go(moment)

    async def reset(self, *limits: Limit) -> None:
        """Forget what was counted."""
        with self._lock:
            for limit in limits:
                self._states.pop(limit.digest, None)

    def _let_go(self, now: float) -> None:
        """Drop a tenth: first what is full again, then what will be soonest; a count that never refills goes last, the smallest first."""
        ranked = sorted(self._states, key=lambda digest: _worth(self._states[digest], now))
        for digest in ranked[: max(1, self._maximum // 10)]:
            del self._states[digest]


def _worth(state: tuple[float, bool], now: float) -> tuple[bool, float]:
    value, forever = state
    return (forever, value if forever else max(0.0, value - now))
