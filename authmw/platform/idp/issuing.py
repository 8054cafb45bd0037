"""Giving tokens: the family that comes of what a person agreed to, the tokens of a family as it stands, and the end of one that was used twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NoReturn, TypeAlias

import attrs

from authmw.crypto import tokens
from authmw.errors import Refused
from authmw.ledger.commits import commit
from authmw.operations import Call
from authmw.people.apps import ConnectedApp, Grant, LiveGrant, refresh_token
from authmw.platform.connected_apps.templates import claims_of
from authmw.platform.idp.claims import sign_id_token
from authmw.platform.idp.records import AuthorizationCode, DeviceRequest
from authmw.platform.idp.responses import TokenResponse
from authmw.signin.access_tokens import sign_access_token
from authmw.signin.keys import KeyRing
from authmw.storage import Update

Agreed: TypeAlias = AuthorizationCode | DeviceRequest
"""What a person agreed to, on its way to the app: by a code, or for a device."""


def new_grant(call: Call, app: ConnectedApp, agreed: Agreed, key: str | None) -> Grant:
    """The family that comes of it: without `offline_access` it ends with its one access token."""
    offline = "offline_access" in agreed.scopes
    life = timedelta(days=call.settings.provider.refresh_days) if offline else None
    return Grant(
        grant_id=tokens.new_id("grant", call.settings.environment),
        subject_id=agreed.subject_id,
        subject_epoch=agreed.subject_epoch,
        client_id=agreed.client_id,
        consent_id=agreed.consent_id,
        scopes=agreed.scopes,
        resources=agreed.resources,
        session_id=agreed.session_id,
        proved_at=agreed.proved_at,
        key=key,
        offline=offline,
        random=tokens.random_bytes(32),
        key_version=call.core.roots.newest,
        rotated_at=call.now,
        created_at=call.now,
        expires_at=call.now + (life or timedelta(minutes=app.access_token_expiry_minutes)),
    )


async def issued(
    call: Call,
    keys: KeyRing,
    live: LiveGrant,
    *,
    scopes: tuple[str, ...],
    audience: tuple[str, ...],
    nonce: str | None = None,
) -> TokenResponse:
    """The tokens of a family as it stands after the commit."""
    grant, app = live.grant, live.app
    more: dict[str, Any] = {"gid": grant.grant_id}
    if grant.session_id is not None:
        more["sid"] = grant.session_id
    if grant.proved_at is not None:
        more["auth_time"] = int(grant.proved_at.timestamp())
    if grant.key is not None:
        more["cnf"] = {"jkt": grant.key}
    life = timedelta(minutes=app.access_token_expiry_minutes)
    access = await sign_access_token(
        call.settings,
        keys,
        speaker="access",
        subject_id=grant.subject_id,
        client_id=app.client_id,
        scopes=scopes,
        audience=audience,
        now=call.now,
        lifetime=life,
        more=more,
        custom_claims=claims_of(app.access_token_template_content, live.subject),
    )
    answer = TokenResponse(
        access_token=access,
        token_type="DPoP" if grant.key else "bearer",
        expires_in=int(life.total_seconds()),
        scope=" ".join(scopes),
    )
    if grant.offline:
        answer.refresh_token = refresh_token(call.core.roots, grant)
    if "openid" in scopes:
        answer.id_token = await sign_id_token(
            call.settings,
            keys,
            app=app,
            grant=grant,
            subject=live.subject,
            access_token=access,
            nonce=nonce,
            now=call.now,
        )
    return answer


async def end_family(call: Call, grant: Grant | None) -> NoReturn:
    """Revoke a family because something of it was used twice, then refuse: whoever of the two is honest must ask the person again."""
    refusal = Refused("invalid_grant")
    if grant is None or grant.revoked_at is not None:
        raise refusal
    ended = attrs.evolve(grant, revoked_at=call.now)
    await commit(Update(ended), subject_id=grant.subject_id, refusal=refusal)
    raise refusal  # `commit` has raised it
