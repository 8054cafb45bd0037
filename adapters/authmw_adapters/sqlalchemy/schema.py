"""The schema: made, and brought to what the records say now. Forward only, under a lock, nothing that a record holds is dropped. Alembic spells the changes."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import IntegrityError

from authmw.errors import Duplicate, StorageError
from authmw.storage import Index, key_of
from authmw_adapters.layout import check_names, joined
from authmw_adapters.sqlalchemy.engines import transaction
from authmw_adapters.sqlalchemy.tables import Table
from authmw_adapters.sqlalchemy.types import ExactText

SCHEMA = 1
"""The version of the layout."""
_LOCK_SECONDS = 60
_LONGEST_NAME = 63


def migrate(connection: sa.Connection, prefix: str, tables: Sequence[Table[Any]]) -> None:
    """Make what is missing. StorageError if a newer version wrote here or two kinds would share a table; Duplicate if a new unique index cannot hold what is
    stored.
    """
    check_names(tables, f"{prefix}authmw_schema")
    if any(len(name) > _LONGEST_NAME for table in tables for name in table.made()):
        raise StorageError("With this namespace the name of a table or index is longer than a database takes.")
    versions = sa.Table(f"{prefix}authmw_schema", sa.MetaData(), sa.Column("version", sa.BigInteger, nullable=False))
    with locked(connection, prefix):
        versions.create(connection, checkfirst=True)
        held = connection.execute(sa.select(sa.func.max(versions.c.version))).scalar()
        if held is not None and held > SCHEMA:
            raise StorageError("This database was written by a newer version of authmw.")
        there = sa.inspect(connection)
        standing = set(there.get_table_names())
        operations = Operations(MigrationContext.configure(connection))
        for table in tables:
            if table.name in standing:
                _change(connection, operations, there, table, standing)
            else:
                table.metadata.create_all(connection, checkfirst=False)
        if held is None:
            connection.execute(versions.insert(), {"version": SCHEMA})


@contextmanager
def locked(connection: sa.Connection, prefix: str) -> Generator[None]:
    """One migration of a namespace at a time, and whole or not at all where a database can; MySQL and MariaDB commit each change of a schema by itself."""
    name = sha256(f"authmw {connection.engine.url.database} {prefix}".encode())
    number = int.from_bytes(name.digest()[:8], signed=True)
    match connection.dialect.name:
        case "sqlite":
            with transaction(connection):
                yield
        case "postgresql":
            # Held before the transaction begins: one that began to wait would look at the schema as it was then.
            with _holding(connection, sa.func.pg_advisory_lock(number), sa.func.pg_advisory_unlock(number)):
                with transaction(connection):
                    yield
        case _:
            lock = name.hexdigest()[:60]
            with _holding(connection, sa.func.get_lock(lock, _LOCK_SECONDS), sa.func.release_lock(lock)):
                yield


@contextmanager
def _holding(connection: sa.Connection, take: sa.Function[Any], let_go: sa.Function[Any]) -> Generator[None]:
    if connection.execute(sa.select(take)).scalar() == 0:
        raise StorageError("Another process has been migrating this database for a minute.")
    try:
        yield
    finally:
        connection.execute(sa.select(let_go))


def _change(
    connection: sa.Connection, operations: Operations, there: sa.Inspector, table: Table[Any], standing: set[str]
) -> None:
    _add_columns(operations, there, table)
    _make_indexes(connection, there, table)
    for name, index in table.sides.items():
        side = table.side_tables[name]
        if side.name in standing:
            if there.get_pk_constraint(side.name)["constrained_columns"] == [
                column.name for column in side.primary_key
            ]:
                continue
            side.drop(connection)
        side.create(connection)
        _fill(connection, table, index)
    for index in table.description.indexes:
        # A side table that an index no longer has holds nothing that the records do not.
        if index.name not in table.sides and table.side(index.name) in standing:
            operations.drop_table(table.side(index.name))


def _add_columns(operations: Operations, there: sa.Inspector, table: Table[Any]) -> None:
    held = {column["name"]: column["type"] for column in there.get_columns(table.name)}
    for name in table.names:
        if name in held:
            column = table.table.c[name]
            if _lacks_length(held[name], column.type):
                operations.alter_column(
                    table.name,
                    name,
                    type_=column.type,
                    existing_nullable=column.nullable,
                    existing_server_default=column.server_default,
                )
            continue
        if name in table.columns and table.required(table.columns[name]):
            message = f"{table.description.kind} has a new field {name} without a default, and records that lack it."
            raise StorageError(message)
        operations.add_column(table.name, table.column(name))


def _lacks_length(held: object, wanted: object) -> bool:
    """Whether a text has got an index, for which MySQL and MariaDB want to know its length."""
    return isinstance(held, mysql.MEDIUMTEXT) and isinstance(wanted, ExactText) and wanted.length is not None


def _make_indexes(connection: sa.Connection, there: sa.Inspector, table: Table[Any]) -> None:
    """Derived from the rows: dropped and made again where its columns changed."""
    held = {index["name"]: index["column_names"] for index in there.get_indexes(table.name)}
    wanted = {str(index.name): index for index in table.table.indexes}
    for name, columns in held.items():
        if name in wanted and columns != [column.name for column in wanted[name].columns]:
            wanted[name].drop(connection)
        elif name in wanted:
            del wanted[name]
    for index in wanted.values():
        index.create(connection)


def _fill(connection: sa.Connection, table: Table[Any], index: Index) -> None:
    for row in connection.execute(table.selected).all():
        record = table.read(row)
        rows = [{"value": joined(value), "record": key_of(record)} for value in index.of(record)]
        try:
            if rows:
                connection.execute(table.side_tables[index.name].insert(), rows)
        except IntegrityError:
            raise Duplicate(table.description.kind, index.name) from None
