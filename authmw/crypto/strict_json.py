"""One strict reading of a JSON object that somebody signed, or says to have signed (RFC 8725 section 2.4).

Law: what two parsers could read differently is refused: a name that stands twice at any depth, NaN, numbers that no double or 64 bits hold, half a surrogate pair,
bytes that are not UTF-8.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn, cast

_SMALLEST = -(2**63)
_LARGEST = 2**64 - 1


def strict_object(data: bytes | str) -> dict[str, Any]:
    """The members of one JSON object. Raises ValueError for anything else, RecursionError for one that is nested too deeply; neither holds a part of it
    that may be shown.
    """
    text = data if isinstance(data, str) else data.decode("utf-8")
    value = _READER.decode(text)
    if not isinstance(value, dict):
        _refuse("This is not a JSON object.")
    if "\\u" in text:
        json.dumps(value, ensure_ascii=False).encode(
            "utf-8"
        )  # UnicodeEncodeError, a ValueError, for half a surrogate pair
    return cast("dict[str, Any]", value)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        _refuse("A name stands twice.")
    return members


def _refuse(why: str) -> NoReturn:
    raise ValueError(why)


def _no_constant(_name: str) -> NoReturn:
    _refuse("A number is not finite.")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_constant(text)


def _in_64_bits(text: str) -> int:
    number = int(text)
    return number if _SMALLEST <= number <= _LARGEST else _refuse("An integer needs more than 64 bits.")


_READER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite, parse_int=_in_64_bits
)
