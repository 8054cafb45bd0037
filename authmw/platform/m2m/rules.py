"""Pure decisions about machines: which scopes one may have, ask for and be let through by, and which clients a search means."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from authmw.errors import Refused
from authmw.identifiers import is_own_id
from authmw.scopes import is_scope
from authmw.storage import And, Filter, OneOf, Or

MAXIMUM_SCOPES = 40
"""The most scopes of one client."""
_OWN_PREFIX = "m2m-client-"


def checked_client_id(text: str) -> str:
    """A client id that a caller brought. Refused if it could pass for an id of ours of another kind."""
    if is_own_id(text) and not text.startswith(_OWN_PREFIX):
        raise Refused("m2m_client_invalid_client_id")
    return text


def checked_scopes(scopes: Sequence[str]) -> tuple[str, ...]:
    """The scopes of a client, each once, in their order. Refused for more than 50, or what is no scope token (RFC 6749 section 3.3)."""
    if len(scopes) > MAXIMUM_SCOPES:
        raise Refused("too_many_m2m_client_scopes")
    if not all(is_scope(scope) for scope in scopes):
        raise Refused("invalid_m2m_client_scope")
    return tuple(dict.fromkeys(scopes))


def granted_scopes(assigned: Sequence[str], asked: Sequence[str] | None) -> tuple[str, ...]:
    """What a token may say: all that is assigned if nothing is asked for, else what is asked for. Refused `invalid_scope` for anything beyond (RFC 6749 section 3.3)."""
    if not asked:
        return tuple(assigned)
    if not set(asked) <= set(assigned):
        raise Refused("invalid_scope")
    return tuple(dict.fromkeys(asked))


def covers(held: Iterable[str], required: Iterable[str]) -> bool:
    """Whether scopes let a caller through. A scope is a word, or `action:resource`, where a held resource of `*` stands for every one."""
    has = set(held)
    return all(scope in has or (":" in scope and f"{scope.partition(':')[0]}:*" in has) for scope in required)


def filter_of(operator: str, operands: Sequence[dict[str, Any]]) -> Filter:
    """The filter that a search stands for. Refused for a name that is not known or a value of another kind."""
    parts = [_operand(operand) for operand in operands]
    if not parts:
        return And()
    return And(*parts) if operator == "AND" else Or(*parts)


def _operand(operand: dict[str, Any]) -> Filter:
    name, value = operand.get("filter_name"), operand.get("filter_value")
    if name is None:
        raise Refused("m2m_search_missing_filter_name")
    if not isinstance(name, str):
        raise Refused("m2m_search_filter_name_must_be_string")
    if name not in _INDEXES:
        raise Refused("m2m_search_filter_name_not_recognized")
    if value is None:
        raise Refused("m2m_search_missing_filter_value")
    if not isinstance(value, list) or len(value) > 100 or not all(isinstance(one, str) for one in value):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        raise Refused("m2m_search_expected_array_of_strings")
    return OneOf(_INDEXES[name], tuple((str(one),) for one in value))  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


_INDEXES = {"client_id": "key", "client_name": "name", "scopes": "scope"}

ScopeCheck = Callable[[Sequence[str], Sequence[str]], bool]
"""A host's own reading of scopes: what is held, and what is required."""
