"""Whether the values of a class are of the types that it declares: settings come from files and environments, where `"false"` is text and true.

Law: what is of another type is named and never shown, for it may be a secret that stands in the wrong place.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Hashable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

import attrs

_PLAIN = {"str": str, "bool": bool, "int": int, "bytes": bytes}
"""Annotations that need no reading."""


def wrong_types(one: Any, place: str = "") -> Iterator[str]:
    """Each field of an attrs value that holds something else than it is declared with. `place` stands before the names.

    Values within it are looked into if they are judged later by a `faults` of theirs; others judge themselves when they are made. What a class itself supplies is taken as it is, so that what is not set costs nothing: an annotation is read only where somebody gave a value.
    """
    declared = cast("Any", type(one))
    for field in attrs.fields(declared):
        if not field.init or _is_supplied(value := getattr(one, field.name), field.default):
            continue
        named = f"{place}{field.name}"
        if not _is_made_by(value, field.default):
            hint = _hint(declared, field.name)
            if not is_of(value, hint):
                yield f"{named} {_expected(hint)}."
                continue
        for held in _within(value):
            if hasattr(type(held), "faults"):
                yield from wrong_types(held, f"{named}.")


def _is_supplied(value: object, default: object) -> bool:
    if value is default or (type(value) is type(default) and value == default):
        return True
    factory: Any = getattr(default, "factory", None)
    return factory is not None and not value and isinstance(value, get_origin(factory) or type(None))


def _is_made_by(value: object, default: object) -> bool:
    """Whether a value is as a field's factory makes them, apart from what stands within it."""
    factory: Any = getattr(default, "factory", None)
    return factory is not None and type(value) is factory


def _within(value: object) -> Iterable[object]:
    """A value, or what a collection of values holds."""
    return cast("Iterable[object]", value) if isinstance(value, (tuple, frozenset)) else (value,)


@cache
def _hint(declared: Hashable, name: str) -> Any:
    """The type of one field, of whichever class in the line of inheritance declares it."""
    for one in cast("type", declared).__mro__:
        annotation = vars(one).get("__annotations__", {}).get(name)
        if annotation is not None:
            lone = types.SimpleNamespace(__annotations__={name: annotation})
            known = vars(sys.modules[one.__module__])
            # Most are one name, for which nothing needs to be compiled.
            return _PLAIN.get(annotation) or known.get(annotation) or get_type_hints(lone, known)[name]
    raise AttributeError(name)


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
