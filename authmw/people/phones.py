"""Which numbers are texted at all: a pure rule over the number and the countries of the project (RAT-04, OTP-11).

Law: the country is that of the number itself, never of who asks; where it cannot be told, every country that shares the code must be allowed.
"""

from __future__ import annotations

from collections.abc import Collection

from authmw.errors import Refused
from authmw.identifiers import SANDBOX_PHONE

_RANGE = 4
"""Last digits that numbers of one bought block differ in."""


def check_may_text(number: str, countries: Collection[str]) -> str:
    """The country (or the countries, joined) of a canonical number that may be texted.

    Refused: `invalid_phone_number_country_code` for a country that is not listed, `invalid_phone_number` for a number whose owner is paid or that nobody
    reads texts at: premium rate, shared cost, toll-free, personal, universal access, pager, voicemail.
    """
    if number == SANDBOX_PHONE:
        return "sandbox"
    import phonenumbers

    parsed = phonenumbers.parse(number, None)
    kinds = phonenumbers.PhoneNumberType
    unread = {
        kinds.PREMIUM_RATE,
        kinds.SHARED_COST,
        kinds.TOLL_FREE,
        kinds.PERSONAL_NUMBER,
        kinds.UAN,
        kinds.PAGER,
        kinds.VOICEMAIL,
    }
    if phonenumbers.number_type(parsed) in unread:
        raise Refused("invalid_phone_number", "Messages are not sent to numbers of this kind.")
    region = phonenumbers.region_code_for_number(parsed)
    # A number newer than the library's tables has no country yet; +1 alone is shared by 25.
    regions = (region,) if region else phonenumbers.region_codes_for_country_code(parsed.country_code or 0)
    if not regions or not set(regions) <= set(countries):
        raise Refused("invalid_phone_number_country_code")
    return region or "+" + str(parsed.country_code)


def range_of(number: str) -> str:
    """What numbers have in common that were bought in one block."""
    return number[:-_RANGE]
