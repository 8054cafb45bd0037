"""How a layout becomes SQLite's tables and statements: STRICT, without rowids, side tables that follow their rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, TypeVar

from authmw.errors import StorageError
from authmw.storage import Index, Record, moment
from authmw_adapters.layout import Column, Layout

R = TypeVar("R", bound=Record)
_TYPES: dict[object, str] = {str: "TEXT", int: "INTEGER", bool: "INTEGER", bytes: "BLOB", datetime: "TEXT"}
_EMPTY: dict[object, object] = {
    str: "",
    int: 0,
    bool: False,
    bytes: b"",
    datetime: datetime.fromisoformat("1970-01-01T00:00Z"),
}


def declared(column: Column) -> str:
    """A column as it stands in CREATE TABLE. What may not be NULL has a default, so that a row outlives the field."""
    kind = f'"{column.name}" {_TYPES[column.plain]}'
    return kind if column.optional else f"{kind} NOT NULL DEFAULT {literal(_EMPTY[column.plain])}"


def added(column: Column) -> str:
    """A column as it stands in ADD COLUMN: rows that are there already have the field's default."""
    kind = f'"{column.name}" {_TYPES[column.plain]}'
    default = column.default if column.default is not None or column.optional else _EMPTY[column.plain]
    return f"{kind}{'' if column.optional else ' NOT NULL'} DEFAULT {literal(default)}"


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


class Table(Layout[R]):
    """The tables of one kind of record, and the statements that use them."""

    def __init__(self, kind: type[R], prefix: str) -> None:
        super().__init__(kind, prefix)
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

    def find(self, index: str) -> str:
        """The statement that finds the record of a unique value. StorageError for an index that is not unique."""
        try:
            return self._finds[index]
        except KeyError:
            message = f"{self.description.kind} has no unique index {index}."
            raise StorageError(message) from None

    def schema(self) -> Iterator[str]:
        """The statements that make the tables; each does nothing where its part exists."""
        parts = [declared(column) for column in self.columns.values()]
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
            values.append(self.packed(record))
        return values
