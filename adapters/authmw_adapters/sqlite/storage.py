"""`SQLiteStorage`: the storage port on one database file.

Each commit is one immediate transaction, synced to the disk before it is acknowledged (`synchronous=FULL`: a commit that a power loss could undo might un-spend a token).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

from authmw.errors import Conflict, Duplicate, StorageError
from authmw.storage import (
    IO,
    MAX_INDEX_VALUES,
    MAX_WRITES,
    Check,
    Cursor,
    Delete,
    Filter,
    Insert,
    Order,
    Page,
    Record,
    Update,
    Value,
    Write,
    key_of,
    moment,
)
from authmw_adapters.sqlite.connections import Connections
from authmw_adapters.sqlite.tables import Table, checked_namespace, joined

R = TypeVar("R", bound=Record)
SCHEMA = 1
_KEPT_AFTER_EXPIRY = timedelta(days=1)


class SQLiteStorage:
    """A `Storage` in a SQLite file, made with mode 0600 if it does not exist. `namespace` prefixes the tables; two namespaces never see each other."""

    io: IO = "blocking"

    def __init__(self, path: str | Path, namespace: str = "") -> None:
        self._prefix = checked_namespace(namespace)
        self._connections = Connections(path, synchronous="FULL")
        self._tables: dict[type[Record], Table[Any]] = {}

    async def prepare(self, kinds: Sequence[type[Record]]) -> None:
        """Create what is missing, add columns and fill indexes that are new. StorageError if the file was written by a newer version."""
        with self._connections.one() as connection:
            connection.execute("BEGIN IMMEDIATE")
            versions = f"{self._prefix}authmw_schema"
            connection.execute(f'CREATE TABLE IF NOT EXISTS "{versions}" ("version" INTEGER NOT NULL) STRICT')
            held = connection.execute(f'SELECT max("version") FROM "{versions}"').fetchone()[0]
            if held is not None and held > SCHEMA:
                raise StorageError("This database was written by a newer version of authmw.")
            for kind in kinds:
                _migrate(connection, self._table(kind))
            if held is None:
                connection.execute(f'INSERT INTO "{versions}" VALUES (?)', (SCHEMA,))
            connection.execute("COMMIT")

    async def get(self, kind: type[R], key: str) -> R | None:
        """The record of this key."""
        table = self._table(kind)
        with self._connections.one() as connection:
            row = connection.execute(table.get, (key,)).fetchone()
        return table.read(row) if row else None

    async def find(self, kind: type[R], index: str, value: Value) -> R | None:
        """The record that holds this value in a unique index."""
        table = self._table(kind)
        with self._connections.one() as connection:
            row = connection.execute(table.find(index), (joined(value),)).fetchone()
        return table.read(row) if row else None

    async def page(
        self, kind: type[R], where: Filter, *, order: Order = Order(), after: Cursor | None = None, limit: int
    ) -> Page[R]:
        """Some records in order."""
        if not 1 <= limit <= 1000:
            raise StorageError("A page holds 1 to 1000 records.")
        table = self._table(kind)
        sql, values = table.page(table.where(where), order, after, limit)
        with self._connections.one() as connection:
            rows = connection.execute(sql, values).fetchall()
        records = [table.read(row) for row in rows[:limit]]
        cursor = table.cursor(records[-1], order) if len(rows) > limit else None
        return Page(tuple(records), cursor)

    async def count(self, kind: type[R], where: Filter, *, at_most: int) -> int:
        """How many records the filter holds for, up to `at_most`."""
        table = self._table(kind)
        sql, values = table.where(where)
        counted = f'SELECT count(*) FROM (SELECT 1 FROM "{table.name}" WHERE {sql} LIMIT ?)'
        with self._connections.one() as connection:
            found: int = connection.execute(counted, [*values, at_most]).fetchone()[0]
        return found

    async def commit(self, *writes: Write) -> None:
        """All of the writes or none."""
        if len(writes) > MAX_WRITES or len({(type(one.record), key_of(one.record)) for one in writes}) < len(writes):
            raise StorageError("A commit names at most 20 records, each once.")
        with self._connections.one() as connection:
            connection.execute("BEGIN IMMEDIATE")
            olds = [self._judged(connection, write) for write in writes]
            changes = [_Change(self._table(type(one.record)), one, old) for one, old in zip(writes, olds, strict=True)]
            if sum(change.index_values() for change in changes) > MAX_INDEX_VALUES:
                raise StorageError("A commit changes at most 60 index values.")
            changes.sort(key=lambda change: (change.table.name, change.key))
            for step in (_Change.remove_values, _Change.write_row, _Change.add_values):
                for change in changes:
                    step(change, connection)
            connection.execute("COMMIT")

    async def sweep(self, now: datetime, limit: int) -> int:
        """Drop what expired more than a day ago."""
        swept = 0
        over = moment(now - _KEPT_AFTER_EXPIRY)
        with self._connections.one() as connection:
            for table in self._tables.values():
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

    def _judged(self, connection: sqlite3.Connection, write: Write) -> Record | None:
        """The record as it stands. Conflict if the write does not apply to it."""
        table = self._table(type(write.record))
        row = connection.execute(table.get, (key_of(write.record),)).fetchone()
        old = table.read(row) if row else None
        if isinstance(write, Insert):
            if old is not None:
                message = f"A record of {table.description.kind} has this key."
                raise Conflict(message)
        elif old is None or old.version != write.record.version:
            message = f"A record of {table.description.kind} has changed."
            raise Conflict(message)
        return old


class _Change:
    """One write of a commit, in its three steps: old index values go, the row is written, new index values come."""

    def __init__(self, table: Table[Any], write: Write, old: Record | None) -> None:
        self.table = table
        self.write = write
        self.key = key_of(write.record)
        self._checks = isinstance(write, Check)
        new = None if isinstance(write, Delete) else write.record
        indexes = table.description.indexes
        self._before = {index.name: index.of(old) if old else frozenset[Value]() for index in indexes}
        self._after = {index.name: index.of(new) if new else frozenset[Value]() for index in indexes}

    def index_values(self) -> int:
        return 0 if self._checks else sum(len(self._before[name] ^ self._after[name]) for name in self._before)

    def remove_values(self, connection: sqlite3.Connection) -> None:
        if self._checks:
            return
        for name in self.table.sides:
            gone = [(joined(value), self.key) for value in self._before[name] - self._after[name]]
            connection.executemany(f'DELETE FROM "{self.table.side(name)}" WHERE "value" = ? AND "record" = ?', gone)

    def write_row(self, connection: sqlite3.Connection) -> None:
        record = self.write.record
        if isinstance(self.write, Insert):
            connection.execute(self.table.insert, self.table.write(record, record.version + 1))
        elif isinstance(self.write, Update):
            connection.execute(self.table.update, [*self.table.write(record, record.version + 1), self.key])
        elif isinstance(self.write, Delete):
            connection.execute(self.table.delete, (self.key,))

    def add_values(self, connection: sqlite3.Connection) -> None:
        if self._checks or isinstance(self.write, Delete):
            return
        for name in self.table.sides:
            new = sorted((joined(value), self.key) for value in self._after[name] - self._before[name])
            try:
                connection.executemany(f'INSERT INTO "{self.table.side(name)}" VALUES (?, ?)', new)
            except sqlite3.IntegrityError:
                raise Duplicate(self.table.description.kind, name) from None


def _migrate(connection: sqlite3.Connection, table: Table[Any]) -> None:
    """Bring the tables of one kind to what the record says now: forward only, and nothing is dropped."""
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    existed = table.name in tables
    if existed:
        standing = {row[1] for row in connection.execute(f'PRAGMA table_info("{table.name}")')}
        for name, (plain, optional) in table.columns.items():
            if name not in standing:
                default = "" if optional else f" NOT NULL DEFAULT {_EMPTY[plain]}"
                connection.execute(f'ALTER TABLE "{table.name}" ADD COLUMN "{name}" {_SQL[plain]}{default}')
    for statement in table.schema():
        connection.execute(statement)
    if existed:
        for name, index in table.sides.items():
            if table.side(name) not in tables:
                _fill(connection, table, name, index)


_SQL: dict[object, str] = {str: "TEXT", int: "INTEGER", bool: "INTEGER", bytes: "BLOB", datetime: "TEXT"}
_EMPTY: dict[object, str] = {
    str: "''",
    int: "0",
    bool: "0",
    bytes: "x''",
    datetime: "'1970-01-01T00:00:00.000000+00:00'",
}


def _fill(connection: sqlite3.Connection, table: Table[Any], name: str, index: Any) -> None:
    sql, values = table.page(("1", []), Order(), None, 1_000_000_000)
    for row in connection.execute(sql, values).fetchall():
        record = table.read(row)
        rows = [(joined(value), key_of(record)) for value in index.of(record)]
        connection.executemany(f'INSERT INTO "{table.side(name)}" VALUES (?, ?)', rows)
