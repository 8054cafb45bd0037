"""The document by which clients find the provider (RFC 8414 section 2, OpenID Connect Discovery section 3): one document, complete for both.

Law: it announces what is served and nothing else.
"""

from __future__ import annotations

from typing import Any

from authmw.crypto.dpop import ALGORITHMS
from authmw.platform.idp.rules import DEVICE_GRANT
from authmw.provider import Resource
from authmw.settings import Settings


def endpoint(settings: Settings, name: str) -> str:
    """The address of one of our endpoints, under the mount."""
    return f"{settings.public_url}{settings.mount}/v1/oauth2/{name}"


def authorization_endpoint(settings: Settings) -> str:
    """Where people are asked: the host's own page, or ours."""
    path = settings.provider.authorization_path
    return settings.public_url + (path if path is not None else f"{settings.mount}/oauth/authorize")


def provider_metadata(settings: Settings) -> dict[str, Any]:
    """The document."""
    base = settings.public_url + settings.mount
    scopes = {**settings.provider.all_scopes(), **{one.scope: one.description for one in settings.rbac.scopes}}
    document: dict[str, Any] = {
        "issuer": settings.provider_issuer,
        "authorization_endpoint": authorization_endpoint(settings),
        "token_endpoint": endpoint(settings, "token"),
        "introspection_endpoint": endpoint(settings, "introspect"),
        "revocation_endpoint": endpoint(settings, "revoke"),
        "userinfo_endpoint": endpoint(settings, "userinfo"),
        "jwks_uri": f"{base}/.well-known/jwks.json",
        "scopes_supported": list(scopes),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "code_challenge_methods_supported": ["S256"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "claims_supported": [
            "sub",
            "name",
            "given_name",
            "middle_name",
            "family_name",
            "email",
            "email_verified",
            "phone_number",
            "phone_number_verified",
            "auth_time",
        ],
        "authorization_response_iss_parameter_supported": True,
        "pushed_authorization_request_endpoint": endpoint(settings, "par"),
        "dpop_signing_alg_values_supported": list(ALGORITHMS),
        "end_session_endpoint": f"{base}/oauth/logout",
        "prompt_values_supported": ["none", "login", "consent"],
        "service_documentation": f"{base}/errors",
    }
    if settings.provider.require_pushed_requests:
        document["require_pushed_authorization_requests"] = True
    if settings.provider.client_documents:
        document["client_id_metadata_document_supported"] = True
    if settings.provider.device_grant:
        document["device_authorization_endpoint"] = endpoint(settings, "device_authorization")
        document["grant_types_supported"].append(DEVICE_GRANT)
    if settings.provider.dynamic_registration:
        document["registration_endpoint"] = endpoint(settings, "register")
    return document


def resource_metadata(settings: Settings, resource: Resource) -> dict[str, Any]:
    """The document of one of our resources (RFC 9728 section 2)."""
    document: dict[str, Any] = {
        "resource": resource.url,
        "authorization_servers": [settings.provider_issuer],
        "scopes_supported": list(resource.scopes),
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": list(ALGORITHMS),
        "dpop_bound_access_tokens_required": settings.provider.require_dpop,
    }
    if resource.name:
        document["resource_name"] = resource.name
    return document
