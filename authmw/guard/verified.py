"""The verified session that a host's view is handed, and the one door to it."""

from __future__ import annotations

from contextvars import ContextVar
from datetime import datetime
from typing import Any

import attrs

from authmw.crypto.jwts import VerifiedClaims
from authmw.errors import Refused


@attrs.frozen(kw_only=True)
class VerifiedSession:
    """A session whose token was proved on this request. Times are aware UTC datetimes."""

    session_id: str
    user_id: str
    factors: tuple[dict[str, Any], ...] = attrs.field(repr=False)
    roles: tuple[str, ...]
    started_at: datetime
    last_accessed_at: datetime
    expires_at: datetime
    custom_claims: dict[str, Any] = attrs.field(repr=False)
    mfa: bool
    """Whether the session passes for signed-in under the project's MFA setting."""
    categories: frozenset[str]
    organization_id: str | None = None
    epoch: int = attrs.field(default=0, repr=False)


def session_of(claims: VerifiedClaims, categories: frozenset[str]) -> VerifiedSession:
    """The session that a verified JWT speaks of."""
    said = claims.session
    return VerifiedSession(
        session_id=said.id,
        user_id=claims.subject_id,
        factors=tuple(said.authentication_factors),
        roles=tuple(said.roles),
        started_at=datetime.fromisoformat(said.started_at),
        last_accessed_at=datetime.fromisoformat(said.last_accessed_at),
        expires_at=datetime.fromisoformat(said.expires_at),
        custom_claims=claims.custom,
        mfa=said.mfa,
        categories=categories,
        organization_id=claims.organization.organization_id if claims.organization else None,
        epoch=said.epoch,
    )


@attrs.frozen
class Seen:
    """What the middleware found on a request: the session or none, and the time it was judged at."""

    session: VerifiedSession | None
    now: datetime


seen: ContextVar[Seen | None] = ContextVar("authmw_seen", default=None)


def _here() -> Seen:
    found = seen.get()
    if found is None:
        message = "No authmw middleware handles this request: install it before guarding a view."
        raise RuntimeError(message)
    return found


def optional_session() -> VerifiedSession | None:
    """The session of this request, or None. It may be one that still lacks a second factor: look at `mfa`. RuntimeError without the middleware."""
    return _here().session


def current_session() -> VerifiedSession:
    """The session of this request. Refused: `user_unauthenticated` without one, `insufficient_factors` while a second factor is missing."""
    session = _here().session
    if session is None:
        raise Refused("user_unauthenticated")
    if not session.mfa:
        raise Refused("insufficient_factors")
    return session


def demand_mfa() -> VerifiedSession:
    """The session, with factors of two categories. Refused: `insufficient_factors`."""
    session = current_session()
    if len(session.categories) < 2:
        raise Refused("insufficient_factors")
    return session


def demand_fresh(minutes: int) -> VerifiedSession:
    """The session, with a factor proved less than so many minutes ago and not in the future. Refused: `stale_factors`."""
    here, session = _here(), current_session()
    for factor in session.factors:
        age = (here.now - datetime.fromisoformat(factor["last_authenticated_at"])).total_seconds()
        if 0 <= age + 1 and age < minutes * 60:
            return session
    raise Refused("stale_factors")
