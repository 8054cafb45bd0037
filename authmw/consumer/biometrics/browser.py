"""Device keys as native apps reach them, over the browser API with the session's tokens in the body (BIO-02)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authmw.rows import DURATION, SESSION, Row, signed_in

if TYPE_CHECKING:
    from authmw.consumer.biometrics.operations import Biometrics


def rows(biometrics: Biometrics) -> tuple[Row, ...]:
    """The rows of this product."""
    return (
        Row(
            method="POST",
            path="/sdk/v1/biometrics/register/start",
            call=biometrics.register_start,
            needs_session=True,
            own_user="user_id",
            hides=SESSION,
        ),
        Row(
            method="POST",
            path="/sdk/v1/biometrics/register",
            call=biometrics.register,
            show=signed_in,
            needs_session=True,
            own_user="user_id",
            hides=SESSION,
            requires=DURATION,
            grants=True,
        ),
        Row(
            method="POST",
            path="/sdk/v1/biometrics/authenticate/start",
            call=biometrics.authenticate_start,
            hides=SESSION,
        ),
        Row(
            method="POST",
            path="/sdk/v1/biometrics/authenticate",
            call=biometrics.authenticate,
            show=signed_in,
            hides=SESSION,
            requires=DURATION,
            grants=True,
        ),
    )
