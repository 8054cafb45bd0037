"""Which refusal a field's bounds have: a value of the right JSON type that is out of them is refused by the exact type where there is one, any other fault as `bad_request`.

Law: a field is named by its name; behind the product's area of the address (`otps.`) where one name means different things in two of them; with `[...]` for what stands in a
list. A missing value and one of another JSON type are faults of the request, not of the value, and stay `bad_request`, but for metadata, of which the type is all that is asked.
"""

from __future__ import annotations

import re
from typing import Final

FIELDS: Final[dict[str, str]] = {
    # People and their addresses
    "email": "invalid_email",
    "email_address": "invalid_email",
    "impersonator_email_address": "invalid_email",
    "phone_number": "invalid_phone_number",
    "external_id": "invalid_argument",
    "users.limit": "user_search_invalid_limit",
    "users.query.operator": "user_search_invalid_operator",
    # Ids
    "biometric_registration_id": "invalid_biometric_registration_id",
    "crypto_wallet_id": "invalid_crypto_wallet_id",
    "email_id": "invalid_email_id",
    "impersonator_id": "invalid_id",
    "method_id": "invalid_method_id",
    "oauth_user_registration_id": "invalid_oauth_user_registration_id",
    "password_id": "invalid_password_id",
    "phone_id": "invalid_id",
    "profile_id": "invalid_id",
    "project_id": "invalid_project_id",
    "redirect_url_id": "invalid_id",
    "request_id": "invalid_request_id",
    "secret_id": "invalid_secret_id",
    "session_id": "invalid_session_id",
    "subject_id": "invalid_id",
    "totp_id": "invalid_totp_id",
    "user_id": "invalid_user_id",
    "webauthn_registration_id": "invalid_webauthn_registration_id",
    # Where a request came from
    "attributes.ip_address": "invalid_ip_address",
    "attributes.user_agent": "invalid_user_agent",
    "ip_addresses[...]": "invalid_ip_address",
    "user_agent": "invalid_user_agent",
    # Sessions and permissions
    "session_duration_minutes": "invalid_session_duration_minutes",
    "session_jwt": "unable_to_parse_session_jwt",
    "session_token": "invalid_session_token",
    "authorization_check.action": "invalid_permission_action",
    "authorization_check.resource_id": "invalid_permission_resource",
    # Links, codes and messages
    "code_challenge": "invalid_pkce_code_challenge",
    "code_verifier": "invalid_pkce_code_verifier",
    "expiration_minutes": "invalid_expiration",
    "invite_expiration_minutes": "invalid_expiration",
    "login_expiration_minutes": "invalid_expiration",
    "reset_password_expiration_minutes": "invalid_expiration",
    "signup_expiration_minutes": "invalid_expiration",
    "otps.expiration_minutes": "invalid_expiration_otp",
    "invite_magic_link_url": "invalid_invite_magic_link_url",
    "login_magic_link_url": "invalid_login_magic_link_url",
    "login_redirect_url": "invalid_login_redirect_url",
    "reset_password_redirect_url": "invalid_password_reset_redirect_url",
    "signup_magic_link_url": "invalid_signup_magic_link_url",
    "locale": "invalid_locale",
    "invite_template_id": "invalid_template_id",
    "login_template_id": "invalid_template_id",
    "reset_password_template_id": "invalid_template_id",
    "signup_template_id": "invalid_template_id",
    "template_id": "invalid_template_id",
    "custom.subject": "invalid_email_subject",
    # Passwords
    "hash": "invalid_hash",
    "hash_type": "invalid_hash_type",
    "append_salt": "invalid_append_salt",
    "prepend_salt": "invalid_prepend_salt",
    "argon_2_config.iteration_amount": "invalid_argon_2_iteration_amount",
    "argon_2_config.key_length": "invalid_argon_2_key_length",
    "argon_2_config.memory": "invalid_argon_2_memory",
    "argon_2_config.salt": "invalid_argon_2_salt",
    "argon_2_config.threads": "invalid_argon_2_threads",
    "pbkdf_2_config.algorithm": "invalid_pbkdf_2_algorithm",
    "pbkdf_2_config.iteration_amount": "invalid_pbkdf_2_iteration_amount",
    "pbkdf_2_config.salt": "invalid_pbkdf_2_salt",
    "scrypt_config.n_parameter": "invalid_scrypt_n_parameter",
    "scrypt_config.p_parameter": "invalid_scrypt_parameters",
    "scrypt_config.r_parameter": "invalid_scrypt_parameters",
    "scrypt_config.salt": "invalid_base64_scrypt_salt",
    "luds_complexity": "invalid_password_strength_luds_complexity",
    "minimum_length": "invalid_password_strength_luds_length",
    # Other factors
    "totp_code": "invalid_totp_code",
    "authenticator_type": "invalid_authenticator_type",
    "webauthn.domain": "invalid_webauthn_registration_domain",
    "public_key_credential": "invalid_public_key_credential",
    "public_key": "invalid_public_key",
    "crypto_wallet_address": "invalid_crypto_wallet_address",
    "crypto_wallet_type": "invalid_wallet_type",
    "crypto_wallets.signature": "invalid_signature",
    "siwe_params.chain_id": "invalid_siwe_chain_id",
    "siwe_params.domain": "invalid_siwe_domain",
    "siwe_params.message_request_id": "invalid_siwe_message_request_id",
    "siwe_params.resources": "invalid_siwe_resource",
    "siwe_params.resources[...]": "invalid_siwe_resource",
    "siwe_params.statement": "invalid_siwe_statement",
    "siwe_params.uri": "invalid_siwe_uri",
    "oauth_attach_token": "invalid_oauth_attach_token",
    "oauth.provider": "invalid_oauth_provider",
    # Machines and apps
    "m2m.client_description": "m2m_client_invalid_client_description",
    "m2m.client_id": "m2m_client_invalid_client_id",
    "m2m.client_name": "m2m_client_invalid_client_name",
    "m2m.client_secret": "client_secret_too_long",
    "m2m.scopes": "too_many_m2m_client_scopes",
    "m2m.scopes[...]": "invalid_m2m_client_scope",
    "connected_apps.client_id": "invalid_client_id",
    "connected_apps.client_type": "invalid_connected_app_type",
    "connected_apps.redirect_urls[...]": "connected_app_invalid_redirect_url",
    "connected_apps.access_token_custom_audience": "idp_invalid_access_token_custom_audience",
    "connected_apps.access_token_template_content": "idp_invalid_access_token_jwt_template",
    # The project
    "project.public_token": "invalid_public_token_id",
    "project.types[...]": "invalid_redirect_url_type",
    "project.default_for[...]": "invalid_redirect_url_type",
    "project.url": "invalid_url",
}
"""The error type of a value that is out of its field's bounds."""

SHAPES: Final[dict[str, str]] = {
    "trusted_metadata": "metadata_invalid_format",
    "untrusted_metadata": "metadata_invalid_format",
}
"""The error type of a value that has another JSON type than its field."""

_PLACE = re.compile(r"\[\d+\]")


def refusal_of(area: str, path: str, *, shaped: bool) -> str:
    """The error type for a fault at this path (`$.attributes.ip_address`) of an operation whose address is under `/v1/{area}`. `shaped` if the value has the right JSON type."""
    if not shaped:
        return SHAPES.get(path.removeprefix("$."), "bad_request")
    names = _PLACE.sub("[...]", path.removeprefix("$."))
    asked = (f"{area}.{names}", names, names.rpartition(".")[2])
    return next((FIELDS[one] for one in asked if one in FIELDS), "bad_request")
