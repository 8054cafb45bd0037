"""One-time passcodes as browsers reach them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from authmw.rows import DURATION, SENDING, SESSION, Row, method_only, signed_in

if TYPE_CHECKING:
    from authmw.consumer.otps.operations import OTPs
    from authmw.consumer.otps.phones import SMSPasscodes, WhatsAppPasscodes


def rows(codes: OTPs) -> tuple[Row, ...]:
    """The rows of this product."""
    return (
        Row(
            method="POST",
            path="/sdk/v1/otps/email/login_or_create",
            call=codes.email.login_or_create,
            show=method_only,
            hides=SENDING,
        ),
        Row(
            method="POST",
            path="/sdk/v1/otps/email/send/primary",
            call=codes.email.send,
            show=method_only,
            hides=SENDING,
        ),
        Row(
            method="POST",
            path="/sdk/v1/otps/email/send/secondary",
            call=codes.email.send,
            show=method_only,
            hides=SENDING,
            needs_session=True,
        ),
        *_phone_rows("sms", codes.sms),
        *_phone_rows("whatsapp", codes.whatsapp),
        Row(
            method="POST",
            path="/sdk/v1/otps/authenticate",
            call=codes.authenticate,
            show=signed_in,
            hides=SESSION | {"code"},
            requires=DURATION,
            renames={"token": "code"},
            grants=True,
        ),
    )


def _phone_rows(channel: str, codes: SMSPasscodes | WhatsAppPasscodes) -> tuple[Row, ...]:
    path = f"/sdk/v1/otps/{channel}"
    return (
        Row(method="POST", path=f"{path}/login_or_create", call=codes.login_or_create, show=_phone_only, hides=SENDING),
        Row(method="POST", path=f"{path}/send/primary", call=codes.send, show=_phone_only, hides=SENDING),
        Row(
            method="POST",
            path=f"{path}/send/secondary",
            call=codes.send,
            show=_phone_only,
            hides=SENDING,
            needs_session=True,
        ),
    )


def _phone_only(answer: Any) -> dict[str, Any]:
    """The method id that the code must be presented with, and nothing that tells whether the number is known."""
    return {"request_id": answer.request_id, "status_code": answer.status_code, "method_id": answer.phone_id}
