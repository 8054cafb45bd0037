"""The storage that operations see: it reads each record once in an attempt and remembers what it gave.

Law: whatever a decision read by key or unique index is in the commit, written or checked. So there is no write skew, and nobody has to remember it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NoReturn, TypeVar, cast

from authmw.errors import StorageError
from authmw.storage import (
    IO,
    Check,
    Cursor,
    Filter,
    Insert,
    Order,
    Page,
    Record,
    Storage,
    Value,
    Write,
    description,
    key_of,
)

R = TypeVar("R", bound=Record)


class Remembering:
    """One attempt's view of a storage: reads through, remembers, and never writes."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._by_key: dict[tuple[type[Record], str], Record | None] = {}
        self._by_index: dict[tuple[type[Record], str, Value], Record | None] = {}

    @property
    def io(self) -> IO:
        """As the storage behind it."""
        return self._storage.io

    async def get(self, kind: type[R], key: str) -> R | None:
        """As the storage behind it, once."""
        place = (kind, key)
        if place not in self._by_key:
            self._by_key[place] = await self._storage.get(kind, key)
        return cast("R | None", self._by_key[place])

    async def find(self, kind: type[R], index: str, value: Value) -> R | None:
        """As the storage behind it, once; a record already read is the one that was read first, and is not asked for again where it holds the value itself."""
        place = (kind, index, value)
        if place not in self._by_index:
            found = self._holder(kind, index, value) or await self._storage.find(kind, index, value)
            if found is not None:
                found = cast("R", self._by_key.setdefault((kind, key_of(found)), found))
            self._by_index[place] = found
        return cast("R | None", self._by_index[place])

    def _holder(self, kind: type[R], name: str, value: Value) -> R | None:
        """The record that holds a value, if it was read: nobody else has it as long as that record has not changed, which the commit checks."""
        index = description(kind).index(name)
        if index.unique:
            for (other, _), record in self._by_key.items():
                if other is kind and record is not None and value in index.of(record):
                    return cast("R", record)
        return None

    async def page(
        self, kind: type[R], where: Filter, *, order: Order = Order(), after: Cursor | None = None, limit: int
    ) -> Page[R]:
        """As the storage behind it; what a page gave is not checked, so no decision that may be raced rests on it."""
        return await self._storage.page(kind, where, order=order, after=after, limit=limit)

    async def count(self, kind: type[R], where: Filter, *, at_most: int) -> int:
        """As the storage behind it."""
        return await self._storage.count(kind, where, at_most=at_most)

    def known(self, kind: type[R], key: str) -> R | None:
        """The record of this key as it was read, if it was."""
        return cast("R | None", self._by_key.get((kind, key)))

    def checks(self, writes: Sequence[Write]) -> list[Write]:
        """A `Check` for every record that was read and is not written."""
        written: set[tuple[type[Record], str]] = {(type(write.record), key_of(write.record)) for write in writes}
        return [
            Check(record)
            for place, record in self._by_key.items()
            if record is not None and place not in written and not description(place[0]).kind.startswith("signing_")
        ]

    async def commit(self, *writes: Write) -> NoReturn:
        """Refused: only the ledger commits."""
        raise StorageError("An operation changes storage through ledger.commit only.")

    async def sweep(self, now: datetime, limit: int) -> NoReturn:
        """Refused: only the ledger sweeps."""
        raise StorageError("An operation does not sweep.")

    async def prepare(self, kinds: Sequence[type[Record]]) -> NoReturn:
        """Refused: an `Auth` prepares its storage when it starts."""
        raise StorageError("An operation does not prepare storage.")

    async def close(self) -> None:
        """Nothing to let go of."""


__all__ = ["Insert", "Remembering"]
