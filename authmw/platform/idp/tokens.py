"""Tokens: for a code, for a refresh token, and what is asked about or done to one that was given.

Law: a family of tokens is one row, and each of its steps is one conditional write: of two that come at once one wins, and the other reads what the first has left.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import attrs
from msgspec import UNSET, Meta

from authmw.crypto import tokens
from authmw.crypto.jwts import InvalidToken
from authmw.errors import Refused
from authmw.ledger.commits import commit
from authmw.operations import Call, Core, Product, current_call, operation
from authmw.parameters import JWT, URL, ClientId, Id, ResourceList, Text
from authmw.people.apps import ConnectedApp, Grant, LiveGrant, counter_of, live_grant, next_of
from authmw.platform.idp.asking import client_of
from authmw.platform.idp.claims import claims_by_scope
from authmw.platform.idp.issuing import end_family, issued, new_grant
from authmw.platform.idp.records import AuthorizationCode
from authmw.platform.idp.responses import Done, IntrospectResponse, TokenResponse, UserInfoResponse
from authmw.platform.idp.rules import audience_of, check_code, check_key, check_refresh, narrowed
from authmw.signin.access_tokens import ANYONE, AccessToken, live_access_token, verify_access_token
from authmw.signin.keys import KeyRing
from authmw.storage import Insert, Update

Secret = Annotated[str, Meta(max_length=512)]
ScopeList = Annotated[str, Meta(max_length=8192)]
Opaque = Annotated[str, Meta(max_length=512)]
ACCESS, REFRESH = "access_token", "refresh_token"
TOKEN = "/v1/public/{project_id}/oauth2/token"


class Tokens(Product):
    """The tokens of apps. `dpop_key` is the thumbprint of a key that the caller has proved (RFC 9449); over HTTP it is taken from the proof, never from the body."""

    def __init__(self, core: Core, keys: KeyRing) -> None:
        super().__init__(core)
        self.keys = keys

    @operation("POST", TOKEN, action="IDPTokenAuthorizationCode", door="oauth", grant="authorization_code")
    async def exchange_code(
        self,
        *,
        client_id: ClientId,
        code: Opaque,
        redirect_uri: URL | None = None,
        code_verifier: Opaque | None = None,
        client_secret: Secret | None = None,
        resource: ResourceList | None = None,
        dpop_key: Text | None = None,
        project_id: Id | None = None,
    ) -> TokenResponse:
        """Tokens for a code (RFC 6749 section 4.1.3). A code is good once: presented again, all that came of it is revoked.

        Refused: `invalid_client`, `invalid_grant`, `invalid_target`, `invalid_dpop_proof`.
        """
        call = current_call()
        _check_project(call, project_id)
        app = await client_of(call, client_id, client_secret)
        digest = tokens.digest(code)
        kept = await call.storage.get(AuthorizationCode, digest)
        use = check_code(kept, client_id=app.client_id, redirect_uri=redirect_uri, verifier=code_verifier, now=call.now)
        assert kept is not None  # the rule refuses what is not there
        if use == "replayed":
            await end_family(call, await call.storage.get(Grant, kept.used_grant or ""))
        key = check_key(kept.key, dpop_key, required=call.settings.provider.require_dpop)
        audience = audience_of(app, kept.resources, resource)
        grant = new_grant(call, app, kept, key)
        live = await live_grant(call.storage, grant, call.now)
        if live is None:
            raise Refused("invalid_grant")
        spent = attrs.evolve(kept, used_grant=grant.grant_id)
        await commit(Insert(grant), Update(spent), subject_id=grant.subject_id)
        return await issued(call, self.keys, live, scopes=grant.scopes, audience=audience, nonce=kept.nonce)

    @operation("POST", TOKEN, action="IDPTokenRefresh", door="oauth", grant="refresh_token")
    async def refresh(
        self,
        *,
        client_id: ClientId,
        refresh_token: Opaque,
        scope: ScopeList | None = None,
        client_secret: Secret | None = None,
        resource: ResourceList | None = None,
        dpop_key: Text | None = None,
        project_id: Id | None = None,
    ) -> TokenResponse:
        """Fresh tokens for a refresh token, which is spent (RFC 6749 section 6). One that was spent before ends the family (RFC 9700 section 4.14.2).

        `scope` may narrow the access token, never widen it. A family that was bound to no key is bound to the one that is proved here. Refused: `invalid_client`, `invalid_grant`, `invalid_scope`, `invalid_target`, `invalid_dpop_proof`.
        """
        call = current_call()
        _check_project(call, project_id)
        app = await client_of(call, client_id, client_secret)
        grant = await _family(call, refresh_token)
        counter = counter_of(call.core.roots, grant, refresh_token) if grant is not None else None
        live = await live_grant(call.storage, grant, call.now)
        if live is None or counter is None or live.grant.client_id != app.client_id:
            raise Refused("invalid_grant")
        provider = call.settings.provider
        worth = check_refresh(live.grant, counter, call.now, timedelta(seconds=provider.refresh_grace_seconds))
        if worth == "reused":
            await end_family(call, live.grant)
        if worth != "current" and live.grant.key_version not in call.core.roots.versions:
            # The answer that was lost was another process's, which has a newer root key already: it can give it again, we cannot.
            raise Refused("server_unavailable")
        key = check_key(live.grant.key, dpop_key, required=provider.require_dpop)
        scopes = narrowed(live.grant.scopes, scope)
        audience = audience_of(app, live.grant.resources, resource)
        if worth == "current":
            fresh = attrs.evolve(
                next_of(live.grant, call.now, timedelta(days=provider.refresh_days)),
                key_version=call.core.roots.newest,
                key=key,
            )
            await commit(Update(fresh), subject_id=fresh.subject_id)
            live = attrs.evolve(live, grant=fresh)
        return await issued(call, self.keys, live, scopes=scopes, audience=audience)

    @operation("POST", "/v1/public/{project_id}/oauth2/introspect", action="IDPIntrospectToken", door="oauth")
    async def introspect_token_network(
        self,
        *,
        token: JWT,
        client_id: ClientId,
        client_secret: Secret | None = None,
        token_type_hint: Text | None = None,  # noqa: ARG002 -- the token itself says what it is
        project_id: Id | None = None,
    ) -> IntrospectResponse:
        """Whether a token of this app is good now, and what it says (RFC 7662). Of any other token it is said only that it is not active. Refused: `invalid_client`."""
        call = current_call()
        _check_project(call, project_id)
        app = await client_of(call, client_id, client_secret)
        if token.startswith("grant-"):
            return await _introspected_refresh(call, app, token)
        found = await self._live(call, token)
        if found is None or found[0].client_id != app.client_id:
            return IntrospectResponse(active=False)
        said = found[0]
        return IntrospectResponse(
            active=True,
            sub=said.subject_id,
            scope=" ".join(said.scopes),
            aud=list(said.audience),
            exp=int(said.expires_at.timestamp()),
            iat=int(said.issued_at.timestamp()),
            nbf=int(said.issued_at.timestamp()),
            iss=said.issuer,
            token_type=ACCESS,
            client_id=said.client_id,
            cnf={"jkt": said.key} if said.key else UNSET,
            claims=said.custom_claims,
        )

    @operation("POST", "/v1/public/{project_id}/oauth2/revoke", action="IDPRevokeToken", door="oauth")
    async def revoke_token(
        self,
        *,
        token: JWT,
        client_id: ClientId,
        client_secret: Secret | None = None,
        token_type_hint: Text | None = None,  # noqa: ARG002 -- the token itself says what it is
        project_id: Id | None = None,
    ) -> Done:
        """End the family that a token of this app belongs to, whichever of its tokens it is (RFC 7009). One that is not good is no error.

        Refused: `invalid_client`; `unsupported_token_type` for a machine's token.
        """
        call = current_call()
        _check_project(call, project_id)
        app = await client_of(call, client_id, client_secret)
        grant = await self._named(call, token)
        if grant is not None and grant.client_id == app.client_id and grant.revoked_at is None:
            await commit(Update(attrs.evolve(grant, revoked_at=call.now)), subject_id=grant.subject_id)
        return Done()

    @operation("POST", "/v1/public/{project_id}/oauth2/userinfo", action="IDPUserInfo", door="oauth")
    async def userinfo(
        self, *, access_token: JWT, dpop_key: Text | None = None, project_id: Id | None = None
    ) -> UserInfoResponse:
        """What a token with the scope `openid` lets its bearer know of the person. Refused: `invalid_token`, `insufficient_scope`.

        A token for a resource or an audience of the app's own is good there and not here (RFC 9068 section 5).
        """
        call = current_call()
        _check_project(call, project_id)
        try:
            said, live = await live_access_token(call.settings, self.keys, call.storage, access_token, now=call.now)
        except InvalidToken:
            raise Refused("invalid_token") from None
        if said.key != dpop_key or (dpop_key is None and call.settings.provider.require_dpop):
            raise Refused("invalid_token")
        if "openid" not in said.scopes:
            raise Refused("insufficient_scope")
        return UserInfoResponse(sub=said.subject_id, claims=claims_by_scope(said.scopes, live.subject))

    async def introspect_access_token_local(self, *, access_token: JWT) -> AccessToken:
        """What an access token for this project says, by its signature alone: whether it was revoked since only `introspect_token_network` knows.

        Refused: `invalid_token`.
        """
        core = self.core
        try:
            return await verify_access_token(
                core.settings, self.keys, access_token, now=core.clock.now(), speaker="access"
            )
        except InvalidToken:
            raise Refused("invalid_token") from None

    async def _live(self, call: Call, token: str) -> tuple[AccessToken, LiveGrant] | None:
        """A person's access token that is good now, whichever audience it is for."""
        try:
            return await live_access_token(call.settings, self.keys, call.storage, token, now=call.now, audience=ANYONE)
        except InvalidToken:
            return None

    async def _named(self, call: Call, token: str) -> Grant | None:
        """The family that a token belongs to, if we gave it."""
        if token.startswith("grant-"):
            grant = await _family(call, token)
            ours = grant is not None and counter_of(call.core.roots, grant, token) is not None
            return grant if ours else None
        try:
            await verify_access_token(call.settings, self.keys, token, now=call.now, audience=ANYONE, speaker="machine")
        except InvalidToken:
            pass
        else:
            raise Refused("unsupported_token_type")
        found = await self._live(call, token)
        return found[1].grant if found else None


def _check_project(call: Call, project_id: str | None) -> None:
    if project_id not in (None, call.settings.project_id):
        raise Refused("project_not_found")


async def _family(call: Call, token: str) -> Grant | None:
    grant_id = token.partition(".")[0]
    return await call.storage.get(Grant, grant_id) if grant_id else None


async def _introspected_refresh(call: Call, app: ConnectedApp, token: str) -> IntrospectResponse:
    """A refresh token is active while it is today's and its family holds."""
    live = await live_grant(call.storage, await _family(call, token), call.now)
    if live is None or live.grant.client_id != app.client_id:
        return IntrospectResponse(active=False)
    grant = live.grant
    if not grant.offline or counter_of(call.core.roots, grant, token) != grant.counter:
        return IntrospectResponse(active=False)
    return IntrospectResponse(
        active=True,
        sub=grant.subject_id,
        scope=" ".join(grant.scopes),
        aud=list(grant.resources) or [call.settings.project_id],
        exp=int(grant.expires_at.timestamp()),
        iat=int(grant.rotated_at.timestamp()),
        nbf=int(grant.rotated_at.timestamp()),
        iss=call.settings.provider_issuer,
        token_type=REFRESH,
        client_id=grant.client_id,
    )
