"""How long a database may take to answer: whoever takes longer has his connection cut off, and from then on it is a lost one.

Law: a connection that was cut off is never used again. It is cut at its socket, so that every driver, blocking or not, sees what it sees when a server goes away. Nothing is
set at the server, where it would reach others behind a pooler, and could not be heard by a server that stands still.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import os
import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

from sqlalchemy import Connection, Engine, event

from authmw import drive

SECONDS = 5.0
"""How long a database may take to connect, and to do one thing that is asked of it."""
_PSYCOPG = 2
"""The fewest seconds that libpq may take to connect."""


def checked_seconds(seconds: float) -> float:
    """The seconds. ValueError if nothing could be done in them."""
    if not 0 < seconds < math.inf:
        raise ValueError("A database may take a number of seconds, which is more than none.")
    return seconds


class Cut:
    """Something that is asked of a database, and that is cut off if it is not done in time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._driver: Any = connection.connection.driver_connection
        self._lock = threading.Lock()
        self.over = False
        """Whether it is done."""
        self.off = False
        """Whether it was cut off."""

    def __lt__(self, other: object) -> bool:
        return False

    def __call__(self) -> None:
        """Cut it off, unless it is done."""
        with self._lock:
            if self.over:
                return
            self.off = True
            with suppress(Exception):  # whatever a connection that has just ended says
                _shut(self._driver)

    def done(self) -> None:
        """It is done. A connection that was cut off is thrown away even then."""
        with self._lock:
            self.over = True
            self._driver = None
        if self.off:
            self._connection.invalidate()


class _Watch:
    """One thread of a process, that looks at what is asked by blocking drivers; it ends when nothing is."""

    def __init__(self) -> None:
        self._forget()
        drive.in_child(self._forget)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._asked: list[tuple[float, Cut]] = []
        self._thread: threading.Thread | None = None
        self._sooner = threading.Event()

    def add(self, cut: Cut, seconds: float) -> None:
        latest = time.monotonic() + seconds
        with self._lock:
            first = not self._asked or latest < self._asked[0][0]
            heapq.heappush(self._asked, (latest, cut))
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="authmw-patience", daemon=True)
                self._thread.start()
            elif first:
                self._sooner.set()

    def _look(self) -> None:
        while True:
            with self._lock:
                self._sooner.clear()
                while self._asked and self._asked[0][1].over:
                    heapq.heappop(self._asked)
                if not self._asked:
                    self._thread = None
                    return
                wait = self._asked[0][0] - time.monotonic()
                cut = heapq.heappop(self._asked)[1] if wait <= 0 else None
            if cut is None:
                self._sooner.wait(wait)
            else:
                cut()


_watch = _Watch()


@contextmanager
def in_time(connection: Connection, seconds: float | None) -> Generator[None]:
    """What is done inside is cut off after so many seconds, in a thread; None lets it take as long as it takes."""
    if seconds is None or connection.dialect.name == "sqlite":
        yield
        return
    cut = Cut(connection)
    _watch.add(cut, seconds)
    try:
        yield
    finally:
        cut.done()


@contextmanager
def in_time_on_loop(connection: Connection, seconds: float | None) -> Generator[None]:
    """The same on the running loop."""
    if seconds is None or connection.dialect.name == "sqlite":
        yield
        return
    cut = Cut(connection)
    timer = asyncio.get_running_loop().call_later(seconds, cut)
    try:
        yield
    finally:
        timer.cancel()
        cut.done()


def connect_in_time(engine: Engine, seconds: float) -> None:
    """Let an engine of ours wait no longer than so for a connection."""
    driver = engine.dialect.driver
    if driver not in _CONNECTING:
        return

    @event.listens_for(engine, "do_connect")
    def connecting(*given: Any) -> None:
        _CONNECTING[driver](given[-1], seconds)

    if driver == "pymysql":

        @event.listens_for(engine, "connect")
        def connected(connection: Any, *_: object) -> None:
            # From now on what is asked is looked at as a whole.
            connection._read_timeout = connection._write_timeout = None


def _psycopg(named: dict[str, Any], seconds: float) -> None:
    named.setdefault("connect_timeout", max(_PSYCOPG, math.ceil(seconds)))


def _asyncpg(named: dict[str, Any], seconds: float) -> None:
    named.setdefault("timeout", seconds)


def _pymysql(named: dict[str, Any], seconds: float) -> None:
    # The first is for the network alone; the greeting is read like an answer.
    for name in ("connect_timeout", "read_timeout", "write_timeout"):
        named.setdefault(name, seconds)


def _aiomysql(named: dict[str, Any], seconds: float) -> None:
    connect: Any = import_module("aiomysql").connect

    async def connecting(*given: Any, **options: Any) -> Any:
        return await asyncio.wait_for(connect(*given, **options), seconds)

    named.setdefault("async_creator_fn", connecting)


_CONNECTING: dict[str, Callable[[dict[str, Any], float], None]] = {
    "psycopg": _psycopg,
    "psycopg_async": _psycopg,
    "asyncpg": _asyncpg,
    "pymysql": _pymysql,
    "aiomysql": _aiomysql,
}


def _shut(driver: Any) -> None:
    """End both directions of a connection's socket, which stays open: the driver closes it."""
    with socket.socket(fileno=os.dup(_file(driver))) as one:
        one.shutdown(socket.SHUT_RDWR)


def _file(driver: Any) -> int:
    """The number of a connection's socket, where each driver keeps it."""
    if hasattr(driver, "fileno"):  # psycopg
        return int(driver.fileno())
    if hasattr(driver, "_sock"):  # pymysql
        return int(driver._sock.fileno())
    # asyncpg, aiomysql
    transport = driver._transport if hasattr(driver, "_transport") else driver._writer.transport
    return int(transport.get_extra_info("socket").fileno())
