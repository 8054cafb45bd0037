"""Pure decisions about sessions and factors: categories, the MFA rule, birth, step-up, extension, life.

Law: two factors of one category never make two (ACC-01); extending a session never makes a factor fresher (SES-05); a factor is fresh for less than 3,600
seconds, and never from the future.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any, Literal, cast

import attrs
import msgspec

from authmw.crypto.jwts import LIFETIME, ORGANIZATION_CLAIM, RESERVED, SESSION_CLAIM
from authmw.errors import Refused
from authmw.people.records import Proved, Session, Subject
from authmw.permissions import USER_ROLE
from authmw.settings import MfaRule, SessionRules

Category = Literal["account", "phone", "dedicated"]
FRESH = timedelta(seconds=3600)
ROTATION_GRACE = timedelta(seconds=60)
CLAIMS_BYTES = 4096

CATEGORIES: dict[tuple[str, str], Category] = {
    ("magic_link", "email"): "account",
    ("magic_link", "embedded"): "account",
    ("otp", "email"): "account",
    ("email_otp", "email"): "account",
    ("oauth", "*"): "account",
    ("sso", "*"): "account",
    ("password", "knowledge"): "account",
    ("crypto", "crypto_wallet"): "account",
    ("imported", "*"): "account",
    ("trusted_auth_token", "*"): "account",
    ("impersonated", "*"): "account",
    ("otp", "sms"): "phone",
    ("otp", "whatsapp"): "phone",
    ("webauthn", "webauthn_registration"): "dedicated",
    ("totp", "authenticator_app"): "dedicated",
    ("recovery_codes", "recovery_code"): "dedicated",
    ("signature_challenge", "biometric"): "dedicated",
}
"""Every factor's category, by type and delivery method; `*` is any method."""

IMPERSONATED = "impersonated"
"""The type of the factor that says that somebody else is behind a session."""

SECOND_FACTORS = frozenset({"totp"})
"""Kinds of parts whose active enrolment makes a second category necessary; a host may declare more."""


def category_of(type_: str, delivery_method: str) -> Category:
    """The category of a factor. KeyError for one that is not in the table: nothing is guessed."""
    found = CATEGORIES.get((type_, delivery_method)) or CATEGORIES.get((type_, "*"))
    if found is None:
        raise KeyError(type_)
    return found


def categories_of(factors: Iterable[Proved]) -> frozenset[Category]:
    """The categories a session has proved."""
    return frozenset(category_of(factor.type, factor.delivery_method) for factor in factors)


def enrolled_categories(subject: Subject) -> frozenset[Category]:
    """The categories in which a subject could prove something: its verified addresses and active factors."""
    found: set[Category] = set()
    if any(email.verified for email in subject.emails):
        found.add("account")
    if any(phone.verified for phone in subject.phones):
        found.add("phone")
    kinds = {part.kind for part in subject.parts if part.verified}
    if kinds & {"oauth", "password", "crypto_wallet"}:
        found.add("account")
    if kinds & {"webauthn", "totp", "biometric"}:
        found.add("dedicated")
    return frozenset(found)


def satisfies_mfa(
    subject: Subject, factors: Collection[Proved], rule: MfaRule, second_factors: Collection[str] = ()
) -> bool:
    """Whether a session passes for signed-in: two categories, or a passkey with user verification, once a second factor is enrolled."""
    if rule == "host" or is_impersonated(factors):
        return True
    needed = SECOND_FACTORS | frozenset(second_factors)
    if not any(part.verified and part.kind in needed for part in subject.parts):
        return True
    return len(categories_of(factors)) > 1 or any(f.type == "webauthn" and f.user_verified for f in factors)


def check_sensitive(subject: Subject, factors: Collection[Proved], now: datetime) -> None:
    """The rule of sensitive self-service calls (ACC-02): with two categories enrolled, two must be proved and one factor be fresh."""
    check_is_oneself(factors)
    if len(enrolled_categories(subject)) < 2:
        return
    if len(categories_of(factors)) < 2:
        raise Refused("insufficient_factors")
    if not any(is_fresh(factor, now, FRESH) for factor in factors):
        raise Refused("stale_factors")


def check_is_oneself(factors: Iterable[Proved]) -> None:
    """Refused: `session_not_mutable` in a session that somebody else is behind, whoever shows it."""
    if is_impersonated(factors):
        raise Refused("session_not_mutable", "Whoever is signed in as somebody else cannot change how they sign in.")


def is_impersonated(factors: Iterable[Proved]) -> bool:
    """Whether somebody else is behind a session, by an impersonation token."""
    return any(factor.type == IMPERSONATED for factor in factors)


def is_fresh(factor: Proved, now: datetime, within: timedelta) -> bool:
    """Whether a factor was proved less than so long ago, and not in the future."""
    return timedelta(0) <= now - factor.last_authenticated_at < within


@attrs.frozen(kw_only=True)
class SignInPolicy:
    """What an organization demands of a session of its members, beside what a factor is: which types may be used, and whether one category is enough."""

    methods: frozenset[tuple[str, str]] | None = None
    """The types and delivery methods that may sign in, `*` for any method; None allows every one of the table."""
    mfa_required: bool = False
    """Whether every member needs factors of two categories, or only who enrolled a second."""
    second_methods: frozenset[tuple[str, str]] | None = None
    """With what a second category may be proved; None allows every factor."""


def allows(methods: frozenset[tuple[str, str]] | None, factor: Proved) -> bool:
    """Whether a list of types and delivery methods names this factor."""
    return methods is None or bool(methods & {(factor.type, factor.delivery_method), (factor.type, "*")})


def meets_policy(policy: SignInPolicy, factors: Collection[Proved], *, enrolled: bool) -> bool:
    """Whether factors make a whole session under an organization's policy: one that may sign in and, if a second category is needed, one of another category that may be the second.

    `enrolled` says whether the member has a second factor of their own accord. Until it is met there is no session, only what the member has proved so far.
    """
    first = [factor for factor in factors if allows(policy.methods, factor)]
    if not (policy.mfa_required or enrolled):
        return bool(first)
    second = [factor for factor in factors if allows(policy.second_methods, factor)]
    return any(
        category_of(one.type, one.delivery_method) != category_of(other.type, other.delivery_method)
        for one in first
        for other in second
    )


def check_may_add(subject: Subject) -> None:
    """A factor may be added only to a subject that has proved a primary identifier (ACC-03)."""
    if not enrolled_categories(subject):
        raise Refused("email_verification_required")


def with_factor(factors: tuple[Proved, ...], proved: Proved) -> tuple[Proved, ...]:
    """A session's factors after a proof: the same factor proved again is renewed, another is added."""
    renewed = tuple(
        attrs.evolve(proved, created_at=factor.created_at) if factor.same_factor(proved) else factor
        for factor in factors
    )
    return renewed if any(factor.same_factor(proved) for factor in factors) else (*factors, proved)


_NAMES_ITS_PART = (
    "id",
    "email_id",
    "phone_id",
    "totp_id",
    "totp_recovery_code_id",
    "crypto_wallet_id",
    "webauthn_registration_id",
    "biometric_registration_id",
)
"""What the details of factors call the part of the subject that was proved; the first that is there."""


def still_held(factors: Iterable[Proved], subject: Subject) -> tuple[Proved, ...]:
    """A session's factors without those that their subject has no more: what was removed proves nothing for whoever goes on (ACC-01, ACC-02, SES-07)."""
    return tuple(factor for factor in factors if _is_held(factor, subject))


def _is_held(factor: Proved, subject: Subject) -> bool:
    shown = (cast("dict[str, Any]", one) for one in factor.details.values() if isinstance(one, dict))
    said = next(shown, dict[str, Any]())
    part_id = next((said[name] for name in _NAMES_ITS_PART if said.get(name)), None)
    if part_id is None:
        return factor.type != "password" or bool(subject.parts_of("password"))
    return any(find(part_id) is not None for find in (subject.email, subject.phone, subject.part))


def end_of(now: datetime, minutes: int, started_at: datetime, rules: SessionRules) -> datetime:
    """When a session of this duration ends. Refused over the project's maximum; never beyond the absolute limit."""
    if minutes > rules.maximum_minutes:
        raise Refused("invalid_session_duration")
    end = now + timedelta(minutes=minutes)
    if rules.absolute_minutes is not None:
        end = min(end, started_at + timedelta(minutes=rules.absolute_minutes))
    return end


def lives(session: Session, subject: Subject, now: datetime, rules: SessionRules) -> bool:
    """Whether a session holds: not over, not idle for too long, and of the subject's present epoch. A clock that goes back moves no end."""
    if now >= session.expires_at or session.subject_epoch != subject.session_epoch:
        return False
    if rules.idle_minutes is not None and now - session.last_accessed_at >= timedelta(minutes=rules.idle_minutes):
        return False
    return not (
        rules.absolute_minutes is not None and now - session.started_at >= timedelta(minutes=rules.absolute_minutes)
    )


def roles_of(subject: Subject) -> tuple[str, ...]:
    """The roles a user holds now: the one that everybody has, and those that were given."""
    return tuple(sorted({USER_ROLE, *subject.roles}))


def needs_touch(session: Session, now: datetime, rules: SessionRules) -> bool:
    """Whether it is time to note that a session was used: after 15 minutes or a tenth of the idle limit."""
    limit = timedelta(minutes=15)
    if rules.idle_minutes is not None:
        limit = min(limit, timedelta(minutes=rules.idle_minutes) / 10)
    return now - session.last_accessed_at >= limit


def jwt_seconds(rules: SessionRules) -> int:
    """How long a JWT lives: five minutes, or a tenth of the idle limit, since nothing is noted of a session while its JWT lives and one in use must not seem idle."""
    return LIFETIME if rules.idle_minutes is None else min(LIFETIME, rules.idle_minutes * 6)


def merged_claims(before: dict[str, Any], changes: dict[str, Any] | None) -> dict[str, Any]:
    """Custom claims after a change: given names replace, null deletes, registered and reserved names are ignored. Refused over 4 KiB of JSON."""
    if not changes:
        return before
    ours = RESERVED | {SESSION_CLAIM, ORGANIZATION_CLAIM}
    allowed = {name: value for name, value in changes.items() if name not in ours}
    merged = {name: value for name, value in {**before, **allowed}.items() if value is not None}
    if len(msgspec.json.encode(merged)) > CLAIMS_BYTES:
        raise Refused("custom_claims_too_large")
    return merged
