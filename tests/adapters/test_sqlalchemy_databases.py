"""What is particular to storage on SQL servers: what they say no with, schemas that grow, and tables that a host reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import attrs
import pytest
import sqlalchemy as sa

from authmw.drive import step
from authmw.errors import Conflict, Duplicate, OutcomeUnknown, StorageError, WrongSchema
from authmw.limits import Limit
from authmw.storage import (
    Between,
    Check,
    Delete,
    Equals,
    Insert,
    Order,
    Record,
    StartsWith,
    Update,
    by_field,
    moment,
    record,
)
from authmw.testing.contracts.records import KINDS, NOW, Other, Thing
from authmw_adapters.sqlalchemy import SQLAlchemyLimiter, SQLAlchemyStorage
from tests.adapters.growing import After, Before, Demanding, Unique
from tests.databases import address, new_database
from tests.servers import Machine

BOTH = [pytest.param(name, marks=pytest.mark.server(name), id=name) for name in ("postgresql", "mariadb")]


@pytest.fixture(params=BOTH)
def engine(request: pytest.FixtureRequest, machine: Machine) -> Iterator[sa.Engine]:
    """A host's own engine on a new database."""
    with new_database(machine, request.param) as name:
        made = sa.create_engine(address(machine, request.param, name))
        yield made
        made.dispose()


def ready(engine: sa.Engine, *kinds: type[Record]) -> SQLAlchemyStorage:
    storage = SQLAlchemyStorage(engine)
    step(storage.prepare(kinds or KINDS))
    return storage


def end_connections(engine: sa.Engine) -> None:
    """End every connection of the engine's database at the server, as an administrator or a restart does."""
    other = sa.create_engine(engine.url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with other.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            return
        mine = connection.exec_driver_sql("SELECT CONNECTION_ID()").scalar()
        listed = connection.exec_driver_sql("SELECT ID, DB FROM information_schema.PROCESSLIST").all()
        for number, database in listed:
            if database == engine.url.database and number != mine:
                connection.exec_driver_sql(f"KILL {number}")


# What a database says no with


def test_a_connection_that_was_ended_is_an_error_once_and_the_next_call_works(engine: sa.Engine) -> None:
    storage = ready(engine)
    step(storage.commit(Insert(Thing(id="a"))))
    end_connections(engine)
    with pytest.raises(StorageError) as caught:
        step(storage.get(Thing, "a"))
    assert not isinstance(caught.value, OutcomeUnknown)
    assert step(storage.get(Thing, "a")) is not None


def test_an_engine_that_is_made_for_an_address_goes_on_where_its_connection_was_ended_meanwhile(
    engine: sa.Engine,
) -> None:
    storage = SQLAlchemyStorage(engine.url)
    step(storage.prepare(KINDS))
    end_connections(engine)
    step(storage.commit(Insert(Thing(id="a"))))
    assert step(storage.get(Thing, "a")) is not None
    end_connections(engine)
    assert step(storage.get(Thing, "a")) is not None
    step(storage.close())


@pytest.mark.parametrize("done", [True, False])
def test_a_lost_acknowledgement_is_an_unknown_outcome_whether_or_not_it_happened(engine: sa.Engine, done: bool) -> None:
    storage = ready(engine)

    @sa.event.listens_for(engine, "before_cursor_execute")
    def lose(connection: sa.Connection, cursor: Any, statement: str, parameters: Any, *_: object) -> None:
        # PostgreSQL makes this commit in one statement.
        if statement == "COMMIT" or statement.startswith("WITH judged"):
            if done:
                cursor.execute(statement, parameters)
            end_connections(engine)

    with pytest.raises(OutcomeUnknown) as caught:
        step(storage.commit(Insert(Thing(id="a", nick="n"))))
    assert caught.value.__cause__ is None
    assert (step(storage.get(Thing, "a")) is not None) == done
    assert (step(storage.find(Thing, "nick", ("n",))) is not None) == done


def test_a_connection_that_is_lost_within_a_commit_leaves_nothing_and_is_no_unknown_outcome(engine: sa.Engine) -> None:
    storage = ready(engine)
    step(storage.commit(Insert(Thing(id="a"))))
    held = step(storage.get(Thing, "a"))
    assert held is not None

    @sa.event.listens_for(engine, "before_cursor_execute")
    def lose(connection: sa.Connection, cursor: Any, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO things_nick"):
            end_connections(engine)

    with pytest.raises(StorageError) as caught:
        step(storage.commit(Update(attrs.evolve(held, nick="n"))))
    assert not isinstance(caught.value, OutcomeUnknown)
    sa.event.remove(engine, "before_cursor_execute", lose)
    assert step(storage.get(Thing, "a")) == held


def test_a_database_that_only_reads_answers_and_refuses_to_write(engine: sa.Engine) -> None:
    storage = ready(engine)
    step(storage.commit(Insert(Thing(id="a"))))
    postgresql = engine.dialect.name == "postgresql"
    only = "SET default_transaction_read_only = on" if postgresql else "SET SESSION TRANSACTION READ ONLY"

    @sa.event.listens_for(engine, "engine_connect")
    def reading(connection: sa.Connection) -> None:
        connection.exec_driver_sql(only)

    assert step(storage.get(Thing, "a")) is not None
    with pytest.raises(StorageError):
        step(storage.commit(Insert(Thing(id="b"))))
    assert step(storage.get(Thing, "b")) is None


def test_a_server_that_is_not_there_is_a_storage_error_without_its_address() -> None:
    storage = SQLAlchemyStorage("postgresql+psycopg://ada:correct-horse@127.0.0.1:1/nowhere")
    with pytest.raises(StorageError) as caught:
        step(storage.get(Thing, "a"))
    assert "horse" not in repr(caught.value)
    assert caught.value.__cause__ is None


def test_an_error_holds_no_value_of_a_record(engine: sa.Engine) -> None:
    storage = ready(engine)
    with pytest.raises(StorageError) as caught:
        step(storage.commit(Insert(Thing(id="secret" + "".join(map(chr, range(0x4E00, 0x5E00)))))))
    assert "secret" not in repr(caught.value)
    assert caught.value.__cause__ is None


# How often a database is asked


@contextmanager
def heard(url: sa.URL) -> Iterator[list[str]]:
    """What is said to this database meanwhile, by whichever engine, even to find out whether it is there."""
    said: list[str] = []

    def before(connection: sa.Connection, cursor: Any, statement: str, *_: object) -> None:
        if connection.engine.url == url:
            said.append(statement)

    def pinged(dialect: Any, connection: Any) -> bool:
        said.append("a ping")
        return bool(ping(dialect, connection))

    ping = type(sa.create_engine(url).dialect).do_ping
    with patch.object(type(sa.create_engine(url).dialect), "do_ping", pinged):
        sa.event.listen(sa.Engine, "before_cursor_execute", before)
        try:
            yield said
        finally:
            sa.event.remove(sa.Engine, "before_cursor_execute", before)


def test_a_commit_on_postgresql_that_takes_nothing_away_and_a_charge_and_a_reset_are_one_round_trip_each(
    engine: sa.Engine,
) -> None:
    limits = [Limit("guesses", (name,), 5, None) for name in "abc"]
    storage, limiter = SQLAlchemyStorage(engine.url), SQLAlchemyLimiter(engine.url)
    step(storage.prepare(KINDS))
    step(limiter.prepare())
    step(storage.commit(Insert(Other(id="a")), Insert(Other(id="b"))))
    checked, spent = step(storage.get(Other, "a")), step(storage.get(Other, "b"))
    assert checked is not None
    assert spent is not None
    with heard(engine.url) as said:
        step(limiter.take(*limits, now=NOW))
        charged = len(said)
        step(storage.commit(Check(checked), Delete(spent), Insert(Thing(id="a", nick="n"))))
        committed = len(said) - charged
        step(limiter.reset(*limits))
    reset = len(said) - charged - committed
    postgresql = engine.dialect.name == "postgresql"
    assert (charged, committed, reset) == ((1, 1, 1) if postgresql else (4, 6, 1))
    assert step(storage.find(Thing, "nick", ("n",))) is not None
    assert step(storage.get(Other, "b")) is None
    step(storage.close())
    step(limiter.close())


def test_a_record_that_is_deleted_takes_its_index_values_with_it_and_only_its_own(engine: sa.Engine) -> None:
    storage = SQLAlchemyStorage(engine.url)
    step(storage.prepare(KINDS))
    step(storage.commit(Insert(Thing(id="a", nick="n")), Insert(Thing(id="b", nick="m"))))
    gone = step(storage.get(Thing, "a"))
    assert gone is not None
    with heard(engine.url) as said:
        step(storage.commit(Delete(gone), Insert(Other(id="c"))))
    assert len(said) == (1 if engine.dialect.name == "postgresql" else 6)
    assert step(storage.find(Thing, "nick", ("n",))) is None
    assert step(storage.find(Thing, "nick", ("m",))) is not None
    step(storage.commit(Insert(Thing(id="d", nick="n"))))
    with pytest.raises(Conflict):
        step(storage.commit(Delete(gone), Insert(Other(id="e"))))
    assert step(storage.get(Other, "e")) is None
    assert step(storage.find(Thing, "nick", ("n",))) is not None
    step(storage.close())


# The schema


def test_a_row_that_is_older_than_a_field_gets_its_default(engine: sa.Engine) -> None:
    step(ready(engine, Before).commit(Insert(Before(id="a", owner="bob"))))
    storage = ready(engine, After)
    held = step(storage.get(After, "a"))
    assert held == After(id="a", owner="bob", version=1)
    assert step(storage.count(After, Equals("owner", ("bob", moment(NOW))), at_most=9)) == 1
    step(storage.commit(Update(attrs.evolve(held, nick="n", tags=("t",)))))
    assert step(storage.find(After, "nick", ("n",))) is not None
    before = step(ready(engine, Before).get(Before, "a"))
    assert before is not None
    assert before.owner == "bob"


def test_a_new_index_is_filled_and_one_that_cannot_be_is_a_duplicate(engine: sa.Engine) -> None:
    step(ready(engine, Before).commit(Insert(Before(id="a")), Insert(Before(id="b", owner="bob"))))
    found = step(ready(engine, Unique).find(Unique, "owner", ("bob",)))
    assert found is not None
    assert found.id == "b"
    step(ready(engine, Before).commit(Insert(Before(id="c"))))
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE growing_owner")
    with pytest.raises(Duplicate):
        ready(engine, Unique)


def test_a_new_field_without_a_default_is_refused_with_its_name(engine: sa.Engine) -> None:
    ready(engine, Before)
    with pytest.raises(WrongSchema, match="needed"):
        ready(engine, Demanding)


def test_a_newer_schema_is_refused(engine: sa.Engine) -> None:
    ready(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE authmw_schema SET version = 99")
    with pytest.raises(WrongSchema, match="newer"):
        ready(engine)


def test_a_namespace_with_which_a_name_gets_too_long_is_refused(engine: sa.Engine) -> None:
    @record("k" * 40, key="id", indexes=(by_field("owner", "owner"),))
    @attrs.frozen(kw_only=True)
    class Long(Record):
        id: str
        owner: str = ""

    with pytest.raises(StorageError, match="longer"):
        step(SQLAlchemyStorage(engine, "n" * 30).prepare((Long,)))


# What a host reads


def test_a_host_joins_its_own_table_on_ours_and_compares_times(engine: sa.Engine) -> None:
    """MIG-03."""
    step(ready(engine).commit(Insert(Thing(id="a")), Insert(Thing(id="b", made_at=NOW + timedelta(days=1)))))
    later = "timestamptz '2026-01-02T00:00:00Z'" if engine.dialect.name == "postgresql" else "'2026-01-02 00:00:00'"
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE mine (thing_id varchar(100))")
        connection.exec_driver_sql("INSERT INTO mine VALUES ('a'), ('b')")
        joined = "SELECT id FROM mine JOIN things ON things.id = mine.thing_id"
        if engine.dialect.name == "mariadb":
            joined = "SELECT id FROM mine JOIN things ON things.id = mine.thing_id COLLATE utf8mb4_nopad_bin"
        assert connection.exec_driver_sql(f"{joined} WHERE made_at < {later}").scalars().all() == ["a"]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (moment(NOW), None, ["a", "b"]),
        ("2026-01-01T12:00:00.123457", None, ["b"]),
        ("2026-01-01T12", "2026-01-02", ["a"]),
        ("2026-01-01T12:00:00.123456+00:0", "2026-01-01T12:00:00.123456+00:1", ["a"]),
        (None, "2026", []),
        ("", "x", ["a", "b"]),
        ("x", None, []),
    ],
)
def test_a_bound_that_is_no_moment_is_compared_as_text(
    engine: sa.Engine, low: str | None, high: str | None, expected: list[str]
) -> None:
    storage = ready(engine)
    step(storage.commit(Insert(Thing(id="a")), Insert(Thing(id="b", made_at=NOW + timedelta(days=2)))))
    for where in (
        Between("made", (low,) if low is not None else None, (high,) if high is not None else None),
        Between(
            "owner", ("ada", low) if low is not None else None, ("ada", high) if high is not None else ("ada\x01",)
        ),
    ):
        page = step(storage.page(Thing, where, order=Order("made"), limit=10))
        assert [one.id for one in page.records] == expected
    assert step(storage.count(Thing, Equals("made", ("2026",)), at_most=9)) == 0
    assert step(storage.count(Thing, StartsWith("made", ("2026-01-01T",)), at_most=9)) == 1


def test_a_session_in_another_time_zone_changes_no_moment(engine: sa.Engine) -> None:
    storage = ready(engine)
    zone = "SET TIME ZONE 'Asia/Kathmandu'" if engine.dialect.name == "postgresql" else "SET time_zone = '+05:45'"

    @sa.event.listens_for(engine, "engine_connect")
    def elsewhere(connection: sa.Connection) -> None:
        connection.exec_driver_sql(zone)

    step(storage.commit(Insert(Thing(id="a", expires_at=NOW)), Insert(Other(id="o"))))
    held = step(storage.get(Thing, "a"))
    assert held is not None
    assert (held.made_at, held.expires_at) == (NOW, NOW)
    step(storage.commit(Update(attrs.evolve(held, made_at=NOW + timedelta(microseconds=1)))))
    assert step(storage.count(Thing, Equals("made", (moment(NOW + timedelta(microseconds=1)),)), at_most=9)) == 1
