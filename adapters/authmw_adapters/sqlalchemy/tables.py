"""How a layout becomes tables of SQLAlchemy, and the statements that use them, built once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from authmw.errors import StorageError
from authmw.storable import MAX_KEY, MAX_VALUE, longest_text
from authmw.storage import Record
from authmw_adapters.layout import Column, Layout
from authmw_adapters.sqlalchemy.types import (
    ExactText,
    Moment,
    Octets,
    Packed,
    is_mysql,
)

R = TypeVar("R", bound=Record)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TYPES: dict[object, Any] = {int: sa.BigInteger, bool: sa.Boolean, bytes: Octets, datetime: Moment}


class Table(Layout[R]):
    """The tables of one kind of record in one namespace. Statements take the values that their parameters name."""

    def __init__(self, kind: type[R], prefix: str, dialect: Dialect) -> None:
        super().__init__(kind, prefix)
        self.dialect = dialect
        self.metadata = sa.MetaData()
        self.table = sa.Table(self.name, self.metadata, *map(self.column, self.names))
        self.place = self.table.c[self.key]
        self.side_tables = {name: self._side(name) for name in self.sides}
        self._declare_indexes()

        everything = [self.table.c[name] for name in self.names]
        key: sa.BindParameter[Any] = sa.bindparam("k")
        version: sa.BindParameter[Any] = sa.bindparam("v")
        held = sa.and_(self.place == key, self.table.c.version == version)
        self.selected = sa.select(*everything)
        self.get = self.selected.where(self.place == key)
        # Not FOR UPDATE: a host's row that refers to ours may be written meanwhile.
        self.locked = self.get.with_for_update(key_share=True)
        self.checked = sa.select(self.table.c.version).where(self.place == key).with_for_update(read=True)
        self.insert = self.table.insert()
        self.update = self.table.update().where(held).values({name: sa.bindparam(f"new_{name}") for name in self.names})
        self.delete = self.table.delete().where(held)
        self._finds = {
            name: self.selected.join(side, side.c.record == self.place).where(side.c.value == sa.bindparam("value"))
            for name, side in self.side_tables.items()
            if self.sides[name].unique
        }
        gone: sa.BindParameter[Any] = sa.bindparam("gone", expanding=True)
        self.take_values = {
            name: side.delete().where(side.c.record == key, side.c.value.in_(gone))
            for name, side in self.side_tables.items()
        }

    def find(self, index: str) -> sa.Select[Any]:
        """The statement that finds the record of a unique value. StorageError for an index that is not unique."""
        try:
            return self._finds[index]
        except KeyError:
            message = f"{self.description.kind} has no unique index {index}."
            raise StorageError(message) from None

    def row(self, record: Record, version: int, prefix: str = "") -> dict[str, Any]:
        """A record as the values of the columns."""
        values = {f"{prefix}{name}": getattr(record, name) for name in self.columns}
        values[f"{prefix}version"] = version
        if self.rest:
            values[f"{prefix}rest"] = self.packed(record)
        return values

    def column(self, name: str) -> sa.Column[Any]:
        """A new column of this name, for a table that is made or lacks it."""
        if name not in self.columns:
            return sa.Column("rest", Packed, nullable=False, server_default=self._default("{}"))
        return self._made(self.columns[name])

    def _made(self, column: Column) -> sa.Column[Any]:
        made: Any
        if column.plain is str:
            made = ExactText(MAX_KEY if column.name == self.key else self._length(column.name))
        else:
            made = _TYPES[column.plain]
        default = self._default(column.default) if column.default is not None else None
        if default is None and not column.optional:
            default = self._default({str: "", int: 0, bool: False, bytes: b"", datetime: _EPOCH}[column.plain])
        primary = column.name == self.key
        return sa.Column(
            column.name,
            made,
            primary_key=primary,
            autoincrement=False,
            nullable=column.optional,
            server_default=None if primary else default,
        )

    def _length(self, name: str) -> int | None:
        """The longest text of a column, where it shares the room of an index with others; None where it has no index."""
        together = [len(fields) for index in self.description.indexes if name in (fields := self.fields(index) or ())]
        return longest_text(max(together)) if together else None

    def _default(self, value: object) -> sa.TextClause:
        """A field's default as SQL, so that a row outlives a field and an older row gets a newer one. Data definition takes no parameters."""
        match value:
            case bool():
                return sa.text(("true" if value else "false") if self.dialect.name == "postgresql" else str(int(value)))
            case int():
                return sa.text(str(value))
            case bytes():
                spelled = f"'\\x{value.hex()}'" if self.dialect.name == "postgresql" else f"x'{value.hex()}'"
            case datetime():
                told = value.astimezone(UTC)
                spelled = (
                    f"'{told:%Y-%m-%d %H:%M:%S.%f}'"
                    if is_mysql(self.dialect)
                    else f"'{told.isoformat(timespec='microseconds')}'"
                )
            case _:
                quoted = str(value).replace("'", "''").replace("\\", "\\\\" if is_mysql(self.dialect) else "\\")
                spelled = f"'{quoted}'"
        spelled = spelled.replace(":", "\\:")
        # MySQL takes a default of a text or blob only as an expression.
        return sa.text(f"({spelled})" if is_mysql(self.dialect) and not isinstance(value, datetime) else spelled)

    def _side(self, name: str) -> sa.Table:
        unique = self.sides[name].unique
        side = sa.Table(
            self.side(name),
            self.metadata,
            sa.Column("value", ExactText(MAX_VALUE), primary_key=True),
            sa.Column("record", ExactText(MAX_KEY), primary_key=not unique, nullable=False),
        )
        sa.Index(f"{self.side(name)}_record", side.c.record)
        return side

    def _declare_indexes(self) -> None:
        for index in self.description.indexes:
            if (fields := self.fields(index)) is not None:
                ordered = [self.table.c[field] for field in dict.fromkeys((*fields, self.key))]
                sa.Index(self.side(index.name), *ordered)
        if expires := self.description.expires:
            sa.Index(f"{self.name}_expiry", self.table.c[expires])
