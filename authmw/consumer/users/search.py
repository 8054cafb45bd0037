"""The search of users: from the wire's operands to a filter on declared indexes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from authmw.errors import Refused
from authmw.storage import And, Between, Equals, Filter, OneOf, Or, StartsWith, moment

MAXIMUM_VALUES = 100
FUZZY = 3


def filter_of(operator: str, operands: list[dict[str, Any]]) -> Filter:
    """The filter that a query stands for. Refused for a name that is not known or a value of another kind."""
    parts = [_operand(operand) for operand in operands]
    if not parts:
        return And()
    return And(*parts) if operator == "AND" else Or(*parts)


def _operand(operand: dict[str, Any]) -> Filter:
    name, value = operand.get("filter_name"), operand.get("filter_value")
    if not isinstance(name, str):
        raise Refused("user_search_missing_filter_name")
    if name not in _FILTERS:
        raise Refused("user_search_filter_name_not_recognized")
    if value is None:
        raise Refused("user_search_missing_filter_value")
    return _FILTERS[name](value)


def _strings(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):  # pyright: ignore[reportUnknownVariableType]
        raise Refused("user_search_expected_array_of_string")
    if len(value) > MAXIMUM_VALUES:  # pyright: ignore[reportUnknownArgumentType]
        raise Refused("user_search_maximum_filter_value_count_exceeded")
    return [str(one) for one in value]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _one_of(index: str, *, fold: bool = False) -> Callable[[Any], Filter]:
    def build(value: Any) -> Filter:
        return OneOf(index, tuple((text.lower() if fold else text,) for text in _strings(value)))

    return build


def _status(value: Any) -> Filter:
    wanted = _strings([value] if isinstance(value, str) else value)
    if not set(wanted) <= {"active", "pending"}:
        raise Refused("user_search_invalid_status_filter")
    return OneOf("status", tuple((text,) for text in wanted))


def _fuzzy(field: str, refusal: str) -> Callable[[Any], Filter]:
    def build(value: Any) -> Filter:
        if not isinstance(value, str):
            raise Refused("user_search_expected_string")
        if len(value) < FUZZY or not (value.lstrip("+") if field == "phone" else value):
            raise Refused(refusal)
        return _beginning(field, value)

    return build


def _beginning(field: str, text: str) -> Filter:
    """Users with an e-mail or its domain, a number, or a word of the name that begins so."""
    match field:
        case "email":
            # Canonical addresses are in lower case.
            return Or(StartsWith("email", (text.lower(),)), StartsWith("domain", (text.lower(),)))
        case "phone":
            return StartsWith("phone", (f"+{text.lstrip('+')}",))
        case _:
            return StartsWith("terms", (field, text.casefold()))


def _verified(kind: str) -> Callable[[Any], Filter]:
    def build(value: Any) -> Filter:
        if not isinstance(value, bool):
            raise Refused("user_search_expected_bool")
        return Equals("factor", (kind, "true" if value else "false"))

    return build


def _exists(kind: str) -> Callable[[Any], Filter]:
    def build(value: Any) -> Filter:
        if value is not True:
            raise Refused("user_search_expected_bool", "This filter takes true.")
        return OneOf("factor", ((kind, "true"), (kind, "false")))

    return build


def _time(value: Any) -> str:
    if not isinstance(value, str):
        raise Refused("user_search_expected_timestamp")
    try:
        return moment(datetime.fromisoformat(value))
    except (ValueError, OverflowError):
        raise Refused("user_search_expected_timestamp") from None


def _after(value: Any) -> Filter:
    return Between("created", (_time(value) + "~",), None)


def _before(value: Any) -> Filter:
    # Stored times have one length, so the text without its last character is greater than every earlier one and less than this one.
    return Between("created", None, (_time(value)[:-1],))


def _between(value: Any) -> Filter:
    if not isinstance(value, dict):
        raise Refused("user_search_expected_object")
    return And(_after(value.get("greater_than")), _before(value.get("less_than")))  # pyright: ignore[reportUnknownMemberType]


_FILTERS: dict[str, Callable[[Any], Filter]] = {
    "user_ids": _one_of("key"),
    "external_ids": _one_of("external_id"),
    "created_at_greater_than": _after,
    "created_at_less_than": _before,
    "created_at_between": _between,
    "status": _status,
    "email_ids": _one_of("part"),
    "email_addresses": _one_of("email", fold=True),
    "email_address_fuzzy": _fuzzy("email", "user_search_email_address_fuzzy_too_short"),
    "email_domains": _one_of("domain", fold=True),
    "email_verified": _verified("email"),
    "phone_ids": _one_of("part"),
    "phone_numbers": _one_of("phone"),
    "phone_number_fuzzy": _fuzzy("phone", "user_search_phone_number_fuzzy_too_short"),
    "phone_verified": _verified("phone"),
    "full_name_fuzzy": _fuzzy("name", "user_search_full_name_fuzzy_too_short"),
    "webauthn_registration_ids": _one_of("part"),
    "webauthn_registration_verified": _verified("webauthn"),
    "biometric_registration_ids": _one_of("part"),
    "biometric_registration_verified": _verified("biometric"),
    "totp_ids": _one_of("part"),
    "totp_verified": _verified("totp"),
    "crypto_wallet_ids": _one_of("part"),
    "crypto_wallet_verified": _verified("crypto_wallet"),
    "password_exists": _exists("password"),
}
