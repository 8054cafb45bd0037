"""`SQLiteLimiter`: limits in a SQLite file, counted atomically for all processes that share it. Not synced to the disk: a count may be lost with the power."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from authmw.limits import Limit, LimitReached, take_one
from authmw.storage import IO
from authmw_adapters.sqlite.connections import Connections


class SQLiteLimiter:
    """A `RateLimiter` in a SQLite file; it may be the file of the storage."""

    io: IO = "blocking"

    def __init__(self, path: str | Path) -> None:
        self._connections = Connections(path, synchronous="NORMAL")
        with self._connections.one() as connection:
            connection.execute(
                'CREATE TABLE IF NOT EXISTS "authmw_limits" ("digest" TEXT PRIMARY KEY, "state" REAL NOT NULL, '
                '"forever" INTEGER NOT NULL) STRICT, WITHOUT ROWID'
            )

    async def take(self, *limits: Limit, now: datetime) -> None:
        """Charge every limit once, or none."""
        moment = now.timestamp()
        with self._connections.one() as connection:
            connection.execute("BEGIN IMMEDIATE")
            refused: list[LimitReached] = []
            for limit in limits:
                found = connection.execute('SELECT "state" FROM "authmw_limits" WHERE "digest" = ?', (limit.digest,))
                row = found.fetchone()
                try:
                    state = take_one(limit, row[0] if row else 0.0, moment)
                except LimitReached as reached:
                    refused.append(reached)
                    continue
                connection.execute(
                    'INSERT INTO "authmw_limits" VALUES (?, ?, ?) '
                    'ON CONFLICT ("digest") DO UPDATE SET "state" = excluded."state"',
                    (limit.digest, state, limit.per is None),
                )
            if refused:
                connection.execute("ROLLBACK")
                raise max(refused, key=_wait)
            connection.execute("COMMIT")

    async def reset(self, *limits: Limit) -> None:
        """Forget what was counted."""
        with self._connections.one() as connection:
            connection.executemany('DELETE FROM "authmw_limits" WHERE "digest" = ?', [(one.digest,) for one in limits])

    async def close(self) -> None:
        """Close the connections that are not in use."""
        self._connections.close()


def _wait(reached: LimitReached) -> float:
    return float("inf") if reached.retry_after is None else reached.retry_after
