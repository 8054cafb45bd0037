"""The schema: made, and brought to what the records say now. Forward only, under the database's write lock, nothing that a record holds is dropped."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from authmw.errors import Duplicate, WrongSchema
from authmw.storage import Index, key_of
from authmw_adapters.layout import Column, check_names, joined
from authmw_adapters.sqlite.tables import Table, added

SCHEMA = 2
"""The version of the layout. 2 spells index values of several texts in another way than 1."""


def migrate(connection: sqlite3.Connection, prefix: str, tables: Sequence[Table[Any]]) -> None:
    """Make what is missing, in the open transaction. WrongSchema if a newer version wrote here or two kinds would share a table; Duplicate if a new
    unique index cannot hold what is stored.
    """
    check_names(tables, f"{prefix}authmw_schema")
    versions = f'"{prefix}authmw_schema"'
    connection.execute(f'CREATE TABLE IF NOT EXISTS {versions} ("version" INTEGER NOT NULL) STRICT')
    held: int | None = connection.execute(f'SELECT max("version") FROM {versions}').fetchone()[0]
    if held is not None and held > SCHEMA:
        raise WrongSchema("This database was written by a newer version of authmw.")
    for table in tables:
        if held == 1:
            _drop_sides(connection, table)
        _migrate(connection, table)
    if held != SCHEMA:
        connection.execute(f"DELETE FROM {versions}")
        connection.execute(f"INSERT INTO {versions} VALUES (?)", (SCHEMA,))


def _drop_sides(connection: sqlite3.Connection, table: Table[Any]) -> None:
    # A side table holds nothing that its records do not, and is filled again.
    for name in table.sides:
        connection.execute(f'DROP TABLE IF EXISTS "{table.side(name)}"')


def _migrate(connection: sqlite3.Connection, table: Table[Any]) -> None:
    existed = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table.name,)).fetchone() is not None
    if existed:
        _change_columns(connection, table)
    made = dict(connection.execute("SELECT name, type FROM sqlite_master"))
    if existed:
        for index in table.description.indexes:
            _drop_what_changed(connection, table, index, made)
    for statement in table.schema():
        connection.execute(statement)
    if existed:
        for name, index in table.sides.items():
            if table.side(name) not in made:
                _fill(connection, table, index)


def _change_columns(connection: sqlite3.Connection, table: Table[Any]) -> None:
    standing = {row[1]: bool(row[3]) for row in connection.execute(f'PRAGMA table_info("{table.name}")')}
    for name, column in table.columns.items():
        if name in standing:
            if column.optional and standing[name]:
                _let_be_missing(connection, table, column)
            continue
        if table.required(column):
            message = f"{table.description.kind} has a new field {name} without a default, and records that lack it."
            raise WrongSchema(message)
        connection.execute(f'ALTER TABLE "{table.name}" ADD COLUMN {added(column)}')
    if table.rest and "rest" not in standing:
        connection.execute(f'ALTER TABLE "{table.name}" ADD COLUMN "rest" TEXT NOT NULL DEFAULT \'{{}}\'')


def _let_be_missing(connection: sqlite3.Connection, table: Table[Any], column: Column) -> None:
    """Let a column hold NULL where its field has learnt to be None: SQLite changes no column, so another one takes its place."""
    for _, index, _, origin, *_ in connection.execute(f'PRAGMA index_list("{table.name}")').fetchall():
        columns = {row[2] for row in connection.execute(f'PRAGMA index_info("{index}")')}
        if origin == "c" and column.name in columns:
            connection.execute(f'DROP INDEX "{index}"')
    connection.execute(f'ALTER TABLE "{table.name}" RENAME COLUMN "{column.name}" TO "{column.name}__before"')
    connection.execute(f'ALTER TABLE "{table.name}" ADD COLUMN {added(column)}')
    connection.execute(f'UPDATE "{table.name}" SET "{column.name}" = "{column.name}__before"')
    connection.execute(f'ALTER TABLE "{table.name}" DROP COLUMN "{column.name}__before"')


def _drop_what_changed(connection: sqlite3.Connection, table: Table[Any], index: Index, made: dict[str, str]) -> None:
    """An index may have got other columns, a side table, or lost it; whatever is dropped here is derived and made again."""
    name = table.side(index.name)
    columns = table.fields(index)
    if made.get(name) == "index":
        standing = [row[2] for row in connection.execute(f'PRAGMA index_info("{name}")')]
        if columns is None or standing != list(dict.fromkeys((*columns, table.key))):
            connection.execute(f'DROP INDEX "{name}"')
            del made[name]
    elif made.get(name) == "table":
        keys = [row[1] for row in connection.execute(f'PRAGMA table_info("{name}")') if row[5]]
        if columns is not None or keys != (["value"] if index.unique else ["value", "record"]):
            connection.execute(f'DROP TABLE "{name}"')
            del made[name]


def _fill(connection: sqlite3.Connection, table: Table[Any], index: Index) -> None:
    for row in connection.execute(f'SELECT {table.selected} FROM "{table.name}" AS t'):
        record = table.read(row)
        rows = [(joined(value), key_of(record)) for value in index.of(record)]
        try:
            connection.executemany(f'INSERT INTO "{table.side(index.name)}" VALUES (?, ?)', rows)
        except sqlite3.IntegrityError:
            raise Duplicate(table.description.kind, index.name) from None
