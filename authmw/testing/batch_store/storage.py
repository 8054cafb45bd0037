"""`BatchStorage`: the storage port on a store of conditional batches. It reads what a commit names, plans one batch, and never tries twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterable, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast

from authmw.errors import OutcomeUnknown, StorageError
from authmw.storable import check_actions, check_commit, storable_text, storable_value
from authmw.storage import (
    IO,
    KEY,
    And,
    Between,
    Cursor,
    Delete,
    Equals,
    Filter,
    OneOf,
    Or,
    Order,
    Page,
    Record,
    StartsWith,
    Value,
    Write,
    description,
    expiry_of,
    key_of,
    moment,
)
from authmw.testing.batch_store.items import Change, Layout, Plan, behind, first_of, from_sort, sort_of
from authmw.testing.batch_store.service import (
    MAX_RANGE,
    MAX_READS,
    BatchService,
    Cancelled,
    Unacknowledged,
    Unreachable,
)

R = TypeVar("R", bound=Record)
_KEPT_AFTER_EXPIRY = timedelta(days=1)
_READS = 100
"""How often a unique value is followed to a record that has just given it up."""


class BatchStorage:
    """A `Storage` over a `BatchService`. Two namespaces of one service never see each other. `io` says how the service's `between` waits."""

    def __init__(self, service: BatchService, namespace: str = "", *, io: IO = "instant") -> None:
        self.io: IO = io
        self._service = service
        self._namespace = namespace
        self._layouts: dict[type[Record], Layout[Any]] = {}

    def shards(self, kind: type[Record]) -> set[int]:
        """The shards on which a kind's records and index values are."""
        return {self._service.shard_of(partition) for partition in self._layout(kind).partitions()}

    async def prepare(self, kinds: Sequence[type[Record]]) -> None:
        """Declare the partitions of these kinds."""
        for kind in kinds:
            self._service.declare(self._layout(kind).partitions())

    async def get(self, kind: type[R], key: str) -> R | None:
        """The record of this key."""
        if not storable_text(key):
            return None
        found = await self._records(self._layout(kind), [key])
        return found[0] if found else None

    async def find(self, kind: type[R], index: str, value: Value) -> R | None:
        """The record that holds this value in a unique index."""
        layout = self._layout(kind)
        declared = description(kind).index(index)
        if not declared.unique:
            message = f"{layout.name} has no unique index {index}."
            raise StorageError(message)
        if not storable_value(value):
            return None
        for _ in range(_READS):
            with _told():
                holder = (await self._service.get([layout.value_place(declared, value, "")]))[0]
            if holder is None:
                return None
            for found in await self._records(layout, [holder.decode()]):
                # The value may have moved between the two reads; whoever holds it was its holder when it was read.
                if value in declared.of(found):
                    return found
        raise StorageError("A unique value moves faster than it can be followed.")

    async def page(
        self, kind: type[R], where: Filter, *, order: Order = Order(), after: Cursor | None = None, limit: int
    ) -> Page[R]:
        """Some records in order. Each is as it was when it was read; what went meanwhile is left out."""
        if not 1 <= limit <= 1000:
            raise StorageError("A page holds 1 to 1000 records.")
        layout = self._layout(kind)
        if order.index != KEY and not description(kind).index(order.index).single:
            message = f"{order.index} cannot order {layout.name}."
            raise StorageError(message)
        keys = await self._matching(layout, where)
        if keys is None:
            entries, more = await self._walk(layout, order, after, limit)
            records = await self._records(layout, [entry.key for entry in entries])
        else:
            chosen = await self._records(layout, sorted(keys))
            entries, more = _ordered(layout, chosen, order, after, limit)
            by_key = {key_of(record): record for record in chosen}
            records = [by_key[entry.key] for entry in entries]
        return Page(tuple(records), entries[-1] if more else None)

    async def count(self, kind: type[R], where: Filter, *, at_most: int) -> int:
        """How many records the filter holds for, up to `at_most`."""
        layout = self._layout(kind)
        keys = await self._matching(layout, where)
        if keys is not None:
            return min(at_most, len(keys))
        counted = 0
        async for _ in self._items(layout.partition()):
            counted += 1
            if counted == at_most:
                break
        return counted

    async def commit(self, *writes: Write) -> None:
        """All of the writes or none: one batch."""
        check_commit(writes)
        if not writes:
            return
        layouts = [self._layout(type(write.record)) for write in writes]
        with _told():
            places = [layout.place(key_of(write.record)) for layout, write in zip(layouts, writes, strict=True)]
            held = await self._service.get(places)
        changes = [Change(*one) for one in zip(layouts, writes, held, strict=True)]
        check_actions(writes, sum(change.changed_values() for change in changes))
        plan = Plan(changes)
        try:
            with _told():
                await self._service.write(plan.actions)
        except Cancelled as cancelled:
            raise plan.refusal(cancelled.reasons) from None

    async def sweep(self, now: datetime, limit: int) -> int:
        """Drop what expired more than a day ago, each record in a batch of its own."""
        swept = 0
        over = moment(now - _KEPT_AFTER_EXPIRY)
        for layout in list(self._layouts.values()):
            if not layout.expiry:
                continue
            async for sort, _ in self._items(layout.expiry, before=over):
                if swept == limit:
                    return swept
                swept += await self._sweep_one(layout, from_sort(sort)[1], over)
        return swept

    async def close(self) -> None:
        """Nothing to let go of."""

    async def _sweep_one(self, layout: Layout[Any], key: str, over: str) -> bool:
        with _told():
            data = (await self._service.get([layout.place(key)]))[0]
        if data is None:
            return False
        record = layout.read(data)
        expires = expiry_of(record)
        if expires is None or moment(expires) >= over:
            return False
        try:
            with _told():
                await self._service.write(Plan([Change(layout, Delete(record), data)]).actions)
        except Cancelled:
            return False
        return True

    def _layout(self, kind: type[R]) -> Layout[R]:
        layout = self._layouts.get(kind)
        if layout is None:
            layout = self._layouts[kind] = Layout(kind, self._namespace)
        return cast("Layout[R]", layout)

    async def _records(self, layout: Layout[R], keys: Sequence[str]) -> list[R]:
        """The records of these keys that are there, in their order."""
        found: list[R] = []
        for first in range(0, len(keys), MAX_READS):
            places = [layout.place(key) for key in keys[first : first + MAX_READS]]
            with _told():
                held = await self._service.get(places)
            found += [layout.read(data) for data in held if data is not None]
        return found

    async def _items(
        self, partition: str, start: str = "", before: str | None = None
    ) -> AsyncIterator[tuple[str, bytes]]:
        """The items of a range, query by query."""
        more = True
        while more:
            with _told():
                items, more = await self._service.query(partition, start=start, before=before, limit=MAX_RANGE)
            for item in items:
                yield item
            if items:
                start = _next(items[-1][0])

    async def _walk(
        self, layout: Layout[Any], order: Order, after: Cursor | None, limit: int
    ) -> tuple[list[Cursor], bool]:
        """The entries of an index behind a cursor, as many as one query gives, and whether there are more."""
        place = None if after is None else layout.entry_sort(order.index, after)
        start = "" if place is None or order.descending else _next(place)
        before = place if order.descending else None
        with _told():
            items, more = await self._service.query(
                layout.partition(order.index), start=start, before=before, descending=order.descending, limit=limit
            )
        return [layout.entry(order.index, *item) for item in items], more

    async def _matching(self, layout: Layout[Any], where: Filter) -> set[str] | None:
        """The keys that a filter holds for; None means all of them."""
        match where:
            case And(parts):
                sets = [found for found in await self._each(layout, parts) if found is not None]
                return set[str].intersection(*sets) if sets else None
            case Or(parts):
                found = await self._each(layout, parts)
                sets = [keys for keys in found if keys is not None]
                return set[str]().union(*sets) if len(sets) == len(found) else None
            case Equals(index, value):
                return await self._one_of(layout, index, (value,))
            case OneOf(index, values):
                return await self._one_of(layout, index, values)
            case Between(index, low, high):
                return await self._between(layout, index, low, high)
            case StartsWith(index, prefix):
                return await self._starting(layout, index, prefix)

    async def _each(self, layout: Layout[Any], parts: Iterable[Filter]) -> list[set[str] | None]:
        return [await self._matching(layout, part) for part in parts]

    async def _one_of(self, layout: Layout[Any], index: str, values: Iterable[Value]) -> set[str]:
        layout.partition(index)
        found: set[str] = set()
        for value in filter(storable_value, values):
            found |= await self._between(layout, index, value, value)
        return found

    async def _between(self, layout: Layout[Any], index: str, low: Value | None, high: Value | None) -> set[str]:
        partition = layout.partition(index)
        start, before = first_of(low) if low else "", None if high is None else behind(high) if high else ""
        return {layout.entry(index, *item).key async for item in self._items(partition, start, before)}

    async def _starting(self, layout: Layout[Any], index: str, prefix: Value) -> set[str]:
        partition = layout.partition(index)
        found: set[str] = set()
        if not storable_value(prefix):
            return found
        beginning = sort_of(prefix).removesuffix(sort_of(("",)))
        async for sort, value in self._items(partition, beginning):
            if not sort.startswith(beginning):
                break
            entry = layout.entry(index, sort, value)
            if len(entry.value) == len(prefix):
                found.add(entry.key)
        return found


def _ordered(
    layout: Layout[R], records: Sequence[R], order: Order, after: Cursor | None, limit: int
) -> tuple[list[Cursor], bool]:
    """The entries of these records in order behind a cursor, up to `limit`, and whether there are more."""

    def place(record: R) -> tuple[Value, str]:
        key = key_of(record)
        value = (key,) if order.index == KEY else next(iter(description(layout.kind).index(order.index).of(record)))
        return (value, key)

    places = sorted(map(place, records), reverse=order.descending)
    if after is not None:
        last = (after.value, after.key)
        places = [one for one in places if (one < last if order.descending else one > last)]
    return [Cursor(*one) for one in places[:limit]], len(places) > limit


def _next(sort: str) -> str:
    """The first sort key behind another."""
    return f"{sort}\0"


@contextmanager
def _told() -> Generator[None]:
    """What the service says as the port says it."""
    try:
        yield
    except Unreachable:
        raise StorageError("The store cannot be reached.") from None
    except Unacknowledged:
        raise OutcomeUnknown("The store did not acknowledge a batch.") from None
