"""How work on a connection is run: on a blocking engine in the calling thread, on an asyncio engine on the running loop, which has a pool of its own.

Law: every connection is in autocommit, and a transaction is begun and ended in so many words: a read costs one round trip. What a database says no with
leaves as an error of the storage port, without the database's text, which may hold values.

A connection of ours is not asked whether it lives before each use, which would cost a round trip of its own: it shows by the first thing that is said on it. What
may be said twice (a read, a count, the beginning of a transaction) is then said again on a new connection, once; a commit never is. Nor is what was cut off because it took too long (`patience`): nobody waits twice.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from authmw import drive
from authmw.errors import Conflict, OutcomeUnknown, StorageError
from authmw_adapters.sqlalchemy.patience import SECONDS, checked_seconds, connect_in_time, in_time, in_time_on_loop

T = TypeVar("T")
_UNDONE_STATES = ("40001", "40P01", "40002")
_UNDONE_NUMBERS = (1213, 1020)
"""Deadlock, and a record that changed since it was read, as MySQL and MariaDB number them."""
_BEGIN = {"sqlite": ("BEGIN IMMEDIATE",), "postgresql": ("BEGIN",)}
_BEGIN_MYSQL = ("SET TRANSACTION ISOLATION LEVEL READ COMMITTED", "START TRANSACTION")
_READ_COMMITTED = "authmw_read_committed"
"""Marks a connection to MySQL or MariaDB whose every transaction is isolated as ours are to be."""
# Transactions are ended by us, so a connection that comes back has nothing to roll back. Errors and logs of SQLAlchemy hold no values. A connection is made to
# commit by itself once, when it is opened (said for each use, MySQL and MariaDB are told so each time, and told back), and is not told to roll back what it never began.
_OPTIONS: dict[str, Any] = {
    "isolation_level": "AUTOCOMMIT",
    "skip_autocommit_rollback": True,
    "pool_reset_on_return": None,
    "hide_parameters": True,
}


class Blocking:
    """Runs work on a blocking engine: one that is made for an address and given so many `seconds` for each work, or the host's own."""

    def __init__(self, engine: str | URL | Engine, options: dict[str, Any], seconds: float = SECONDS) -> None:
        self._ours = not isinstance(engine, Engine)
        self._seconds = checked_seconds(seconds)
        self._engine: Engine
        if isinstance(engine, Engine):
            self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        else:
            self._engine = create_engine(engine, **_waiting(engine, options, seconds), **_OPTIONS)
            _isolate(self._engine)
            connect_in_time(self._engine, seconds)
        self.dialect: Dialect = self._engine.dialect
        self._inherited: list[object] = []
        _everyone.add(self)

    async def run(self, work: Callable[[Connection], T], *, again: bool = False, long: bool = False) -> T:
        """What `work` gives on a connection of its own. `again`: it may be done again where a connection is lost; `long`: it may take as long as it takes."""
        seconds = self._seconds if self._ours and not long else None
        began = time.monotonic()
        with _faults(self.dialect):
            try:
                with self._engine.connect() as connection, in_time(connection, seconds):
                    return work(connection)
            except (DBAPIError, _Unbegun) as error:
                if not (self._ours and _was_dead(error, began, self._seconds, again=again)):
                    raise
            with self._engine.connect() as connection, in_time(connection, seconds):
                return work(connection)

    async def close(self) -> None:
        """Close what is not in use; the next call opens again."""
        self._engine.dispose()

    def transaction(self, connection: Connection) -> AbstractContextManager[None]:
        """A transaction of our own."""
        return transaction(connection)

    def forked(self) -> None:
        """In a child: leave the parent's connections alone, not even collecting them, for that would end them for the parent."""
        self._inherited.append(self._engine.pool)
        self._engine.dispose(close=False)


class Asynchronous:
    """Runs work on an asyncio engine: one for each loop, made for an address, or the host's own, which belongs to one loop."""

    def __init__(self, engine: str | URL | AsyncEngine, options: dict[str, Any], seconds: float = SECONDS) -> None:
        self._seconds = checked_seconds(seconds)
        self._address = None if isinstance(engine, AsyncEngine) else make_url(engine)
        self._own = engine if isinstance(engine, AsyncEngine) else None
        self._options = options
        self._engines: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncEngine]
        self._engines = weakref.WeakKeyDictionary()
        self._inherited: list[object] = []
        self._running = set[asyncio.Task[Any]]()
        self.dialect: Dialect = self._own.dialect if self._own else self._made().dialect
        _everyone.add(self)

    async def run(self, work: Callable[[Connection], T], *, again: bool = False, long: bool = False) -> T:
        """What `work` gives on a connection of the running loop, as `Blocking.run`. Whoever asked may be cancelled; the work comes to its end, so that its
        connection comes back in order.
        """
        task = asyncio.get_running_loop().create_task(self._run(work, again=again, long=long))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _run(self, work: Callable[[Connection], T], *, again: bool, long: bool) -> T:
        loop = asyncio.get_running_loop()
        seconds = self._seconds if self._own is None and not long else None
        began = time.monotonic()

        def timed(connection: Connection) -> T:
            with in_time_on_loop(connection, seconds):
                return work(connection)

        engine = self._engines.get(loop)
        if engine is None:
            own = self._own.execution_options(isolation_level="AUTOCOMMIT") if self._own else None
            engine = self._engines[loop] = own or self._made()
        with _faults(self.dialect):
            try:
                async with engine.connect() as connection:
                    return await connection.run_sync(timed)
            except (DBAPIError, _Unbegun) as error:
                if self._own is not None or not _was_dead(error, began, self._seconds, again=again):
                    raise
            async with engine.connect() as connection:
                return await connection.run_sync(timed)

    async def close(self) -> None:
        """Close what this loop has and does not use; the next call opens again."""
        if engine := self._engines.pop(asyncio.get_running_loop(), None):
            await engine.dispose()

    def transaction(self, connection: Connection) -> AbstractContextManager[None]:
        """A transaction of our own."""
        return transaction(connection)

    def forked(self) -> None:
        """In a child: leave the parent's connections alone."""
        self._inherited.append(self._engines)
        self._engines = weakref.WeakKeyDictionary()

    def _made(self) -> AsyncEngine:
        assert self._address is not None
        options = _waiting(self._address, self._options, self._seconds)
        made = create_async_engine(self._address, **options, **_OPTIONS)
        _isolate(made.sync_engine)
        connect_in_time(made.sync_engine, self._seconds)
        return made


class Joined:
    """Runs work on a connection of the host's, as part of its transaction."""

    def __init__(self, connection: Connection | AsyncConnection) -> None:
        self._connection = connection
        self.dialect: Dialect = connection.dialect

    async def run(self, work: Callable[[Connection], T], *, again: bool = False, long: bool = False) -> T:  # noqa: ARG002 -- as the others
        """What `work` gives on the host's connection, of which there is no other."""
        with _faults(self.dialect):
            if isinstance(self._connection, Connection):
                return work(self._connection)
            return await self._connection.run_sync(work)

    @contextmanager
    def transaction(self, connection: Connection) -> Generator[None]:
        """A savepoint. What comes of it is known when the host commits."""
        savepoint = connection.begin_nested()
        try:
            yield
        except BaseException:
            # A deadlock may have rolled back all of it, and then there is no savepoint any more.
            with suppress(SQLAlchemyError):
                savepoint.rollback()
            raise
        savepoint.commit()

    async def close(self) -> None:
        """The connection is the host's."""


def _isolate(engine: Engine) -> None:
    """Let every transaction of an engine of ours be isolated as `transaction` wants it, where that costs a round trip each time otherwise."""
    if engine.dialect.name in _BEGIN:
        return

    @event.listens_for(engine, "connect")
    def connected(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        cursor.close()
        record.info[_READ_COMMITTED] = True


class _Unbegun(StorageError):
    """A transaction that could not begin, for its connection was dead."""


def _waiting(address: str | URL, options: dict[str, Any], seconds: float) -> dict[str, Any]:
    """The options, by which nobody waits longer than so for a connection that others use. Some pools know no waiting: those of SQLite, and perhaps one that was chosen."""
    chosen = "poolclass" in options or "pool" in options or make_url(address).get_backend_name() == "sqlite"
    return options if chosen else {"pool_timeout": seconds, **options}


def _was_dead(error: DBAPIError | _Unbegun, began: float, seconds: float, *, again: bool) -> bool:
    """Whether a connection was lost, not cut off, and nothing can have been done that may not be done again. All others of its pool are opened anew."""
    if time.monotonic() - began >= seconds:
        return False
    return isinstance(error, _Unbegun) or (again and error.connection_invalidated)


_everyone: weakref.WeakSet[Blocking | Asynchronous] = weakref.WeakSet()


def _forked() -> None:
    for one in _everyone:
        one.forked()


drive.after_fork(_forked)


@contextmanager
def transaction(connection: Connection) -> Generator[None]:
    """What is done inside happens whole or not at all. Conflict if the database undid it; OutcomeUnknown if it did not say whether it is done."""
    try:
        _begin(connection)
        yield
    except BaseException:
        _undo(connection)
        raise
    try:
        connection.exec_driver_sql("COMMIT")
    except BaseException as error:
        _undo(connection)
        if not isinstance(error, SQLAlchemyError | OSError):
            raise
        if undone(error):
            raise _LOST from None
        raise OutcomeUnknown("The database did not acknowledge a commit.") from None


def _begin(connection: Connection) -> None:
    begin = _BEGIN.get(connection.dialect.name) or _BEGIN_MYSQL[_READ_COMMITTED in connection.info :]
    try:
        for statement in begin:
            connection.exec_driver_sql(statement)
    except DBAPIError as error:
        if error.connection_invalidated:
            raise _Unbegun("The connection to the database is lost.") from None
        raise


_LOST = Conflict("The database undid a commit in favour of another.")


def _undo(connection: Connection) -> None:
    try:
        connection.exec_driver_sql("ROLLBACK")
    except (SQLAlchemyError, OSError):
        # What cannot even be rolled back is not used again; closing it rolls back.
        connection.invalidate()


def undone(error: BaseException) -> bool:
    """Whether the database has rolled back because of other transactions: a deadlock, or a serialization failure."""
    if not isinstance(error, DBAPIError):
        return False
    origin: Any = error.orig
    state = getattr(origin, "sqlstate", None) or getattr(origin, "pgcode", None)
    number = origin.args[0] if origin is not None and origin.args else None
    return state in _UNDONE_STATES or number in _UNDONE_NUMBERS


@contextmanager
def _faults(dialect: Dialect) -> Generator[None]:
    try:
        yield
    except (SQLAlchemyError, OSError, dialect.loaded_dbapi.Error) as error:
        # The driver's own errors come through where SQLAlchemy readies a connection.
        if undone(error):
            raise _LOST from None
        raise StorageError("The database cannot do this now.") from None
