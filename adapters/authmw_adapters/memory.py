"""Storage in memory: the meaning of the port, for tests and for a single process that may forget.

Records are kept as bytes and decoded at each read, so nobody can change what is stored by changing what was read.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from operator import attrgetter, itemgetter
from typing import TypeAlias, TypeVar

import attrs

from authmw.errors import Conflict, Duplicate, StorageError
from authmw.storable import check_actions, check_commit
from authmw.storage import (
    IO,
    KEY,
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
from authmw_adapters.memory_limits import MemoryLimiter

__all__ = ["MemoryLimiter", "MemoryStorage"]

R = TypeVar("R", bound=Record)
_KEPT_AFTER_EXPIRY = timedelta(days=1)
_Entry: TypeAlias = tuple[Value, str]
_value = itemgetter(0)
_aside = attrgetter("aside")


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
        self.sorted: dict[str, list[_Entry]] = {index.name: [] for index in self.description.indexes}
        self.unique: dict[str, dict[Value, str]] = {
            index.name: {} for index in self.description.indexes if index.unique
        }
        self.keys: list[_Entry] = []

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

    def entries(self, index: str) -> list[_Entry]:
        if index == KEY:
            return self.keys
        self.description.index(index)
        return self.sorted[index]

    def ordered(self, where: Filter, order: Order, after: Cursor | None) -> Iterator[_Entry]:
        """What a filter holds for, in order, from behind the cursor."""
        wanted = self.matching(where)
        entries = self.entries(order.index)
        if wanted is not None and len(wanted) < len(entries) // 8:
            entries = sorted((self.place(key, order.index), key) for key in wanted)
            wanted = None
        place = (after.value, after.key) if after else None
        if order.descending:
            numbers = range((len(entries) if place is None else bisect_left(entries, place)) - 1, -1, -1)
        else:
            numbers = range(0 if place is None else bisect_right(entries, place), len(entries))
        return (entries[number] for number in numbers if wanted is None or entries[number][1] in wanted)

    def place(self, key: str, index: str) -> Value:
        """The one value of a record in an index that orders."""
        return (key,) if index == KEY else next(iter(self.rows[key].values[index]))

    def matching(self, where: Filter) -> set[str] | None:
        """The keys of the records that a filter holds for; None means all of them."""
        match where:
            case And(parts):
                sets = [found for found in map(self.matching, parts) if found is not None]
                return set[str].intersection(*sets) if sets else None
            case Or(parts):
                sets = [found for found in map(self.matching, parts) if found is not None]
                return set[str]().union(*sets) if len(sets) == len(parts) else None
            case Equals(index, value):
                return self.between(index, value, value)
            case OneOf(index, values):
                self.entries(index)
                return set[str]().union(*(self.between(index, value, value) for value in values))
            case Between(index, low, high):
                return self.between(index, low, high)
            case StartsWith(index, prefix):
                return self.starting(index, prefix)

    def between(self, index: str, low: Value | None, high: Value | None) -> set[str]:
        """The keys with a value from `low` to `high`."""
        entries = self.entries(index)
        start = 0 if low is None else bisect_left(entries, low, key=_value)
        end = len(entries) if high is None else bisect_right(entries, high, key=_value)
        return {key for _, key in entries[start:end]}

    def starting(self, index: str, prefix: Value) -> set[str]:
        """The keys with a value as long as `prefix` that begins with it."""
        found: set[str] = set()
        entries = self.entries(index)
        last = len(prefix) - 1
        if not prefix:
            return found
        for number in range(bisect_left(entries, prefix, key=_value), len(entries)):
            value, key = entries[number]
            if value[:last] != prefix[:last] or not value[last].startswith(prefix[last]):
                break
            if len(value) == len(prefix):
                found.add(key)
        return found


def _discard(entries: list[_Entry], entry: _Entry) -> None:
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
            found = list(islice(table.ordered(where, order, after), limit + 1))
            rows = [table.rows[key] for _, key in found[:limit]]
        last = found[limit - 1] if len(found) > limit else None
        cursor = Cursor(last[0], last[1]) if last else None
        return Page(tuple(decode(kind, row.data) for row in rows), cursor)

    async def count(self, kind: type[R], where: Filter, *, at_most: int) -> int:
        """How many records the filter holds for, up to `at_most`."""
        with self._lock:
            table = self._table(kind)
            matching = table.matching(where)
            return min(at_most, len(table.rows if matching is None else matching))

    async def commit(self, *writes: Write) -> None:
        """All of the writes or none."""
        check_commit(writes)
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
                over = [k for k, row in table.rows.items() if row.expires and row.expires < now - _KEPT_AFTER_EXPIRY]
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
            for index in filter(_aside, description(type(write.record)).indexes):
                before = old.values[index.name] if old else frozenset[Value]()
                behind = row.values[index.name] if row else frozenset[Value]()
                changed += len(before ^ behind)
        check_actions(writes, changed)

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
