"""The numbered schemas of the SQL adapter: they are what the records say, and from each of them a database gets to the newest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import attrs
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from authmw.drive import step
from authmw.errors import StorageError, WrongSchema
from authmw.kinds import KINDS
from authmw.people.apps import ConnectedApp
from authmw.storage import And, Index, Insert, Record, by_field, record
from authmw.testing.contracts.races import at_once
from authmw_adapters.migrating import migrating
from authmw_adapters.sqlalchemy import SQLAlchemyLimiter, SQLAlchemyStorage
from authmw_adapters.sqlalchemy.revisions import DATABASES, newest, schema_at, spelled
from authmw_adapters.sqlalchemy.tables import Table
from tests.databases import address, new_database
from tests.servers import Machine

EARLIER = range(1, newest() + 1)
ON = [
    *(pytest.param(name, marks=pytest.mark.server(name), id=name) for name in ("postgresql", "mariadb")),
    pytest.param("sqlite", id="sqlite"),
]


@pytest.fixture(params=ON)
def database(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def engine(database: str, machine: Machine, tmp_path: Path) -> Iterator[sa.Engine]:
    if database == "sqlite":
        made = sa.create_engine(f"sqlite:///{tmp_path / 'data.sqlite3'}")
        yield made
        made.dispose()
        return
    with new_database(machine, database) as name:
        made = sa.create_engine(address(machine, database, name))
        yield made
        made.dispose()


def differences(engine: sa.Engine, kinds: tuple[type[Record], ...] = KINDS) -> list[object]:
    """What Alembic would change to make the database what the records say. Columns that a record has no more stay, for nothing is dropped."""
    whole = sa.MetaData()
    for kind in kinds:
        for table in Table(kind, "", engine.dialect).metadata.sorted_tables:
            table.to_metadata(whole)
    options = {"include_object": lambda made, name, type_, *rest: type_ != "table" or name in whole.tables}
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection, opts=options), whole)
    return [one for one in found if not isinstance(one, tuple) or one[0] != "remove_column"]


def prepare(engine: sa.Engine, *kinds: type[Record], migrates: bool = True) -> SQLAlchemyStorage:
    storage = SQLAlchemyStorage(engine, migrates=migrates)
    step(storage.prepare(kinds or KINDS))
    return storage


def run(engine: sa.Engine, statements: Iterator[str] | list[str]) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement.replace("%", "%%"))


def made_at(engine: sa.Engine, database: str, revision: int) -> list[str]:
    """Make a database as that revision made it, with a row in every table; the names of the tables."""
    statements = [one for one in schema_at(revision, database).split(";\n") if one.strip()]
    run(engine, [*statements, "CREATE TABLE authmw_schema (version BIGINT NOT NULL)"])
    tables = sa.inspect(engine).get_table_names()
    with engine.begin() as connection:
        connection.exec_driver_sql(f"INSERT INTO authmw_schema VALUES ({revision})")
        whole = sa.MetaData()
        whole.reflect(connection)
        for table in whole.sorted_tables:
            if table.name != "authmw_schema":
                connection.execute(table.insert(), {column.name: "a" for column in table.primary_key} | sides(table))
    return sorted(set(tables) - {"authmw_schema"})


def sides(table: sa.Table) -> dict[str, str]:
    return {"record": "a"} if set(table.c.keys()) == {"value", "record"} else {}


def revision_of(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return int(connection.exec_driver_sql("SELECT MAX(version) FROM authmw_schema").scalar_one())


@pytest.mark.parametrize("kind", DATABASES)
def test_the_newest_revision_is_what_the_records_say(kind: str) -> None:
    """Records that ask for another schema are a new revision: `make revision` writes it."""
    assert spelled(KINDS, kind) == schema_at(newest(), kind)


def test_revisions_are_numbered_without_a_gap_for_every_database() -> None:
    for kind in DATABASES:
        assert len({schema_at(number, kind) for number in range(1, newest() + 1)}) >= 1
        with pytest.raises(FileNotFoundError):
            schema_at(newest() + 1, kind)
    assert all(
        any(schema_at(number, kind) != schema_at(number + 1, kind) for kind in DATABASES)
        for number in range(1, newest())
    )


def test_a_new_database_is_what_the_records_say(engine: sa.Engine) -> None:
    prepare(engine)
    assert differences(engine) == []
    assert revision_of(engine) == newest()


@pytest.mark.parametrize("revision", EARLIER)
def test_a_database_of_each_revision_is_brought_forward_and_loses_nothing(
    engine: sa.Engine, database: str, revision: int
) -> None:
    tables = made_at(engine, database, revision)
    storage = prepare(engine)
    assert differences(engine) == []
    assert revision_of(engine) == newest()
    with engine.connect() as connection:
        for name in tables:
            assert connection.exec_driver_sql(f"SELECT COUNT(*) FROM {name}").scalar() == 1, name
    held = step(storage.get(ConnectedApp, "a"))
    assert held is not None
    assert held.described_at is None
    step(storage.commit(Insert(attrs.evolve(held, version=0, client_id="b"))))
    assert step(storage.count(ConnectedApp, And(), at_most=9)) == 2
    assert prepare(engine, migrates=False) is not None


def test_several_that_migrate_at_once_from_the_first_revision_do_it_once(engine: sa.Engine, database: str) -> None:
    made_at(engine, database, 1)
    others = [sa.create_engine(engine.url) for _ in range(3)]
    at_once([partial(migrating_alone, other) for other in others])
    for other in others:
        other.dispose()
    assert differences(engine) == []
    with engine.connect() as connection:
        held = connection.exec_driver_sql("SELECT version FROM authmw_schema ORDER BY version").scalars().all()
    assert held == [1, newest()]


def migrating_alone(engine: sa.Engine, meet: Callable[[], object]) -> None:
    meet()
    prepare(engine)


def test_a_start_that_may_not_migrate_says_what_to_run_and_changes_nothing(engine: sa.Engine, database: str) -> None:
    with pytest.raises(WrongSchema, match="no tables of authmw yet: run `authmw migrate`"):
        prepare(engine, migrates=False)
    assert sa.inspect(engine).get_table_names() == []
    made_at(engine, database, 1)
    with pytest.raises(WrongSchema, match=f"revision 1, and this version of authmw needs {newest()}"):
        prepare(engine, migrates=False)
    assert revision_of(engine) == 1
    with migrating():
        prepare(engine, migrates=False)
    assert differences(engine) == []
    run(engine, [f"INSERT INTO authmw_schema VALUES ({newest() + 1})"])
    with pytest.raises(WrongSchema, match="newer"):
        prepare(engine, migrates=False)


@pytest.mark.parametrize("revision", [0, *EARLIER])
def test_the_plan_is_the_sql_that_another_may_run(engine: sa.Engine, database: str, revision: int) -> None:
    if revision:
        made_at(engine, database, revision)
    before = sa.inspect(engine).get_table_names()
    with migrating(plan=True) as asked:
        prepare(engine)
        step(SQLAlchemyLimiter(engine).prepare())
    assert sa.inspect(engine).get_table_names() == before
    run(engine, asked.statements)
    assert differences(engine) == []
    assert prepare(engine, migrates=False) is not None
    with migrating(plan=True) as again:
        prepare(engine)
        step(SQLAlchemyLimiter(engine).prepare())
    assert again.statements == []


@record("growing", key="id")
@attrs.frozen(kw_only=True)
class Strict(Record):
    """A kind whose owner is always there."""

    id: str
    owner: str = "ada"


@record("growing", key="id", indexes=(Index(name="owner", values=lambda one: ((one.owner or "nobody",),)),))
@attrs.frozen(kw_only=True)
class Loose(Record):
    """The same kind, whose owner may be missing and is looked for."""

    id: str
    owner: str | None = None


@record("growing", key="id", indexes=(by_field("owner", "owner"),))
@attrs.frozen(kw_only=True)
class Found(Record):
    """The same kind, whose owner has an index of its own column."""

    id: str
    owner: str = "ada"


def test_a_field_that_learns_to_be_missing_may_be(engine: sa.Engine) -> None:
    step(prepare(engine, Strict).commit(Insert(Strict(id="a"))))
    storage = prepare(engine, Loose)
    step(storage.commit(Insert(Loose(id="b"))))
    assert [step(storage.get(Loose, key)) for key in "ab"] == [
        Loose(id="a", owner="ada", version=1),
        Loose(id="b", version=1),
    ]
    assert differences(engine, (Loose,)) == []


def test_a_text_that_gets_an_index_or_loses_it_keeps_what_it_holds(engine: sa.Engine) -> None:
    step(prepare(engine, Strict).commit(Insert(Strict(id="a", owner="o" * 255))))
    for kind in (Found, Strict):
        held = step(prepare(engine, kind).get(kind, "a"))
        assert held is not None
        assert held.owner == "o" * 255
    step(prepare(engine, Strict).commit(Insert(Strict(id="b", owner="o" * 9000))))


def test_a_plan_does_not_pretend_to_know_what_stands_in_the_rows(engine: sa.Engine) -> None:
    prepare(engine, Strict)
    with migrating(plan=True), pytest.raises(StorageError, match="run `authmw migrate`"):
        prepare(engine, Loose)
    assert "growing_owner" not in sa.inspect(engine).get_table_names()


_cut_off: list[str] = []


def _of_owner(one: Cut) -> Iterator[tuple[str]]:
    if one.id in _cut_off:
        raise RuntimeError("cut off")
    yield (f"{one.owner}-{one.id}",)


@record("growing", key="id", indexes=(Index(name="owner", values=_of_owner, unique=True),))
@attrs.frozen(kw_only=True)
class Cut(Record):
    """The same kind with a unique index that is worked out, if it is let."""

    id: str
    owner: str = "ada"


def test_a_migration_that_was_cut_off_while_it_filled_an_index_is_finished_by_the_next(engine: sa.Engine) -> None:
    """MySQL and MariaDB keep what was changed of a schema by then."""
    step(prepare(engine, Strict).commit(*(Insert(Strict(id=key)) for key in "abc")))
    _cut_off[:] = ["b"]
    try:
        with pytest.raises(RuntimeError):
            prepare(engine, Cut)
    finally:
        _cut_off.clear()
    storage = prepare(engine, Cut)
    for key in "abc":
        assert step(storage.find(Cut, "owner", (f"ada-{key}",))) == Cut(id=key, version=1)
    assert differences(engine, (Cut,)) == []


@pytest.mark.parametrize("last", ["authmw_schema", "users", "users_email"])
def test_a_migration_that_was_cut_off_between_two_statements_is_finished_by_the_next(
    engine: sa.Engine, last: str
) -> None:
    """Behind the table of versions, a table without its indexes, a side table without its own."""
    with migrating(plan=True) as asked:
        prepare(engine)
    done = next(at for at, one in enumerate(asked.statements) if one.startswith(f"CREATE TABLE {last} "))
    run(engine, asked.statements[: done + 1])
    prepare(engine)
    assert differences(engine) == []
    assert revision_of(engine) == newest()
