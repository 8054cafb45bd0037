"""Magic links as browsers reach them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authmw.rows import DURATION, SENDING, SESSION, Row, nothing, signed_in

if TYPE_CHECKING:
    from authmw.consumer.magic_links.operations import MagicLinks


def rows(links: MagicLinks) -> tuple[Row, ...]:
    """The rows of this product."""
    return (
        Row(
            method="POST",
            path="/sdk/v1/magic_links/email/login_or_create",
            call=links.email.login_or_create,
            show=nothing,
            hides=SENDING,
        ),
        Row(
            method="POST",
            path="/sdk/v1/magic_links/email/send/primary",
            call=links.email.send,
            show=nothing,
            hides=SENDING,
        ),
        Row(
            method="POST",
            path="/sdk/v1/magic_links/email/send/secondary",
            call=links.email.send,
            show=nothing,
            hides=SENDING,
            needs_session=True,
        ),
        Row(
            method="POST",
            path="/sdk/v1/magic_links/authenticate",
            call=links.authenticate,
            show=signed_in,
            hides=SESSION,
            requires=DURATION,
            grants=True,
        ),
    )
