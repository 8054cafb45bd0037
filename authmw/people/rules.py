"""Pure decisions about people: who owns an address, what may be added and removed, how metadata is merged.

Law: proof wins and two users are never merged. Only a verified address or a provider identity makes an owner.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

import attrs
import msgspec

from authmw.errors import Refused
from authmw.people.records import MAXIMUM_ADDRESSES, MAXIMUM_PARTS, Email, Part, Phone, Subject

S = TypeVar("S", bound=Subject)
METADATA_KEYS = 20
METADATA_BYTES = 4096
REQUIRES_RESET = "requires_reset"
"""The detail of a password that signs nobody in until its owner has set another by mail."""


def merged_metadata(before: dict[str, Any], changes: dict[str, Any] | None) -> dict[str, Any]:
    """Metadata after a change: merged at the top level only, null deletes a key. Refused over 20 keys or 4 KiB of JSON."""
    if not changes:
        return before
    merged = {name: value for name, value in {**before, **changes}.items() if value is not None}
    if len(merged) > METADATA_KEYS:
        raise Refused("metadata_too_many_keys")
    if len(msgspec.json.encode(merged)) > METADATA_BYTES:
        raise Refused("metadata_too_large")
    return merged


def has_owner(subject: Subject) -> bool:
    """Whether somebody has proved to be this subject: by a verified address or a provider identity."""
    return (
        any(email.verified for email in subject.emails)
        or any(phone.verified for phone in subject.phones)
        or any(part.kind in {"oauth", "crypto_wallet"} and part.verified for part in subject.parts)
    )


def with_email(subject: S, email: Email) -> S:
    """The subject with one more e-mail. Refused over the limits."""
    _room(subject)
    return attrs.evolve(subject, emails=(*subject.emails, email))


def with_phone(subject: S, phone: Phone) -> S:
    """The subject with one more phone number. Refused over the limits."""
    _room(subject)
    return attrs.evolve(subject, phones=(*subject.phones, phone))


def with_part(subject: S, part: Part) -> S:
    """The subject with this factor; one of the same id is replaced. Refused over the limit."""
    others = tuple(held for held in subject.parts if held.part_id != part.part_id)
    if len(others) == len(subject.parts) and subject.part_count() >= MAXIMUM_PARTS:
        raise Refused("too_many_unverified_factors", "This user has as many factors as a user may have.")
    return attrs.evolve(subject, parts=(*others, part))


def without_part(subject: S, part_id: str) -> S:
    """The subject without that factor. Refused if it is the last of e-mails, phones and providers, or the last wallet of someone who has none of them."""
    after = attrs.evolve(subject, parts=tuple(part for part in subject.parts if part.part_id != part_id))
    gone = subject.part(part_id)
    if gone is None or gone.kind not in {"oauth", "crypto_wallet"}:
        return after
    if gone.kind == "crypto_wallet" and any(part.kind == "crypto_wallet" for part in after.parts):
        return after  # Whoever signed up by a wallet is still reached by another one (ruling X-26).
    return _still_reachable(after)


def _room(subject: Subject) -> None:
    addresses = len(subject.emails) + len(subject.phones)
    if addresses >= MAXIMUM_ADDRESSES or subject.part_count() >= MAXIMUM_PARTS:
        raise Refused("too_many_unverified_factors", "This user has as many factors as a user may have.")


def without_email(subject: S, email_id: str) -> S:
    """The subject without that e-mail. Refused if it is the last of e-mails, phones and providers."""
    after = attrs.evolve(subject, emails=tuple(email for email in subject.emails if email.email_id != email_id))
    return _still_reachable(after)


def without_phone(subject: S, phone_id: str) -> S:
    """The subject without that phone number. Refused if it is the last of e-mails, phones and providers."""
    after = attrs.evolve(subject, phones=tuple(phone for phone in subject.phones if phone.phone_id != phone_id))
    return _still_reachable(after)


def _still_reachable(subject: S) -> S:
    if not subject.emails and not subject.phones and not any(part.kind == "oauth" for part in subject.parts):
        raise Refused("cannot_delete_last_primary_factor")
    return subject


@attrs.frozen(kw_only=True)
class Owned:
    """The outcome of a proof of an address: who is signed in, what became of another holder, and whether other sessions must end."""

    subject: Subject
    loser: Subject | None = None
    loser_is_empty: bool = False
    reset_sessions: bool = False


def is_theirs(subject: Subject, contact: Email | Phone, *, claimed: bool) -> bool:
    """Whether who proves this address is this subject.

    An address that stands unproved on an account with an owner was only named there, perhaps by a stranger who waits for its true owner: who proves it is somebody else and takes
    it away, unless the proof is `claimed` for the subject, by its own session or by the host (USENIX Security 2022, account pre-hijacking).
    """
    standing = _standing(subject, contact)
    return standing is None or standing.verified or claimed or not has_owner(subject)


def prove_email(subject: Subject, email: Email, holder: Subject | None, *, by_own_session: bool) -> Owned:
    """What follows when `subject` proves `email`, which may be new to it and may stand unverified on `holder`.

    The prover takes an unverified address from another user; a verified one stays with its owner. Whatever an unowned subject held (passkey, TOTP, other
    addresses, sessions) dies when its first address is proved, except by its own session (USENIX Security 2022, account pre-hijacking). A password that was set for
    this very address stays as one that requires a reset, so that who set it is told what to do and signs in by it no more. Refused: `duplicate_email`.
    """
    return _prove(subject, email, holder, "duplicate_email", by_own_session=by_own_session)


def prove_phone(subject: Subject, phone: Phone, holder: Subject | None, *, by_own_session: bool) -> Owned:
    """What follows when `subject` proves `phone`; the rule is that of `prove_email`. Refused: `duplicate_phone_number`."""
    return _prove(subject, phone, holder, "duplicate_phone_number", by_own_session=by_own_session)


def _prove(
    subject: Subject, contact: Email | Phone, holder: Subject | None, duplicate: str, *, by_own_session: bool
) -> Owned:
    if holder is not None and holder.id != subject.id:
        theirs = _standing(holder, contact)
        if theirs is not None and theirs.verified:
            raise Refused(duplicate)
    first = not has_owner(subject) and not by_own_session
    alone = _with_only(subject, contact)
    reset = first and alone != subject
    after = _with_password_of_owner(_verified(alone if reset else subject, contact))
    if after.status == "pending":
        after = attrs.evolve(after, status="active")
    if first:
        after = attrs.evolve(after, session_epoch=subject.session_epoch + 1)
    loser, empty = _taken_from(holder, subject, contact)
    return Owned(subject=after, loser=loser, loser_is_empty=empty, reset_sessions=reset)


def _standing(subject: Subject, contact: Email | Phone) -> Email | Phone | None:
    return subject.email_at(contact.address) if isinstance(contact, Email) else subject.phone_at(contact.number)


def _with_only(subject: Subject, contact: Email | Phone) -> Subject:
    """The subject with nothing that can sign in but this contact, if it has it."""
    bare = attrs.evolve(subject, emails=(), phones=(), parts=())
    standing = _standing(subject, contact)
    if isinstance(standing, Email):
        passwords = tuple(requiring_reset(part) for part in subject.parts_of("password"))
        return attrs.evolve(bare, emails=(standing,), parts=passwords)
    return attrs.evolve(bare, phones=(standing,)) if standing else bare


def requiring_reset(password: Part) -> Part:
    """A password that signs nobody in until another one is set by mail."""
    return attrs.evolve(password, verified=False, details={**password.details, REQUIRES_RESET: True})


def _with_password_of_owner(subject: Subject) -> Subject:
    """The subject, which has an owner now, with the password they keep as a factor that counts."""
    if all(part.kind != "password" for part in subject.parts):
        return subject
    kept = (
        attrs.evolve(part, verified=True) if part.kind == "password" and not part.details.get(REQUIRES_RESET) else part
        for part in subject.parts
    )
    return attrs.evolve(subject, parts=tuple(kept))


def _verified(subject: Subject, contact: Email | Phone) -> Subject:
    standing = _standing(subject, contact)
    if isinstance(contact, Email):
        if standing is None:
            return with_email(subject, attrs.evolve(contact, verified=True))
        emails = (attrs.evolve(e, verified=True) if e.address == contact.address else e for e in subject.emails)
        return attrs.evolve(subject, emails=tuple(emails))
    if standing is None:
        return with_phone(subject, attrs.evolve(contact, verified=True))
    phones = (attrs.evolve(p, verified=True) if p.number == contact.number else p for p in subject.phones)
    return attrs.evolve(subject, phones=tuple(phones))


def _taken_from(holder: Subject | None, prover: Subject, contact: Email | Phone) -> tuple[Subject | None, bool]:
    if holder is None or holder.id == prover.id:
        return None, False
    standing = _standing(holder, contact)
    emails = tuple(email for email in holder.emails if email is not standing)
    left = attrs.evolve(
        holder,
        emails=emails,
        # A password signs in beside an address only, and keeps nobody there who has none.
        parts=tuple(part for part in holder.parts if emails or part.kind != "password"),
        phones=tuple(phone for phone in holder.phones if phone is not standing),
        session_epoch=holder.session_epoch + 1,
    )
    return left, left.part_count() == 0


def live_locks(subject: Subject, now: datetime) -> list[Any]:
    """The locks that still hold."""
    return [lock for lock in subject.locks if lock.expires_at > now]


def check_unlocked(subject: Subject, factor: str, now: datetime) -> None:
    """Refused while sign-in by this factor is locked."""
    if any(lock.factor == factor for lock in live_locks(subject, now)):
        raise Refused("user_lock_limit_reached")
