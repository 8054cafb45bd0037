"""The contract on records: what was stored is what comes back, and nobody changes it by other ways than a commit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest

from authmw.errors import Conflict, StorageError
from authmw.storage import Equals, Insert, Order, Update
from authmw.testing.contracts.base import Contract
from authmw.testing.contracts.driven import Driven
from authmw.testing.contracts.records import NOW, Inner, Thing


class ValuesContract(Contract):
    """Values and times."""

    def test_what_was_stored_is_read_back_with_the_next_version(self, store: Driven) -> None:
        thing = Thing(
            id="a",
            nick="x",
            count=2**63 - 1,
            done=True,
            raw=b"\x00\xff",
            tags=("one", "two"),
            inner=(Inner(name="né\u2028", at=NOW, raw=b"\x01"),),
            free={"deep": [1, {"b": None}], "big": 2**53 + 1, "empty": {}, "text": ""},
            expires_at=NOW,
        )
        store.commit(Insert(thing))
        expected = attrs.evolve(thing, version=1)
        assert store.have("a") == expected
        assert store.find(Thing, "tag", ("two",)) == expected
        assert store.all(Thing) == [expected]

    def test_a_missing_record_is_none(self, store: Driven) -> None:
        assert store.get(Thing, "nobody") is None
        assert store.find(Thing, "tag", ("nothing",)) is None

    def test_absent_and_empty_are_two_things(self, store: Driven) -> None:
        store.commit(Insert(Thing(id="none")), Insert(Thing(id="empty", nick="")))
        assert (store.have("none").nick, store.have("empty").nick) == (None, "")
        found = store.find(Thing, "nick", ("",))
        assert found is not None
        assert found.id == "empty"

    def test_changing_what_was_read_does_not_change_what_is_stored(self, store: Driven) -> None:
        store.commit(Insert(Thing(id="a", free={"x": 1})))
        store.have("a").free["x"] = 2
        store.all(Thing)[0].free["x"] = 3
        assert store.have("a").free == {"x": 1}

    def test_changing_what_was_written_does_not_change_what_is_stored(self, store: Driven) -> None:
        free: dict[str, Any] = {"x": 1}
        store.commit(Insert(Thing(id="a", free=free)))
        free["x"] = 2
        assert store.have("a").free == {"x": 1}

    def test_keys_and_values_are_told_apart_by_every_code_point(self, store: Driven) -> None:
        texts = (
            "a",
            "A",
            "a ",
            " a",
            "ä",
            "a\u0308",
            "\u00df",
            "ss",
            "\U0001f600",
            "\ufffd",
            "'",
            '"',
            "%",
            "\\",
            "\x01",
        )
        for number, text in enumerate(texts):
            store.commit(Insert(Thing(id=f"k{text}", nick=text, count=number)))
        for number, text in enumerate(texts):
            found = store.find(Thing, "nick", (text,))
            assert found is not None
            assert (store.have(f"k{text}").count, found.count) == (number, number)
        assert store.ids() == sorted(f"k{text}" for text in texts)

    @pytest.mark.parametrize("text", ["nul\0", "half \ud800"])
    def test_a_text_that_no_store_holds_is_refused_and_never_found(self, store: Driven, text: str) -> None:
        with pytest.raises(StorageError):
            store.commit(Insert(Thing(id="a", owner=text)))
        assert store.get(Thing, text) is None
        assert store.find(Thing, "nick", (text,)) is None
        assert store.count(Thing) == 0

    @pytest.mark.parametrize("number", [2**63, -(2**63)])
    def test_an_integer_of_more_than_64_bits_is_refused(self, store: Driven, number: int) -> None:
        with pytest.raises(StorageError):
            store.commit(Insert(Thing(id="a", count=number)))

    def test_large_values_come_back_whole(self, store: Driven) -> None:
        """As much as a body of 64 KiB can bring, sealed and spelled in text, and index values as long as an issuer and a subject."""
        text, raw = "ä\u2028x" * 40_000, bytes(range(256)) * 500
        long = ("i" * 255, "s" * 255)
        thing = Thing(id="k" * 160, owner=long[0], tags=(long[1],), nick="n" * 500, raw=raw, free={"text": text})
        store.commit(Insert(thing))
        expected = attrs.evolve(thing, version=1)
        assert store.have(thing.id) == expected
        assert store.find(Thing, "nick", ("n" * 500,)) == expected
        assert store.find(Thing, "nick", ("n" * 499,)) is None
        assert store.all(Thing, Equals("pair", long)) == [expected]

    @pytest.mark.parametrize(
        "changes",
        [
            {"id": "k" * 161},
            {"owner": "i" * 256},
            {"nick": "n" * 601},
            {"nick": "\x01" * 301},
            {"tags": ("t" * 601,)},
            {"owner": "i" * 255, "tags": ("t" * 345,)},
        ],
        ids=["key", "text of two", "unique", "escaped", "one of several", "worked out"],
    )
    def test_what_is_longer_than_a_store_can_look_for_is_refused_before_it_is_stored(
        self, store: Driven, changes: dict[str, Any]
    ) -> None:
        """Some databases bound what they index; no adapter may find it out for itself."""
        short = Thing(id="a")
        store.commit(Insert(short))
        with pytest.raises(StorageError) as refused:
            store.commit(Insert(attrs.evolve(Thing(id="b"), **changes)))
        assert not isinstance(refused.value, Conflict)
        if "id" not in changes:
            with pytest.raises(StorageError):
                store.commit(Update(attrs.evolve(short, version=1, **changes)))
        assert store.all(Thing) == [attrs.evolve(short, version=1)]

    @pytest.mark.parametrize("text", ["n" * 600, "\x02" * 300, "\U0001f511" * 600], ids=["plain", "escaped", "wide"])
    def test_the_longest_index_value_is_found_and_told_from_one_that_is_shorter(self, store: Driven, text: str) -> None:
        store.commit(Insert(Thing(id="\U0001f511" * 160, nick=text)))
        held = store.find(Thing, "nick", (text,))
        assert held is not None
        assert (held.id, held.nick) == ("\U0001f511" * 160, text)
        assert store.find(Thing, "nick", (text[:-1],)) is None
        assert store.find(Thing, "nick", (text + "n",)) is None
        assert store.get(Thing, "\U0001f511" * 161) is None

    # Times

    def test_times_come_back_as_the_same_moment_with_a_zone(self, store: Driven) -> None:
        there = NOW.astimezone(timezone(timedelta(hours=-7)))
        store.commit(Insert(Thing(id="a", made_at=there, expires_at=there, inner=(Inner(name="i", at=there),))))
        held = store.have("a")
        for time in (held.made_at, held.expires_at, held.inner[0].at):
            assert time == NOW
            assert time is not None
            assert time.utcoffset() is not None

    def test_times_of_several_zones_are_in_the_order_of_time(self, store: Driven) -> None:
        for number, hours in enumerate((9, -11, 0, 5)):
            zone = timezone(timedelta(hours=hours))
            made = (NOW + timedelta(microseconds=number)).astimezone(zone)
            store.commit(Insert(Thing(id=f"k{9 - number}", made_at=made)))
        assert store.ids(order=Order("made")) == ["k9", "k8", "k7", "k6"]

    @pytest.mark.parametrize("year", [1, 1969, 9999])
    def test_times_far_away_are_times_like_others(self, store: Driven, year: int) -> None:
        far = NOW.replace(year=year)
        store.commit(Insert(Thing(id="a", made_at=far, expires_at=far)), Insert(Thing(id="b")))
        held = store.have("a")
        assert (held.made_at, held.expires_at) == (far, far)
        assert store.ids(order=Order("made")) == (["a", "b"] if year < NOW.year else ["b", "a"])
        assert store.sweep(NOW) == (1 if year < NOW.year else 0)

    def test_what_expires_with_the_last_moment_is_not_swept(self, store: Driven) -> None:
        last = datetime.max.replace(tzinfo=UTC)
        store.commit(Insert(Thing(id="a", expires_at=last)))
        assert store.sweep(NOW) == 0
        assert store.have("a").expires_at == last

    @pytest.mark.parametrize("field", ["made_at", "expires_at", "inner"])
    def test_a_time_without_a_zone_is_refused(self, store: Driven, field: str) -> None:
        naive = NOW.replace(tzinfo=None)
        value: Any = (Inner(name="i", at=naive),) if field == "inner" else naive
        with pytest.raises((ValueError, StorageError)):
            store.commit(Insert(attrs.evolve(Thing(id="a"), **{field: value})))
        assert store.get(Thing, "a") is None

    def test_a_field_goes_back_to_none(self, store: Driven) -> None:
        store.commit(Insert(Thing(id="a", nick="n", expires_at=NOW)))
        store.commit(Update(attrs.evolve(store.have("a"), nick=None, expires_at=None)))
        assert (store.have("a").nick, store.have("a").expires_at) == (None, None)
        assert store.find(Thing, "nick", ("n",)) is None
