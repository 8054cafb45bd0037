"""The one place where a proof becomes a session.

Law: a session is born or stepped up here, in the same commit that spends what proved it; signing comes after. A step-up keeps the session's id and changes
its secret (SES-01).
"""

from __future__ import annotations

from typing import Any

import attrs

from authmw.crypto import tokens
from authmw.errors import Refused
from authmw.ledger.commits import commit
from authmw.operations import Call, current_call
from authmw.people.records import Proved, Session, Subject
from authmw.signin.keys import KeyRing
from authmw.signin.rules import end_of, is_impersonated, merged_claims, roles_of, satisfies_mfa, still_held, with_factor
from authmw.signin.sessions import Live, derive_token, live_session, sign_jwt, with_new_secret
from authmw.storage import Insert, Update, Write


@attrs.frozen(kw_only=True)
class Asked:
    """What a request asks of the session: to join one, how long it shall live, what it shall claim."""

    session_token: str | None = attrs.field(default=None, repr=False)
    session_jwt: str | None = attrs.field(default=None, repr=False)
    minutes: int | None = None
    custom_claims: dict[str, Any] | None = attrs.field(default=None, repr=False)
    ip_address: str = ""
    user_agent: str = attrs.field(default="", repr=False)


@attrs.frozen(kw_only=True)
class Proof:
    """What a factor has shown: the subject before and after, what is spent and what dies with it, and the factor."""

    before: Subject
    after: Subject
    factor: Proved
    writes: tuple[Write, ...] = ()
    reset_sessions: bool = False


@attrs.frozen(kw_only=True)
class SignedIn:
    """The outcome: the subject, and a session with both tokens if one was asked for."""

    subject: Subject
    session: Session | None = None
    session_token: str = attrs.field(default="", repr=False)
    session_jwt: str = attrs.field(default="", repr=False)
    reset_sessions: bool = False


async def complete(proof: Proof, asked: Asked, keys: KeyRing) -> SignedIn:
    """Turn a proof into what was asked for, in one commit."""
    call = current_call()
    joined = await _joined(call, proof, asked, keys)
    subject = proof.after
    changed = _written(proof)
    session = _session_for(call, joined, proof, asked)
    if session is None:
        await commit(*proof.writes, *changed, subject_id=subject.id, factor=_name(proof.factor))
        return SignedIn(subject=_stored(subject, changed=bool(changed)), reset_sessions=proof.reset_sessions)
    # Fetched before the commit, so that no failure of storage can come between a session that stands and its answer.
    key = await keys.standing()
    refusal = _gate(call, subject, session)
    written: Write = Update(session) if joined else Insert(session)
    if refusal is not None:
        await commit(*proof.writes, *changed, subject_id=subject.id, factor=_name(proof.factor), refusal=refusal)
    if joined is not None:
        _forget_later(call, joined.session)
    await commit(*proof.writes, *changed, written, subject_id=subject.id, factor=_name(proof.factor))
    token = derive_token(call.core.roots, session) or ""
    jwt = sign_jwt(call.core, key or await keys.active(), session, subject, call.now)
    return SignedIn(
        subject=_stored(subject, changed=bool(changed)),
        session=session,
        session_token=token,
        session_jwt=jwt,
        reset_sessions=proof.reset_sessions,
    )


def _written(proof: Proof) -> tuple[Write, ...]:
    """What stores the subject: one that was made for this proof is inserted."""
    if proof.after == proof.before:
        return ()
    return (Insert(proof.after),) if proof.before.version == 0 else (Update(proof.after),)


def _forget_later(call: Call, before: Session) -> None:
    """Once the step-up stands, the secret that the session had opens nothing in this process any more (SES-01)."""

    async def forget() -> None:
        call.core.denied.replace(derive_token(call.core.roots, before))

    call.after.append(forget)


async def _joined(call: Call, proof: Proof, asked: Asked, keys: KeyRing) -> Live | None:
    """The session that the proof is added to. What a browser still carries of an ended or another person's session keeps nobody from signing in."""
    browser = call.caller.audience == "browser"
    try:
        live = await live_session(
            call.storage, keys, call.settings, call.now, token=asked.session_token, jwt=asked.session_jwt
        )
    except Refused:
        if browser:
            return None
        raise
    if live is not None and live.subject.id != proof.before.id:
        if browser:
            return None
        raise Refused("user_id_mismatch")
    if live is not None and is_impersonated(live.session.factors):
        if browser:
            return None
        raise Refused("session_not_mutable")
    return live


def _session_for(call: Call, joined: Live | None, proof: Proof, asked: Asked) -> Session | None:
    now, rules = call.now, call.settings.sessions
    if joined is not None:
        minutes = asked.minutes
        session = joined.session
        expires = end_of(now, minutes, session.started_at, rules) if minutes is not None else session.expires_at
        stepped = attrs.evolve(
            session,
            factors=with_factor(still_held(session.factors, proof.after), proof.factor),
            expires_at=expires,
            last_accessed_at=now,
            subject_epoch=proof.after.session_epoch,
            custom_claims=merged_claims(session.custom_claims, asked.custom_claims),
        )
        return with_new_secret(call.core.roots, stepped, now)
    if asked.minutes is None:
        return None
    born = Session(
        session_id=tokens.new_id("session", call.settings.environment),
        subject_id=proof.after.id,
        random=b"",
        key_version=call.core.roots.newest,
        digest="",
        started_at=now,
        last_accessed_at=now,
        expires_at=end_of(now, asked.minutes, now, rules),
        ip_address=asked.ip_address or call.caller.ip_address,
        user_agent=(asked.user_agent or call.caller.user_agent)[:1024],
        factors=(proof.factor,),
        custom_claims=merged_claims({}, asked.custom_claims),
        roles=roles_of(proof.after),
        subject_epoch=proof.after.session_epoch,
    )
    return with_new_secret(call.core.roots, born, now)


def _gate(call: Call, subject: Subject, session: Session) -> Refused | None:
    settings = call.settings
    if settings.mfa != "gate" or satisfies_mfa(subject, session.factors, settings.mfa, settings.second_factors):
        return None
    return Refused("insufficient_factors")


def _name(factor: Proved) -> str:
    return f"{factor.type}:{factor.delivery_method}"


def _stored(subject: Subject, *, changed: bool) -> Subject:
    return attrs.evolve(subject, version=subject.version + 1) if changed else subject
