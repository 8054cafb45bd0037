"""The error types that the vendor's API does not have, each with the reason why none of its types says it.

Law: a type of ours stands here or it is not used: clients know the vendor's types by name, so a new one is made only where each of those would say something else.
"""

from __future__ import annotations

from typing import Final

_OAUTH = "A code of OAuth under its own name: clients of that protocol know no other."
_HOST = "It is about the host that authmw runs inside, which a hosted service does not have."

ADDITIONS: Final[dict[str, str]] = {
    # Requests
    "json_invalid": "The body cannot be read at all, so no field can be named as `bad_request` does.",
    "body_too_large": "The vendor documents no type for 413.",
    "unsupported_media_type": "The vendor documents no type for 415.",
    "cross_site_request": "The cookie stands on the host's own site, so its changes are defended there too.",
    # Factors
    "recovery_codes_not_listed": "Here a project can keep recovery codes so that nobody reads them again.",
    "webauthn_user_verification_required": "A passkey alone is refused where its owner was not verified; another try with the PIN helps.",
    "webauthn_counter_not_increased": "A copied authenticator is told apart from a wrong answer, because its owner must act.",
    "duplicate_oauth_registration": "The vendor merges users by address; here a provider identity of another user is refused.",
    # Fraud
    "device_intelligence_not_configured": "The source of device intelligence is a port that a host may leave empty.",
    "telemetry_id_not_found": "The vendor documents no type for a telemetry id that nobody has.",
    "verdict_reason_not_found": "The vendor documents no type for a reason that is never given.",
    # The codes of OAuth: RFC 6749 sections 4.1.2.1 and 5.2, RFC 6750, RFC 7009, RFC 7591, RFC 8628, RFC 8707, RFC 9126, RFC 9449
    "access_denied": _OAUTH,
    "authorization_pending": _OAUTH,
    "expired_token": _OAUTH,
    "insufficient_scope": _OAUTH,
    "invalid_client": _OAUTH,
    "invalid_client_metadata": _OAUTH,
    "invalid_dpop_proof": _OAUTH,
    "invalid_grant": _OAUTH,
    "invalid_redirect_uri": _OAUTH,
    "invalid_request_uri": _OAUTH,
    "invalid_scope": _OAUTH,
    "invalid_target": _OAUTH,
    "slow_down": _OAUTH,
    "unauthorized_client": _OAUTH,
    "unsupported_grant_type": _OAUTH,
    "unsupported_response_type": _OAUTH,
    "unsupported_token_type": _OAUTH,
    "user_code_not_found": "The page where a device's code is typed (RFC 8628) is ours; the vendor has no device grant.",
    # The project
    "setting_not_managed": _HOST,
    "cannot_delete_last_secret": "Without it nobody could make another; the vendor says so of public tokens only.",
    "ip_address_not_allowed": "The vendor documents no type for an address outside the allow-list; the credentials are right.",
}
"""Each error type of ours with the reason for it."""

STATUSES: Final[dict[str, str]] = {
    "invalid_token": "RFC 6750 section 3.1 has a bearer token that is not valid answered with 401.",
}
"""The error types of the vendor's that have another status here, with the reason for it."""
