"""Whether the values of a class are of the types that it declares: settings come from files and environments, where `"false"` is text and true.

Law: what is of another type is named and never shown, for it may be a secret that stands in the wrong place.
"""

from __future__ import annotations

import types
from collections.abc import Hashable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

import attrs


def wrong_types(one: Any, place: str = "") -> Iterator[str]:
    """Each field of an attrs value, and of those within it, that holds something else than it is declared with. `place` stands before the names."""
    declared = cast("Any", type(one))
    hints = _hints(declared)
    for field in attrs.fields(declared):
        if not field.init:
            continue
        value, named = getattr(one, field.name), f"{place}{field.name}"
        if not is_of(value, hints[field.name]):
            yield f"{named} {_expected(hints[field.name])}."
            continue
        for held in _within(value):
            if attrs.has(type(held)):
                yield from wrong_types(held, f"{named}.")


def _within(value: object) -> Iterable[object]:
    """A value, or what a collection of values holds."""
    return cast("Iterable[object]", value) if isinstance(value, (tuple, frozenset)) else (value,)


@cache
def _hints(declared: Hashable) -> dict[str, Any]:
    return get_type_hints(declared)


def is_of(value: object, hint: Any) -> bool:
    """Whether a value is of a type as annotations spell it. True and False are no numbers; a text is no collection of texts."""
    if hint is Any or hint is object:
        return True
    if hint is None or hint is types.NoneType:
        return value is None
    origin, within = get_origin(hint), get_args(hint)
    if origin is Literal:
        return any(type(value) is type(one) and value == one for one in within)
    if origin in {Union, types.UnionType}:
        return any(is_of(value, one) for one in within)
    if origin is not None:
        return _holds(value, origin, within)
    if hint in {int, float}:
        return isinstance(value, (int, float) if hint is float else int) and not isinstance(value, bool)
    return isinstance(value, hint)


def _holds(value: object, origin: type, within: tuple[Any, ...]) -> bool:
    if not isinstance(value, origin) or isinstance(value, (str, bytes)):
        return False
    if isinstance(value, Mapping):
        pairs = cast("Mapping[object, object]", value).items()
        return all(is_of(name, within[0]) and is_of(held, within[1]) for name, held in pairs)
    if origin is tuple and within[-1] is not Ellipsis:
        held = cast("tuple[object, ...]", value)
        return len(held) == len(within) and all(map(is_of, held, within))
    return all(is_of(held, within[0]) for held in cast("Iterable[object]", value))


def _expected(hint: Any) -> str:
    for one in (hint, *get_args(hint)):
        if get_origin(one) is Literal:
            several = get_origin(hint) in {tuple, frozenset}
            return ("may name " if several else "may be ") + ", ".join(str(known) for known in get_args(one))
    return "is of another type than it is declared with"
