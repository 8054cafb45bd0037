"""The session behind a request's cookies: verified without storage while the JWT lives, renewed from it when not.

Law: a session is what its JWT's signature proves, unless it was ended in this process; only verified cookie headers are remembered, in bounded caches that a revocation clears.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime

import attrs

from authmw.crypto import jwts
from authmw.drive import IO
from authmw.errors import Refused, StorageError
from authmw.guard.verified import VerifiedSession, session_of
from authmw.ledger.commits import touch
from authmw.operations import Core
from authmw.people.records import Session, User
from authmw.permissions import Policy
from authmw.signin.keys import KeyRing
from authmw.signin.rules import category_of, lives, needs_touch, roles_of
from authmw.signin.sessions import issue_jwt, live_by_token
from authmw.storage import Update

CACHED = 10_000


@attrs.frozen
class Found:
    """What a request's cookies come to: a session, and what the answer must set or clear."""

    session: VerifiedSession | None = None
    fresh_jwt: str | None = attrs.field(default=None, repr=False)
    fresh_token: str | None = attrs.field(default=None, repr=False)
    clear: bool = False


NOTHING = Found()


class SessionGuard:
    """Validates sessions for one `Auth`."""

    def __init__(self, core: Core, keys: KeyRing) -> None:
        self._core = core
        self._keys = keys
        self._lock = threading.Lock()
        self._verified: dict[str, tuple[VerifiedSession, float]] = {}
        core.denied.listeners.append(self.forget)

    @property
    def io(self) -> IO:
        """How storage waits."""
        return self._core.storage.io

    @property
    def policy(self) -> Policy:
        """The project's policy."""
        return self._core.settings.rbac

    async def roles_now(self, session: VerifiedSession) -> tuple[str, ...]:
        """The roles that the session's user holds in storage now. Refused: `user_unauthenticated` if session or user are gone, `server_unavailable`."""
        core = self._core
        try:
            stored = await core.storage.get(Session, session.session_id)
            user = await core.storage.get(User, session.user_id)
        except StorageError:
            raise Refused("server_unavailable") from None
        if stored is None or user is None or not lives(stored, user, core.clock.now(), core.settings.sessions):
            raise Refused("user_unauthenticated")
        return roles_of(user)

    def remembered(self, key: str, now: datetime) -> VerifiedSession | None:
        """The session of a cookie header (or JWT) verified before, while its JWT lives."""
        held = self._verified.get(key)
        return held[0] if held is not None and now.timestamp() < held[1] else None

    def remember(self, key: str, session: VerifiedSession, until: float) -> None:
        """Remember a verified header until its JWT is over."""
        with self._lock:
            if len(self._verified) >= CACHED:
                for old in list(self._verified)[: CACHED // 10]:
                    del self._verified[old]
            self._verified[key] = (session, until)

    def forget(self) -> None:
        """Forget everything: something was revoked."""
        with self._lock:
            self._verified.clear()

    def by_jwt(self, jwt: str, now: datetime, remember_as: Sequence[str] = ()) -> VerifiedSession | None:
        """The session of a live JWT, without storage; None if it is not one, is over, or was ended here."""
        settings = self._core.settings
        keys = self._keys.cached()
        if not keys:
            return None
        try:
            claims = jwts.verify(jwt, keys, issuers=settings.issuers, audience=settings.project_id, now=now)
        except jwts.InvalidToken:
            return None
        if self._core.denied.holds(claims.session.id, claims.subject_id, claims.session.epoch):
            return None
        session = session_of(claims, _categories(claims))
        if now >= session.expires_at:
            return None  # A JWT lives five minutes whatever is left of its session.
        until = min(claims.expires_at, session.expires_at).timestamp()
        for key in remember_as:
            self.remember(key, session, until)
        return session

    async def by_cookies(self, token: str | None, jwt: str | None, now: datetime) -> Found:
        """The session of the two cookies, read from storage where the JWT does not do."""
        settings, core = self._core.settings, self._core
        try:
            await self._keys.load()
            if jwt and not settings.sessions.exact_revocation:
                session = self.by_jwt(jwt, now)
                if session is not None:
                    return Found(session)
            if not token:
                return NOTHING
            live = await live_by_token(core.storage, token, settings, now)
            if needs_touch(live.session, now, settings.sessions):
                await touch(core.storage, Update(attrs.evolve(live.session, last_accessed_at=now)))
            fresh = await issue_jwt(core, self._keys, live.session, live.subject, now)
        except Refused as refused:
            return Found(clear=refused.error_type == "session_not_found")
        except StorageError:
            return NOTHING
        return Found(self.by_jwt(fresh, now), fresh_jwt=fresh)


def _categories(claims: jwts.VerifiedClaims) -> frozenset[str]:
    return frozenset(
        category_of(str(factor.get("type")), str(factor.get("delivery_method")))
        for factor in claims.session.authentication_factors
    )
