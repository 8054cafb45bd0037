"""The storage port on SQL databases of many processes.

Each commit is one transaction, and on PostgreSQL mostly one statement, that locks what it names in one order: what is written for itself, what is checked for
sharing. So `READ COMMITTED` is enough, and a stricter isolation, as distributed relatives of PostgreSQL have it, only adds conflicts.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar, cast

from sqlalchemy import URL, Connection, Engine, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from authmw.errors import Conflict, Duplicate, StorageError
from authmw.storable import check_actions, check_commit, storable_text, storable_value
from authmw.storage import IO, Check, Cursor, Delete, Filter, Insert, Order, Page, Record, Storage, Value, Write, key_of
from authmw_adapters.layout import Change, checked_namespace, joined
from authmw_adapters.migrating import asked
from authmw_adapters.sqlalchemy.engines import Asynchronous, Blocking, Joined, transaction
from authmw_adapters.sqlalchemy.patience import SECONDS
from authmw_adapters.sqlalchemy.queries import counting, paging
from authmw_adapters.sqlalchemy.schema import check, look, migrate, planned
from authmw_adapters.sqlalchemy.single import Commits
from authmw_adapters.sqlalchemy.tables import Table

R = TypeVar("R", bound=Record)
_KEPT_AFTER_EXPIRY = timedelta(days=1)


class _Storage:
    """What both storages do; they differ in how work is run."""

    io: IO

    def __init__(self, runner: Blocking | Asynchronous | Joined, namespace: str, *, migrates: bool) -> None:
        self._prefix = checked_namespace(namespace)
        self._runner = runner
        self._migrates = migrates
        self._tables: dict[type[Record], Table[Any]] = {}
        self._commits = Commits()

    async def prepare(self, kinds: Sequence[type[Record]]) -> None:
        """Create what is missing, add columns and fill indexes that are new, under a lock; with `migrates=False` only look whether `authmw migrate` did.

        WrongSchema if it did not, or if a newer version wrote here.
        """
        tables = [self._table(kind) for kind in dict.fromkeys(kinds)]
        migration = asked.get()
        if migration is not None and migration.plan:
            migration.statements += await self._runner.run(
                partial(planned, prefix=self._prefix, tables=tables), again=True, long=True
            )
        elif self._migrates or migration is not None:
            # A server that stands still is found out first: bringing tables forward takes as long as it takes.
            await self._runner.run(partial(look, prefix=self._prefix), again=True)
            await self._runner.run(partial(migrate, prefix=self._prefix, tables=tables), again=True, long=True)
        else:
            await self._runner.run(partial(check, prefix=self._prefix), again=True)

    async def get(self, kind: type[R], key: str) -> R | None:
        """The record of this key."""
        table = self._table(kind)
        if not storable_text(key):
            return None
        row = await self._runner.run(lambda connection: connection.execute(table.get, {"k": key}).first(), again=True)
        return table.read(row) if row else None

    async def find(self, kind: type[R], index: str, value: Value) -> R | None:
        """The record that holds this value in a unique index."""
        table = self._table(kind)
        statement = table.find(index)
        if not storable_value(value):
            return None
        row = await self._runner.run(lambda one: one.execute(statement, {"value": joined(value)}).first(), again=True)
        return table.read(row) if row else None

    async def page(
        self, kind: type[R], where: Filter, *, order: Order = Order(), after: Cursor | None = None, limit: int
    ) -> Page[R]:
        """Some records in order."""
        if not 1 <= limit <= 1000:
            raise StorageError("A page holds 1 to 1000 records.")
        table = self._table(kind)
        # One more than asked shows whether there is another page.
        statement = paging(table, where, order, after, limit + 1)
        rows = await self._runner.run(lambda connection: connection.execute(statement).all(), again=True)
        records = tuple(table.read(row) for row in rows[:limit])
        return Page(records, table.cursor(records[-1], order) if len(rows) > limit else None)

    async def count(self, kind: type[R], where: Filter, *, at_most: int) -> int:
        """How many records the filter holds for, up to `at_most`."""
        statement = counting(self._table(kind), where, at_most)
        return await self._runner.run(lambda connection: connection.execute(statement).scalar_one(), again=True)

    async def commit(self, *writes: Write) -> None:
        """All of the writes or none."""
        check_commit(writes)
        ordered = sorted(writes, key=lambda write: (self._table(type(write.record)).name, key_of(write.record)))
        await self._runner.run(partial(self._commit, writes=ordered))

    async def sweep(self, now: datetime, limit: int) -> int:
        """Drop what expired more than a day ago."""
        swept = 0
        for table in list(self._tables.values()):
            if table.description.expires and swept < limit:
                over = partial(_swept, table=table, over=now - _KEPT_AFTER_EXPIRY, limit=limit - swept)
                swept += await self._runner.run(over)
        return swept

    async def close(self) -> None:
        """Close the connections that are not in use."""
        await self._runner.close()

    def join(self, connection: Connection | AsyncConnection) -> Storage:
        """The same storage as part of a transaction that the host began on this connection: each commit is a savepoint. TypeError for one of another kind."""
        wanted = AsyncConnection if self.io == "async" else Connection
        if not isinstance(connection, wanted):
            message = f"This storage joins transactions of a {wanted.__name__}."
            raise TypeError(message)
        other = copy(self)
        other._runner = Joined(connection)
        return other

    def _table(self, kind: type[R]) -> Table[R]:
        table = self._tables.get(kind)
        if table is None:
            table = self._tables[kind] = Table(kind, self._prefix, self._runner.dialect)
        return cast("Table[R]", table)

    def _commit(self, connection: Connection, writes: Sequence[Write]) -> None:
        named = [(self._table(type(write.record)), write) for write in writes]
        # Within a host's transaction a statement that fails would end all of it.
        if not isinstance(self._runner, Joined) and self._commits.take(connection, named):
            return
        with self._runner.transaction(connection):
            changes: list[tuple[Table[Any], Change]] = []
            for table, write in named:
                if isinstance(write, Check):
                    _check(connection, table, write.record)
                else:
                    changes.append((table, _judged(connection, table, write)))
            check_actions(writes, sum(change.values_aside for _, change in changes))
            for step in (_take_values, _write_row, _add_values):
                for table, change in changes:
                    step(connection, table, change)


class SQLAlchemyStorage(_Storage):
    """A `Storage` on a blocking driver: PostgreSQL (psycopg), MariaDB and MySQL (pymysql), SQLite.

    `engine` is an address, with `options` of `create_engine`, or the host's own engine. `namespace` prefixes the tables; two namespaces never see each other.
    What takes longer than `seconds` (to connect, and then to do what is asked) is cut off: the call fails, a commit has an unknown outcome and is not repeated, and the
    connection is thrown away. So a server that stands still, or a network that swallows everything, holds nobody up. It is not for an engine of the host's own, which is used as it
    is: give it a `pool_timeout` and its driver `connect_timeout` and `read_timeout` (pymysql), or a `tcp_user_timeout` and keepalives (psycopg), which see a dead network but no frozen server.

    With `migrates=False` a start changes no table, so the role that serves needs no right to: it raises WrongSchema until `authmw migrate` was run. Raises
    ValueError for a namespace that is not a plain lower-case name, and for `seconds` that are none.
    """

    io: IO = "blocking"

    def __init__(
        self,
        engine: str | URL | Engine,
        namespace: str = "",
        *,
        migrates: bool = True,
        seconds: float = SECONDS,
        **options: Any,
    ) -> None:
        super().__init__(Blocking(engine, options, seconds), namespace, migrates=migrates)


class AsyncSQLAlchemyStorage(_Storage):
    """A `Storage` on an asyncio driver: PostgreSQL (asyncpg, psycopg), MariaDB and MySQL (aiomysql).

    `engine` is an address, with `options` of `create_async_engine`; each loop gets a pool of its own. A host's own engine belongs to one loop.
    `namespace`, `migrates` and `seconds` are as those of `SQLAlchemyStorage`; a host's own engine may be given the driver's `command_timeout` (asyncpg).
    """

    io: IO = "async"

    def __init__(
        self,
        engine: str | URL | AsyncEngine,
        namespace: str = "",
        *,
        migrates: bool = True,
        seconds: float = SECONDS,
        **options: Any,
    ) -> None:
        super().__init__(Asynchronous(engine, options, seconds), namespace, migrates=migrates)


def _check(connection: Connection, table: Table[Any], record: Record) -> None:
    held = connection.execute(table.checked, {"k": key_of(record)}).scalar()
    if held != record.version:
        raise _changed(table)


def _judged(connection: Connection, table: Table[Any], write: Write) -> Change:
    """What a write changes; its row is locked. Conflict if it does not apply to what is stored."""
    if isinstance(write, Insert):
        return Change(table, write, None)
    if not table.sides:
        # Nothing that was there is to be taken away with it, so what is there need not be read.
        change = Change(table, write, write.record)
        _change_row(connection, table, change)
        return change
    row = connection.execute(table.locked, {"k": key_of(write.record)}).first()
    old = table.read(row) if row else None
    if old is None or old.version != write.record.version:
        raise _changed(table)
    return Change(table, write, old)


def _take_values(connection: Connection, table: Table[Any], change: Change) -> None:
    """What goes, goes first: a value may move from one record to another."""
    for name, values in change.gone.items():
        if values:
            connection.execute(table.take_values[name], {"k": change.key, "gone": [joined(value) for value in values]})


def _write_row(connection: Connection, table: Table[Any], change: Change) -> None:
    record = change.write.record
    if isinstance(change.write, Insert):
        try:
            connection.execute(table.insert, table.row(record, record.version + 1))
        except IntegrityError:
            message = f"A record of {table.description.kind} has this key."
            raise Conflict(message) from None
    elif table.sides:
        _change_row(connection, table, change)


def _change_row(connection: Connection, table: Table[Any], change: Change) -> None:
    record = change.write.record
    held = {"k": change.key, "v": record.version}
    if isinstance(change.write, Delete):
        done = connection.execute(table.delete, held)
    else:
        done = connection.execute(table.update, {**table.row(record, record.version + 1, "new_"), **held})
    if done.rowcount != 1:
        raise _changed(table)


def _add_values(connection: Connection, table: Table[Any], change: Change) -> None:
    """Add what is new. Duplicate if a unique index holds it for another record."""
    for name, values in change.new.items():
        if values:
            new = [{"value": joined(value), "record": change.key} for value in values]
            try:
                connection.execute(table.side_tables[name].insert(), new)
            except IntegrityError:
                raise Duplicate(table.description.kind, name) from None


def _swept(connection: Connection, table: Table[Any], over: datetime, limit: int) -> int:
    expired = table.table.c[str(table.description.expires)] < over
    # What another sweep or a commit holds is left to the next one.
    chosen = select(table.place).where(expired).limit(limit).with_for_update(skip_locked=True)
    with transaction(connection):
        keys = connection.execute(chosen).scalars().all()
        if keys:
            for side in table.side_tables.values():
                connection.execute(delete(side).where(side.c.record.in_(keys)))
            connection.execute(delete(table.table).where(table.place.in_(keys)))
    return len(keys)


def _changed(table: Table[Any]) -> Conflict:
    return Conflict(f"A record of {table.description.kind} has changed.")
