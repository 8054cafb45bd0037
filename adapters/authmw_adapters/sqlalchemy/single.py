"""A commit that PostgreSQL makes in one statement, so in one round trip: it locks what the commit rests on, in its order, and changes something only if all of that is
as it was read.

Law: it is for what takes no value away from a side table to which it adds, since the order in which one statement takes and adds is not ours to say. What it says no with is looked into
by the transaction that other databases have: a statement that failed has changed nothing. Where its answer is lost the outcome is unknown.
"""

from __future__ import annotations

import selectors
from collections.abc import Sequence
from typing import Any, TypeAlias

from sqlalchemy import BigInteger, Boolean, Connection
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from authmw.errors import Conflict, OutcomeUnknown
from authmw.storable import check_actions
from authmw.storage import Check, Delete, Insert, Write, key_of
from authmw_adapters.layout import Change, joined
from authmw_adapters.sqlalchemy.engines import undone
from authmw_adapters.sqlalchemy.tables import Table
from authmw_adapters.sqlalchemy.types import ExactText, Moment, Octets, Packed

_SELECTOR: type[selectors.BaseSelector] = getattr(selectors, "PollSelector", selectors.SelectSelector)
"""The one that asks the system once, for any number of open files; Windows has only the other."""
_UNKNOWN_STATES = ("40003", "08007")
"""Whether the statement is done, or the transaction, is not known to the server that was asked."""
Shape: TypeAlias = tuple[tuple[str, type[Write]], ...]
Named: TypeAlias = Sequence[tuple[Table[Any], Write]]
_NAMES: dict[type, str] = {
    ExactText: "text",
    BigInteger: "bigint",
    Boolean: "boolean",
    Octets: "bytea",
    Moment: "timestamptz",
    Packed: "text)::json",
}


class Commits:
    """The statements of one storage, each made once for all commits of its shape."""

    def __init__(self) -> None:
        self._made: dict[Shape, str] = {}

    def take(self, connection: Connection, named: Named) -> bool:
        """Whether the commit was made. If not, nothing has changed, and a transaction is to make it or to say why not.

        Conflict if something has changed since it was read; OutcomeUnknown if the answer was lost.
        """
        if connection.dialect.name != "postgresql" or not _fits(named) or _is_over(connection):
            return False
        values = _values(named)
        shape = tuple((table.name, type(write)) for table, write in named)
        statement = self._made.get(shape)
        if statement is None:
            statement = self._made[shape] = _statement(connection, named)
        positional = connection.dialect.positional
        parameters: Any = tuple(values) if positional else {f"p{place}": value for place, value in enumerate(values, 1)}
        try:
            done = connection.exec_driver_sql(statement, parameters).scalar_one()
        except IntegrityError:
            return False
        except (SQLAlchemyError, OSError) as error:
            if undone(error) or (isinstance(error, DBAPIError) and _was_answered(error)):
                raise
            connection.invalidate()
            raise OutcomeUnknown("The database did not acknowledge a commit.") from None
        if not done:
            raise Conflict("A record that a commit rests on has changed.")
        return True


def _fits(named: Named) -> bool:
    added = {table.name for table, write in named if isinstance(write, Insert)}
    return all(
        isinstance(write, Check | Insert) or not table.sides or (isinstance(write, Delete) and table.name not in added)
        for table, write in named
    )


def _is_over(connection: Connection) -> bool:
    """Whether the server has ended this connection, as far as that can be known without asking it: then a commit need not be said into the void."""
    driver: Any = connection.connection.driver_connection
    if hasattr(driver, "is_closed"):
        return bool(driver.is_closed())
    with _SELECTOR() as selector:
        selector.register(driver.fileno(), selectors.EVENT_READ)
        # It has nothing to say that was not asked for, but its farewell.
        return bool(selector.select(0))


def _was_answered(error: DBAPIError) -> bool:
    """Whether the server itself said no, and lives on. A distributed one may say that it does not know."""
    origin: Any = error.orig
    state = getattr(origin, "sqlstate", None)
    return not error.connection_invalidated and bool(state) and state not in _UNKNOWN_STATES


def _values(named: Named) -> list[Any]:
    """What the places of the statement stand for, in order. StorageError if the commit is more than a store may have to take at once."""
    values: list[Any] = []
    aside = 0
    for table, write in named:
        record = write.record
        if not isinstance(write, Insert):
            values += (key_of(record), record.version)
        if isinstance(write, Delete):
            aside += Change(table, write, record).values_aside
        if isinstance(write, Check | Delete):
            continue
        values += table.row(record, record.version + 1).values()
        if isinstance(write, Insert):
            change = Change(table, write, None)
            aside += change.values_aside
            values += ([joined(value) for value in change.new.get(name, ())] for name in table.sides)
    check_actions([write for _, write in named], aside)
    return values


def _statement(connection: Connection, named: Named) -> str:
    quote = connection.dialect.identifier_preparer.quote
    positional = connection.dialect.positional
    said = 0

    def place(kind: str) -> str:
        nonlocal said
        said += 1
        return f"CAST({f'${said}' if positional else f'%(p{said})s'} AS {kind}" + ("" if ")" in kind else ")")

    locks: list[str] = []
    changes: list[str] = []
    for table, write in named:
        name, key, held = quote(table.name), "", ""
        if not isinstance(write, Insert):
            key = place("text")
            held = f"{quote(table.key)} = {key} AND version = {place('bigint')}"
            lock = "FOR SHARE" if isinstance(write, Check) else "FOR NO KEY UPDATE"
            locks.append(f"SELECT 1 AS held FROM {name} WHERE {held} {lock}")
        if isinstance(write, Check):
            continue
        if isinstance(write, Delete):
            changes.append(f"DELETE FROM {name} WHERE {held} AND (SELECT fits FROM judged)")
            changes += (
                f"DELETE FROM {quote(table.side(side))} WHERE record = {key} AND (SELECT fits FROM judged)"
                for side in table.sides
            )
            continue
        columns = [quote(column) for column in table.row(write.record, 0)]
        row = [place(_NAMES[type(table.table.c[column].type)]) for column in table.row(write.record, 0)]
        if not isinstance(write, Insert):
            new = ", ".join(f"{column} = {value}" for column, value in zip(columns, row, strict=True))
            changes.append(f"UPDATE {name} SET {new} WHERE {held} AND (SELECT fits FROM judged)")
            continue
        changes.append(f"INSERT INTO {name} ({', '.join(columns)}) SELECT {', '.join(row)} FROM judged WHERE fits")
        key = row[columns.index(quote(table.key))]
        for side in table.sides:
            listed = f"SELECT one, {key} FROM judged, unnest({place('text[]')}) AS listed (one) WHERE fits"
            changes.append(f"INSERT INTO {quote(table.side(side))} (value, record) {listed}")
    every = " UNION ALL ".join(f"SELECT held FROM held{number}" for number in range(len(locks)))
    judged = f"SELECT count(*) = {len(locks)} AS fits FROM ({every}) AS held" if locks else "SELECT true AS fits"
    parts = [*(f"held{number} AS ({lock})" for number, lock in enumerate(locks)), f"judged AS ({judged})"]
    parts += (f"change{number} AS ({change})" for number, change in enumerate(changes))
    return f"WITH {', '.join(parts)} SELECT fits FROM judged"
