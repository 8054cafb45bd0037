"""What is loaded in bulk is what the adapter writes: every row of every table. And the measurement of many people runs. No time is judged here."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from authmw import drive
from authmw.ledger.records import Event
from authmw.people.records import Session, User
from authmw.storage import Insert
from authmw_adapters.sqlalchemy import SQLAlchemyStorage
from authmw_adapters.sqlite import SQLiteStorage
from benchmarks import bulk, large
from tests.databases import MAINTENANCE, address, new_database
from tests.servers import Machine

SIZES = {User: 30, Session: 70, Event: 50}
TABLES = (
    "users",
    "users_email",
    "users_part",
    "users_factor",
    "users_domain",
    "users_terms",
    "sessions",
    "sessions_digest",
    "events",
)
Rows = dict[str, set[tuple[str, ...]]]


def by_the_adapter(storage: Any) -> None:
    for pattern in bulk.patterns():
        for number in range(SIZES[type(pattern)]):
            drive.run(storage.io, storage.commit(Insert(bulk.of_number(pattern, number, SIZES[User]))))


def rows(say: Callable[[str], Any]) -> Rows:
    return {table: {tuple(map(str, row)) for row in say(f"SELECT * FROM {table}")} for table in TABLES}


def same(loaded: Rows, written: Rows) -> None:
    assert {table: len(found) for table, found in loaded.items()} == {
        **dict.fromkeys(TABLES, 30),
        "users_factor": 60,
        "users_terms": 90,
        "sessions": 70,
        "sessions_digest": 70,
        "events": 50,
    }
    assert loaded == written


@pytest.mark.parametrize("aside", [False, True])
def test_what_is_loaded_into_sqlite_is_what_the_adapter_writes(tmp_path: Path, aside: bool) -> None:
    found, indexes = [], []
    for name in ("loaded", "written"):
        path = tmp_path / name
        storage = SQLiteStorage(path)
        drive.run(storage.io, storage.prepare([User, Session, Event]))
        if name == "written":
            by_the_adapter(storage)
        else:
            with bulk.sqlite(storage, path) as loader:
                drive.run(storage.io, loader.load(SIZES, people=SIZES[User], aside=aside))
        drive.run(storage.io, storage.close())
        connection = sqlite3.connect(path)
        found.append(rows(lambda statement, on=connection: on.execute(statement).fetchall()))
        made = "SELECT sql FROM sqlite_master WHERE tbl_name NOT LIKE 'sqlite_%' ORDER BY name"
        indexes.append(connection.execute(made).fetchall())
        connection.close()
    same(*found)
    assert indexes[0] == indexes[1]


@contextmanager
def postgresql(machine: Machine) -> Iterator[tuple[SQLAlchemyStorage, sa.URL, Callable[[str], Any]]]:
    with new_database(machine, "postgresql") as database:
        url = address(machine, "postgresql", database)
        engine = sa.create_engine(url)
        storage = SQLAlchemyStorage(engine)
        drive.run(storage.io, storage.prepare([User, Session, Event]))

        def say(statement: str) -> Any:
            with engine.connect() as connection:
                return connection.exec_driver_sql(statement).all()

        try:
            yield storage, url, say
        finally:
            engine.dispose()


@pytest.mark.server("postgresql")
@pytest.mark.parametrize("aside", [False, True])
def test_what_is_loaded_into_postgresql_is_what_the_adapter_writes(machine: Machine, aside: bool) -> None:
    with postgresql(machine) as (storage, url, say):
        indexes = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexdef"
        before = say(indexes)
        with bulk.postgresql(storage, url) as loader:
            drive.run(storage.io, loader.load(SIZES, people=SIZES[User], aside=aside))
        loaded = rows(say)
        assert say(indexes) == before
    with postgresql(machine) as (storage, _, say):
        by_the_adapter(storage)
        same(loaded, rows(say))


@pytest.mark.server("postgresql")
def test_the_measurement_of_many_people_runs_and_leaves_no_database(machine: Machine) -> None:
    url = address(machine, "postgresql", MAINTENANCE["postgresql"])
    asked = ["--quick", "--size", "1500", "--people", "1200", "--postgresql", url.render_as_string(hide_password=False)]
    figures = large.main(asked)
    assert set(figures) == {"SQLite", "PostgreSQL"}
    for works in figures.values():
        assert set(works) == {*large.BY_KEY, *large.SEARCHES}
        assert all(columns["ratio"] > 0 for columns in works.values())


def test_what_is_to_be_reached_by_key_stays_and_grows_for_searches_as_the_logarithm() -> None:
    sizes = large.Sizes(people=1_000_000, sessions=10_000_000)
    assert large.reached(large.BY_KEY[0], sizes) == 1.3
    assert large.reached(large.SEARCHES[0], sizes) == pytest.approx(2.0)
