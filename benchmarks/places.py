"""Databases that are made for a measurement: the adapters that a host would name their address to, the driver alone, and what the server itself has worked for them."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

import attrs
import sqlalchemy as sa
from redis import Redis, RedisError

from authmw import drive
from authmw.limits import RateLimiter
from authmw.storage import Storage
from authmw_adapters.redis import RedisLimiter, RedisStorage
from authmw_adapters.sqlalchemy import SQLAlchemyLimiter, SQLAlchemyStorage
from authmw_adapters.sqlite import SQLiteLimiter, SQLiteStorage
from benchmarks.hearing import DURABILITY, REDIS, Said

Say: TypeAlias = Callable[[str, Any], None]
LEVELS = ("FULL", "NORMAL")
BUSY_SECONDS = 10
_SERVING = {
    "postgresql": "SELECT pid FROM pg_stat_activity WHERE datname = :name AND backend_type = 'client backend'",
    "mysql": "SELECT tid FROM information_schema.processlist WHERE db = :name",
    "mariadb": "SELECT tid FROM information_schema.processlist WHERE db = :name",
}
"""The processes of PostgreSQL, and the threads of MariaDB, that serve the connections to a database."""


@attrs.frozen
class Database:
    """A database that was made for a measurement and is empty; every process can open it. `path` is SQLite's; `redis` is where limits are, if not beside the records, and where
    there is nothing else, the records too."""

    path: str = ""
    url: sa.URL | None = None
    redis: str = ""
    prefix: str = ""

    @contextmanager
    def adapters(self) -> Generator[tuple[Storage, RateLimiter]]:
        """The storage and the limiter, each with connections of its own."""
        storage: Storage
        limiter: RateLimiter
        if self.path:
            storage, limiter = SQLiteStorage(self.path), SQLiteLimiter(self.path)
        elif self.url is None:
            storage = RedisStorage(self.redis, prefix=f"{{{self.prefix}}}")
            limiter = RedisLimiter(self.redis, self.prefix)
        else:
            storage = SQLAlchemyStorage(self.url)
            limiter = RedisLimiter(self.redis, self.prefix) if self.redis else SQLAlchemyLimiter(self.url)
        try:
            yield storage, limiter
        finally:
            drive.run(limiter.io, limiter.close())
            drive.run(storage.io, storage.close())

    @contextmanager
    def driver(self) -> Generator[Say]:
        """The driver alone: says a statement and takes what comes of it."""
        with ExitStack() as stack:
            yield self._file(stack) if self.url is None else self._server(stack, self.url)

    def _file(self, stack: ExitStack) -> Say:
        alone = {level: _opened(stack, self.path, level) for level in LEVELS}
        now = alone["FULL"]

        def say(statement: str, parameters: Any) -> None:
            nonlocal now
            if statement == DURABILITY:
                now = alone[parameters]
            else:
                _say(now.cursor(), statement, parameters)

        return say

    def _server(self, stack: ExitStack, url: sa.URL) -> Say:
        connection = stack.enter_context(closing(sa.create_engine(url, poolclass=sa.NullPool).raw_connection()))
        alone: Any = connection.driver_connection
        if url.get_backend_name() == "postgresql":
            alone.autocommit = True
        else:
            alone.autocommit(True)
        cursor = alone.cursor()
        client = stack.enter_context(Redis.from_url(self.redis)) if self.redis else None

        def say(statement: str, parameters: Any) -> None:
            if client is not None and statement == REDIS:
                client.execute_command(*parameters)
            else:
                _say(cursor, statement, parameters)

        return say


def _opened(stack: ExitStack, path: str, level: str) -> sqlite3.Connection:
    opened = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, cached_statements=512)
    connection = stack.enter_context(closing(opened))
    connection.execute(f"PRAGMA synchronous={level}")
    return connection


def _say(cursor: Any, statement: str, parameters: Any) -> None:
    if isinstance(parameters, list):
        cursor.executemany(statement, parameters)
        return
    cursor.execute(statement, parameters) if parameters else cursor.execute(statement)
    if cursor.description:
        cursor.fetchall()


def say_all(say: Say, said: list[Said]) -> None:
    """Say one after the other."""
    for statement, parameters in said:
        say(statement, parameters)


@contextmanager
def made_in_redis(address: str) -> Generator[str]:
    """A prefix in Redis under which nothing is; afterwards nothing again."""
    prefix = f"authmw-bench-{uuid4().hex}"
    try:
        yield prefix
    finally:
        with Redis.from_url(address) as client:
            for key in client.scan_iter(f"{{{prefix}}}*"):
                client.delete(key)


@attrs.frozen
class Kind:
    """A kind of database to measure on: in a file, on a server at an address, with limits in Redis if there is an address of it, or all in Redis."""

    url: sa.URL | None = None
    redis: str = ""

    @contextmanager
    def made(self) -> Generator[Database]:
        """An empty one, dropped afterwards."""
        with ExitStack() as stack:
            prefix = stack.enter_context(made_in_redis(self.redis)) if self.redis else ""
            if self.url is not None:
                yield Database(url=stack.enter_context(self._created(self.url)), redis=self.redis, prefix=prefix)
            elif self.redis:
                yield Database(redis=self.redis, prefix=prefix)
            else:
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="authmw-bench-"))
                yield Database(path=str(Path(folder) / "bench.sqlite3"))

    @contextmanager
    def _created(self, url: sa.URL) -> Generator[sa.URL]:
        name, postgresql = f"authmw_bench_{uuid4().hex[:16]}", url.get_backend_name() == "postgresql"
        with self.outside() as say:
            say(f"CREATE DATABASE {name}" + ("" if postgresql else " CHARACTER SET utf8mb4"))
        try:
            yield url.set(database=name)
        finally:
            with self.outside() as say:
                say(f"DROP DATABASE {name}" + (" WITH (FORCE)" if postgresql else ""))

    @contextmanager
    def outside(self) -> Generator[Callable[..., list[Any]]]:
        """A connection to the server that belongs to no measurement: what comes of a statement, the first column of each row."""
        assert self.url is not None
        engine = sa.create_engine(self.url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:

            def say(statement: str, **parameters: Any) -> list[Any]:
                done = connection.execute(sa.text(statement), parameters)
                return list(done.scalars()) if done.returns_rows else []

            yield say


class Served:
    """How long a server of this machine was on a processor for the connections to one database: its processes or threads, as the kernel counts them, and Redis as it says itself.

    What it does for nobody in particular (writing back pages, clearing away old rows) is not among it.
    """

    def __init__(self, kind: Kind, database: Database, stack: ExitStack) -> None:
        self._database = database
        self._outside = stack.enter_context(kind.outside()) if database.url else None
        self._redis = stack.enter_context(Redis.from_url(database.redis)) if database.redis else None

    def seconds(self) -> float | None:
        """Since they began; None where there is no server, or none that the kernel tells of."""
        if self._outside is None or self._database.url is None:
            return None
        serving = self._outside(_SERVING[self._database.url.get_backend_name()], name=self._database.url.database)
        try:
            found = sum(int(Path(f"/proc/{one}/schedstat").read_text().split()[0]) for one in serving) / 1e9
        except (OSError, ValueError, IndexError):
            return None
        if self._redis is not None:
            told = self._redis.info("cpu")
            found += told["used_cpu_user_main_thread"] + told["used_cpu_sys_main_thread"]
        return found


def kinds(postgresql: str, mariadb: str, redis: str) -> dict[str, Kind]:
    """What is measured, by name. Servers that are not reached are left out."""
    found = {"SQLite": Kind()}
    for name, address in {"PostgreSQL": postgresql, "MariaDB": mariadb}.items():
        kind = Kind(sa.make_url(address))
        with suppress(sa.exc.OperationalError), kind.outside():
            found[name] = kind
    with suppress(RedisError), Redis.from_url(redis) as client:
        client.ping()
        if "PostgreSQL" in found:
            found["PostgreSQL, limits in Redis"] = Kind(found["PostgreSQL"].url, redis)
    return found
