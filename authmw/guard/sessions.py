"""The session behind a request's cookies: verified without storage while the JWT lives, renewed from it when not.

Law: a session is what its JWT's signature proves, unless it was ended in this process or in one that told of it; only what was verified is remembered, in bounded caches that a revocation
clears. A renewal may rest on copies that all processes share (`people.cached`). With `exact_revocation` storage is asked on every request, and nobody is given what was read for another.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable
from datetime import datetime
from typing import Any, TypeAlias

import attrs

from authmw import drive
from authmw.crypto import jwts
from authmw.drive import IO
from authmw.errors import Refused, StorageError
from authmw.guard.remembered import LONGEST, SAMPLE, Remembered
from authmw.guard.verified import Seen, VerifiedSession, session_of
from authmw.ledger.commits import touch
from authmw.operations import Core
from authmw.people.cached import CopiedReads
from authmw.people.records import Session, User
from authmw.permissions import Policy
from authmw.signin.keys import KeyRing
from authmw.signin.rules import category_of, lives, needs_touch, roles_of
from authmw.signin.sessions import Live, claims_of, live_by_id, live_by_token
from authmw.single_flight import SingleFlight
from authmw.storage import Update


def _unsettled(found: Found) -> bool:
    return found.clear or found.fresh_jwt is not None


@attrs.frozen
class Found:
    """What a request's cookies come to: the session or none, as guards see it, and what the answer must set or clear."""

    seen: Seen
    fresh_jwt: str | None = attrs.field(default=None, repr=False)
    clear: bool = False
    unsettled: bool = attrs.field(init=False, default=attrs.Factory(_unsettled, takes_self=True))
    """Whether the answer must set or clear a cookie. Asked on every request, so decided once."""

    @property
    def session(self) -> VerifiedSession | None:
        """The session, or None."""
        return self.seen.session


Work: TypeAlias = Callable[[], Coroutine[Any, Any, Found]]


class SessionGuard:
    """Validates sessions for one `Auth`: first by what is remembered or signed, else by storage, once for all who ask at the same time."""

    def __init__(self, core: Core, keys: KeyRing) -> None:
        self._core = core
        self._keys = keys
        self._exact = core.settings.sessions.exact_revocation
        self._headers: Remembered[tuple[Found, str | bytes]] = Remembered()
        self._jwts: Remembered[_Proved] = Remembered()
        self._tokens: Remembered[Found] = Remembered()
        self._renewals: SingleFlight[Found] = SingleFlight()
        self.nobody = self._as_found(None)
        """The outcome of a request without a session."""
        self.doubtful = self._as_found(None)
        """The outcome of a request that carries one of our cookies twice: without a session too, but to be told of."""
        self.met = self._headers.find
        """By the `SAMPLE` of a Cookie header: the outcome of one met before and this header whole, which is to be compared; and when its JWT is over, in seconds since 1970."""
        core.denied.listeners.append(self.forget)
        core.denied.replacements.append(self._tokens.forget)

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

    def _as_found(self, session: VerifiedSession | None, fresh_jwt: str | None = None) -> Found:
        return Found(Seen(session, self._core.clock, self), fresh_jwt)

    def forget(self) -> None:
        """Forget everything: something was revoked."""
        for remembered in (self._headers, self._jwts, self._tokens):
            remembered.clear()

    def _asks(self, now: datetime) -> bool:
        """Whether storage is asked on every request: by the settings, or as long as a notice of a revocation may be missing."""
        return self._exact or self._core.denied.doubtful(now)

    # Without storage

    def known(
        self, token: str | None, jwt: str | None, now: datetime, header: str | bytes | None = None
    ) -> Found | None:
        """The outcome that needs no storage, remembered by the whole `header` if the JWT alone decides; None if storage must be asked."""
        if token is None and jwt is None:
            return self.nobody
        if self._asks(now):
            return None
        since = self._headers.revocations
        proved = self._by_jwt(jwt, now) if jwt else None
        if proved is None:
            return self._tokens.get(token, now) if token else None
        if self._asks(now):
            return None  # what was looked for among the ended may have left them meanwhile to make room
        found = self._as_found(proved.session)
        if header is not None and len(header) <= LONGEST:
            self._headers.put(header[SAMPLE], (found, header), proved.until, since)
        return found

    def _by_jwt(self, jwt: str, now: datetime) -> _Proved | None:
        """What a living JWT proves; None if it is not one, is over, or was ended here."""
        held = self._jwts.get(jwt, now)
        if held is not None:
            return held
        keys = self._keys.cached()
        if not keys or jwts.says_it_is_over(jwt, now):
            return None
        since = self._jwts.revocations
        settings = self._core.settings
        try:
            claims = jwts.verify(jwt, keys, issuers=settings.issuers, audience=settings.project_id, now=now)
        except jwts.InvalidToken:
            return None
        session = session_of(claims, _categories(claims))
        if self._ended(session):
            return None
        proved = _Proved(session, claims.expires_at)
        self._jwts.put(jwt, proved, proved.until, since)
        return proved

    def _ended(self, session: VerifiedSession) -> bool:
        return self._core.denied.holds(session.session_id, session.user_id, session.epoch)

    # With storage

    async def awaited(self, token: str | None, jwt: str | None, now: datetime) -> Found:
        """The outcome of two tokens that `known` does not know, for a host that runs a loop."""
        io = self._core.storage.io
        if self._asks(now):
            return await drive.operate(io, self._exactly(token, jwt, now))
        key, work = self._renewal(token, jwt, now)
        # What is instant runs to its end in one go: nobody on this loop can ask meanwhile, nor can a cancellation reach it.
        return self._still(await (work() if io == "instant" else self._renewals.operate(io, key, work)))

    def waited(self, token: str | None, jwt: str | None, now: datetime) -> Found:
        """The same for a synchronous host."""
        io = self._core.storage.io
        if self._asks(now):
            return drive.run(io, self._exactly(token, jwt, now))
        return self._still(self._renewals.run(io, *self._renewal(token, jwt, now)))

    def _renewal(self, token: str | None, jwt: str | None, now: datetime) -> tuple[Hashable, Work]:
        """What is done once for all who ask at the same time, and under which key: the very proofs that it rests on.

        A JWT that no key known here can verify may be of a key that another process has just made. Any other is worthless, or `known` had known it, and is left out:
        so tabs that carry different JWTs of one session share one renewal.
        """
        hopeful = jwt if jwt is not None and not jwts.is_settled_by(jwt, self._keys.cached()) else None
        return (token, hopeful), lambda: self._found(token, hopeful, now)

    def _still(self, found: Found) -> Found:
        """What was found for all, unless it ended before this one was given it."""
        return self.nobody if found.session is not None and self._ended(found.session) else found

    async def _found(self, token: str | None, jwt: str | None, now: datetime) -> Found:
        try:
            await self._keys.verifying(jwts.key_id(jwt) if jwt else None)
            known = self.known(token, jwt, now)
            if known is not None:
                return known
            return await self._renewed(token, now) if token else self.nobody
        except Refused as refused:
            return Found(self.nobody.seen, clear=refused.error_type == "session_not_found")
        except StorageError:
            return self.nobody

    async def _exactly(self, token: str | None, jwt: str | None, now: datetime) -> Found:
        """As storage knows the session now. A living JWT says which it is, so that none is signed anew on each request."""
        core = self._core
        try:
            await self._keys.verifying(jwts.key_id(jwt) if jwt else None)
            proved = self._by_jwt(jwt, now) if jwt else None
            if proved is not None:
                said = proved.session
                live = await live_by_id(core.storage, said.session_id, said.user_id, core.settings, now)
                if live.session.subject_epoch == said.epoch:
                    return self._as_found(said)
            return await self._renewed(token, now) if token else self.nobody
        except Refused as refused:
            return Found(self.nobody.seen, clear=refused.error_type == "session_not_found")
        except StorageError:
            return self.nobody

    async def _renewed(self, token: str, now: datetime) -> Found:
        """The session of an opaque token with a fresh JWT. The token stays as it is: other tabs carry it too. No event tells of it."""
        core, since = self._core, self._tokens.revocations
        live, until = await self._live(token, now)
        session = live.session
        if needs_touch(session, now, core.settings.sessions):
            session = attrs.evolve(session, last_accessed_at=now)
            await touch(core, Update(session))
        key = await self._keys.active()
        claims = claims_of(core.settings, session, live.subject, now)
        if until is not None:
            claims["exp"] = min(claims["exp"], int(until.timestamp()))
        fresh, said = jwts.sign(key, claims), jwts.signed(key, claims)
        found = self._as_found(session_of(said, _categories(said)), fresh_jwt=fresh)
        if not self._exact:
            self._tokens.put(token, found, said.expires_at, since)
        return found

    async def _live(self, token: str, now: datetime) -> tuple[Live, datetime | None]:
        """The session of an opaque token, and until when that is believed if it may come from copies. They refuse nobody: where they would, storage is asked."""
        core = self._core
        if core.copies is None or self._asks(now):
            return await live_by_token(core.storage, token, core.settings, now), None
        reads = CopiedReads(core.copies, core.storage, core.clock.now)
        try:
            live = await live_by_token(reads, token, core.settings, now)
            said = live.session
            if not reads.copied or not core.denied.holds(said.session_id, said.subject_id, said.subject_epoch):
                return live, reads.until
        except Refused:
            if not reads.copied:
                raise
        reads = CopiedReads(core.copies, core.storage, core.clock.now, fresh=True)
        return await live_by_token(reads, token, core.settings, now), reads.until


@attrs.frozen
class _Proved:
    """What a JWT proved, and until when."""

    session: VerifiedSession
    until: datetime


def _categories(claims: jwts.VerifiedClaims) -> frozenset[str]:
    return frozenset(
        category_of(str(factor.get("type")), str(factor.get("delivery_method")))
        for factor in claims.session.authentication_factors
    )
