"""The verified session that a host's view is handed, and the one door to it."""

from __future__ import annotations

import copy
from datetime import datetime
from typing import Any, Protocol, cast

import attrs

from authmw.clock import Clock
from authmw.crypto.jwts import VerifiedClaims
from authmw.drive import IO
from authmw.errors import Refused
from authmw.operations import Visit, visit
from authmw.permissions import Policy, granting_roles


@attrs.frozen(kw_only=True)
class VerifiedSession:
    """A session whose token was proved on this request. Times are aware UTC datetimes.

    One value is handed to many requests, so what a view may change of it is its own copy.
    """

    session_id: str
    user_id: str
    _factors: tuple[dict[str, Any], ...] = attrs.field(repr=False, alias="factors")
    roles: tuple[str, ...]
    started_at: datetime
    last_accessed_at: datetime
    expires_at: datetime
    _custom_claims: dict[str, Any] = attrs.field(repr=False, alias="custom_claims")
    mfa: bool
    """Whether the session passes for signed-in under the project's MFA setting."""
    categories: frozenset[str]
    organization_id: str | None = None
    epoch: int = attrs.field(default=0, repr=False)

    @property
    def factors(self) -> tuple[dict[str, Any], ...]:
        """The factors that were proved, as the wire shows them."""
        return copy.deepcopy(self._factors)

    @property
    def custom_claims(self) -> dict[str, Any]:
        """The host's own claims."""
        return copy.deepcopy(self._custom_claims)


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


class RoleSource(Protocol):
    """What guards of roles ask: the project's policy, and storage where they are told to be exact."""

    @property
    def io(self) -> IO:
        """How `roles_now` waits."""
        ...

    @property
    def policy(self) -> Policy:
        """The project's policy."""
        ...

    async def roles_now(self, session: VerifiedSession) -> tuple[str, ...]:
        """The roles that the session's user holds in storage now. Refused: `user_unauthenticated` if session or user are gone."""
        ...


@attrs.frozen
class Seen:
    """What the middleware found on a request: the session or none, and the clock it is judged by. The same for every request of a session, so made once."""

    session: VerifiedSession | None
    clock: Clock = attrs.field(repr=False)
    roles: RoleSource = attrs.field(repr=False)


def _here() -> Seen:
    here = visit.get()
    if here is None or here.seen is None:
        message = "No authmw middleware handles this request: install it before guarding a view."
        raise RuntimeError(message)
    found: Seen = here.seen
    return found


def _refusal(error_type: str) -> Refused:
    """The refusal, noted in the visit too: the middleware may never see it raised, for many frameworks answer unknown exceptions with 500 themselves."""
    refused = Refused(error_type)
    cast("Visit", visit.get()).refused = refused
    return refused


def optional_session() -> VerifiedSession | None:
    """The session of this request, or None. It may be one that still lacks a second factor: look at `mfa`. RuntimeError without the middleware."""
    return _here().session


def current_session() -> VerifiedSession:
    """The session of this request. Refused: `user_unauthenticated` without one, `insufficient_factors` while a second factor is missing."""
    here = visit.get()
    session: VerifiedSession | None = (_here() if here is None or here.seen is None else here.seen).session
    if session is None:
        raise _refusal("user_unauthenticated")
    if not session.mfa:
        raise _refusal("insufficient_factors")
    return session


def demand_mfa() -> VerifiedSession:
    """The session, with factors of two categories. Refused: `insufficient_factors`."""
    session = current_session()
    if len(session.categories) < 2:
        raise _refusal("insufficient_factors")
    return session


def demand_role(role: str) -> VerifiedSession:
    """The session, if its user holds this role. Refused: `consumer_session_authorization_error`."""
    session = current_session()
    _demand(role in session.roles)
    return session


def demand_permission(resource_id: str, action: str) -> VerifiedSession:
    """The session, if one of its user's roles grants this. Refused: `consumer_session_authorization_error`."""
    session = current_session()
    _demand(bool(granting_roles(_here().roles.policy, session.roles, resource_id, action)))
    return session


def role_source() -> RoleSource:
    """Where this request's roles come from."""
    return _here().roles


async def exact_session() -> VerifiedSession:
    """The session with the roles that its user holds in storage now. Refused as `current_session` and `RoleSource.roles_now`."""
    session = current_session()
    return attrs.evolve(session, roles=await role_source().roles_now(session))


def hold(session: VerifiedSession) -> None:
    """Make this what `current_session()` answers for the rest of the request."""
    found = _here()
    cast("Visit", visit.get()).seen = attrs.evolve(found, session=session)


def _demand(granted: bool) -> None:
    if not granted:
        raise _refusal("consumer_session_authorization_error")


def demand_fresh(minutes: int) -> VerifiedSession:
    """The session, with a factor proved less than so many minutes ago and not in the future. Refused: `stale_factors`."""
    here, session = _here(), current_session()
    for factor in session._factors:
        age = (here.clock.now() - datetime.fromisoformat(factor["last_authenticated_at"])).total_seconds()
        if 0 <= age + 1 and age < minutes * 60:
            return session
    raise _refusal("stale_factors")
