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
from authmw.storage import (
    KEY,
    And,
    Between,
    Cursor,
    Equals,
    Filter,
    Index,
    OneOf,
    Or,
    Order,
    Record,
    StartsWith,
    Value,
    description,
    moment,
)

R = TypeVar("R", bound=Record)
_NAMESPACE = re.compile(r"(?:[a-z][a-z0-9_]{0,30})?")
_TYPES: dict[object, str] = {str: "TEXT", int: "INTEGER", bool: "INTEGER", bytes: "BLOB", datetime: "TEXT"}
Clause = tuple[str, list[Any]]


def checked_namespace(namespace: str) -> str:
    """The prefix of the tables of a namespace. Raises ValueError for one that is not a plain lower-case name."""
    if not _NAMESPACE.fullmatch(namespace):
        message = "A namespace is a lower-case letter and up to 30 letters, digits and underscores."
        raise ValueError(message)
    return f"{namespace}_" if namespace else ""


def _column_type(hint: object) -> tuple[object, bool] | None:
    """The plain type of a field and whether it may be None; None if it goes into the JSON column."""
    kinds = [kind for kind in get_args(hint) if kind is not type(None)] or [hint]
    if len(kinds) == 1 and kinds[0] in _TYPES:
        return kinds[0], type(None) in get_args(hint)
    return None


class Table(Generic[R]):
    """The SQL of one kind of record."""

    def __init__(self, kind: type[R], prefix: str) -> None:
        self.kind = kind
        self.description = description(kind)
        self.name = f"{prefix}{self.description.kind}"
        hints = get_type_hints(kind)
        plain = {field.name: _column_type(hints[field.name]) for field in attrs.fields(kind)}
        self.columns = {name: found for name, found in plain.items() if found is not None}
        self.rest = [name for name in plain if name not in self.columns]
        self.key = self.description.key
        self.sides = {index.name: index for index in self.description.indexes if self._fields(index) is None}
        names = [*self.columns, *(["rest"] if self.rest else [])]
        self._names = ", ".join(f'"{name}"' for name in names)
        marks = ", ".join("?" for _ in names)
        changes = ", ".join(f'"{name}" = ?' for name in names)
        self.get = f'SELECT {self._names} FROM "{self.name}" WHERE "{self.key}" = ?'
        self.insert = f'INSERT INTO "{self.name}" ({self._names}) VALUES ({marks})'
        self.update = f'UPDATE "{self.name}" SET {changes} WHERE "{self.key}" = ?'
        self.delete = f'DELETE FROM "{self.name}" WHERE "{self.key}" = ?'

    def _fields(self, index: Index) -> tuple[str, ...] | None:
        """The columns an index stands on, or None if it needs a side table."""
        fields: tuple[str, ...] | None = getattr(index.values, "fields", None)
        if index.unique or fields is None:
            return None
        indexable = {name for name, (plain, _) in self.columns.items() if plain is str or plain is datetime}
        return fields if indexable.issuperset(fields) else None

    def side(self, index: str) -> str:
        """The name of an index's side table."""
        return f"{self.name}_{index}"

    def schema(self) -> Iterator[str]:
        """The statements that make the tables; each does nothing where its part exists."""
        parts = [
            f'"{name}" {_TYPES[plain]}{"" if optional else " NOT NULL"}'
            for name, (plain, optional) in self.columns.items()
        ]
        parts += ['"rest" TEXT NOT NULL'] if self.rest else []
        yield f'CREATE TABLE IF NOT EXISTS "{self.name}" ({", ".join(parts)}, PRIMARY KEY ("{self.key}")) STRICT, WITHOUT ROWID'
        for index in self.description.indexes:
            fields = self._fields(index)
            if fields is not None:
                listed = ", ".join(f'"{field}"' for field in (*fields, self.key))
                yield f'CREATE INDEX IF NOT EXISTS "{self.side(index.name)}" ON "{self.name}" ({listed})'
            else:
                yield from self._side_schema(index)

    def _side_schema(self, index: Index) -> Iterator[str]:
        # A value is one text: its parts joined by a character that no part may hold, which keeps their order.
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
            if isinstance(value, str) and "\0" in value:
                raise StorageError("A text that holds NUL cannot be stored.")
            values.append(moment(value) if isinstance(value, datetime) else value)
        if self.rest:
            values.append(msgspec.json.encode({name: getattr(record, name) for name in self.rest}).decode("utf-8"))
        return values

    def read(self, row: tuple[Any, ...]) -> R:
        """A record from the values of the columns."""
        values: dict[str, Any] = msgspec.json.decode(row[-1]) if self.rest else {}
        for (name, (plain, _)), value in zip(self.columns.items(), row, strict=False):
            values[name] = bool(value) if plain is bool and value is not None else value
        return msgspec.convert(values, self.kind)

    def find(self, index: str) -> str:
        """The statement that finds the record of a unique value. StorageError for an index that is not unique."""
        if index not in self.sides or not self.sides[index].unique:
            message = f"{self.description.kind} has no unique index {index}."
            raise StorageError(message)
        names = ", ".join(f't."{name}"' for name in [*self.columns, *(["rest"] if self.rest else [])])
        return (
            f'SELECT {names} FROM "{self.side(index)}" AS s JOIN "{self.name}" AS t ON t."{self.key}" = s."record" '
            'WHERE s."value" = ?'
        )

    def where(self, filter_: Filter) -> Clause:
        """A filter as SQL."""
        match filter_:
            case And(parts):
                return self._joined(parts, " AND ", "1")
            case Or(parts):
                return self._joined(parts, " OR ", "0")
            case Equals(index, value):
                return self._compared(index, [("=", value)])
            case OneOf(index, values):
                return self._joined(tuple(Equals(index, value) for value in values), " OR ", "0")
            case Between(index, low, high):
                bounds = [(">=", low)] if low is not None else []
                return self._compared(index, bounds + ([("<=", high)] if high is not None else []))
            case StartsWith(index, prefix):
                return self._prefixed(index, prefix)

    def _joined(self, parts: tuple[Filter, ...], word: str, empty: str) -> Clause:
        clauses = [self.where(part) for part in parts]
        if not clauses:
            return empty, []
        return f"({word.join(sql for sql, _ in clauses)})", [value for _, values in clauses for value in values]

    def _compared(self, name: str, bounds: list[tuple[str, Value]]) -> Clause:
        fields = self._columns_of(name)
        if fields is None:
            tests = " AND ".join(f's."value" {sign} ?' for sign, _ in bounds) or "1"
            return self._in_side(name, tests, [joined(value) for _, value in bounds])
        parts: list[str] = [f'"{field}" IS NOT NULL' for field in fields] if not bounds else []
        values: list[Any] = []
        for sign, value in bounds:
            if sign == "=" and len(value) != len(fields):
                return "0", []
            # A shorter tuple comes before every longer one that begins with it.
            shown = "<" if sign == "<=" and len(value) < len(fields) else sign
            listed = ", ".join(f'"{field}"' for field in fields[: len(value)])
            parts.append(f"({listed}) {shown} ({', '.join('?' for _ in value)})")
            values.extend(value)
        return f"({' AND '.join(parts)})", values

    def _prefixed(self, name: str, prefix: Value) -> Clause:
        fields = self._columns_of(name)
        if fields is None:
            text = joined(prefix)
            test = 's."value" >= ? AND substr(s."value", 1, ?) = ? AND instr(substr(s."value", ?), ?) = 0'
            return self._in_side(name, test, [text, len(text), text, len(text) + 1, SEPARATOR])
        parts = [f'"{field}" = ?' for field in fields[:-1]]
        parts.append(f'"{fields[-1]}" >= ? AND substr("{fields[-1]}", 1, ?) = ?')
        return f"({' AND '.join(parts)})", [*prefix[:-1], prefix[-1], len(prefix[-1]), prefix[-1]]

    def _in_side(self, name: str, test: str, values: list[Any]) -> Clause:
        return f'"{self.key}" IN (SELECT s."record" FROM "{self.side(name)}" AS s WHERE {test})', values

    def _columns_of(self, name: str) -> tuple[str, ...] | None:
        return (self.key,) if name == KEY else self._fields(self.description.index(name))

    def page(self, where: Clause, order: Order, after: Cursor | None, limit: int) -> Clause:
        """The statement for one page, one record more than asked to see whether there is another."""
        fields = self._columns_of(order.index)
        if fields is None or (order.index != KEY and not self.description.index(order.index).single):
            message = f"{order.index} cannot order {self.description.kind}."
            raise StorageError(message)
        listed = [*dict.fromkeys((*fields, self.key))]
        sql, values = where
        if after is not None:
            place = [*after.value, after.key] if order.index != KEY else [after.key]
            names = ", ".join(f'"{name}"' for name in listed)
            sql += f" AND ({names}) {'<' if order.descending else '>'} ({', '.join('?' for _ in place)})"
            values = [*values, *place]
        direction = "DESC" if order.descending else "ASC"
        by = ", ".join(f'"{name}" {direction}' for name in listed)
        return f'SELECT {self._names} FROM "{self.name}" WHERE {sql} ORDER BY {by} LIMIT ?', [*values, limit + 1]

    def cursor(self, record: R, order: Order) -> Cursor:
        """Where a page ended."""
        key = str(getattr(record, self.key))
        if order.index == KEY:
            return Cursor((key,), key)
        return Cursor(next(iter(self.description.index(order.index).of(record))), key)


SEPARATOR = "\x1f"


def joined(value: Value) -> str:
    """An index value as one text. The separator sorts before everything a part may hold."""
    if any(character < " " for part in value for character in part):
        raise StorageError("An index value that holds control characters cannot be stored.")
    return SEPARATOR.join(value)
