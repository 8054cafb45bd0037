"""`python -m benchmarks.databases`: sign-ins a second on each database, beside a loop that has its driver make the same commits and nothing else.

What the sign-ins say to their database is written down, and said again to another database in the same state by the driver alone. So the same rows change in the same
transactions, and what is left is the work of authmw: reading the call, deciding, sealing, signing the JWT. Rows whose server is not reached are left out.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, TypeAlias
from unittest.mock import patch
from uuid import uuid4

import attrs
import sqlalchemy as sa
from redis import Redis, RedisError

from authmw import drive
from authmw.limits import RateLimiter
from authmw.storage import Storage
from authmw.testing import FixedClock
from authmw_adapters.redis import RedisLimiter
from authmw_adapters.sqlalchemy import SQLAlchemyLimiter, SQLAlchemyStorage
from authmw_adapters.sqlite import SQLiteLimiter, SQLiteStorage
from benchmarks.site import Site

Said: TypeAlias = tuple[str, Any]
"""A statement, or a command of Redis, and its parameters; a list of them where it is said for each."""
REDIS = "redis"
LEVELS = ("FULL", "NORMAL")
DURABILITY = "durability"
"""What is said from here on is said on a connection of SQLite that waits for the disk as long as the parameter says."""


class Heard:
    """What this thread says to databases, in order. What others say meanwhile is work behind replies."""

    def __init__(self) -> None:
        self.said: list[Said] = []
        self._thread = threading.get_ident()
        self._durability = ""

    def hear(self, statement: str, parameters: Any) -> None:
        """Write down."""
        if threading.get_ident() == self._thread:
            self.said.append((statement, parameters))

    def taken(self) -> list[Said]:
        """What was said since this was last asked."""
        said, self.said, self._durability = self.said, [], ""
        return said

    def hear_on(self, durability: str, statement: str, parameters: Any) -> None:
        """Write down what is said on a connection of SQLite."""
        if threading.get_ident() == self._thread and durability != self._durability:
            self._durability = durability
            self.hear(DURABILITY, durability)
        self.hear(statement, parameters)

    def listen_to(self, engine: sa.Engine) -> None:
        """Hear what goes over this engine."""

        @sa.event.listens_for(engine, "before_cursor_execute")
        def before(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
            self.hear(statement, list(parameters) if many else parameters)

    @contextmanager
    def sqlite(self) -> Generator[None]:
        """Hear every connection to SQLite that is made meanwhile."""
        hear = self.hear_on

        class Heard(sqlite3.Connection):
            durability = "FULL"

            def execute(self, statement: str, parameters: Any = (), /) -> sqlite3.Cursor:
                if statement.startswith("PRAGMA synchronous="):
                    self.durability = statement.partition("=")[2]
                hear(self.durability, statement, tuple(parameters) if isinstance(parameters, list) else parameters)
                return super().execute(statement, parameters)

            def executemany(self, statement: str, parameters: Any, /) -> sqlite3.Cursor:
                listed = list(parameters)
                hear(self.durability, statement, listed)
                return super().executemany(statement, listed)

        with patch("sqlite3.connect", partial(sqlite3.connect, factory=Heard)):
            yield

    @contextmanager
    def redis(self) -> Generator[None]:
        """Hear every command to Redis that is given meanwhile."""
        execute = Redis.execute_command

        def heard(client: Any, *arguments: Any, **options: Any) -> Any:
            self.hear(REDIS, arguments)
            return execute(client, *arguments, **options)

        with patch.object(Redis, "execute_command", heard):
            yield


@attrs.frozen
class Place:
    """A database that was made for a measurement: its adapters, and its driver alone."""

    storage: Storage
    limiter: RateLimiter
    say: Callable[[str, Any], None]


Made: TypeAlias = Callable[[Heard | None], Generator[Place]]


@contextmanager
def _sqlite(heard: Heard | None) -> Generator[Place]:
    with tempfile.TemporaryDirectory(prefix="authmw-bench-") as folder:
        path = Path(folder) / "bench.sqlite3"
        storage, limiter = SQLiteStorage(path), SQLiteLimiter(path)
        alone = {level: sqlite3.connect(path, isolation_level=None, cached_statements=512) for level in LEVELS}
        for level, connection in alone.items():
            connection.execute(f"PRAGMA synchronous={level}")
        now = alone["FULL"]

        def say(statement: str, parameters: Any) -> None:
            nonlocal now
            if statement == DURABILITY:
                now = alone[parameters]
            else:
                _say(now.cursor(), statement, parameters)

        try:
            yield Place(storage, limiter, say)
        finally:
            for connection in alone.values():
                connection.close()
            drive.run(storage.io, storage.close())
            drive.run(limiter.io, limiter.close())


def _say(cursor: Any, statement: str, parameters: Any) -> None:
    if isinstance(parameters, list):
        cursor.executemany(statement, parameters)
        return
    cursor.execute(statement, parameters) if parameters else cursor.execute(statement)
    if cursor.description:
        cursor.fetchall()


@contextmanager
def _server(heard: Heard | None, *, url: sa.URL, redis: str | None = None) -> Generator[Place]:
    """A database of its own on a server, dropped afterwards; with limits in Redis if there is an address of it."""
    database = f"authmw_bench_{uuid4().hex[:16]}"
    outside = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    mariadb = url.get_backend_name() != "postgresql"
    with outside.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {database}" + (" CHARACTER SET utf8mb4" if mariadb else ""))
    engine = sa.create_engine(url.set(database=database), pool_pre_ping=True, pool_reset_on_return=None)
    if heard is not None:
        heard.listen_to(engine)
    prefix = f"authmw-bench-{uuid4().hex}"
    limiter: RateLimiter = RedisLimiter(redis, prefix) if redis else SQLAlchemyLimiter(engine)
    client = Redis.from_url(redis) if redis else None
    raw = sa.create_engine(url.set(database=database), poolclass=sa.NullPool).raw_connection()
    alone: Any = raw.driver_connection
    if mariadb:
        alone.autocommit(True)
    else:
        alone.autocommit = True
    cursor = alone.cursor()

    def say(statement: str, parameters: Any) -> None:
        if client is not None and statement == REDIS:
            client.execute_command(*parameters)
        else:
            _say(cursor, statement, parameters)

    try:
        yield Place(SQLAlchemyStorage(engine), limiter, say)
    finally:
        drive.run(limiter.io, limiter.close())
        raw.close()
        engine.dispose()
        if client is not None:
            for key in client.scan_iter(f"{{{prefix}}}*"):
                client.delete(key)
            client.close()
        with outside.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {database}" + ("" if mariadb else " WITH (FORCE)"))


def changes(said: list[Said]) -> Iterator[Said]:
    """What of it changes something: transactions with all that is said in them, writes, and what is said to Redis; not what is only read."""
    inside = False
    for statement, parameters in said:
        inside = inside or statement.startswith(("BEGIN", "SET TRANSACTION", "START TRANSACTION"))
        if inside or not statement.startswith("SELECT"):
            yield statement, parameters
        inside = inside and statement not in {"COMMIT", "ROLLBACK"}


class Race:
    """Sign-ins by a mailed code on one database, and what they said on another in the same state."""

    def __init__(self, place: Place, other: Place, heard: Heard, people: int) -> None:
        self._heard, self._other = heard, other
        self.said: list[Said] = []
        """What the last sign-ins said."""
        self._clock = FixedClock()
        for one in (other, place):
            self._site = Site(one.storage, limiter=one.limiter, clock=self._clock)  # which makes its tables
            drive.run(one.limiter.io, one.limiter.prepare())
        heard.taken()
        self._addresses = [f"ada{number}@example.org" for number in range(people)]
        self.round()  # in which the addresses become people, and keys are made

    def round(self) -> dict[str, float]:
        """Seconds that each took."""
        auth = self._site.auth
        self._clock.advance(seconds=120)
        before = len(self._site.inbox.entries())
        methods = [auth.run(auth.otps.email.login_or_create(email=one)).email_id for one in self._addresses]
        if not drive.finish(60) or len(self._site.inbox.entries()) < before + len(methods):
            raise AssertionError("A code was not mailed.")
        codes = {entry.to: entry.code for entry in reversed(self._site.inbox.entries())}
        calls = [
            auth.otps.authenticate(method_id=method, code=codes[one] or "", session_duration_minutes=60)
            for method, one in zip(methods, self._addresses, strict=True)
        ]
        self._say(self._heard.taken())
        began = perf_counter()
        for call in calls:
            auth.run(call)
        took = perf_counter() - began
        self.said = self._heard.taken()
        return {"ours": took, "alone": self._say(list(changes(self.said)))}

    def _say(self, said: list[Said]) -> float:
        say = self._other.say
        began = perf_counter()
        for statement, parameters in said:
            say(statement, parameters)
        return perf_counter() - began


def sign_ins(made: Any, *, people: int = 20, rounds: int = 7) -> dict[str, float]:
    """Sign-ins a second of one caller on a kind of database, and of the loop: the best of rounds that alternate, since noise only ever adds."""
    heard = Heard()
    with heard.redis(), made(None) as other, heard.sqlite(), made(heard) as place:
        race = Race(place, other, heard, people)
        taken = [race.round() for _ in range(rounds)]
    ours, alone = (min(one[name] for one in taken) for name in ("ours", "alone"))
    return {"sign-ins a second": people / ours, "their commits alone": people / alone, "share": alone / ours}


def kinds(postgresql: str, mariadb: str, redis: str) -> dict[str, Any]:
    """What is measured, by name: what makes a database of it. Servers that are not reached are left out."""
    found: dict[str, Any] = {"SQLite": _sqlite}
    for name, address in {"PostgreSQL": postgresql, "MariaDB": mariadb}.items():
        url = sa.make_url(address)
        with suppress(sa.exc.OperationalError):
            sa.create_engine(url, poolclass=sa.NullPool).connect().close()
            found[name] = partial(_server, url=url)
    with suppress(RedisError), Redis.from_url(redis) as client:
        client.ping()
        if "PostgreSQL" in found:
            found["PostgreSQL, limits in Redis"] = partial(_server, url=sa.make_url(postgresql), redis=redis)
    return found


def main(arguments: list[str] | None = None) -> dict[str, dict[str, float]]:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.databases", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny work: shows that it runs, measures nothing")
    parser.add_argument("--postgresql", default="postgresql+psycopg://postgres@127.0.0.1/postgres", help="an address")
    parser.add_argument("--mariadb", default="mariadb+pymysql://root@127.0.0.1/mysql", help="an address")
    parser.add_argument("--redis", default="redis://127.0.0.1", help="an address")
    chosen = parser.parse_args(arguments)
    work = {"people": 2, "rounds": 1} if chosen.quick else {}
    figures: dict[str, dict[str, float]] = {}
    for name, made in kinds(chosen.postgresql, chosen.mariadb, chosen.redis).items():
        figures[name] = sign_ins(made, **work)
        print(name + ": " + ", ".join(f"{column} {figure:.2f}" for column, figure in figures[name].items()))
    return figures


if __name__ == "__main__":
    main()
