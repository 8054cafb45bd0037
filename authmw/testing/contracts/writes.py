"""The contract on commits: four writes, each on the version that was read, all of them or none, within the bounds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import attrs
import pytest

from authmw.errors import Conflict, Duplicate, StorageError
from authmw.storage import Check, Delete, Equals, Insert, StartsWith, Update, Write
from authmw.testing.contracts.base import Contract
from authmw.testing.contracts.driven import Driven
from authmw.testing.contracts.records import NOW, Other, Thing

WIDEST = 49
"""Tags of a thing which with it are 99 actions: itself, and each tag in `tag` and in `pair`. What `owner` and `made` hold are fields of it."""


def tags(many: int, letter: str = "t") -> tuple[str, ...]:
    """So many tags."""
    return tuple(f"{letter}{number}" for number in range(many))


class WritesContract(Contract):
    """Versions, all or nothing, bounds."""

    def test_an_insert_of_a_known_key_conflicts_and_changes_nothing(self, store: Driven) -> None:
        store.commit(Insert(Thing(id="a", count=1)))
        with pytest.raises(Conflict):
            store.commit(Insert(Thing(id="a", count=2)))
        assert store.have("a").count == 1

    def test_each_update_is_one_version_more(self, store: Driven) -> None:
        store.commit(Insert(Thing(id="a")))
        for version in range(1, 5):
            held = store.have("a")
            assert held.version == version
            store.commit(Update(attrs.evolve(held, count=version)))
        assert store.have("a").count == 4

    @pytest.mark.parametrize("write", [Update, Delete, Check])
    def test_a_write_on_another_version_conflicts(self, store: Driven, write: Callable[[Thing], Write]) -> None:
        store.commit(Insert(Thing(id="a")))
        stale = store.have("a")
        store.commit(Update(attrs.evolve(stale, count=1)))
        for version in (stale.version, stale.version + 2, 0):
            with pytest.raises(Conflict):
                store.commit(write(attrs.evolve(stale, count=2, version=version)))
        assert store.have("a").count == 1

    @pytest.mark.parametrize("write", [Update, Delete, Check])
    @pytest.mark.parametrize("version", [0, 1])
    def test_a_write_on_a_missing_record_conflicts(
        self, store: Driven, write: Callable[[Thing], Write], version: int
    ) -> None:
        with pytest.raises(Conflict):
            store.commit(write(Thing(id="nobody", version=version)))
        assert store.get(Thing, "nobody") is None

    @pytest.mark.parametrize("write", [Update, Delete, Check])
    def test_a_record_that_came_back_is_another_one_if_its_version_is(
        self, store: Driven, write: Callable[[Thing], Write]
    ) -> None:
        store.commit(Insert(Thing(id="a")))
        store.commit(Update(store.have("a")))
        read = store.have("a")
        store.commit(Delete(read))
        store.commit(Insert(Thing(id="a", count=7)))
        with pytest.raises(Conflict):
            store.commit(write(read))
        assert store.have("a").count == 7

    @pytest.mark.parametrize("place", range(4))
    def test_one_failing_write_undoes_all(self, store: Driven, place: int) -> None:
        store.commit(Insert(Thing(id="a", tags=("t",))), Insert(Thing(id="d", nick="n")))
        held, going = store.have("a"), store.have("d")
        writes: list[Write] = [
            Insert(Thing(id="b", tags=("u",))),
            Update(attrs.evolve(held, tags=("v",))),
            Delete(going),
        ]
        writes.insert(place, Check(Thing(id="nobody", version=1)))
        with pytest.raises(Conflict):
            store.commit(*writes)
        assert store.all(Thing) == [held, going]
        assert store.find(Thing, "tag", ("u",)) is None
        assert store.find(Thing, "tag", ("v",)) is None
        assert store.find(Thing, "tag", ("t",)) == held
        assert store.find(Thing, "nick", ("n",)) == going
        assert store.ids(Equals("pair", ("ada", "t"))) == ["a"]

    def test_a_duplicate_undoes_all_of_every_kind(self, store: Driven) -> None:
        store.commit(Insert(Thing(id="a", nick="n")))
        with pytest.raises(Duplicate):
            store.commit(Insert(Other(id="o")), Insert(Thing(id="b", nick="n", tags=("t",))), Insert(Other(id="p")))
        assert store.count(Other) == 0
        assert store.find(Thing, "tag", ("t",)) is None

    def test_a_check_changes_nothing(self, store: Driven) -> None:
        store.commit(Insert(Thing(id="a")))
        held = store.have("a")
        store.commit(Check(held), Insert(Other(id="o")))
        store.commit(Check(attrs.evolve(held, count=5, tags=("ignored",))))
        assert store.have("a") == held
        assert store.find(Thing, "tag", ("ignored",)) is None

    def test_a_commit_of_nothing_does_nothing(self, store: Driven) -> None:
        store.commit()
        assert store.count(Thing) == 0

    def test_records_of_two_kinds_may_have_one_key(self, store: Driven) -> None:
        store.commit(Insert(Thing(id="a", count=1)), Insert(Other(id="a", thing_id="a")))
        store.commit(Delete(store.have("a")))
        other = store.get(Other, "a")
        assert other is not None
        assert other.thing_id == "a"

    # Bounds

    def test_one_key_is_named_once(self, store: Driven) -> None:
        with pytest.raises(StorageError):
            store.commit(Insert(Thing(id="a")), Insert(Thing(id="a")))
        store.commit(Insert(Thing(id="a")))
        with pytest.raises(StorageError):
            store.commit(Check(store.have("a")), Update(store.have("a")))
        assert store.have("a").version == 1

    def test_a_commit_holds_twenty_records(self, store: Driven) -> None:
        store.commit(*(Insert(Other(id=str(number))) for number in range(20)))
        assert store.count(Other) == 20

    def test_more_writes_than_the_bound_are_refused(self, store: Driven) -> None:
        store.commit(Insert(Thing(id="a")))
        with pytest.raises(StorageError):
            store.commit(Check(store.have("a")), *(Insert(Other(id=str(number))) for number in range(20)))
        assert store.count(Other) == 0

    def test_a_commit_makes_a_hundred_actions(self, store: Driven) -> None:
        store.commit(Insert(Thing(id="a", tags=tags(WIDEST), nick="n")))
        held = store.have("a")
        assert len(held.tags) == WIDEST
        # What a record keeps is no action, however much of it there is, and neither is a field that an index stands on.
        moved = attrs.evolve(held, count=1, made_at=NOW + timedelta(days=1))
        store.commit(Update(moved), Insert(Thing(id="b", tags=tags(WIDEST, "u"))))
        assert store.have("a").count == 1

    def test_a_commit_of_twenty_records_changes_eighty_values(self, store: Driven) -> None:
        things = [Thing(id=f"k{number}", tags=(f"t{number}", f"u{number}"), expires_at=NOW) for number in range(20)]
        store.commit(*map(Insert, things))
        store.commit(
            *(Update(attrs.evolve(store.have(thing.id), owner="bob", tags=thing.tags[:1])) for thing in things)
        )
        assert len(store.ids(StartsWith("pair", ("bob", "t")))) == 20

    @pytest.mark.parametrize("change", ["insert", "replace", "delete", "check"])
    def test_more_actions_than_the_bound_are_refused(self, store: Driven, change: str) -> None:
        store.commit(Insert(Thing(id="a", tags=tags(30))), Insert(Other(id="o")), Insert(Other(id="p")))
        store.commit(Update(attrs.evolve(store.have("a"), tags=tags(60))))
        held = store.have("a")
        others = [Check(other) for other in store.all(Other)]
        writes: dict[str, list[Write]] = {
            "insert": [Insert(Thing(id="b", tags=tags(WIDEST + 1, "u")))],
            "replace": [Update(attrs.evolve(held, tags=(*tags(35), *tags(25, "u"))))],
            "delete": [Delete(held)],
            "check": [Insert(Thing(id="b", tags=tags(WIDEST, "u"))), *others],
        }
        with pytest.raises(StorageError) as met:
            store.commit(*writes[change])
        assert not isinstance(met.value, Conflict)
        assert store.all(Thing) == [held]

    # Unique values

    @pytest.mark.parametrize("index", ["tag", "nick"])
    def test_a_taken_value_is_a_duplicate_that_names_kind_and_index(self, store: Driven, index: str) -> None:
        store.commit(Insert(Thing(id="a", tags=("t",), nick="t")))
        with pytest.raises(Duplicate) as met:
            store.commit(Insert(Thing(id="b", tags=("t",)) if index == "tag" else Thing(id="b", nick="t")))
        assert (met.value.kind, met.value.index) == ("things", index)
        assert store.get(Thing, "b") is None

    def test_an_update_to_a_taken_value_is_a_duplicate(self, store: Driven) -> None:
        store.commit(Insert(Thing(id="a", tags=("t",))), Insert(Thing(id="b", tags=("u",))))
        held = store.have("b")
        with pytest.raises(Duplicate):
            store.commit(Update(attrs.evolve(held, tags=("u", "t"))))
        assert store.have("b") == held

    def test_two_inserts_of_one_value_in_a_commit_are_a_duplicate(self, store: Driven) -> None:
        with pytest.raises(Duplicate):
            store.commit(Insert(Thing(id="a", nick="n")), Insert(Thing(id="b", nick="n")))
        assert store.count(Thing) == 0

    @pytest.mark.parametrize("turned", [False, True])
    def test_values_swap_between_two_records_in_one_commit(self, store: Driven, *, turned: bool) -> None:
        store.commit(Insert(Thing(id="a", tags=("x",), nick="m")), Insert(Thing(id="b", tags=("y",), nick="n")))
        one, two = store.have("a"), store.have("b")
        writes = [
            Update(attrs.evolve(one, tags=("y",), nick="n")),
            Update(attrs.evolve(two, tags=("x",), nick="m")),
        ]
        store.commit(*(reversed(writes) if turned else writes))
        assert (store.have("a").tags, store.have("b").tags) == (("y",), ("x",))
        for value, index, key in (("x", "tag", "b"), ("y", "tag", "a"), ("m", "nick", "b"), ("n", "nick", "a")):
            found = store.find(Thing, index, (value,))
            assert found is not None
            assert found.id == key

    def test_values_go_round_three_records_in_one_commit(self, store: Driven) -> None:
        store.commit(*(Insert(Thing(id=key, nick=key)) for key in "abc"))
        store.commit(
            *(Update(attrs.evolve(store.have(key), nick=nick)) for key, nick in (("a", "b"), ("b", "c"), ("c", "a")))
        )
        assert [store.have(key).nick for key in "abc"] == ["b", "c", "a"]
        with pytest.raises(Duplicate):
            store.commit(Insert(Thing(id="d", nick="a")))

    @pytest.mark.parametrize("turned", [False, True])
    def test_a_deleted_value_is_free_in_the_same_commit(self, store: Driven, *, turned: bool) -> None:
        store.commit(Insert(Thing(id="a", nick="n", tags=("t",))))
        writes: list[Write] = [Insert(Thing(id="b", nick="n", tags=("t",))), Delete(store.have("a"))]
        store.commit(*(reversed(writes) if turned else writes))
        for index, value in (("nick", "n"), ("tag", "t")):
            found = store.find(Thing, index, (value,))
            assert found is not None
            assert found.id == "b"

    def test_none_is_no_value_and_never_a_duplicate(self, store: Driven) -> None:
        store.commit(Insert(Thing(id="a")), Insert(Thing(id="b")))
        assert store.find(Thing, "nick", ("",)) is None
        assert store.find(Thing, "nick", ("None",)) is None
