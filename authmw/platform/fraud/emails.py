"""What an e-mail address tells by itself, by a list of throw-away domains and by the mail servers of its domain, and how much risk that is.

Law: what is not known is named as unknown, and never raises the risk.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

import attrs

from authmw.errors import Refused
from authmw.identifiers import canonical_email
from authmw.ports import VerdictAction

Unknown: TypeAlias = Literal["has_known_bounces", "has_mx_or_a_record", "is_disposable_domain"]
ROLES = frozenset(
    "abuse admin administrator billing contact ftp help helpdesk hello hostmaster hr info it jobs legal mail marketing news no-reply noc noreply office postmaster "
    "press privacy root sales security service staff support sysadmin team usenet uucp webmaster www".split()
)
"""Names of functions, not of people (RFC 2142, and custom)."""
_DOTLESS = frozenset({"gmail.com", "googlemail.com"})
"""Domains where dots in the local part mean nothing."""
_SAME = {"googlemail.com": "gmail.com"}
_TAGS = re.compile(r"\+.*\Z", re.DOTALL)

INVALID, UNREACHABLE, DISPOSABLE, ROLE, TUMBLING, MOST_TUMBLING = 100, 90, 70, 20, 5, 30
"""What each finding adds to the risk, which is at most 100; tumbling by the character."""
BLOCKED_FROM, CHALLENGED_FROM = 90, 50


@attrs.frozen(kw_only=True)
class Address:
    """An address, read."""

    valid: bool
    normalized: str = attrs.field(default="", repr=False)
    domain: str = ""
    role: bool = False
    tumbling: int = 0


def read_address(text: str) -> Address:
    """What an address tells by itself. `normalized` is where its mail ends up as far as that is commonly known; `tumbling` counts the characters that made it another address."""
    try:
        canonical = canonical_email(text)
    except Refused:
        return Address(valid=False)
    local, _, domain = canonical.rpartition("@")
    plain = _TAGS.sub("", local).rstrip(".") or local
    if domain in _DOTLESS:
        plain = plain.replace(".", "")
    return Address(
        valid=True,
        normalized=f"{plain}@{_SAME.get(domain, domain)}",
        domain=domain,
        role=plain in ROLES,
        tumbling=len(local) - len(plain),
    )


def risk_of(address: Address, *, disposable: bool | None, mail_servers: bool | None) -> tuple[int, VerdictAction]:
    """The risk from 0 to 100, and what to do about it. None: not known."""
    if not address.valid:
        return INVALID, "BLOCK"
    score = (
        UNREACHABLE * (mail_servers is False)
        + DISPOSABLE * bool(disposable)
        + ROLE * address.role
        + min(TUMBLING * address.tumbling, MOST_TUMBLING)
    )
    score = min(score, 100)
    if score >= BLOCKED_FROM:
        return score, "BLOCK"
    return score, "CHALLENGE" if score >= CHALLENGED_FROM else "ALLOW"


def parents_of(domain: str) -> tuple[str, ...]:
    """A domain and the domains above it, without the last label."""
    labels = domain.split(".")
    return tuple(".".join(labels[start:]) for start in range(len(labels) - 1))
