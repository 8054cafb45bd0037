"""`StorageContract`: what every storage adapter must do. A third-party author subclasses it with one method.

    class TestMyStorage(StorageContract):
        def make_storage(self, folder, namespace=""):
            return MyStorage(folder / "data", namespace)

Two calls with one folder and namespace must reach the same data if `shared` is true. The class needs pytest.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, TypeVar

import attrs
import pytest

from authmw.drive import step
from authmw.errors import Conflict, Duplicate, StorageError
from authmw.storage import (
    And,
    Between,
    Check,
    Delete,
    Equals,
    Filter,
    Index,
    Insert,
    OneOf,
    Or,
    Order,
    Page,
    Record,
    StartsWith,
    Storage,
    Update,
    Value,
    Write,
    by_field,
    record,
)

T = TypeVar("T")
NOW = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)


@attrs.frozen(kw_only=True)
class Inner:
    """A value within a record."""

    name: str
    at: datetime
    raw: bytes = b""


def _tags(thing: Thing) -> Iterator[Value]:
    return ((tag,) for tag in thing.tags)


def _pairs(thing: Thing) -> Iterator[Value]:
    return ((thing.owner, tag) for tag in thing.tags)


@record(
    "things",
    key="id",
    expires="expires_at",
    indexes=(
        Index(name="tag", values=_tags, unique=True, refusal="bad_request"),
        Index(name="pair", values=_pairs),
        by_field("nick", "nick", unique=True),
        by_field("owner", "owner", "made_at"),
        by_field("made", "made_at"),
    ),
)
@attrs.frozen(kw_only=True)
class Thing(Record):
    """A record with a field of every sort."""

    id: str
    owner: str = "ada"
    made_at: datetime = NOW
    expires_at: datetime | None = None
    nick: str | None = None
    count: int = 0
    done: bool = False
    raw: bytes = b""
    tags: tuple[str, ...] = ()
    inner: tuple[Inner, ...] = ()
    free: dict[str, Any] = attrs.field(factory=dict[str, Any])


@record("others", key="id", indexes=(by_field("thing", "thing_id"),))
@attrs.frozen(kw_only=True)
class Other(Record):
    """A second kind."""

    id: str
    thing_id: str = ""


def spend(storage: Storage, key: str) -> bool:
    """Read a record and delete it on the version that was read: what spending a token is."""

    async def attempt() -> bool:
        held = await storage.get(Thing, key)
        if held is None:
            return False
        try:
            await storage.commit(Delete(held), Insert(Other(id=f"{key}-won-by-{threading.get_ident()}")))
        except Conflict:
            return False
        return True

    return run(storage, attempt())


def run(storage: Storage, work: Coroutine[Any, Any, T]) -> T:
    """Run one call as its `io` says: stepped, or on a loop of its own. A stepped call that suspends is an error."""
    return asyncio.run(work) if storage.io == "async" else step(work)


class StorageContract:
    """The contract. Every test makes a storage of its own."""

    def make_storage(self, folder: Path, namespace: str = "") -> Storage:
        """A storage over whatever lies in `folder`."""
        message = f"A subclass of StorageContract provides make_storage({folder}, {namespace})."
        raise AssertionError(message)

    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        """A storage that is ready."""
        made = self.make_storage(tmp_path)
        run(made, made.prepare((Thing, Other)))
        return made

    def put(self, storage: Storage, *writes: Write) -> None:
        """Commit."""
        run(storage, storage.commit(*writes))

    def have(self, storage: Storage, key: str) -> Thing:
        """The record of a key, which must be there."""
        held = run(storage, storage.get(Thing, key))
        assert held is not None, "the record is missing"
        return held

    def ids(self, storage: Storage, where: Filter, **page: Any) -> list[str]:
        """The ids a filter holds for, in order."""
        found: Page[Thing] = run(storage, storage.page(Thing, where, limit=page.pop("limit", 100), **page))
        return [one.id for one in found.records]

    # Records

    def test_what_was_stored_is_read_back_with_the_next_version(self, storage: Storage) -> None:
        thing = Thing(
            id="a",
            nick="x",
            count=2**63 - 1,
            done=True,
            raw=b"\x00\xff",
            tags=("one", "two"),
            inner=(Inner(name="né\u2028", at=NOW, raw=b"\x01"),),
            free={"deep": [1, {"b": None}], "big": 2**53 + 1},
            expires_at=NOW,
        )
        self.put(storage, Insert(thing))
        assert self.have(storage, "a") == attrs.evolve(thing, version=1)

    def test_a_missing_record_is_none(self, storage: Storage) -> None:
        assert run(storage, storage.get(Thing, "nobody")) is None

    def test_changing_what_was_read_does_not_change_what_is_stored(self, storage: Storage) -> None:
        self.put(storage, Insert(Thing(id="a", free={"x": 1})))
        self.have(storage, "a").free["x"] = 2
        assert self.have(storage, "a").free == {"x": 1}

    def test_times_come_back_as_the_same_moment_in_utc(self, storage: Storage) -> None:
        there = NOW.astimezone(timezone(timedelta(hours=-7)))
        self.put(storage, Insert(Thing(id="a", made_at=there)))
        held = self.have(storage, "a").made_at
        assert held == NOW
        assert held.utcoffset() is not None

    def test_a_naive_time_in_an_index_is_refused(self, storage: Storage) -> None:
        with pytest.raises((ValueError, StorageError)):
            self.put(storage, Insert(Thing(id="a", made_at=NOW.replace(tzinfo=None))))
        assert run(storage, storage.get(Thing, "a")) is None

    # Writes

    def test_an_insert_of_a_known_key_conflicts_and_changes_nothing(self, storage: Storage) -> None:
        self.put(storage, Insert(Thing(id="a", count=1)))
        with pytest.raises(Conflict):
            self.put(storage, Insert(Thing(id="a", count=2)))
        assert self.have(storage, "a").count == 1

    @pytest.mark.parametrize("write", [Update, Delete, Check])
    def test_a_write_on_another_version_conflicts(self, storage: Storage, write: Callable[[Thing], Write]) -> None:
        self.put(storage, Insert(Thing(id="a")))
        stale = self.have(storage, "a")
        self.put(storage, Update(attrs.evolve(stale, count=1)))
        with pytest.raises(Conflict):
            self.put(storage, write(attrs.evolve(stale, count=2)))
        assert self.have(storage, "a").count == 1

    @pytest.mark.parametrize("write", [Update, Delete, Check])
    def test_a_write_on_a_missing_record_conflicts(self, storage: Storage, write: Callable[[Thing], Write]) -> None:
        with pytest.raises(Conflict):
            self.put(storage, write(Thing(id="nobody", version=1)))

    def test_one_failing_write_undoes_all(self, storage: Storage) -> None:
        self.put(storage, Insert(Thing(id="a", tags=("t",))))
        held = self.have(storage, "a")
        with pytest.raises(Conflict):
            self.put(
                storage,
                Insert(Thing(id="b", tags=("u",))),
                Update(attrs.evolve(held, tags=("v",))),
                Check(Thing(id="nobody", version=1)),
            )
        assert run(storage, storage.get(Thing, "b")) is None
        assert self.have(storage, "a") == held
        assert run(storage, storage.find(Thing, "tag", ("v",))) is None

    def test_a_check_changes_nothing(self, storage: Storage) -> None:
        self.put(storage, Insert(Thing(id="a")))
        held = self.have(storage, "a")
        self.put(storage, Check(held), Insert(Other(id="o")))
        assert self.have(storage, "a") == held

    def test_one_key_is_named_once(self, storage: Storage) -> None:
        with pytest.raises(StorageError):
            self.put(storage, Insert(Thing(id="a")), Insert(Thing(id="a")))

    def test_more_writes_than_the_bound_are_refused(self, storage: Storage) -> None:
        with pytest.raises(StorageError):
            self.put(storage, *(Insert(Other(id=str(number))) for number in range(21)))
        assert run(storage, storage.count(Other, And(), at_most=10)) == 0

    def test_more_index_values_than_the_bound_are_refused(self, storage: Storage) -> None:
        with pytest.raises(StorageError):
            self.put(storage, Insert(Thing(id="a", tags=tuple(f"t{number}" for number in range(61)))))

    # Unique values

    def test_a_taken_value_is_a_duplicate_that_names_kind_and_index(self, storage: Storage) -> None:
        self.put(storage, Insert(Thing(id="a", tags=("t",))))
        with pytest.raises(Duplicate) as met:
            self.put(storage, Insert(Thing(id="b", tags=("t",))))
        assert (met.value.kind, met.value.index) == ("things", "tag")
        assert run(storage, storage.get(Thing, "b")) is None

    def test_two_inserts_of_one_value_in_a_commit_are_a_duplicate(self, storage: Storage) -> None:
        with pytest.raises(Duplicate):
            self.put(storage, Insert(Thing(id="a", nick="n")), Insert(Thing(id="b", nick="n")))

    def test_values_swap_between_two_records_in_one_commit(self, storage: Storage) -> None:
        self.put(storage, Insert(Thing(id="a", tags=("x",))), Insert(Thing(id="b", tags=("y",))))
        one, two = self.have(storage, "a"), self.have(storage, "b")
        self.put(storage, Update(attrs.evolve(one, tags=("y",))), Update(attrs.evolve(two, tags=("x",))))
        assert self.have(storage, "a").tags == ("y",)
        found = run(storage, storage.find(Thing, "tag", ("x",)))
        assert found is not None
        assert found.id == "b"

    def test_a_deleted_value_is_free_in_the_same_commit(self, storage: Storage) -> None:
        self.put(storage, Insert(Thing(id="a", nick="n")))
        self.put(storage, Insert(Thing(id="b", nick="n")), Delete(self.have(storage, "a")))
        found = run(storage, storage.find(Thing, "nick", ("n",)))
        assert found is not None
        assert found.id == "b"

    def test_none_is_no_value_and_never_a_duplicate(self, storage: Storage) -> None:
        self.put(storage, Insert(Thing(id="a")), Insert(Thing(id="b")))
        assert run(storage, storage.find(Thing, "nick", ("",))) is None

    @pytest.mark.parametrize("index", ["owner", "nonsense"])
    def test_finding_by_what_is_not_unique_is_an_error(self, storage: Storage, index: str) -> None:
        with pytest.raises(StorageError):
            run(storage, storage.find(Thing, index, ("ada",)))

    # Pages

    def fill(self, storage: Storage) -> None:
        """Ten records in pairs of one time."""
        for number in range(10):
            made = NOW + timedelta(seconds=number // 2)
            tags = (f"tag-{number}", f"50%_{number}")
            self.put(storage, Insert(Thing(id=f"k{number}", owner="ab"[number % 2], made_at=made, tags=tags)))

    @pytest.mark.parametrize("descending", [False, True])
    @pytest.mark.parametrize("index", ["key", "made", "owner"])
    @pytest.mark.parametrize("limit", [1, 3, 10])
    def test_pages_hold_everything_once_in_order(
        self, storage: Storage, index: str, limit: int, *, descending: bool
    ) -> None:
        self.fill(storage)
        order, after, seen = Order(index, descending), None, list[Thing]()
        for _ in range(40):
            page: Page[Thing] = run(storage, storage.page(Thing, And(), order=order, after=after, limit=limit))
            seen += page.records
            after = page.cursor
            if after is None:
                break
        places = [
            {"key": one.id, "made": f"{one.made_at} {one.id}", "owner": f"{one.owner} {one.made_at} {one.id}"}[index]
            for one in seen
        ]
        assert len(seen) == 10
        assert places == sorted(places, reverse=descending)

    def test_a_cursor_holds_although_its_record_is_gone(self, storage: Storage) -> None:
        self.fill(storage)
        page: Page[Thing] = run(storage, storage.page(Thing, And(), order=Order("made"), limit=4))
        assert page.cursor is not None
        self.put(storage, Delete(page.records[-1]))
        assert self.ids(storage, And(), order=Order("made"), after=page.cursor)[0] == "k4"

    @pytest.mark.parametrize(
        ("where", "expected"),
        [
            (Equals("tag", ("tag-3",)), ["k3"]),
            (Equals("pair", ("b", "tag-3")), ["k3"]),
            (Equals("pair", ("a", "tag-3")), []),
            (Equals("key", ("k7",)), ["k7"]),
            (OneOf("tag", (("tag-1",), ("tag-9",), ("none",))), ["k1", "k9"]),
            (OneOf("tag", ()), []),
            (StartsWith("tag", ("tag-",)), [f"k{number}" for number in range(10)]),
            (StartsWith("tag", ("50%",)), [f"k{number}" for number in range(10)]),
            (StartsWith("tag", ("50%_1",)), ["k1"]),
            (StartsWith("tag", ("_ag",)), []),
            (StartsWith("pair", ("a", "tag-")), ["k0", "k2", "k4", "k6", "k8"]),
            (Between("tag", ("tag-2",), ("tag-4",)), ["k2", "k3", "k4"]),
            (Between("tag", ("tag-8",), None), ["k8", "k9"]),
            (Between("owner", ("a",), ("a", "~")), ["k0", "k2", "k4", "k6", "k8"]),
            (And(StartsWith("pair", ("a", "tag-")), Or(Equals("key", ("k2",)), Equals("key", ("k3",)))), ["k2"]),
            (Or(), []),
        ],
    )
    def test_a_filter_holds_for_what_it_says(self, storage: Storage, where: Filter, expected: list[str]) -> None:
        self.fill(storage)
        assert sorted(self.ids(storage, where)) == expected
        assert run(storage, storage.count(Thing, where, at_most=100)) == len(expected)

    def test_a_count_stops_where_it_was_told(self, storage: Storage) -> None:
        self.fill(storage)
        assert run(storage, storage.count(Thing, And(), at_most=4)) == 4

    def test_a_filter_on_what_is_not_declared_is_an_error_not_a_scan(self, storage: Storage) -> None:
        with pytest.raises(StorageError):
            self.ids(storage, Equals("count", ("0",)))

    @pytest.mark.parametrize("index", ["tag", "nick", "count"])
    def test_an_order_by_what_not_every_record_has_once_is_an_error(self, storage: Storage, index: str) -> None:
        with pytest.raises(StorageError):
            self.ids(storage, And(), order=Order(index))

    @pytest.mark.parametrize("limit", [0, 1001])
    def test_a_page_size_beyond_the_bounds_is_an_error(self, storage: Storage, limit: int) -> None:
        with pytest.raises(StorageError):
            self.ids(storage, And(), limit=limit)

    # Expiry and namespaces

    def test_what_is_over_is_still_given_until_it_is_swept_a_day_later(self, storage: Storage) -> None:
        self.put(storage, Insert(Thing(id="a", expires_at=NOW, tags=("t",))), Insert(Thing(id="b")))
        assert run(storage, storage.sweep(NOW + timedelta(hours=23), 10)) == 0
        assert self.have(storage, "a").id == "a"
        assert run(storage, storage.sweep(NOW + timedelta(hours=25), 10)) == 1
        assert run(storage, storage.get(Thing, "a")) is None
        assert run(storage, storage.find(Thing, "tag", ("t",))) is None
        assert self.have(storage, "b").id == "b"

    def test_two_namespaces_never_see_each_other(self, tmp_path: Path) -> None:
        one, two = self.make_storage(tmp_path, "one"), self.make_storage(tmp_path, "two")
        for storage in (one, two):
            run(storage, storage.prepare((Thing, Other)))
            self.put(storage, Insert(Thing(id="a", tags=("t",))))
        self.put(one, Delete(self.have(one, "a")))
        assert self.have(two, "a").id == "a"

    # Races

    def test_a_token_is_spent_by_one_of_many_threads(self, storage: Storage) -> None:
        for round_ in range(10):
            self.put(storage, Insert(Thing(id=f"token-{round_}")))
            barrier = threading.Barrier(16)

            def attempt(key: str = f"token-{round_}", gate: threading.Barrier = barrier) -> bool:
                gate.wait()
                return spend(storage, key)

            with ThreadPoolExecutor(16) as pool:
                won = [future.result() for future in [pool.submit(attempt) for _ in range(16)]]
            assert won.count(True) == 1

    def test_two_commits_that_check_each_others_record_do_not_both_happen(self, storage: Storage) -> None:
        for round_ in range(10):
            left, right = f"left-{round_}", f"right-{round_}"
            self.put(storage, Insert(Thing(id=left)), Insert(Thing(id=right)))
            mine, theirs = self.have(storage, left), self.have(storage, right)
            barrier = threading.Barrier(2)

            def attempt(change: Thing, check: Thing, gate: threading.Barrier = barrier) -> bool:
                gate.wait()
                try:
                    self.put(storage, Update(attrs.evolve(change, done=True)), Check(check))
                except Conflict:
                    return False
                return True

            with ThreadPoolExecutor(2) as pool:
                both = pool.submit(attempt, mine, theirs), pool.submit(attempt, theirs, mine)
                assert [future.result() for future in both].count(True) == 1
