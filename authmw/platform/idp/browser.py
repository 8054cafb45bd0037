"""Granting access as browsers reach it: the page is the host's, the person is whoever is signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authmw.rows import SESSION, Row

if TYPE_CHECKING:
    from authmw.platform.idp.operations import IDP


def rows(idp: IDP) -> tuple[Row, ...]:
    """The rows of this product."""
    return (
        Row(
            method="POST",
            path="/sdk/v1/idp/oauth/authorize/start",
            call=idp.oauth.authorize_start,
            needs_session=True,
            hides=SESSION,
        ),
        Row(
            method="POST",
            path="/sdk/v1/idp/oauth/authorize/submit",
            call=idp.oauth.authorize,
            needs_session=True,
            hides=SESSION,
        ),
        Row(
            method="POST",
            path="/sdk/v1/idp/oauth/device/start",
            call=idp.devices.start,
            needs_session=True,
            hides=SESSION,
        ),
        Row(
            method="POST",
            path="/sdk/v1/idp/oauth/device/submit",
            call=idp.devices.decide,
            needs_session=True,
            hides=SESSION,
        ),
        Row(
            method="POST",
            path="/sdk/v1/oauth/logout/start",
            call=idp.oauth.logout_start,
            needs_session=True,
            hides=SESSION,
        ),
    )
