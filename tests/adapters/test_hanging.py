"""Databases that stand still, and networks that swallow everything: whoever asks is told so in time, and goes on when they do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import pytest
import sqlalchemy as sa

from authmw.drive import step
from authmw.errors import OutcomeUnknown, StorageError
from authmw.limits import Limit
from authmw.storage import Insert, Update
from authmw.testing.contracts.driven import Driven
from authmw.testing.contracts.records import NOW, Thing
from authmw_adapters.sqlalchemy import AsyncSQLAlchemyStorage, SQLAlchemyLimiter, SQLAlchemyStorage
from authmw_adapters.sqlalchemy.patience import checked_seconds
from tests.adapters.lossy import Lost, Way, lossy_way
from tests.databases import address, new_database
from tests.processes.hosting import LONGEST, until
from tests.servers import Machine

DRIVERS = {
    "postgresql+psycopg": ("postgresql", SQLAlchemyStorage),
    "postgresql+psycopg_async": ("postgresql", AsyncSQLAlchemyStorage),
    "postgresql+asyncpg": ("postgresql", AsyncSQLAlchemyStorage),
    "mariadb+pymysql": ("mariadb", SQLAlchemyStorage),
    "mariadb+aiomysql": ("mariadb", AsyncSQLAlchemyStorage),
}
SHORT = 0.3
"""Seconds that a database may take in these tests."""
BY_DRIVER = [pytest.param(driver, marks=pytest.mark.server(name), id=driver) for driver, (name, _) in DRIVERS.items()]


def where_of(machine: Machine, name: str) -> str:
    """Where a server of this run listens: a port, or a Unix socket."""
    where = machine.server(name).where
    assert where is not None
    return where


def by_way(url: sa.URL, way: Way) -> sa.URL:
    """The same database, reached by the way."""
    return url.set(host="127.0.0.1", port=way.port, query={})


class Hanging:
    """A storage on a way to a database that can swallow everything."""

    def __init__(self, driver: str, url: sa.URL, way: Way) -> None:
        kind: Any = DRIVERS[driver][1]
        self.url = url
        self.way = way
        self.store = Driven(kind(by_way(url, way), seconds=SHORT, pool_size=2, max_overflow=0))

    def things(self) -> list[str]:
        """The keys that the database itself holds."""
        plain = "postgresql+psycopg" if self.url.get_backend_name() == "postgresql" else "mariadb+pymysql"
        engine = sa.create_engine(self.url.set(drivername=plain))
        with engine.connect() as connection:
            keys = list(connection.execute(sa.text("SELECT id FROM things ORDER BY id")).scalars())
        engine.dispose()
        return keys

    @contextmanager
    def losing(self, lost: Lost, at: tuple[str, ...]) -> Iterator[None]:
        """From a statement on that begins so, the way loses this."""

        def before(connection: sa.Connection, cursor: Any, statement: str, *_: object) -> None:
            if connection.engine.url.port == self.way.port and statement.startswith(at):
                self.way.loses = lost

        sa.event.listen(sa.Engine, "before_cursor_execute", before)
        try:
            yield
        finally:
            sa.event.remove(sa.Engine, "before_cursor_execute", before)
            self.way.loses = "nothing"


@pytest.fixture(params=BY_DRIVER)
def hanging(request: pytest.FixtureRequest, machine: Machine) -> Iterator[Hanging]:
    name = DRIVERS[request.param][0]
    with new_database(machine, name) as database:
        url = address(machine, name, database, request.param)
        with lossy_way(where_of(machine, name)) as way:
            one = Hanging(request.param, url, way)
            one.store.prepare()
            one.store.commit(Insert(Thing(id="a")))
            # Whoever waits for ever is let go in the end, by a connection that is lost, and then the test has failed.
            given_up = threading.Event()
            watchdog = threading.Timer(LONGEST / 4, lambda: (given_up.set(), way.close()))
            watchdog.start()
            try:
                yield one
            finally:
                watchdog.cancel()
                one.store.close()
            assert not given_up.is_set(), "somebody waited for ever"


COMMITS = ("COMMIT", "WITH judged", "WITH held")


def test_a_read_that_is_not_answered_is_an_error_and_is_not_tried_twice(hanging: Hanging) -> None:
    hanging.way.loses = "silently"
    made = hanging.way.made
    with pytest.raises(StorageError) as caught:
        hanging.store.get(Thing, "a")
    assert not isinstance(caught.value, OutcomeUnknown)
    assert caught.value.__cause__ is None
    assert hanging.way.made == made


@pytest.mark.parametrize("done", [True, False])
def test_a_commit_that_was_cut_off_has_an_unknown_outcome_and_is_not_repeated(hanging: Hanging, done: bool) -> None:
    made = hanging.way.made
    with hanging.losing("answers silently" if done else "silently", COMMITS), pytest.raises(OutcomeUnknown):
        hanging.store.commit(Insert(Thing(id="b", nick="n")))
    assert hanging.way.made == made
    until(lambda: hanging.things() == (["a", "b"] if done else ["a"]), "the commit, or none")
    hanging.store.commit(Insert(Thing(id="c", nick="m")))
    assert hanging.things() == (["a", "b", "c"] if done else ["a", "c"])


def test_a_transaction_that_is_cut_off_before_its_end_has_not_happened(hanging: Hanging) -> None:
    held = hanging.store.have("a")
    with hanging.losing("silently", ("INSERT INTO things_nick",)), pytest.raises(StorageError) as caught:
        hanging.store.commit(Update(attrs.evolve(held, nick="n")))
    assert not isinstance(caught.value, OutcomeUnknown)
    assert hanging.store.have("a") == held


def test_a_connection_that_was_cut_off_is_thrown_away_and_the_pool_is_not_used_up(hanging: Hanging) -> None:
    """There are two in it."""
    for _ in range(4):
        hanging.way.loses = "silently"
        with pytest.raises(StorageError):
            hanging.store.get(Thing, "a")
        hanging.way.loses = "nothing"
        assert hanging.store.have("a").id == "a"


def test_a_new_connection_that_nobody_answers_is_an_error(hanging: Hanging) -> None:
    hanging.store.run(hanging.store.storage.close())
    hanging.way.loses = "silently"
    with pytest.raises(StorageError):
        hanging.store.get(Thing, "a")
    hanging.way.loses = "nothing"
    assert hanging.store.have("a").id == "a"


@pytest.mark.server("postgresql")
def test_limits_are_not_waited_for_either(machine: Machine) -> None:
    with new_database(machine, "postgresql") as database:
        url = address(machine, "postgresql", database)
        with lossy_way(where_of(machine, "postgresql")) as way:
            limiter = SQLAlchemyLimiter(by_way(url, way), seconds=SHORT)
            limit = Limit("guesses", ("a",), 5, None)
            step(limiter.take(limit, now=NOW))
            way.loses = "silently"
            with pytest.raises(StorageError):
                step(limiter.take(limit, now=NOW))
            way.loses = "nothing"
            assert step(limiter.peek(limit, NOW)) == 4
            step(limiter.close())


@pytest.mark.parametrize("seconds", [0, -1.0, float("inf"), float("nan")])
def test_seconds_in_which_nothing_can_be_done_are_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="number of seconds"):
        checked_seconds(seconds)
    with pytest.raises(ValueError, match="number of seconds"):
        SQLAlchemyStorage("postgresql+psycopg://127.0.0.1:1/nowhere", seconds=seconds)
