"""The schema: made, brought forward to what the records say, and looked at. Forward only, under a lock, nothing that a record holds is dropped. Alembic spells the
changes.

Each schema that was released is a revision (`revisions`), whose number the database keeps. There is one way forward from all of them: columns are the truth, what a
kind of record lacks there is added with its default, and indexes and side tables are made from the rows. So no chain of steps has to be kept true, and a database of
any revision gets to the newest at once.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from io import StringIO
from typing import Any

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.util import CommandError
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import DropTable

from authmw.errors import Duplicate, StorageError, WrongSchema
from authmw.storage import Index, key_of
from authmw_adapters.layout import check_names, joined
from authmw_adapters.sqlalchemy.engines import transaction
from authmw_adapters.sqlalchemy.revisions import newest
from authmw_adapters.sqlalchemy.tables import Table
from authmw_adapters.sqlalchemy.types import ExactText, is_mysql

_LOCK_SECONDS = 60
_LONGEST_NAME = 63


def migrate(connection: sa.Connection, prefix: str, tables: Sequence[Table[Any]]) -> None:
    """Make what is missing. WrongSchema if a newer version wrote here or two kinds would share a table; Duplicate if a new unique index cannot hold what is
    stored.
    """
    _check_all_names(prefix, tables)
    with locked(connection, prefix):
        _bring_forward(connection, Operations(MigrationContext.configure(connection)), prefix, tables)


def look(connection: sa.Connection, prefix: str) -> None:
    """WrongSchema if a newer version wrote here."""
    _revision(connection, _versions(prefix))


def planned(connection: sa.Connection, prefix: str, tables: Sequence[Table[Any]]) -> list[str]:
    """What `migrate` would do, as SQL; nothing is changed. StorageError for what is worked out from the rows, which no SQL says."""
    _check_all_names(prefix, tables)
    written = StringIO()
    context = MigrationContext.configure(
        connection, opts={"as_sql": True, "literal_binds": True, "output_buffer": written}
    )
    try:
        _bring_forward(connection, Operations(context), prefix, tables)
    except CommandError:
        raise StorageError("This change has no SQL of its own here: run `authmw migrate`.") from None
    return [statement for one in written.getvalue().split(";\n\n") if (statement := one.strip())]


def check(connection: sa.Connection, prefix: str) -> None:
    """Raises WrongSchema unless the database has the schema of the newest revision."""
    held = _revision(connection, _versions(prefix))
    if held is None:
        raise WrongSchema("This database has no tables of authmw yet: run `authmw migrate`.")
    if held < newest():
        message = f"This database has the schema of revision {held}, and this version of authmw needs {newest()}: run `authmw migrate`."
        raise WrongSchema(message)


def _check_all_names(prefix: str, tables: Sequence[Table[Any]]) -> None:
    check_names(tables, f"{prefix}authmw_schema", f"{prefix}authmw_filling")
    if any(len(name) > _LONGEST_NAME for table in tables for name in table.made()):
        raise WrongSchema("With this namespace the name of a table or index is longer than a database takes.")


def _versions(prefix: str) -> sa.Table:
    return sa.Table(f"{prefix}authmw_schema", sa.MetaData(), sa.Column("version", sa.BigInteger, nullable=False))


def _revision(connection: sa.Connection, versions: sa.Table) -> int | None:
    """The revision that a database has; None before the first. WrongSchema for one that is not known here."""
    if not sa.inspect(connection).has_table(versions.name):
        return None
    held: int | None = connection.execute(sa.select(sa.func.max(versions.c.version))).scalar()
    if held is not None and held > newest():
        raise WrongSchema("This database was written by a newer version of authmw.")
    return held


def _bring_forward(
    connection: sa.Connection, operations: Operations, prefix: str, tables: Sequence[Table[Any]]
) -> None:
    versions = _versions(prefix)
    there = sa.inspect(connection)
    standing = set(there.get_table_names())
    held = _revision(connection, versions)
    if versions.name not in standing:
        operations.impl.create_table(versions)
    for table in tables:
        if table.name in standing:
            _change(connection, operations, there, table, standing)
        else:
            for made in table.metadata.sorted_tables:
                operations.impl.create_table(made)
    if held is None or held < newest():
        operations.execute(versions.insert().values(version=newest()))


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
    indexes = {str(index["name"]): index["column_names"] for index in there.get_indexes(table.name)}
    _add_columns(operations, there, table, indexes)
    _make_indexes(operations, table, indexes)
    for name, index in table.sides.items():
        side = table.side_tables[name]
        if side.name not in standing:
            _make_side(connection, operations, table, index)
        elif there.get_pk_constraint(side.name)["constrained_columns"] != [one.name for one in side.primary_key]:
            operations.impl.drop_table(side)
            _make_side(connection, operations, table, index)
        else:
            held = {one["name"] for one in there.get_indexes(side.name)}
            for missing in [one for one in side.indexes if one.name not in held]:
                operations.impl.create_index(missing)
    for index in table.description.indexes:
        # A side table that an index no longer has holds nothing that the records do not.
        if index.name not in table.sides and table.side(index.name) in standing:
            operations.drop_table(table.side(index.name))


def _make_side(connection: sa.Connection, operations: Operations, table: Table[Any], index: Index) -> None:
    """Make the side table of an index and fill it from the rows."""
    side = table.side_tables[index.name]
    if operations.migration_context.as_sql:
        message = f"The index {index.name} of {table.description.kind} is filled from the rows: run `authmw migrate`."
        raise StorageError(message)
    if not is_mysql(connection.dialect):
        operations.impl.create_table(side)
        _fill(connection, table, index, side)
        return
    # MySQL and MariaDB undo no change of a schema. What bears the name is full: a migration that is cut off before leaves none.
    filling = side.to_metadata(sa.MetaData(), name=f"{table.prefix}authmw_filling")
    connection.execute(DropTable(filling, if_exists=True))
    operations.impl.create_table(filling)
    _fill(connection, table, index, filling)
    operations.rename_table(filling.name, side.name)


def _add_columns(
    operations: Operations, there: sa.Inspector, table: Table[Any], indexes: dict[str, list[str | None]]
) -> None:
    held = {column["name"]: column for column in there.get_columns(table.name)}
    for name in table.names:
        if name in held:
            standing, column = held[name], table.table.c[name]
            length = _length_is_another(standing["type"], column.type)
            if length and isinstance(column.type, ExactText) and column.type.length is None:
                # MySQL and MariaDB index no text without a length. What stood there is made again if it is asked for.
                for index in [one for one, columns in indexes.items() if column.name in columns]:
                    operations.drop_index(index, table.name)
                    del indexes[index]
            _widen(operations, table, column, nullable=standing["nullable"], length=length)
            continue
        if name in table.columns and table.required(table.columns[name]):
            message = f"{table.description.kind} has a new field {name} without a default, and records that lack it."
            raise WrongSchema(message)
        operations.add_column(table.name, table.column(name))


def _widen(operations: Operations, table: Table[Any], wanted: sa.Column[Any], *, nullable: bool, length: bool) -> None:
    """Let a column hold None where its field has learnt to, and give a text the length that its indexes ask for. What a column may do more than its field does no harm."""
    optional = bool(wanted.nullable) and not nullable
    if optional or length:
        with operations.batch_alter_table(table.name) as batch:
            batch.alter_column(
                wanted.name,
                type_=wanted.type if length else None,
                nullable=True if optional else None,
                existing_type=wanted.type,
                existing_nullable=nullable,
                existing_server_default=wanted.server_default,
            )


def _length_is_another(held: object, wanted: object) -> bool:
    """Whether a text has got an index or lost it, for which MySQL and MariaDB want to know its length."""
    return (
        isinstance(held, mysql.VARCHAR | mysql.MEDIUMTEXT)
        and isinstance(wanted, ExactText)
        and (held.length if isinstance(held, mysql.VARCHAR) else None) != wanted.length
    )


def _make_indexes(operations: Operations, table: Table[Any], held: dict[str, list[str | None]]) -> None:
    """Derived from the rows: dropped and made again where its columns changed."""
    wanted = {str(index.name): index for index in table.table.indexes}
    for name, columns in held.items():
        if name in wanted and columns != [column.name for column in wanted[name].columns]:
            operations.impl.drop_index(wanted[name])
        elif name in wanted:
            del wanted[name]
    for index in wanted.values():
        operations.impl.create_index(index)


def _fill(connection: sa.Connection, table: Table[Any], index: Index, side: sa.Table) -> None:
    for row in connection.execute(table.selected).all():
        record = table.read(row)
        rows = [{"value": joined(value), "record": key_of(record)} for value in index.of(record)]
        try:
            if rows:
                connection.execute(side.insert(), rows)
        except IntegrityError:
            raise Duplicate(table.description.kind, index.name) from None
