"""ID tokens that native apps get from the kits of Google and Apple.

Law: such a token signs in once, for one of the project's own client ids, and with the nonce of the app that asked for it (OAU-07).
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import attrs
import msgspec

from authmw.consumer.oauth.flow import attaching, spent
from authmw.consumer.oauth.landing import answered, by_id_token, check_same_session
from authmw.consumer.oauth.linking import proof_by
from authmw.consumer.oauth.responses import AuthenticateResponse
from authmw.consumer.proofs import asked_of
from authmw.crypto import tokens
from authmw.errors import Refused
from authmw.factors.challenges import Challenge
from authmw.factors.oauth.exchange import Directory
from authmw.operations import Call, Core, Product, current_call, operation
from authmw.parameters import JWT, Name, SessionMinutes, Text, Token
from authmw.signin.keys import KeyRing
from authmw.storage import Insert, Update, Write


class IDTokens(Product):
    """Sign-in by what a native app got from its platform."""

    def __init__(self, core: Core, keys: KeyRing, directory: Directory) -> None:
        super().__init__(core)
        self._keys = keys
        self._directory = directory

    @operation("POST", "/v1/oauth/google/id_token/authenticate", action="OAuthGoogleIDTokenAuthenticate")
    async def google(
        self,
        *,
        id_token: JWT,
        session_duration_minutes: SessionMinutes,
        nonce: Text | None = None,
        oauth_attach_token: Token | None = None,
    ) -> AuthenticateResponse:
        """Sign in by an ID token that a native app got from Google, once. `nonce` is what the app gave to Google. Refused: `oauth_flow_callback_error`."""
        return await self._by("google", id_token, nonce, oauth_attach_token, session_duration_minutes, None)

    @operation("POST", "/v1/oauth/apple/id_token/authenticate", action="OAuthAppleIDTokenAuthenticate")
    async def apple(
        self,
        *,
        id_token: JWT,
        session_duration_minutes: SessionMinutes,
        name: Name | None = None,
        nonce: Text | None = None,
        oauth_attach_token: Token | None = None,
    ) -> AuthenticateResponse:
        """Sign in by an ID token that a native app got from Apple, once. `nonce` is the raw one, whose SHA-256 the app gave to Apple, or that itself."""
        return await self._by("apple", id_token, nonce, oauth_attach_token, session_duration_minutes, name)

    async def _by(
        self, provider: str, id_token: str, nonce: str | None, attach: str | None, minutes: int, name: Name | None
    ) -> AuthenticateResponse:
        call = current_call()
        result, claims = await by_id_token(call, self._directory, provider, id_token)
        _check_nonce(claims.get("nonce"), nonce)
        if name is not None:
            result.profile.first_name, result.profile.last_name = name.first_name, name.last_name
        attached: tuple[Write, ...] = ()
        if attach is not None:
            adding = await attaching(call, attach, provider)
            result.attach_id, attached = adding.challenge_id, (Update(spent(call, adding)),)
            await check_same_session(call, self._keys, result, None, None)
        proof, part = await proof_by(call, result, await _used(call, claims))
        proof = attrs.evolve(proof, writes=(*proof.writes, *attached))
        asked = asked_of(call, session_token=None, session_jwt=None, minutes=minutes, custom_claims=None)
        return await answered(call, self._keys, proof, part, result.granted, asked)


def _check_nonce(said: object, given: str | None) -> None:
    """Refused unless the token holds the app's nonce, raw or hashed as Apple's kit does; a token that holds one needs it (OAU-07)."""
    if said is None and given is None:
        return
    if isinstance(said, str) and given is not None:
        if tokens.same(said, given) or tokens.same(said, hashlib.sha256(given.encode()).hexdigest()):
            return
    raise Refused("oauth_flow_callback_error")


async def _used(call: Call, claims: dict[str, Any]) -> Write:
    """Marks an ID token as used, by what it says: its text has several spellings."""
    key = "oauth-id-token|" + tokens.digest(msgspec.json.encode(claims, order="sorted").decode())
    if await call.storage.get(Challenge, key) is not None:
        raise Refused("oauth_flow_callback_error")
    return Insert(
        Challenge(
            challenge_id=key,
            purpose="oauth_id_token",
            subject_id="",
            method_id="",
            created_at=call.now,
            expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        )
    )
