"""The contract on filters, orders, cursors and counts: on what is declared, and on nothing else."""

from __future__ import annotations

from datetime import timedelta

import attrs
import pytest

from authmw.errors import StorageError
from authmw.storage import (
    And,
    Between,
    Delete,
    Equals,
    Filter,
    Insert,
    OneOf,
    Or,
    Order,
    StartsWith,
    Update,
)
from authmw.testing.contracts.base import Contract
from authmw.testing.contracts.driven import Driven
from authmw.testing.contracts.records import NOW, Other, Thing

ALL = [f"k{number}" for number in range(10)]
EVEN, ODD = ALL[::2], ALL[1::2]
FILTERS: list[tuple[Filter, list[str]]] = [
    (And(), ALL),
    (Or(), []),
    (Equals("tag", ("tag-3",)), ["k3"]),
    (Equals("tag", ("tag-3", "more")), []),
    (Equals("pair", ("b", "tag-3")), ["k3"]),
    (Equals("pair", ("a", "tag-3")), []),
    (Equals("key", ("k7",)), ["k7"]),
    (Equals("nick", ("",)), []),
    (OneOf("tag", (("tag-1",), ("tag-9",), ("none",), ("tag-1",))), ["k1", "k9"]),
    (OneOf("key", (("k1",), ("k2",))), ["k1", "k2"]),
    (OneOf("pair", (("a", "tag-0"), ("b", "tag-0"))), ["k0"]),
    (OneOf("tag", ()), []),
    (StartsWith("tag", ("tag-",)), ALL),
    (StartsWith("tag", ("",)), ALL),
    (StartsWith("tag", ("50%",)), ALL),
    (StartsWith("tag", ("50%_1",)), ["k1"]),
    (StartsWith("tag", ("_ag",)), []),
    (StartsWith("tag", ("TAG-",)), []),
    (StartsWith("key", ("k",)), ALL),
    (StartsWith("pair", ("a", "tag-")), EVEN),
    (StartsWith("pair", ("a",)), []),
    (StartsWith("owner", ("b", "2026-01-01T12:00:00")), ["k1"]),
    (Between("tag", ("tag-2",), ("tag-4",)), ["k2", "k3", "k4"]),
    (Between("tag", ("tag-8",), None), ["k8", "k9"]),
    (Between("tag", None, ("50%_2",)), ["k0", "k1", "k2"]),
    (Between("tag", None, None), ALL),
    (Between("tag", ("tag-4",), ("tag-2",)), []),
    (Between("key", ("k3",), ("k5",)), ["k3", "k4", "k5"]),
    (Between("owner", ("a",), ("a", "~")), EVEN),
    (Between("owner", ("b",), None), ODD),
    (And(StartsWith("pair", ("a", "tag-")), Or(Equals("key", ("k2",)), Equals("key", ("k3",)))), ["k2"]),
    (And(Equals("tag", ("tag-1",)), Equals("tag", ("50%_1",))), ["k1"]),
    (And(Equals("tag", ("tag-1",)), Equals("tag", ("tag-2",))), []),
    (And(And(), Or(Equals("key", ("k1",)))), ["k1"]),
    (Or(And(), Equals("key", ("k1",))), ALL),
    (Or(Or(), Equals("tag", ("tag-1",)), Equals("tag", ("50%_1",)), Equals("key", ("k4",))), ["k1", "k4"]),
]
UNDECLARED: list[Filter] = [
    Equals("count", ("0",)),
    OneOf("count", (("0",),)),
    OneOf("count", ()),
    Between("done", None, None),
    StartsWith("id", ("k",)),
    And(Equals("key", ("k1",)), Equals("expires_at", ("x",))),
    Or(And(), Equals("raw", ("",))),
    And(Or(), Equals("nonsense", ("",))),
]


def fill(store: Driven) -> None:
    """Ten records in pairs of one time, by two owners in turn."""
    for number in range(10):
        made = NOW + timedelta(seconds=number // 2)
        tags = (f"tag-{number}", f"50%_{number}")
        store.commit(Insert(Thing(id=f"k{number}", owner="ab"[number % 2], made_at=made, tags=tags)))


def place(thing: Thing, index: str) -> tuple[str, ...]:
    """Where a record stands in an order, told independently of the port."""
    made = thing.made_at.isoformat()
    return {"key": (thing.id,), "made": (made, thing.id), "owner": (thing.owner, made, thing.id)}[index]


class PagesContract(Contract):
    """Filters, orders, cursors, counts."""

    @pytest.mark.parametrize(("where", "expected"), FILTERS)
    def test_a_filter_holds_for_what_it_says(self, store: Driven, where: Filter, expected: list[str]) -> None:
        fill(store)
        assert sorted(store.ids(where)) == expected
        assert store.count(Thing, where, at_most=100) == len(expected)

    @pytest.mark.parametrize("descending", [False, True])
    @pytest.mark.parametrize("index", ["key", "made", "owner"])
    @pytest.mark.parametrize("limit", [1, 3, 10])
    def test_pages_hold_everything_once_in_order(
        self, store: Driven, index: str, limit: int, *, descending: bool
    ) -> None:
        fill(store)
        seen = store.all(Thing, order=Order(index, descending), limit=limit)
        places = [place(one, index) for one in seen]
        assert len(seen) == 10
        assert places == sorted(places, reverse=descending)

    @pytest.mark.parametrize("limit", [1, 2, 5])
    def test_pages_of_a_filter_hold_everything_once_in_order(self, store: Driven, limit: int) -> None:
        fill(store)
        seen = store.all(Thing, StartsWith("pair", ("b", "tag-")), order=Order("made", True), limit=limit)
        assert [one.id for one in seen] == ODD[::-1]

    def test_a_record_with_several_matching_values_comes_once(self, store: Driven) -> None:
        store.commit(Insert(Thing(id="a", tags=("x1", "x2", "x3"))))
        assert store.ids(StartsWith("tag", ("x",))) == ["a"]
        assert store.count(Thing, Between("tag", ("x",), None)) == 1

    @pytest.mark.parametrize("descending", [False, True])
    def test_a_cursor_holds_although_its_record_is_gone(self, store: Driven, *, descending: bool) -> None:
        fill(store)
        order, after, seen = Order("made", descending), None, list[Thing]()
        while len(seen) < 4:
            page = store.page(Thing, order=order, after=after, limit=2)
            seen += page.records
            after = page.cursor
            assert after is not None
        store.commit(Delete(seen[-1]))
        rest = store.ids(order=order, after=after)
        everything = ALL[::-1] if descending else ALL
        assert [one.id for one in seen] + rest == everything

    def test_what_comes_behind_a_cursor_is_seen_and_what_comes_before_is_not(self, store: Driven) -> None:
        fill(store)
        page = store.page(Thing, limit=3)
        assert page.cursor is not None
        last = page.cursor.key
        store.commit(Insert(Thing(id="k0a")), Insert(Thing(id="k8a")))
        expected = [key for key in sorted([*ALL, "k0a", "k8a"]) if key > last]
        assert store.ids(after=page.cursor) == expected

    def test_indexes_follow_what_changed(self, store: Driven) -> None:
        fill(store)
        held = store.have("k3")
        store.commit(Update(attrs.evolve(held, owner="c", tags=("new",), made_at=NOW - timedelta(days=1))))
        assert store.ids(Equals("tag", ("tag-3",))) == []
        assert store.ids(Equals("pair", ("c", "new"))) == ["k3"]
        assert store.ids(Between("owner", ("c",), None)) == ["k3"]
        assert store.ids(order=Order("made"))[0] == "k3"
        store.commit(Delete(store.have("k3")))
        assert store.ids(Equals("tag", ("new",))) == []
        assert store.ids(Equals("pair", ("c", "new"))) == []
        assert store.ids() == [key for key in ALL if key != "k3"]

    def test_kinds_do_not_mix(self, store: Driven) -> None:
        fill(store)
        store.commit(Insert(Other(id="k1", thing_id="k1")))
        assert [one.id for one in store.all(Other)] == ["k1"]
        assert store.count(Thing) == 10

    def test_a_count_stops_where_it_was_told(self, store: Driven) -> None:
        fill(store)
        assert store.count(Thing, at_most=4) == 4
        assert store.count(Thing, StartsWith("tag", ("tag-",)), at_most=4) == 4
        assert store.count(Thing, at_most=10) == 10

    @pytest.mark.parametrize("where", UNDECLARED)
    def test_a_filter_on_what_is_not_declared_is_an_error_not_a_scan(self, store: Driven, where: Filter) -> None:
        fill(store)
        with pytest.raises(StorageError):
            store.page(Thing, where, limit=10)
        with pytest.raises(StorageError):
            store.count(Thing, where)

    @pytest.mark.parametrize("index", ["owner", "made", "nonsense", "count", "key"])
    def test_finding_by_what_is_not_unique_is_an_error(self, store: Driven, index: str) -> None:
        fill(store)
        with pytest.raises(StorageError):
            store.find(Thing, index, ("k1",))

    @pytest.mark.parametrize("index", ["tag", "pair", "nick", "count", "nonsense"])
    def test_an_order_by_what_not_every_record_has_once_is_an_error(self, store: Driven, index: str) -> None:
        fill(store)
        with pytest.raises(StorageError):
            store.page(Thing, order=Order(index), limit=10)

    @pytest.mark.parametrize("limit", [0, -1, 1001])
    def test_a_page_size_beyond_the_bounds_is_an_error(self, store: Driven, limit: int) -> None:
        with pytest.raises(StorageError):
            store.page(Thing, limit=limit)
