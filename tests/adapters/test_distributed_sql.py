"""What the distributed relatives of PostgreSQL answer to a commit, and only there: that others were first (40001), or that nobody knows (40003)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import attrs
import pytest
import sqlalchemy as sa

from authmw.drive import step
from authmw.errors import Conflict, OutcomeUnknown, StorageError
from authmw.storage import Insert, Update, Write
from authmw.testing.contracts.records import KINDS, Thing
from authmw_adapters.sqlalchemy import AsyncSQLAlchemyStorage, SQLAlchemyStorage
from tests.databases import address, new_database
from tests.servers import Machine

Commit = Callable[[Write], None]


@pytest.fixture
def engine(machine: Machine) -> Iterator[sa.Engine]:
    """A database in which there is a thing."""
    with new_database(machine, "postgresql") as name:
        made = sa.create_engine(address(machine, "postgresql", name))
        storage = SQLAlchemyStorage(made)
        step(storage.prepare(KINDS))
        step(storage.commit(Insert(Thing(id="held"))))
        yield made
        made.dispose()


@pytest.fixture(params=["psycopg", "asyncpg"])
def commit(engine: sa.Engine, request: pytest.FixtureRequest) -> Commit:
    """By a blocking driver or one of asyncio."""

    def blocking(write: Write) -> None:
        step(SQLAlchemyStorage(engine).commit(write))

    async def on_a_loop(write: Write) -> None:
        storage = AsyncSQLAlchemyStorage(engine.url.set(drivername="postgresql+asyncpg"))
        try:
            await storage.commit(write)
        finally:
            await storage.close()

    return blocking if request.param == "psycopg" else lambda write: asyncio.run(on_a_loop(write))


@pytest.fixture(params=["one statement", "a transaction"])
def write(engine: sa.Engine, request: pytest.FixtureRequest) -> Write:
    """A commit that PostgreSQL makes in one statement, or in several: one that gives a record a unique value."""
    held = step(SQLAlchemyStorage(engine).get(Thing, "held"))
    assert held is not None
    return Insert(Thing(id="new")) if request.param == "one statement" else Update(attrs.evolve(held, nick="n"))


def answer_at_the_commit(engine: sa.Engine, state: str) -> None:
    """From now on."""
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION answer() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}', MESSAGE = 'restart transaction'; END $$"
        )
        connection.exec_driver_sql(
            "CREATE CONSTRAINT TRIGGER answering AFTER INSERT OR UPDATE ON things "
            "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION answer()"
        )


@pytest.mark.server("postgresql")
@pytest.mark.parametrize("state", ["40001", "40P01"])
def test_a_commit_that_others_were_before_is_a_conflict_and_changed_nothing(
    engine: sa.Engine, commit: Commit, write: Write, state: str
) -> None:
    answer_at_the_commit(engine, state)
    with pytest.raises(Conflict):
        commit(write)
    storage = SQLAlchemyStorage(engine)
    assert step(storage.get(Thing, "new")) is None
    assert step(storage.find(Thing, "nick", ("n",))) is None


@pytest.mark.server("postgresql")
@pytest.mark.parametrize("state", ["40003", "08007"])
def test_a_commit_of_which_the_database_knows_no_outcome_has_an_unknown_one(
    engine: sa.Engine, commit: Commit, write: Write, state: str
) -> None:
    answer_at_the_commit(engine, state)
    with pytest.raises(OutcomeUnknown):
        commit(write)


@pytest.mark.server("postgresql")
def test_what_else_a_database_says_no_with_has_an_outcome_none(engine: sa.Engine, commit: Commit) -> None:
    answer_at_the_commit(engine, "53100")
    with pytest.raises(StorageError) as caught:
        commit(Insert(Thing(id="new")))
    assert not isinstance(caught.value, OutcomeUnknown)
