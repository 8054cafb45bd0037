"""authmw: a whole authentication platform inside a web application."""

from __future__ import annotations

from authmw.auth import Auth
from authmw.changes import Change
from authmw.errors import Misconfigured, Refused
from authmw.guard.bearer import current_token, require_bearer
from authmw.guard.decorators import require_fresh, require_mfa, require_permission, require_role, require_session
from authmw.guard.verified import VerifiedSession, current_session, optional_session
from authmw.hosts.asgi import AuthMiddleware
from authmw.oauth_providers import OAuthProvider
from authmw.passkeys import WebAuthnRules
from authmw.permissions import Permission, Policy, Resource, Role, Scope
from authmw.provider import Provider
from authmw.provider import Resource as ProtectedResource
from authmw.redirects import RedirectType, RedirectURL
from authmw.settings import Cookies, EmailRules, LockRules, PasswordRules, PhoneRules, SessionRules, Settings, TOTPRules
from authmw.trusted_tokens import AttributeMapping, TrustedTokenProfile

__version__ = "0.1.0"

__all__ = [
    "AttributeMapping",
    "Auth",
    "AuthMiddleware",
    "Change",
    "Cookies",
    "EmailRules",
    "LockRules",
    "Misconfigured",
    "OAuthProvider",
    "PasswordRules",
    "PhoneRules",
    "Permission",
    "ProtectedResource",
    "Provider",
    "Policy",
    "RedirectType",
    "RedirectURL",
    "Refused",
    "Resource",
    "Role",
    "Scope",
    "SessionRules",
    "Settings",
    "TOTPRules",
    "TrustedTokenProfile",
    "VerifiedSession",
    "WebAuthnRules",
    "current_session",
    "current_token",
    "optional_session",
    "require_bearer",
    "require_fresh",
    "require_mfa",
    "require_permission",
    "require_role",
    "require_session",
]
