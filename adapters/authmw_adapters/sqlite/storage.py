"""`SQLiteStorage`: the storage port on one database file.

Each commit is one immediate transaction, synced to the disk before it is acknowledged (`synchronous=FULL`: a commit that a power loss could undo might un-spend a token).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

from authmw.errors import Conflict, Duplicate, OutcomeUnknown, StorageError
from authmw.storable import check_actions, check_commit, storable_text, storable_value
from authmw.storage import (
    IO,
    Check,
    Cursor,
    Delete,
    Filter,
    Insert,
    Order,
    Page,
    Record,
    Value,
    Write,
    key_of,
    moment,
)
from authmw_adapters.layout import Change, checked_namespace, joined
from authmw_adapters.migrating import asked
from authmw_adapters.sqlite.connections import Connections
from authmw_adapters.sqlite.migrations import migrate
from authmw_adapters.sqlite.queries import counting, paging
from authmw_adapters.sqlite.tables import Table

R = TypeVar("R", bound=Record)
_KEPT_AFTER_EXPIRY = timedelta(days=1)


class SQLiteStorage:
    """A `Storage` in a SQLite file, made with mode 0600 if it does not exist. `namespace` prefixes the tables; two namespaces never see each other.

    Raises ValueError for a namespace that is not a plain lower-case name and for a database in memory. Needs SQLite 3.37.
    """

    io: IO = "blocking"

    def __init__(self, path: str | Path, namespace: str = "") -> None:
        self._prefix = checked_namespace(namespace)
        self._connections = Connections(path, synchronous="FULL")
        self._tables: dict[type[Record], Table[Any]] = {}

    async def prepare(self, kinds: Sequence[type[Record]]) -> None:
        """Create what is missing, add columns and fill indexes that are new. WrongSchema if the file was written by a newer version."""
        migration = asked.get()
        if migration is not None and migration.plan:
            raise StorageError("A SQLite file is brought forward as a whole; no SQL says how.")
        if sqlite3.sqlite_version_info < (3, 37):
            raise StorageError("This Python has a SQLite older than 3.37.")
        with self._connections.writing() as connection:
            migrate(connection, self._prefix, [self._table(kind) for kind in dict.fromkeys(kinds)])
            connection.execute("COMMIT")

    def inspect(self) -> Iterator[str]:
        """What an operator should mend."""
        return self._connections.inspect()

    async def get(self, kind: type[R], key: str) -> R | None:
        """The record of this key."""
        table = self._table(kind)
        if not storable_text(key):
            return None
        with self._connections.one() as connection:
            row = connection.execute(table.get, (key,)).fetchone()
        return table.read(row) if row else None

    async def find(self, kind: type[R], index: str, value: Value) -> R | None:
        """The record that holds this value in a unique index."""
        table = self._table(kind)
        sql = table.find(index)
        if not storable_value(value):
            return None
        with self._connections.one() as connection:
            row = connection.execute(sql, (joined(value),)).fetchone()
        return table.read(row) if row else None

    async def page(
        self, kind: type[R], where: Filter, *, order: Order = Order(), after: Cursor | None = None, limit: int
    ) -> Page[R]:
        """Some records in order."""
        if not 1 <= limit <= 1000:
            raise StorageError("A page holds 1 to 1000 records.")
        table = self._table(kind)
        # One more than asked shows whether there is another page.
        sql, values = paging(table, where, order, after, limit + 1)
        with self._connections.one() as connection:
            rows = connection.execute(sql, values).fetchall()
        records = tuple(table.read(row) for row in rows[:limit])
        return Page(records, table.cursor(records[-1], order) if len(rows) > limit else None)

    async def count(self, kind: type[R], where: Filter, *, at_most: int) -> int:
        """How many records the filter holds for, up to `at_most`."""
        sql, values = counting(self._table(kind), where, at_most)
        with self._connections.one() as connection:
            found: int = connection.execute(sql, values).fetchone()[0]
        return found

    async def commit(self, *writes: Write) -> None:
        """All of the writes or none."""
        check_commit(writes)
        with self._connections.writing() as connection:
            changes = [change for write in writes if (change := self._judged(connection, write))]
            check_actions(writes, sum(change.values_aside for change in changes))
            changes.sort(key=lambda change: (change.table.name, change.key))
            for step in (_Change.remove_values, _Change.write_row, _Change.add_values):
                for change in changes:
                    step(change, connection)
            try:
                connection.execute("COMMIT")
            except sqlite3.Error:
                # The file may hold it already: a failed sync says nothing about what a restart will find.
                raise OutcomeUnknown("The database did not acknowledge a commit.") from None

    async def sweep(self, now: datetime, limit: int) -> int:
        """Drop what expired more than a day ago."""
        swept = 0
        over = moment(now - _KEPT_AFTER_EXPIRY)
        with self._connections.one() as connection:
            for table in list(self._tables.values()):
                expires = table.description.expires
                if expires is None or swept >= limit:
                    continue
                chosen = f'SELECT "{table.key}" FROM "{table.name}" WHERE "{expires}" < ? LIMIT ?'
                drop = f'DELETE FROM "{table.name}" WHERE "{table.key}" IN ({chosen})'
                swept += connection.execute(drop, (over, limit - swept)).rowcount
        return swept

    async def close(self) -> None:
        """Close the connections that are not in use."""
        self._connections.close()

    def _table(self, kind: type[R]) -> Table[R]:
        table = self._tables.get(kind)
        if table is None:
            table = self._tables[kind] = Table(kind, self._prefix)
        return cast("Table[R]", table)

    def _judged(self, connection: sqlite3.Connection, write: Write) -> _Change | None:
        """What a write changes, None for a check that holds. Conflict if it is known already not to apply to what is stored; else its row's step finds out."""
        table = self._table(type(write.record))
        key = key_of(write.record)
        if isinstance(write, Check):
            row = connection.execute(table.version, (key,)).fetchone()
            if row is None or row[0] != write.record.version:
                raise _changed(table)
            return None
        if isinstance(write, Insert):
            return _Change(table, write, None)
        if not table.sides:
            # Nothing that was there is to be taken away with it, so what is there need not be read.
            return _Change(table, write, write.record)
        row = connection.execute(table.get, (key,)).fetchone()
        old = table.read(row) if row else None
        if old is None or old.version != write.record.version:
            raise _changed(table)
        return _Change(table, write, old)


def _changed(table: Table[Any]) -> Conflict:
    return Conflict(f"A record of {table.description.kind} has changed.")


class _Change(Change):
    """One write of a commit, in its three steps: old index values go, the row is written, new index values come."""

    def __init__(self, table: Table[Any], write: Write, old: Record | None) -> None:
        super().__init__(table, write, old)
        self.table = table

    def remove_values(self, connection: sqlite3.Connection) -> None:
        """What goes, goes first: a value may move from one record to another."""
        for name, values in self.gone.items():
            if values:
                gone = [(joined(value), self.key) for value in values]
                sql = f'DELETE FROM "{self.table.side(name)}" WHERE "value" = ? AND "record" = ?'
                connection.executemany(sql, gone)

    def write_row(self, connection: sqlite3.Connection) -> None:
        """Write the row on the condition of its version. Conflict if that does not hold."""
        record, table = self.write.record, self.table
        if isinstance(self.write, Insert):
            try:
                connection.execute(table.insert, table.write(record, record.version + 1))
            except sqlite3.IntegrityError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
                    raise
                message = f"A record of {table.description.kind} has this key."
                raise Conflict(message) from None
            return
        if isinstance(self.write, Delete):
            done = connection.execute(table.delete, (self.key, record.version))
        else:
            values = table.write(record, record.version + 1)
            done = connection.execute(table.update, (*values, self.key, record.version))
        if done.rowcount != 1:
            raise _changed(table)

    def add_values(self, connection: sqlite3.Connection) -> None:
        """Add what is new. Duplicate if a unique index holds it for another record."""
        for name, values in self.new.items():
            if values:
                new = [(joined(value), self.key) for value in values]
                try:
                    connection.executemany(f'INSERT INTO "{self.table.side(name)}" VALUES (?, ?)', new)
                except sqlite3.IntegrityError:
                    raise Duplicate(self.table.description.kind, name) from None
