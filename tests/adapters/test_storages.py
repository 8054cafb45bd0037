"""The storage adapters keep the contract, and what is particular to each."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import attrs
import pytest

from authmw.drive import step
from authmw.errors import StorageError, WrongSchema
from authmw.storage import Equals, Insert, Record, Storage, by_field, record
from authmw.testing.contracts import StorageContract
from authmw.testing.contracts.records import Other, Thing
from authmw_adapters.memory import MemoryStorage
from authmw_adapters.sqlite import SQLiteStorage
from tests.adapters.suspending import SuspendingStorage


class TestMemory(StorageContract):
    shared = False

    def make_storage(self, folder: Path, namespace: str = "") -> Storage:
        return MemoryStorage(namespace)


class TestSQLite(StorageContract):
    def make_storage(self, folder: Path, namespace: str = "") -> Storage:
        return SQLiteStorage(folder / "data.sqlite3", namespace)


class TestSuspending(StorageContract):
    shared = False

    def make_storage(self, folder: Path, namespace: str = "") -> Storage:
        return SuspendingStorage()


def _ready(path: Path) -> SQLiteStorage:
    storage = SQLiteStorage(path)
    step(storage.prepare((Thing, Other)))
    return storage


def test_the_database_in_memory_is_refused_with_the_name_of_what_to_use() -> None:
    with pytest.raises(ValueError, match=r"authmw_adapters\.memory"):
        SQLiteStorage(":memory:")


def test_a_new_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "data.sqlite3"
    _ready(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.sqlite3"
    _ready(path)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE authmw_schema SET version = 99")
    connection.commit()
    connection.close()
    with pytest.raises(WrongSchema, match="newer"):
        _ready(path)


def test_an_index_that_is_new_is_filled_from_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "data.sqlite3"
    storage = _ready(path)
    step(storage.commit(Insert(Thing(id="a", tags=("t",)))))
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE things_tag")
    connection.commit()
    connection.close()
    found = step(_ready(path).find(Thing, "tag", ("t",)))
    assert found is not None
    assert found.id == "a"


def test_a_host_joins_its_own_table_on_ours(tmp_path: Path) -> None:
    path = tmp_path / "data.sqlite3"
    storage = _ready(path)
    step(storage.commit(Insert(Thing(id="a", tags=("t",)))))
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE mine (thing_id TEXT)")
    connection.execute("INSERT INTO mine VALUES ('a')")
    rows = connection.execute("SELECT owner FROM mine JOIN things ON things.id = mine.thing_id").fetchall()
    connection.close()
    assert rows == [("ada",)]


@record("growing", key="id", indexes=(by_field("owner", "owner"), by_field("tag", "tag", unique=True)))
@attrs.frozen(kw_only=True)
class Strict(Record):
    """A kind whose owner is always there."""

    id: str
    owner: str = "ada"
    tag: str = "t"


@record("growing", key="id", indexes=(by_field("owner", "owner"), by_field("tag", "tag", unique=True)))
@attrs.frozen(kw_only=True)
class Loose(Record):
    """The same kind, whose owner may be missing."""

    id: str
    owner: str | None = None
    tag: str = "t"


def test_a_field_that_learns_to_be_missing_may_be_and_nothing_around_it_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "data.sqlite3"
    before = SQLiteStorage(path)
    step(before.prepare([Strict]))
    step(before.commit(Insert(Strict(id="a"))))
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE mine (place TEXT REFERENCES growing (id))")
    connection.execute("INSERT INTO mine VALUES ('a')")
    connection.commit()
    connection.close()
    for _ in range(2):
        storage = SQLiteStorage(path)
        step(storage.prepare([Loose]))
    step(storage.commit(Insert(Loose(id="b", tag="u"))))
    held = [step(storage.get(Loose, key)) for key in "ab"]
    assert held == [Loose(id="a", owner="ada", version=1), Loose(id="b", tag="u", version=1)]
    assert step(storage.find(Loose, "tag", ("t",))) == held[0]
    assert step(storage.count(Loose, Equals("owner", ("ada",)), at_most=9)) == 1
    connection = sqlite3.connect(path)
    made = dict(connection.execute("SELECT name, tbl_name FROM sqlite_master WHERE type = 'index'"))
    assert connection.execute("SELECT place FROM mine").fetchall() == [("a",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
    assert made["growing_owner"] == "growing"


@pytest.mark.parametrize("namespace", ["A", "1a", "a b", 'a"', "a" * 40])
def test_a_namespace_that_is_no_plain_name_is_refused(tmp_path: Path, namespace: str) -> None:
    with pytest.raises(ValueError, match="namespace"):
        SQLiteStorage(tmp_path / "data.sqlite3", namespace)


def test_a_folder_in_place_of_a_file_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        _ready(tmp_path)
