"""Sessions as they are written and read: tokens, JWT claims, finding and proving one.

Law: the opaque token is an HMAC under a root key over random bytes of the row, so a dump of storage signs nobody in (TOK-02).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol, TypeVar

import attrs

from authmw.crypto import jwts, tokens
from authmw.crypto.jwts import ORGANIZATION_CLAIM, SESSION_CLAIM
from authmw.crypto.roots import RootKeys
from authmw.crypto.signing import SigningKey
from authmw.errors import Refused
from authmw.operations import Core
from authmw.people.records import Proved, Session, Subject, User
from authmw.settings import Settings
from authmw.signin.keys import KeyRing
from authmw.signin.rules import ROTATION_GRACE, jwt_seconds, lives, roles_of, satisfies_mfa
from authmw.storage import Record, Storage, Value

_PURPOSE = "session token"
R = TypeVar("R", bound=Record)


def derive_token(roots: RootKeys, session: Session) -> str | None:
    """The opaque token of a session, or None if the root key it was made under is gone."""
    if session.key_version not in roots.versions:
        return None
    return roots.token(_PURPOSE, session.session_id, session.random, version=session.key_version)


def with_new_secret(roots: RootKeys, session: Session, now: datetime) -> Session:
    """The session under a new token; the previous digest is remembered for a minute to tell a late request from a signed-out one."""
    fresh = attrs.evolve(session, random=tokens.random_bytes(32), key_version=roots.newest)
    digest = tokens.digest(roots.token(_PURPOSE, fresh.session_id, fresh.random, version=fresh.key_version))
    previous = session.digest or None
    return attrs.evolve(
        fresh, digest=digest, previous_digest=previous, previous_until=now + ROTATION_GRACE if previous else None
    )


def rfc3339(time: datetime) -> str:
    """A time to whole seconds with a Z, as the session claim spells it (RFC 3339)."""
    return time.isoformat()[:19] + "Z"  # several times quicker than strftime


def factor_on_the_wire(factor: Proved) -> dict[str, Any]:
    """A factor as answers and the session claim show it."""
    return {
        "type": factor.type,
        "delivery_method": factor.delivery_method,
        "last_authenticated_at": rfc3339(factor.last_authenticated_at),
        "created_at": rfc3339(factor.created_at),
        "updated_at": rfc3339(factor.updated_at),
        **factor.details,
    }


def claims_of(settings: Settings, session: Session, subject: Subject, now: datetime) -> dict[str, Any]:
    """What the JWT of a session says: custom claims first, so that ours win."""
    issued = int(now.timestamp())
    claim: dict[str, Any] = {
        "id": session.session_id,
        "started_at": rfc3339(session.started_at),
        "last_accessed_at": rfc3339(session.last_accessed_at),
        "expires_at": rfc3339(session.expires_at),
        "attributes": {"ip_address": session.ip_address, "user_agent": session.user_agent},
        "authentication_factors": [factor_on_the_wire(factor) for factor in session.factors],
        "roles": list(roles_of(subject)),
        "epoch": session.subject_epoch,
        "mfa": satisfies_mfa(subject, session.factors, settings.mfa, settings.second_factors),
    }
    if session.organization_id is not None:
        claim["organization_epoch"] = session.organization_epoch
    claims: dict[str, Any] = {
        **session.custom_claims,
        "iss": settings.issuers[0],
        "aud": [settings.project_id],
        "sub": session.subject_id,
        "iat": issued,
        "nbf": issued,
        "exp": issued + jwt_seconds(settings.sessions),
        SESSION_CLAIM: claim,
    }
    if session.organization_id is not None:
        claims[ORGANIZATION_CLAIM] = {"organization_id": session.organization_id, "slug": ""}
    return claims


async def issue_jwt(core: Core, keys: KeyRing, session: Session, subject: Subject, now: datetime) -> str:
    """A fresh JWT for a live session."""
    return sign_jwt(core, await keys.active(), session, subject, now)


def sign_jwt(core: Core, key: SigningKey, session: Session, subject: Subject, now: datetime) -> str:
    """The same with a key that was fetched already: what follows a commit rests on storage no more."""
    return jwts.sign(key, claims_of(core.settings, session, subject, now))


@attrs.frozen
class Live:
    """A session that holds, with its subject."""

    session: Session
    subject: Subject


def can_be_token(text: str) -> bool:
    """Whether a text has the form of an opaque token."""
    return 20 <= len(text) <= 128 and text.isascii()


class Reads(Protocol):
    """What finding a session asks of a storage."""

    async def get(self, kind: type[R], key: str) -> R | None:
        """As `Storage.get`."""
        ...

    async def find(self, kind: type[R], index: str, value: Value) -> R | None:
        """As `Storage.find`."""
        ...


async def live_by_token(storage: Reads, token: str, settings: Settings, now: datetime) -> Live:
    """The session of an opaque token. Refused: `session_not_found`, or `invalid_session_token` for one that was just replaced or cannot be one."""
    if not can_be_token(token):
        raise Refused("invalid_session_token")
    digest = tokens.digest(token)
    session = await storage.find(Session, "digest", (digest,))
    if session is None:
        raise Refused("session_not_found")
    if session.digest != digest:
        just_replaced = session.previous_until is not None and now < session.previous_until
        raise Refused("invalid_session_token" if just_replaced else "session_not_found")
    return await _alive(storage, session, settings, now)


async def live_by_jwt(storage: Storage, keys: KeyRing, token: str, settings: Settings, now: datetime) -> Live:
    """The session of a JWT of ours, expired or not, as long as its key is published."""
    try:
        claims = jwts.verify(
            token,
            await keys.verifying(jwts.key_id(token)),
            issuers=settings.issuers,
            audience=settings.project_id,
            now=now,
            allow_expired=True,
        )
    except jwts.InvalidToken:
        raise Refused("unable_to_parse_session_jwt") from None
    return await live_by_id(storage, claims.session.id, claims.subject_id, settings, now)


async def live_by_id(storage: Reads, session_id: str, subject_id: str, settings: Settings, now: datetime) -> Live:
    """The session that a verified JWT names, as storage knows it now. Refused: `session_not_found`."""
    session = await storage.get(Session, session_id)
    if session is None or session.subject_id != subject_id:
        raise Refused("session_not_found")
    return await _alive(storage, session, settings, now)


async def _alive(storage: Reads, session: Session, settings: Settings, now: datetime) -> Live:
    subject = await storage.get(User, session.subject_id)
    if subject is None or not lives(session, subject, now, settings.sessions):
        raise Refused("session_not_found")
    # A role that was given or taken since the session began counts from now on (B2B-04).
    roles = roles_of(subject)
    return Live(session if session.roles == roles else attrs.evolve(session, roles=roles), subject)


async def live_session(
    storage: Storage, keys: KeyRing, settings: Settings, now: datetime, *, token: str | None, jwt: str | None
) -> Live | None:
    """The session that a request names by one of its two tokens, or None if it names none. Refused if it names both."""
    if token and jwt:
        raise Refused("too_many_session_arguments")
    if token:
        return await live_by_token(storage, token, settings, now)
    if jwt:
        return await live_by_jwt(storage, keys, jwt, settings, now)
    return None
