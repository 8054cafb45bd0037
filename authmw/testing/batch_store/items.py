"""How records become items: pure, and the same for any store of conditional batches.

- A record is an item under its kind, sorted by its key; its value is the whole record, and a write is conditional on the value that was read.
- Each value of a unique index is an item of its own that holds the record's key: whoever takes the value requires it absent, or held by a record that gives it up in the same
  commit. One action for each item, so a value that moves is one action.
- Each value of another index that a record may have several of is an item that is sorted by value and key.
- Indexes over fields, and the time of expiry, are indexes that the store declares over the items of records: it keeps them with the record, at no action more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Generic, TypeVar

import attrs

from authmw.errors import Conflict, Duplicate
from authmw.storage import (
    KEY,
    Check,
    Cursor,
    Delete,
    Index,
    Insert,
    Record,
    Update,
    Value,
    Write,
    decode,
    description,
    encode,
    expiry_of,
    key_of,
    moment,
)
from authmw.testing.batch_store.service import Action, Is, Place, Put, Remove, Require

R = TypeVar("R", bound=Record)
_BETWEEN = "\0\1"
_END = "\0\0"
"""No text holds NUL, and the end of a value comes before a further text of it, which comes before any character: the order of sort keys is the order of values."""


def sort_of(value: Value, key: str = "") -> str:
    """The sort key of an index value, with the record's key behind it where several records may have the value."""
    return f"{_BETWEEN.join(value)}{_END}{key}"


def from_sort(sort: str) -> tuple[Value, str]:
    """The value and the key of a sort key."""
    texts, _, key = sort.partition(_END)
    return tuple(texts.split(_BETWEEN)), key


def first_of(value: Value) -> str:
    """Where the items of a value, and of all greater ones, begin."""
    return sort_of(value)


def behind(value: Value) -> str:
    """Where the items of a value, and of all smaller ones, have ended."""
    return _BETWEEN.join((*value, ""))


@attrs.frozen
class Layout(Generic[R]):
    """Where the records of one kind are."""

    kind: type[R]
    namespace: str

    @property
    def name(self) -> str:
        """The name of the kind."""
        return description(self.kind).kind

    def partition(self, index: str = KEY) -> str:
        """The partition of an index; under `KEY` are the records themselves. StorageError for an index that is not declared."""
        name = index if index == KEY else description(self.kind).index(index).name
        return self._partition(name)

    @property
    def expiry(self) -> str | None:
        """The partition in which records are listed by the time they expire, None for a kind that never does."""
        return self._partition("\0expiry") if description(self.kind).expires else None

    def partitions(self) -> Iterable[str]:
        """All of them."""
        yield self.partition()
        yield from (self.partition(index.name) for index in description(self.kind).indexes)
        if self.expiry:
            yield self.expiry

    def place(self, key: str) -> Place:
        """Where a record is."""
        return (self.partition(), sort_of((key,)))

    def value_place(self, index: Index, value: Value, key: str) -> Place:
        """Where an index value of a record is."""
        return (self.partition(index.name), sort_of(value, "" if index.unique else key))

    def listed(self, record: Record) -> frozenset[Place]:
        """Where the store lists a record by itself."""
        key = key_of(record)
        told = (
            (index, value) for index in description(self.kind).indexes if not index.aside for value in index.of(record)
        )
        places = {self.value_place(index, value, key) for index, value in told}
        expires = expiry_of(record)
        if self.expiry and expires:
            places.add((self.expiry, sort_of((moment(expires),), key)))
        return frozenset(places)

    def entry(self, index: str, sort: str, value: bytes) -> Cursor:
        """The index value and the record's key that an item of an index stands for."""
        told, key = from_sort(sort)
        if index == KEY:
            return Cursor(told, told[0])
        return Cursor(told, value.decode() if description(self.kind).index(index).unique else key)

    def entry_sort(self, index: str, entry: Cursor) -> str:
        """The sort key of the item that an entry was told by."""
        alone = index == KEY or description(self.kind).index(index).unique
        return sort_of(entry.value, "" if alone else entry.key)

    def read(self, data: bytes) -> R:
        """The record that an item holds."""
        return decode(self.kind, data)

    def _partition(self, name: str) -> str:
        return "\0".join((self.namespace, self.name, name))


@attrs.frozen
class Change:
    """One write of a commit, beside what is stored under its key. Conflict if it does not apply to that."""

    layout: Layout[Any]
    write: Write
    data: bytes | None
    old: Record | None = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        old = None if self.data is None else self.layout.read(self.data)
        object.__setattr__(self, "old", old)
        expected = None if isinstance(self.write, Insert) else self.write.record.version
        if (old.version if old else None) != expected:
            message = f"A record of {self.layout.name} has changed."
            raise Conflict(message)

    @property
    def key(self) -> str:
        """The key of the record."""
        return key_of(self.write.record)

    @property
    def new(self) -> Record | None:
        """What is stored afterwards."""
        match self.write:
            case Check():
                return self.old
            case Delete():
                return None
            case Insert(record) | Update(record):
                return attrs.evolve(record, version=record.version + 1)

    def values(self) -> Iterable[tuple[Index, frozenset[Value], frozenset[Value]]]:
        """For each index whose values are items of their own, what goes and what comes."""
        new = self.new
        for index in description(self.layout.kind).indexes:
            if not index.aside:
                continue
            before = index.of(self.old) if self.old else frozenset[Value]()
            after = index.of(new) if new else frozenset[Value]()
            yield index, before - after, after - before

    def changed_values(self) -> int:
        """How many of these values go and come."""
        return 0 if isinstance(self.write, Check) else sum(len(gone) + len(come) for _, gone, come in self.values())

    def record_action(self) -> Action:
        """The action on the record itself."""
        place = self.layout.place(self.key)
        expected = Is.ABSENT if self.data is None else self.data
        if isinstance(self.write, Check):
            return Require(place, expected)
        new = self.new
        return Remove(place, expected) if new is None else Put(place, encode(new), expected, self.layout.listed(new))


class Plan:
    """The batch that a commit is: at most one action for each item, and which index stands behind it. Duplicate if two records of the commit take one value."""

    def __init__(self, changes: Sequence[Change]) -> None:
        self._going: dict[Place, str] = {}
        self._coming: dict[Place, str] = {}
        self._indexes: dict[Place, tuple[str, Index]] = {}
        for change in changes:
            if not isinstance(change.write, Check):
                self._add(change)
        self.actions: list[Action] = [change.record_action() for change in changes]
        self.actions += map(self._value_action, self._indexes)

    def _add(self, change: Change) -> None:
        for index, gone, come in change.values():
            for values, told in ((gone, self._going), (come, self._coming)):
                for value in values:
                    place = change.layout.value_place(index, value, change.key)
                    if place in told:
                        raise Duplicate(change.layout.name, index.name)
                    told[place] = change.key
                    self._indexes[place] = (change.layout.name, index)

    def _value_action(self, place: Place) -> Action:
        goes, comes = self._going.get(place), self._coming.get(place)
        _, index = self._indexes[place]
        # A value that is not unique belongs to its record alone, whose action has the condition.
        held = goes.encode() if goes is not None and index.unique else Is.ANYTHING
        if comes is None:
            return Remove(place, held)
        if index.unique:
            return Put(place, comes.encode(), Is.ABSENT if goes is None else held)
        return Put(place, b"", Is.ANYTHING)

    def refusal(self, reasons: Sequence[str | None]) -> Conflict:
        """What a cancelled batch means: a value that was taken, if nothing else was in the way."""
        failed = [action.place for action, reason in zip(self.actions, reasons, strict=True) if reason == "condition"]
        taken = [self._indexes[place] for place in failed if place in self._indexes]
        if failed and len(taken) == len(failed):
            name, index = taken[0]
            return Duplicate(name, index.name)
        return Conflict("A record has changed.")
