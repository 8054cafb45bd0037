"""What is remembered between a person's consent and the token that comes of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs

from authmw.storage import Record, by_field, record


@record("authorization_codes", key="digest", expires="expires_at")
@attrs.frozen(kw_only=True)
class AuthorizationCode(Record):
    """A code on its way through a browser. Only its digest is kept; used, it remembers the family that came of it, which a second use ends."""

    digest: str
    client_id: str
    subject_id: str
    subject_epoch: int
    consent_id: str
    session_id: str | None = None
    proved_at: datetime | None = None
    redirect_uri: str = attrs.field(repr=False)
    scopes: tuple[str, ...]
    resources: tuple[str, ...] = ()
    challenge: str = attrs.field(repr=False)
    nonce: str | None = attrs.field(default=None, repr=False)
    key: str | None = None
    used_grant: str | None = None
    created_at: datetime
    expires_at: datetime


@record(
    "device_requests", key="digest", expires="expires_at", indexes=(by_field("user_code", "user_code", unique=True),)
)
@attrs.frozen(kw_only=True)
class DeviceRequest(Record):
    """A device that waits for a person to let it in from elsewhere (RFC 8628).

    Only digests of its two codes are kept, that of the short one under a root key. Without a person it is undecided; used, it remembers the family that came of it.
    """

    digest: str
    user_code: str
    client_id: str
    scopes: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    subject_id: str = ""
    subject_epoch: int = 0
    consent_id: str = ""
    session_id: str | None = None
    proved_at: datetime | None = None
    denied: bool = False
    used_grant: str | None = None
    created_at: datetime
    expires_at: datetime


@record("pushed_requests", key="digest", expires="expires_at")
@attrs.frozen(kw_only=True)
class PushedRequest(Record):
    """An authorization request that its client pushed ahead of the browser (RFC 9126)."""

    digest: str
    client_id: str
    parameters: dict[str, Any] = attrs.field(factory=dict[str, Any], repr=False)
    expires_at: datetime
