"""The table of error types: what a refusal is called on the wire, its HTTP status and its words, product by product.

Law: the words never hold what the caller sent; a name stands once.
"""

from __future__ import annotations

import attrs


@attrs.frozen
class ErrorType:
    """One row of the table: what a refusal is called, its HTTP status and its words."""

    name: str
    status: int
    message: str


def _table(*rows: tuple[str, int, str]) -> dict[str, ErrorType]:
    return {name: ErrorType(name, status, message) for name, status, message in rows}


ERROR_TYPES = _table(
    # Requests
    ("bad_request", 400, "The request is not valid."),
    ("invalid_argument", 400, "An argument is not valid."),
    ("json_invalid", 400, "The body is not one valid JSON object."),
    ("query_params_do_not_match", 400, "A query parameter does not match this operation."),
    ("body_too_large", 413, "The body is larger than this endpoint accepts."),
    ("unsupported_media_type", 415, "The body must be application/json."),
    ("route_not_found", 404, "There is nothing at this address."),
    ("method_not_allowed", 405, "This address does not take this method."),
    (
        "internal_server_error",
        500,
        "Something went wrong on our side; nothing was changed that is not in the event log.",
    ),
    ("server_unavailable", 503, "The service cannot answer right now; try again."),
    ("too_many_requests", 429, "Too many requests; wait before the next one."),
    # Identifiers
    ("invalid_email", 400, "The e-mail address is not valid."),
    ("invalid_phone_number", 400, "The phone number is not valid; write it in E.164 form."),
    # Redirect URLs: as they are registered
    ("invalid_redirect_url", 400, "The redirect URL is not valid."),
    (
        "invalid_redirect_url_type",
        400,
        "The redirect URL's type is not one of LOGIN, SIGNUP, INVITE, RESET_PASSWORD, DISCOVERY.",
    ),
    ("invalid_default_url", 400, "A type has one default redirect URL, which must be registered for that type."),
    ("duplicate_redirect_url", 400, "This redirect URL is registered already."),
    ("redirect_url_must_use_https", 400, "A redirect URL of a Live environment must use https."),
    ("redirect_url_cannot_use_protocol", 400, "A redirect URL cannot use this scheme."),
    ("no_wildcards_in_live_redirect_url", 400, "A redirect URL of a Live environment cannot hold a wildcard."),
    ("redirect_url_with_wildcard_cannot_be_default", 400, "A redirect URL with a wildcard cannot be a default."),
    (
        "redirect_url_with_query_param_placeholder_cannot_be_default",
        400,
        "A redirect URL with a query parameter placeholder cannot be a default.",
    ),
    # Redirect URLs: as a request names them
    ("invalid_magic_link_url", 400, "The magic link URL is not valid."),
    ("invalid_login_redirect_url", 400, "The login redirect URL is not valid."),
    ("invalid_signup_redirect_url", 400, "The sign-up redirect URL is not valid."),
    ("invalid_invite_redirect_url", 400, "The invite redirect URL is not valid."),
    ("invalid_discovery_redirect_url", 400, "The discovery redirect URL is not valid."),
    ("invalid_password_reset_redirect_url", 400, "The password reset redirect URL is not valid."),
    ("no_match_for_provided_magic_link_url", 400, "The magic link URL is not registered for this type."),
    ("no_match_for_provided_oauth_url", 400, "The OAuth redirect URL is not registered for this type."),
    ("no_match_for_provided_sso_url", 400, "The SSO redirect URL is not registered for this type."),
    ("no_default_login_redirect_url_set", 400, "No login redirect URL was given and no default is set."),
    ("no_default_signup_redirect_url_set", 400, "No sign-up redirect URL was given and no default is set."),
    ("no_default_invite_redirect_url_set", 400, "No invite redirect URL was given and no default is set."),
    ("no_default_discovery_redirect_url_set", 400, "No discovery redirect URL was given and no default is set."),
    ("no_password_reset_redirect_url", 400, "No password reset redirect URL was given and no default is set."),
    # Who may call
    ("unauthorized_credentials", 401, "The project id and secret, or the public token, are not valid."),
    ("invalid_authorization_header", 401, "The Authorization header must be Basic with the project id and secret."),
    ("endpoint_not_authorized_for_sdk", 401, "This endpoint is for backends only."),
    ("bad_domain_for_stytch_sdk", 400, "This origin may not call the browser API."),
    ("cross_site_request", 403, "A change that carries a session cookie must come from this site."),
    # Sessions
    ("session_not_found", 404, "The session was not found, has ended or was revoked."),
    ("invalid_session_token", 400, "The session token is not valid."),
    ("unable_to_parse_session_jwt", 400, "The session JWT is not valid."),
    ("too_many_session_arguments", 400, "Name the session by its token or by its JWT, not by both."),
    ("no_session_arguments", 400, "Name a session by its token or its JWT."),
    ("no_session_revoke_arguments", 400, "Name the session to revoke by its id, token or JWT."),
    ("too_many_session_revoke_arguments", 400, "Name the session to revoke in one way only."),
    ("invalid_session_duration", 400, "The session duration is over this project's maximum."),
    ("custom_claims_too_large", 400, "Custom claims may have 4 KiB together."),
    ("session_not_mutable", 400, "This session cannot be changed."),
    ("user_unauthenticated", 401, "Sign in to do this."),
    ("user_id_mismatch", 400, "The session belongs to another user."),
    # Factors
    ("insufficient_factors", 401, "This needs a second factor of another kind."),
    ("stale_factors", 401, "This needs a factor that was proved more recently."),
    ("email_verification_required", 400, "Verify an e-mail address or phone number first."),
    ("cannot_delete_last_primary_factor", 400, "The last e-mail, phone number or provider cannot be deleted."),
    ("too_many_unverified_factors", 400, "This user has too many factors."),
    ("user_lock_limit_reached", 429, "Sign-in by this factor is locked for a while after repeated failure."),
    ("attribute_mismatch", 401, "The request comes from another address or browser than the one that asked."),
    ("pkce_expected_code_verifier", 400, "A code verifier is required."),
    ("pkce_did_not_expect_code_verifier", 400, "No code challenge was given when this began."),
    ("pkce_mismatch", 400, "The code verifier does not belong to the code challenge."),
    # Magic links and codes
    ("unable_to_auth_magic_link", 401, "The link is not valid, was used or has expired."),
    ("magic_link_not_found", 404, "The link was not found."),
    ("unable_to_auth_otp_code", 401, "The code is not valid, was used or has expired."),
    ("otp_code_not_found", 404, "No code was sent to this method."),
    ("email_not_found", 404, "No user has this e-mail address."),
    ("user_already_invited", 400, "This user is active already and cannot be invited."),
    ("downstream_carrier_error", 400, "The message was refused by its carrier."),
    # Users
    ("user_not_found", 404, "The user was not found."),
    ("duplicate_email", 400, "A user with this e-mail address exists."),
    ("duplicate_phone_number", 400, "A user with this phone number exists."),
    ("duplicate_user_external_id", 400, "A user with this external id exists."),
    ("organization_slug_already_used", 400, "An organization with this slug exists."),
    ("invalid_create_user_request", 400, "A user needs an e-mail address or a phone number."),
    ("invalid_exchange_primary_factor_fields", 400, "Name one e-mail address or one phone number."),
    ("invalid_exchange_primary_factor_user", 400, "Only a user with exactly one factor can exchange it."),
    ("phone_number_not_found", 404, "The phone number was not found."),
    ("crypto_wallet_not_found", 404, "The crypto wallet was not found."),
    ("webauthn_registration_not_found", 404, "The WebAuthn registration was not found."),
    ("biometric_registration_not_found", 404, "The biometric registration was not found."),
    ("totp_not_found", 404, "The TOTP was not found."),
    ("password_not_found", 404, "The password was not found."),
    ("oauth_user_registration_not_found", 404, "The OAuth registration was not found."),
    ("cannot_update_trusted_metadata", 401, "Trusted metadata is written by backends only."),
    ("metadata_too_many_keys", 400, "Metadata may have 20 top-level keys."),
    ("metadata_too_large", 400, "Metadata may have 4 KiB."),
    ("user_search_filter_name_not_recognized", 400, "A filter name is not known."),
    ("user_search_invalid_cursor", 400, "The cursor is not valid."),
    ("user_search_invalid_status_filter", 400, "A status filter takes active and pending."),
    ("user_search_expected_array_of_string", 400, "A filter value must be an array of strings."),
    ("user_search_expected_bool", 400, "A filter value must be true or false."),
    ("user_search_expected_string", 400, "A filter value must be a string."),
    ("user_search_expected_object", 400, "A filter value must be an object."),
    ("user_search_expected_timestamp", 400, "A filter value must be an RFC 3339 time."),
    ("user_search_maximum_filter_value_count_exceeded", 400, "A filter takes at most 100 values."),
    ("user_search_email_address_fuzzy_too_short", 400, "A fuzzy filter needs 3 characters."),
    ("user_search_phone_number_fuzzy_too_short", 400, "A fuzzy filter needs 3 characters."),
    ("user_search_full_name_fuzzy_too_short", 400, "A fuzzy filter needs 3 characters."),
    ("user_search_missing_filter_name", 400, "An operand needs a filter name."),
    ("user_search_missing_filter_value", 400, "An operand needs a filter value."),
    # Projects and templates
    ("project_not_found", 404, "The project was not found."),
    ("public_token_not_found", 404, "The public token was not found."),
    ("email_template_not_found", 404, "The e-mail template was not found."),
    ("invalid_email_template_content", 400, "The template's content is not valid."),
    ("invalid_email_template_parameters", 400, "The template's parameters are not valid."),
    ("no_signup_redirect_url", 400, "No sign-up redirect URL was given and no default is set."),
    ("invalid_login_magic_link_url", 400, "The login magic link URL is not a valid redirect URL."),
    ("invalid_signup_magic_link_url", 400, "The sign-up magic link URL is not a valid redirect URL."),
    ("invalid_invite_magic_link_url", 400, "The invite magic link URL is not a valid redirect URL."),
    # Message templates
    ("invalid_template_id", 400, "The template is of another type."),
    ("duplicate_email_template_vanity_id", 400, "An e-mail template of this id exists."),
    ("too_many_email_templates", 400, "The project has as many e-mail templates as it can have."),
    # Phone messages
    ("invalid_phone_number_country_code", 400, "Messages are not sent to phone numbers of this country."),
    # Passwords
    # TOTP and recovery codes
    ("active_totp_exists", 400, "This user has an active TOTP; remove it before adding another."),
    ("expired_totp", 400, "The TOTP was not confirmed in time; create another."),
    ("invalid_totp_code", 400, "A TOTP code has exactly six digits."),
    ("unable_to_authenticate_totp", 401, "The TOTP code is not valid or its time is over."),
    ("totp_code_already_authenticated", 400, "This TOTP code was used already; wait for the next one."),
    ("totps_not_found_for_user", 400, "This user has no active TOTP."),
    ("unable_to_authenticate_recovery_code", 401, "The recovery code is not valid or was used."),
    ("recovery_codes_not_listed", 400, "This project shows recovery codes only once, when they are made."),
    # WebAuthn
    # OAuth
    # Crypto wallets
    ("invalid_crypto_wallet_address", 400, "The wallet address is not valid."),
    ("duplicate_wallet_address", 400, "This wallet belongs to another user."),
    ("unable_to_authenticate_crypto_wallet", 401, "The signature is not that of a text that waits for this wallet."),
    ("crypto_wallet_type_incompatible_with_siwe", 400, "Sign-in parameters can be given for Ethereum wallets only."),
    ("invalid_siwe_domain", 400, "The domain of the message is not valid, or not one of this project."),
    ("invalid_siwe_uri", 400, "The URI of the message is not valid, or not on its domain."),
    ("invalid_siwe_chain_id", 400, "The chain id of the message is not valid."),
    ("invalid_siwe_statement", 400, "The statement of the message is not valid."),
    ("invalid_siwe_message_request_id", 400, "The request id of the message is not valid."),
    ("invalid_siwe_resource", 400, "A resource of the message is not valid."),
    ("siwe_message_expired", 400, "The message has expired; ask for another."),
    ("siwe_message_not_valid_yet", 400, "The message is not valid yet."),
    # Device biometrics
    # Sessions: attest, migrate, exchange, impersonation
    ("user_impersonation_not_allowed", 400, "This project does not allow impersonation."),
    ("unable_to_auth_impersonation_token", 401, "The impersonation token is not valid, was used or has expired."),
    # Machine to machine
    ("m2m_client_not_found", 404, "The M2M client was not found."),
    ("duplicate_m2m_client_id", 400, "An M2M client with this id exists."),
    ("m2m_client_invalid_client_id", 400, "The client id begins as ids of another kind do."),
    ("m2m_client_invalid_client_secret", 400, "A client secret needs at least 8 characters."),
    ("client_secret_too_long", 400, "A client secret has at most 256 characters."),
    ("insecure_m2m_client_secret", 400, "The client secret is too easily guessed."),
    ("m2m_client_invalid_status", 400, "The status of a client is active or inactive."),
    ("invalid_m2m_client_scope", 400, "A scope is a word of up to 128 printable ASCII characters."),
    ("too_many_m2m_client_scopes", 400, "A client has at most 50 scopes."),
    ("m2m_client_already_rotating_secret", 400, "The client's secret is being rotated already."),
    ("m2m_client_not_rotating_secret", 400, "The client's secret is not being rotated."),
    ("m2m_search_filter_name_not_recognized", 400, "A filter name is not known."),
    ("m2m_search_filter_name_must_be_string", 400, "A filter name must be a string."),
    ("m2m_search_missing_filter_name", 400, "An operand needs a filter name."),
    ("m2m_search_missing_filter_value", 400, "An operand needs a filter value."),
    ("m2m_search_expected_array_of_strings", 400, "A filter value must be an array of up to 100 strings."),
    # The codes of OAuth (RFC 6749 section 5.2, RFC 6750 section 3.1, RFC 8707), under their own names
    ("invalid_client", 401, "The client is not known or did not prove who it is."),
    ("unsupported_grant_type", 400, "This grant type is not supported."),
    ("invalid_scope", 400, "A scope is not known, or not granted to this client."),
    ("invalid_target", 400, "The resource is not known, or the grant is not for it."),
    ("invalid_token", 401, "The access token is not valid, has expired or was revoked."),
    ("insufficient_scope", 403, "The access token does not have the scope that this needs."),
    # Connected apps and being a provider
    ("connected_app_not_found", 404, "The connected app was not found."),
    (
        "invalid_connected_app_type",
        400,
        "A connected app is first_party, first_party_public, third_party or third_party_public.",
    ),
    ("third_party_clients_cannot_use_full_access", 400, "Only an app of the project itself can have full access."),
    (
        "third_party_clients_require_consent_for_offline_access",
        400,
        "Only an app of the project itself can bypass consent.",
    ),
    ("public_connected_apps_do_not_have_secrets", 400, "A public app has no secret."),
    ("connected_app_already_rotating_secret", 400, "The app's secret is being rotated already."),
    ("connected_app_not_rotating_secret", 400, "The app's secret is not being rotated."),
    ("connected_app_misconfigured_client", 400, "The app's settings cannot work."),
    ("connected_app_invalid_redirect_url", 400, "A redirect URL of the app is not valid."),
    ("connected_app_redirect_url_must_include_scheme", 400, "A redirect URL must include its scheme."),
    ("connected_app_redirect_url_must_use_http_or_https_scheme", 400, "A redirect URL cannot use this scheme."),
    ("connected_app_redirect_url_must_use_https_scheme", 400, "A redirect URL of this app must use https."),
    (
        "connected_app_redirect_url_http_scheme_must_use_loopback",
        400,
        "A redirect URL may use http on the loopback interface only.",
    ),
    (
        "connected_app_redirect_url_cannot_use_localhost",
        400,
        "Name the loopback interface by its address, not as localhost.",
    ),
    ("too_many_redirect_urls", 400, "There are too many redirect URLs."),
    ("idp_invalid_access_token_expiry_minutes", 400, "Access tokens live 5 to 1440 minutes."),
    ("idp_invalid_access_token_custom_audience", 400, "An audience is up to 512 printable ASCII characters."),
    (
        "idp_invalid_access_token_jwt_template",
        400,
        "The template is not a JSON object of claims that a template may set.",
    ),
    ("connected_app_supplied_redirect_url_not_found_in_client", 401, "The redirect URL is not one of the app's."),
    ("no_oauth_authorize_user_selector", 400, "Name the user by user_id, session_token or session_jwt, in one way."),
    ("oauth_invalid_scope_requested", 400, "A scope that was asked for is not known, or the user cannot grant it."),
    ("pkce_required_for_idp_authorization_flow", 400, "A code challenge (S256) is required."),
    ("invalid_pkce_code_challenge", 400, "The code challenge must be 43 characters of base64url."),
    ("invalid_grant", 400, "The code or token is not valid, was used, was revoked or has expired."),
    ("unauthorized_client", 400, "The client may not use this."),
    ("unsupported_response_type", 400, "The response type is not supported; use code."),
    ("unsupported_token_type", 400, "Tokens of this type cannot be revoked; they end by themselves."),
    ("invalid_dpop_proof", 400, "The DPoP proof is missing, not valid, was used, or is not of this token's key."),
    ("dynamic_client_registration_not_enabled", 400, "This project does not let apps register by themselves."),
    ("invalid_redirect_uri", 400, "A redirect URI is not one that an app of this kind can have."),
    ("invalid_client_metadata", 400, "The client's metadata ask for what is not supported."),
    ("invalid_request_uri", 400, "The request is not known, is another client's, or was pushed too long ago."),
    ("access_denied", 403, "The person did not grant access."),
    # RBAC
    ("consumer_session_authorization_error", 403, "The session's roles do not permit this."),
    # Fraud
    # Events, webhooks and the managed project
    ("call_interrupted", 503, "The call was cancelled before it ended."),
    ("invalid_event_cursor", 400, "The cursor is not valid."),
    ("setting_not_managed", 400, "This setting is declared in code; name it in Settings.managed to change it here."),
    ("too_many_redirect_urls", 400, "The project has as many redirect URLs as it can have."),
    ("redirect_url_not_found", 404, "The redirect URL was not found."),
    ("too_many_public_tokens", 400, "The project has as many public tokens as it can have."),
    ("too_many_secrets", 400, "Two secrets live already; delete one before the next is made."),
    ("secret_not_found", 404, "The secret was not found."),
    ("cannot_delete_last_secret", 400, "The last secret cannot be deleted."),
    ("allow_list_max_exceeded", 400, "The allow-list holds at most 10 addresses."),
    ("invalid_ip_address", 400, "This is not an IPv4 or IPv6 address."),
    ("ip_address_not_allowed", 403, "This project's backend API may not be called from this address."),
)
