"""`PostgreSQLNotices`: notices between the processes of a project, by a small table in PostgreSQL and NOTIFY, for hosts that have no Redis. Needs the extra `postgres`.

Law: the table is what was told, NOTIFY only says that there is more, so nothing rests on whether one came. Whoever tells holds a lock until the commit, so numbers become visible in their
order and whoever has read one has missed none before it. Each connection reads again what was told within a JWT's life; a notice that comes twice changes nothing.
Where what was committed may be gone (another server, or one that was promoted or restored) it says that something may be missing.

NOTIFY carries nothing: its payload is bounded, kept by nobody, and seen by every role of the database. The table is made here and not by the storage's migrations, for it holds no
record, and the storage may be another database; like these it is made under a lock, or by `authmw migrate` where the role that serves may not.
"""

from __future__ import annotations

import re
import selectors
import socket
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, TypeVar

import psycopg
from psycopg import sql
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from authmw.clock import SystemClock, ticks
from authmw.errors import StorageError
from authmw_adapters.carrying import AT_ONCE, Carrying, Line
from authmw_adapters.layout import checked_namespace
from authmw_adapters.migrating import asked

T = TypeVar("T")
SECONDS = 5.0
"""How long a connection or an answer may take, and after how much silence the server is asked again."""
KEPT = timedelta(hours=2)
"""For so long a notice is kept: longer than any JWT lives, also one that was made from a session cache."""
_SPARE = timedelta(minutes=5)
"""So much more than was asked for is heard, for clocks differ."""
_DRIVER = re.compile(r"^(postgres(?:ql)?)\+\w+://")
_SETTINGS = sql.SQL(
    # The server gives up before we do, so that nothing of us waits there when we have gone; what is told shall not depend on how the host sets its own transactions.
    "SELECT set_config('statement_timeout', '4000', false), set_config('default_transaction_isolation', 'read committed', false), "
    "set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'local' ELSE current_setting('synchronous_commit') END, false)"
)
_HISTORY = sql.SQL(
    "SELECT concat_ws(' ', system_identifier, left(pg_walfile_name(pg_current_wal_lsn()), 8), to_regclass(%s)::oid) FROM pg_control_system()"
)
_START = sql.SQL("SELECT concat_ws(' ', pg_postmaster_start_time(), to_regclass(%s)::oid)")
_MAY_CREATE = sql.SQL("SELECT has_schema_privilege(current_schema(), 'CREATE')")
_MAY_USE = sql.SQL(
    "SELECT bool_and(has_table_privilege(to_regclass(%s), one)) FROM unnest(ARRAY['SELECT', 'INSERT', 'DELETE']) AS rights (one)"
)
# Whether a table is there may be answered from what a connection read before it waited for the lock; making it looks again, and holds nothing of a table that is there.
# The index is part of it: one made by a statement of its own would wait for who tells, who waits for the lock.
_TABLE = """CREATE TABLE IF NOT EXISTS {table} (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  told timestamptz NOT NULL DEFAULT clock_timestamp(),
  notice bytea NOT NULL,
  UNIQUE (told, id)
)"""
# The lock is taken before a number is; it and the new rows are let go and seen together.
_TELL = """
WITH held AS MATERIALIZED (
  SELECT pg_advisory_xact_lock({lock})
), cleared AS (
  DELETE FROM {table} WHERE told < clock_timestamp() - %(kept)s AND EXISTS (SELECT FROM held)
), added AS (
  INSERT INTO {table} (notice)
  SELECT one FROM held, unnest(%(notices)s::bytea[]) WITH ORDINALITY AS listed (one, place) ORDER BY place RETURNING 1
)
SELECT pg_notify({channel}, '') FROM (SELECT count(*) FROM added) AS counted
"""
_HEAR = "SELECT id, notice FROM {table} WHERE id > %s AND told > clock_timestamp() - %s ORDER BY id LIMIT %s"


class PostgreSQLNotices(Carrying):
    """`Notices` on one connection and one thread of its own for each process, for hosts of either kind.

    `address` is a URL or a connection string of libpq, whose options also name the schema (`?options=-csearch_path%3Dauth`); `+psycopg` or `+asyncpg` in a URL is passed over. `namespace`
    prefixes the table `authmw_notices`. The role needs to select from the table, insert into and delete from it, and to create it unless `authmw migrate` did. A notice arrives within
    milliseconds; while PostgreSQL cannot be reached, what holds without notices holds.

    It must be an address of the server itself, or of a pooler in session mode: one that pools by transaction (PgBouncer's `transaction`) keeps no LISTEN, and a notice takes up to
    five seconds. Inside `auth.within(...)` a notice does not wait for the host's commit: `Notices` is told of no connection, and may not wait for one.

    Raises ValueError for an address that is none, and for a namespace that is not a plain lower-case name.
    """

    _faults = (psycopg.Error, OSError)

    def __init__(self, address: str, namespace: str = "") -> None:
        self._table = f"{checked_namespace(namespace)}authmw_notices"
        self._conninfo = _conninfo(address)
        named = {
            "table": sql.Identifier(self._table),
            "channel": sql.Literal(self._table),
            "lock": sql.Literal(int.from_bytes(sha256(f"authmw {self._table}".encode()).digest()[:8], signed=True)),
        }
        self._create = sql.SQL(_TABLE).format(**named)
        self._lock = sql.SQL("SELECT pg_advisory_xact_lock({lock})").format(**named)
        self._listen = sql.SQL("LISTEN {table}").format(**named)
        self._tell = sql.SQL(_TELL).format(**named)
        self._read = sql.SQL(_HEAR).format(**named)
        self._history: str | None = None
        self._bell: _Bell | None = None
        self._inherited: list[object] = []
        super().__init__()

    def listen(self, since: datetime, heard: Callable[[bytes], None], lost: Callable[[], None]) -> None:
        """Hear what was and will be told. While a migration is asked for, only see to the table; StorageError where that fails."""
        migration = asked.get()
        if migration is None:
            super().listen(since, heard, lost)
            return
        try:
            with closing(self._connected()) as connection:
                if migration.plan:
                    missing = self._is_missing(connection)
                    migration.statements += [self._create.as_string(connection)] * missing
                else:
                    self._make(connection)
        except self._faults:
            raise StorageError("The table of notices could not be made ready.") from None

    def inspect(self) -> Iterator[str]:
        """One sentence for each thing that an operator should mend. Asked on a connection of its own, which is closed again."""
        try:
            with closing(self._connected()) as connection:
                yield from self._found(connection)
        except self._faults:
            yield "The PostgreSQL that carries notices does not answer, or does not let this role in."

    def _found(self, connection: psycopg.Connection[Any]) -> Iterator[str]:
        if self._is_missing(connection):
            if not _asked(connection, _MAY_CREATE):
                yield f"There is no table {self._table}, and this role may not make it: run `authmw migrate` as one that may."
        elif not _asked(connection, _MAY_USE, self._table):
            yield f"This role may not read, write and clear the table {self._table}."
        if _asked(connection, sql.SQL("SELECT pg_backend_pid()")) != connection.pgconn.backend_pid:
            yield (
                "Notices go through a pooler. If it pools by transaction it keeps no LISTEN, and a notice takes up to five seconds: "
                "give them an address of the server itself."
            )

    def _lines(self) -> tuple[Line, Line]:
        line = Line(self._carry)
        return line, line

    def _forked(self) -> None:
        # A parent's connection is its thread's, which is not here; psycopg ends none that another process made.
        self._inherited.append(self._bell)
        self._bell = None
        super()._forked()

    def _wake(self) -> None:
        if self._bell is not None:
            self._bell.ring()

    def _hear_since(self, since: datetime) -> None:
        self._window = max(SystemClock().now() - since, timedelta()) + _SPARE

    def _carry(self) -> None:
        """Tell and hear on one connection, until it is over."""
        with closing(self._connected()) as connection, closing(_Bell()) as bell, selectors.DefaultSelector() as either:
            self._bell = bell
            news: deque[object] = deque()
            connection.add_notify_handler(news.append)
            either.register(connection.fileno(), selectors.EVENT_READ)
            either.register(bell.rung, selectors.EVENT_READ)
            self._make(connection)
            connection.execute(self._listen)
            self._look_whether_all_is_there(connection)
            last = 0
            while True:
                bell.answer()
                news.clear()
                last = self._hear_behind(connection, last)
                self._tell_waiting(connection)
                self._telling.reached()
                if self._ended.is_set() and not self._waiting:
                    return
                if not (news or self._waiting or self._behind):
                    either.select(SECONDS)

    def _connected(self) -> psycopg.Connection[Any]:
        connection = _Connection.connect(self._conninfo, autocommit=True, prepare_threshold=None)
        try:
            connection.execute(_SETTINGS)
        except BaseException:
            connection.close()
            raise
        return connection

    def _is_missing(self, connection: psycopg.Connection[Any]) -> bool:
        return _asked(connection, sql.SQL("SELECT to_regclass(%s)"), self._table) is None

    def _make(self, connection: psycopg.Connection[Any]) -> None:
        """Make the table, one process at a time, if it is missing. A role that may not make it is not asked to where it is there."""
        if not self._is_missing(connection):
            return
        with connection.transaction():
            connection.execute(self._lock)
            connection.execute(self._create)

    def _look_whether_all_is_there(self, connection: psycopg.Connection[Any]) -> None:
        """Say that notices may be missing if what was committed before may not be here: this history is not the one that was heard before."""
        before, self._history = self._history, self._history_of(connection)
        if self._history != (before or self._history):
            self._lose()

    def _history_of(self, connection: psycopg.Connection[Any]) -> str:
        """What stays the same as long as nothing that was committed is lost: the server's data, their timeline and the table. Where it does not tell these, when it was started."""
        try:
            return str(_asked(connection, _HISTORY, self._table))
        except psycopg.Error as refused:
            if refused.sqlstate is None:
                raise
            return str(_asked(connection, _START, self._table))

    def _hear_behind(self, connection: psycopg.Connection[Any], last: int) -> int:
        """Hear what was told behind this number; the number that was heard last."""
        if self._ear is None:
            return last
        rows = connection.execute(self._read, (last, self._window, AT_ONCE)).fetchall()
        self._behind = len(rows) == AT_ONCE
        for number, notice in rows:
            self._hear(bytes(notice))
            last = number
        return last

    def _tell_waiting(self, connection: psycopg.Connection[Any]) -> None:
        notices = self._to_tell()
        if notices:
            connection.execute(self._tell, {"kept": KEPT, "notices": list(notices)})
            self._told(notices)


class _Connection(psycopg.Connection[Any]):
    """One on which no answer is waited for longer than `SECONDS`, whatever became of server and network."""

    def wait(self, gen: PQGen[T], *given: Any, **more: Any) -> T:
        """What the work on this connection gives. TimeoutError if nothing comes for too long."""
        return super().wait(_patiently(gen), *given, **more)


def _patiently(work: PQGen[T]) -> PQGen[T]:
    latest = ticks() + SECONDS
    try:
        waits_for = next(work)
        while True:
            ready = yield waits_for
            if not ready and ticks() > latest:
                raise TimeoutError
            waits_for = work.send(ready)
    except StopIteration as done:
        given: T = done.value
        return given


class _Bell:
    """Wakes a thread that waits for its connection."""

    def __init__(self) -> None:
        self.rung, self._rings = socket.socketpair()
        self.rung.setblocking(False)
        self._rings.setblocking(False)

    def ring(self) -> None:
        """Have the thread look. One that was rung and has not answered looks anyway; one that has left looks when it comes again."""
        with suppress(OSError):
            self._rings.send(b"!")

    def answer(self) -> None:
        """Have it rung no more."""
        with suppress(BlockingIOError):
            self.rung.recv(4096)

    def close(self) -> None:
        self.rung.close()
        self._rings.close()


def _conninfo(address: str) -> str:
    chosen = {
        "connect_timeout": int(SECONDS),
        "application_name": "authmw notices",
        "target_session_attrs": "read-write",
    }
    try:
        said: dict[str, Any] = {**chosen, **conninfo_to_dict(_DRIVER.sub(r"\1://", address))}
        return make_conninfo(**said)
    except psycopg.Error:
        raise ValueError("This is no address of PostgreSQL that psycopg understands.") from None


def _asked(connection: psycopg.Connection[Any], question: sql.SQL, *given: Any) -> Any:
    row = connection.execute(question, given).fetchone()
    assert row is not None
    return row[0]
