"""Strict reading of request bodies: one JSON object, or one HTML form.

Law: a body is parsed once, here, and everything two parsers could read differently is refused (duplicate names, NaN,
bad UTF-8, lone surrogates, NUL, numbers that do not survive 64 bits). Work is linear in the length. A refusal says
what kind of fault it was, never a value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from contextlib import suppress
from typing import Any, TypeAlias, cast
from urllib.parse import unquote_to_bytes

import msgspec

from authmw.errors import Refused

MAXIMUM_BODY = 64 * 1024
"""Bytes of the largest body that is read (RAT-06); SAML responses have their own limit."""

MAXIMUM_DEPTH = 20
"""Objects and arrays inside each other, the outermost counted."""

MAXIMUM_FIELDS = 100
"""Fields of one form; ours have fewer than ten, an identity provider's a few more."""

_JSON_TYPE = re.compile(r'application/json[ \t]*(?:;[ \t]*charset=(?:utf-8|"utf-8")[ \t]*)?', re.ASCII | re.IGNORECASE)
_FORM_TYPE = re.compile(
    r'application/x-www-form-urlencoded[ \t]*(?:;[ \t]*charset=(?:utf-8|"utf-8")[ \t]*)?', re.ASCII | re.IGNORECASE
)
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_NOT_IN_A_FORM = re.compile(rb"[\x00-\x20\x7f]")

_SMALLEST_INTEGER, _LARGEST_INTEGER = -(2**63), 2**63 - 1

_JSON: TypeAlias = "dict[str, _JSON] | list[_JSON] | str | int | float | bool | None"
_decoder = msgspec.json.Decoder(dict[str, Any])


def parse_object(body: bytes, content_type: str | None, *, required: bool = True) -> dict[str, object]:
    """The JSON object that a request carries.

    `content_type` is the header's value; only `application/json`, with no parameter but `charset=utf-8`, is read.
    `required=False` lets a method that needs no parameters come without a body (and then without a content type): the
    answer is an empty dict.

    Refused: `unsupported_media_type`; `body_too_large` over 64 KiB; `json_invalid` for anything but one object in
    strict UTF-8 (RFC 8259, I-JSON RFC 7493 sections 2.1 to 2.3), no byte order mark, at most 20 levels deep, no name
    twice in one object, integers within 64 bits signed, finite floats, no NUL and no lone surrogate in names or
    strings.
    """
    if not body and not required:
        return {}
    if content_type != "application/json" and not _JSON_TYPE.fullmatch((content_type or "").strip(" \t")):
        raise Refused("unsupported_media_type")
    if len(body) > MAXIMUM_BODY:
        raise _too_large(body)
    try:
        value = cast("dict[str, _JSON]", _decoder.decode(body))
    except UnicodeDecodeError:
        raise _invalid("it is not UTF-8") from None
    except RecursionError:
        raise _invalid("it is nested too deeply") from None
    except msgspec.MsgspecError:
        raise _invalid("it is malformed, not an object, or holds a number out of range") from None
    escaped = b"\\" in body
    colons = _measure(value, 1, escaped=escaped)
    if escaped or colons != body.count(b":"):
        _refuse_duplicates(body)
    return cast("dict[str, object]", value)


def _too_large(body: bytes) -> Refused:
    """What to say of a body over the limit: an endless nest is no JSON of ours at any length; the first 64 KiB tell."""
    try:
        with suppress(msgspec.MsgspecError, UnicodeDecodeError):
            _decoder.decode(body[:MAXIMUM_BODY])
    except RecursionError:
        return _invalid("it is nested too deeply")
    return Refused("body_too_large")


def _invalid(why: str) -> Refused:
    return Refused("json_invalid", f"The body is not one valid JSON object: {why}.")


def _measure(value: dict[str, _JSON] | list[_JSON], depth: int, *, escaped: bool) -> int:
    """How many colons a text without escapes and without lost members has for this value; refuses what its leaves may
    not be.

    Each member has one colon, each colon inside a string stands for itself. A member that was lost to a later one of
    the same name had a colon too, so a text in which a name stands twice always has more colons than this: equality
    proves that there are no duplicates, at a fifth of what a second parse costs. With escapes (`\\u003a`) the count
    proves nothing; the caller then parses again.
    """
    if depth > MAXIMUM_DEPTH:
        raise _invalid("it is nested too deeply")
    colons = 0
    leaves: list[_JSON] = []
    if isinstance(value, dict):
        colons += len(value)
        for name, leaf in value.items():
            colons += name.count(":")
            if escaped and "\0" in name:
                raise _invalid("a name holds a NUL")
            leaves.append(leaf)
    else:
        leaves = value
    for leaf in leaves:
        if isinstance(leaf, str):
            colons += leaf.count(":")
            if escaped and "\0" in leaf:
                raise _invalid("a string holds a NUL")
        elif isinstance(leaf, int):
            if not _SMALLEST_INTEGER <= leaf <= _LARGEST_INTEGER:
                raise _invalid("an integer needs more than 64 bits")
        elif isinstance(leaf, (dict, list)):
            colons += _measure(leaf, depth + 1, escaped=escaped)
    return colons


def _sole_names(pairs: list[tuple[str, object]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise _invalid("a name stands twice in one object")


# Numbers stay text: they were judged already, and turning a long one into an integer twice is work for nothing.
_second_reader = json.JSONDecoder(object_pairs_hook=_sole_names, parse_int=str, parse_float=str)


def _refuse_duplicates(body: bytes) -> None:
    # Safe from RecursionError and from a disagreement about the grammar: msgspec, the stricter of the two, took the
    # text, and it is shallow.
    _second_reader.decode(body.decode())


def parse_form(
    body: bytes, content_type: str | None, *, maximum: int = MAXIMUM_BODY, several: Collection[str] = ()
) -> dict[str, str]:
    """The fields of an `application/x-www-form-urlencoded` body (WHATWG URL section 5.1), for pages and protocol
    endpoints.

    `maximum` is in bytes. An empty body has no fields. Fields of `several` may stand several times; their values are joined by
    spaces.

    Refused: `unsupported_media_type`; `body_too_large`; `bad_request` for a field without `=` or without a name, a
    name that stands twice, a `%` that starts no escape, a raw control character or space, bytes that are not UTF-8, a
    NUL, or more than 100 fields.
    """
    if not _FORM_TYPE.fullmatch((content_type or "").strip(" \t")):
        raise Refused("unsupported_media_type", "The body must be application/x-www-form-urlencoded.")
    if len(body) > maximum:
        raise Refused("body_too_large")
    if not body:
        return {}
    if _BAD_ESCAPE.search(body) or _NOT_IN_A_FORM.search(body):
        raise _invalid_form("it is not percent-encoded as a form must be")
    if body.count(b"&") >= MAXIMUM_FIELDS:
        raise _invalid_form("it has too many fields")
    fields: dict[str, str] = {}
    for pair in body.split(b"&"):
        raw_name, equals, raw_value = pair.partition(b"=")
        name, value = _form_text(raw_name), _form_text(raw_value)
        if not equals or not name:
            raise _invalid_form("a field has no name or no value")
        if name in several and name in fields:
            value = f"{fields[name]} {value}"
        elif name in fields:
            raise _invalid_form("a field stands twice")
        fields[name] = value
    return fields


def _invalid_form(why: str) -> Refused:
    return Refused("bad_request", f"The form is not valid: {why}.")


def _form_text(raw: bytes) -> str:
    try:
        text = unquote_to_bytes(raw.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise _invalid_form("it is not UTF-8") from None
    if "\0" in text:
        raise _invalid_form("a field holds a NUL")
    return text
