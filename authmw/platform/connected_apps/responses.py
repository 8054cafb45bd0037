"""Connected apps on the wire."""

from __future__ import annotations

from typing import Any

import msgspec

from authmw.operations import Response
from authmw.paging import ResultsMetadata
from authmw.people.apps import ConnectedApp


class ConnectedAppAnswer(msgspec.Struct, kw_only=True):
    """An app, without its secret."""

    client_id: str
    client_name: str
    client_description: str
    status: str
    full_access_allowed: bool
    client_type: str
    redirect_urls: list[str]
    access_token_expiry_minutes: int
    access_token_template_content: str
    post_logout_redirect_urls: list[str]
    bypass_consent_for_offline_access: bool
    creation_method: str
    id_token_template_content: str
    client_secret_last_four: str | None
    next_client_secret_last_four: str | None
    access_token_custom_audience: str | None
    logo_url: str | None
    client_id_metadata_url: str | None


class ConnectedAppWithClientSecretAnswer(ConnectedAppAnswer, kw_only=True):
    """A new app. Its secret, if it has one, is shown this one time."""

    client_secret: str | None


class ConnectedAppWithNextClientSecretAnswer(ConnectedAppAnswer, kw_only=True):
    """An app whose secret is being exchanged. The next secret is shown this one time."""

    next_client_secret: str


class ConnectedAppPublicAnswer(msgspec.Struct, kw_only=True):
    """What people may see of an app that asks them for access."""

    client_id: str
    client_name: str
    client_description: str
    client_type: str
    logo_url: str | None


class ConnectedAppResponse(Response, kw_only=True):
    """An app."""

    connected_app: ConnectedAppAnswer


class CreateResponse(Response, kw_only=True):
    """A new app."""

    connected_app: ConnectedAppWithClientSecretAnswer


class RotateStartResponse(Response, kw_only=True):
    """An app with a second secret."""

    connected_app: ConnectedAppWithNextClientSecretAnswer


class DeleteResponse(Response, kw_only=True):
    """An app is gone."""

    client_id: str


class SearchResponse(Response, kw_only=True):
    """Some apps."""

    connected_apps: list[ConnectedAppAnswer]
    results_metadata: ResultsMetadata


def shown(app: ConnectedApp) -> dict[str, Any]:
    """The fields of an app on the wire."""
    current, following = app.secrets.current, app.secrets.following
    return {
        "client_id": app.client_id,
        "client_name": app.client_name,
        "client_description": app.client_description,
        "status": app.status,
        "full_access_allowed": app.full_access_allowed,
        "client_type": app.client_type,
        "redirect_urls": list(app.redirect_urls),
        "access_token_expiry_minutes": app.access_token_expiry_minutes,
        "access_token_template_content": app.access_token_template_content,
        "post_logout_redirect_urls": list(app.post_logout_redirect_urls),
        "bypass_consent_for_offline_access": app.bypass_consent_for_offline_access,
        "creation_method": app.creation_method,
        "id_token_template_content": app.id_token_template_content,
        # The client's model of a rotation needs a text here, never null.
        "client_secret_last_four": current.last_four if current else "",
        "next_client_secret_last_four": following.last_four if following else None,
        "access_token_custom_audience": app.access_token_custom_audience,
        "logo_url": app.logo_url,
        "client_id_metadata_url": app.client_id_metadata_url,
    }


def shown_to_people(app: ConnectedApp) -> ConnectedAppPublicAnswer:
    """An app as the person sees it who is asked for access."""
    return ConnectedAppPublicAnswer(
        client_id=app.client_id,
        client_name=app.client_name,
        client_description=app.client_description,
        client_type=app.client_type,
        logo_url=app.logo_url,
    )
