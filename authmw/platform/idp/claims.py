"""What is told of a person, by scope (OpenID Connect Core section 5.4), and the ID token that tells it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from authmw.crypto import jwts, tokens
from authmw.people.apps import ConnectedApp, Grant
from authmw.people.records import Subject
from authmw.platform.connected_apps.templates import claims_of
from authmw.settings import Settings
from authmw.signin.keys import KeyRing

ID_TOKEN_LIFE = timedelta(hours=1)


def claims_by_scope(scopes: Collection[str], subject: Subject) -> dict[str, Any]:
    """The standard claims that these scopes let an app know; only what was verified is told as such, and what is not known is left out."""
    told: dict[str, Any] = {}
    if "profile" in scopes:
        names = {
            "given_name": subject.first_name,
            "middle_name": subject.middle_name,
            "family_name": subject.last_name,
            "name": " ".join(part for part in (subject.first_name, subject.middle_name, subject.last_name) if part),
        }
        told |= {name: value for name, value in names.items() if value}
    email = next((one for one in subject.emails if one.verified), None)
    if "email" in scopes and email is not None:
        told |= {"email": email.address, "email_verified": True}
    phone = next((one for one in subject.phones if one.verified), None)
    if "phone" in scopes and phone is not None:
        told |= {"phone_number": phone.number, "phone_number_verified": True}
    return told


async def sign_id_token(
    settings: Settings,
    keys: KeyRing,
    *,
    app: ConnectedApp,
    grant: Grant,
    subject: Subject,
    access_token: str,
    nonce: str | None,
    now: datetime,
) -> str:
    """An ID token for this app alone (OpenID Connect Core section 2), tied to the access token beside it by `at_hash`."""
    issued = int(now.timestamp())
    half = hashlib.sha256(access_token.encode("ascii")).digest()[:16]
    claims: dict[str, Any] = {
        **claims_of(app.id_token_template_content, subject),
        **claims_by_scope(grant.scopes, subject),
        "iss": settings.provider_issuer,
        "aud": app.client_id,
        "sub": subject.id,
        "iat": issued,
        "nbf": issued,
        "exp": issued + int(ID_TOKEN_LIFE.total_seconds()),
        "at_hash": tokens.base64url(half),
    }
    if nonce is not None:
        claims["nonce"] = nonce
    if grant.proved_at is not None:
        claims["auth_time"] = int(grant.proved_at.timestamp())
    if grant.session_id is not None:
        claims["sid"] = grant.session_id
    return jwts.sign(await keys.active("identity"), claims)


async def hinted_subject(settings: Settings, keys: KeyRing, hint: str, client_id: str, now: datetime) -> str | None:
    """Whom an ID token that we once gave this app was about, expired or not; None for any other text."""
    try:
        said = jwts.verify_claims(
            hint,
            await keys.verifying(jwts.key_id(hint)),
            purpose="identity",
            issuers=settings.provider_issuer,
            audience=client_id,
            now=now,
            max_lifetime=int(ID_TOKEN_LIFE.total_seconds()),
            allow_expired=True,
        )
    except jwts.InvalidToken:
        return None
    return said.subject_id
