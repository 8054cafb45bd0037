"""`SQLAlchemyLimiter`: limits in an SQL database, counted atomically for all processes. A count may be lost with the database's power (PostgreSQL does not wait
for the disk), and be taken twice where a connection is lost.
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
from authmw_adapters.sqlalchemy.patience import SECONDS
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
_gone = _counts.delete().where(_counts.c.digest.in_(sa.bindparam("digests", expanding=True)))
_change = _counts.update().where(_counts.c.digest == sa.bindparam("d")).values(count=sa.bindparam("c"))
# PostgreSQL charges in one round trip: what is held is locked in one order, and all is written if there is room in all. A count that somebody else makes at this
# moment is not in `held`: then less is written than was asked for, and the division by nothing undoes it.
_charge = sa.text("""
WITH asked AS (
  SELECT * FROM unnest(
    CAST(:digests AS text[]), CAST(:least AS bigint[]), CAST(:steps AS bigint[]), CAST(:most AS bigint[]), CAST(:forever AS boolean[])
  ) AS asked (digest, least, step, most, forever)
), held AS (
  SELECT digest, count FROM authmw_counts WHERE digest = ANY (CAST(:digests AS text[])) ORDER BY digest FOR UPDATE
), taken AS (
  SELECT asked.digest, greatest(coalesce(held.count, 0), asked.least) + asked.step AS count, asked.most, asked.forever
  FROM asked LEFT JOIN held ON held.digest = asked.digest
), written AS (
  INSERT INTO authmw_counts AS counts (digest, count, forever)
  SELECT digest, count, forever FROM taken WHERE (SELECT bool_and(count <= most) FROM taken) ORDER BY digest
  ON CONFLICT (digest) DO UPDATE SET count = excluded.count
  WHERE EXISTS (SELECT FROM held WHERE held.digest = counts.digest)
  RETURNING 1
), told AS (SELECT count(*) AS many, set_config('synchronous_commit', 'off', true) FROM written)
SELECT CASE WHEN many = (SELECT count(*) FROM asked) THEN 1 WHEN many = 0 THEN 0 ELSE 1 / (many - many) END FROM told
""")
_forget = sa.text("""
WITH gone AS (DELETE FROM authmw_counts WHERE digest = ANY (CAST(:digests AS text[])))
SELECT set_config('synchronous_commit', 'off', true)
""")
_DIVIDED = "22012"


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
            migration.statements += await self._runner.run(_planned, long=True)
        elif not self._prepared:
            await self._runner.run(_make, again=True, long=True)
            self._prepared = True

    async def take(self, *limits: Limit, now: datetime) -> None:
        """Charge every limit once, or none."""
        await self.prepare()
        if not limits:
            return
        self._takes += 1
        await self._runner.run(partial(_taken, limits=limits, moment=nanoseconds(now)), again=True)
        if self._takes % _TAKES_PER_SWEEP == 0:
            await self._runner.run(partial(_swept, moment=nanoseconds(now)))

    async def peek(self, limit: Limit, now: datetime) -> int:
        """How many could be taken now."""
        await self.prepare()
        counts = await self._runner.run(lambda connection: _read(connection, _held, [limit.digest]), again=True)
        return remaining(limit, counts.get(limit.digest, 0), nanoseconds(now))

    async def reset(self, *limits: Limit) -> None:
        """Forget what was counted."""
        await self.prepare()
        await self._runner.run(partial(_forgotten, limits=limits), again=True)

    async def close(self) -> None:
        """Close the connections that are not in use."""
        await self._runner.close()


class SQLAlchemyLimiter(_Limiter):
    """A `RateLimiter` on a blocking driver. `engine` and `seconds` are as those of `SQLAlchemyStorage`; the engine may be the same."""

    io: IO = "blocking"

    def __init__(self, engine: str | URL | Engine, *, seconds: float = SECONDS, **options: Any) -> None:
        super().__init__(Blocking(engine, options, seconds))


class AsyncSQLAlchemyLimiter(_Limiter):
    """A `RateLimiter` on an asyncio driver. `engine` and `seconds` are as those of `AsyncSQLAlchemyStorage`; the engine may be the same."""

    io: IO = "async"

    def __init__(self, engine: str | URL | AsyncEngine, *, seconds: float = SECONDS, **options: Any) -> None:
        super().__init__(Asynchronous(engine, options, seconds))


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
    by_digest = {limit.digest: limit for limit in limits}
    digests = sorted(by_digest)
    at_once = connection.dialect.name == "postgresql" and len(digests) == len(set(limits))
    for _ in range(_TRIES):
        with _unless_undone():
            if at_once:
                if connection.execute(_charge, _asked(by_digest, digests, moment)).scalar_one():
                    return
                # There is no room, or there was none: a refusal is raised here.
                counts = _read(connection, _held, digests)
                take_all({limit: counts.get(limit.digest, 0) for limit in limits}, moment)
                continue
            with transaction(connection):
                if connection.dialect.name == "postgresql":
                    connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
                counts = _read(connection, _held.with_for_update(), digests)
                # A refusal is raised here and rolls back.
                after = take_all({limit: counts.get(limit.digest, 0) for limit in limits}, moment)
                _write(connection, counts, after)
                return
    raise StorageError(_CROWDED)


def _asked(by_digest: Mapping[str, Limit], digests: Sequence[str], moment: int) -> dict[str, Any]:
    """What `take_one` reckons with, of each limit: from where its count goes on at least, how far, and not beyond which."""
    limits = [by_digest[digest] for digest in digests]
    return {
        "digests": digests,
        "least": [0 if limit.per is None else moment for limit in limits],
        "steps": [1 if limit.per is None else limit.whole // limit.burst for limit in limits],
        "most": [limit.burst if limit.per is None else moment + limit.whole for limit in limits],
        "forever": [limit.per is None for limit in limits],
    }


def _write(connection: Connection, held: Mapping[str, int], after: Mapping[Limit, int]) -> None:
    """What is taken; counts that nobody had taken from are made, in one order for all. Conflict if somebody else makes one at this moment."""
    changed = [{"d": limit.digest, "c": count} for limit, count in after.items() if limit.digest in held]
    if changed:
        connection.execute(_change, changed)
    fresh = [
        {"digest": limit.digest, "count": count, "forever": limit.per is None}
        for limit, count in sorted(after.items(), key=lambda one: one[0].digest)
        if limit.digest not in held
    ]
    made = _made_up(connection.dialect).execution_options(preserve_rowcount=True)
    # The drivers of MySQL and MariaDB make one statement of all rows.
    for rows in [fresh] if is_mysql(connection.dialect) and fresh else [[one] for one in fresh]:
        if connection.execute(made, rows).rowcount != len(rows):
            message = "Somebody else made the count."
            raise Conflict(message)


def _forgotten(connection: Connection, limits: Sequence[Limit]) -> None:
    at_once = connection.dialect.name == "postgresql"
    digests = sorted(limit.digest for limit in limits)
    for _ in range(_TRIES):
        with _unless_undone():
            connection.execute(_forget if at_once else _gone, {"digests": digests})
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
        if not undone(error) and getattr(error.orig, "sqlstate", None) != _DIVIDED:
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
