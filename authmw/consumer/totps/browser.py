"""TOTPs as browsers reach them: the caller's own ones only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authmw.rows import DURATION, SESSION, Row, changed_user, signed_in, whole

if TYPE_CHECKING:
    from authmw.consumer.totps.operations import TOTPs


def rows(totps: TOTPs) -> tuple[Row, ...]:
    """The rows of this product."""
    return (
        Row(
            method="POST",
            path="/sdk/v1/totps",
            call=totps.create,
            show=changed_user,
            needs_session=True,
            own_user="user_id",
            hides=SESSION,
        ),
        Row(
            method="POST",
            path="/sdk/v1/totps/authenticate",
            call=totps.authenticate,
            show=signed_in,
            needs_session=True,
            own_user="user_id",
            hides=SESSION,
            requires=DURATION,
            grants=True,
        ),
        Row(
            method="POST",
            path="/sdk/v1/totps/recovery_codes",
            call=totps.recovery_codes,
            show=whole,
            needs_session=True,
            own_user="user_id",
            hides=SESSION,
        ),
        Row(
            method="POST",
            path="/sdk/v1/totps/recover",
            call=totps.recover,
            show=signed_in,
            needs_session=True,
            own_user="user_id",
            hides=SESSION,
            requires=DURATION,
            grants=True,
        ),
    )
