"""Proof of a mailbox or a phone, whichever product asked for it: an address or number enters or is verified, and the sign-in goes on to the funnel."""

from __future__ import annotations

import attrs

from authmw.errors import Refused
from authmw.factors.challenges import Challenge
from authmw.operations import Call
from authmw.parameters import Attributes
from authmw.people.directory import new_user, user_by_email, user_by_phone
from authmw.people.notices import notify_of
from authmw.people.purging import leave_purge
from authmw.people.records import Email, Phone, Proved, Session, Subject, User
from authmw.people.rules import Owned, is_theirs, prove_email, prove_phone
from authmw.signin.complete import Asked, Proof
from authmw.signin.keys import KeyRing
from authmw.signin.rules import check_is_oneself, check_may_add, check_sensitive, is_impersonated
from authmw.signin.sessions import Live, live_session
from authmw.storage import Delete, Update, Write

EPOCH = "session_epoch"
"""The detail that binds a challenge to the sessions of the person it is for: once those were ended it proves nothing."""
_CLAIMED = "claimed"
"""The detail of a challenge that the person's own session, or the host in their name, asked for."""
_BROWSER = "browser"
"""The detail of a challenge that a browser's session asked for, and no host: what is mailed then is good in that session only."""


@attrs.frozen
class Presented:
    """The session that a proof comes with, not looked at yet."""

    keys: KeyRing
    asked: Asked

    async def is_of(self, call: Call, user: User) -> bool:
        """Whether it is a living session of this user, and nobody else is behind it."""
        live = await self._live(call)
        return live is not None and live.subject.id == user.id and not is_impersonated(live.session.factors)

    async def is_session(self, call: Call, session_id: str) -> bool:
        """Whether it is this session, and lives."""
        live = await self._live(call)
        return live is not None and live.session.session_id == session_id

    async def _live(self, call: Call) -> Live | None:
        asked = self.asked
        try:
            return await live_session(
                call.storage, self.keys, call.settings, call.now, token=asked.session_token, jwt=asked.session_jwt
            )
        except Refused:
            return None


async def mailbox_proof(
    call: Call, challenge: Challenge, factor: Proved, spent: Write, refusal: str, presented: Presented | None = None
) -> Proof:
    """What it means that somebody holds what was mailed: the subject after it, and who loses the address. Refused if the subject or the address is gone.

    `presented` is the session that the proof comes with.
    """
    user = await _asking(call, challenge, refusal, presented)
    standing = user.email(challenge.method_id)
    _check_standing(challenge, standing, refusal)
    # It may have entered by another message since this one was asked for.
    email = (
        standing
        or user.email_at(challenge.address)
        or Email(email_id=challenge.method_id, address=challenge.address, created_at=call.now)
    )
    factor = _naming(factor, challenge.method_id, email.email_id)
    prover = await _prover(call, challenge, user, email, presented)
    holder = await user_by_email(call.storage, email.address)
    owned = prove_email(prover, email, holder, by_own_session=challenge.session_id is not None)
    return proof_of(call, prover, holder, owned, factor, spent)


async def phone_proof(
    call: Call, challenge: Challenge, factor: Proved, spent: Write, refusal: str, presented: Presented | None = None
) -> Proof:
    """What it means that somebody holds what was sent to a phone; as `mailbox_proof`."""
    user = await _asking(call, challenge, refusal, presented)
    standing = user.phone(challenge.method_id)
    _check_standing(challenge, standing, refusal)
    phone = (
        standing
        or user.phone_at(challenge.address)
        or Phone(phone_id=challenge.method_id, number=challenge.address, created_at=call.now)
    )
    factor = _naming(factor, challenge.method_id, phone.phone_id)
    prover = await _prover(call, challenge, user, phone, presented)
    holder = await user_by_phone(call.storage, phone.number)
    owned = prove_phone(prover, phone, holder, by_own_session=challenge.session_id is not None)
    return proof_of(call, prover, holder, owned, factor, spent)


def _naming(factor: Proved, sent_for: str, stands_as: str) -> Proved:
    """The factor under the id that its address has on the subject."""
    if sent_for == stands_as:
        return factor
    details = {
        kind: {name: stands_as if value == sent_for else value for name, value in said.items()}
        for kind, said in factor.details.items()
    }
    return attrs.evolve(factor, details=details)


async def _prover(
    call: Call, challenge: Challenge, user: User, contact: Email | Phone, presented: Presented | None
) -> User:
    """Whom a proof is of: the user who was asked for, or somebody new if the address was only named on an account that has an owner."""
    if is_theirs(user, contact, claimed=_CLAIMED in challenge.details):
        return user
    if presented is not None and await presented.is_of(call, user):
        return user
    return new_user(call)


async def _asking(call: Call, challenge: Challenge, refusal: str, presented: Presented | None) -> User:
    """The user whom a challenge is for, once all that it is bound to holds.

    What a browser's session asked to be added comes back to that session only (ACC-06): whoever opens such a mail elsewhere would give their address to its sender's account.
    """
    user = await call.storage.get(User, challenge.subject_id)
    if user is None:
        raise Refused(refusal)
    if challenge.session_id is not None:
        asking = await call.storage.get(Session, challenge.session_id)
        if asking is None or asking.subject_id != user.id or asking.subject_epoch != user.session_epoch:
            raise Refused(refusal)
        if challenge.details.get(_BROWSER):
            if not (presented and await presented.is_session(call, challenge.session_id)):
                raise Refused(refusal)
            # It enters now, so the rule is that of now: a second factor may have been enrolled since it was asked for (ACC-02).
            check_sensitive(user, asking.factors, call.now)
    if challenge.details.get(EPOCH, user.asking_epoch) != user.asking_epoch:
        raise Refused(refusal)
    return user


def _check_standing(challenge: Challenge, standing: Email | Phone | None, refusal: str) -> None:
    if standing is None and not challenge.adds_address:
        raise Refused(refusal)


def proof_of(call: Call, user: User, holder: User | None, owned: Owned, factor: Proved, *spent: Write) -> Proof:
    """The proof that a proved address makes: notices, the sessions it ends, and what becomes of who else held it."""
    notify_of(call, user, owned.subject)
    _deny_ended(call, user, owned.subject)
    writes = (*spent, *taken_from(call, holder, owned))
    if owned.reset_sessions:
        leave_purge(call, owned.subject.id, epoch=owned.subject.session_epoch)
    return Proof(before=user, after=owned.subject, factor=factor, writes=writes, reset_sessions=owned.reset_sessions)


def taken_from(call: Call, holder: User | None, owned: Owned) -> tuple[Write, ...]:
    """What a proof leaves of who else held the address: without it and its sessions, or gone where nothing else was there."""
    if owned.loser is None:
        return ()
    _deny_ended(call, holder, owned.loser)
    leave_purge(call, owned.loser.id, epoch=None if owned.loser_is_empty else owned.loser.session_epoch)
    return (Delete(owned.loser) if owned.loser_is_empty else Update(owned.loser),)


def is_taken(call: Call, holder: Subject | None, address: str) -> bool:
    """Whether an address that somebody is adding is proved by another already: a browser is then answered as for any address, and nothing is sent (ENU-01).

    Refused: `duplicate_email` for backends, and where the project reveals who is known.
    """
    standing = holder.email_at(address) if holder is not None else None
    if standing is None or not standing.verified:
        return False
    if call.caller.audience != "browser" or call.settings.reveal_unknown:
        raise Refused("duplicate_email")
    return True


def is_claimed(user: Subject, standing: Email | Phone | None) -> bool:
    """Whether a request that names this user, by a session or by id, claims an address for them: a new one, or one that is only named on an account with an owner."""
    return standing is None or not is_theirs(user, standing, claimed=False)


def claimed_by(call: Call, challenge: Challenge, user: Subject, live: Live | None) -> Challenge:
    """The challenge of an address that is claimed: bound to the session that asks, if one does, and dead once the user's sessions were ended, even if that one went on (ACC-06)."""
    stands = user.email(challenge.method_id) is not None or user.phone(challenge.method_id) is not None
    return attrs.evolve(
        challenge,
        adds_address=not stands,
        session_id=live.session.session_id if live else None,
        details={
            **challenge.details,
            EPOCH: user.asking_epoch,
            _CLAIMED: True,
            _BROWSER: call.caller.audience == "browser",
        },
    )


def _deny_ended(call: Call, before: Subject | None, after: Subject) -> None:
    """Have JWTs of sessions that a proof ended refused at once, when its commit stands (SES-06)."""
    if before is None or before.session_epoch == after.session_epoch:
        return

    async def deny() -> None:
        call.core.denied.raise_epoch(after.id, after.session_epoch, call.core.clock.now())

    call.after.append(deny)


async def signed_in_caller(call: Call, keys: KeyRing, token: str | None, jwt: str | None) -> Live | None:
    """The session that the request itself names, or the one that its browser carries."""
    if not token and not jwt and call.caller.audience == "browser":
        token = call.caller.session_token or None
    return await live_session(call.storage, keys, call.settings, call.now, token=token, jwt=jwt)


def check_may_add_factor(call: Call, live: Live) -> None:
    """The rule before a factor is added to whom a session belongs: themselves, an owner, and from a browser the MFA rule where it applies (ACC-02, ACC-03)."""
    check_is_oneself(live.session.factors)
    check_may_add(live.subject)
    if call.caller.audience == "browser":
        check_sensitive(live.subject, live.session.factors, call.now)


async def check_may_change_factors(call: Call, keys: KeyRing, user: Subject) -> None:
    """The rule before a user's factors are added to or shown: an owner (ACC-03) and, from a browser, the session's MFA rule (ACC-02)."""
    if call.caller.audience != "browser":
        check_may_add(user)
        return
    live = await signed_in_caller(call, keys, None, None)
    if live is None or live.subject.id != user.id:
        raise Refused("user_unauthenticated")
    check_may_add_factor(call, live)


def asked_of(
    call: Call,
    *,
    session_token: str | None,
    session_jwt: str | None,
    minutes: int | None,
    custom_claims: dict[str, object] | None,
    attributes: Attributes | None = None,
) -> Asked:
    """What a request asks of the session; a browser joins the session it carries, and claims nothing (SS-13)."""
    browser = call.caller.audience == "browser"
    return Asked(
        session_token=(call.caller.session_token or None) if browser else session_token,
        session_jwt=None if browser else session_jwt,
        minutes=minutes,
        custom_claims=None if browser else custom_claims,
        ip_address="" if browser or attributes is None else attributes.ip_address,
        user_agent="" if browser or attributes is None else attributes.user_agent,
    )
