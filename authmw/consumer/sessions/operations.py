"""Sessions: look at them, prove and extend them, end them, and publish the keys that prove them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import attrs
import msgspec

from authmw.consumer.answers import SessionAnswer, UserAnswer, session_answer, user_answer
from authmw.consumer.magic_links.responses import EmptyResponse
from authmw.consumer.proofs import signed_in_caller
from authmw.consumer.sessions import browser
from authmw.consumer.sessions.foreign import ForeignSessions
from authmw.consumer.sessions.sandbox import LIVING, sandbox_session
from authmw.errors import Refused
from authmw.ledger.commits import commit, touch
from authmw.operations import Call, Response, current_call, operation
from authmw.parameters import JWT, Claims, Id, RoleId, SessionMinutes, Token
from authmw.people.directory import user_by_reference
from authmw.people.records import Session, User
from authmw.permissions import Policy, granting_roles
from authmw.rows import Row
from authmw.signin.rules import end_of, is_impersonated, lives, merged_claims, needs_touch, roles_of
from authmw.signin.sessions import Live, derive_token, live_session, sign_jwt, with_new_secret
from authmw.storage import Between, Cursor, Delete, Order, Update

LISTED = 100
"""Sessions of one answer."""
PAGES = 20
"""So many pages of a user's sessions are looked through for the live ones."""


class AuthorizationCheck(msgspec.Struct, kw_only=True):
    """What a caller wants to know of the session's roles."""

    resource_id: RoleId
    action: RoleId


class AuthorizationVerdict(msgspec.Struct, kw_only=True):
    """That the session's roles permit it, and which of them do."""

    authorized: bool
    granting_roles: list[str]


class GetResponse(Response, kw_only=True):
    """The live sessions of a user."""

    sessions: list[SessionAnswer]


class SessionResponse(Response, kw_only=True):
    """A live session with both tokens and its user."""

    session: SessionAnswer
    session_token: str
    session_jwt: str
    user: UserAnswer
    user_id: str
    verdict: AuthorizationVerdict | None


class JWKSResponse(Response, kw_only=True):
    """The published keys (RFC 7517)."""

    keys: list[dict[str, Any]]


class Sessions(ForeignSessions):
    """Sessions of users."""

    def rows(self) -> tuple[Row, ...]:
        """What browsers reach."""
        return browser.rows(self)

    @operation("GET", "/v1/sessions", action="SessionsGet")
    async def get(self, *, user_id: Id) -> GetResponse:
        """The live sessions of a user, newest first, at most 100. Refused: `user_not_found`."""
        call = current_call()
        user = await user_by_reference(call.storage, user_id)
        roles = roles_of(user)
        live = await _living(call, user)
        return GetResponse(sessions=[session_answer(attrs.evolve(session, roles=roles)) for session in live])

    @operation("POST", "/v1/sessions/authenticate", action="SessionsAuthenticate")
    async def authenticate(
        self,
        *,
        session_token: Token | None = None,
        session_jwt: JWT | None = None,
        session_duration_minutes: SessionMinutes | None = None,
        session_custom_claims: Claims | None = None,
        authorization_check: AuthorizationCheck | None = None,
    ) -> SessionResponse:
        """Prove that a session holds, by its token or by a JWT of it (expired or not), and get fresh tokens.

        A duration moves the session's end to that many minutes from now; it makes no factor fresher. Custom claims replace by name, null deletes. Refused:
        `consumer_session_authorization_error` (403), `session_not_found`, `invalid_session_token`, `unable_to_parse_session_jwt`, `no_session_arguments`.
        """
        call = current_call()
        sandbox = sandbox_session(call, session_token, session_duration_minutes)
        live = sandbox or await signed_in_caller(call, self.keys, session_token, session_jwt)
        if live is None:
            raise Refused("user_unauthenticated" if call.caller.audience == "browser" else "no_session_arguments")
        verdict = _verdict(call.settings.rbac, live, authorization_check)
        claims = None if call.caller.audience == "browser" else session_custom_claims
        key = await self.keys.standing()
        session = sandbox.session if sandbox else await self._kept(call, live, session_duration_minutes, claims)
        token = LIVING if sandbox else derive_token(call.core.roots, session) or ""
        jwt = sign_jwt(call.core, key or await self.keys.active(), session, live.subject, call.now)
        return SessionResponse(
            session=session_answer(session),
            session_token=token,
            session_jwt=jwt,
            user=user_answer(live.subject, call.now),
            user_id=live.subject.id,
            verdict=verdict,
        )

    async def _kept(self, call: Call, live: Live, minutes: int | None, claims: dict[str, Any] | None) -> Session:
        """The session after this call: written if something of it changed, touched if it is time, else left alone."""
        session, rules = live.session, call.settings.sessions
        if is_impersonated(session.factors):
            minutes, claims = None, None  # It is never extended, and says what it said when it began.
        after = attrs.evolve(session, custom_claims=merged_claims(session.custom_claims, claims))
        if minutes is not None:
            end = end_of(call.now, minutes, session.started_at, rules)
            if abs(end - session.expires_at) >= timedelta(minutes=1):
                after = attrs.evolve(after, expires_at=end)
        if derive_token(call.core.roots, session) is None:
            after = with_new_secret(call.core.roots, after, call.now)
        if after != session:
            after = attrs.evolve(after, last_accessed_at=call.now)
            before = derive_token(call.core.roots, session)
            call.after.append(lambda: self._replaced(before))
            await commit(Update(after), subject_id=live.subject.id)
        elif needs_touch(session, call.now, rules):
            after = attrs.evolve(session, last_accessed_at=call.now)
            await touch(call.core, Update(after))
        return after

    @operation("POST", "/v1/sessions/revoke", action="SessionsRevoke")
    async def revoke(
        self, *, session_id: Id | None = None, session_token: Token | None = None, session_jwt: JWT | None = None
    ) -> EmptyResponse:
        """End a session, named by its id, token or JWT; one that is over already is no error."""
        call = current_call()
        if call.caller.audience == "browser":
            session_id, session_token, session_jwt = None, call.caller.session_token or None, None
        given = [argument for argument in (session_id, session_token, session_jwt) if argument]
        if not given:
            browser = call.caller.audience == "browser"
            raise Refused("user_unauthenticated" if browser else "no_session_revoke_arguments")
        if len(given) > 1:
            raise Refused("too_many_session_revoke_arguments")
        session = await self._named(call, session_id, session_token, session_jwt)
        if session is not None:
            ended = session.session_id
            call.after.append(lambda: self._deny(ended))
            await commit(Delete(session), subject_id=session.subject_id)
        return EmptyResponse()

    async def _named(self, call: Call, session_id: str | None, token: str | None, jwt: str | None) -> Session | None:
        if session_id:
            return await call.storage.get(Session, session_id)
        try:
            live = await live_session(call.storage, self.keys, call.settings, call.now, token=token, jwt=jwt)
        except Refused as refused:
            if refused.error_type == "session_not_found":
                return None
            raise
        return live.session if live else None

    async def _replaced(self, token: str | None) -> None:
        self.core.denied.replace(token)

    async def _deny(self, session_id: str) -> None:
        self.core.denied.add(session_id, self.core.clock.now())

    @operation("GET", "/v1/sessions/jwks/{project_id}", action="SessionsJwks")
    async def get_jwks(self, *, project_id: Id) -> JWKSResponse:
        """The public keys that session JWTs are verified with. Needs no credentials. Refused: `project_not_found`."""
        call = current_call()
        if project_id != call.settings.project_id:
            raise Refused("project_not_found")
        return JWKSResponse(keys=await self.keys.published())


async def _living(call: Call, user: User) -> list[Session]:
    """The newest live sessions of a user; those that are over stand among them until they are swept, and hide none."""
    theirs = Between("subject", (user.id,), (user.id, "~"))
    live: list[Session] = []
    after: Cursor | None = None
    for _ in range(PAGES):
        page = await call.storage.page(
            Session, theirs, order=Order("subject", descending=True), after=after, limit=LISTED
        )
        live += (session for session in page.records if lives(session, user, call.now, call.settings.sessions))
        after = page.cursor
        if after is None or len(live) >= LISTED:
            break
    return sorted(live, key=lambda session: session.started_at, reverse=True)[:LISTED]


def _verdict(policy: Policy, live: Live, check: AuthorizationCheck | None) -> AuthorizationVerdict | None:
    """Whether the user's roles, as they stand in storage now, permit what was asked. Refused: `consumer_session_authorization_error`."""
    if check is None:
        return None
    granting = granting_roles(policy, roles_of(live.subject), check.resource_id, check.action)
    if not granting:
        raise Refused("consumer_session_authorization_error")
    return AuthorizationVerdict(authorized=True, granting_roles=list(granting))
