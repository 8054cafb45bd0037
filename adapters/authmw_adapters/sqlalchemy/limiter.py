"""`SQLAlchemyLimiter`: limits in an SQL database, counted atomically for all processes. A count may be lost with the database's power (PostgreSQL does not wait
for the disk).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy import URL, Connection, Engine
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.schema import CreateIndex, CreateTable

from authmw.errors import Conflict, StorageError
from authmw.limits import Limit, nanoseconds, remaining, take_all
from authmw.storage import IO
from authmw_adapters.migrating import asked
from authmw_adapters.sqlalchemy.engines import Asynchronous, Blocking, transaction, undone
from authmw_adapters.sqlalchemy.schema import locked
from authmw_adapters.sqlalchemy.types import ExactText, is_mysql

_DIGEST_LENGTH = 100
_TAKES_PER_SWEEP = 50
_TRIES = 16
_CROWDED = "Too many others count the same limits at once."
_counts = sa.Table(
    "authmw_counts",
    sa.MetaData(),
    sa.Column("digest", ExactText(_DIGEST_LENGTH), primary_key=True),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("forever", sa.Boolean, nullable=False),
)
sa.Index("authmw_counts_full", _counts.c.forever, _counts.c.count)
_held: sa.Select[Any, Any] = (
    sa.select(_counts.c.digest, _counts.c.count)
    .where(_counts.c.digest.in_(sa.bindparam("digests", expanding=True)))
    .order_by(_counts.c.digest)
)
_change = _counts.update().where(_counts.c.digest == sa.bindparam("d")).values(count=sa.bindparam("c"))


class _Limiter:
    """What both limiters do; they differ in how work is run."""

    io: IO

    def __init__(self, runner: Blocking | Asynchronous) -> None:
        self._runner = runner
        self._prepared = False
        self._takes = 0

    async def prepare(self) -> None:
        """Make the table if it is missing."""
        migration = asked.get()
        if migration is not None and migration.plan:
            migration.statements += await self._runner.run(_planned)
        elif not self._prepared:
            await self._runner.run(_make)
            self._prepared = True

    async def take(self, *limits: Limit, now: datetime) -> None:
        """Charge every limit once, or none."""
        await self.prepare()
        if not limits:
            return
        self._takes += 1
        await self._runner.run(partial(_taken, limits=limits, moment=nanoseconds(now)))
        if self._takes % _TAKES_PER_SWEEP == 0:
            await self._runner.run(partial(_swept, moment=nanoseconds(now)))

    async def peek(self, limit: Limit, now: datetime) -> int:
        """How many could be taken now."""
        await self.prepare()
        counts = await self._runner.run(lambda connection: _read(connection, _held, [limit.digest]))
        return remaining(limit, counts.get(limit.digest, 0), nanoseconds(now))

    async def reset(self, *limits: Limit) -> None:
        """Forget what was counted."""
        await self.prepare()
        await self._runner.run(partial(_forgotten, limits=limits))

    async def close(self) -> None:
        """Close the connections that are not in use."""
        await self._runner.close()


class SQLAlchemyLimiter(_Limiter):
    """A `RateLimiter` on a blocking driver. `engine` is as that of `SQLAlchemyStorage`; it may be the same."""

    io: IO = "blocking"

    def __init__(self, engine: str | URL | Engine, **options: Any) -> None:
        super().__init__(Blocking(engine, options))


class AsyncSQLAlchemyLimiter(_Limiter):
    """A `RateLimiter` on an asyncio driver. `engine` is as that of `AsyncSQLAlchemyStorage`; it may be the same."""

    io: IO = "async"

    def __init__(self, engine: str | URL | AsyncEngine, **options: Any) -> None:
        super().__init__(Asynchronous(engine, options))


def _planned(connection: Connection) -> list[str]:
    if sa.inspect(connection).has_table(_counts.name):
        return []
    indexes = [str(CreateIndex(index).compile(dialect=connection.dialect)) for index in _counts.indexes]
    return [str(CreateTable(_counts).compile(dialect=connection.dialect)).strip(), *indexes]


def _make(connection: Connection) -> None:
    with locked(connection, "limits"):
        _counts.create(connection, checkfirst=True)


def _read(connection: Connection, statement: sa.Select[Any, Any], digests: Sequence[str]) -> dict[str, int]:
    return {digest: count for digest, count in connection.execute(statement, {"digests": digests})}  # noqa: C416 -- rows are tuples to type checkers here only


def _taken(connection: Connection, limits: Sequence[Limit], moment: int) -> None:
    digests = sorted({limit.digest for limit in limits})
    for _ in range(_TRIES):
        with _unless_undone():
            with transaction(connection):
                if connection.dialect.name == "postgresql":
                    connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
                counts = _read(connection, _held.with_for_update(), digests)
                # A refusal is raised here and rolls back.
                after = take_all({limit: counts.get(limit.digest, 0) for limit in limits}, moment)
                _write(connection, counts, after)
                return
    raise StorageError(_CROWDED)


def _write(connection: Connection, held: Mapping[str, int], after: Mapping[Limit, int]) -> None:
    """What is taken; counts that nobody had taken from are made, in one order for all. Conflict if somebody else makes one at this moment."""
    changed = [{"d": limit.digest, "c": count} for limit, count in after.items() if limit.digest in held]
    if changed:
        connection.execute(_change, changed)
    fresh = {limit.digest: (count, limit.per is None) for limit, count in after.items() if limit.digest not in held}
    made = _made_up(connection.dialect).execution_options(preserve_rowcount=True)
    for digest, (count, forever) in sorted(fresh.items()):
        if connection.execute(made, {"digest": digest, "count": count, "forever": forever}).rowcount != 1:
            message = "Somebody else made the count."
            raise Conflict(message)


def _forgotten(connection: Connection, limits: Sequence[Limit]) -> None:
    gone = _counts.delete().where(_counts.c.digest.in_(sorted(limit.digest for limit in limits)))
    for _ in range(_TRIES):
        with _unless_undone():
            connection.execute(gone)
            return
    raise StorageError(_CROWDED)


@contextmanager
def _unless_undone() -> Generator[None]:
    """What a deadlock undid changed nothing, and is simply done again."""
    try:
        yield
    except Conflict:
        return
    except DBAPIError as error:
        if not undone(error):
            raise


def _made_up(dialect: Dialect) -> sa.Insert:
    """Makes a count that nobody had taken from, unless somebody else makes it at this moment."""
    if is_mysql(dialect):
        return mysql.insert(_counts).prefix_with("IGNORE")
    insert = postgresql.insert if dialect.name == "postgresql" else sqlite.insert
    return insert(_counts).on_conflict_do_nothing()


def _swept(connection: Connection, moment: int) -> None:
    full = sa.and_(_counts.c.forever.is_(sa.false()), _counts.c.count < moment)
    digests = connection.execute(sa.select(_counts.c.digest).where(full).limit(100)).scalars().all()
    with _unless_undone():
        connection.execute(_counts.delete().where(_counts.c.digest.in_(digests), full))
