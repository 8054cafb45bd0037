"""Impersonation as browsers reach it: the token is the proof, no session is joined."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authmw.rows import SESSION, Row, signed_in

if TYPE_CHECKING:
    from authmw.consumer.impersonation.operations import Impersonation


def rows(impersonation: Impersonation) -> tuple[Row, ...]:
    """The rows of this product."""
    return (
        Row(
            method="POST",
            path="/sdk/v1/impersonation/authenticate",
            call=impersonation.authenticate,
            show=signed_in,
            hides=SESSION,
            grants=True,
        ),
    )
