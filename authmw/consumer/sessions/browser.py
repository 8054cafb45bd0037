"""Sessions as browsers reach them: their own one only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authmw.rows import DURATION, SESSION, Row, signed_in

if TYPE_CHECKING:
    from authmw.consumer.sessions.operations import Sessions


def rows(sessions: Sessions) -> tuple[Row, ...]:
    """The rows of this product."""
    return (
        Row(
            method="POST",
            path="/sdk/v1/sessions/authenticate",
            call=sessions.authenticate,
            show=signed_in,
            hides=SESSION | {"authorization_check"},
            needs_session=True,
            grants=True,
        ),
        Row(
            method="POST",
            path="/sdk/v1/sessions/exchange_access_token",
            call=sessions.exchange_access_token,
            show=signed_in,
            hides=SESSION,
            requires=DURATION,
            grants=True,
        ),
        Row(
            method="POST",
            path="/sdk/v1/sessions/revoke",
            call=sessions.revoke,
            hides=SESSION | {"session_id"},
            needs_session=True,
        ),
    )
