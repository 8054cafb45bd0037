"""Connections to one database file: checked out for a call, kept for the next, reopened after a fork."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from authmw.errors import StorageError


class Connections:
    """A small pool. A connection belongs to one call at a time, so it may be used by any thread."""

    def __init__(self, path: str | Path, *, synchronous: str) -> None:
        if str(path) == ":memory:":
            message = "A SQLite database in memory is another one for each connection; use authmw_adapters.memory."
            raise ValueError(message)
        self._path = Path(path)
        self._synchronous = synchronous
        self._lock = threading.Lock()
        self._free: list[sqlite3.Connection] = []
        self._inherited: list[sqlite3.Connection] = []
        self._pid = os.getpid()

    @contextmanager
    def one(self) -> Generator[sqlite3.Connection]:
        """A connection for one call. What SQLite refuses is a StorageError."""
        try:
            connection = self._take()
        except sqlite3.Error:
            raise StorageError("The database cannot be opened.") from None
        try:
            yield connection
        except sqlite3.Error:
            raise StorageError("The database cannot do this now.") from None
        finally:
            if connection.in_transaction:
                connection.rollback()
            with self._lock:
                self._free.append(connection)

    def close(self) -> None:
        """Close what is not in use; the next call opens again."""
        with self._lock:
            while self._free:
                self._free.pop().close()

    def _take(self) -> sqlite3.Connection:
        with self._lock:
            if self._pid != os.getpid():
                # SQLite forbids a child both to use and to close what it inherited, so it is only kept from being collected.
                self._inherited.extend(self._free)
                self._free = []
                self._pid = os.getpid()
            if self._free:
                return self._free.pop()
        return self._open()

    def _open(self) -> sqlite3.Connection:
        if not self._path.exists():
            self._path.touch(mode=0o600)
        connection = sqlite3.connect(self._path, timeout=10, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={self._synchronous}")
        connection.execute("PRAGMA foreign_keys=ON")
        return connection
