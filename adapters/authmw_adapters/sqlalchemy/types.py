"""Column types that mean the same in every database: text compared by its code points, moments with a zone, and JSON that is kept as it was written."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Text
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import expression
from sqlalchemy.types import DateTime, LargeBinary, TypeDecorator, TypeEngine, UserDefinedType

from authmw.storage import moment


def is_mysql(dialect: Dialect) -> bool:
    """Whether this is MySQL or MariaDB."""
    return dialect.name in ("mysql", "mariadb")


class ExactText(TypeDecorator[str]):
    """Text told apart and ordered by its code points, trailing spaces included. `length` is in characters, where the database needs one for an index."""

    impl = Text
    cache_ok = True

    def __init__(self, length: int | None = None) -> None:
        super().__init__()
        self.length = length

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if is_mysql(dialect):
            # The `_bin` of old pads with spaces: "a" would equal "a ".
            collation = "utf8mb4_nopad_bin" if getattr(dialect, "is_mariadb", False) else "utf8mb4_0900_bin"
            if self.length is None:
                return mysql.MEDIUMTEXT(charset="utf8mb4", collation=collation)
            return mysql.VARCHAR(self.length, charset="utf8mb4", collation=collation)
        return Text(collation="C") if dialect.name == "postgresql" else Text()


class Moment(TypeDecorator[datetime]):
    """A time to the microsecond: `timestamptz` in PostgreSQL, `datetime(6)` in UTC in MySQL and MariaDB, text in SQLite."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if is_mysql(dialect):
            return mysql.DATETIME(fsp=6)
        return postgresql.TIMESTAMP(timezone=True) if dialect.name == "postgresql" else Text()

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        return value.astimezone(UTC).replace(tzinfo=None) if is_mysql(dialect) else moment(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        told: datetime = datetime.fromisoformat(value) if isinstance(value, str) else value
        return told.astimezone(UTC) if told.tzinfo else told.replace(tzinfo=UTC)


class Octets(TypeDecorator[bytes]):
    """Bytes, up to 16 MiB."""

    impl = LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return mysql.MEDIUMBLOB() if is_mysql(dialect) else LargeBinary()


class _Json(UserDefinedType[str]):
    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "JSON"


class Packed(TypeDecorator[str]):
    """A JSON text, kept character by character (a `jsonb` would reorder its names): `json` in PostgreSQL, text elsewhere."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if is_mysql(dialect):
            return mysql.MEDIUMTEXT(charset="utf8mb4")
        return _Json() if dialect.name == "postgresql" else Text()

    def column_expression(self, column: Any) -> Any:
        return _as_text(column)


class _as_text(expression.FunctionElement[str]):  # noqa: N801
    """A JSON column as it was written; a driver would unpack it."""

    type = Text()
    inherit_cache = True


@compiles(_as_text)
def _plainly(element: Any, compiler: Any, **how: Any) -> str:
    return str(compiler.process(element.clauses, **how))


@compiles(_as_text, "postgresql")
def _cast(element: Any, compiler: Any, **how: Any) -> str:
    return f"{compiler.process(element.clauses, **how)}::text"
