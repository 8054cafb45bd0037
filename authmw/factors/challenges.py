"""What was sent and waits to come back: one link or one code, single use, bound to its purpose, person and browser.

Law: only a digest of what was sent is kept; a challenge is spent by the commit that grants something, and everything about it is compared, never trusted.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import attrs

from authmw.crypto import pkce
from authmw.errors import Refused
from authmw.storage import Index, Record, Value, by_field, record


def _digests(challenge: Challenge) -> Iterator[Value]:
    if challenge.digest:
        yield (challenge.digest,)


@record(
    "challenges",
    key="challenge_id",
    expires="expires_at",
    indexes=(
        Index(name="digest", values=_digests, unique=True),
        by_field("subject", "subject_id"),
    ),
)
@attrs.frozen(kw_only=True)
class Challenge(Record):
    """A link or a code on its way to a person.

    `purpose` is what it may be used for (`login`, `signup`, `invite`, `embedded`, `email_otp`). For a link `digest` is that of its token and the key is random; for a code
    the key is the method id, so that a new code replaces the old one, and `code_mac` is keyed.
    """

    challenge_id: str
    purpose: str
    subject_id: str
    method_id: str
    address: str = attrs.field(default="", repr=False)
    digest: str = attrs.field(default="", repr=False)
    code_mac: bytes = attrs.field(default=b"", repr=False)
    generation: str = ""
    created_at: datetime
    expires_at: datetime
    spent_at: datetime | None = None
    pkce: str | None = attrs.field(default=None, repr=False)
    ip_address: str = ""
    user_agent: str = attrs.field(default="", repr=False)
    redirect_url: str = attrs.field(default="", repr=False)
    session_id: str | None = None
    adds_address: bool = False
    details: dict[str, Any] = attrs.field(factory=dict[str, Any], repr=False)
    """What else a factor must find again when the answer comes back: the stored text of a wallet's challenge, a ceremony's options. Never a secret in clear."""


def checked_pkce_challenge(text: str | None) -> str | None:
    """An S256 code challenge (RFC 7636 section 4.2). Refused if it cannot be one."""
    if text is not None and not pkce.is_challenge(text):
        raise Refused(
            "invalid_pkce_code_challenge", "`$.code_challenge` must be an S256 code challenge of 43 characters."
        )
    return text


def check_pkce(stored: str | None, verifier: str | None) -> None:
    """Refused unless the verifier belongs to the stored challenge (RFC 7636 section 4.6), or neither is there."""
    if verifier is not None and not pkce.is_verifier(verifier):
        raise Refused("invalid_pkce_code_verifier", "`$.code_verifier` must be 43 to 128 unreserved characters.")
    if stored is None:
        if verifier is not None:
            raise Refused("pkce_did_not_expect_code_verifier")
        return
    if verifier is None:
        raise Refused("pkce_expected_code_verifier")
    if not pkce.answers(verifier, stored):
        raise Refused("pkce_mismatch")


def check_attributes(challenge: Challenge, *, ip_address: str, user_agent: str, ip: bool, agent: bool) -> None:
    """Refused unless what must match matches what was stored when the challenge was made."""
    if ip and (not challenge.ip_address or challenge.ip_address != ip_address):
        raise Refused("attribute_mismatch")
    if agent and (not challenge.user_agent or challenge.user_agent != user_agent):
        raise Refused("attribute_mismatch")


def check_live(challenge: Challenge, now: datetime, refusal: str) -> None:
    """Refused if the challenge is spent or its time is over (it is dead at `expires_at`)."""
    if challenge.spent_at is not None or now >= challenge.expires_at:
        raise Refused(refusal)
