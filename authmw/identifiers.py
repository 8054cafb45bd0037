"""Canonical forms of what people and objects are known by: e-mail addresses, phone numbers, ids and external ids.

Law: refuse rather than repair. Two texts that reach the same person have one canonical form, and a text that some mail
system, resolver or carrier could read in two ways has none. Uniqueness is an index on the canonical form; messages go
to the stored form only (ACC-05).
"""

from __future__ import annotations

import re
import unicodedata
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

from authmw.errors import Misconfigured, Refused

if TYPE_CHECKING:
    from types import ModuleType

SANDBOX_EMAIL = "sandbox@stytch.com"
"""The Test environment's address that is never sent to; an ordinary address by its form."""

SANDBOX_PHONE = "+10000000000"
"""The Test environment's number that is never sent to; no real number can have this form."""

MAXIMUM_EMAIL = 254
"""Characters of the longest address that SMTP carries (RFC 5321 section 4.5.3.1.3, less the angle brackets)."""

_LOCAL_PART = re.compile(
    r"(?=.{1,64}\Z)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*", re.ASCII
)
# Legal atoms that some mail software decodes into another address: RFC 2047 words, percent-encoded controls, modified
# UTF-7 (RFC 3501).
_DECODED_LATER = re.compile(r"=\?.*\?=|%(?:[01][0-9A-Fa-f]|7[Ff])|&[A-Za-z0-9+/]*-")
_ASCII_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}

_E164 = re.compile(r"\+[1-9][0-9]{7,14}", re.ASCII)
# Satellite, universal, shared-cost, freephone and premium codes of no country: whoever owns the number is paid for
# each message (RAT-04).
_COUNTRYLESS_CODES = frozenset({800, 808, 870, 878, 881, 882, 883, 888, 979})

_ID_KINDS = (
    "biometric-registration",
    "connected-app",
    "crypto-wallet",
    "email",
    "event",
    "external-connection",
    "jwk",
    "m2m-client",
    "member",
    "member-password",
    "member-session",
    "oauth-user",
    "oidc-connection",
    "organization",
    "password",
    "phone-number",
    "project",
    "public-token",
    "request-id",
    "saml-connection",
    "saml-encryption-key",
    "saml-verification-key",
    "scim-connection",
    "scim-group",
    "secret",
    "session",
    "totp",
    "user",
    "webauthn-registration",
    "webhook-event",
)

ID_PREFIXES: tuple[str, ...] = tuple(f"{kind}-{environment}-" for kind in _ID_KINDS for environment in ("test", "live"))
"""What our ids begin with: `<kind>-<test|live>-`, followed by a UUID."""

_EXTERNAL_ID = re.compile(r"[A-Za-z0-9._|-]{1,128}", re.ASCII)


def canonical_email(text: object) -> str:
    """The canonical form of an e-mail address: the local part and the domain in lower case, the domain as A-labels
    (RFC 5890).

    Tags and dots of the local part stay. Only a plain `dot-atom@domain` in ASCII (the domain may be written in
    Unicode, if IDNA 2008 takes it as it is) of at most 254 characters has a canonical form; quoted local parts,
    comments, address literals, special-use domains (`.test`, `.local`, RFC 6761) and everything that needs mapping,
    trimming or decoding has none.

    Raises Refused `invalid_email`, for what is no text too. Linear in the length.
    """
    if not isinstance(text, str) or len(text) > MAXIMUM_EMAIL or text.count("@") != 1:
        raise Refused("invalid_email")
    local, _, domain = text.partition("@")
    if not _LOCAL_PART.fullmatch(local) or _DECODED_LATER.search(local):
        raise Refused("invalid_email")
    address = f"{local.lower()}@{_ascii_domain(domain)}"
    if len(address) > MAXIMUM_EMAIL or _as_the_library_writes(address) != address:
        raise Refused("invalid_email")
    return address


def _as_the_library_writes(address: str) -> str | None:
    import email_validator  # 23 ms, paid by the first address instead of by every start

    try:
        valid = email_validator.validate_email(address, check_deliverability=False, allow_smtputf8=False, strict=True)
    except email_validator.EmailNotValidError:
        return None
    return valid.ascii_email


def _ascii_domain(domain: str) -> str:
    """The domain's A-labels. IDNA maps nothing (UTS 46 off): what would have to be mapped is refused."""
    import idna

    lowered = domain.translate(_ASCII_LOWER)  # str.lower() would map the Kelvin sign to k
    if any(unicodedata.category(character)[0] in "CZ" for character in lowered):
        raise Refused("invalid_email")
    try:
        encoded = idna.encode(lowered, uts46=False, std3_rules=True, strict=True).decode("ascii")
        labels = encoded.split(".")
        sole = all(idna.alabel(idna.ulabel(label)).decode() == label for label in labels if label.startswith("xn--"))
    except ValueError:  # idna.IDNAError and UnicodeError are both
        raise Refused("invalid_email") from None
    if not sole or len(labels[-1]) < 2 or labels[-1].isdigit():
        raise Refused("invalid_email")
    return encoded


def email_domain(address: str) -> str:
    """The domain of a canonical address, as A-labels in lower case."""
    return address.rpartition("@")[2]


def canonical_phone(text: object, sandbox: bool = False) -> str:
    """The number itself, if it is E.164 as a carrier would dial it: `+`, country code and national number, 8 to 15
    ASCII digits.

    Nothing is cleaned away: spaces, brackets, extensions, a kept trunk zero and other digits than ASCII are refused.
    The number must be possible in its country (its length fits; whether it is assigned only the carrier knows) and not
    of premium rate or shared cost. `sandbox=True` (the Test environment) also takes `SANDBOX_PHONE`.

    Raises Refused `invalid_phone_number`, for what is no text too; Misconfigured when the `phone` extra is not
    installed.
    """
    if not isinstance(text, str) or not _E164.fullmatch(text):
        raise Refused("invalid_phone_number")
    if text == SANDBOX_PHONE:
        if sandbox:
            return text
        raise Refused("invalid_phone_number")
    if not _is_dialled(text):
        raise Refused("invalid_phone_number")
    return text


def _is_dialled(text: str) -> bool:
    phonenumbers = _phone_library()
    try:
        number = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        return False
    kinds = phonenumbers.PhoneNumberType
    return (
        number.country_code not in _COUNTRYLESS_CODES
        # Not is_possible_number(): it also takes a local number behind a country code (+1 555 2671), which cannot be
        # dialled.
        and phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE
        and phonenumbers.number_type(number) not in (kinds.PREMIUM_RATE, kinds.SHARED_COST)
        # The library drops a trunk zero without a word: the same person would then have two canonical forms.
        and phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) == text
    )


def _phone_library() -> ModuleType:
    try:
        import phonenumbers
    except ImportError:
        raise Misconfigured("Phone numbers need the package phonenumbers: pip install phonenumbers") from None
    return phonenumbers


def is_own_id(text: str) -> bool:
    """Whether a text begins as our ids do, in any case of letters; it is then never looked up as an external id."""
    return text.lower().startswith(ID_PREFIXES)


def valid_external_id(text: object, error_type: str = "invalid_argument") -> str:
    """The host's own id for a user, member or organization: 1 to 128 of letters, digits and `. _ - |`, not beginning
    as our ids do.

    It is compared byte for byte and usable wherever our id is, so it must never be able to pass for one. Raises
    Refused `error_type`.
    """
    if not isinstance(text, str) or not _EXTERNAL_ID.fullmatch(text) or is_own_id(text):
        raise Refused(error_type)
    return text


def canonical_ip(text: str) -> str:
    """An IPv4 or IPv6 address as `client_ip` spells it, IPv4 inside IPv6 folded. Refused: `invalid_ip_address` for anything else, a zone identifier too."""
    try:
        address = ip_address(text)
    except ValueError:
        raise Refused("invalid_ip_address") from None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            raise Refused("invalid_ip_address")
        return str(address.ipv4_mapped or address)
    return str(address)
