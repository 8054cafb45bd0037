"""Access tokens: JWTs that speak for a machine, or for what a person granted to an app.

Law: a token says which audience it is for, and is good nowhere else. Two profiles, told apart by the audience:

- for the project itself (no resource was named): `aud` is the project id, `iss` and `typ: JWT` are those of session JWTs, so that the vendor's clients verify
  it locally against the project's JWKS;
- for a named resource (RFC 8707) or an app's own audience: `iss` is the provider's address and `typ` is `at+jwt` (RFC 9068), as resource servers expect.

Machines and people have keys of different purposes, so a machine never passes for a person, nor either for a session (TOK-07).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Literal, TypeAlias

import attrs

from authmw.crypto import jwts, tokens
from authmw.crypto.jwts import ORGANIZATION_CLAIM, RESERVED, SESSION_CLAIM, InvalidToken
from authmw.people.apps import Grant, LiveGrant, live_grant
from authmw.scopes import parted
from authmw.settings import Settings
from authmw.signin.keys import KeyRing
from authmw.storage import Storage

Speaker: TypeAlias = Literal["machine", "access"]
"""Whom a token speaks for: a machine, or a person who granted it."""
_SPEAKERS: dict[str, Speaker] = {"machine": "machine", "access": "access"}
MACHINE_LIFETIME = timedelta(hours=1)
LONGEST = timedelta(days=1)
"""The longest life that an access token may be given."""
_OURS = RESERVED | {"scope", "client_id", "cnf", "auth_time", "sid", "gid"}
CLOSED_CLAIMS = _OURS | {SESSION_CLAIM, ORGANIZATION_CLAIM, "typ", "act", "may_act", "active", "token_type", "nonce"}
"""What a template may not say: claims that a verifier believes."""


class Anyone(Enum):
    """Stands for every audience."""

    ANYONE = "anyone"


ANYONE = Anyone.ANYONE


@attrs.frozen(kw_only=True)
class AccessToken:
    """What a verified access token says. `key` is the thumbprint of the key that must be proved beside it (RFC 9449), if there is one."""

    speaker: Speaker
    subject_id: str
    client_id: str
    scopes: tuple[str, ...]
    audience: tuple[str, ...]
    issuer: str
    token_id: str
    issued_at: datetime
    expires_at: datetime
    key: str | None = None
    grant_id: str | None = None
    session_id: str | None = None
    organization: dict[str, Any] | None = attrs.field(default=None, repr=False)
    custom_claims: dict[str, Any] = attrs.field(factory=dict[str, Any], repr=False)


async def sign_access_token(
    settings: Settings,
    keys: KeyRing,
    *,
    speaker: Speaker,
    subject_id: str,
    scopes: Sequence[str],
    now: datetime,
    lifetime: timedelta,
    audience: Sequence[str] = (),
    client_id: str | None = None,
    more: Mapping[str, Any] | None = None,
    custom_claims: Mapping[str, Any] | None = None,
) -> str:
    """A signed access token. Without an audience it is for the project. `more` are claims of ours, `custom_claims` the host's, which never replace ours (TOK-10)."""
    issued = int(now.timestamp())
    claims: dict[str, Any] = {
        **{name: value for name, value in (custom_claims or {}).items() if name not in CLOSED_CLAIMS},
        **(more or {}),
        "iss": settings.provider_issuer if audience else settings.issuers[0],
        "aud": list(audience) or [settings.project_id],
        "sub": subject_id,
        "iat": issued,
        "nbf": issued,
        "exp": issued + int(lifetime.total_seconds()),
        "jti": tokens.uuid4(),
        "scope": " ".join(scopes),
    }
    if client_id is not None:
        claims["client_id"] = client_id
    return jwts.sign(await keys.active(speaker), claims, typ="at+jwt" if audience else "JWT")


async def verify_access_token(
    settings: Settings,
    keys: KeyRing,
    token: str,
    *,
    now: datetime,
    audience: str | Anyone | None = None,
    speaker: Speaker | None = None,
) -> AccessToken:
    """What an access token for this audience (None: the project itself; ANYONE: we ask as its issuer) says, by its signature alone. Raises InvalidToken, ExpiredToken.

    A grant that was revoked after the token was signed is not seen; whoever must know asks the grant (`people.grants`). `speaker` accepts one kind only.
    """
    known = await keys.verifying(jwts.key_id(token))
    key = known.get(jwts.key_id(token) or "")
    if key is None or (speaker is not None and key.purpose != speaker):
        raise InvalidToken("key")
    speaks = _SPEAKERS.get(key.purpose)
    if speaks is None:
        raise InvalidToken("key")
    claims = jwts.verify_claims(
        token,
        known,
        purpose=speaks,
        now=now,
        leeway=0,
        max_lifetime=int(LONGEST.total_seconds()),
        **_profile(settings, audience),
    )
    return _said(speaks, claims)


def _profile(settings: Settings, audience: str | Anyone | None) -> dict[str, Any]:
    """What a token for this audience must look like."""
    if audience is None:
        return {"issuers": settings.issuers, "audience": settings.project_id, "typ": "JWT"}
    if isinstance(audience, Anyone):
        return {"issuers": (*settings.issuers, settings.provider_issuer), "audience": None, "typ": None}
    return {"issuers": settings.provider_issuer, "audience": audience, "typ": "at+jwt", "among": True}


async def live_access_token(
    settings: Settings,
    keys: KeyRing,
    storage: Storage,
    token: str,
    *,
    now: datetime,
    audience: str | Anyone | None = None,
) -> tuple[AccessToken, LiveGrant]:
    """A person's access token and the grant behind it, both good now: revocation is seen at once. Raises InvalidToken."""
    said = await verify_access_token(settings, keys, token, now=now, audience=audience, speaker="access")
    grant = await live_grant(storage, await storage.get(Grant, said.grant_id or ""), now)
    if grant is None or grant.grant.subject_id != said.subject_id or grant.grant.client_id != said.client_id:
        raise InvalidToken("session_over")
    return said, grant


def _said(speaker: Speaker, claims: jwts.TokenClaims) -> AccessToken:
    said = claims.members
    named = said["aud"]
    organization = said.get(ORGANIZATION_CLAIM)
    return AccessToken(
        speaker=speaker,
        subject_id=claims.subject_id,
        client_id=str(said.get("client_id", claims.subject_id)),
        scopes=tuple(parted(str(said["scope"]))),
        audience=tuple(named if isinstance(named, list) else [named]),  # pyright: ignore[reportUnknownArgumentType]  # text, as verified
        issuer=str(said["iss"]),
        token_id=str(said["jti"]),
        issued_at=claims.issued_at,
        expires_at=claims.expires_at,
        key=_thumbprint(said.get("cnf")),
        grant_id=said.get("gid"),
        session_id=said.get("sid"),
        organization=organization,
        custom_claims={name: value for name, value in said.items() if name not in _OURS | {ORGANIZATION_CLAIM}},
    )


def _thumbprint(confirmation: Any) -> str | None:
    return str(confirmation["jkt"]) if isinstance(confirmation, dict) else None  # pyright: ignore[reportUnknownArgumentType]  # signed by us
