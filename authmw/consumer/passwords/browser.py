"""Passwords as browsers reach them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authmw.rows import DURATION, SESSION, Row, nothing, signed_in, whole

if TYPE_CHECKING:
    from authmw.consumer.passwords.operations import Passwords

_PERSON = frozenset({"name", "trusted_metadata", "untrusted_metadata"})


def rows(passwords: Passwords) -> tuple[Row, ...]:
    """The rows of this product."""
    return (
        Row(
            method="POST",
            path="/sdk/v1/passwords",
            call=passwords.create,
            show=signed_in,
            hides=SESSION | _PERSON,
            requires=DURATION,
            grants=True,
        ),
        Row(
            method="POST",
            path="/sdk/v1/passwords/authenticate",
            call=passwords.authenticate,
            show=signed_in,
            hides=SESSION,
            requires=DURATION,
            grants=True,
        ),
        Row(method="POST", path="/sdk/v1/passwords/strength_check", call=passwords.strength_check, show=whole),
        Row(
            method="POST",
            path="/sdk/v1/passwords/email/reset/start",
            call=passwords.email.reset_start,
            show=nothing,
            hides=SESSION,
        ),
        Row(
            method="POST",
            path="/sdk/v1/passwords/email/reset",
            call=passwords.email.reset,
            show=signed_in,
            hides=SESSION,
            requires=DURATION,
            grants=True,
        ),
        Row(
            method="POST",
            path="/sdk/v1/passwords/existing_password/reset",
            call=passwords.existing_password.reset,
            show=signed_in,
            hides=SESSION,
            grants=True,
        ),
        Row(
            method="POST",
            path="/sdk/v1/passwords/session/reset",
            call=passwords.sessions.reset,
            show=signed_in,
            needs_session=True,
            hides=SESSION,
            grants=True,
        ),
    )
