"""What is said of a request before anybody's account matters: its form, its addresses, its caller."""

from __future__ import annotations

from typing import Final

ROWS: Final[tuple[tuple[str, int, str], ...]] = (
    # Requests
    ("bad_request", 400, "The request is not valid."),
    ("invalid_argument", 400, "An argument is not valid."),
    ("json_invalid", 400, "The body is not one valid JSON object."),
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
    ("client_closed_request", 499, "The call was cancelled before it ended."),
    # Where a request came from
    ("invalid_ip_address", 400, "This is not an IPv4 or IPv6 address."),
    ("invalid_user_agent", 400, "A user agent is one line of at most 1024 characters."),
    # Ids: a text that can be none
    ("invalid_id", 400, "The id is not valid."),
    ("invalid_user_id", 400, "The user's id is not valid."),
    ("invalid_email_id", 400, "The e-mail's id is not valid."),
    ("invalid_method_id", 400, "The method's id is not valid."),
    ("invalid_password_id", 400, "The password's id is not valid."),
    ("invalid_totp_id", 400, "The TOTP's id is not valid."),
    ("invalid_crypto_wallet_id", 400, "The crypto wallet's id is not valid."),
    ("invalid_biometric_registration_id", 400, "The biometric registration's id is not valid."),
    ("invalid_webauthn_registration_id", 400, "The WebAuthn registration's id is not valid."),
    ("invalid_oauth_user_registration_id", 400, "The OAuth registration's id is not valid."),
    ("invalid_session_id", 400, "The session's id is not valid."),
    ("invalid_project_id", 400, "The project's id is not valid."),
    ("invalid_request_id", 400, "The request's id is not valid."),
    ("invalid_secret_id", 400, "The secret's id is not valid."),
    ("invalid_public_token_id", 400, "The public token is not valid."),
    ("invalid_client_id", 400, "The client's id is not valid."),
    # Identifiers
    ("invalid_email", 400, "The e-mail address is not valid."),
    ("invalid_phone_number", 400, "The phone number is not valid; write it in E.164 form."),
    # Redirect URLs: as they are registered
    ("invalid_url", 400, "The redirect URL is not valid."),
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
    ("invalid_login_redirect_url", 400, "The login redirect URL is not valid."),
    ("invalid_password_reset_redirect_url", 400, "The password reset redirect URL is not valid."),
    ("no_match_for_provided_magic_link_url", 400, "The magic link URL is not registered for this type."),
    ("no_match_for_provided_oauth_url", 400, "The OAuth redirect URL is not registered for this type."),
    ("no_default_login_redirect_url_set", 400, "No login redirect URL was given and no default is set."),
    ("no_default_signup_redirect_url_set", 400, "No sign-up redirect URL was given and no default is set."),
    ("no_default_invite_redirect_url_set", 400, "No invite redirect URL was given and no default is set."),
    ("no_password_reset_redirect_url", 400, "No password reset redirect URL was given and no default is set."),
    # Who may call
    ("unauthorized_credentials", 401, "The credentials are not valid."),
    ("invalid_authorization_header", 401, "The Authorization header must be Basic with the project id and secret."),
    ("endpoint_not_authorized_for_sdk", 401, "The project does not let browsers call this."),
    ("bad_domain_for_stytch_sdk", 400, "This origin may not call the browser API."),
    ("use_https", 403, "Live is reached by https only. Behind a proxy, settings.trusted_proxies must count it."),
    ("cross_site_request", 403, "A change that carries a session cookie must come from this site."),
)
