"""The schema at each revision, as the SQL that makes it in each kind of database (without a namespace).

Law: a revision that was released is never written again; records that ask for another schema are the next one (`make revision`). How a database comes from any
of them to the newest is `schema`'s: what it lacks follows from the records themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any, cast

from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.schema import CreateIndex, CreateTable

from authmw.storage import Record, description
from authmw_adapters.sqlalchemy.tables import Table

DATABASES = ("mariadb", "postgresql", "sqlite")


@cache
def newest() -> int:
    """The number of the newest revision."""
    return max(int(file.name[:4]) for file in files(__name__).iterdir() if file.name.endswith(".sql"))


def schema_at(revision: int, database: str) -> str:
    """The statements that made the tables of a revision, each ended by a semicolon and a line break. FileNotFoundError for a revision that there is not."""
    return files(__name__).joinpath(f"{revision:04}.{database}.sql").read_text("utf-8")


def spelled(kinds: Sequence[type[Record]], database: str) -> str:
    """The statements that make the tables of these kinds as they are now."""
    dialect = _dialect(database)
    made: list[str] = []
    for kind in sorted(kinds, key=lambda one: description(one).kind):
        for table in Table(kind, "", dialect).metadata.sorted_tables:
            made.append(str(CreateTable(table).compile(dialect=dialect)))
            indexes = sorted(table.indexes, key=lambda index: str(index.name))
            made += [str(CreateIndex(index).compile(dialect=dialect)) for index in indexes]
    return "".join(f"{_plain(one)};\n" for one in made)


def _plain(statement: str) -> str:
    lines = (line.strip() for line in statement.strip().splitlines())
    return "\n".join(line if line.startswith(("CREATE", ")")) else f"  {line}" for line in lines if line)


def _dialect(database: str) -> Dialect:
    made: dict[str, Any] = {"mariadb": mysql.dialect, "postgresql": postgresql.dialect, "sqlite": sqlite.dialect}
    dialect: Any = made[database]()
    dialect.is_mariadb = database == "mariadb"
    return cast("Dialect", dialect)
