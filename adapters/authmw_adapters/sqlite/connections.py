"""Connections to one database file: checked out for a call, kept for the next, reopened after a fork.

Law: a connection belongs to one call at a time, and whatever SQLite says no with leaves this room as a StorageError without its text.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
import weakref
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from authmw import drive
from authmw.errors import StorageError

BUSY_SECONDS = 10
"""How long a call waits for another process that writes, before it is a StorageError."""


class Connections:
    """A small pool over one file, which is made with mode 0600 if it is missing. `synchronous` is SQLite's: FULL or NORMAL."""

    def __init__(self, path: str | Path, *, synchronous: str) -> None:
        if not str(path) or str(path).startswith((":memory:", "file:")):
            message = "A SQLite database in memory is another one for each connection; use authmw_adapters.memory."
            raise ValueError(message)
        self._path = Path(path)
        self._synchronous = synchronous
        self._inherited: list[sqlite3.Connection] = []
        self._opened: set[sqlite3.Connection] = set()
        self._begin()
        _pools.add(self)

    def _begin(self) -> None:
        # SQLite forbids a child both to use and to close what it inherited, so it is only kept from being collected. Locks that other threads
        # held are not released in a child, so it has one of its own.
        self._lock = threading.Lock()
        self._inherited.extend(self._opened)
        self._opened = set()
        self._free: list[sqlite3.Connection] = []

    @contextmanager
    def one(self) -> Generator[sqlite3.Connection]:
        """A connection for one call, rolled back at the end if a transaction is open. What SQLite refuses is a StorageError."""
        connection = self._take()
        try:
            yield connection
        except (sqlite3.Error, UnicodeEncodeError, OverflowError):
            raise StorageError("The database cannot do this now.") from None
        finally:
            self._give_back(connection)

    @contextmanager
    def writing(self) -> Generator[sqlite3.Connection]:
        """A connection in a transaction that may write; committing is the caller's.

        SQLite lets one writer in and has the others sleep and try again. Those of this process queue instead, and each is let in as soon as the one before is done.
        """
        queue = _queues.setdefault(self._path.absolute(), threading.Lock())
        if not queue.acquire(timeout=BUSY_SECONDS):
            raise StorageError("The database cannot do this now.")
        try:
            with self.one() as connection:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
        finally:
            queue.release()

    def inspect(self) -> Iterator[str]:
        """What an operator should mend about the file: whoever else may read or change it."""
        mode = stat.S_IMODE(self._path.stat().st_mode) if os.name == "posix" and self._path.exists() else 0
        if mode & 0o077:
            yield f"The database file may be used by others on this machine (mode {mode:o}); chmod 600."

    def close(self) -> None:
        """Close what is not in use; the next call opens again."""
        while True:
            with self._lock:
                if not self._free:
                    return
                connection = self._free.pop()
            self._discard(connection)

    def _take(self) -> sqlite3.Connection:
        try:
            return self._free.pop()
        except IndexError:
            return self._open()

    def _give_back(self, connection: sqlite3.Connection) -> None:
        try:
            if connection.in_transaction:
                connection.rollback()
        except sqlite3.Error:
            # What cannot even be rolled back is not used again; closing it rolls back.
            self._discard(connection)
        else:
            self._free.append(connection)

    def _discard(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            self._opened.discard(connection)
        with suppress(sqlite3.Error):
            connection.close()

    def _open(self) -> sqlite3.Connection:
        try:
            # SQLite gives the files beside the database the mode of the database.
            if not self._path.exists():
                self._path.touch(mode=0o600)
            connection = sqlite3.connect(
                self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=512
            )
        except (sqlite3.Error, OSError):
            raise StorageError("The database cannot be opened.") from None
        with self._lock:
            self._opened.add(connection)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(f"PRAGMA synchronous={self._synchronous}")
            connection.execute("PRAGMA foreign_keys=ON")
        except sqlite3.Error:
            self._discard(connection)
            raise StorageError("The database cannot be opened.") from None
        return connection


_queues: dict[Path, threading.Lock] = {}
"""Who writes next to a file, in this process."""
_pools: weakref.WeakSet[Connections] = weakref.WeakSet()


def _begin_all() -> None:
    _queues.clear()
    for pool in _pools:
        pool._begin()


drive.after_fork(_begin_all)
