"""The search of users: from the wire's operands to a filter on declared indexes. Filters are called what the official clients call them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

from authmw.errors import Refused
from authmw.identifiers import canonical_email, is_own_id
from authmw.oauth_providers import PROVIDERS, OAuthProvider
from authmw.people.records import ABSENT, FOUND_LENGTH
from authmw.storage import And, Between, Equals, Filter, OneOf, Or, StartsWith, moment

MAXIMUM_VALUES = 100
FUZZY = 3
_LAST = "\U0010ffff"
"""Sorts behind everything that the subject of a provider begins with."""


def filter_of(operator: str, operands: list[dict[str, Any]], providers: Collection[OAuthProvider] = ()) -> Filter:
    """The filter that a query stands for; `providers` are those of the project. Refused for a name that is not known or a value of another kind."""
    parts = [_operand(operand, providers) for operand in operands]
    if not parts:
        return And()
    return And(*parts) if operator == "AND" else Or(*parts)


def _operand(operand: dict[str, Any], providers: Collection[OAuthProvider]) -> Filter:
    name, value = operand.get("filter_name"), operand.get("filter_value")
    if name is None:
        raise Refused("user_search_missing_filter_name")
    if not isinstance(name, str):
        raise Refused("user_search_filter_name_must_be_string")
    if name not in FILTERS:
        raise Refused("user_search_filter_name_not_recognized")
    if value is None:
        raise Refused("user_search_missing_filter_value")
    return _signed_up_by(value, providers) if name == "oauth_provider" else _FILTERS[name](value)


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


def _users(value: Any) -> Filter:
    """Users by our ids, or by the host's own."""
    wanted = _strings(value)
    ours = {is_own_id(text) for text in wanted}
    if len(ours) > 1:
        raise Refused("user_search_cannot_mix_internal_and_external_user_ids")
    return OneOf("external_id" if ours == {False} else "key", tuple((text,) for text in wanted))


def _addresses(value: Any) -> Filter:
    """Users by addresses, in whichever spelling."""
    return OneOf("email", tuple((_spelled(text),) for text in _strings(value)))


def _spelled(text: str) -> str:
    if text.isascii():
        return text.lower()  # What is canonical of it, without the work of judging it.
    try:
        return canonical_email(text)
    except Refused:
        return text.lower()  # It stands on nobody, which is the answer.


def _wallets(value: Any) -> Filter:
    """Owners of wallets of either type; letters of an Ethereum address carry a checksum only."""
    wanted = _strings(value)
    ethereum = (("crypto_wallet", "ethereum", text.lower()) for text in wanted)
    solana = (("crypto_wallet", "solana", text) for text in wanted)
    return OneOf("identity", (*ethereum, *solana))


def _signed_up_by(value: Any, providers: Collection[OAuthProvider]) -> Filter:
    """Users who have an identity at one of these providers, named as `provider_type` spells them, in any case of letters."""
    known = {name: {name} for name in PROVIDERS}
    for provider in providers:
        known.setdefault(provider.name.lower(), set()).add(provider.issuer or provider.name)
    wanted = {text.lower() for text in _strings(value)}
    if not wanted <= known.keys():
        raise Refused("user_search_invalid_oauth_provider_filter")
    found = sorted(identity for name in wanted for identity in known[name])
    return Or(*(Between("identity", ("oauth", one), ("oauth", one, _LAST)) for one in found))


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
            return StartsWith("terms", (field, text.casefold()[:FOUND_LENGTH]))


def _verified(kind: str) -> Callable[[Any], Filter]:
    def build(value: Any) -> Filter:
        if not isinstance(value, bool):
            raise Refused("user_search_expected_bool")
        return Equals("factor", (kind, "true" if value else "false"))

    return build


def _exists(kind: str) -> Callable[[Any], Filter]:
    def build(value: Any) -> Filter:
        if not isinstance(value, bool):
            raise Refused("user_search_expected_bool")
        return OneOf("factor", ((kind, "true"), (kind, "false"))) if value else Equals("factor", (kind, ABSENT))

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
    "user_id": _users,
    "created_at_greater_than": _after,
    "created_at_less_than": _before,
    "created_at_between": _between,
    "status": _status,
    "full_name_fuzzy": _fuzzy("name", "user_search_full_name_fuzzy_too_short"),
    "email_id": _one_of("part"),
    "email_address": _addresses,
    "email_address_fuzzy": _fuzzy("email", "user_search_email_address_fuzzy_too_short"),
    "email_domain": _one_of("domain", fold=True),
    "email_verified": _verified("email"),
    "phone_id": _one_of("part"),
    "phone_number": _one_of("phone"),
    "phone_number_fuzzy": _fuzzy("phone", "user_search_phone_number_fuzzy_too_short"),
    "phone_verified": _verified("phone"),
    "webauthn_registration_id": _one_of("part"),
    "webauthn_registration_verified": _verified("webauthn"),
    "biometric_registration_id": _one_of("part"),
    "biometric_registration_verified": _verified("biometric"),
    "totp_id": _one_of("part"),
    "totp_verified": _verified("totp"),
    "crypto_wallet_id": _one_of("part"),
    "crypto_wallet_address": _wallets,
    "crypto_wallet_verified": _verified("crypto_wallet"),
    "password_exists": _exists("password"),
}
FILTERS = frozenset({*_FILTERS, "oauth_provider"})
"""What `filter_name` may be."""
