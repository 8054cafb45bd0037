"""The declaration of one operation: what its signature says, as decoders for the wire and for Python calls.

Law: nothing about an operation is written twice; a value that is out of its bounds is refused by its path and never echoed.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias, cast, get_args, get_type_hints

import msgspec
from msgspec import UNSET, UnsetType

from authmw.error_types.fields import refusal_of
from authmw.errors import Refused
from authmw.parameters import Attributes
from authmw.typed import convert

Method: TypeAlias = Literal["GET", "POST", "PUT", "DELETE"]
Source: TypeAlias = Literal["DIRECT", "DASHBOARD", "SCIM"]
Door: TypeAlias = Literal["backend", "oauth", "navigation"]
"""Which room of `http` answers an operation: the backend API, the endpoints of OAuth, where clients prove who they are by a protocol of their own, or the addresses that a
browser is led to."""


class Operation:
    """The declaration of one operation. What is built from it is built on first use."""

    def __init__(
        self,
        function: Callable[..., Any],
        method: Method,
        path: str,
        action: str,
        door: Door = "backend",
        grant: str = "",
        source: Source | None = None,
    ) -> None:
        self.function = function
        self.method = method
        self.path = path
        self.action = action
        self.door = door
        self.grant = grant
        self.source = source
        self.signature = inspect.signature(function)
        self.places = tuple(re.findall(r"\{(\w+)\}", path))
        parameters = list(self.signature.parameters.values())[1:]
        for parameter in parameters:
            if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
                message = f"{function.__qualname__}: {parameter.name} must be keyword-only."
                raise TypeError(message)
        missing = set(self.places) - {parameter.name for parameter in parameters}
        if missing:
            message = f"{function.__qualname__}: the path names {', '.join(sorted(missing))}, the signature does not."
            raise TypeError(message)

    def __repr__(self) -> str:
        return f"<operation {self.method} {self.path}>"

    @functools.cached_property
    def hints(self) -> dict[str, Any]:
        """The annotations of the method, resolved, with their bounds."""
        return get_type_hints(self.function, include_extras=True)

    @functools.cached_property
    def answer(self) -> type[msgspec.Struct]:
        """The type of the answer."""
        return cast("type[msgspec.Struct]", self.hints["return"])

    @functools.cached_property
    def nullable(self) -> frozenset[str]:
        """The parameters for which null is a value of its own."""
        return frozenset(name for name, hint in self.hints.items() if _admits_none(hint))

    @functools.cached_property
    def objects(self) -> dict[str, type[msgspec.Struct]]:
        """The parameters whose values are objects of a declared shape, or lists of them."""
        return {name: shape for name, hint in self.hints.items() if (shape := _shape_in(hint)) is not None}

    @functools.cached_property
    def body(self) -> type[msgspec.Struct]:
        """All parameters but those of the path; each with a default may be absent or null."""
        return self._struct("Body", [name for name in self._names() if name not in self.places], lenient=True)

    @functools.cached_property
    def place(self) -> type[msgspec.Struct]:
        """The parameters of the path."""
        return self._struct("Place", list(self.places), lenient=False)

    @functools.cached_property
    def request(self) -> type[msgspec.Struct]:
        """The whole signature."""
        return self._struct("Request", self._names(), lenient=True)

    def _names(self) -> list[str]:
        return list(self.signature.parameters)[1:]

    def _struct(self, suffix: str, names: list[str], *, lenient: bool) -> type[msgspec.Struct]:
        fields: list[Any] = []
        for name in names:
            parameter = self.signature.parameters[name]
            if lenient and parameter.default is not inspect.Parameter.empty:
                fields.append((name, self.hints[name] | None | UnsetType, UNSET))
            else:
                fields.append((name, self.hints[name]))
        return msgspec.defstruct(self.action + suffix, fields, kw_only=True, module=self.function.__module__)

    def arguments(
        self, values: Mapping[str, Any], struct: type[msgspec.Struct], *, strict: bool = True
    ) -> dict[str, Any]:
        """The keyword arguments that a mapping of plain values stands for, held to the bounds. Refused with the path of the first fault."""
        try:
            given = {name: without_null(value, self.objects.get(name)) for name, value in values.items()}
            decoded = convert(given, struct, strict=strict)
        except (msgspec.ValidationError, RecursionError) as fault:
            raise Refused(self._refusal(fault), describe_fault(fault)) from None
        return {
            name: value.checked() if isinstance(value, Attributes) else value
            for name in struct.__struct_fields__
            if (value := getattr(decoded, name)) is not UNSET
            and (value is not None or name in self.nullable or name not in self.signature.parameters)
        }

    def _refusal(self, fault: Exception) -> str:
        """The protocol of OAuth has codes of its own, so only the other doors tell which field was at fault."""
        text = str(fault)
        at = _AT.search(text)
        if self.door == "oauth" or at is None or _MISSING.match(text):
            return "bad_request"
        return refusal_of(self.path.split("/")[2], at.group(1), shaped=", got `" not in text)

    def check(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Hold the arguments of a Python call to the bounds of the wire."""
        unknown = arguments.keys() - self.signature.parameters.keys()
        if unknown:
            message = f"{self.function.__qualname__}() has no parameter {', '.join(sorted(unknown))}."
            raise TypeError(message)
        plain = {name: msgspec.to_builtins(value) for name, value in arguments.items() if value is not UNSET}
        return self.arguments(plain, self.request)


def _admits_none(hint: Any) -> bool:
    return type(None) in getattr(hint, "__args__", ()) or hint is type(None)


def _shape_in(hint: object) -> type[msgspec.Struct] | None:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return hint
    return next((shape for one in get_args(hint) if (shape := _shape_in(one)) is not None), None)


@functools.cache
def _fields_of(shape: type[msgspec.Struct]) -> dict[str, tuple[bool, type[msgspec.Struct] | None]]:
    """Of each field whether null means that it was not given, and the shape of its value if that is an object."""
    return {
        field.encode_name: (not field.required and not _admits_none(field.type), _shape_in(field.type))
        for field in msgspec.structs.fields(shape)
    }


def without_null(value: Any, shape: type[msgspec.Struct] | None) -> Any:
    """An object with the nulls left out that mean "not given", as they do in the signature: clients send each field of theirs."""
    if shape is None:
        return value
    if isinstance(value, list):
        return [without_null(one, shape) for one in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    fields = _fields_of(shape)
    kept: dict[str, object] = {}
    for name, inner in cast("dict[str, object]", value).items():
        optional, its_shape = fields.get(name, (False, None))
        if inner is not None or not optional:
            kept[name] = without_null(inner, its_shape)
    return kept


_AT = re.compile(r" - at `(\$[^`]*)`\Z")
_MISSING = re.compile(r"\AObject missing required field `(\w+)`")


def describe_fault(fault: Exception) -> str:
    """What is wrong with a value and where, in words that never hold the value itself."""
    text = str(fault)
    at = _AT.search(text)
    path = at.group(1) if at else "$"
    words = text[: at.start()] if at else text
    missing = _MISSING.match(words)
    if missing:
        return f"`{path}.{missing.group(1)}` is required."
    if words.startswith("Expected ") and "matching regex" not in words:
        return f"`{path}`: {words}."
    return f"`{path}` is not valid."
