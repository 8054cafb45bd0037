"""What the product `oauth` answers with."""

from __future__ import annotations

from authmw.consumer.answers import SessionAnswer, SignInResponse
from authmw.factors.oauth.rules import ProviderTokens
from authmw.operations import Response


class LeadResponse(Response, kw_only=True):
    """Where a browser goes next, and what its pre-login cookie holds from now on (nothing new if empty)."""

    redirect_url: str
    binding: str = ""


class OneTapStartResponse(Response, kw_only=True):
    """What Google's script is started with. `nonce` is its `nonce`; the token goes into the submitted body."""

    google_client_id: str
    oauth_callback_id: str
    stytch_csrf_token: str
    nonce: str
    binding: str


class AttachResponse(Response, kw_only=True):
    """A token that makes the next start by this provider add to the user."""

    oauth_attach_token: str


class AuthenticateResponse(SignInResponse, kw_only=True):
    """A sign-in by a provider. `user_session` is the session under its backend name; browsers read `session`."""

    provider_subject: str
    provider_type: str
    provider_values: ProviderTokens
    reset_sessions: bool
    oauth_user_registration_id: str
    user_session: SessionAnswer | None
