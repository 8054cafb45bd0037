"""Filters and cursors as ranges of members of sorted sets, which the scripts look up. A filter on what is not declared is an error.

Law: a member is a value, NUL, a key. A value is its texts joined by a character that sorts first (`layout.joined`), so the order of members, byte by byte, is that of
tuples and then of keys.
"""

from __future__ import annotations

import re
from typing import Any, TypeAlias

from authmw.storable import storable_text
from authmw.storage import (
    KEY,
    And,
    Between,
    Cursor,
    Description,
    Equals,
    Filter,
    Index,
    OneOf,
    Or,
    Order,
    StartsWith,
    Value,
)
from authmw_adapters.layout import SEPARATOR, behind, joined

Range: TypeAlias = tuple[str, str]
Node: TypeAlias = tuple[Any, ...]
_AND, _OR, _RANGES = 1, 2, 3
_SPELLED = {"\x02\x02": "\x01", "\x02\x03": "\x02"}
_ESCAPED = re.compile("\x02[\x02\x03]")


def compiled(described: Description, asked: Filter) -> Node:
    """A filter as the scripts take it. StorageError for an index that is not declared."""
    match asked:
        case And(parts):
            return (_AND, [compiled(described, part) for part in parts])
        case Or(parts):
            return (_OR, [compiled(described, part) for part in parts])
        case Equals(index, value):
            return _ranges(described, index, _exactly((value,)))
        case OneOf(index, values):
            return _ranges(described, index, _exactly(values))
        case Between(index, low, high):
            return _ranges(described, index, [] if high == () else [(_low(low), _high(high))])
        case StartsWith(index, prefix):
            return _starting(described, index, prefix)


def single_valued(described: Description, asked: Filter) -> bool:
    """Whether a filter is on one index of which each record has at most one value."""
    match asked:
        case Equals(index) | OneOf(index) | Between(index) | StartsWith(index):
            return index == KEY or _width(described.index(index)) is not None
        case _:
            return False


def narrowed(asked: Filter, order: Order) -> Range:
    """Where, in the index of the order, everything lies that a filter holds for."""
    low, high = "-", "+"
    for part in asked.parts if isinstance(asked, And) else (asked,):
        if isinstance(part, Equals | Between | StartsWith) and part.index == order.index:
            bounds = _bounds(part)
            low, high = _later(low, bounds[0]), _earlier(high, bounds[1])
    return low, high


def behind_cursor(among: Range, order: Order, after: Cursor | None) -> Range:
    """What of a range comes behind a cursor."""
    if after is None:
        return among
    low, high = among
    place = f"({joined(after.value)}\0{'' if order.index == KEY else after.key}"
    return (low, _earlier(high, place)) if order.descending else (_later(low, place), high)


def cursor_on(found: str, order: Order) -> Cursor:
    """The cursor that stands on a member."""
    told, _, key = found.partition("\0")
    value = tuple(_unescaped(part) for part in told.split(SEPARATOR))
    return Cursor(value, value[0] if order.index == KEY else key)


def _unescaped(part: str) -> str:
    return _ESCAPED.sub(lambda found: _SPELLED[found[0]], part)


def _ranges(described: Description, index: str, ranges: list[Range], skip: int = -1) -> Node:
    if index != KEY:
        described.index(index)
    return (_RANGES, index, ranges, skip)


def _exactly(values: tuple[Value, ...]) -> list[Range]:
    """Each value once: a range twice would be counted twice."""
    told = [joined(value) for value in dict.fromkeys(values) if value and all(map(storable_text, value))]
    return [(f"[{text}\0", f"({text}\x01") for text in told]


def _low(bound: Value | None) -> str:
    if not bound:
        return "-"
    told, whole = _storable(bound)
    return f"[{told}\0" if whole else f"[{told}"


def _high(bound: Value | None) -> str:
    if bound is None:
        return "+"
    told, whole = _storable(bound)
    return f"({told}\x01" if whole else f"({told}"


def _storable(bound: Value) -> tuple[str, bool]:
    """A bound as joined text, and whether it is a value that can be; of one that cannot, the place at which it would stand."""
    for number, text in enumerate(bound):
        for at, character in enumerate(text):
            if not storable_text(character):
                following = "\x02" if character == "\0" else "\ue000"
                before = joined((*bound[:number], text[:at]))
                return before + following, False
    return joined(bound), True


def _starting(described: Description, index: str, prefix: Value) -> Node:
    width = 1 if index == KEY else _width(described.index(index))
    if not prefix or width not in (None, len(prefix)) or not all(map(storable_text, prefix)):
        return _ranges(described, index, [])
    told = joined(prefix)
    # A longer tuple that begins alike has one more separator; where all are as long there is none to look for.
    return _ranges(described, index, [_beginning(told)], len(told.encode()) if width is None else -1)


def _beginning(told: str) -> Range:
    """What begins with a text."""
    end = behind(told)
    return (f"[{told}" if told else "-", f"({end}" if end is not None else "+")


def _bounds(part: Equals | Between | StartsWith) -> Range:
    """The range that a filter on one index is, or a wider one."""
    match part:
        case Equals(_, value):
            return _low(value), _high(value)
        case Between(_, low, high):
            return _low(low), _high(high)
        case StartsWith(_, prefix):
            return _beginning(joined(prefix)) if all(map(storable_text, prefix)) else ("-", "+")


def _later(one: str, two: str) -> str:
    """Of two lower bounds the one that admits less."""
    return max(one, two, key=lambda bound: (bound != "-", bound[1:], bound[0] == "("))


def _earlier(one: str, two: str) -> str:
    """Of two upper bounds the one that admits less."""
    return min(one, two, key=lambda bound: (bound == "+", bound[1:], bound[0] != "("))


def _width(index: Index) -> int | None:
    """How many texts each value of an index has, if it stands on fields; then a record has at most one."""
    fields: tuple[str, ...] | None = getattr(index.values, "fields", None)
    return None if fields is None else len(fields)
