"""Filters, orders and cursors as conditions of SQLAlchemy. A filter on what is not declared is an error.

Law: an index value is text. Where it stands in a column of times, a bound that is no moment is moved to the next moment there is, so that the answer is that
of comparing texts.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import sqlalchemy as sa

from authmw.storage import And, Between, Cursor, Equals, Filter, OneOf, Or, Order, StartsWith, Value, moment
from authmw_adapters.layout import SEPARATOR, behind, joined
from authmw_adapters.sqlalchemy.tables import Table
from authmw_adapters.sqlalchemy.types import Moment

Condition: TypeAlias = sa.ColumnElement[bool]
Keys: TypeAlias = "sa.Select[Any]"
_FIRST = datetime.min.replace(tzinfo=UTC)
_MOMENTS = range((datetime.max.replace(tzinfo=UTC) - _FIRST) // timedelta(microseconds=1) + 1)


def paging(table: Table[Any], asked: Filter, order: Order, after: Cursor | None, limit: int) -> sa.Select[Any]:
    """The statement for one page. StorageError for an index that cannot order."""
    columns = table.ordering(order)
    page = table.selected
    if columns is None:
        side = table.side_tables[order.index]
        page = page.join(side, side.c.record == table.place)
        places: list[Any] = [side.c.value, side.c.record]
    else:
        places = [table.table.c[column] for column in dict.fromkeys((*columns, table.key))]
    page = page.where(where(table, asked))
    if after is not None:
        begun = table.texts_at(after, columns)
        page = page.where(_compared(places, begun, "<" if order.descending else ">"))
    return page.order_by(*(place.desc() if order.descending else place.asc() for place in places)).limit(limit)


def counting(table: Table[Any], asked: Filter, at_most: int) -> sa.Select[Any]:
    """The statement that counts what a filter holds for, up to `at_most`."""
    found = sa.select(sa.literal(1)).select_from(table.table).where(where(table, asked)).limit(at_most).subquery()
    return sa.select(sa.func.count()).select_from(found)


def where(table: Table[Any], asked: Filter) -> Condition:
    """A filter as a condition."""
    found = _found(table, asked)
    return table.place.in_(found) if isinstance(found, sa.Select) else found


def _found(table: Table[Any], asked: Filter) -> Condition | Keys:
    """The same, or the keys that a side table has for it."""
    match asked:
        case And(parts):
            return sa.and_(sa.true(), *(where(table, part) for part in parts))
        case Or(parts):
            return _any(table, [_found(table, part) for part in parts])
        case Equals(index, value):
            return _one_of(table, index, (value,))
        case OneOf(index, values):
            return _one_of(table, index, values)
        case Between(index, low, high):
            return _between(table, index, low, high)
        case StartsWith(index, prefix):
            return _starting(table, index, prefix)


def _any(table: Table[Any], found: list[Condition | Keys]) -> Condition | Keys:
    """Either of them. What side tables have is gathered first: of several lists of keys with OR between them, PostgreSQL looks through the whole table."""
    keys = [one for one in found if isinstance(one, sa.Select)]
    conditions = [one for one in found if not isinstance(one, sa.Select)]
    gathered = keys[0] if len(keys) == 1 else None
    if len(keys) > 1:
        gathered = sa.select(sa.union_all(*keys).subquery().c.record)
    if gathered is None:
        return sa.or_(sa.false(), *conditions)
    return sa.or_(*conditions, table.place.in_(gathered)) if conditions else gathered


def _in_side(table: Table[Any], index: str, *tests: Condition) -> Keys:
    return sa.select(table.side_tables[index].c.record).where(*tests)


def _one_of(table: Table[Any], index: str, asked: tuple[Value, ...]) -> Condition | Keys:
    names = table.columns_of(index)
    if names is None:
        return _in_side(table, index, table.side_tables[index].c.value.in_([joined(value) for value in asked if value]))
    columns = [table.table.c[name] for name in names]
    fitting = [_exactly(columns, value) for value in asked if len(value) == len(columns)]
    found = [values for values in fitting if values is not None]
    if not found:
        return sa.false()
    if len(columns) == 1:
        return columns[0].in_([value for (value,) in found])
    return sa.or_(*(sa.and_(*(c == v for c, v in zip(columns, values, strict=True))) for values in found))


def _between(table: Table[Any], index: str, low: Value | None, high: Value | None) -> Condition | Keys:
    if high == ():
        return sa.false()
    names = table.columns_of(index)
    if names is None:
        value = table.side_tables[index].c.value
        bounds = [value >= joined(low)] if low else []
        bounds += [value <= joined(high)] if high else []
        return _in_side(table, index, *bounds or [sa.true()])
    columns = [table.table.c[name] for name in names]
    tests: list[Condition] = [column.is_not(None) for column in columns if column.nullable]
    if low:
        # A longer bound comes behind each tuple that it begins with, and a shorter one before.
        tests.append(_compared(columns, low[: len(columns)], ">=" if len(low) <= len(columns) else ">"))
    if high:
        tests.append(_compared(columns, high[: len(columns)], "<=" if len(high) >= len(columns) else "<"))
    return sa.and_(sa.true(), *tests)


def _starting(table: Table[Any], index: str, prefix: Value) -> Condition | Keys:
    names = table.columns_of(index)
    if not prefix:
        return sa.false()
    if names is None:
        value, text = table.side_tables[index].c.value, joined(prefix)
        # A longer tuple that begins alike has one more separator.
        longer = sa.func.substr(value, len(text) + 1).contains(SEPARATOR)
        return _in_side(table, index, *_range(value, text), sa.not_(longer))
    if len(prefix) != len(names):
        return sa.false()
    columns = [table.table.c[name] for name in names]
    before = _exactly(columns[:-1], prefix[:-1])
    if before is None:
        return sa.false()
    equal = (column == value for column, value in zip(columns[:-1], before, strict=True))
    return sa.and_(sa.true(), *equal, *_range(columns[-1], prefix[-1]))


def _range(column: sa.ColumnElement[Any], prefix: str) -> list[Condition]:
    end = behind(prefix)
    tests = [_compared([column], [prefix], ">=")]
    return tests if end is None else [*tests, _compared([column], [end], "<")]


# Columns against texts


def _exactly(columns: Sequence[sa.ColumnElement[Any]], texts: Sequence[str]) -> list[Any] | None:
    """The values of columns that these texts spell; None if one spells none."""
    values = [_moment(text) if _is_time(column) else text for column, text in zip(columns, texts, strict=True)]
    return None if None in values else values


def _compared(columns: Sequence[sa.ColumnElement[Any]], texts: Sequence[str], sign: str) -> Condition:
    """The first columns compared with as many texts, as tuples of text are compared."""
    values: list[Any] = []
    for column, text in zip(columns, texts, strict=False):
        value = _moment(text) if _is_time(column) else text
        if value is not None:
            values.append(value)
            continue
        # No moment is spelled so: what decides is whether the column is before or behind this text, and nothing after it counts.
        upwards = sign in (">", ">=")
        following = _following(text)
        if following is None:
            sign = ">" if upwards else "<="
        else:
            values.append(following)
            sign = ">=" if upwards else "<"
        break
    if not values:
        return sa.true() if sign == "<=" else sa.false()
    return _tuples(columns[: len(values)], values, sign)


def _tuples(columns: Sequence[sa.ColumnElement[Any]], values: Sequence[Any], sign: str) -> Condition:
    """`(a, b) sign (x, y)`, spelled so that every database finds its way by an index."""
    *before, column = columns
    *known, value = values
    test: Condition = column.op(sign, is_comparison=True)(sa.literal(value, column.type))
    strict = sign[0]
    for outer, bound in zip(reversed(before), reversed(known), strict=True):
        told = sa.literal(bound, outer.type)
        farther = outer.op(strict, is_comparison=True)(told)
        test = sa.and_(outer.op(f"{strict}=", is_comparison=True)(told), sa.or_(farther, test))
    return test


def _is_time(column: sa.ColumnElement[Any]) -> bool:
    return isinstance(column.type, Moment)


def _moment(text: str) -> datetime | None:
    """The moment that this text spells as an index does, or None."""
    try:
        told = datetime.fromisoformat(text)
        return told if told.tzinfo and moment(told) == text else None
    except (ValueError, OverflowError):
        return None


def _following(text: str) -> datetime | None:
    """The first moment whose spelling is not before this text; None if there is none."""
    steps = bisect_left(_MOMENTS, text, key=lambda step: moment(_FIRST + timedelta(microseconds=step)))
    return _FIRST + timedelta(microseconds=steps) if steps < len(_MOMENTS) else None
