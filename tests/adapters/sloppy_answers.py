"""More adapters with one fault each: these keep what they are given and answer wrong, or keep it too long. Run by `test_sloppy_storages`, never by themselves."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from authmw.errors import StorageError
from authmw.storage import (
    KEY,
    And,
    Between,
    Cursor,
    Equals,
    Filter,
    OneOf,
    Or,
    Order,
    Page,
    StartsWith,
    Update,
    expiry_of,
    key_of,
)
from authmw.testing.contracts.records import NOW
from authmw_adapters.memory import MemoryStorage
from tests.adapters.sloppy_storages import Sloppy, alone

# Asking


class _Scans(MemoryStorage):
    async def _scanned(self, kind: Any, where: Filter) -> set[str]:
        found: set[str] = set()
        table = self._table(kind)
        for key in table.rows:
            record = await self.get(kind, key)
            if self._holds(record, where):
                found.add(key)
        return found

    def _holds(self, record: Any, where: Any) -> bool:
        match where:
            case And(parts):
                return all(self._holds(record, part) for part in parts)
            case Or(parts):
                return any(self._holds(record, part) for part in parts)
            case Equals(index, value):
                return (str(getattr(record, index, "")),) == value
            case OneOf(index, values):
                return (str(getattr(record, index, "")),) in values
            case Between() | StartsWith():
                return True

    async def count(self, kind: Any, where: Filter, *, at_most: int) -> int:
        try:
            return await super().count(kind, where, at_most=at_most)
        except StorageError:
            return min(at_most, len(await self._scanned(kind, where)))

    async def page(
        self, kind: Any, where: Filter, *, order: Order = Order(), after: Any = None, limit: int
    ) -> Page[Any]:
        try:
            return await super().page(kind, where, order=order, after=after, limit=limit)
        except StorageError:
            if order.index != KEY or not 1 <= limit <= 1000:
                raise
            keys = tuple((key,) for key in sorted(await self._scanned(kind, where)))
            return await super().page(kind, OneOf(KEY, keys), limit=limit)


class FilterThatScans(Sloppy):
    """Answers a filter on any field by reading everything."""

    adapter = alone(_Scans)
    caught_by = tuple(
        f"test_a_filter_on_what_is_not_declared_is_an_error_not_a_scan[where{number}]" for number in range(8)
    )


class _PagesByNumber(MemoryStorage):
    async def page(
        self, kind: Any, where: Filter, *, order: Order = Order(), after: Any = None, limit: int
    ) -> Page[Any]:
        skipped = int(after.key) if after else 0
        found = await super().page(kind, where, order=order, limit=min(1000, skipped + limit) if limit > 0 else limit)
        records = found.records[skipped : skipped + limit]
        return Page(records, Cursor(("",), str(skipped + limit)) if found.cursor else None)


class PagesByNumber(Sloppy):
    """LIMIT and OFFSET: who is deleted meanwhile moves others over the edge of a page."""

    adapter = alone(_PagesByNumber)
    caught_by = (
        "test_a_cursor_holds_although_its_record_is_gone[False]",
        "test_a_cursor_holds_although_its_record_is_gone[True]",
    )
    nothing_else = False


class _StaleIndexes(MemoryStorage):
    def _judged(self, write: Any) -> Any:
        row = super()._judged(write)
        if isinstance(write, Update) and row is not None:
            row.values["pair"] = self._table(type(write.record)).rows[key_of(write.record)].values.get("pair", set())
        return row


class StaleIndexes(Sloppy):
    """Fills a listing index when a record comes, and forgets it when the record changes."""

    adapter = alone(_StaleIndexes)
    caught_by = ("test_indexes_follow_what_changed",)
    nothing_else = False


# Life


class _HidesExpired(MemoryStorage):
    async def get(self, kind: Any, key: str) -> Any:
        found = await super().get(kind, key)
        expires = expiry_of(found) if found else None
        return None if expires and expires < NOW - timedelta(days=365) else found


class HidesExpired(Sloppy):
    """Decides by itself what is over, by a clock of its own."""

    adapter = alone(_HidesExpired)
    caught_by = (
        "test_what_is_over_is_still_given_until_it_is_swept_a_day_later",
        "test_times_far_away_are_times_like_others[1]",
        "test_times_far_away_are_times_like_others[1969]",
    )


_in_folder: dict[Path, MemoryStorage] = {}


class OneNamespace(Sloppy):
    """Puts all projects into the same tables."""

    shared = True
    across_processes = False
    adapter = staticmethod(lambda folder, namespace: _in_folder.setdefault(folder, MemoryStorage()))
    caught_by = (
        "test_two_namespaces_never_see_each_other",
        "test_namespaces_that_begin_alike_do_not_meet[pair0]",
        "test_namespaces_that_begin_alike_do_not_meet[pair1]",
        "test_namespaces_that_begin_alike_do_not_meet[pair2]",
        "test_namespaces_that_begin_alike_do_not_meet[pair3]",
    )


class _SweepsRowsOnly(MemoryStorage):
    async def sweep(self, now: Any, limit: int) -> int:
        held = {kind: dict(table.unique.get("tag", {})) for kind, table in self._tables.items()}
        swept = await super().sweep(now, limit)
        for kind, tags in held.items():
            if swept and tags:
                self._table(kind).unique["tag"].update(tags)
        return swept

    async def find(self, kind: Any, index: str, value: Any) -> Any:
        try:
            return await super().find(kind, index, value)
        except KeyError:
            return None


class SweepsRowsOnly(Sloppy):
    """Drops what is over and leaves its unique values taken."""

    adapter = alone(_SweepsRowsOnly)
    caught_by = ("test_what_was_swept_leaves_no_value_behind",)
    nothing_else = False
