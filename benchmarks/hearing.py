"""What is said to databases, written down as it is said, so that a driver alone can say it again; and what of it changes something."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, TypeAlias
from unittest.mock import patch

from redis.connection import AbstractConnection
from sqlalchemy.dialects.mysql.mysqldb import MySQLDialect_mysqldb
from sqlalchemy.engine.default import DefaultDialect

Said: TypeAlias = tuple[str, Any]
"""A statement, or a command of Redis, and its parameters; a list of them where it is said for each."""
REDIS = "redis"
DURABILITY = "durability"
"""What is said from here on is said on a connection of SQLite that waits for the disk as long as the parameter says."""

_GREETINGS = {"HELLO", "AUTH", "CLIENT", "SELECT"}
"""What a new connection to Redis says before it is asked for anything."""


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

    @contextmanager
    def listening(self) -> Generator[None]:
        """Hear what SQLAlchemy and blocking connections to Redis say meanwhile, and every connection to SQLite that is made meanwhile."""
        with self._engines(), self._sqlite(), self._redis():
            yield

    @contextmanager
    def _engines(self) -> Generator[None]:
        """By the dialects, and not by events: an engine on which anybody has ever listened pays for it at each statement, and is no longer what a host has."""
        hear = self.hear

        def one(dialect: Any, cursor: Any, statement: str, parameters: Any, context: Any = None) -> Any:
            hear(statement, parameters)
            return execute(dialect, cursor, statement, parameters, context)

        def bare(dialect: Any, cursor: Any, statement: str, context: Any = None) -> Any:
            hear(statement, ())
            return execute_bare(dialect, cursor, statement, context)

        execute, execute_bare = DefaultDialect.do_execute, DefaultDialect.do_execute_no_params
        with ExitStack() as stack:
            stack.enter_context(patch.object(DefaultDialect, "do_execute", one))
            stack.enter_context(patch.object(DefaultDialect, "do_execute_no_params", bare))
            for kind in (DefaultDialect, MySQLDialect_mysqldb):
                stack.enter_context(patch.object(kind, "do_executemany", self._many(kind)))
            yield

    def _many(self, kind: type[DefaultDialect]) -> Any:
        execute = kind.do_executemany

        def many(dialect: Any, cursor: Any, statement: str, parameters: Any, context: Any = None) -> Any:
            self.hear(statement, list(parameters))
            return execute(dialect, cursor, statement, parameters, context)

        return many

    @contextmanager
    def _sqlite(self) -> Generator[None]:
        hear = self.hear_on

        class Connection(sqlite3.Connection):
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

        with patch("sqlite3.connect", partial(sqlite3.connect, factory=Connection)):
            yield

    @contextmanager
    def _redis(self) -> Generator[None]:
        send = AbstractConnection.send_command

        def heard(connection: Any, *arguments: Any, **options: Any) -> None:
            if arguments[0].split()[0] not in _GREETINGS:
                self.hear(REDIS, arguments)
            send(connection, *arguments, **options)

        with patch.object(AbstractConnection, "send_command", heard):
            yield


def changes(said: list[Said]) -> Iterator[Said]:
    """What of it changes something: transactions with all that is said in them, writes, and what is said to Redis; not what is only read."""
    inside = False
    for statement, parameters in said:
        inside = inside or statement.startswith(("BEGIN", "SET TRANSACTION", "START TRANSACTION"))
        if inside or not statement.startswith("SELECT"):
            yield statement, parameters
        inside = inside and statement not in {"COMMIT", "ROLLBACK"}
