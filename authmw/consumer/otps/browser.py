"""One-time passcodes as browsers reach them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authmw.rows import DURATION, SENDING, SESSION, Row, method_only, signed_in

if TYPE_CHECKING:
    from authmw.consumer.otps.operations import OTPs


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
