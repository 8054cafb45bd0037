"""How a kind of record is laid out in SQL, whatever the database: a column for each plain field, one for the rest, and a side table for each index that is unique
or holds several values.

Columns are the truth: nothing stands twice but the values of side tables, which exist to be unique and to be joined.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Generic, TypeVar, get_args, get_type_hints

import attrs
import msgspec

from authmw.errors import StorageError, WrongSchema
from authmw.storage import KEY, Cursor, Delete, Index, Order, Record, Value, Write, description, key_of
from authmw.typed import convert

R = TypeVar("R", bound=Record)
_NAMESPACE = re.compile(r"(?!.*__)(?:[a-z](?:[a-z0-9_]{0,29}[a-z0-9])?)?")
_NAME = re.compile(r"(?!.*__)[a-z](?:[a-z0-9_]{0,60}[a-z0-9])?")
_PLAIN = frozenset({str, int, bool, bytes, datetime})
SEPARATOR = "\x01"
_ESCAPES = str.maketrans({"\x01": "\x02\x02", "\x02": "\x02\x03"})


def checked_namespace(namespace: str) -> str:
    """The prefix of the tables of a namespace. Raises ValueError for one that is not a plain lower-case name.

    Neither a namespace nor a kind holds two underscores in a row, so no two pairs of them make one name.
    """
    if not _NAMESPACE.fullmatch(namespace):
        message = "A namespace is a lower-case letter and up to 30 letters, digits and single underscores."
        raise ValueError(message)
    return f"{namespace}__" if namespace else ""


def check_names(tables: Iterable[Layout[Any]], *others: str) -> None:
    """Raises WrongSchema if two kinds of record or their indexes would share a table, or one has a name that cannot be a table's."""
    names = [*others, *(name for table in tables for name in table.made())]
    if len(set(names)) < len(names):
        raise WrongSchema("Two kinds of record or their indexes would share a table.")


@attrs.frozen
class Column:
    """A field as a column: its plain type, whether it may be None, and the default that older rows get."""

    name: str
    plain: Any
    optional: bool
    default: object = None


def _column(field: attrs.Attribute[Any], hint: object) -> Column | None:
    """A plain field as a column; None if it goes with the rest."""
    kinds = [kind for kind in get_args(hint) if kind is not type(None)] or [hint]
    if len(kinds) != 1 or kinds[0] not in _PLAIN:
        return None
    default = field.default if isinstance(field.default, str | int | bytes | datetime) else None
    return Column(field.name, kinds[0], type(None) in get_args(hint), default)


class Layout(Generic[R]):
    """The columns and side tables of one kind of record."""

    def __init__(self, kind: type[R], prefix: str) -> None:
        self.kind = kind
        self.description = description(kind)
        self.key = self.description.key
        self.prefix = prefix
        self.name = f"{prefix}{self.description.kind}"
        hints = get_type_hints(kind)
        plain = {field.name: _column(field, hints[field.name]) for field in attrs.fields(kind)}
        self.columns = {name: found for name, found in plain.items() if found is not None}
        self.rest = [name for name in plain if name not in self.columns]
        self.sides = {index.name: index for index in self.description.indexes if self.fields(index) is None}
        self.names = [*self.columns, *(["rest"] if self.rest else [])]
        self._booleans = [name for name, column in self.columns.items() if column.plain is bool]

    def fields(self, index: Index) -> tuple[str, ...] | None:
        """The columns an index stands on, or None if it has a side table."""
        fields = index.fields
        if index.unique or fields is None:
            return None
        indexable = {name for name, column in self.columns.items() if column.plain in (str, datetime)}
        return fields if indexable.issuperset(fields) else None

    def columns_of(self, index: str) -> tuple[str, ...] | None:
        """The columns a declared index (or the key) stands on, or None if it has a side table. StorageError if it is not declared."""
        return (self.key,) if index == KEY else self.fields(self.description.index(index))

    def side(self, index: str) -> str:
        """The name of an index's side table, or of its SQL index."""
        return f"{self.name}_{index}"

    def made(self) -> list[str]:
        """The names of everything that is made for this kind. WrongSchema if one is not a plain name."""
        plain = [self.description.kind, self.key, *(index.name for index in self.description.indexes)]
        if not all(_NAME.fullmatch(name) for name in plain) or "rest" in self.columns:
            message = f"{self.description.kind} or one of its indexes has a name that cannot be a table's."
            raise WrongSchema(message)
        names = [self.name, *(self.side(index.name) for index in self.description.indexes)]
        return [*names, *(f"{self.side(name)}_record" for name in self.sides), f"{self.name}_expiry"]

    def required(self, column: Column) -> bool:
        """Whether a row that lacks this column cannot be read as a record: its field has no default."""
        return any(field.name == column.name and field.default is attrs.NOTHING for field in attrs.fields(self.kind))

    def ordering(self, order: Order) -> tuple[str, ...] | None:
        """The columns that a page is ordered by, or None: a side table. StorageError for an index that cannot order."""
        if order.index != KEY and not self.description.index(order.index).single:
            message = f"{order.index} cannot order {self.description.kind}."
            raise StorageError(message)
        return self.columns_of(order.index)

    def cursor(self, record: Record, order: Order) -> Cursor:
        """Where a page that ends with this record ended."""
        key = key_of(record)
        value = (key,) if order.index == KEY else next(iter(self.description.index(order.index).of(record)))
        return Cursor(value, key)

    def texts_at(self, after: Cursor, columns: tuple[str, ...] | None) -> list[str]:
        """What stands at a cursor in the places that a page is ordered by: the columns of its index and the key, each once, or those of a side table.

        StorageError for a cursor of another order.
        """
        if columns is None:
            return [joined(after.value), after.key]
        if len(after.value) != len(columns):
            raise StorageError("The cursor belongs to another order.")
        return list(dict(zip((*columns, self.key), (*after.value, after.key), strict=True)).values())

    def packed(self, record: Record) -> str:
        """The fields that have no column, as one JSON text."""
        return msgspec.json.encode({name: getattr(record, name) for name in self.rest}).decode("utf-8")

    def read(self, row: Iterable[Any]) -> R:
        """A record from the values of the columns, in the order of `names`."""
        values: dict[str, Any] = dict(zip(self.names, row, strict=True))
        for name in self._booleans:
            values[name] = None if values[name] is None else bool(values[name])
        if self.rest:
            values.update(msgspec.json.decode(values.pop("rest")))
        return convert(values, self.kind)


class Change:
    """One write of a commit, with the index values of side tables that it takes away and adds (each sorted)."""

    def __init__(self, layout: Layout[Any], write: Write, old: Record | None) -> None:
        self.write = write
        self.key = key_of(write.record)
        self.gone: dict[str, list[Value]] = {}
        self.new: dict[str, list[Value]] = {}
        self.values_aside = 0
        """How many values of indexes that are `aside` this adds and removes."""
        new = None if isinstance(write, Delete) else write.record
        for index in layout.description.indexes:
            before = index.of(old) if old else frozenset[Value]()
            after = index.of(new) if new else frozenset[Value]()
            if before == after:
                continue
            gone, added = sorted(before - after), sorted(after - before)
            if index.aside:
                self.values_aside += len(gone) + len(added)
            if index.name in layout.sides:
                self.gone[index.name], self.new[index.name] = gone, added


def joined(value: Value) -> str:
    """An index value as one text whose order is the order of the tuple: joined by a character that sorts first and is escaped within the parts."""
    return SEPARATOR.join(part.translate(_ESCAPES) if "\x01" in part or "\x02" in part else part for part in value)


def behind(prefix: str) -> str | None:
    """The first text that comes after every text that begins with `prefix`; None if there is none."""
    kept = prefix.rstrip("\U0010ffff")
    if not kept:
        return None
    following = ord(kept[-1]) + 1
    return kept[:-1] + chr(0xE000 if following == 0xD800 else following)
