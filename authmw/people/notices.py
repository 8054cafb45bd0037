"""Security notices: who is told when something about an account changes (ACC-03).

Law: a notice goes to addresses that were verified before the change, so whoever just added one cannot be the only one who hears of it, and nobody is told of an
account that is not theirs. It leaves with the commit that makes the change; that it cannot be sent never fails the change.
"""

from __future__ import annotations

from collections.abc import Iterator

from authmw.ledger.outbox import Payload, enclose
from authmw.messages import ChangedFactor, MessageValues, Notice, render
from authmw.operations import Call
from authmw.people.directory import in_sandbox
from authmw.people.records import Part, Subject
from authmw.templates import TemplateType

_FACTORS = {
    "password": ChangedFactor.PASSWORD,
    "totp": ChangedFactor.TOTP,
    "recovery_codes": ChangedFactor.RECOVERY_CODES,
    "webauthn": ChangedFactor.PASSKEY,
    "biometric": ChangedFactor.BIOMETRIC,
    "oauth": ChangedFactor.OAUTH,
    "sso": ChangedFactor.SSO,
    "saml": ChangedFactor.SSO,
    "oidc": ChangedFactor.SSO,
    "crypto_wallet": ChangedFactor.CRYPTO_WALLET,
}
"""What each kind of part is called in a notice."""

Change = tuple[Notice, ChangedFactor | None]


def notify_of(
    call: Call,
    before: Subject,
    after: Subject,
    notice: Notice | None = None,
    factor: ChangedFactor | None = None,
    *,
    remaining: int | None = None,
) -> None:
    """Mail a security notice with the commit that the running operation is about to make. Call it before `commit` or `signin.complete`; one line suffices.

    `before` is the subject as it was read, `after` as it will be written. Without `notice` the change is seen from the two: a factor that came or went, an e-mail or
    phone number that was exchanged; if nothing of that kind differs, nothing is sent, so it may be called always. Name the notice where the subject does not show
    it: `notify_of(call, user, user, Notice.PASSWORD_CHANGED)`, `..., Notice.RECOVERY_CODE_USED, remaining=9)`, `..., Notice.SESSIONS_ENDED)`.

    Every e-mail address that was verified in `before` gets its own message, a removed one too; an unverified one never. Sends nothing for the sandbox's address.
    """
    change = (notice, factor) if notice is not None else change_between(before, after)
    recipients = tuple(
        email.address for email in before.emails if email.verified and not in_sandbox(call, email.address)
    )
    if change is None or not recipients:
        return
    settings = call.settings
    mail = render(
        settings.templates.choose(None, TemplateType.NOTICE),
        locale=call.caller.locale or None,
        values=MessageValues(
            product=settings.name, notice=change[0], factor=change[1], happened_at=call.now, remaining=remaining
        ),
    )
    enclose(call, "email", Payload(to=recipients, subject=mail.subject, text=mail.text, html=mail.html), reported=False)


def change_between(before: Subject, after: Subject) -> Change | None:
    """What a person must know of a change, or None. Only what can sign somebody in counts: an unverified address or factor is not there yet."""
    had, has = frozenset(_factors(before)), frozenset(_factors(after))
    gone, come = had - has, has - had
    kinds_gone = {kind for kind, _ in gone}
    if ChangedFactor.EMAIL in kinds_gone and _new_emails(before, after):
        return Notice.EMAIL_CHANGED, ChangedFactor.EMAIL
    if ChangedFactor.PHONE_NUMBER in kinds_gone and _new_phones(before, after):
        return Notice.PHONE_CHANGED, ChangedFactor.PHONE_NUMBER
    # What was taken away is told before what was added: it is the one that locks an owner out.
    for notice, changed in ((Notice.FACTOR_REMOVED, gone), (Notice.FACTOR_ADDED, come)):
        if changed:
            return notice, min(changed)[0]
    return None


def _factors(subject: Subject) -> Iterator[tuple[ChangedFactor, str]]:
    yield from ((ChangedFactor.EMAIL, email.email_id) for email in subject.emails if email.verified)
    yield from ((ChangedFactor.PHONE_NUMBER, phone.phone_id) for phone in subject.phones if phone.verified)
    yield from (
        (_FACTORS[part.kind], part.part_id) for part in subject.parts if part.kind in _FACTORS and _counts(part)
    )


def _counts(part: Part) -> bool:
    return part.verified or part.kind == "password"


def _new_emails(before: Subject, after: Subject) -> set[str]:
    return {email.address for email in after.emails} - {email.address for email in before.emails}


def _new_phones(before: Subject, after: Subject) -> set[str]:
    return {phone.number for phone in after.phones} - {phone.number for phone in before.phones}
