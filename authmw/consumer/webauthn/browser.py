"""Passkeys as browsers reach them: the caller's own ones, and a sign-in that says nothing of anybody before it is proved (ENU-03)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from authmw.rows import DURATION, SESSION, Row, signed_in

if TYPE_CHECKING:
    from authmw.consumer.webauthn.operations import WebAuthn


def rows(webauthn: WebAuthn) -> tuple[Row, ...]:
    """The rows of this product."""
    start = "/sdk/v1/webauthn/authenticate/start"
    return (
        Row(
            method="POST",
            path="/sdk/v1/webauthn/register/start",
            call=webauthn.register_start,
            needs_session=True,
            own_user="user_id",
            hides=SESSION,
        ),
        Row(
            method="POST",
            path="/sdk/v1/webauthn/register",
            call=webauthn.register,
            show=signed_in,
            needs_session=True,
            own_user="user_id",
            hides=SESSION,
            requires=DURATION,
            grants=True,
        ),
        Row(method="POST", path=start, call=webauthn.authenticate_start, show=_options, hides=SESSION),
        Row(method="POST", path=f"{start}/primary", call=webauthn.authenticate_start, show=_options, hides=SESSION),
        Row(
            method="POST",
            path=f"{start}/secondary",
            call=webauthn.authenticate_start,
            show=_options,
            needs_session=True,
            own_user="user_id",
            hides=SESSION,
        ),
        Row(
            method="POST",
            path="/sdk/v1/webauthn/authenticate",
            call=webauthn.authenticate,
            show=signed_in,
            hides=SESSION,
            requires=DURATION,
            grants=True,
        ),
        Row(
            method="PUT",
            path="/sdk/v1/webauthn/update/{webauthn_registration_id}",
            call=webauthn.update,
            needs_session=True,
        ),
    )


def _options(answer: Any) -> dict[str, Any]:
    return {
        "request_id": answer.request_id,
        "status_code": answer.status_code,
        "userId": answer.user_id,
        "public_key_credential_request_options": answer.public_key_credential_request_options,
    }
