"""What every store can hold, so that no adapter has to find out: the same refusal everywhere, before anything is written.

Law: text is Unicode without NUL, integers have 64 bits, times have a zone, numbers are finite, and what hides in a dict of unknown values is JSON. What a store
looks for is short: a key has at most `MAX_KEY` characters, an index value `MAX_VALUE` together, and a text in an index by fields `longest_text`. InnoDB is the narrowest:
it takes 3,072 bytes of four-byte characters in one index, and each index ends in the key.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from enum import Enum
from typing import Any

import attrs

from authmw.errors import StorageError
from authmw.storage import MAX_ACTIONS, MAX_WRITES, Index, Insert, Record, Update, Value, Write, description, key_of

MAX_KEY = 160
"""Characters of a key."""
MAX_VALUE = 600
"""Characters of an index value, all of its texts together, with one between each two; U+0001 and U+0002 count twice."""
_LARGEST = 2**63 - 1
_MAX_FIELD = 255
_fields: dict[type, tuple[str, ...]] = {}


def check_commit(writes: Sequence[Write]) -> None:
    """Look a commit over before it is tried. Raises StorageError for too many writes, a key named twice, or a value that not every store can hold."""
    if len(writes) > MAX_WRITES:
        message = f"A commit names at most {MAX_WRITES} records."
        raise StorageError(message)
    if len({(type(write.record), key_of(write.record)) for write in writes}) < len(writes):
        raise StorageError("A commit names each record once.")
    for write in writes:
        if isinstance(write, Insert | Update):
            check_record(write.record)


def check_actions(writes: Sequence[Write], changed: int) -> None:
    """Raises StorageError if a commit is more than a store may have to take at once. `changed`: how many values of indexes that are `aside` come and go."""
    if len(writes) + changed > MAX_ACTIONS:
        message = f"A commit makes at most {MAX_ACTIONS} actions."
        raise StorageError(message)


def check_record(record: Record) -> None:
    """Raises StorageError if a record has no key, or holds what not every store can hold or look for. The error does not say what it was."""
    if not key_of(record):
        raise StorageError("A record without a key cannot be stored.")
    if len(key_of(record)) > MAX_KEY:
        message = f"A key of more than {MAX_KEY} characters cannot be stored."
        raise StorageError(message)
    _check_fields(record)
    for index in description(type(record)).indexes:
        if _is_too_long(record, index):
            message = f"A value of the index {index.name} is longer than a store can look for."
            raise StorageError(message)


def _is_too_long(record: Record, index: Index) -> bool:
    if index.unique or index.fields is None:
        return any(_length(value) > MAX_VALUE for value in index.of(record))
    most = longest_text(len(index.fields))
    return any(isinstance(text := getattr(record, field), str) and len(text) > most for field in index.fields)


def _length(value: Value) -> int:
    return sum(len(text) + text.count("\x01") + text.count("\x02") for text in value) + len(value) - 1


def longest_text(fields: int) -> int:
    """The most characters of a text in an index by so many fields: 255, or its share of `MAX_VALUE`."""
    return min(_MAX_FIELD, MAX_VALUE // fields)


def storable_text(text: str) -> bool:
    """Whether every store can hold this text: no NUL, no half of a surrogate pair."""
    if "\0" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def storable_value(value: Value) -> bool:
    """Whether a record can have this index value at all."""
    return bool(value) and all(storable_text(text) for text in value)


def _check_fields(value: object) -> None:
    kind = type(value)
    names = _fields.get(kind)
    if names is None:
        if isinstance(value, Enum):
            return
        if not attrs.has(kind):
            message = f"A {kind.__name__} cannot be stored."
            raise StorageError(message)
        names = _fields[kind] = tuple(field.name for field in attrs.fields(kind))
    for name in names:
        part = getattr(value, name)
        _check(part)


def _check(part: object) -> None:
    kind: type = type(part)
    _CHECKS.get(kind, _check_fields)(part)


def _check_nothing(value: object) -> None:
    """None, booleans and bytes: every store holds all of them."""


def _check_text(value: str) -> None:
    if not storable_text(value):
        raise StorageError("A text with NUL or half a character cannot be stored.")


def _check_integer(value: int) -> None:
    if not -_LARGEST <= value <= _LARGEST:
        raise StorageError("An integer of more than 64 bits cannot be stored.")


def _check_number(value: float) -> None:
    if not math.isfinite(value):
        raise StorageError("A number that is not finite cannot be stored.")


def _check_time(value: datetime) -> None:
    if value.tzinfo is None:
        raise StorageError("A time without a time zone cannot be stored.")


def _check_parts(value: Iterable[object]) -> None:
    for part in value:
        _check(part)


def _check_json(value: dict[object, object]) -> None:
    for name, part in value.items():
        _check_json_part(name)
        _check_json_part(part)


def _check_json_part(value: object) -> None:
    # JSON has no bytes and no times: what came back would not be what was stored.
    check = _JSON_CHECKS.get(type(value))
    if check is None:
        message = f"A {type(value).__name__} in a dict cannot be stored."
        raise StorageError(message)
    check(value)


def _check_json_parts(value: Iterable[object]) -> None:
    for part in value:
        _check_json_part(part)


_SCALARS: dict[type, Callable[[Any], None]] = {
    type(None): _check_nothing,
    bool: _check_nothing,
    str: _check_text,
    int: _check_integer,
    float: _check_number,
    dict: _check_json,
}
_JSON_CHECKS: dict[type, Callable[[Any], None]] = {**_SCALARS, tuple: _check_json_parts, list: _check_json_parts}
_CHECKS: dict[type, Callable[[Any], None]] = {
    **_SCALARS,
    bytes: _check_nothing,
    datetime: _check_time,
    tuple: _check_parts,
    list: _check_parts,
    set: _check_parts,
    frozenset: _check_parts,
}
