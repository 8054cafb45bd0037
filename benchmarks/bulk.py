"""Many people at once, written into an adapter's own tables as the adapter would have written them, by the database itself.

A person, a session and an event are written by the adapter, with texts in them that stand for what differs from one to the next; then one statement for each table makes as many
rows of its row. So columns, JSON and side tables are the adapter's own, whatever they are. Ids and addresses come in no order, as they do in life; events in that of time.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

import attrs
import sqlalchemy as sa

from authmw.ledger.records import Event
from authmw.people.records import Email, Proved, Session, User
from authmw.storage import Delete, Insert, Record, Storage, key_of, moment
from authmw_adapters.layout import Layout
from authmw_adapters.sqlalchemy import SQLAlchemyStorage
from authmw_adapters.sqlite import SQLiteStorage

T = TypeVar("T")
SPREAD, OWN, BACKWARDS, FORWARDS = (
    "00000000-0000-4000-8000-00000000000a",
    "00000000-0000-4000-8000-00000000000b",
    "999999999999",
    "888888888888",
)
DIGEST = "f0" * 32
"""What stands for the person's id, for the session's, for the person's number (last digit first, as long as twelve) and the event's, and for the digest of a token."""
BEGAN = datetime(2025, 1, 1, tzinfo=UTC)
"""When the first person came; each next a second later."""
ENDS = datetime(2027, 1, 1, tzinfo=UTC)
AT_ONCE = 250_000
"""Rows that one statement makes of each."""
Say: TypeAlias = Callable[[str], Any]


def spread(number: int) -> str:
    """The id of a number."""
    return str(UUID(hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()))


def backwards(number: int) -> str:
    """A number's digits, the last first: what begins with all but the last of them is ten people, whatever their number."""
    return f"{number:012d}"[::-1]


def address(digits: str) -> str:
    """The address of a person whose number has these digits, from the last on."""
    return f"ada{digits}@example.org"


def forwards(number: int) -> str:
    """A number's digits."""
    return f"{number:012d}"


def digested(number: int) -> str:
    """The digest of nobody's token."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def patterns() -> tuple[User, Session, Event]:
    """Somebody who came by a mailed link, their session of a browser, and the event of it."""
    email = Email(email_id=f"email-test-{SPREAD}", address=address(BACKWARDS), verified=True, created_at=BEGAN)
    user = User(
        id=f"user-test-{SPREAD}", created_at=BEGAN, emails=(email,), first_name="Ada", last_name=f"Lovelace{BACKWARDS}"
    )
    proved = Proved(
        type="magic_link",
        delivery_method="email",
        last_authenticated_at=BEGAN,
        created_at=BEGAN,
        updated_at=BEGAN,
        details={"email_factor": {"email_id": f"email-test-{SPREAD}", "email_address": address(BACKWARDS)}},
    )
    session = Session(
        session_id=f"session-test-{OWN}",
        subject_id=user.id,
        random=bytes(range(32)),
        key_version=0,
        digest=DIGEST,
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        last_accessed_at=datetime(2026, 1, 1, tzinfo=UTC),
        expires_at=ENDS,
        ip_address="203.0.113.77",
        user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        factors=(proved,),
    )
    event = Event(
        event_id=f"event-test-019b0000-0000-7000-8000-{FORWARDS}",
        request_id=f"request-id-test-{OWN}",
        action="MagicLinksAuthenticate",
        status="success",
        http_status=200,
        audience="browser",
        subject_id=user.id,
        factor="magic_link:email",
        ip_address="203.0.113.77",
        started_at=BEGAN,
        ended_at=BEGAN,
        expires_at=ENDS,
    )
    return user, session, event


def of_number(pattern: T, number: int, people: int) -> T:
    """What the pattern is for this number; a session's or an event's person is one of so many. A user's or an event's time comes with its number."""
    put = {SPREAD: spread(number % people), OWN: spread(number), BACKWARDS: backwards(number % people)}
    made = _with(pattern, {**put, FORWARDS: forwards(number), DIGEST: digested(number)})
    for kind, names in _TIMES.items():
        if isinstance(made, kind):
            return attrs.evolve(made, **{name: getattr(made, name) + timedelta(seconds=number) for name in names})
    return made


_TIMES: dict[Any, tuple[str, ...]] = {User: ("created_at",), Event: ("started_at", "ended_at")}


def _with(value: Any, put: dict[str, str]) -> Any:
    match value:
        case str():
            for what, by in put.items():
                value = value.replace(what, by)
            return value
        case dict():
            return {name: _with(one, put) for name, one in value.items()}
        case tuple():
            return tuple(_with(one, put) for one in value)
        case _ if attrs.has(type(value)):
            changed = {field.name: _with(getattr(value, field.name), put) for field in attrs.fields(type(value))}
            return attrs.evolve(value, **changed)
        case _:
            return value


class Loader:
    """The tables of one storage. `say` speaks to its database outside the storage, in which the functions above are functions of SQL, and `moved(time, seconds)`."""

    def __init__(self, storage: Storage, say: Say, *, postgresql: bool) -> None:
        self._storage, self._say, self._postgresql = storage, say, postgresql
        self._layouts = {kind: Layout(kind, "") for kind in (User, Session, Event)}

    async def load(self, sizes: dict[type[Record], int], *, people: int, aside: bool = False) -> None:
        """So many of each kind, from the number nought; `aside` builds what the tables are found by afterwards, which takes less long and makes it denser."""
        made = [pattern for pattern in patterns() if sizes.get(type(pattern))]
        await self._storage.commit(*map(Insert, made))
        for pattern in made:
            layout = self._layouts[type(pattern)]
            sides = [layout.side(name) for name, index in layout.sides.items() if index.of(pattern)]
            tables = {layout.name: layout.key, **dict.fromkeys(sides, "record")}
            size = sizes[type(pattern)]
            for table, key in tables.items():
                again = list(self._taken(table)) if aside else []
                step = AT_ONCE if self._postgresql else size
                for first in range(0, size, step):
                    self._say(self._many(pattern, table, key, first, min(size, first + step), people))
                for statement in again:
                    self._say(statement)
        for pattern in made:
            found = await self._storage.get(type(pattern), key_of(pattern))
            assert found is not None
            await self._storage.commit(Delete(found))
        for table in (name for pattern in made for name in self._tables(self._layouts[type(pattern)])):
            self._say(f"VACUUM ANALYZE {table}" if self._postgresql else f"ANALYZE {table}")

    @staticmethod
    def _tables(layout: Layout[Any]) -> list[str]:
        return [layout.name, *map(layout.side, layout.sides)]

    def _many(self, pattern: Any, table: str, key: str, first: int, behind: int, people: int) -> str:
        """The statement that makes the rows of these numbers of the pattern's row."""
        times = _TIMES.get(type(pattern), ()) if table == self._layouts[type(pattern)].name else ()
        rows = self._say(f"SELECT * FROM {table} WHERE {key} = '{key_of(pattern)}'")
        holding = {name: " ".join(str(row[name]) for row in rows) for name in rows[0]}
        columns = ", ".join(holding)
        made = ", ".join(self._made(name, holding[name], times, people) for name in holding)
        order = "" if self._postgresql else f" ORDER BY {[*holding].index('value' if 'value' in holding else key) + 1}"
        return (
            f"INSERT INTO {table} ({columns}) SELECT {made} FROM {table} AS pattern CROSS JOIN {self._numbers(first, behind)} "
            f"WHERE pattern.{key} = '{key_of(pattern)}'{order}"
        )

    def _made(self, name: str, held: str, times: tuple[str, ...], people: int) -> str:
        if name in times:
            return f"moved(pattern.{name}, number)"
        packed = self._postgresql and name == "rest"
        made = f"pattern.{name}::text" if packed else f"pattern.{name}"
        person = f"number % {people}"
        for what, by in {
            SPREAD: f"spread({person})",
            OWN: "spread(number)",
            BACKWARDS: f"backwards({person})",
            FORWARDS: "forwards(number)",
            DIGEST: "digested(number)",
        }.items():
            if what in held:
                made = f"replace({made}, '{what}', {by})"
        return f"{made}::json" if packed else made

    def _numbers(self, first: int, behind: int) -> str:
        if self._postgresql:
            return f"generate_series({first}::bigint, {behind - 1}) AS numbers(number)"
        each = f"SELECT {first} UNION ALL SELECT number + 1 FROM numbers WHERE number < {behind - 1}"
        return f"(WITH RECURSIVE numbers(number) AS ({each}) SELECT number FROM numbers)"

    def _taken(self, table: str) -> Iterator[str]:
        """Take what a table is found by, but for SQLite's keys, which are its tables; the statements that build it again."""
        indexes = f"SELECT name, sql AS defined FROM sqlite_master WHERE type = 'index' AND sql <> '' AND tbl_name = '{table}'"
        if self._postgresql:
            keys = (
                "SELECT conname AS name, pg_get_constraintdef(oid) AS defined FROM pg_constraint "
                f"WHERE conrelid = '{table}'::regclass AND contype = 'p'"
            )
            indexes = f"SELECT indexname AS name, indexdef AS defined FROM pg_indexes WHERE tablename = '{table}'"
            for row in self._say(keys):
                self._say(f"ALTER TABLE {table} DROP CONSTRAINT {row['name']}")
                yield f"ALTER TABLE {table} ADD CONSTRAINT {row['name']} {row['defined']}"
        for row in self._say(indexes):
            self._say(f"DROP INDEX {row['name']}")
            yield row["defined"]


_FUNCTIONS = {
    "spread(number bigint) RETURNS text": "md5(number::text)::uuid::text",
    "forwards(number bigint) RETURNS text": "lpad(number::text, 12, '0')",
    "backwards(number bigint) RETURNS text": "reverse(lpad(number::text, 12, '0'))",
    "digested(number bigint) RETURNS text": "encode(sha256(convert_to(number::text, 'UTF8')), 'hex')",
    "moved(told timestamptz, number bigint) RETURNS timestamptz": "told + number * interval '1 second'",
}


@contextmanager
def postgresql(storage: SQLAlchemyStorage, url: sa.URL) -> Generator[Loader]:
    """The loader of a database of PostgreSQL that is nobody else's."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:

        def say(statement: str) -> list[dict[str, Any]]:
            done = connection.exec_driver_sql(statement.replace("%", "%%"))
            return [dict(row) for row in done.mappings()] if done.returns_rows else []

        for signature, body in _FUNCTIONS.items():
            say(f"CREATE FUNCTION {signature} LANGUAGE sql STABLE AS $$SELECT {body}$$")
        say("SET synchronous_commit = off")
        say("SET maintenance_work_mem = '512MB'")
        yield Loader(storage, say, postgresql=True)


@contextmanager
def sqlite(storage: SQLiteStorage, path: Any) -> Generator[Loader]:
    """The loader of a file of SQLite."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.row_factory = sqlite3.Row
    for statement in ("PRAGMA synchronous=OFF", "PRAGMA cache_size=-1000000"):
        connection.execute(statement)
    for one in (spread, forwards, backwards, digested):
        connection.create_function(one.__name__, 1, one, deterministic=True)

    def moved(told: str, number: int) -> str:
        return moment(datetime.fromisoformat(told) + timedelta(seconds=number))

    connection.create_function("moved", 2, moved, deterministic=True)
    try:
        yield Loader(storage, lambda statement: [dict(row) for row in connection.execute(statement)], postgresql=False)
    finally:
        connection.close()
