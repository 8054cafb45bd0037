"""Custom claims of an app's tokens: a JSON object in which `{{ user.… }}` stands for something of the person.

Law: a template says only what it was written to say, never a claim that a verifier believes (TOK-10), and its result has at most 4 KiB. It nests 16 deep at most. A text that is one placeholder
alone becomes the value itself; within other text it becomes text.
"""

from __future__ import annotations

import re
from typing import Any, cast

import msgspec

from authmw.errors import Refused
from authmw.people.records import Subject
from authmw.signin.access_tokens import CLOSED_CLAIMS

MAXIMUM_BYTES = 4096
MAXIMUM_DEPTH = 16
_PLACEHOLDER = re.compile(r"\{\{ *(user(?:\.[A-Za-z0-9_-]{1,64}){1,6}) *\}\}")
_ROOTS = frozenset(
    {"user_id", "external_id", "name", "emails", "phone_numbers", "roles", "trusted_metadata", "untrusted_metadata"}
)
_REGISTERED_OF_ID_TOKENS = frozenset(
    {"at_hash", "azp", "acr", "amr", "c_hash", "email_verified", "phone_number_verified"}
)


def checked_template(content: str | None, refusal: str) -> str:
    """A template as it may be kept. Refused with `refusal` if it is no JSON object, says a claim of ours, or names what a person does not have."""
    if not content:
        return ""
    template = _parsed(content)
    if template is None or not _is_shallow(template) or template.keys() & (CLOSED_CLAIMS | _REGISTERED_OF_ID_TOKENS):
        raise Refused(refusal)
    for text in _texts(template):
        named = _PLACEHOLDER.findall(text)
        if len(named) != text.count("{{") or any(name.split(".")[1] not in _ROOTS for name in named):
            raise Refused(refusal)
    return content


def claims_of(content: str, subject: Subject) -> dict[str, Any]:
    """What a template comes to for a person; nothing if that is more than 4 KiB, since a token too large to carry helps nobody."""
    template = _parsed(content) if content else None
    if template is None:
        return {}
    facts = _facts(subject)
    filled = cast("dict[str, Any]", _filled(template, facts))
    return filled if len(msgspec.json.encode(filled)) <= MAXIMUM_BYTES else {}


def _parsed(content: str) -> dict[str, Any] | None:
    if len(content) > MAXIMUM_BYTES:
        return None
    try:
        return msgspec.json.decode(content.encode("utf-8", "surrogatepass"), type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _is_shallow(value: Any, left: int = MAXIMUM_DEPTH) -> bool:
    """Whether a template nests no deeper than tokens need, and than those who read it can follow."""
    within = cast("dict[str, Any]", value).values() if isinstance(value, dict) else value
    if not isinstance(value, dict | list):
        return True
    return left > 0 and all(_is_shallow(one, left - 1) for one in within)


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for one in cast("dict[str, Any]", value).values() for text in _texts(one)]
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]  # pyright: ignore[reportUnknownVariableType]  # JSON
    return []


def _filled(value: Any, facts: dict[str, Any]) -> Any:
    if isinstance(value, str):
        alone = _PLACEHOLDER.fullmatch(value)
        if alone:
            return _looked_up(alone.group(1), facts)
        return _PLACEHOLDER.sub(lambda found: _as_text(_looked_up(found.group(1), facts)), value)
    if isinstance(value, dict):
        return {name: _filled(one, facts) for name, one in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_filled(one, facts) for one in value]  # pyright: ignore[reportUnknownVariableType]  # JSON
    return value


def _looked_up(path: str, facts: dict[str, Any]) -> Any:
    found: Any = facts
    for name in path.split(".")[1:]:
        found = cast("dict[str, Any]", found).get(name) if isinstance(found, dict) else None
    return found


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _facts(subject: Subject) -> dict[str, Any]:
    return {
        "user_id": subject.id,
        "external_id": subject.external_id,
        "name": {
            "first_name": subject.first_name,
            "middle_name": subject.middle_name,
            "last_name": subject.last_name,
        },
        "emails": [email.address for email in subject.emails if email.verified],
        "phone_numbers": [phone.number for phone in subject.phones if phone.verified],
        "roles": list(subject.roles),
        "trusted_metadata": subject.trusted_metadata,
        "untrusted_metadata": subject.untrusted_metadata,
    }
