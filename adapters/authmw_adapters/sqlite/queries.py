"""Filters, orders and cursors as SQL. Every value is a parameter; every name comes from a declaration and is quoted.

Law: text is compared by its bytes (SQLite's BINARY collation), which in UTF-8 is the order of code points. A filter on what is not declared is an error.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from authmw.storage import (
    And,
    Between,
    Cursor,
    Equals,
    Filter,
    OneOf,
    Or,
    Order,
    StartsWith,
    Value,
)
from authmw_adapters.layout import SEPARATOR, behind, joined
from authmw_adapters.sqlite.tables import Table

Clause: TypeAlias = tuple[str, list[Any]]
_NONE: Clause = ("0", [])
_ALL: Clause = ("1", [])


def where(table: Table[Any], asked: Filter) -> Clause:
    """A filter as a condition on the table `t`."""
    match asked:
        case And(parts):
            return _combined([where(table, part) for part in parts], " AND ", _ALL)
        case Or(parts):
            return _combined([where(table, part) for part in parts], " OR ", _NONE)
        case Equals(index, value):
            return _one_of(table, index, (value,))
        case OneOf(index, values):
            return _one_of(table, index, values)
        case Between(index, low, high):
            return _between(table, index, low, high)
        case StartsWith(index, prefix):
            return _starting(table, index, prefix)


def counting(table: Table[Any], asked: Filter, at_most: int) -> Clause:
    """The statement that counts what a filter holds for, up to `at_most`."""
    sql, values = where(table, asked)
    return f'SELECT count(*) FROM (SELECT 1 FROM "{table.name}" AS t WHERE {sql} LIMIT ?)', [*values, at_most]


def paging(table: Table[Any], asked: Filter, order: Order, after: Cursor | None, limit: int) -> Clause:
    """The statement for one page. StorageError for an index that cannot order."""
    columns = table.ordering(order)
    source = f'"{table.name}" AS t'
    if columns is None:
        source += f' JOIN "{table.side(order.index)}" AS o ON o."record" = t."{table.key}"'
        places = ['o."value"', 'o."record"']
    else:
        places = [f't."{column}"' for column in dict.fromkeys((*columns, table.key))]
    sql, values = where(table, asked)
    if after is not None:
        sign = "<" if order.descending else ">"
        sql += f" AND ({', '.join(places)}) {sign} ({_marks(len(places))})"
        values = [*values, *table.texts_at(after, columns)]
    direction = "DESC" if order.descending else "ASC"
    by = ", ".join(f"{place} {direction}" for place in places)
    return f"SELECT {table.selected} FROM {source} WHERE {sql} ORDER BY {by} LIMIT ?", [*values, limit]


def _combined(clauses: list[Clause], word: str, empty: Clause) -> Clause:
    if not clauses:
        return empty
    return f"({word.join(sql for sql, _ in clauses)})", [value for _, values in clauses for value in values]


def _marks(many: int) -> str:
    return ", ".join("?" * many)


def _in_side(table: Table[Any], index: str, test: str, values: list[Any]) -> Clause:
    return f't."{table.key}" IN (SELECT s."record" FROM "{table.side(index)}" AS s WHERE {test})', values


def _one_of(table: Table[Any], index: str, asked: tuple[Value, ...]) -> Clause:
    columns = table.columns_of(index)
    if columns is None:
        texts = [joined(value) for value in asked if value]
        return _in_side(table, index, f's."value" IN ({_marks(len(texts))})', texts)
    fitting = [value for value in asked if len(value) == len(columns)]
    if not fitting:
        return _NONE
    if len(columns) == 1:
        return f't."{columns[0]}" IN ({_marks(len(fitting))})', [value[0] for value in fitting]
    rows = ", ".join(f"({_marks(len(columns))})" for _ in fitting)
    listed = ", ".join(f't."{column}"' for column in columns)
    return f"({listed}) IN (VALUES {rows})", [text for value in fitting for text in value]


def _between(table: Table[Any], index: str, low: Value | None, high: Value | None) -> Clause:
    if high == ():
        return _NONE
    columns = table.columns_of(index)
    if columns is None:
        bounds = [('s."value" >= ?', low), ('s."value" <= ?', high)]
        told = [(test, joined(value)) for test, value in bounds if value]
        return _in_side(table, index, " AND ".join(test for test, _ in told) or "1", [text for _, text in told])
    tests = [f't."{column}" IS NOT NULL' for column in columns if table.columns[column].optional]
    values: list[str] = []
    for sign, bound in (_low(low, len(columns)), _high(high, len(columns))):
        if bound:
            listed = ", ".join(f't."{column}"' for column in columns[: len(bound)])
            tests.append(f"({listed}) {sign} ({_marks(len(bound))})")
            values += bound
    return (f"({' AND '.join(tests)})", values) if tests else _ALL


def _low(bound: Value | None, width: int) -> tuple[str, Value]:
    """A lower bound on tuples of `width`: a longer one comes behind each tuple that it begins with."""
    bound = bound or ()
    return (">=" if len(bound) <= width else ">", bound[:width])


def _high(bound: Value | None, width: int) -> tuple[str, Value]:
    """An upper bound on tuples of `width`: a shorter one comes before each tuple that begins with it."""
    bound = bound or ()
    return ("<=" if len(bound) >= width else "<", bound[:width])


def _starting(table: Table[Any], index: str, prefix: Value) -> Clause:
    columns = table.columns_of(index)
    if not prefix:
        return _NONE
    if columns is None:
        text = joined(prefix)
        test, values = _range('s."value"', text)
        # A longer tuple that begins alike has one more separator.
        return _in_side(
            table, index, f'{test} AND instr(substr(s."value", ?), ?) = 0', [*values, len(text) + 1, SEPARATOR]
        )
    if len(prefix) != len(columns):
        return _NONE
    test, values = _range(f't."{columns[-1]}"', prefix[-1])
    tests = [f't."{column}" = ?' for column in columns[:-1]]
    return f"({' AND '.join([*tests, test])})", [*prefix[:-1], *values]


def _range(place: str, prefix: str) -> tuple[str, list[str]]:
    end = behind(prefix)
    if end is None:
        return f"{place} >= ?", [prefix]
    return f"{place} >= ? AND {place} < ?", [prefix, end]
