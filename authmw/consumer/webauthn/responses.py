"""The answers of passkeys."""

from __future__ import annotations

import msgspec

from authmw.consumer.answers import SignInResponse, WebAuthnAnswer
from authmw.operations import Response


class RegisterStartResponse(Response, kw_only=True):
    """What to ask the browser for a new credential: JSON for `navigator.credentials.create()`, as text."""

    user_id: str
    public_key_credential_creation_options: str


class AuthenticateStartResponse(Response, kw_only=True):
    """What to ask the browser for a signature: JSON for `navigator.credentials.get()`, as text. The user is empty where the passkey says whose it is."""

    user_id: str
    public_key_credential_request_options: str


class WebAuthnSignInResponse(SignInResponse, kw_only=True):
    """A registration or a sign-in."""

    webauthn_registration_id: str


class UpdateResponse(Response, kw_only=True):
    """A registration after a change."""

    webauthn_registration: WebAuthnAnswer | None


class CredentialAnswer(msgspec.Struct, kw_only=True):
    """A credential: its id in base64url, its public key as COSE in base64."""

    credential_id: str
    webauthn_registration_id: str
    type: str
    public_key: str


class ListCredentialsResponse(Response, kw_only=True):
    """A user's credentials for one domain."""

    credentials: list[CredentialAnswer]
