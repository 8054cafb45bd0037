"""What a provider answers."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from authmw.operations import Response
from authmw.platform.connected_apps.responses import ConnectedAppPublicAnswer


class ScopeResult(msgspec.Struct, kw_only=True):
    """A scope that is asked for, in words for people, and whether this person can grant it."""

    scope: str
    description: str
    is_grantable: bool


class AuthorizeStartResponse(Response, kw_only=True):
    """What a consent page shows, and whether it must."""

    user_id: str
    user: dict[str, Any]
    client: ConnectedAppPublicAnswer
    consent_required: bool
    scope_results: list[ScopeResult]


class AuthorizeResponse(Response, kw_only=True):
    """Where the browser goes next. Without the person's agreement there is no code."""

    redirect_uri: str
    authorization_code: str | None


class LogoutStartResponse(Response, kw_only=True):
    """Where the browser goes once the person is signed out, and whether the person must be asked before."""

    redirect_uri: str
    consent_required: bool


class TokenResponse(Response, kw_only=True):
    """Tokens (RFC 6749 section 5.1). `expires_in` is in seconds."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str
    refresh_token: str | UnsetType = UNSET
    id_token: str | UnsetType = UNSET


class IntrospectResponse(Response, kw_only=True):
    """What a token is (RFC 7662 section 2.2); of one that is not good to the asking client, only that. `claims` are shown beside the other members."""

    active: bool
    sub: str | UnsetType = UNSET
    scope: str | UnsetType = UNSET
    aud: list[str] | UnsetType = UNSET
    exp: int | UnsetType = UNSET
    iat: int | UnsetType = UNSET
    nbf: int | UnsetType = UNSET
    iss: str | UnsetType = UNSET
    token_type: str | UnsetType = UNSET
    client_id: str | UnsetType = UNSET
    cnf: dict[str, str] | UnsetType = UNSET
    claims: dict[str, Any] = msgspec.field(default_factory=dict[str, Any])


class UserInfoResponse(Response, kw_only=True):
    """What the scopes of a token let its bearer know (OpenID Connect Core section 5.3.2). `claims` are shown beside the other members."""

    sub: str
    claims: dict[str, Any] = msgspec.field(default_factory=dict[str, Any])


class DeviceAuthorizationResponse(Response, kw_only=True):
    """What a device shows to its person, and asks by (RFC 8628 section 3.2). `expires_in` and `interval` are in seconds."""

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: int
    interval: int


class DeviceStartResponse(Response, kw_only=True):
    """What a page shows about a device that waits."""

    user_code: str
    user_id: str
    user: dict[str, Any]
    client: ConnectedAppPublicAnswer
    scope_results: list[ScopeResult]


class Done(Response, kw_only=True):
    """It was done, or there was nothing to do."""
