"""How a kind of record becomes tables: typed columns for plain fields, one JSON column for the rest, real SQL indexes, and a side table for each index that is
unique or holds several values.

Columns are the truth: nothing stands twice but the values of side tables, which exist to be unique and to be joined.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Generic, TypeVar, get_args, get_type_hints

import attrs
import msgspec

from authmw.errors import StorageError
from authmw.storage import KEY, Index, Record, Value, description, moment

R = TypeVar("R", bound=Record)
_NAMESPACE = re.compile(r"(?!.*__)(?:[a-z](?:[a-z0-9_]{0,29}[a-z0-9])?)?")
_NAME = re.compile(r"(?!.*__)[a-z](?:[a-z0-9_]{0,60}[a-z0-9])?")
_TYPES: dict[object, str] = {str: "TEXT", int: "INTEGER", bool: "INTEGER", bytes: "BLOB", datetime: "TEXT"}
_EMPTY: dict[object, object] = {
    str: "",
    int: 0,
    bool: False,
    bytes: b"",
    datetime: datetime.fromisoformat("1970-01-01T00:00Z"),
}


def checked_namespace(namespace: str) -> str:
    """The prefix of the tables of a namespace. Raises ValueError for one that is not a plain lower-case name.

    Neither a namespace nor a kind holds two underscores in a row, so no two pairs of them make one name.
    """
    if not _NAMESPACE.fullmatch(namespace):
        message = "A namespace is a lower-case letter and up to 30 letters, digits and single underscores."
        raise ValueError(message)
    return f"{namespace}__" if namespace else ""


@attrs.frozen
class Column:
    """A field as a column: its plain type, and whether it may be None."""

    name: str
    plain: Any
    optional: bool
    default: object = None

    def declared(self) -> str:
        """As it stands in CREATE TABLE. What may not be NULL has a default, so that a row outlives the field."""
        kind = f'"{self.name}" {_TYPES[self.plain]}'
        return kind if self.optional else f"{kind} NOT NULL DEFAULT {literal(_EMPTY[self.plain])}"

    def added(self) -> str:
        """As it stands in ADD COLUMN: rows that are there already have the field's default."""
        kind = f'"{self.name}" {_TYPES[self.plain]}'
        default = self.default if self.default is not None or self.optional else _EMPTY[self.plain]
        return f"{kind}{'' if self.optional else ' NOT NULL'} DEFAULT {literal(default)}"


def literal(value: object) -> str:
    """A field's default as SQL; data definition takes no parameters."""
    match value:
        case None:
            return "NULL"
        case bool() | int():
            return str(int(value))
        case bytes():
            return f"x'{value.hex()}'"
        case datetime():
            return f"'{moment(value)}'"
        case _:
            return "'" + str(value).replace("'", "''") + "'"


def _column(field: attrs.Attribute[Any], hint: object) -> Column | None:
    """A plain field as a column; None if it goes into the JSON column."""
    kinds = [kind for kind in get_args(hint) if kind is not type(None)] or [hint]
    if len(kinds) != 1 or kinds[0] not in _TYPES:
        return None
    default = field.default if isinstance(field.default, str | int | bytes | datetime) else None
    return Column(field.name, kinds[0], type(None) in get_args(hint), default)


class Table(Generic[R]):
    """The tables of one kind of record, and how a record is written to them and read from them."""

    def __init__(self, kind: type[R], prefix: str) -> None:
        self.kind = kind
        self.description = description(kind)
        self.key = self.description.key
        self.name = f"{prefix}{self.description.kind}"
        hints = get_type_hints(kind)
        plain = {field.name: _column(field, hints[field.name]) for field in attrs.fields(kind)}
        self.columns = {name: found for name, found in plain.items() if found is not None}
        self.rest = [name for name in plain if name not in self.columns]
        self.sides = {index.name: index for index in self.description.indexes if self.fields(index) is None}
        self.names = [*self.columns, *(["rest"] if self.rest else [])]
        self._booleans = [name for name, column in self.columns.items() if column.plain is bool]
        listed = ", ".join(f'"{name}"' for name in self.names)
        marks = ", ".join("?" for _ in self.names)
        changes = ", ".join(f'"{name}" = ?' for name in self.names)
        self.selected = ", ".join(f't."{name}"' for name in self.names)
        self.get = f'SELECT {listed} FROM "{self.name}" WHERE "{self.key}" = ?'
        self.version = f'SELECT "version" FROM "{self.name}" WHERE "{self.key}" = ?'
        self.insert = f'INSERT INTO "{self.name}" ({listed}) VALUES ({marks})'
        self.update = f'UPDATE "{self.name}" SET {changes} WHERE "{self.key}" = ? AND "version" = ?'
        self.delete = f'DELETE FROM "{self.name}" WHERE "{self.key}" = ? AND "version" = ?'
        self._finds = {
            name: f'SELECT {self.selected} FROM "{self.side(name)}" AS s JOIN "{self.name}" AS t ON t."{self.key}" = s."record" '
            'WHERE s."value" = ?'
            for name, index in self.sides.items()
            if index.unique
        }

    def fields(self, index: Index) -> tuple[str, ...] | None:
        """The columns an index stands on, or None if it has a side table."""
        fields: tuple[str, ...] | None = getattr(index.values, "fields", None)
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

    def find(self, index: str) -> str:
        """The statement that finds the record of a unique value. StorageError for an index that is not unique."""
        try:
            return self._finds[index]
        except KeyError:
            message = f"{self.description.kind} has no unique index {index}."
            raise StorageError(message) from None

    def made(self) -> list[str]:
        """The names of everything that is made for this kind. StorageError if one is not a plain name."""
        plain = [self.description.kind, self.key, *(index.name for index in self.description.indexes)]
        if not all(_NAME.fullmatch(name) for name in plain) or "rest" in self.columns:
            message = f"{self.description.kind} or one of its indexes has a name that cannot be a table's."
            raise StorageError(message)
        names = [self.name, *(self.side(index.name) for index in self.description.indexes)]
        return [*names, *(f"{self.side(name)}_record" for name in self.sides), f"{self.name}_expiry"]

    def schema(self) -> Iterator[str]:
        """The statements that make the tables; each does nothing where its part exists."""
        parts = [column.declared() for column in self.columns.values()]
        parts += ["\"rest\" TEXT NOT NULL DEFAULT '{}'"] if self.rest else []
        listed = ", ".join([*parts, f'PRIMARY KEY ("{self.key}")'])
        yield f'CREATE TABLE IF NOT EXISTS "{self.name}" ({listed}) STRICT, WITHOUT ROWID'
        if expires := self.description.expires:
            yield f'CREATE INDEX IF NOT EXISTS "{self.name}_expiry" ON "{self.name}" ("{expires}") WHERE "{expires}" IS NOT NULL'
        for index in self.description.indexes:
            fields = self.fields(index)
            if fields is not None:
                ordered = ", ".join(f'"{field}"' for field in dict.fromkeys((*fields, self.key)))
                yield f'CREATE INDEX IF NOT EXISTS "{self.side(index.name)}" ON "{self.name}" ({ordered})'
            else:
                yield from self._side_schema(index)

    def _side_schema(self, index: Index) -> Iterator[str]:
        primary = '"value"' if index.unique else '"value", "record"'
        yield (
            f'CREATE TABLE IF NOT EXISTS "{self.side(index.name)}" ("value" TEXT NOT NULL, "record" TEXT NOT NULL '
            f'REFERENCES "{self.name}" ("{self.key}") ON DELETE CASCADE, PRIMARY KEY ({primary})) STRICT, WITHOUT ROWID'
        )
        yield f'CREATE INDEX IF NOT EXISTS "{self.side(index.name)}_record" ON "{self.side(index.name)}" ("record")'

    def write(self, record: Record, version: int) -> list[Any]:
        """A record as the values of the columns."""
        values: list[Any] = []
        for name in self.columns:
            value = version if name == "version" else getattr(record, name)
            values.append(moment(value) if isinstance(value, datetime) else value)
        if self.rest:
            values.append(msgspec.json.encode({name: getattr(record, name) for name in self.rest}).decode("utf-8"))
        return values

    def read(self, row: tuple[Any, ...]) -> R:
        """A record from the values of the columns."""
        values: dict[str, Any] = dict(zip(self.columns, row, strict=False))
        for name in self._booleans:
            values[name] = None if values[name] is None else bool(values[name])
        if self.rest:
            values.update(msgspec.json.decode(row[-1]))
        return msgspec.convert(values, self.kind)


SEPARATOR = "\x01"
_ESCAPES = str.maketrans({"\x01": "\x02\x02", "\x02": "\x02\x03"})


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
