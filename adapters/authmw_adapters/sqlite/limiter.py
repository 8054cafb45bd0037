"""`SQLiteLimiter`: limits in a SQLite file, counted atomically for all processes that share it. Not synced to the disk: a count may be lost with the power."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from pathlib import Path

from authmw.limits import Limit, nanoseconds, remaining, take_all
from authmw.storage import IO
from authmw_adapters.sqlite.connections import Connections

_TABLE = '"authmw_counts"'
_MAKE = f"""CREATE TABLE IF NOT EXISTS {_TABLE} (
    "digest" TEXT NOT NULL PRIMARY KEY, "count" INTEGER NOT NULL, "forever" INTEGER NOT NULL
) WITHOUT ROWID"""
_MAKE_INDEX = f'CREATE INDEX IF NOT EXISTS "authmw_counts_full" ON {_TABLE} ("count") WHERE NOT "forever"'
_READ = f'SELECT "count" FROM {_TABLE} WHERE "digest" = ?'
_WRITE = f'INSERT INTO {_TABLE} VALUES (?, ?, ?) ON CONFLICT ("digest") DO UPDATE SET "count" = excluded."count"'
_SWEEP = f'DELETE FROM {_TABLE} WHERE "digest" IN (SELECT "digest" FROM {_TABLE} WHERE NOT "forever" AND "count" < ? LIMIT 100)'
_TAKES_PER_SWEEP = 50


class SQLiteLimiter:
    """A `RateLimiter` in a SQLite file; it may be the file of the storage.

    Counts that are full again are dropped as others are taken. Those of limits that never refill stay until they are reset.
    """

    io: IO = "blocking"

    def __init__(self, path: str | Path) -> None:
        self._connections = Connections(path, synchronous="NORMAL")
        self._prepared = False
        self._takes = 0

    async def prepare(self) -> None:
        """Make the table if it is missing."""
        self._prepare_once()

    async def take(self, *limits: Limit, now: datetime) -> None:
        """Charge every limit once, or none."""
        moment = nanoseconds(now)
        self._prepare_once()
        with self._connections.writing() as connection:
            # A refusal leaves the transaction open, and what is open is rolled back.
            after = take_all({limit: _count(connection, limit) for limit in limits}, moment)
            connection.executemany(_WRITE, [(one.digest, count, one.per is None) for one, count in after.items()])
            self._takes += 1
            if self._takes % _TAKES_PER_SWEEP == 0:
                connection.execute(_SWEEP, (moment,))
            connection.execute("COMMIT")

    async def peek(self, limit: Limit, now: datetime) -> int:
        """How many could be taken now."""
        self._prepare_once()
        with self._connections.one() as connection:
            return remaining(limit, _count(connection, limit), nanoseconds(now))

    async def reset(self, *limits: Limit) -> None:
        """Forget what was counted."""
        self._prepare_once()
        with self._connections.writing() as connection:
            connection.executemany(f'DELETE FROM {_TABLE} WHERE "digest" = ?', [(one.digest,) for one in limits])
            connection.execute("COMMIT")

    async def close(self) -> None:
        """Close the connections that are not in use."""
        self._connections.close()

    def _prepare_once(self) -> None:
        if not self._prepared:
            with self._connections.writing() as connection:
                connection.execute(_MAKE)
                connection.execute(_MAKE_INDEX)
                connection.execute("COMMIT")
            self._prepared = True


def _count(connection: sqlite3.Connection, limit: Limit) -> int:
    row = connection.execute(_READ, (limit.digest,)).fetchone()
    return row[0] if row else 0
